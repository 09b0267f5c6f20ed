"""People who do not exist, in households: twins, juniors, newborns, maiden names, group homes. Same seed, same people.

What makes matching hard is who lives together, so people are drawn by household, not one by one. Not here: what sources write about
them (`records`).
"""

import tomllib
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import Any, Final

from app.cli.demo.dice import Dice
from app.domain.comparison_weights import Weights

TODAY: Final = date(2026, 11, 1)
"""Ages are counted back from here."""
TAIL_NAMES: Final = 60_000
"""So many last names are put together from syllables."""
TAIL_OFFSET: Final = 130
"""Flattens the head of their Zipf curve, so that the first of them is as common as the last common name."""
TWIN_BIRTHS: Final = 0.016
"""United States, births that are twins, as a share of births (public vital statistics: about 3 % of children)."""
JUNIORS: Final = 0.04
BETWEEN_BIRTHS: Final = 300
"""Days; who is born nearer is a twin."""
IN_SHARED_PLACES: Final = 0.01
PEOPLE_A_PLACE: Final = 25


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Somebody who does not exist, as they are."""

    number: int
    first: str
    middle: str
    last: str
    sex: str
    born_on: date
    street: str
    town: str
    zip: str
    phone: str
    ssn: str
    suffix: str = ""
    maiden: str = ""
    birth_order: str = ""


class Names:
    """Draws names as often as people have them."""

    def __init__(self, weights: Weights, dice: Dice) -> None:
        words = name_words()
        self.dice = dice
        rest = 1 - sum(weights.last_names.values())
        tail = list(_last_tail(words))
        zipf = [1 / (rank + TAIL_OFFSET) for rank in range(len(tail))]
        scale = rest / sum(zipf)
        self._last = [name.capitalize() for name in weights.last_names] + tail
        self._last_at = list(accumulate([*weights.last_names.values(), *(share * scale for share in zipf)]))
        self._first: dict[str, tuple[list[str], list[float]]] = {}
        for sex, key in (("F", "female"), ("M", "male")):
            listed = words[key]
            composed = [
                f"{head}{heart}{end}"
                for head in words["first_heads"]
                for heart in words["first_hearts"]
                for end in words[f"first_tails_{key}"]
            ]
            shares = [2 * weights.first_names.get(name, 0.0008) for name in listed]
            left = max(0.2, 1 - sum(shares))
            spread = [1 / (rank + 40) for rank in range(len(composed))]
            factor = left / sum(spread)
            self._first[sex] = (
                [name.capitalize() for name in listed] + composed,
                list(accumulate([*shares, *(one * factor for one in spread)])),
            )

    def drawing_from(self, dice: Dice) -> "Names":
        """Give the same names, drawn by other dice."""
        other = copy(self)
        other.dice = dice
        return other

    def last(self) -> str:
        """Give a last name; one in thirty is a double name."""
        name = self._one(self._last, self._last_at)
        return f"{name}-{self._one(self._last, self._last_at)}" if self.dice.happens(1 / 30) else name

    def first(self, sex: str) -> str:
        """Give a first name."""
        return self._one(*self._first[sex])

    def _one(self, names: Sequence[str], at: Sequence[float]) -> str:
        return names[min(bisect(at, self.dice.fraction() * at[-1]), len(names) - 1)]


@cache
def name_words() -> Mapping[str, Any]:
    """Read the syllables and lists."""
    return tomllib.loads(files("app.cli.match").joinpath("names.toml").read_text("utf-8"))


def _last_tail(words: Mapping[str, Any]) -> Iterator[str]:
    heads, hearts, tails = words["last_heads"], words["last_hearts"], words["last_tails"]
    for number in range(min(TAIL_NAMES, len(heads) * len(hearts) * len(tails))):
        # Neighbours in rank share no syllable, as neighbours in frequency do not.
        head = number % len(heads)
        heart = (number // len(heads) + number) % len(hearts)
        end = (number // (len(heads) * len(hearts)) + 7 * number) % len(tails)
        yield f"{heads[head]}{hearts[heart]}{tails[end]}"


@dataclass(frozen=True, slots=True)
class _Place:
    street: str
    town: str
    zip: str
    phone: str


class Population:
    """Draws households until there are enough people."""

    def __init__(self, count: int, weights: Weights, dice: Dice) -> None:
        self._dice, self._count, self._names, self._words = dice, count, Names(weights, dice), name_words()
        self._made = 0
        zips = max(20, count // 4000)
        self._zips = [f"{4000 + number:05d}" for number in range(zips)]
        self._places = [self._place() for _ in range(max(1, int(count * IN_SHARED_PLACES) // PEOPLE_A_PLACE))]

    def people(self) -> Iterator[Synthetic]:
        """Give the people, household by household."""
        while self._made < self._count:
            yield from self._household()

    def _household(self) -> list[Synthetic]:
        dice = self._dice
        if dice.happens(IN_SHARED_PLACES):
            return [self._person(dice.choice(self._places), self._names.last(), self._born(18, 85))]
        place, last, kind = self._place(), self._names.last(), dice.fraction()
        age = dice.whole(20, 88)
        head = self._person(place, last, self._born(age, age), sex=dice.choice("FM"))
        if kind < 0.32:  # noqa: PLR2004 -- lives alone
            return [head]
        household = [head]
        if kind < 0.90:  # noqa: PLR2004 -- a couple, with or without children
            household.append(self._spouse(head, place, age))
        if kind > 0.56 and age < 62:  # noqa: PLR2004 -- with children, young enough
            household += self._children(household, place, last, max(0, age - 42), min(18, age - 18))
        return household

    def _spouse(self, head: Synthetic, place: _Place, age: int) -> Synthetic:
        dice = self._dice
        sex = "M" if head.sex == "F" else "F"
        own = self._names.last()
        takes = dice.happens(0.7)
        spouse = self._person(place, head.last if takes else own, self._born(max(19, age - 6), age + 4), sex=sex)
        return replace(spouse, maiden=own) if takes and own != head.last else spouse

    def _children(self, parents: list[Synthetic], place: _Place, last: str, youngest: int, oldest: int) -> list[Synthetic]:
        dice = self._dice
        children: list[Synthetic] = []
        father = next((one for one in parents if one.sex == "M"), None)
        for _ in range(dice.choice((1, 1, 2, 2, 2, 3, 4))):
            born = self._born(min(youngest, oldest), oldest) if not dice.happens(0.02) else TODAY - timedelta(days=dice.whole(0, 60))
            if any(abs((born - other.born_on).days) < BETWEEN_BIRTHS for other in children):
                continue
            child = self._person(place, last, born)
            while any(child.first == other.first for other in children):
                child = replace(child, first=self._names.first(child.sex))
            if father is not None and child.sex == "M" and father.suffix == "" and dice.happens(JUNIORS):
                child = replace(child, first=father.first, suffix="JR")
            children.append(child)
            if dice.happens(TWIN_BIRTHS):
                children[-1] = replace(child, birth_order="1")
                children.append(self._twin(child, place))
        return children

    def _twin(self, child: Synthetic, place: _Place) -> Synthetic:
        dice = self._dice
        sex = child.sex if dice.happens(0.67) else ("M" if child.sex == "F" else "F")
        twin = replace(self._person(place, child.last, child.born_on, sex=sex), birth_order="2")
        if dice.happens(0.25):
            # Alike on purpose, as parents like it: Jayden and Hayden.
            twin = replace(twin, first=dice.choice("BCDHJKLMRT") + child.first[1:])
        if dice.happens(0.5):
            twin = replace(twin, ssn=f"{(int(child.ssn) + 1) % 10**9:09d}")
        return twin if twin.first != child.first else replace(twin, first=f"{child.first[:2]}{twin.first.lower()}")

    def _person(self, place: _Place, last: str, born_on: date, sex: str = "") -> Synthetic:
        dice = self._dice
        self._made += 1
        sex = sex or dice.choice("FM")
        own_phone = dice.happens(0.6) and born_on.year < TODAY.year - 14
        return Synthetic(
            number=self._made,
            first=self._names.first(sex),
            middle=self._names.first(sex),
            last=last,
            sex=sex,
            born_on=born_on,
            street=place.street,
            town=place.town,
            zip=place.zip,
            phone=self.phone() if own_phone else place.phone,
            ssn=f"{dice.whole(1, 665):03d}{dice.whole(1, 99):02d}{dice.whole(1, 9999):04d}",
        )

    def phone(self) -> str:
        """Give a number; its exchange is 555, so it rings nowhere."""
        return f"{self._dice.whole(201, 989)}555{self._dice.whole(0, 9999):04d}"

    def _place(self) -> _Place:
        place = self.street(), self._dice.choice(self._words["towns"]), self._dice.choice(self._zips), self.phone()
        return _Place(*place)

    def street(self) -> str:
        """Give a street line."""
        dice, words = self._dice, self._words
        name = f"{dice.choice(words['streets'])} {dice.choice(words['street_heads'])} {dice.choice(words['street_kinds'])}"
        unit = f" Apt {dice.whole(1, 40)}" if dice.happens(0.3) else ""
        return f"{dice.whole(1, 1999)} {name}{unit}"

    def zip(self) -> str:
        """Give a ZIP of the area."""
        return self._dice.choice(self._zips)

    def _born(self, youngest: int, oldest: int) -> date:
        days = self._dice.whole(youngest * 365, oldest * 365 + 364)
        born = TODAY - timedelta(days=days)
        # Where the day is not known, the first of January is written.
        return born.replace(month=1, day=1) if self._dice.happens(0.004) else born

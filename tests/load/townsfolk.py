"""Who is measured with: a state's people, by number, and what a visit writes of one of them.

Matching costs by who resembles whom, so first and last names are as frequent as in a population, and put together by household
(`app/cli/match`, the generator on which matching is evaluated); birth dates lie over ninety years. It is not made easy: members of a
household share last name, address and phone, some people share a shelter's; and a visit of somebody who is known writes an error in one of
twenty, an old or a new address or phone, another hospital's number, and now and then no number that anybody else has. Not here: twins,
juniors, newborns and maiden names, on which quality is evaluated, and nicknames.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from typing import Any, Final

from app.cli.demo.dice import Dice
from app.cli.match.population import Names, name_words
from app.cli.match.records import MOVED, NEW_PHONE, SAME_HOSPITAL_TWICE, miswrite
from app.standards.matching_rules import weights

HOSPITALS: Final = 3
A_HOUSEHOLD: Final = 3
"""People who live together."""
OWN_LAST_NAME: Final = 0.3
OWN_PHONE: Final = 0.6
IN_A_SHELTER: Final = 0.01
HOUSEHOLDS_A_SHELTER: Final = 8
ERRORS: Final = 0.05
"""Visits that write something wrong."""
ELSEWHERE: Final = 0.3
"""Visits to another hospital than one's own."""
NO_NUMBER: Final = 0.15
"""Visits that do not know the Medicaid number."""
SSN_GIVEN: Final = 0.45
ZIPS: Final = 420
"""About as many as Maine has."""
BORN_UNTIL: Final = date(2026, 11, 1)
BORN_OVER_DAYS: Final = 90 * 365


@dataclass(frozen=True, slots=True)
class Townsman:
    """Somebody who does not exist."""

    first: str
    middle: str
    last: str
    sex: str
    born: str
    """YYYY-MM-DD."""
    street: str
    town: str
    zip: str
    phone: str
    cell: str
    ssn: str


@dataclass(frozen=True, slots=True)
class Visit:
    """What one visit writes."""

    person: int
    hospital: int
    mrn: str
    is_insured_known: bool
    facts: Mapping[str, str]


def medicaid_of(person: int) -> str:
    """Give the number by which panels and hospitals name the person."""
    return str(900_000_000 + person)


@lru_cache(maxsize=1 << 14)
def townsman(person: int) -> Townsman:
    """Give the person of this number: always the same."""
    household = person // A_HOUSEHOLD
    home = Dice(f"household/{household}")
    is_in_shelter = home.happens(IN_A_SHELTER)
    last = _names().drawing_from(home).last()
    dice = Dice(f"person/{person}")
    names = _names().drawing_from(dice)
    sex = dice.choice("FM")
    if is_in_shelter or dice.happens(OWN_LAST_NAME):
        last = names.last()
    place = Dice(f"shelter/{household % HOUSEHOLDS_A_SHELTER}") if is_in_shelter else home
    street, town, zip_code, phone = (
        _street(place),
        place.choice(name_words()["towns"]),
        f"{place.whole(3900, 3899 + ZIPS):05d}",
        _phone(place),
    )
    born = BORN_UNTIL - timedelta(days=dice.whole(0, BORN_OVER_DAYS))
    return Townsman(
        first=names.first(sex),
        middle=names.first(sex),
        last=last,
        sex=sex,
        born=born.isoformat(),
        street=street,
        town=town,
        zip=zip_code,
        phone=phone,
        cell=_phone(dice) if dice.happens(OWN_PHONE) else phone,
        ssn=f"{dice.whole(1, 665):03d}{dice.whole(1, 99):02d}{dice.whole(1, 9999):04d}",
    )


def visit_of(person: int, occasion: str) -> Visit:
    """Give what is written of the person on an occasion; all its messages write the same."""
    whose, dice = townsman(person), Dice(f"visit/{occasion}")
    facts: dict[str, Any] = {
        "first_name": whose.first,
        "middle_name": whose.middle,
        "last_name": whose.last,
        "birth_date": whose.born,
        "sex": whose.sex,
        "address": whose.street,
        "city": whose.town,
        "zip": whose.zip,
        "phone": whose.phone,
        "phone2": whose.cell,
        "ssn": whose.ssn if dice.happens(SSN_GIVEN) else "",
        "ssn4": "",
    }
    if dice.happens(MOVED):
        facts |= {"address": _street(dice), "zip": f"{dice.whole(3900, 3899 + ZIPS):05d}"}
    if dice.happens(NEW_PHONE):
        facts["phone2"] = _phone(dice)
    if dice.happens(ERRORS):
        miswrite(facts, dice)
    hospital = (person + dice.whole(1, HOSPITALS - 1) * dice.happens(ELSEWHERE)) % HOSPITALS
    mrn = f"MRN{person:08d}{'D' if dice.happens(SAME_HOSPITAL_TWICE) else ''}"
    return Visit(person, hospital, mrn, not dice.happens(NO_NUMBER), facts)


@cache
def _names() -> Names:
    return Names(weights(), Dice("nobody"))


def _street(dice: Dice) -> str:
    words = name_words()
    return (
        f"{dice.whole(1, 1999)} {dice.choice(words['streets'])} {dice.choice(words['street_heads'])} {dice.choice(words['street_kinds'])}"
    )


def _phone(dice: Dice) -> str:
    return f"{dice.whole(201, 989)}555{dice.whole(0, 9999):04d}"

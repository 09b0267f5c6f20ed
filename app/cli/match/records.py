"""What sources write about synthetic people: formats, moves, nicknames, name changes, and errors in a share of the records.

Three kinds of difference, as in real feeds: what is true of a person at another time (a move, a marriage), what is written in another
way (Street and St, Bill and William), and what is wrong (typos, exchanged day and month, stand-ins). Only the last is an error.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.cli.demo.dice import Dice
from app.cli.match.population import TODAY, Population, Synthetic
from app.domain.adt_event import Identifier

NEWBORN_DAYS: Final = 30
HOSPITALS: Final = ("ALPHA", "BETA", "GAMMA", "DELTA", "EPSILON", "ZETA")
MOVED: Final = 0.12
NEW_PHONE: Final = 0.2
BEFORE_MARRIAGE: Final = 0.04
"""Of the records of those who took another's name: the United States have about six marriages a year for 1,000 people, and a record may
lag behind for some years."""
BY_NICKNAME: Final = 0.06
MIDDLE_WHOLE: Final = 0.3
MIDDLE_GIVEN: Final = 0.6
"""Whole, or its initial."""
SAME_HOSPITAL_TWICE: Final = 0.005
TWO_ERRORS: Final = 0.2
"""Of the records with an error."""
LOOKS_LIKE: Final = {
    "O": "0",
    "0": "O",
    "I": "1",
    "1": "7",
    "7": "1",
    "S": "5",
    "B": "8",
    "8": "3",
    "5": "6",
    "6": "5",
    "M": "RN",
    "E": "F",
}
"""What reading by machine and hasty keying make of a letter or digit."""
HOSPITALS_OWN_PHONE: Final = "2075550100"
"""Written for want of another: hundreds then have it."""
NEIGHBOUR_KEYS: Final = {"A": "S", "S": "D", "D": "F", "E": "R", "R": "T", "T": "Y", "I": "O", "O": "P", "N": "M", "L": "K", "C": "V"}


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One record of one source, and whose it is."""

    person: int
    facts: Mapping[str, Any]
    identifiers: tuple[Identifier, ...]
    has_error: bool = False


class Sources:
    """Writes records of people: two to four each."""

    def __init__(self, population: Population, dice: Dice, nicknames: Mapping[str, frozenset[str]], *, errors: float) -> None:
        self._population, self._dice, self._errors = population, dice, errors
        self._short: dict[str, list[str]] = {}
        for short, formal in sorted(nicknames.items()):
            for name in sorted(formal):
                if name != short:
                    self._short.setdefault(name, []).append(short)
        self._serial = 0

    def records(self) -> Iterator[SourceRecord]:
        """Give the records, person by person."""
        for person in self._population.people():
            hospitals: list[str] = []
            for number in range(self._dice.choice((2, 2, 3, 3, 4))):
                # The first is the roster of a home, the rest are hospitals.
                hospital = "" if number == 0 else self._hospital(hospitals)
                yield self._record(person, hospital)

    def _hospital(self, had: list[str]) -> str:
        fresh = [name for name in HOSPITALS if name not in had]
        chosen = had[-1] if had and self._dice.happens(SAME_HOSPITAL_TWICE) else self._dice.choice(fresh)
        had.append(chosen)
        return chosen

    def _record(self, person: Synthetic, hospital: str) -> SourceRecord:
        facts = self._true_facts(person)
        self._write_otherwise(person, facts, is_hospital=bool(hospital))
        has_error = self._dice.happens(self._errors)
        if has_error:
            for _ in range(2 if self._dice.happens(TWO_ERRORS) else 1):
                self._dice.choice(_ERRORS)(facts, self._dice)
        self._serial += 1
        own = Identifier(hospital or "ROSTER", "MR" if hospital else "MB", f"S{self._serial:08d}")
        return SourceRecord(person.number, {name: value for name, value in facts.items() if value}, (own,), has_error)

    def _true_facts(self, person: Synthetic) -> dict[str, Any]:
        dice = self._dice
        facts = {
            "first_name": person.first,
            "middle_name": person.middle,
            "last_name": person.last,
            "birth_date": person.born_on.isoformat(),
            "sex": person.sex,
            "address": person.street,
            "city": person.town,
            "zip": person.zip,
            "phone": person.phone,
            "ssn4": person.ssn[5:],
            "suffix": person.suffix,
        }
        if person.maiden and dice.happens(BEFORE_MARRIAGE):
            facts["last_name"] = person.maiden
        if dice.happens(MOVED):
            facts |= {"address": self._population.street(), "zip": self._population.zip()}
        if dice.happens(NEW_PHONE):
            facts["phone"] = self._population.phone()
        return facts

    def _write_otherwise(self, person: Synthetic, facts: dict[str, Any], *, is_hospital: bool) -> None:
        dice = self._dice
        shorts = self._short.get(person.first.upper(), ())
        if shorts and dice.happens(BY_NICKNAME):
            facts["first_name"] = dice.choice(shorts)
        if is_hospital and person.born_on >= TODAY.replace(month=TODAY.month - 1) and dice.happens(0.5):
            facts["first_name"] = "BABYBOY" if person.sex == "M" else "Baby Girl"
            if person.birth_order:
                facts["first_name"] = f"{facts['first_name']} {'AB'[int(person.birth_order) - 1]}"
        if is_hospital:
            facts |= {name: str(facts[name]).upper() for name in ("first_name", "middle_name", "last_name", "address")}
            facts["address"] = facts["address"].replace(" STREET", " ST").replace(" AVENUE", " AVE").replace(" ROAD", " RD")
        else:
            facts["phone"] = f"({facts['phone'][:3]}) {facts['phone'][3:6]}-{facts['phone'][6:]}"
        if "-" in facts["last_name"] and dice.happens(0.25):
            facts["last_name"] = dice.choice(facts["last_name"].split("-"))
        drawn = dice.fraction()
        if drawn >= MIDDLE_WHOLE:
            facts["middle_name"] = facts["middle_name"][:1] if drawn < MIDDLE_GIVEN else ""
        for name, given in _GIVEN[is_hospital].items():
            if not dice.happens(given):
                facts[name] = ""


_GIVEN: Final = {
    True: {"address": 0.95, "zip": 0.96, "phone": 0.85, "ssn4": 0.45, "suffix": 0.6, "sex": 0.995},
    False: {"address": 0.9, "zip": 0.93, "phone": 0.75, "ssn4": 0.7, "suffix": 0.6, "sex": 0.99},
}
"""How often a hospital (True) and a roster (False) give what they know."""


def _keyed_wrong(text: str, dice: Dice) -> str:
    """Make one slip in a text of letters or digits."""
    if len(text) < 2:  # noqa: PLR2004 -- nothing to slip on
        return text
    at, kind = dice.whole(0, len(text) - 2), dice.whole(0, 4)
    letter = text[at]
    if kind == 0:
        return text[:at] + text[at + 1] + letter + text[at + 2 :]
    if kind == 1 and not text.isdigit():
        return text[:at] + text[at + 1 :]
    if kind == 2 and not text.isdigit():  # noqa: PLR2004 -- a doubled letter
        return text[:at] + letter + text[at:]
    if letter.isdigit():
        return text[:at] + str((int(letter) + dice.whole(1, 9)) % 10) + text[at + 1 :]
    look = LOOKS_LIKE if kind == 3 else NEIGHBOUR_KEYS  # noqa: PLR2004 -- read or keyed
    return text[:at] + look.get(letter.upper(), dice.choice("AEIORSTLN")) + text[at + 1 :]


Fault = Callable[[dict[str, Any], Dice], None]


def _slip(name: str) -> Fault:
    def fault(facts: dict[str, Any], dice: Dice) -> None:
        facts[name] = _keyed_wrong(str(facts[name]), dice)

    return fault


def _set(name: str, *values: str) -> Fault:
    def fault(facts: dict[str, Any], dice: Dice) -> None:
        facts[name] = dice.choice(values)

    return fault


def _birth_slip(facts: dict[str, Any], dice: Dice) -> None:
    year, month, day = facts["birth_date"].split("-")
    drawn = dice.whole(0, 3)
    if drawn == 0:
        year = _keyed_wrong(year, dice)
    elif drawn == 1:
        month = f"{dice.whole(1, 12):02d}"
    elif drawn == 2:  # noqa: PLR2004 -- the day
        day = f"{dice.whole(1, 28):02d}"
    else:
        year = str(int(year) + dice.choice((-1, 1, 10, -10)))
    facts["birth_date"] = f"{year}-{month}-{day}"


def _turn_birth_date(facts: dict[str, Any], dice: Dice) -> None:
    year, month, day = facts["birth_date"].split("-")
    if day <= "12":
        facts["birth_date"] = f"{year}-{day}-{month}"
    else:
        _birth_slip(facts, dice)


def _exchange_names(facts: dict[str, Any], _dice: Dice) -> None:
    facts["first_name"], facts["last_name"] = facts["last_name"], facts["first_name"]


def _cut_name(facts: dict[str, Any], dice: Dice) -> None:
    facts["last_name"] = facts["last_name"][: dice.whole(4, 8)]


def _middle_as_first(facts: dict[str, Any], _dice: Dice) -> None:
    if len(facts["middle_name"]) > 1:
        facts["first_name"], facts["middle_name"] = facts["middle_name"], facts["first_name"]


def _turn_sex(facts: dict[str, Any], _dice: Dice) -> None:
    facts["sex"] = {"M": "F", "F": "M"}.get(facts["sex"], "U")


_ERRORS: Final[tuple[Fault, ...]] = (
    *(_slip(name) for name in ("first_name", "first_name", "last_name", "last_name", "phone", "zip", "address", "ssn4")),
    _birth_slip,
    _birth_slip,
    _turn_birth_date,
    _exchange_names,
    _cut_name,
    _middle_as_first,
    _turn_sex,
    _set("birth_date", "1900-01-01", "1901-01-01"),
    _set("ssn4", "9999", "0000"),
    _set("phone", "9999999999", "0000000000", HOSPITALS_OWN_PHONE),
    _set("first_name", "UNKNOWN", ""),
    _set("address", "UNKNOWN", "HOMELESS"),
)
"""Each as likely as another."""


def miswrite(facts: dict[str, Any], dice: Dice) -> None:
    """Make one error, as a source with an error makes."""
    dice.choice(_ERRORS)(facts, dice)

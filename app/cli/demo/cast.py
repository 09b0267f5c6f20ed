"""Who takes part in the demo: hospitals, homes, a plan, and people who are nobody. Every name is synthetic and looks so.

Telephone numbers are of the range that is kept for fiction (555-01XX). Not here: what happens to them (story.py).
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from app.cli.demo.dice import Dice

TIME_ZONE: Final = "America/New_York"
AUTHORITY: Final = "DEMOCAID"
"""The assigning authority of the Medicaid numbers."""
_FIRST_DAY: Final = date(2026, 1, 1)
_FIRST: Final = {
    "F": ("Ada", "Bea", "Cleo", "Dora", "Edith", "Flora", "Greta", "Hanna", "Iris", "Juno"),
    "M": ("Abel", "Basil", "Caleb", "Dan", "Elias", "Felix", "Gus", "Hugo", "Ivan", "Jonas"),
}
_LAST: Final = (
    "Samplealder", "Samplebirch", "Samplecedar", "Sampledogwood", "Sampleelm", "Samplefir", "Samplehazel", "Sampleivy", "Samplejuniper",
    "Samplelarch", "Samplemaple", "Sampleoak", "Samplepine", "Samplerowan", "Samplespruce", "Sampleteak", "Samplewillow", "Sampleyew",
)  # fmt: skip
_TOWNS: Final = (("Exampleport", "04999"), ("Samplefield", "04998"), ("Testerville", "04997"))


@dataclass(frozen=True, slots=True)
class Hospital:
    """One ADT source."""

    key: str
    name: str
    application: str
    facility: str
    door: str
    """`mllp` or `http`."""
    units: Sequence[str]
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipient:
    """One organization that is told."""

    key: str
    name: str
    kind: str
    program: str
    coordinator: str = ""
    calls_when_warned: bool = False
    """It calls only whom a clock warns of, or is over for: so that whoever watches sees clocks do so."""


HOSPITALS: Final = (
    Hospital("harbor", "Harbor General (demo)", "DEMO_EHR", "HARBOR", "mllp", ("ED", "MED", "PSY"),
             {"part2_status": "not_program", "facility_type": "acute", "call_back_number": "207-555-0190"}),
    Hospital("pinewood", "Pinewood Psychiatric (demo)", "DEMO_EHR", "PINEWOOD", "http", ("ADULT", "YOUTH"),
             {"part2_status": "not_program", "facility_type": "psychiatric", "call_back_number": "207-555-0191"}),
    Hospital("riverside", "Riverside Detox (demo)", "DEMO_EHR", "RIVERSIDE", "mllp", ("",),
             {"part2_status": "program", "facility_type": "residential"}),
)  # fmt: skip
RECIPIENTS: Final = (
    Recipient("coastal", "Coastal Health Home (demo)", "health_home", "HH", "C. Sample", calls_when_warned=True),
    Recipient("northern", "Northern Behavioral Health Home (demo)", "behavioral_health_home", "BHH", "N. Sample"),
    Recipient("tidewater", "Tidewater Behavioral Health Home (demo)", "behavioral_health_home", "BHH", "T. Sample"),
    Recipient("plan", "Example Health Plan (demo)", "plan", "BHH"),
)


PSYCHIATRIC_UNIT: Final = ("harbor", "PSY", "207-555-0192")
"""A unit that is reached another way than its house."""
CLAIMED_TWICE: Final = ("northern", "tidewater")
"""Two homes of one kind that claim the same people here and there: one leads, the operator is asked."""
_TWICE_EVERY: Final = 12
_RELATIONS: Final = (("MTH", "Mother"), ("SPO", "Spouse"), ("GRD", "Guardian"), ("FND", "Friend"))


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who does not exist."""

    number: int
    first_name: str
    last_name: str
    sex: str
    born_on: date
    town: str
    zip: str
    homes: tuple[str, ...]
    """Keys of the homes that claim the person; nobody is a person without one."""
    in_plan: bool

    @property
    def medicaid_id(self) -> str:
        """The number that homes, plan and hospitals know."""
        return f"DEMO{self.number:05d}"

    @property
    def phone(self) -> str:
        """A number that rings nowhere."""
        return f"207-555-01{self.number % 100:02d}"

    @property
    def relation(self) -> tuple[str, str]:
        """Who may be called for the person: a code of HL7 table 0063, and its word."""
        return _RELATIONS[self.number % len(_RELATIONS)]

    @property
    def other_phone(self) -> str:
        """The number of whoever may be called; it rings nowhere either."""
        return f"207-555-01{(self.number + 50) % 100:02d}"

    def mrn(self, hospital: Hospital) -> str:
        """Give the record number at a hospital."""
        return f"{hospital.facility[:2]}{self.number:05d}"


def people(count: int, dice: Dice) -> list[Person]:
    """Draw people; the same dice give the same people."""
    found = []
    for number in range(1, count + 1):
        sex = dice.choice(("F", "M"))
        town, zip_ = dice.choice(_TOWNS)
        found.append(
            Person(
                number=number,
                first_name=dice.choice(_FIRST[sex]),
                last_name=dice.choice(_LAST),
                sex=sex,
                born_on=date(1940, 1, 1) + timedelta(days=dice.whole(0, 24_000)),
                town=town,
                zip=zip_,
                homes=CLAIMED_TWICE if number % _TWICE_EVERY == 0 else _homes(dice),
                in_plan=dice.happens(0.9),
            )
        )
    return found


def _homes(dice: Dice) -> tuple[str, ...]:
    drawn = dice.fraction()
    for limit, homes in ((0.4, ("northern",)), (0.7, ("tidewater",)), (0.8, ("coastal",)), (0.92, ("coastal", "northern"))):
        if drawn < limit:
            return homes
    return ()


def roster(recipient: Recipient, everybody: Sequence[Person]) -> bytes:
    """Write a recipient's roster as the CSV that it would upload."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        [
            "member_id",
            "member_id_system",
            "medicaid_id",
            "first_name",
            "last_name",
            "birth_date",
            "sex",
            "phone",
            "city",
            "state",
            "zip",
            "program",
            "effective_from",
            "coordinator",
        ]
    )
    for person in everybody:
        if recipient.key in person.homes or (recipient.kind == "plan" and person.in_plan):
            writer.writerow(
                [person.medicaid_id, AUTHORITY, person.medicaid_id, person.first_name, person.last_name, person.born_on.isoformat(),
                 person.sex, person.phone, person.town,
                 "ME", person.zip, recipient.program, _FIRST_DAY.isoformat(), recipient.coordinator]
            )  # fmt: skip
    return buffer.getvalue().encode()

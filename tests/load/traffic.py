"""Synthetic ADT traffic of a realistic shape: stays of A01, two A08 and A03 in messages of about 2.3 KB, a fifth of them emergency visits.

Deterministic, everybody in it is made up. `message.template` is what one looks like; who the people are, and what a visit writes of them,
is in `townsfolk`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from tests.load.townsfolk import Visit, medicaid_of, visit_of

CODES = ("F32.2", "F33.1", "F20.9", "F31.9", "I10", "J18.9", "E11.9", "S72.001A", "K35.80", "N39.0")
DISPOSITIONS = ("01", "01", "06", "03", "65")
MESSAGES_PER_STAY = 4
TEMPLATE = (Path(__file__).parent / "message.template").read_text().replace("\n", "\r")


@dataclass(frozen=True, slots=True)
class Mix:
    """What the traffic is made of."""

    people: int
    stays: int
    until: datetime
    """The last discharge."""
    panel_percent: int = 30
    emergency_percent: int = 20
    spread: timedelta = timedelta(days=10)
    """Between the first and the last admission."""
    serial: int = 0
    """Tells two runs of traffic apart: other stays and control ids, the same people."""

    def is_emergency(self, stay: int) -> bool:
        """Tell whether this stay is a visit to the emergency department."""
        return stay * 7919 % 100 < self.emergency_percent


def on_panel(person: int, mix: Mix) -> bool:
    """Tell whether a home and the plan claim this person."""
    return person % 100 < mix.panel_percent


@lru_cache(maxsize=1 << 15)
def visit(mix: Mix, stay: int) -> Visit:
    """Give whose stay it is, where, and what is written of them then."""
    return visit_of(stay * 104_729 % mix.people, f"{mix.serial}/{stay}")


def events(mix: Mix) -> list[tuple[datetime, int, int, datetime]]:
    """Give (when, stay, position in the stay, admitted) of all stays in the order in which they happen: stays interleaved."""
    found = []
    for stay in range(mix.stays):
        began_at = mix.until - timedelta(days=4) - mix.spread * (mix.stays - stay) / max(1, mix.stays)
        hours = (0, 1, 3, 6) if mix.is_emergency(stay) else (0, 4, 40, 72 + stay % 20)
        found += [(began_at + timedelta(hours=hour), stay, position, began_at) for position, hour in enumerate(hours)]
    return sorted(found)


def messages(mix: Mix) -> Iterator[bytes]:
    """Write the messages of all stays: what a feed sends."""
    for at, stay, position, began_at in events(mix):
        yield message(mix, stay, position, at, began_at)


def trigger_of(mix: Mix, stay: int, position: int) -> str:
    """Give the event of a message of a stay."""
    return ("A04" if mix.is_emergency(stay) else "A01", "A08", "A08", "A03")[position]


def message(mix: Mix, stay: int, position: int, at: datetime, began_at: datetime) -> bytes:
    """Write one message of a stay."""
    whose = visit(mix, stay)
    facts = whose.facts
    is_emergency = mix.is_emergency(stay)
    is_end = position == MESSAGES_PER_STAY - 1
    stamp = stamp_of(at)
    return TEMPLATE.format(
        facility=f"HOSP{whose.hospital}",
        stamp=stamp,
        trigger=trigger_of(mix, stay, position),
        structure="ADT_A03" if is_end else "ADT_A01",
        control=f"{mix.serial}{stay:08d}{position}",
        mrn=whose.mrn,
        medicaid=f"~{medicaid_of(whose.person)}^^^MAINECARE^MA" if whose.is_insured_known else "",
        ssn=f"~{facts['ssn']}^^^SSA^SS" if facts["ssn"] else "",
        last=facts["last_name"],
        first=facts["first_name"],
        initial=facts["middle_name"][:1],
        born=facts["birth_date"].replace("-", ""),
        sex=facts["sex"],
        street=facts["address"],
        town=facts["city"],
        zip=facts["zip"],
        phone=_telephone(facts["phone"]),
        cell=_telephone(facts["phone2"]),
        person=whose.person,
        insured=medicaid_of(whose.person) if whose.is_insured_known else "",
        visit=f"{mix.serial}{stay:08d}",
        patient_class="E" if is_emergency else "I",
        unit="ED" if is_emergency else ("PSY", "MED", "SURG")[stay % 3],
        room=100 + stay % 80,
        doctor=f"1234567{stay % 900 + 100}^Oak^Olive^M^^^MD^^NPI^L^^^NPI",
        service=("MED", "PSY", "SUR")[stay % 3],
        disposition=DISPOSITIONS[stay % len(DISPOSITIONS)] if is_end else "",
        discharged_to="HOME" if is_end else "",
        admitted=stamp_of(began_at),
        discharged=stamp if is_end else "",
        code=CODES[stay % len(CODES)],
        use="AWWF"[position],
        team=stay % 12,
    ).encode()


def _telephone(number: str) -> str:
    """Write area code and number as XTN-6 and XTN-7 do."""
    return f"{number[:3]}^{number[3:]}"


def stamp_of(at: datetime) -> str:
    """Write an instant as HL7 v2 does."""
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")

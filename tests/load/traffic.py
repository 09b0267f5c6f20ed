"""Synthetic ADT traffic of a realistic shape: stays of A01, two A08 and A03 in messages of about 2.3 KB, a fifth of them emergency visits.

Deterministic, everybody in it is made up. `message.template` is what one looks like.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

FIRST = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hope", "Ivy", "Jack", "Kim", "Lou", "Mae", "Ned", "Oda", "Pia")
LAST = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gum", "Hazel", "Ivywood", "Juniper", "Larch", "Maple", "Oak", "Pine")
CODES = ("F32.2", "F33.1", "F20.9", "F31.9", "I10", "J18.9", "E11.9", "S72.001A", "K35.80", "N39.0")
DISPOSITIONS = ("01", "01", "06", "03", "65")
HOSPITALS = 3
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


def name_of(person: int) -> tuple[str, str]:
    """Give (first, last)."""
    return FIRST[person % len(FIRST)], LAST[person // len(FIRST) % len(LAST)] + _letters(person)


def birth_date_of(person: int) -> str:
    """Give YYYYMMDD."""
    return f"{1940 + person % 70}{1 + person % 12:02d}{1 + person % 28:02d}"


def medicaid_of(person: int) -> str:
    """Give the number by which panels and hospitals name the person."""
    return str(900_000_000 + person)


def _letters(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 26)
        text += chr(ord("a") + digit)
    return text


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
    person = stay * 104_729 % mix.people
    first, last = name_of(person)
    is_emergency = mix.is_emergency(stay)
    is_end = position == MESSAGES_PER_STAY - 1
    stamp = stamp_of(at)
    return TEMPLATE.format(
        facility=f"HOSP{person % HOSPITALS}",
        stamp=stamp,
        trigger=trigger_of(mix, stay, position),
        structure="ADT_A03" if is_end else "ADT_A01",
        control=f"{mix.serial}{stay:08d}{position}",
        person=person,
        medicaid=medicaid_of(person),
        ssn=f"00-{person % 10_000:04d}",
        last=last,
        first=first,
        initial=chr(65 + person % 26),
        born=birth_date_of(person),
        sex="FM"[person % 2],
        number=1 + person % 999,
        phone=f"{person % 10_000:04d}",
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


def stamp_of(at: datetime) -> str:
    """Write an instant as HL7 v2 does."""
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")

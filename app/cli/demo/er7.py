"""Writes the demo's messages, segment by segment. Not here: which message is sent when (story.py)."""

from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from app.cli.demo.cast import AUTHORITY, TIME_ZONE, Hospital, Person

_ZONE = ZoneInfo(TIME_ZONE)
_SUMMARY = "18842-5^Discharge summary^LN"


@dataclass(slots=True)
class Stay:
    """One stay as its hospital knows it; the story changes it as it goes."""

    person: Person
    hospital: Hospital
    visit: str
    patient_class: str
    unit: str
    admitted_at: datetime
    diagnoses: tuple[str, ...]
    """ICD-10-CM, the principal one first."""
    discharged_at: datetime | None = None
    disposition: str = ""
    mrn: str = ""
    knows_medicaid: bool = True
    is_final: bool = False
    """The diagnoses are those of the discharge (DG1-6 F), not of the admission (A)."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a message differs from what its stay says."""

    processing: str = "P"
    merged: str = ""
    """MRG-1: the record number that ends."""
    last_name: str = ""
    first_name: str = ""
    facility: str = ""
    without_numbers: bool = False
    extra: tuple[str, ...] = field(default_factory=tuple)


def stamp(at: datetime | None) -> str:
    """Write an instant as the hospital's clock shows it, with its offset."""
    return at.astimezone(_ZONE).strftime("%Y%m%d%H%M%S%z") if at is not None else ""


def message(stay: Stay, trigger: str, control_id: str, at: datetime, sent_at: datetime, spelling: Spelling | None = None) -> bytes:
    """Write one message about a stay. `at` is when it happened, `sent_at` when the hospital sends it."""
    spelling = spelling or Spelling()
    facility = spelling.facility or stay.hospital.facility
    segments = [
        f"MSH|^~\\&|{stay.hospital.application}|{facility}|HANDOFF|DEMO|{stamp(sent_at)}||ADT^{trigger}|{control_id}|{spelling.processing}|2.5.1",
        f"EVN|{trigger}|{stamp(sent_at)}||||{stamp(at)}",
        _pid(stay, facility, spelling),
    ]
    if spelling.merged:
        segments.append(f"MRG|{spelling.merged}^^^{facility}^MR")
    else:
        segments += [_nk1(stay.person), _pv1(stay, facility)]
        kind = "F" if stay.is_final else "A"
        segments += [f"DG1|{place}||{code}^^I10|||{kind}|||||||||{place}" for place, code in enumerate(stay.diagnoses, 1)]
    return ("\r".join([*segments, *spelling.extra]) + "\r").encode()


def summary(stay: Stay, control_id: str, at: datetime) -> bytes:
    """Write the discharge summary of a stay, as a document in plain text."""
    facility = stay.hospital.facility
    text = f"Discharge summary of a person who does not exist.\\.br\\Diagnoses: {', '.join(stay.diagnoses)}. Please call within two days."
    segments = [
        f"MSH|^~\\&|{stay.hospital.application}|{facility}|HANDOFF|DEMO|{stamp(at)}||MDM^T02^MDM_T02|{control_id}|P|2.5.1",
        f"EVN|T02|{stamp(at)}",
        _pid(stay, facility, Spelling()),
        _pv1(stay, facility),
        _segment("TXA", {1: "1", 2: _SUMMARY, 3: "TX", 4: stamp(at), 12: f"DOC{control_id}^{facility}", 17: "AU", 19: "AV"}),
        _segment("OBX", {1: "1", 2: "TX", 3: _SUMMARY, 5: text, 11: "F"}),
    ]
    return ("\r".join(segments) + "\r").encode()


def _nk1(person: Person) -> str:
    code, word = person.relation
    return _segment("NK1", {
        1: "1", 2: f"{person.last_name}^Nobody", 3: f"{code}^{word}^HL70063", 5: f"^PRN^CP^^^207^{person.other_phone[4:].replace('-', '')}",
        7: "C^Emergency contact^HL70131",
    })  # fmt: skip


def _pid(stay: Stay, facility: str, spelling: Spelling) -> str:
    person = stay.person
    numbers = [f"{stay.mrn or person.mrn(stay.hospital)}^^^{facility}^MR"]
    if stay.knows_medicaid:
        numbers.append(f"{person.medicaid_id}^^^{AUTHORITY}^MA")
    fields = {
        1: "1",
        3: "" if spelling.without_numbers else "~".join(numbers),
        5: f"{spelling.last_name or person.last_name}^{spelling.first_name or person.first_name}",
        7: f"{person.born_on:%Y%m%d}",
        8: person.sex,
        11: f"1 Example Street^^{person.town}^ME^{person.zip}^^H",
        13: f"^PRN^PH^^^207^{person.phone[4:].replace('-', '')}",
    }
    return _segment("PID", fields)


def _pv1(stay: Stay, facility: str) -> str:
    fields = {
        1: "1",
        2: stay.patient_class,
        3: f"{stay.unit}^101^1^{facility}",
        7: "1234567893^Sampledoctor^Sam",
        19: f"{stay.visit}^^^{facility}^VN",
        36: stay.disposition if stay.discharged_at is not None else "",
        44: stamp(stay.admitted_at),
        45: stamp(stay.discharged_at),
    }
    return _segment("PV1", fields)


def _segment(name: str, fields: dict[int, str]) -> str:
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])

"""The golden stays of tests/messages/hl7v2: what each message must read as, and that nothing in them is left out by accident."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from adapters.hl7v2.ack import Er7AckWriter
from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.adt_event import (
    AdtEvent,
    DiagnosisAction,
    DiagnosisFact,
    DiagnosisUse,
    EncounterClass,
    Identifier,
    Practitioner,
    ProcessingId,
)
from app.domain.inbound import AckCode
from app.domain.known import ERASED
from tests.adapters.hl7v2.support import FEED, cut

FOLDER = Path(__file__).parents[2] / "messages" / "hl7v2"
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*.hl7"))
READER = Hl7v2Reader()


def body(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def event(name: str) -> AdtEvent:
    found = READER.read(body(name), FEED)
    assert isinstance(found, AdtEvent), found
    return found


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # the parts of a time, not its zone


@pytest.mark.parametrize("name", FILES)
def test_each_is_taken_without_a_doubt_and_lost_nothing(name: str) -> None:
    raw = body(name)
    header = READER.header(raw)
    assert header.readable
    assert cut(raw).encode() == raw
    assert list(READER.problems(raw, header, FEED)) == []
    if READER.is_supported(header.trigger):
        assert READER.notes(raw, FEED) == ()
        assert event(name).trigger == header.trigger == name[-7:-4].upper()
        assert all(one.value.startswith("ZZ") for one in event(name).identifiers)


def test_the_table_in_the_readme_names_every_story() -> None:
    readme = (FOLDER / "README.md").read_text()
    for story in {name.split("/")[0] for name in FILES}:
        assert f"| {story} |" in readme


# name, when it happened (UTC), class, unit, disposition, admitted, discharged, diagnoses (code, use, rank)
STAYS = [
    (
        "emergency_to_inpatient/01_a04.hl7",
        utc(2026, 1, 5, 13, 10),
        "emergency",
        "ZZED",
        None,
        utc(2026, 1, 5, 13, 5),
        None,
        [("R07.9", "A", None)],
    ),
    ("emergency_to_inpatient/02_a06.hl7", utc(2026, 1, 5, 18, 5), "inpatient", "ZZ4WEST", None, utc(2026, 1, 5, 18), None, []),
    (
        "emergency_to_inpatient/03_a03.hl7",
        utc(2026, 1, 8, 20, 45),
        "inpatient",
        "ZZ4WEST",
        "01",
        utc(2026, 1, 5, 18),
        utc(2026, 1, 8, 20, 45),
        [("I20.9", "F", 1), ("F17.210", "F", 2)],
    ),
    (
        "psychiatric_stay/02_a03.hl7",
        utc(2026, 2, 9, 16, 15),
        "inpatient",
        "ZZPSYCH",
        "01",
        utc(2026, 2, 1, 15),
        utc(2026, 2, 9, 16, 15),
        [("F33.2", "F", 1), ("R45.851", "F", 2)],
    ),
    ("cancelled_discharge/03_a13.hl7", utc(2026, 3, 3, 21, 5), "inpatient", "ZZ4WEST", ERASED, utc(2026, 3, 1, 13, 50), ERASED, []),
    # Summer time begins on 2026-03-08: the same wall clock is an hour earlier in UTC.
    ("cancelled_admission/02_a11.hl7", utc(2026, 3, 10, 13, 25), "inpatient", "ZZ4WEST", None, utc(2026, 3, 10, 12, 50), None, []),
    ("transfer_and_cancel/02_a02.hl7", utc(2026, 3, 12, 13, 55), "inpatient", "ZZPSYCH", None, utc(2026, 3, 11, 12, 50), None, []),
    (
        "self_harm_in_emergency/02_a03.hl7",
        utc(2026, 4, 16, 8, 5),
        "emergency",
        "ZZED",
        "01",
        utc(2026, 4, 16, 2, 55),
        utc(2026, 4, 16, 8),
        [("T39.1X2A", "F", 1)],
    ),
    (
        "death_in_hospital/02_a03.hl7",
        utc(2026, 5, 3, 7, 55),
        "inpatient",
        "ZZ4WEST",
        "20",
        utc(2026, 5, 1, 12, 50),
        utc(2026, 5, 3, 7, 30),
        [],
    ),
    ("planned_admission/01_a05.hl7", utc(2026, 6, 1, 12, 55), "preadmit", "ZZ4WEST", None, utc(2026, 6, 10, 11), None, []),
    ("planned_admission/03_a07.hl7", utc(2026, 6, 11, 12, 55), "outpatient", "ZZ4WEST", None, utc(2026, 6, 10, 11), None, []),
]


@pytest.mark.parametrize(("name", "occurred", "kind", "unit", "disposition", "admitted", "discharged", "diagnoses"), STAYS)
def test_stays(
    name: str,
    occurred: datetime,
    kind: str,
    unit: str,
    disposition: object,
    admitted: datetime,
    discharged: object,
    diagnoses: list[tuple[str, str, int | None]],
) -> None:
    found = event(name)
    assert found.visit is not None
    assert found.occurred_at == occurred
    assert found.visit.encounter_class == EncounterClass(kind)
    assert found.visit.unit == unit
    assert found.visit.facility == "ZZGENERAL"
    assert (found.visit.disposition, found.visit.admitted_at, found.visit.discharged_at) == (disposition, admitted, discharged)
    assert found.visit.visit_number is not None
    assert found.visit.visit_number.authority == "ZZGENERAL"
    assert [(one.code, one.use, one.rank) for one in found.diagnoses] == diagnoses


def test_one_event_in_full() -> None:
    found = event("emergency_to_inpatient/03_a03.hl7")
    assert found.visit is not None
    assert (found.recorded_at, found.sent_at) == (utc(2026, 1, 8, 21, 5), utc(2026, 1, 8, 21, 10))
    assert (found.control_id, found.processing_id, found.sending_facility) == ("ZZEI3", ProcessingId.PRODUCTION, "ZZGENERAL")
    assert found.identifiers == (Identifier("ZZGENERAL", "MR", "ZZ1001"), Identifier("ZZMEDICAID", "MA", "ZZM1001"))
    person = found.person
    assert (person.last_name, person.first_name, person.middle_name) == ("ZZTEST", "ALPHA", None)
    assert (person.birth_date, person.sex, person.phone) == (date(1976, 4, 25), "F", "2075550100")
    assert (person.address, person.city, person.state, person.zip) == ("1 ZZTEST STREET", "ZZTOWN", "ME", "00000")
    assert (person.deceased, person.died_at, person.race, person.ethnicity, person.language) == (None, None, None, None, None)
    assert found.visit.attending == Practitioner("ZZD1", "ZZDOCTOR", "ADA", "ZZD1")
    assert (found.visit.room, found.visit.bed, found.visit.hospital_service, found.visit.admit_source) == ("412", "A", "MED", "7")
    assert len(found.content_hash) == 32


def test_a_late_diagnosis_carries_its_action() -> None:
    assert event("late_diagnosis/03_a08.hl7").diagnoses == (
        DiagnosisFact("F20.9", "I10", "Schizophrenia unspecified", DiagnosisUse.FINAL, 1, DiagnosisAction.ADD),
        DiagnosisFact("R41.82", "I10", "Altered mental status unspecified", DiagnosisUse.FINAL, 2, DiagnosisAction.ADD),
    )


def test_merges_name_what_is_retired() -> None:
    assert event("merge_records/02_a40.hl7").prior_identifiers == (Identifier("ZZGENERAL", "MR", "ZZ1099"),)
    older = event("merge_records/03_a34.hl7")
    # MRG-4 of a 2.3 sender has no authority of its own: the feed's.
    assert older.prior_identifiers == (Identifier("ZZGENERAL", "MR", "ZZ1098"), Identifier("ZZHOSP", "", "ZZ1097"))
    assert older.visit is None
    assert older.diagnoses == ()


def test_a_person_update_erases_what_it_says_it_erases() -> None:
    person = event("person_updates/02_a31.hl7").person
    assert (person.address, person.city, person.state, person.zip, person.phone) == (ERASED,) * 5
    assert person.last_name == "ZZTEST-NEW"
    assert event("person_updates/02_a31.hl7").visit is None


def test_death_is_read_with_its_time() -> None:
    person = event("death_in_hospital/02_a03.hl7").person
    assert (person.deceased, person.died_at) == (True, utc(2026, 5, 3, 7, 30))


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("ignored_kinds/")])
def test_other_kinds_are_taken_and_change_nothing(name: str) -> None:
    header = READER.header(body(name))
    assert not READER.is_supported(header.trigger)
    answer = Er7AckWriter().write(body(name), header, AckCode.AA, [], control_id="ZZACK1", at=utc(2026, 8, 3))
    assert f"||ACK^{header.trigger}^ACK|ZZACK1|P|2.5.1".encode() in answer
    assert answer.endswith(f"MSA|AA|{header.control_id}\r".encode())

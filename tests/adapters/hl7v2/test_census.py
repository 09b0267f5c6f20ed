"""A census as a table becomes the messages that the feed would have sent."""

from dataclasses import replace
from datetime import UTC, date, datetime

from adapters.hl7v2.census import census_messages
from adapters.hl7v2.reader import Hl7v2Reader
from app.domain.adt_event import AdtEvent, EncounterClass, Identifier
from app.domain.feed import FeedProfile
from tests.adapters.hl7v2.support import FEED

HEADER = (
    "patient_number,visit_number,class,admitted_at,discharged_at,disposition,last_name,first_name,birth_date,sex,medicaid_id,unit,diagnosis"
)
IN_HOUSE = "ZZ1,ZZV1,I,2026-03-02T10:00:00,,,Sample|Pipe,Ann^A,1980-01-02,F,ZZMC1,PSY,F32.2"
LEFT = "ZZ2,ZZV2,E,2026-03-02T10:00:00-06:00,2026-03-03T11:30:00-06:00,01,Sample,Ben,,M,,,F10.20"


def events(*rows: str) -> list[AdtEvent]:
    made, errors = census_messages("\n".join((HEADER, *rows)).encode(), FEED)
    assert errors == []
    found = [Hl7v2Reader().read(body, FEED) for body in made]
    assert all(isinstance(event, AdtEvent) for event in found), found
    return [event for event in found if isinstance(event, AdtEvent)]


def test_somebody_in_the_house_is_one_admission() -> None:
    (event,) = events(IN_HOUSE)
    assert (event.trigger, event.occurred_at) == ("A01", datetime(2026, 3, 2, 15, tzinfo=UTC))
    assert (event.person.last_name, event.person.first_name, event.person.birth_date) == ("Sample|Pipe", "Ann^A", date(1980, 1, 2))
    assert event.identifiers == (Identifier("ZZHOSP", "MR", "ZZ1"), Identifier("ZZHOSP", "MA", "ZZMC1"))
    assert event.visit is not None
    assert event.visit.visit_number == Identifier("ZZHOSP", "VN", "ZZV1")
    assert (event.visit.encounter_class, event.visit.unit) == (EncounterClass.INPATIENT, "PSY")
    assert [(one.code, one.use.value) for one in event.diagnoses] == [("F32.2", "A")]


def test_a_stay_that_ended_is_an_admission_and_a_discharge_at_its_own_offset() -> None:
    came, left = events(LEFT)
    assert (came.trigger, left.trigger) == ("A01", "A03")
    assert came.visit is not None
    assert left.visit is not None
    assert came.visit.discharged_at is None
    assert (left.visit.discharged_at, left.visit.disposition) == (datetime(2026, 3, 3, 17, 30, tzinfo=UTC), "01")


def test_the_same_row_is_the_same_message() -> None:
    once, again = (census_messages(f"{HEADER}\n{IN_HOUSE}".encode(), FEED)[0] for _ in range(2))
    assert once == again
    other = census_messages(f"{HEADER}\n{IN_HOUSE.replace('PSY', 'ICU')}".encode(), FEED)[0]
    assert Hl7v2Reader().header(once[0]).control_id != Hl7v2Reader().header(other[0]).control_id


def test_what_is_wrong_is_said_with_row_and_column() -> None:
    rows = (HEADER, ",ZZV1,I,2026-03-02,,,a,b,,,,,", "1,2,I,yesterday,,,a,b,,,,,", "1,2,I,2026-03-02,,,a,b,01/02/1980,F,,,", IN_HOUSE)
    made, errors = census_messages("\n".join(rows).encode(), FEED)
    assert [(error.row, error.column) for error in errors] == [(2, "patient_number"), (3, "admitted_at"), (4, "birth_date")]
    assert len(made) == 1
    assert {error.column for error in census_messages(b"visit_number\n1\n", FEED)[1]} >= {"patient_number", "class"}


def test_a_table_is_no_place_for_a_number_that_lives_elsewhere() -> None:
    elsewhere = replace(FEED, profile=FeedProfile(visit_number_places=("ZVN-1",)))
    made, errors = census_messages(f"{HEADER}\n{IN_HOUSE}".encode(), elsewhere)
    assert made == []
    assert "HL7" in errors[0].text

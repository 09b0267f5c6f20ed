"""What every reader of ADT promises (`app.ports.AdtReader`): pure, total, and of one mind in room 2 and room 3."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapters.fhir.reader import FhirReader
from adapters.hl7v2.reader import Hl7v2Reader
from app.api.strict_json import read_strict_json
from app.domain.adt_event import AdtEvent
from app.domain.feed import FACILITY_PLACES, FeedProfile
from app.domain.inbound import Format, Severity
from app.ports import AdtReader, Readers
from app.wiring import readers
from tests.adapters.fhir.test_twins import SENDER
from tests.support.bundles import bundle, written
from tests.support.messages import adt


@dataclass(frozen=True, slots=True)
class Case:
    """A reader and what writes messages for it."""

    format: Format
    make: Callable[[], AdtReader]
    write: Callable[..., bytes]
    ignored: bytes


def _fhir(*said: Any, **fields: Any) -> bytes:
    return written(bundle(*said, **fields))


AT = "20260310100000-0500"
CASES = [
    Case(Format.ER7, Hl7v2Reader, adt, adt("A60", AT, control="C1")),
    Case(
        Format.FHIR,
        lambda: FhirReader(read_strict_json),
        _fhir,
        _fhir(
            "A08", AT, control="C1", event=("http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event", "notification-pharmacy")
        ),
    ),
]
TRIGGERS = ("A01", "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A11", "A12", "A13")
NO_MESSAGES = (
    b"",
    b" ",
    b"\x00",
    b"\xff\xfe",
    b"MSH",
    b"MSH|",
    b"{",
    b"{}",
    b"null",
    b'{"resourceType": "Bundle"}',
    b"PID|1",
    bytes(range(256)),
)

pytestmark = pytest.mark.parametrize("case", CASES, ids=lambda case: case.format.value)


def test_the_wiring_has_it(case: Case) -> None:
    wired: Readers = readers()
    assert type(wired[case.format]) is type(case.make())
    assert set(wired) == set(Format)


def test_the_same_bytes_and_feed_give_the_same_result(case: Case) -> None:
    body = case.write("A03", AT, control="C1", disposition="01")
    one, other = case.make(), case.make()
    assert one.header(body) == other.header(body) == one.header(bytes(bytearray(body)))
    assert one.read(body, SENDER) == other.read(body, SENDER) == one.read(body, SENDER)


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_what_is_acceptable_can_be_read(case: Case, trigger: str) -> None:
    reader = case.make()
    patient_class = {"A04": "E", "A05": "P"}.get(trigger, "I")
    body = case.write(trigger, AT, control="C1", patient_class=patient_class)
    header = reader.header(body)
    assert header.readable
    assert (header.control_id, bool(header.lane_key)) == ("C1", True)
    assert reader.is_supported(header.trigger)
    assert [problem for problem in reader.problems(body, header, SENDER) if problem.severity is Severity.ERROR] == []
    event = reader.read(body, SENDER)
    assert isinstance(event, AdtEvent)
    assert event.trigger == trigger
    assert event.identifiers


def test_what_is_refused_cannot_be_read(case: Case) -> None:
    reader = case.make()
    body = case.write("A03", AT, control="C1", mrn="", medicaid=None)
    problems = reader.problems(body, reader.header(body), SENDER)
    assert any(problem.severity is Severity.ERROR for problem in problems)
    found = reader.read(body, SENDER)
    assert not isinstance(found, AdtEvent)
    assert all(problem.severity is Severity.ERROR for problem in found)


def test_an_event_that_changes_nothing_is_no_problem(case: Case) -> None:
    reader = case.make()
    header = reader.header(case.ignored)
    assert not reader.is_supported(header.trigger)
    assert not any(problem.severity is Severity.ERROR for problem in reader.problems(case.ignored, header, SENDER))


@pytest.mark.parametrize("body", NO_MESSAGES)
def test_nothing_is_raised_whatever_the_bytes_are(case: Case, body: bytes) -> None:
    reader = case.make()
    header = reader.header(body)
    assert any(problem.severity is Severity.ERROR for problem in reader.problems(body, header, SENDER))
    assert not isinstance(reader.read(body, SENDER), AdtEvent)


def test_what_cannot_be_read_names_no_facility(case: Case) -> None:
    aggregator = replace(SENDER, profile=FeedProfile(facility_places=FACILITY_PLACES))
    assert [case.make().facilities(body, aggregator) for body in NO_MESSAGES] == [{}] * len(NO_MESSAGES)


def test_a_feed_whose_zone_is_none_is_a_problem_and_no_accident(case: Case) -> None:
    reader = case.make()
    body = case.write("A03", AT, control="C1")
    assert not isinstance(reader.read(body, replace(SENDER, time_zone="Mars/Olympus")), AdtEvent)


def test_no_problem_repeats_a_value(case: Case) -> None:
    reader = case.make()
    body = case.write("A03", "20260310100000-0500", control="C1", mrn="", medicaid=None, name="Canary^Canary", visit="Canary")
    assert "Canary" not in repr(reader.problems(body, reader.header(body), SENDER))

"""Whatever is done to a good message, nothing raises, what `problems` passes `read` can read, and no problem repeats a value."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.fhir.reader import FhirReader
from app.api.strict_json import read_strict_json
from app.domain.adt_event import AdtEvent
from app.domain.inbound import Severity
from tests.adapters.fhir.test_structure import discharge
from tests.adapters.fhir.test_twins import SENDER
from tests.support.cost import allowed_s, within

READER = FhirReader(read_strict_json)
CANARY = "Canary4711"
GOOD = discharge()
JUNK = st.sampled_from(
    [
        None, True, 0, -1, 1e300, "", " ", CANARY, "2026", "2026-02-30", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00", "urn:uuid:0", "#x", "Patient/patient", [], {}, [None], [[]], [{}], {"reference": CANARY},
        {"coding": [{"code": CANARY}]}, {"resourceType": "Patient"}, {"resourceType": ["Patient"]}, {"extension": [{"url": CANARY}]},
        [CANARY] * 3, {CANARY: CANARY},
    ]
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document but the document itself."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for name, item in items for place in ((*path, name), *places(item, (*path, name)))]


PLACES = places(GOOD)


def put(document: Any, place: tuple[Any, ...], value: Any, *, away: bool) -> None:
    for name in place[:-1]:
        try:
            document = document[name]
        except (KeyError, IndexError, TypeError):
            return
    if not isinstance(document, dict | list):
        return
    try:
        if away:
            del document[place[-1]]
        else:
            document[place[-1]] = value
    except (KeyError, IndexError, TypeError):
        return


def holds(body: bytes) -> None:
    header = READER.header(body)
    problems = READER.problems(body, header, SENDER)
    event = READER.read(body, SENDER)
    READER.notes(body, SENDER)
    assert CANARY not in repr([*problems, header.fault])
    has_errors = any(problem.severity is Severity.ERROR for problem in problems)
    if header.readable and not has_errors and READER.is_supported(header.trigger):
        assert isinstance(event, AdtEvent), event
        assert event.identifiers
    if has_errors:
        assert not isinstance(event, AdtEvent)


@given(st.lists(st.tuples(st.sampled_from(PLACES), JUNK, st.booleans()), min_size=1, max_size=4))
def test_junk_in_any_place(changes: list[tuple[tuple[Any, ...], Any, bool]]) -> None:
    document = deepcopy(GOOD)
    for place, value, away in changes:
        put(document, place, value, away=away)
    holds(json.dumps(document).encode())


@given(st.data())
def test_damaged_bytes(data: st.DataObject) -> None:
    body = bytearray(json.dumps(GOOD).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        position = data.draw(st.integers(0, len(body) - 1))
        body[position : position + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=3))
    holds(bytes(body))


HEAVY = {
    "numbers": [3] * 10_000,
    "texts": ["x"] * 10_000,
    "nulls": [None] * 10_000,
    "identifiers": [{"value": "a"}] * 3_500,
    "unknown members": [{"a": 1}] * 3_500,
    "extensions": [{"extension": [{"url": "http://example.org/x", "valueString": "y"}]}] * 2_500,
}


@pytest.mark.parametrize("kind", HEAVY)
def test_no_message_within_the_limits_takes_long(kind: str) -> None:
    """Everything waits for the door: the limit on values is what bounds this (`bundle.VALUES_MAX`)."""
    READER.warm()
    document = deepcopy(GOOD)
    document["entry"][2]["resource"]["identifier"] = HEAVY[kind]
    body = json.dumps(document).encode()
    within(allowed_s(body), lambda: READER.problems(body, READER.header(body), SENDER))


@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    holds(body)

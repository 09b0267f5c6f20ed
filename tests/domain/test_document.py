"""What a document is, as the fold of what was said of it: any order of arrival, repetition and contradiction."""

from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.adt_event import Identifier
from app.domain.document import (
    Availability,
    Completion,
    ContentPlace,
    DocumentPointer,
    DocumentStatus,
    DocumentView,
    heard,
    link_of,
    own_key,
    replaced,
    served_type,
    view,
)
from app.domain.latest import Said

FACILITY, RECORD = UUID(int=1), UUID(int=2)
NUMBER = Identifier("HOSPA", "", "D1")
SUMMARY = DocumentPointer(
    1, NUMBER, type_code="18842-5", loinc="18842-5", is_retracted=False, content=ContentPlace("OBX^1", "application/pdf")
)
SIGNED = DocumentPointer(1, NUMBER, completion=Completion.LEGALLY_AUTHENTICATED)
CANCELLED = DocumentPointer(1, NUMBER, is_retracted=True)
AGAIN = DocumentPointer(1, NUMBER, type_code="DS", is_retracted=False, content=ContentPlace("OBX^2", "text/plain; charset=utf-8"))
RESTRICTED = DocumentPointer(1, NUMBER, is_restricted=True)
OPENED = DocumentPointer(1, NUMBER, is_restricted=False)
DELETED = DocumentPointer(1, NUMBER, availability=Availability.UNAVAILABLE)
Step = DocumentPointer | str


def fold(steps: list[tuple[str, Step]]) -> Said:
    said: Said = {}
    for key, step in steps:
        if isinstance(step, str):
            said = replaced(said, key, (FACILITY, "HOSPA", step))
        else:
            said = heard(said, key, step, message_id=UUID(int=int(key)), record_id=RECORD, visit=("HOSPA", "V1"))
    return said


def seen(*steps: Step) -> DocumentView | None:
    return view(fold([(f"{at:02d}", step) for at, step in enumerate(steps)]))


TABLE: list[tuple[tuple[Step, ...], DocumentStatus, bool, bool]] = [
    ((SUMMARY,), DocumentStatus.CURRENT, True, False),
    ((SUMMARY, SIGNED), DocumentStatus.CURRENT, True, False),
    ((SUMMARY, CANCELLED), DocumentStatus.CANCELLED, False, False),
    ((SUMMARY, CANCELLED, SIGNED), DocumentStatus.CANCELLED, False, False),
    ((SUMMARY, CANCELLED, AGAIN), DocumentStatus.CURRENT, True, False),
    ((SUMMARY, "D2"), DocumentStatus.REPLACED, True, False),
    ((SUMMARY, "D2", CANCELLED), DocumentStatus.CANCELLED, False, False),
    ((SUMMARY, DELETED), DocumentStatus.UNAVAILABLE, False, False),
    ((SUMMARY, RESTRICTED), DocumentStatus.CURRENT, True, True),
    ((SUMMARY, RESTRICTED, OPENED), DocumentStatus.CURRENT, True, False),
    ((SIGNED,), DocumentStatus.CURRENT, False, False),
]


@pytest.mark.parametrize(("steps", "status", "has_content", "restricted"), TABLE)
def test_what_stands(steps: tuple[Step, ...], status: DocumentStatus, has_content: bool, restricted: bool) -> None:
    keyed = [(f"{at:02d}", step) for at, step in enumerate(steps)]
    for order in permutations([*keyed, keyed[0]]):
        found = view(fold(list(order)))
        assert found is not None
        assert (found.status, found.has_content, found.is_restricted) == (status, has_content, restricted)
        assert found == seen(*steps)


def test_nothing_is_known_of_a_document_that_was_only_replaced() -> None:
    assert seen("D2") is None
    assert view({}) is None


def test_a_later_message_that_is_silent_takes_nothing_away() -> None:
    found = seen(SUMMARY, SIGNED)
    assert found is not None
    assert (found.is_summary, found.completion, found.content, found.content_message) == (
        True,
        "legally_authenticated",
        ContentPlace("OBX^1", "application/pdf"),
        UUID(int=0),
    )


@given(st.permutations([("00", SUMMARY), ("01", SIGNED), ("02", CANCELLED), ("03", AGAIN), ("04", "D2"), ("05", RESTRICTED)]))
def test_any_order_ends_in_the_same_document(steps: list[tuple[str, Step]]) -> None:
    assert view(fold(steps)) == view(fold(sorted(steps, key=lambda step: step[0])))


def test_a_document_without_a_number_is_its_messages_own() -> None:
    one, other = DocumentPointer(1), DocumentPointer(2)
    assert own_key(FACILITY, one, b"a" * 32) == own_key(FACILITY, one, b"a" * 32)
    assert len({own_key(FACILITY, one, b"a" * 32), own_key(FACILITY, other, b"a" * 32), own_key(FACILITY, one, b"b" * 32)}) == 3
    assert own_key(FACILITY, SUMMARY, b"a" * 32) == (FACILITY, "HOSPA", "D1")


@pytest.mark.parametrize(
    ("said", "served"),
    [
        ("application/pdf", "application/pdf"),
        ("APPLICATION/PDF; version=1", "application/pdf"),
        ("text/html", "text/html; charset=utf-8"),
        ("text/javascript", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_what_bytes_are_served_as(said: str, served: str) -> None:
    assert served_type(said) == served


def test_a_script_is_no_link() -> None:
    assert link_of("HTTPS://example.org/1") == "HTTPS://example.org/1"
    assert [link_of(said) for said in ("javascript:x", "data:text/html,x", "file:///etc/passwd", "", "https://" + "x" * 2_000)] == [
        None
    ] * 5

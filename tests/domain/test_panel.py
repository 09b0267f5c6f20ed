"""The rules of a panel: the shrink guard, repetitions, ids and sort keys, and the answer of an upload."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.adt_event import AdtEvent, PersonFacts, ProcessingId
from app.domain.event_order import sort_key
from app.domain.panel import (
    CLAIM_ID_DIGITS,
    ERRORS_SHOWN_MAX,
    PanelDifference,
    PanelWouldShrinkError,
    Repetition,
    ShrinkGuard,
    UploadMode,
    UploadResult,
    claim_id_prefix,
    first_errors,
    roster_sort_key,
)
from app.domain.roster import RowError, RowErrorCode
from tests.support.fakes import FakeIds

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ending", "in_force", "accepted", "refuses"),
    [
        (0, 0, 0, False),
        (0, 100, 100, False),
        (20, 100, 80, False),
        (21, 100, 79, True),
        (100, 100, 100, True),
        (4, 4, 4, False),
        (4, 5, 1, False),
        (5, 6, 1, True),
        (1, 1, 0, True),
        (0, 5, 0, False),
    ],
)
def test_the_shrink_guard(ending: int, in_force: int, accepted: int, refuses: bool) -> None:
    assert ShrinkGuard().refuses(ending=ending, in_force=in_force, accepted=accepted) is refuses


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 500), st.integers(0, 100))
def test_more_endings_are_never_safer(ending: int, in_force: int, accepted: int, percent: int) -> None:
    guard = ShrinkGuard(percent_max=percent, claims_min=0)
    if guard.refuses(ending=ending, in_force=in_force, accepted=accepted):
        assert guard.refuses(ending=ending + 1, in_force=in_force, accepted=accepted)
        assert ending * 100 > in_force * percent


def test_the_refusal_names_the_counts_and_the_remedy() -> None:
    difference = PanelDifference(added=1, changed=2, unchanged=3, removed=40, kept=5, in_force=100)
    message = str(PanelWouldShrinkError(difference, ShrinkGuard()))
    assert "40 of the 100" in message
    assert "20 %" in message
    assert "force" in message


def test_a_repetition_names_both_rows() -> None:
    same = Repetition(row=3, counting_row=9, is_identical=True).warning()
    other = Repetition(row=3, counting_row=9, is_identical=False).warning()
    assert (same.row, same.code) == (3, RowErrorCode.REPEATED_ROW)
    assert (other.row, other.code) == (3, RowErrorCode.OVERRIDDEN_ROW)
    assert "Row 9" in same.message
    assert "Row 9" in other.message


INSTANTS = st.datetimes(datetime(1801, 1, 1), datetime(4000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
"""The microseconds of an event key have 14 hexadecimal digits: enough until the year 4083."""


@given(INSTANTS, INSTANTS, st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_an_upload_says_is_as_new_as_the_upload_and_then_as_its_row(
    at: datetime, other_at: datetime, row: int, other_row: int
) -> None:
    assert (roster_sort_key(at, row) < roster_sort_key(other_at, other_row)) == ((at, row) < (other_at, other_row))


@given(INSTANTS, INSTANTS)
def test_a_roster_takes_its_place_among_the_events(uploaded_at: datetime, occurred_at: datetime) -> None:
    assume(uploaded_at != occurred_at)
    event = AdtEvent(
        trigger="A08",
        occurred_at=occurred_at,
        recorded_at=occurred_at,
        sent_at=occurred_at,
        content_hash=b"\x00" * 32,
        control_id="C1",
        processing_id=ProcessingId.PRODUCTION,
        identifiers=(),
        person=PersonFacts(),
    )
    assert (roster_sort_key(uploaded_at, 5) < sort_key(event)) == (uploaded_at < occurred_at)


@given(st.lists(st.uuids(version=4), min_size=2, max_size=2, unique=True))
def test_claim_ids_are_version_7_ids_of_the_uploads_instant(uploads: list[UUID]) -> None:
    first, second = (UUID(claim_id_prefix(upload) + "0" * CLAIM_ID_DIGITS) for upload in uploads)
    assert first.version == second.version == 7
    assert first.variant == second.variant == "specified in RFC 4122"
    assert first.hex[:12] == uploads[0].hex[:12]
    assert claim_id_prefix(uploads[0]) != claim_id_prefix(uploads[1])


def test_claim_ids_of_two_uploads_of_one_millisecond_differ() -> None:
    ids = FakeIds()
    base = ids.new().int >> 80 << 80
    prefixes = {claim_id_prefix(UUID(int=base | number)) for number in range(2000)}
    assert len(prefixes) == 2000


def _result() -> UploadResult:
    return UploadResult(
        id=UUID(int=1),
        organization_id=UUID(int=2),
        mode=UploadMode.DELTA,
        dry_run=False,
        uploaded_at=AT,
        file_name="sample.csv",
        file_hash=b"\x01" * 32,
        header=("member_id",),
        unknown_columns=("favourite_colour",),
        rows=9,
        accepted=6,
        rejected=2,
        repeated=1,
        difference=PanelDifference(added=1, changed=2, unchanged=3, removed=0, kept=0, in_force=5),
        errors=(RowError(4, "", RowErrorCode.CELL_COUNT, "why"),),
        warnings=(),
        needs_force=False,
    )


def test_the_answer_has_the_published_members() -> None:
    document = _result().document()
    assert {"id", "accepted", "rejected", "added", "changed", "removed", "errors"} <= set(document)
    assert document["errors"] == [{"row": 4, "column": None, "code": "cell_count", "message": "why"}]
    assert document["id"] == "upl_" + UUID(int=1).hex
    assert (document["added"], document["changed"], document["unchanged"]) == (1, 2, 3)
    assert replace(_result(), dry_run=True).document() == document | {"dry_run": True}


def test_an_answer_shows_the_first_errors_of_the_file() -> None:
    errors = [RowError(number, "program", RowErrorCode.MISSING, "why") for number in reversed(range(2 * ERRORS_SHOWN_MAX))]
    shown = first_errors(errors)
    assert [error.row for error in shown] == list(range(ERRORS_SHOWN_MAX))

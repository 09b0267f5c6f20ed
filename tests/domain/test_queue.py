"""When something that waits for a person is ageing and overdue: with weekend cover by the clock, without it the weekend does not count."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.queue import QueueAlert, QueueDefinition, per_messages
from app.standards.queue_rules import queue_definitions

EASTERN = ZoneInfo("America/New_York")
FRIDAY = datetime(2026, 3, 6, 21, 0, tzinfo=UTC)
"""Sixteen hours into a Friday in Maine."""


def queue(hours: int, *, weekend_cover: bool) -> QueueDefinition:
    return QueueDefinition("q", "a queue", "a desk", timedelta(hours=hours), weekend_cover, EASTERN)


@pytest.mark.parametrize(
    ("hours", "covered", "due"),
    [
        (4, True, datetime(2026, 3, 7, 1, 0, tzinfo=UTC)),
        (4, False, datetime(2026, 3, 7, 1, 0, tzinfo=UTC)),
        (24, True, datetime(2026, 3, 7, 21, 0, tzinfo=UTC)),
        # Eight hours on Friday, and sixteen on Monday; the clocks went forward on Sunday.
        (24, False, datetime(2026, 3, 9, 20, 0, tzinfo=UTC)),
    ],
)
def test_without_cover_the_weekend_does_not_count(hours: int, covered: bool, due: datetime) -> None:
    one = queue(hours, weekend_cover=covered)
    assert one.due_at(FRIDAY) == due
    assert one.alert(FRIDAY, due - timedelta(seconds=1)) is QueueAlert.AGEING
    assert one.alert(FRIDAY, due) is QueueAlert.OVERDUE
    assert one.alert(FRIDAY, FRIDAY) is QueueAlert.NONE
    assert one.alert(None, due) is QueueAlert.NONE


@given(st.integers(0, 60 * 24 * 364), st.integers(1, 200))
def test_it_is_never_due_sooner_without_cover(minutes: int, hours: int) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    due = queue(hours, weekend_cover=False).due_at(at)
    assert due >= queue(hours, weekend_cover=True).due_at(at)
    assert due <= at + timedelta(hours=hours) * 2.5 + timedelta(days=3)


def test_the_shipped_queues_have_owners_and_times() -> None:
    queues = queue_definitions()
    assert {"holds", "set_aside", "unmapped_facilities", "attribution", "possible_matches", "identity", "death"} <= {
        one.id for one in queues
    }
    assert all(one.owner and one.service > timedelta() for one in queues)


def test_volume_is_counted_per_ten_thousand_messages() -> None:
    assert per_messages(3, 20_000) == 1.5
    assert per_messages(3, 0) is None


def test_a_weekend_is_its_owners() -> None:
    """Saturday has begun in Maine, and in Hawaii it is Friday evening still."""
    at, hours = datetime(2026, 3, 7, 6, 0, tzinfo=UTC), timedelta(hours=2)
    there = QueueDefinition("q", "a queue", "a desk", hours, weekend_cover=False, zone=ZoneInfo("Pacific/Honolulu"))
    assert there.due_at(at) == at + hours
    assert queue(2, weekend_cover=False).due_at(at) > at + timedelta(days=1)

"""When a silence is too long: by what should have come, not by the clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.rhythm import (
    HISTORY_MIN,
    HOUR,
    HOURS_OF_WEEK,
    MISSING_MIN,
    SILENCE_MIN,
    Span,
    expected_between,
    hour_of_week,
    missing_messages,
    quiet_since,
    rhythm_of,
    usual_of_day,
)

EASTERN = ZoneInfo("America/New_York")
MONDAY = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
"""Midnight in the east, six days before the clocks go forward."""


def _busy_by_day(weeks: int, until: datetime, a_day_hour: int = 12) -> dict[datetime, int]:
    """So many messages an hour from 8 to 18 local, nothing at night."""
    counts: dict[datetime, int] = {}
    hour = until - timedelta(weeks=weeks)
    while hour < until:
        if 8 <= hour.astimezone(EASTERN).hour < 18:
            counts[hour] = a_day_hour
        hour += HOUR
    return counts


def test_the_week_begins_on_monday_at_midnight_where_the_feed_is() -> None:
    assert hour_of_week(MONDAY, EASTERN) == 0
    assert hour_of_week(MONDAY - HOUR, EASTERN) == HOURS_OF_WEEK - 1
    assert hour_of_week(datetime(2026, 3, 9, 4, 0, tzinfo=UTC), EASTERN) == 0, "in summer time"


def test_too_little_history_expects_nothing() -> None:
    assert rhythm_of({}, MONDAY, EASTERN) is None
    counts = _busy_by_day(1, MONDAY)
    assert MONDAY - min(counts) < HISTORY_MIN
    assert rhythm_of(counts, MONDAY, EASTERN) is None
    assert missing_messages(None, MONDAY - timedelta(days=9), MONDAY, EASTERN) is None


def test_a_night_without_messages_is_no_silence_and_a_forenoon_is() -> None:
    rhythm = rhythm_of(_busy_by_day(4, MONDAY), MONDAY, EASTERN)
    assert rhythm is not None
    evening, morning = MONDAY - timedelta(hours=6), MONDAY + timedelta(hours=8)
    assert missing_messages(rhythm, evening, morning, EASTERN) is None, "fourteen hours, and nothing should have come"
    assert missing_messages(rhythm, evening, morning + timedelta(minutes=45), EASTERN) is None
    assert missing_messages(rhythm, evening, morning + timedelta(minutes=55), EASTERN) == pytest.approx(11)


def test_a_busy_feed_is_not_silent_while_an_engine_restarts() -> None:
    rhythm = (6_000.0,) * HOURS_OF_WEEK
    assert missing_messages(rhythm, MONDAY, MONDAY + SILENCE_MIN - timedelta(seconds=1), EASTERN) is None
    assert missing_messages(rhythm, MONDAY, MONDAY + SILENCE_MIN, EASTERN) == pytest.approx(1_500)


def test_a_batch_that_was_loaded_once_is_no_habit() -> None:
    counts = _busy_by_day(4, MONDAY) | {MONDAY - timedelta(days=10): 50_000}
    rhythm = rhythm_of(counts, MONDAY, EASTERN)
    assert rhythm is not None
    assert max(rhythm) == 12


def test_an_outage_that_was_noticed_does_not_become_the_habit() -> None:
    counts = _busy_by_day(4, MONDAY)
    out = Span(MONDAY - timedelta(days=14), MONDAY)
    kept = {hour: count for hour, count in counts.items() if hour < out.starts_at}
    known, ignored = rhythm_of(kept, MONDAY, EASTERN, [out]), rhythm_of(kept, MONDAY, EASTERN)
    assert known is not None
    assert ignored is not None
    assert known[9] == 12
    assert ignored[9] < 12


def test_local_habits_hold_when_the_clocks_change() -> None:
    until = datetime(2026, 3, 23, 4, 0, tzinfo=UTC)
    rhythm = rhythm_of(_busy_by_day(6, until), until, EASTERN)
    assert rhythm is not None
    assert (rhythm[7], rhythm[8], rhythm[17], rhythm[18]) == (0, 12, 12, 0)


@given(st.lists(st.floats(0, 100), min_size=HOURS_OF_WEEK, max_size=HOURS_OF_WEEK), st.integers(0, 20_000), st.integers(0, 20_000))
def test_what_is_expected_adds_up(hours: list[float], first: int, second: int) -> None:
    rhythm = tuple(hours)
    start = MONDAY
    middle = start + timedelta(minutes=first % 9_000)
    end = middle + timedelta(minutes=second % 9_000)
    whole = expected_between(rhythm, start, end, EASTERN)
    parts = expected_between(rhythm, start, middle, EASTERN) + expected_between(rhythm, middle, end, EASTERN)
    assert whole == pytest.approx(parts)


def test_a_silence_of_years_is_added_up_in_a_moment() -> None:
    rhythm = (1.0,) * HOURS_OF_WEEK
    missing = missing_messages(rhythm, MONDAY - timedelta(days=4_000), MONDAY, EASTERN)
    assert missing == pytest.approx(14 * 24)
    assert missing >= MISSING_MIN


TODAY = date(2026, 3, 30)


def _days(first_back: int, last_back: int, each: int = 2) -> dict[date, int]:
    return {TODAY - timedelta(days=back): each for back in range(last_back, first_back + 1)}


@pytest.mark.parametrize(
    ("what", "counts", "usual"),
    [
        ("two a day", _days(70, 1), 2.0),
        ("two every day for half the time", _days(56, 29), 1.0),
        ("thirteen days show no habit", _days(13, 1), None),
        ("two weeks do", _days(14, 1), 2.0),
        ("nothing yet", {}, None),
        ("the day itself and later ones do not count", _days(14, -3, 7), 7.0),
    ],
)
def test_what_a_facility_behind_an_aggregator_usually_sends_a_day(what: str, counts: dict[date, int], usual: float | None) -> None:
    assert usual_of_day(counts, TODAY) == usual, what


@pytest.mark.parametrize(
    ("usual", "days", "is_quiet"), [(2.0, 6, True), (2.0, 5, False), (30.0, 2, True), (30.0, 1, False), (None, 90, False)]
)
def test_days_without_a_discharge_are_a_silence_when_ten_are_missing(usual: float | None, days: int, is_quiet: bool) -> None:
    last = TODAY - timedelta(days=days)
    assert quiet_since(last, usual, TODAY) == (last if is_quiet else None)

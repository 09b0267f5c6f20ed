"""When a feed usually sends, hour by hour of its local week, and whether its present silence is longer than that allows. Pure.

Of a facility behind an aggregator what is usual is so many discharges a day.

A fixed timeout is wrong for everybody: ten minutes are long for a university hospital at noon and nothing for a critical-access
hospital at night. What counts is how many messages should have come. Not here: how messages are counted (store/feed_counts) and who
is told (worker).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

HOURS_OF_WEEK: Final = 168
HOUR: Final = timedelta(hours=1)
RHYTHM_WEEKS: Final = 8
"""Our policy: long enough to even out a holiday, short enough to follow a hospital that grows."""
HISTORY_MIN: Final = timedelta(weeks=2)
"""Our policy: one week shows no habit. Until then nothing is expected and no silence is an alert."""
MISSING_MIN: Final = 10.0
"""Our policy: a silence is an alert when so many messages should have come. By chance alone none of ten comes once in 20,000 times
(Poisson: e^-10); hospitals send in bursts, so it is oftener in truth, and still rare."""
SILENCE_MIN: Final = timedelta(minutes=15)
"""Our policy: shorter is a restart of somebody's engine."""
LOOKED_BACK_MAX: Final = timedelta(days=14)
"""How far back a silence is added up; by then any feed that ever sent is an alert."""

Rhythm = tuple[float, ...]
"""Messages expected in each hour of the local week, Monday 00:00 first."""


@dataclass(frozen=True, slots=True)
class Span:
    """From one instant to another, the end exclusive."""

    starts_at: datetime
    ends_at: datetime


def hour_of_week(at: datetime, zone: ZoneInfo) -> int:
    """Give the hour of the local week, 0 for Monday from midnight to one."""
    local = at.astimezone(zone)
    return local.weekday() * 24 + local.hour


def rhythm_of(counts: Mapping[datetime, int], until: datetime, zone: ZoneInfo, outages: Iterable[Span] = ()) -> Rhythm | None:
    """Give what is expected of each hour of the week, or None while too little is known.

    The mean over the last weeks without the busiest one, so that a batch that was loaded once does not become a habit; hours in which
    the feed was known to be silent do not count either. `counts` has the messages of each whole hour (UTC), none meaning 0.
    """
    first = min(counts, default=None)
    if first is None or until - first < HISTORY_MIN:
        return None
    spans = tuple(outages)
    hour = max(first, _floor(until - timedelta(weeks=RHYTHM_WEEKS)))
    found: list[list[int]] = [[] for _ in range(HOURS_OF_WEEK)]
    while hour + HOUR <= until:
        if not any(span.starts_at < hour + HOUR and hour < span.ends_at for span in spans):
            found[hour_of_week(hour, zone)].append(counts.get(hour, 0))
        hour += HOUR
    return tuple(map(_usual, found))


def _usual(counts: Sequence[int]) -> float:
    kept = sorted(counts)[:-1] if len(counts) > 2 else counts  # noqa: PLR2004 - of two, neither is the odd one out
    return sum(kept) / len(kept) if kept else 0.0


def _floor(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def expected_between(rhythm: Rhythm, starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> float:
    """Add up what should have come in a time, parts of hours in proportion."""
    at = max(starts_at, ends_at - LOOKED_BACK_MAX)
    total = 0.0
    while at < ends_at:
        end = min(_floor(at) + HOUR, ends_at)
        total += rhythm[hour_of_week(at, zone)] * ((end - at) / HOUR)
        at = end
    return total


def missing_messages(rhythm: Rhythm | None, heard_at: datetime, now: datetime, zone: ZoneInfo) -> float | None:
    """Give how many messages should have come since the last, when that makes the silence an alert; else None."""
    if rhythm is None or now - heard_at < SILENCE_MIN:
        return None
    missing = expected_between(rhythm, heard_at, now, zone)
    return missing if missing >= MISSING_MIN else None


def usual_of_day(discharges: Mapping[date, int], on: date) -> float | None:
    """Give how many discharges a facility had a day in the weeks before a day, or None while too little is known."""
    earlier = [day for day in discharges if on - timedelta(weeks=RHYTHM_WEEKS) <= day < on]
    if not earlier or on - min(earlier) < HISTORY_MIN:
        return None
    return sum(discharges[day] for day in earlier) / (on - min(earlier)).days


def quiet_since(last_on: date, usual: float | None, on: date) -> date | None:
    """Give the last day before a silence that the next discharge ends, where so many should have come between that it is one."""
    missing = (usual or 0.0) * ((on - last_on).days - 1)
    return last_on if missing >= MISSING_MIN else None

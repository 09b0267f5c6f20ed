"""FHIR dates and times to instants and dates (FHIR R4 datatypes: date, dateTime, instant; HL7-5 for what has no zone).

A time of day without an offset is no FHIR dateTime and is refused. A bare day belongs to the sender's zone, never to the server's.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,32}))?(Z|[+-][0-9]{2}:[0-9]{2})")


@dataclass(frozen=True, slots=True)
class Moment:
    """One time as sent."""

    at: datetime
    """Aware, UTC. For a bare day, the midnight that begins it in the sender's zone."""
    on: date
    """The local day, as written."""
    is_day: bool


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo | None:
    """Find an IANA zone, or None for a name that is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def read_instant(value: object) -> datetime | None:
    """Read a FHIR instant; None for what is none."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    seconds, fraction, zone = match.groups()
    try:
        return datetime.fromisoformat(f"{seconds}.{(fraction or '').ljust(6, '0')[:6]}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_date(value: object) -> date | None:
    """Read a whole date; None for a year or month alone and for what is no date."""
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    try:
        return date(*map(int, match.groups())) if match is not None else None
    except ValueError:
        return None


def read_moment(value: object, zone: ZoneInfo) -> Moment | None:
    """Read a dateTime. A year or a month alone gives None: it has no place in a stay."""
    at = read_instant(value)
    if at is not None and isinstance(value, str):
        return Moment(at, date.fromisoformat(value[:10]), is_day=False)
    on = read_date(value)
    if on is None:
        return None
    try:
        return Moment(datetime(on.year, on.month, on.day, tzinfo=zone).astimezone(UTC), on, is_day=True)
    except OverflowError:
        return None


def sharpened(moment: Moment, by: datetime, zone: ZoneInfo) -> Moment:
    """Take the time of the message where only its day was given: a midnight that was never meant would end a stay before it began."""
    return Moment(by, moment.on, is_day=False) if moment.is_day and by.astimezone(zone).date() == moment.on else moment

"""HL7 times to instants and dates (HL7-5; HL7 2.5.1 chapter 2A, DTM and DT).

The precision that was sent is kept. A time without offset belongs to the sender's IANA zone, never to the server's. Not
here: which field counts as the time of an event (`acceptance`), and what a day boundary means for a clock (domain).
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import IntEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

_TIME = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.?([0-9]{3})|\.([0-9]{1,6})[0-9]*)?)?)?)?)?)?"
    r"([+-][0-9]{4}|Z)?"
)
_DATE_LENGTH = 8
_OFFSET_HOURS_MAX = 14
_MINUTES = 60
_NO_YEARS = frozenset({"0001", "9999"})
"""Written for "never" or "not yet" by systems that cannot leave a date empty; as times they lie at the ends of the calendar, where
the database says infinity and clocks have no room."""


class Precision(IntEnum):
    """How much of the time was sent."""

    YEAR = 1
    MONTH = 2
    DAY = 3
    HOUR = 4
    MINUTE = 5
    SECOND = 6
    FRACTION = 7


class Wall(IntEnum):
    """Whether a local time without offset names exactly one instant in its zone."""

    PLAIN = 0
    AMBIGUOUS = 1
    """The hour that comes twice when clocks go back: the earlier instant is taken."""
    SKIPPED = 2
    """The hour that never comes when clocks go forward: read with the offset before the change."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """One time as sent: the instant at which it begins, the local date, and how exact it is."""

    at: datetime
    """Aware, UTC. For a bare date, the midnight that begins it in the sender's zone."""
    on: date
    precision: Precision
    has_offset: bool
    wall: Wall = Wall.PLAIN


@dataclass(frozen=True, slots=True)
class TimestampFault:
    """Why a text is no time; says what was expected and never the text."""

    text: str


@lru_cache(maxsize=4096)
def parse_timestamp(raw: str, zone: ZoneInfo) -> Timestamp | TimestampFault:
    """Read `YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]`; further digits of a fraction are dropped.

    Milliseconds without their point are understood too: a widespread interface engine writes them so. Results are kept for a
    while, because a message says most of its times several times over.
    """
    match = _TIME.fullmatch(raw.strip())
    if match is None:
        return TimestampFault("Expected a time as YYYYMMDDHHMMSS with an optional offset +/-ZZZZ.")
    year, month, day, hour, minute, second, milliseconds, digits, offset = match.groups()
    if year in _NO_YEARS:
        return TimestampFault("Expected a time; the years 0001 and 9999 stand for none, so leave the field empty.")
    fraction = milliseconds or digits
    try:
        local = datetime(  # noqa: DTZ001 -- its zone is found below
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int(fraction.ljust(6, "0")) if fraction else 0,
        )
    except ValueError:
        return TimestampFault("Expected a time that exists: month, day, hour, minute or second is out of range.")
    precision = Precision(7 - (year, month, day, hour, minute, second, fraction).count(None))
    try:
        if offset:
            zoned = _with_offset(local, offset)
            if zoned is None:
                return TimestampFault("Expected an offset between -1400 and +1400.")
            return Timestamp(zoned.astimezone(UTC), local.date(), precision, has_offset=True)
        at, wall = _in_zone(local, zone)
        return Timestamp(at, local.date(), precision, has_offset=False, wall=wall if precision >= Precision.HOUR else Wall.PLAIN)
    except OverflowError:
        return TimestampFault("Expected a time between the years 2 and 9998.")


def parse_date(raw: str) -> date | TimestampFault:
    """Read a date; a time part is ignored, so `19760425120000` stays 1976-04-25 in every zone. Year or month alone is a fault."""
    match = _TIME.fullmatch(raw.strip())
    if match is None or match.group(3) is None:
        return TimestampFault("Expected a date as YYYYMMDD.")
    try:
        return date(int(match.group(1)), int(match.group(2)), int(match.group(3)))
    except ValueError:
        return TimestampFault("Expected a date that exists: month or day is out of range.")


def format_timestamp(at: datetime) -> str:
    """Write an instant with its offset, to the second, as MSH-7 carries it."""
    return at.strftime("%Y%m%d%H%M%S%z")


def _with_offset(local: datetime, offset: str) -> datetime | None:
    if offset == "Z":
        return local.replace(tzinfo=UTC)
    hours, minutes = int(offset[1:3]), int(offset[3:5])
    if hours > _OFFSET_HOURS_MAX or minutes >= _MINUTES:
        return None
    shift = timedelta(hours=hours, minutes=minutes)
    return local.replace(tzinfo=timezone(-shift if offset[0] == "-" else shift))


def _in_zone(local: datetime, zone: ZoneInfo) -> tuple[datetime, Wall]:
    """Place a local time in its zone: fold 0 is the earlier of two, and the offset before a gap."""
    zoned = local.replace(tzinfo=zone)
    earlier, later = zoned.utcoffset(), zoned.replace(fold=1).utcoffset()
    at = zoned.astimezone(UTC)
    if earlier is None or later is None or earlier == later:
        return at, Wall.PLAIN
    return at, Wall.AMBIGUOUS if earlier > later else Wall.SKIPPED

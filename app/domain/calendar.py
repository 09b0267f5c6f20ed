"""Dates, business days and due times: turning an instant and a rule such as "2 business days" into the instant it is due.

Not here: which days are holidays (``app.standards.calendars``), which rule a program has (``program``), what was done in time
(``clock``). Nothing here knows what day it is today.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final, Protocol

ONE_DAY: Final = timedelta(days=1)
LAST_ZONE: Final = timedelta(hours=12)
"""How long after UTC a local day ends where it ends last."""
SATURDAY: Final = 5
MONTHS_A_YEAR: Final = 12


class Holidays(Protocol):
    """The days on which a program's offices are closed; a ``frozenset[date]`` is one."""

    def __contains__(self, day: object, /) -> bool: ...


NO_HOLIDAYS: Final[frozenset[date]] = frozenset()


class ClockUnit(StrEnum):
    """How a clock counts. Hours are elapsed time; days are the facility's local calendar days."""

    HOURS = "hours"
    CALENDAR_DAYS = "calendar_days"
    BUSINESS_DAYS = "business_days"
    CALENDAR_MONTHS = "calendar_months"
    """To the same day of a later month, or its last one."""


def local_date(at: datetime, zone: tzinfo) -> date:
    """Give the calendar date of an instant where it happened: the facility's zone, never UTC, never the receiver's zone."""
    if at.tzinfo is None:
        message = "an instant needs a time zone; attach the facility's before asking for its date"
        raise ValueError(message)
    return at.astimezone(zone).date()


def last_day_over_before(at: datetime) -> date:
    """Give the day before which every day is over everywhere at an instant: for rows of many places at once."""
    return (at - LAST_ZONE).astimezone(UTC).date()


def end_of_day(day: date, zone: tzinfo) -> datetime:
    """Give 23:59:59 local of that day, in UTC.

    ``fold=1`` takes the later of the two where the clocks go back at midnight (Havana, Beirut): the day is not over before it is.
    """
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=zone, fold=1).astimezone(UTC)


def is_business_day(day: date, holidays: Holidays = NO_HOLIDAYS) -> bool:
    """Monday to Friday except holidays, "without respect to normal practice hours" (CMS, transitional care management)."""
    return day.weekday() < SATURDAY and day not in holidays


def add_business_days(start: date, count: int, holidays: Holidays = NO_HOLIDAYS) -> date:
    """Give the count-th business day after start; the day after start is the first that can be day 1."""
    day = start
    left = count
    while left > 0:
        day += ONE_DAY
        if is_business_day(day, holidays):
            left -= 1
    return day


def due_at(anchor_at: datetime, count: int, unit: ClockUnit, zone: tzinfo, holidays: Holidays = NO_HOLIDAYS) -> datetime:
    """Give the last second of a clock, in UTC: elapsed time for hours, 23:59:59 local of the last day for days.

    The anchor's own day is day 0 for both kinds of days.
    """
    if unit is ClockUnit.HOURS:
        return anchor_at.astimezone(UTC) + timedelta(hours=count)
    first = local_date(anchor_at, zone)
    if unit is ClockUnit.CALENDAR_MONTHS:
        return end_of_day(add_months(first, count), zone)
    last = first + timedelta(days=count) if unit is ClockUnit.CALENDAR_DAYS else add_business_days(first, count, holidays)
    return end_of_day(last, zone)


def add_months(start: date, count: int) -> date:
    """Give the same day of a later month, or its last day where it is shorter."""
    months = start.year * MONTHS_A_YEAR + start.month - 1 + count
    year, month = divmod(months, MONTHS_A_YEAR)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def age_on(born_on: date, on: date) -> int:
    """Give full years of age. Someone born on 29 February has the birthday on 1 March of common years."""
    return on.year - born_on.year - ((on.month, on.day) < (born_on.month, born_on.day))

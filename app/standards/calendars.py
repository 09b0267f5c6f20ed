"""Holiday calendars by id (``US``, ``US-ME``, ``none``), year by year from the ``holidays`` package (MIT), observed days included.

The package takes most of a second to import, so it is imported on the first question about a year and not before; ``warm`` asks at
start-up. Not here: business-day maths (``app.domain.calendar``), which program uses which calendar (``programs/``).
"""

import re
from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import Final

from app.standards.toml_table import StandardsError

CALENDAR_ID: Final = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?")
"""ISO 3166-1 alpha-2, and after a hyphen a subdivision as ISO 3166-2 writes it."""
NO_CALENDAR: Final = "none"
"""Every Monday to Friday is a business day, a holiday or not."""
_ANY_YEAR: Final = 2026


class HolidayCalendar:
    """The holidays of a country or of one of its parts: ``day in calendar``."""

    def __init__(self, country: str, subdivision: str | None) -> None:
        self.country = country
        self.subdivision = subdivision
        self._years: dict[int, frozenset[date]] = {}

    def __contains__(self, day: object, /) -> bool:
        """Whether a day is a public holiday."""
        return isinstance(day, date) and day in self.of_year(day.year)

    def of_year(self, year: int) -> frozenset[date]:
        """Give a year's holidays. New Year on a Saturday is observed in the year before, so the next year is asked too."""
        if not self.country:
            return frozenset()
        known = self._years.get(year)
        if known is None:
            import holidays  # noqa: PLC0415 - lazily: importing it takes longer than all else here together

            try:
                found = holidays.country_holidays(self.country, subdiv=self.subdivision, years=(year, year + 1))
            except NotImplementedError as unknown:
                message = f"there are no holidays for calendar {self.country}-{self.subdivision or ''}; use an id such as US or US-ME"
                raise StandardsError(message) from unknown
            known = self._years[year] = frozenset(day for day in found if day.year == year)
        return known


@cache
def holiday_calendar(calendar_id: str) -> HolidayCalendar:
    """Give a calendar by its id. Only the form of the id is checked here; whether it has holidays shows at the first question."""
    if calendar_id == NO_CALENDAR:
        return HolidayCalendar("", None)
    found = CALENDAR_ID.fullmatch(calendar_id)
    if found is None:
        message = "a holiday calendar's id is a country or country-subdivision, such as US or US-ME, or none"
        raise StandardsError(message)
    return HolidayCalendar(found[1], found[2])


def is_calendar(calendar_id: str) -> bool:
    """Tell whether there are holidays for a country, or for a part of it."""
    try:
        return bool(holiday_calendar(calendar_id).of_year(_ANY_YEAR))
    except StandardsError:
        return False


def warm(calendar_ids: Iterable[str], year: int) -> None:
    """Ask calendars for a year and its neighbours, so that no later question waits, and an unknown calendar fails now."""
    for calendar_id in calendar_ids:
        for one in (year - 1, year, year + 1):
            holiday_calendar(calendar_id).of_year(one)

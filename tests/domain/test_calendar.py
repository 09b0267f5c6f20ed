"""Business days, local dates and due times: the worked cases, then a slow reference and the properties of time zones."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendar import (
    NO_HOLIDAYS,
    ClockUnit,
    add_business_days,
    age_on,
    due_at,
    end_of_day,
    is_business_day,
    local_date,
)
from tests.domain.follow_up_builders import local

THANKSGIVING_2026 = frozenset({date(2026, 11, 26)})
ZONES = [
    "America/New_York",
    "America/Chicago",
    "America/Phoenix",
    "America/Anchorage",
    "Pacific/Honolulu",
    "America/Puerto_Rico",
    "Asia/Beirut",
    "America/Havana",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "UTC",
]
DAYS = st.dates(date(1990, 1, 1), date(2099, 12, 31))
HOLIDAYS = st.frozensets(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=40)


@pytest.mark.parametrize(
    ("case", "discharged", "due"),
    [
        ("B1 Thanksgiving between", "2026-11-25", "2026-11-30"),
        ("B2 discharged on a Saturday", "2026-11-21", "2026-11-24"),
        ("B4 weekend between", "2026-12-11", "2026-12-15"),
        ("discharged on a Sunday", "2026-11-22", "2026-11-24"),
        ("plain Monday", "2026-11-16", "2026-11-18"),
    ],
)
def test_two_business_days_end_on_the_second_business_day_after_the_discharge(case: str, discharged: str, due: str) -> None:
    zone = ZoneInfo("America/New_York")
    found = due_at(local(discharged), 2, ClockUnit.BUSINESS_DAYS, zone, THANKSGIVING_2026)
    assert found == local(f"{due} 23:59:59"), case
    assert found.tzinfo is UTC


def test_a_discharge_late_in_the_evening_counts_from_its_local_day() -> None:
    """T1: 23:45 in the East is already tomorrow in UTC; day 7 is counted from today."""
    discharged_at = datetime(2026, 11, 20, 23, 45, tzinfo=timezone(timedelta(hours=-5)))
    zone = ZoneInfo("America/New_York")
    assert discharged_at.astimezone(UTC).date() == date(2026, 11, 21)
    assert local_date(discharged_at, zone) == date(2026, 11, 20)
    assert due_at(discharged_at, 7, ClockUnit.CALENDAR_DAYS, zone) == local("2026-11-27 23:59:59")


def test_the_facility_zone_decides_not_the_readers() -> None:
    """T2: half past midnight at an Eastern hospital is still yesterday at a plan in Chicago."""
    discharged_at = local("2026-11-21 00:30")
    assert local_date(discharged_at, ZoneInfo("America/New_York")) == date(2026, 11, 21)
    assert local_date(discharged_at, ZoneInfo("America/Chicago")) == date(2026, 11, 20)


def test_hours_are_elapsed_time_through_a_clock_change() -> None:
    anchor_at = local("2026-10-31 12:00")
    found = due_at(anchor_at, 48, ClockUnit.HOURS, ZoneInfo("America/New_York"))
    assert found - anchor_at == timedelta(hours=48)
    assert found == local("2026-11-02 11:00"), "clocks went back, so the wall shows an hour less"


def test_the_day_lasts_until_its_second_midnight_where_clocks_go_back_at_midnight() -> None:
    """Havana 2026-11-01: 00:59:59 is followed by 00:00; Beirut 2026-10-24: 23:59:59 comes twice."""
    beirut = ZoneInfo("Asia/Beirut")
    end = end_of_day(date(2026, 10, 24), beirut)
    assert local_date(end, beirut) == date(2026, 10, 24)
    assert local_date(end + timedelta(seconds=1), beirut) == date(2026, 10, 25)


def test_an_instant_without_a_zone_has_no_date() -> None:
    with pytest.raises(ValueError, match="time zone"):
        local_date(datetime(2026, 11, 20, 12, 0), ZoneInfo("America/New_York"))  # noqa: DTZ001 - the mistake itself


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        ("2019-11-20", "2025-11-19", 5),
        ("2019-11-20", "2025-11-20", 6),
        ("2020-02-29", "2026-02-28", 5),
        ("2020-02-29", "2026-03-01", 6),
        ("2020-02-29", "2028-02-29", 8),
        ("2026-01-01", "2026-01-01", 0),
    ],
)
def test_age_is_full_years_and_29_february_turns_on_1_march(born: str, on: str, age: int) -> None:
    assert age_on(date.fromisoformat(born), date.fromisoformat(on)) == age


@given(DAYS, st.integers(0, 40), HOLIDAYS)
def test_business_days_against_counting_on_fingers(start: date, count: int, holidays: frozenset[date]) -> None:
    found = add_business_days(start, count, holidays)
    between = [start + timedelta(days=step) for step in range(1, (found - start).days + 1)]
    counted = [day for day in between if day.strftime("%a") not in ("Sat", "Sun") and day not in holidays]
    assert len(counted) == count
    assert found == (counted[-1] if counted else start)


@given(DAYS, HOLIDAYS)
def test_a_holiday_never_makes_anything_due_earlier(start: date, holidays: frozenset[date]) -> None:
    assert add_business_days(start, 2, holidays) >= add_business_days(start, 2, NO_HOLIDAYS)
    assert is_business_day(add_business_days(start, 2, holidays), holidays)


@given(DAYS, st.sampled_from(ZONES))
def test_the_end_of_a_day_is_its_last_second_in_every_zone(day: date, zone_name: str) -> None:
    zone = ZoneInfo(zone_name)
    end = end_of_day(day, zone)
    if end.astimezone(zone).date() != day:
        # A day that the zone never had (Apia skipped 2011-12-30): the due time falls next to it, not days away.
        assert abs(end.astimezone(zone).date() - day) <= timedelta(days=1)
        return
    assert end.astimezone(zone).strftime("%H:%M:%S") == "23:59:59"
    assert local_date(end + timedelta(seconds=1), zone) > day


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds; the zone is the next argument
    st.integers(1, 30),
    st.sampled_from([ClockUnit.CALENDAR_DAYS, ClockUnit.BUSINESS_DAYS]),
    st.sampled_from(ZONES[:7]),
)
def test_due_times_are_after_the_anchor_and_on_the_right_local_day(
    anchor_at: datetime, count: int, unit: ClockUnit, zone_name: str
) -> None:
    zone = ZoneInfo(zone_name)
    due = due_at(anchor_at, count, unit, zone)
    days = (local_date(due, zone) - local_date(anchor_at, zone)).days
    assert due > anchor_at
    assert days == count if unit is ClockUnit.CALENDAR_DAYS else days >= count
    assert due.astimezone(zone).time().isoformat() == "23:59:59"

"""The trust line's months of feeds: what is to be heard, what was, and a silent feed lowers it."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.store.feed_counts import first_id_at
from app.store.measure_trust import facility_months
from app.store.raw import Raw

ALONE, EXCHANGE, NORTH, SOUTH = (UUID(int=0xA0 + number) for number in range(4))
FEED, BEHIND = UUID(int=0xF1), UUID(int=0xF2)
UNTIL = datetime(2026, 4, 30, tzinfo=UTC)


def at(month: int, day: int = 2, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


async def found(raw: Raw) -> None:
    """Two feeds since January: one of a hospital, and an exchange's that brings two more."""
    for number, one in enumerate((ALONE, EXCHANGE, NORTH, SOUTH)):
        await raw.execute(
            "insert into organization (id, name, kind, program_roles, part2_status, facility_type, time_zone, holiday_calendar, "
            "created_at) values ($1, $2, 'hospital', '{}', 'not_program', 'acute', 'America/New_York', 'US', $3)",
            one, f"Hospital {number}", at(1),
        )  # fmt: skip
    for feed, owner in ((FEED, ALONE), (BEHIND, EXCHANGE)):
        await raw.execute(
            "insert into feed (id, organization_id, sending_application, sending_facility, time_zone, assigning_authority, mode, profile, "
            "created_at) values ($1, $2, 'A', $3, 'America/New_York', 'A', 'live', '{}', $4)",
            feed, owner, str(feed), at(1),
        )  # fmt: skip
        await mode(raw, feed, 1, "live", at(1))
        for month in (1, 2, 3, 4):
            await raw.execute("insert into feed_hour (feed_id, hour_at, messages) values ($1, $2, 9)", feed, at(month, 20))
    for place, code in ((NORTH, "N"), (SOUTH, "S")):
        await raw.execute(
            "insert into feed_facility (feed_id, code, organization_id, time_zone, assigning_authority, mapped_at) "
            "values ($1, $2, $3, 'America/New_York', 'A', $4)",
            BEHIND, code, place, at(1),
        )  # fmt: skip
    for month, place in [(month, NORTH) for month in (1, 2, 3, 4)] + [(1, SOUTH), (2, SOUTH)]:
        await raw.execute(
            "insert into encounter (id, source, feed_id, facility_id, visit_authority, visit_number, record_id, person_id, status, class, "
            "behavioral_kind, provisional, mode, state, last_key, version, created_at, updated_at) values ($1, 'adt', $2, $3, 'A', $4, "
            "gen_random_uuid(), gen_random_uuid(), 'finished', 'inpatient', 'none', false, 'live', '{}', '', 1, $5, $5)",
            UUID(int=first_id_at(at(month, 15)).int + month + place.int * 64), BEHIND, place, f"{month}", at(month, 15),
        )  # fmt: skip


async def mode(raw: Raw, feed: UUID, version: int, mode_: str, since: datetime) -> None:
    await raw.execute(
        "insert into feed_version (feed_id, version, mode, time_zone, assigning_authority, profile, changed_at) "
        "values ($1, $2, $3, 'America/New_York', 'A', '{}', $4)",
        feed, version, mode_, since,
    )  # fmt: skip


async def silent(raw: Raw, feed: UUID, heard: datetime, noticed: datetime, again: datetime | None) -> None:
    await raw.execute(
        "insert into feed_silence (id, feed_id, last_message_at, opened_at, missing, closed_at) "
        "values (gen_random_uuid(), $1, $2, $3, 9, $4)",
        feed, heard, noticed, again,
    )  # fmt: skip


async def healthy(raw: Raw, place: UUID) -> list[bool | None]:
    """For each month from January on: expected and healthy, expected and not, or (None) not expected."""
    months: list[bool | None] = []
    for month in range(1, 5):
        expected, whole = await facility_months(raw, date(2026, month, 1), at(month + 1, 1) - timedelta(seconds=1), place, known_at=UNTIL)
        months.append(bool(whole) if expected else None)
    return months


@pytest.fixture
async def raw(engine_work: AsyncEngine) -> AsyncIterator[Raw]:
    async with wiring.open_transaction(engine_work)() as opened:
        await found(opened)
        yield opened


async def test_each_facility_is_expected_each_month_and_a_hospital_behind_an_exchange_speaks_for_itself(raw: Raw) -> None:
    assert await facility_months(raw, date(2026, 1, 1), UNTIL, None, known_at=UNTIL) == (12, 10)
    assert await healthy(raw, ALONE) == [True] * 4
    assert await healthy(raw, NORTH) == [True] * 4
    assert await healthy(raw, SOUTH) == [True, True, False, False], "the other hospital's messages are not its own"
    assert await healthy(raw, EXCHANGE) == [None] * 4, "it has no stays of its own"


async def test_a_silence_is_as_long_as_nothing_came_and_not_as_its_alert_was_open(raw: Raw) -> None:
    """A small hospital misses ten messages in four days only, and the eleventh comes an hour after the alert."""
    await silent(raw, FEED, at(2, 10), at(2, 14), at(2, 14, 1))
    await silent(raw, FEED, at(4, 10), at(4, 10, 12), at(4, 10, 23))
    assert await healthy(raw, ALONE) == [True, False, True, True]


async def test_a_silence_over_the_end_of_a_month_is_in_both_and_an_open_one_goes_on(raw: Raw) -> None:
    await silent(raw, FEED, at(1, 31, 4), at(1, 31, 10), at(2, 1, 20))
    await silent(raw, FEED, at(3, 31, 20), at(4, 1), None)
    assert await healthy(raw, ALONE) == [False, False, False, False]
    earlier = await facility_months(raw, date(2026, 3, 1), at(4, 1, 6), ALONE, known_at=at(4, 1, 6))
    assert earlier == (2, 2), "a day had not passed then, nor is what came later known"


async def test_what_is_expected_is_what_the_feed_was_in_that_month(raw: Raw) -> None:
    """It was tried in January, went live in February, and is only listened to since the tenth of March: that is over, and stands."""
    await raw.execute("update feed_version set mode = 'test' where feed_id = $1", FEED)
    await mode(raw, FEED, 2, "live", at(2, 20))
    await mode(raw, FEED, 3, "shadow", at(3, 10))
    await raw.execute("update feed set mode = 'shadow' where id = $1", FEED)
    await silent(raw, FEED, at(3, 10), at(3, 12), None)
    assert await healthy(raw, ALONE) == [None, True, True, None]


async def heard(raw: Raw, place: UUID, days: Sequence[date], usual: float, quiet_since: date | None = None) -> None:
    """Discharges of a facility on each of these days; the first ended a silence if one is given."""
    for number, on in enumerate(days):
        await raw.execute(
            "insert into facility_day (feed_id, facility_id, day_on, discharges, usual, quiet_since) values ($1, $2, $3, 4, $4, $5)",
            BEHIND, place, on, usual, quiet_since if number == 0 else None,
        )  # fmt: skip


async def test_a_hospital_behind_an_exchange_is_silent_by_its_own_rhythm(raw: Raw) -> None:
    """Of four discharges a day ten are missing after three days without one: in February, and since the first of April."""
    await raw.execute("insert into feed_watch (id, judged_to) values (1, $1)", UNTIL - timedelta(days=1))
    await heard(raw, NORTH, [date(2026, 2, 5)], 4.0)
    await heard(raw, NORTH, [date(2026, 2, 9), date(2026, 3, 31)], 4.0, date(2026, 2, 5))
    await heard(raw, SOUTH, [date(2026, 2, 5), date(2026, 3, 31)], 0.1)
    assert await healthy(raw, NORTH) == [True, False, True, False]
    assert await healthy(raw, SOUTH) == [True, True, False, False], "three are missing, and its stays are"
    assert await healthy(raw, ALONE) == [True] * 4
    then = at(4, 4)
    assert await facility_months(raw, date(2026, 3, 1), then, NORTH, known_at=then) == (2, 2), (
        "two days were missing, as far as was counted"
    )

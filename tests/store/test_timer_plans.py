"""A worklist full of pending clocks costs the timers nothing: every statement of theirs searches an index, in order."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.store import follow_ups, timer_notices
from app.store.engine import raw_connection
from app.store.unit_of_work import unit_of_work
from tests.store.test_read_plans import Overheard
from tests.support.databases import Database
from tests.support.plans import plan_of_sql

AT = datetime(2026, 3, 2, 15, tzinfo=UTC)
SOME = [UUID(int=7)]
PENDING_CLOCKS = """
insert into organization (id, name, kind, program_roles, part2_status, facility_type, time_zone, holiday_calendar, created_at)
    values ('00000000-0000-0000-0000-000000000001', 'Home', 'health_home', '{}', 'unknown', 'unknown', 'America/New_York', 'US', now());
insert into person (id, created_at) select ('00000000-0000-0000-0001-' || lpad(n::text, 12, '0'))::uuid, now()
    from generate_series(1, 20000) as n;
insert into encounter (id, source, person_id, record_id, visit_number, visit_authority, mode, state, last_key, status, class,
    behavioral_kind, provisional, version, created_at, updated_at)
    select ('00000000-0000-0000-0002-' || lpad(n::text, 12, '0'))::uuid, 'adt',
        ('00000000-0000-0000-0001-' || lpad(n::text, 12, '0'))::uuid, gen_random_uuid(), 'V' || n, '', 'live', '{}', '',
        'finished', 'inpatient', 'none', true, 1, now(), now() from generate_series(1, 20000) as n;
insert into follow_up (id, encounter_id, home_id, person_id, programs, state, state_reasons, opened_at, clocks, next_change_at, updated_at,
    version, of_reporter_alone)
    select gen_random_uuid(), ('00000000-0000-0000-0002-' || lpad(n::text, 12, '0'))::uuid, '00000000-0000-0000-0000-000000000001',
        ('00000000-0000-0000-0001-' || lpad(n::text, 12, '0'))::uuid, '{}', 'open', '[]', now(), '[]',
        timestamptz '2026-03-02' + n * interval '1 minute', now(), 1, false from generate_series(1, 20000) as n;
insert into timer_notice (subject_id, name, step, version_at, follow_up_id, outcome, fired_at)
    select id, 'x.y', 50, now(), id, 'told', now() from follow_up;
"""
Job = Callable[[Any], Awaitable[Any]]
JOBS: dict[str, tuple[Job, set[str]]] = {
    "what time changes": (lambda raw: follow_ups.due_for_change(raw, AT, 10), {"ix_follow_up_timer"}),
    "who is told beside the home": (lambda raw: timer_notices.followers(raw, SOME), {"pk_telling"}),
    "what they were told": (lambda raw: timer_notices.told_of(raw, SOME), {"pk_follow_up_telling"}),
    "whom a home names": (lambda raw: timer_notices.contacts_of(raw, SOME), {"pk_escalation_contact"}),
}


@pytest.fixture
def database(fresh_database: Database) -> Database:
    """Give one of its own: the statistics of other tests' rows would choose the plan."""
    return fresh_database


@pytest.fixture
async def pending(engine_work: AsyncEngine, engine_owner: AsyncEngine) -> None:
    """Fill the worklist with pending clocks."""
    async with unit_of_work(engine_work, None) as connection:
        await (await raw_connection(connection)).execute(PENDING_CLOCKS)
    async with engine_owner.begin() as connection:
        await (await raw_connection(connection)).execute("analyze follow_up, timer_notice, telling, follow_up_telling, escalation_contact")


@pytest.mark.usefixtures("pending")
async def test_the_timers_search_their_indexes(engine_work: AsyncEngine) -> None:
    for name, (job, wanted) in JOBS.items():
        overheard: Any = Overheard()
        await job(overheard)
        async with unit_of_work(engine_work, None) as connection:
            ((query, values),) = overheard.asked
            plan = await plan_of_sql(connection, query, *values)
        assert wanted - plan.searched_indexes == set(), name
        assert "follow_up" not in plan.scanned_tables, name
        if name == "what time changes":
            assert not plan.sorts


@pytest.mark.usefixtures("pending")
async def test_what_is_told_once_is_noted_once_whoever_asks(engine_work: AsyncEngine) -> None:
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        row = await raw.fetchrow("select id from follow_up limit 1")
        assert row is not None
        wanted = [timer_notices.Once(row["id"], "x.y", step, AT, row["id"]) for step in (50, 80)]
        assert await timer_notices.claim(raw, wanted[:1], AT) == {wanted[0].key}
        assert await timer_notices.claim(raw, wanted, AT) == {wanted[1].key}
        assert await timer_notices.claim(raw, wanted, AT) == set()

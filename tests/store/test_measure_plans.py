"""Rates, their events and the keeping of the ledger use indexes: the reads as the app role with the policy on, the rest as work."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.commit_order import Between, Position
from app.domain.measure import EvidenceSource
from app.domain.viewer import OPERATOR, Viewer
from app.store import measure_lines, measure_reads, measure_rights, measure_segments, transfers
from app.store.engine import raw_connection
from app.store.measure_rates import rates
from app.store.measure_reads import GROUPS, LineFilter, Told
from app.store.unit_of_work import unit_of_work
from tests.store.test_read_plans import SOMEBODY, Overheard
from tests.support.plans import Plan, plan_of_sql

pytestmark = pytest.mark.plans
AT = datetime(2026, 3, 2, 15, tzinfo=UTC)
YEAR = {"measure": "FUH", "from_on": date(2026, 1, 1), "to_on": date(2026, 12, 31)}
OWN = LineFilter(organizations=[UUID(int=7)], **YEAR)
ALL = LineFilter(organizations=(), **YEAR)
OVER = LineFilter(organizations=[UUID(int=7)], mature_before=date(2026, 12, 1), **YEAR)
PAST = LineFilter(organizations=[UUID(int=7)], known_at=AT, **YEAR)

_LINES = """
insert into measure_line (encounter_id, measure, organization_id, person_id, period, anchor_on, due_7_on, due_30_on, status_7, status_30,
    reason, age, home_id, home_7_id, home_30_id, moved, rule_version, reasons, next_change_at, known_from, known_to)
select gen_random_uuid(), (array['FUH', 'FUM', 'FUA'])[1 + n % 3],
    case when n % 4 > 0 then ('00000000-0000-0000-0000-00000000000' || (5 + n % 4))::uuid end, gen_random_uuid(), 2020 + n % 8,
    date '2020-01-01' + n % 2900, '2026-01-08', '2026-01-31', 'met', 'met', 'x', n % 90,
    ('00000000-0000-0000-0000-0000000001' || lpad((n % 60)::text, 2, '0'))::uuid,
    case when n % 25 = 0 then ('00000000-0000-0000-0000-0000000001' || lpad((n % 7)::text, 2, '0'))::uuid end,
    case when n % 25 = 0 then ('00000000-0000-0000-0000-0000000001' || lpad((n % 11)::text, 2, '0'))::uuid end, n % 25 = 0, 'v', '{}',
    case when n % 50 = 0 then timestamptz '2026-01-01' + n * interval '1 hour' end, timestamptz '2020-01-02' + n % 2900 * interval '1 day',
    case when n % 5 = 0 then timestamptz '2027-01-02' end
from generate_series(1, 20000) as n
"""


@pytest.fixture
async def lines(engine_work: AsyncEngine, engine_owner: AsyncEngine) -> None:
    """Fill the ledger as a pilot's is: of an empty table every partial index is as good as any other."""
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute(_LINES)
        assert await measure_segments.fold(raw)
    async with engine_owner.begin() as connection:
        await (await raw_connection(connection)).execute("analyze measure_line, measure_segment, measure_word, measure_change")


Read = Callable[[Any], Awaitable[Any]]
READS: dict[str, tuple[Viewer, Read, set[str]]] = {
    "own rates": (
        SOMEBODY,
        lambda raw: rates(raw, OWN, ["month"], [6, 18, 65]),
        {"ix_measure_segment_rate", "ix_measure_change_rate"},
    ),
    "rates of all": (OPERATOR, lambda raw: rates(raw, ALL, ["facility"], [6]), {"ix_measure_segment_rate"}),
    "own rates of what is over": (
        SOMEBODY,
        lambda raw: rates(raw, OVER, ["home", "quarter"], [6]),
        {"ix_measure_segment_rate", "ix_measure_change_rate"},
    ),
    "own rates less what is withheld": (
        SOMEBODY,
        lambda raw: rates(raw, replace(OWN, without={5, 7}), ["month", "age_band"], [6, 18, 65]),
        {"ix_measure_segment_rate", "pk_measure_line"},
    ),
    "own rates by homes that not everybody may know of": (
        SOMEBODY,
        lambda raw: rates(raw, replace(OWN, reserved=frozenset({UUID(int=9)})), ["home"], [6]),
        {"ix_measure_segment_rate", "ix_measure_line_home"},
    ),
    "rates as they were": (SOMEBODY, lambda raw: rates(raw, PAST, [], [6]), {"ix_measure_segment_rate", "ix_measure_change_rate"}),
    "rates as they were within a second": (
        SOMEBODY,
        lambda raw: rates(raw, replace(PAST, known_at=AT.replace(microsecond=5)), [], [6]),
        {"ix_measure_segment_rate", "ix_measure_change_rate"},
    ),
    "rates as they were by homes that not everybody may know of": (
        SOMEBODY,
        lambda raw: rates(raw, replace(PAST, reserved=frozenset({UUID(int=0x105)})), ["home"], [6]),
        {"ix_measure_segment_rate", "ix_measure_line_home", "ix_measure_line_home_was"},
    ),
    "rates as they were by the home of a later day": (
        SOMEBODY,
        lambda raw: rates(raw, replace(PAST, home_days=30), ["home"], [6]),
        {"ix_measure_segment_rate", "ix_measure_line_moved"},
    ),
    "own events": (
        SOMEBODY,
        lambda raw: measure_reads.events(raw, OWN, after=(date(2026, 2, 1), 5), limit=101),
        {"ix_measure_line_rate"},
    ),
}
READS["own changes"] = (
    SOMEBODY,
    lambda raw: measure_reads.events(raw, replace(OWN, changed_since=AT), after=None, limit=101),
    {"uq_measure_line_standing"},
)
READS["own commits"] = (
    SOMEBODY,
    lambda raw: measure_reads.events(raw, replace(OWN, committed=Between(Position(5, 9, (7,)), Position(20, 20))), after=None, limit=101),
    {"ix_measure_line_known"},
)
READS["own gaps"] = (
    SOMEBODY,
    lambda raw: measure_reads.events(raw, replace(OWN, status="pending"), after=None, limit=101),
    {"ix_measure_line_rate"},
)
LATER = replace(OWN, home_days=7)
"""By the home of day 7."""
READS["own rates by the home of a later day"] = (
    SOMEBODY,
    lambda raw: rates(raw, LATER, ["home"], [6]),
    {"ix_measure_segment_rate", "ix_measure_line_moved"},
)
READS["own events of a home"] = (
    SOMEBODY,
    lambda raw: measure_reads.events(raw, replace(OWN, home_id=UUID(int=0x105)), after=None, limit=101),
    {"ix_measure_line_home"},
)
READS["own events of a home of a later day"] = (
    SOMEBODY,
    lambda raw: measure_reads.events(raw, replace(LATER, home_id=UUID(int=0x105)), after=None, limit=101),
    {"ix_measure_line_home", "ix_measure_line_moved"},
)
JOBS: dict[str, tuple[Read, set[str]]] = {
    "what stands": (
        lambda raw: measure_lines.standing(raw, [UUID(int=8)], [UUID(int=9)]),
        {"ix_measure_line_person", "uq_measure_line_standing"},
    ),
    "whose stays moved": (
        lambda raw: transfers.chains(raw, [UUID(int=9)]),
        {"ix_follow_up_moved", "ix_follow_up_owner_follow_up_id"},
    ),
    "what time changes": (lambda raw: measure_lines.due_for_change(raw, AT, 10), {"ix_measure_line_timer"}),
}  # fmt: skip


@pytest.mark.usefixtures("lines")
@pytest.mark.parametrize("name", READS)
async def test_a_read_searches_its_index(engine_app: AsyncEngine, name: str) -> None:
    viewer, read, wanted = READS[name]
    await _check(engine_app, viewer, read, wanted)


@pytest.mark.usefixtures("lines")
@pytest.mark.parametrize("evidence", [None, EvidenceSource.CONTACTS, EvidenceSource.CLAIMS])
async def test_a_rate_is_summed_from_segments_and_no_line_is_read(engine_app: AsyncEngine, evidence: EvidenceSource | None) -> None:
    """By whatever it is grouped, whose word is heard, what is open and what is over: of a million lines none is looked at."""
    told = Told(source=evidence, today=date(2026, 12, 20), window_days=0) if evidence else None
    of_a_home = replace(OWN, home_id=UUID(int=0x105), facility_id=UUID(int=9))
    cut = replace(OWN, from_on=date(2026, 3, 9), to_on=date(2026, 8, 20))
    words = [name for name in GROUPS if name != "payer"]
    for wanted in (OWN, OVER, PAST, of_a_home, cut):
        for groups in ((), *((name,) for name in words), ("home", "facility", "age_band", "race", "month"), words):
            plan = await _plan_of_rates(engine_app, wanted, groups, told)
            assert plan.read_of("measure_line") == []
            assert plan.read_of("measure_segment") == [("Index Scan", "ix_measure_segment_rate")]


async def test_of_a_segment_only_what_is_asked_by_is_read() -> None:
    """A column is kept apart from its row, and what no statement names is not fetched: a rate by sex reads a quarter of a segment."""
    told = Told(source=EvidenceSource.CLAIMS, today=date(2026, 12, 20), window_days=0)
    for wanted, groups, by, columns in (
        (OWN, (), None, ["outcome"]),
        (OWN, ("month", "quarter"), None, ["outcome"]),
        (OWN, ("sex", "home"), None, ["outcome", "sex", "home_id"]),
        (OWN, ("age_band",), told, ["outcome", "age", "day"]),
        (PAST, ("race",), None, ["outcome", "race", "known_from", "known_to"]),
    ):
        overheard: Any = Overheard()
        await rates(overheard, wanted, groups, [6], by)
        assert f"array[{', '.join(f's.{name}' for name in columns)}]" in overheard.asked[0][0]


@pytest.mark.usefixtures("lines")
@pytest.mark.parametrize("groups", [(), ("home", "quarter"), ("home", "facility", "month"), ("age_band",)])
@pytest.mark.parametrize("known_at", [None, AT])
async def test_by_the_home_of_a_later_day_only_what_moved_is_read_beside_the_segments(
    engine_app: AsyncEngine, engine_owner: AsyncEngine, groups: Sequence[str], known_at: datetime | None
) -> None:
    """Once as it was and once as it went, by an index that has nothing else: of a million lines a few thousand."""
    await _until_all_see_all(engine_owner)
    plan = await _plan_of_rates(engine_app, replace(LATER, known_at=known_at), groups, None)
    assert plan.read_of("measure_line") == [("Index Only Scan", "ix_measure_line_moved")] * 2
    assert plan.read_of("measure_segment") == [("Index Scan", "ix_measure_segment_rate")]


@pytest.mark.usefixtures("lines")
@pytest.mark.parametrize("known_at", [None, AT])
async def test_lines_of_homes_that_not_everybody_may_know_of_are_summed_without_sorting(
    engine_app: AsyncEngine, known_at: datetime | None
) -> None:
    wanted = replace(OWN, known_at=known_at, reserved=frozenset(UUID(int=0x100 + number) for number in range(40)))
    plan = await _plan_of_rates(engine_app, wanted, ("home", "month"), None)
    assert not plan.sorts


async def _plan_of_rates(engine: AsyncEngine, wanted: LineFilter, groups: Sequence[str], told: Told | None) -> Plan:
    overheard: Any = Overheard()
    await rates(overheard, wanted, groups, [6, 18, 65], told)
    async with unit_of_work(engine, SOMEBODY) as connection:
        query, values = overheard.asked[0]
        return await plan_of_sql(connection, query, *values)


@pytest.mark.usefixtures("lines")
@pytest.mark.parametrize("name", JOBS)
async def test_a_job_searches_its_index(engine_work: AsyncEngine, name: str) -> None:
    read, wanted = JOBS[name]
    await _check(engine_work, None, read, wanted)


@pytest.mark.usefixtures("lines")
async def test_the_ends_of_a_measure_are_found_without_reading_what_is_between(engine_app: AsyncEngine) -> None:
    """Each of the indexes for rates begins with what is asked for, so any of them does."""
    overheard: Any = Overheard()
    await measure_reads.spans(overheard, ["FUH"], UUID(int=7))
    async with unit_of_work(engine_app, SOMEBODY) as connection:
        ((query, values),) = overheard.asked
        plan = await plan_of_sql(connection, query, *values)
    assert not plan.sorts
    assert plan.scanned_tables - {"organization_grant"} == set()
    assert all(name.startswith("ix_measure_line_") for name in plan.searched_indexes - {"pk_organization_grant"})


async def _until_all_see_all(engine_owner: AsyncEngine) -> None:
    """Vacuum: only pages that nobody's snapshot is older than are read by index alone, and a worker of PostgreSQL's own may hold one."""
    async with engine_owner.connect() as plain, asyncio.timeout(60):
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        while True:
            await connection.exec_driver_sql("vacuum analyze measure_line")
            seen = "select relallvisible = relpages from pg_class where oid = 'measure_line'::regclass"
            if (await connection.exec_driver_sql(seen)).scalar():
                return
            await asyncio.sleep(0.2)


async def _check(engine: AsyncEngine, viewer: Viewer | None, read: Read, wanted: set[str]) -> None:
    overheard: Any = Overheard()
    await read(overheard)
    async with unit_of_work(engine, viewer) as connection:
        plans = [await plan_of_sql(connection, query, *values) for query, values in overheard.asked]
    assert set().union(*(plan.scanned_tables for plan in plans)) - {"organization_grant"} == set()
    assert wanted - set().union(*(plan.searched_indexes for plan in plans)) == set()


@pytest.mark.usefixtures("lines")
async def test_what_was_in_doubt_is_found_by_its_stays_and_what_was_dropped(engine_app: AsyncEngine) -> None:
    """Of what was known on a past day no line is looked at that nobody dropped, superseded or doubts."""
    overheard: Any = Overheard()
    await measure_rights.in_doubt(overheard, PAST, AT)
    async with unit_of_work(engine_app, OPERATOR) as connection:
        ((query, values),) = overheard.asked
        plan = await plan_of_sql(connection, query, *values)
    assert "measure_line" not in plan.scanned_tables
    by = {"ix_measure_line_was", "ix_measure_line_was_superseded", "ix_measure_line_dropped", "ix_measure_line_person"}
    assert {name for _, name in plan.read_of("measure_line")} - {""} <= by | {"uq_measure_line_standing"}
    assert by <= plan.searched_indexes


@pytest.mark.usefixtures("lines")
async def test_what_is_in_doubt_is_found_by_its_people(engine_app: AsyncEngine) -> None:
    """Nearly always nobody: no line of anybody else is looked at, however many the organization has."""
    overheard: Any = Overheard()
    await measure_rights.in_doubt(overheard, OWN, AT)
    async with unit_of_work(engine_app, OPERATOR) as connection:
        ((query, values),) = overheard.asked
        plan = await plan_of_sql(connection, query, *values)
    assert "measure_line" not in plan.scanned_tables
    assert "ix_measure_line_person" in plan.searched_indexes

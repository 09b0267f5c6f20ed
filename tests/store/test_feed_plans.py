"""How feeds are counted and read uses indexes: the reads as the app role with the policies on, the job as the work role."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.feed import Feed
from app.domain.viewer import OPERATOR, Viewer
from app.store import feed_counts, feed_silences
from app.store.feed_health import read_health
from app.store.hanging import hanging_stays
from app.store.unit_of_work import unit_of_work
from tests.store.test_read_plans import SOMEBODY, Overheard
from tests.support.databases import Database
from tests.support.plans import plan_of_sql

pytestmark = pytest.mark.plans

AT = datetime(2026, 3, 2, 15, tzinfo=UTC)
FEED = Feed(UUID(int=9), UUID(int=7), "EPIC", "HOSPA", "America/New_York", "HOSPA")
FEW = frozenset({"feed", "feed_watch", "feed_pulse", "feed_silence"})
"""A row a feed, or an alert: how they are read does not matter to the job that takes them all."""


@pytest.fixture
def database(fresh_database: Database) -> Database:
    """Give one that never had a row: the statistics of other tests' rows would choose the plan."""
    return fresh_database


@pytest.mark.parametrize("viewer", [SOMEBODY, OPERATOR], ids=["an organization", "the operator"])
async def test_the_figures_of_feeds_are_found_by_their_feeds(engine_app: AsyncEngine, viewer: Viewer) -> None:
    overheard: Any = _OneOfNothing()
    await read_health(overheard, viewer, [FEED], AT, [("PV1-36", "Disposition")])
    searched: set[str] = set()
    async with unit_of_work(engine_app, viewer) as connection:
        for query, values in overheard.asked:
            plan = await plan_of_sql(connection, query, *values)
            assert plan.scanned_tables - {"feed_watch", "organization_grant"} == set(), query
            searched |= plan.searched_indexes
    assert {"pk_feed_hour", "pk_feed_field", "pk_feed_pulse", "ix_encounter_open"} <= searched
    assert searched & {"ix_feed_silence_feed", "uq_feed_silence_open"}


class _OneOfNothing(Overheard):
    async def fetchval(self, query: str, *values: Any) -> None:
        self.asked.append((query, values))

    async def execute(self, query: str, *values: Any) -> None:
        self.asked.append((query, values))


LATER = AT + timedelta(minutes=5)
Job = Callable[[Any], Awaitable[Any]]
JOBS: dict[str, tuple[Job, set[str]]] = {
    "the first message": (lambda raw: feed_counts.first_message_from(raw, AT), {"pk_inbound_message"}),
    "the first that waits": (lambda raw: feed_counts.waiting_since(raw, AT), {"pk_inbound_queue"}),
    "counting": (lambda raw: feed_counts.count_messages(raw, AT, LATER, timedelta(hours=1)), {"pk_inbound_message"}),
    "judging": (
        lambda raw: feed_counts.judge_discharges(raw, AT, LATER, ["A01"]),
        {"pk_adt_event", "ix_adt_event_encounter", "pk_inbound_message"},
    ),
    "sampling": (lambda raw: feed_counts.sample(raw, AT, LATER, of_a_kind=5, most=500), {"pk_inbound_message"}),
    "hearing": (lambda raw: feed_counts.hear(raw, AT), {"pk_inbound_message"}),
    "hours": (lambda raw: feed_silences.hour_counts(raw, [FEED.id], AT), {"pk_feed_hour"}),
    "hanging stays": (
        lambda raw: hanging_stays(raw, {"emergency": timedelta(days=3)}, AT, AT, 200),
        {"ix_encounter_open"},
    ),
}


@pytest.mark.parametrize("name", JOBS)
async def test_the_job_reads_a_range_and_not_the_table(engine_work: AsyncEngine, name: str) -> None:
    job, wanted = JOBS[name]
    overheard: Any = _OneOfNothing()
    await job(overheard)
    searched: set[str] = set()
    async with unit_of_work(engine_work, None) as connection:
        for query, values in overheard.asked:
            plan = await plan_of_sql(connection, query, *values)
            assert plan.scanned_tables - FEW == set(), query
            searched |= plan.searched_indexes
    assert wanted - searched == set()


async def test_figures_of_a_feed_of_somebody_else_are_not_given() -> None:
    overheard: Any = _OneOfNothing()
    assert await read_health(overheard, SOMEBODY, [replace(FEED, organization_id=UUID(int=8))], AT, []) == []

"""What attribution asks of the database for every batch and every send uses indexes, with the policies on where a viewer asks."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.viewer import OPERATOR, Viewer
from app.store import answers, attribution_reads, claims, ended_rights, reviews, transfers
from app.store.engine import raw_connection
from app.store.unit_of_work import unit_of_work
from tests.store.test_read_plans import SOMEBODY, Overheard
from tests.support.databases import Database
from tests.support.plans import plan_of_sql

pytestmark = pytest.mark.plans

NOW = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
SOME = [UUID(int=number) for number in (11, 12)]
SMALL = frozenset({"organization", "organization_grant"})
Ask = Callable[[Any], Awaitable[Any]]
JOBS: dict[str, tuple[Ask, set[str]]] = {
    "the claims of a batch": (lambda raw: claims.of_people(raw, SOME), {"ix_panel_member_person"}),
    "the answers of a batch": (lambda raw: answers.of_people(raw, SOME), {"ix_encounter_person", "ix_recipient_answer_encounter"}),
    "the offers of a batch": (lambda raw: transfers.of_follow_ups(raw, SOME), {"ix_follow_up_transfer_follow_up"}),
    "what must not leave": (
        lambda raw: ended_rights.not_to_be_sent(raw, SOME, NOW),
        {"pk_notification", "pk_encounter", "pk_telling", "ix_panel_member_person"},
    ),
}
READS: dict[str, tuple[Callable[[Any, Viewer], Awaitable[Any]], set[str]]] = {
    "reviews": (
        lambda raw, viewer: reviews.page(raw, viewer, kind=None, state="open", organization_id=None, after=SOME[0], limit=10),
        {"ix_recipient_answer_review_id"},
    ),
    "transfers": (lambda raw, viewer: transfers.page(raw, viewer, state=None, after=SOME[0], limit=10), {"pk_follow_up"}),
    "referral candidates": (
        lambda raw, viewer: attribution_reads.without_home(
            raw, viewer, since=date(2026, 2, 1), until=date(2026, 3, 1), today=date(2026, 3, 9), after=None, limit=10
        ),
        {"ix_encounter_discharged"},
    ),
}


@pytest.fixture
def database(fresh_database: Database) -> Database:
    """Give one that never had a row: the statistics of other tests' rows would choose the plan."""
    return fresh_database


async def _plans(engine: AsyncEngine, viewer: Viewer | None, ask: Ask) -> tuple[set[str], set[str]]:
    overheard: Any = Overheard()
    await ask(overheard)
    scanned: set[str] = set()
    searched: set[str] = set()
    if viewer is None:
        async with engine.connect() as connection:
            for query, values in overheard.asked:
                plan = await plan_of_sql(connection, query, *values)
                scanned, searched = scanned | plan.scanned_tables, searched | plan.searched_indexes
        return scanned, searched
    async with unit_of_work(engine, viewer) as connection:
        await raw_connection(connection)
        for query, values in overheard.asked:
            plan = await plan_of_sql(connection, query, *values)
            scanned, searched = scanned | plan.scanned_tables, searched | plan.searched_indexes
    return scanned, searched


@pytest.mark.parametrize("name", JOBS)
async def test_what_every_batch_asks_is_searched(engine_work: AsyncEngine, name: str) -> None:
    ask, indexes = JOBS[name]
    scanned, searched = await _plans(engine_work, None, ask)
    assert scanned - SMALL == set()
    assert indexes <= searched


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("viewer", [SOMEBODY, OPERATOR], ids=["an organization", "the operator"])
async def test_a_list_searches_its_index(engine_app: AsyncEngine, viewer: Viewer, name: str) -> None:
    ask, indexes = READS[name]
    scanned, searched = await _plans(engine_app, viewer, lambda raw: ask(raw, viewer))
    assert scanned & {"review", "follow_up_transfer", "encounter"} == set()
    assert indexes <= searched

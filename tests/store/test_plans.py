"""The measure itself: the plan guard sees an index where one is used, a scan where none can be, and what a policy takes away."""

from uuid import UUID

import pytest
from sqlalchemy import Text, cast, select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.viewer import Viewer
from app.store.tables import metadata
from app.store.unit_of_work import unit_of_work
from tests.support.databases import Database
from tests.support.plans import plan_of, plan_of_sql

pytestmark = pytest.mark.plans

HOME = Viewer(organization_id=UUID(int=7), scopes=frozenset())


@pytest.fixture
def database(fresh_database: Database) -> Database:
    """Give one that never had a row: the statistics of other tests' rows would choose the plan."""
    return fresh_database


async def test_a_search_by_key_is_seen_as_one(engine_app: AsyncEngine) -> None:
    feed = metadata.tables["feed"]
    async with unit_of_work(engine_app, HOME) as connection:
        by_key = await plan_of(connection, select(feed).where(feed.c.id == UUID(int=1)))
        whole = await plan_of(connection, select(feed))
        raw = await plan_of_sql(connection, "SELECT * FROM feed WHERE id = ANY($1::uuid[])", [UUID(int=1)])
    assert by_key.searched_indexes == {"pk_feed"}
    assert by_key.scanned_tables == frozenset()
    assert raw.searched_indexes == {"pk_feed"}
    assert whole.scanned_tables == {"feed"}


async def test_an_operator_that_is_not_leakproof_loses_its_index_under_a_policy(engine_app: AsyncEngine, engine_work: AsyncEngine) -> None:
    """The reason for "equality and < only" in hot reads: the same statement keeps its index for work and loses it for app."""
    message = metadata.tables["inbound_message"]
    equal = select(message).where(message.c.id == UUID(int=1))
    # A cast is a function, and no function is leakproof unless somebody says so.
    foreign = select(message).where(message.c.id == cast(cast(message.c.organization_id, Text), message.c.id.type))
    async with unit_of_work(engine_work, None) as connection:
        assert "pk_inbound_message" in (await plan_of(connection, equal)).searched_indexes
    async with unit_of_work(engine_app, HOME) as connection:
        # The policy's own equality may join the search: an index of organization and id serves both.
        searched = (await plan_of(connection, equal)).searched_indexes
        assert searched & {"pk_inbound_message", "ix_inbound_message_organization"}, searched
        assert "inbound_message" in (await plan_of(connection, foreign)).scanned_tables

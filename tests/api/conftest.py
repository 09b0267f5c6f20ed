"""Fixtures of the HTTP face: an exchange with organizations and keys, and one in which Ann's stay has been told.

Both begin from a copy of what was told once (told.py). A module that begins with something else of its own names it by `telling`.
"""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.api.told import Telling, Told, nothing_more, told_once, world_of
from tests.api.world import World, tell_the_story
from tests.support import databases
from tests.support.databases import Database


@pytest.fixture
def telling(request: pytest.FixtureRequest) -> Telling | None:
    """What has happened in the database when the test begins."""
    if "story" in request.fixturenames:
        return tell_the_story
    return nothing_more if "world" in request.fixturenames else None


@pytest.fixture
async def told_before(telling: Telling | None, server_url: str, template: str, worker_database_name: str) -> Told | None:
    """The same, told."""
    return await told_once(server_url, template, worker_database_name, telling) if telling else None


@pytest.fixture
async def database(told_before: Told | None, server_url: str, template: str, worker_database_name: str) -> AsyncIterator[Database]:
    """A database of this test alone in which that was told; without a telling the worker's, without a row, emptied after the test."""
    found = (
        databases.copied(server_url, told_before.name) if told_before else databases.of_worker(server_url, template, worker_database_name)
    )
    async for one in found:
        yield one


@pytest.fixture
async def world(told_before: Told, engine_work: AsyncEngine, engine_app: AsyncEngine) -> AsyncIterator[World]:
    """Four organizations with their keys, a feed, and the claims on Ann."""
    async with world_of(told_before, engine_work, engine_app) as made:
        yield made


@pytest.fixture
def story(world: World) -> World:
    """The same, after Ann was admitted and discharged."""
    return world

"""Fixtures of the HTTP face: an exchange with organizations and keys, and one in which Ann's stay has been told."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.api.world import World, exchange, tell_the_story


@pytest.fixture
async def world(engine_work: AsyncEngine, engine_app: AsyncEngine) -> AsyncIterator[World]:
    """Four organizations with their keys, a feed, and the claims on Ann."""
    async with exchange(engine_work, engine_app) as made:
        yield made


@pytest.fixture
async def story(world: World) -> World:
    """The same, after Ann was admitted and discharged."""
    await tell_the_story(world)
    return world

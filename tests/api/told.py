"""What many tests begin with is told once a worker, over the HTTP face, and each test gets a copy of the database it was told in.

A copy takes a tenth of a second and is the same to the last row, number and time. Nothing is shared: the processes' parts are built anew.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from app.store.engine import make_engine
from app.store.roles import Role
from tests.api.world import World, exchange, unpeopled
from tests.support import databases
from tests.support.databases import Database

Telling = Callable[[World], Awaitable[None]]
"""Goes on from a peopled exchange."""


@dataclass(frozen=True, slots=True)
class Told:
    """A database in which something was told, and what those who act in it hold."""

    name: str
    keys: dict[str, str]
    ids: dict[str, str]
    at: datetime


async def nothing_more(_: World) -> None:
    """Leave it at the organizations, their keys, the feed and the claims."""


_told: dict[tuple[str, Telling], Told] = {}


async def told_once(server_url: str, template: str, worker: str, telling: Telling) -> Told:
    """Tell it in a database of its own, unless this worker has done so."""
    if (worker, telling) not in _told:
        name = f"{worker}_told{len(_told)}"
        await databases.make_template(server_url, template)
        await databases.drop(server_url, name)
        _told[worker, telling] = await _tell(await databases.clone(server_url, template, name), name, telling)
    return _told[worker, telling]


async def _tell(database: Database, name: str, telling: Telling) -> Told:
    work, app = (make_engine(database.url, database.network, role, name="tests") for role in (Role.WORK, Role.APP))
    try:
        async with exchange(work, app) as world:
            await telling(world)
            return Told(name, dict(world.keys), dict(world.ids), world.stage.clock.now())
    finally:
        # A database is copied only while nobody is in it.
        await work.dispose()
        await app.dispose()


@asynccontextmanager
async def world_of(told: Told, work: AsyncEngine, app: AsyncEngine) -> AsyncIterator[World]:
    """Give the exchange as it was after the telling, over a copy of its database."""
    async with unpeopled(work, app) as world:
        world.keys |= told.keys
        world.ids |= told.ids
        world.stage.clock.set(told.at)
        yield world

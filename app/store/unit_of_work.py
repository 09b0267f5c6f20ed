"""One transaction with one viewer, opened by a route, the pipeline or a timer, and committed at its edge. Not here: any statement.

The viewer is set for the transaction only (SET LOCAL), so a pooled connection never carries it to the next one. BEGIN and the
viewer travel together in one round trip, and the transaction is really open before the first statement.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.domain.viewer import Viewer
from app.store.audit import write_noted
from app.store.engine import raw_connection
from app.store.roles import OPERATOR_SETTING, VIEWER_SETTING

_ROLLBACK_S_MAX: Final = 2.0
"""A server that is frozen or cut off would be waited for until the operating system gives the connection up, two hours later."""


@asynccontextmanager
async def unit_of_work(engine: AsyncEngine, viewer: Viewer | None) -> AsyncIterator[AsyncConnection]:
    """Open a transaction as the viewer; commit when the block ends, roll back when it raises or is cancelled.

    What the task has noted for the audit (store/audit) is written with it.

    `None` is for work that asks for nobody (the work role, whose policy does not look): the app role then sees no row at all.
    """
    async with engine.connect() as connection:
        raw = await raw_connection(connection)
        if raw.is_closed():
            # The server was restarted while the connection lay in the pool. Nothing was sent on it, so a new one is as good.
            await connection.invalidate()
            raw = await raw_connection(connection)
        finished = False
        try:
            await raw.execute(_begin(viewer))
            yield connection
            await write_noted(raw)
            await raw.execute("COMMIT")
            finished = True
        finally:
            if not finished:
                await _abandon(connection, raw)


async def _abandon(connection: AsyncConnection, raw: asyncpg.Connection) -> None:
    """Roll back. A connection that is broken, mute, or in the middle of a cancelled statement is thrown away: the server rolls back."""
    if connection.invalidated:
        raw.terminate()
        return
    try:
        async with asyncio.timeout(_ROLLBACK_S_MAX):
            await raw.execute("ROLLBACK")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncio.CancelledError):
        raw.terminate()
        await connection.invalidate()


def _begin(viewer: Viewer | None) -> str:
    """Give BEGIN with the viewer. Several statements take no parameters; a UUID and a word of ours may stand in the text."""
    if viewer is None:
        return "BEGIN"
    organization = str(viewer.organization_id) if viewer.organization_id is not None else ""
    operator = "on" if viewer.is_operator else ""
    return f"BEGIN; SET LOCAL {VIEWER_SETTING} = '{organization}'; SET LOCAL {OPERATOR_SETTING} = '{operator}'"

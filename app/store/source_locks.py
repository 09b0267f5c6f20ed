"""Who has which drop: session locks on one connection of its own, so that one process at a time works on a drop.

A lock ends with its session: a process that dies lets go at once, a frozen one when the supervisor kills it. One whose connection was
cut works on beside its successor for a moment; that is allowed for (app/drop). Not here: what is done with a drop.
"""

import asyncio
from typing import Final

import asyncpg

from app.store.engine import PoolLimits, connection_settings, plain_url
from app.store.roles import Network, Role

_TIMEOUT_S: Final = 5.0
_HOLD: Final = "select pg_try_advisory_lock($1, hashtext($2))"


class SourceLocks:
    """The locks of one process."""

    def __init__(self, url: str, network: Network, lock_space: int, *, name: str) -> None:
        """Connect to nothing yet."""
        self._url, self._lock_space = url, lock_space
        self._settings = connection_settings(network, Role.WORK, PoolLimits(), name=name) | {"tcp_keepalives_idle": "30"}
        self._connection: asyncpg.Connection | None = None
        self._held: set[str] = set()
        self._turn = asyncio.Lock()

    async def hold(self, source: str) -> bool:
        """Take a drop, or make sure that it is still ours; False while another process has it. Raises what the database raises."""
        async with self._turn:
            connection = await self._connected()
            try:
                if source in self._held:
                    await connection.fetchval("select 1", timeout=_TIMEOUT_S)
                elif await connection.fetchval(_HOLD, self._lock_space, source, timeout=_TIMEOUT_S):
                    self._held.add(source)
            except BaseException:
                self._let_go()
                raise
            return source in self._held

    async def close(self) -> None:
        """Let go of everything."""
        async with self._turn:
            self._let_go()

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._let_go()
            self._connection = await asyncpg.connect(plain_url(self._url), timeout=_TIMEOUT_S, server_settings=self._settings)
        return self._connection

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        self._held.clear()
        if connection is not None:
            connection.terminate()

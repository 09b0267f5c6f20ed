"""Databases for tests: a template with all migrations, made once a run; clones of it; and emptying one between two tests.

Emptying deletes from the tables that have rows, children first: about 5 ms, where a clone takes about 0.1 s. A test that changes
the schema, or must be alone, asks for a clone (`fresh_database`).
"""

import asyncio
import re
import secrets
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import asyncpg

from app.store.engine import plain_url
from app.store.roles import Network, Role
from app.store.tables import metadata
from app.store.tables.policies import APPEND_ONLY
from migrations.run import migrate_up

NETWORK = Network("handoff")
KEPT = frozenset({"registry_version"})
"""What a migration wrote and the service relies on."""
_BIG_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database of one test: its address and the network in it."""

    url: str
    network: Network = NETWORK


def url_of(server_url: str, database: str) -> str:
    """Give the address of another database of the same server."""
    return re.sub(r"^(\w+://[^/?]*)(/[^?]*)?", rf"\1/{database}", plain_url(server_url), count=1)


async def make_template(server_url: str, template: str) -> None:
    """Make the template unless another worker has. One at a time, by a lock in the server's own database."""
    if template in _made:
        return
    connection = await asyncpg.connect(plain_url(server_url))
    try:
        await connection.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", template)
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", template):
            growing = f"{template}_growing"
            await connection.execute(f"CREATE DATABASE {growing}")
            await migrate_up(url_of(server_url, growing), NETWORK)
            await connection.execute(f"ALTER DATABASE {growing} RENAME TO {template}")
        _made.add(template)
    finally:
        await connection.close()


async def clone(server_url: str, template: str, name: str) -> Database:
    """Give a new database that is a copy of the template, with whatever has been written to it."""
    # Files copied as they are: half the processor time of writing every page to the log, which is meant for servers with much to flush.
    await _on_server(server_url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    return Database(url_of(server_url, name))


async def drop(server_url: str, name: str) -> None:
    """Remove a database, whoever is still in it."""
    await _on_server(server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def _on_server(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(plain_url(server_url))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


_made: set[str] = set()


async def of_worker(server_url: str, template: str, name: str) -> AsyncIterator[Database]:
    """Give the worker's database without a row; it is made once, and emptied after each use."""
    if name not in _made:
        await make_template(server_url, template)
        await drop(server_url, name)
        await clone(server_url, template, name)
        _made.add(name)
    found = Database(url_of(server_url, name))
    yield found
    await empty(found)


async def copied(server_url: str, source: str) -> AsyncIterator[Database]:
    """Give a copy of a database, and remove it afterwards, whoever is still in it."""
    name = f"{source}_{secrets.token_hex(6)}"
    yield await clone(server_url, source, name)
    await drop(server_url, name)


async def empty(database: Database) -> None:
    """Remove every row, and every session that a test left open (its locks would make the next test wait)."""
    await _warm.run(database, _empty)


async def _empty(connection: asyncpg.Connection, database: Database) -> None:
    tables = [table.name for table in reversed(metadata.sorted_tables) if table.name not in KEPT]
    owner = database.network.role(Role.OWNER)
    await connection.execute(
        # Only the login may end the sessions of its like; the connection is still what it was the last time.
        "RESET ROLE; "
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid(); "
        f"SET ROLE {owner}; SET search_path = {database.network.name}"
    )
    questions = (f"SELECT '{table}', pg_relation_size('{table}') WHERE EXISTS (SELECT FROM {table})" for table in tables)
    sizes = dict(await connection.fetch(" UNION ALL ".join(questions)))
    if sizes:
        await connection.execute("; ".join(_removal(table, sizes[table], owner) for table in tables if table in sizes))


def _removal(table: str, size: int, owner: str) -> str:
    if table in APPEND_ONLY:
        # No role holds the right; the owner can give it to itself, and does so for a moment.
        right = f"DELETE ON {table}"
        return f"GRANT {right} TO {owner}; DELETE FROM {table}; REVOKE {right} FROM {owner}"
    return f"TRUNCATE {table} CASCADE" if size > _BIG_BYTES else f"DELETE FROM {table}"


class _WarmConnections:
    """A connection to each database that is emptied again and again, in a thread of its own: every test has another loop.

    A new connection reads the catalog of all tables before it can ask them anything, which costs ten times the asking.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._open: dict[str, asyncpg.Connection] = {}
        self._one_at_a_time = asyncio.Lock()

    async def run(self, database: Database, work: Callable[[asyncpg.Connection, Database], Awaitable[None]]) -> None:
        """Do something over the connection; once more over a new one if somebody has ended it."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="warm connections", daemon=True)
            self._thread.start()

        async def here() -> None:
            async with self._one_at_a_time:
                was_open = database.url in self._open
                try:
                    await work(await self._connection(database.url), database)
                except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError, ConnectionError):
                    if not was_open:
                        raise
                    self._open.pop(database.url).terminate()
                    await work(await self._connection(database.url), database)

        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(here(), self._loop))

    async def _connection(self, url: str) -> asyncpg.Connection:
        if url not in self._open or self._open[url].is_closed():
            self._open[url] = await asyncpg.connect(url)
        return self._open[url]

    def close(self) -> None:
        """End the connections and the thread; a later use begins anew."""
        if self._loop is None or self._thread is None:
            return

        async def end() -> None:
            for connection in self._open.values():
                connection.terminate()
            self._open.clear()
            await asyncio.sleep(0)  # the transports close in the next round of the loop

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()
        self._loop = self._thread = None


_warm = _WarmConnections()
close_warm_connections = _warm.close

"""What lies between two tests (tests/support/databases.py): every row goes, and every session that was left open, again and again."""

import asyncio

import asyncpg
import pytest

from app.store.roles import Role
from app.store.tables import metadata
from app.store.tables.policies import APPEND_ONLY
from tests.support import databases
from tests.support.databases import KEPT, Database


async def _left_open(database: Database) -> asyncpg.Connection:
    """A session as a careless test leaves it: with a row of an ordinary table and of an append-only one, and a lock."""
    connection = await asyncpg.connect(database.url)
    await connection.execute(f"SET ROLE {database.network.role(Role.OWNER)}; SET search_path = {database.network.name}")
    await connection.execute("INSERT INTO audit_removal (link_number, removed_at, rows) VALUES (1, now(), 1)")
    await connection.execute("BEGIN; LOCK TABLE person IN ACCESS EXCLUSIVE MODE")
    return connection


async def _rows(database: Database) -> dict[str, int]:
    connection = await asyncpg.connect(database.url)
    try:
        await connection.execute(f"SET ROLE {database.network.role(Role.OWNER)}; SET search_path = {database.network.name}")
        tables = [table for table in metadata.tables if table not in KEPT]
        counts = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables}  # noqa: S608 - our own tables
        return {table: count for table, count in counts.items() if count}
    finally:
        await connection.close()


@pytest.mark.parametrize("ended", ["never", "between"])
async def test_nothing_is_left_however_often(fresh_database: Database, ended: str) -> None:
    for _ in range(3):
        session = await _left_open(fresh_database)
        async with asyncio.timeout(20):
            await databases.empty(fresh_database)
        assert await _rows(fresh_database) == {}
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError)):
            await session.fetchval("SELECT 1")
        session.terminate()
        if ended == "between":
            # As a test does that ends every session but its own.
            login = await asyncpg.connect(fresh_database.url)
            await login.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await login.close()
        await databases.empty(fresh_database)


def test_there_is_an_append_only_table_among_them() -> None:
    assert "audit_removal" in APPEND_ONLY

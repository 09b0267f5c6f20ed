"""Databases for tests: a template with all migrations, made once a run; clones of it; and emptying one between two tests.

Emptying deletes from the tables that have rows, children first: about 5 ms, where a clone takes 0.1 to 0.2 s. A test that changes
the schema, or must be alone, asks for a clone (`fresh_database`).
"""

import re
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
    connection = await asyncpg.connect(plain_url(server_url))
    try:
        await connection.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", template)
        if await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", template):
            return
        growing = f"{template}_growing"
        await connection.execute(f"CREATE DATABASE {growing}")
        await migrate_up(url_of(server_url, growing), NETWORK)
        await connection.execute(f"ALTER DATABASE {growing} RENAME TO {template}")
    finally:
        await connection.close()


async def clone(server_url: str, template: str, name: str) -> Database:
    """Give a new database that is a copy of the template."""
    connection = await asyncpg.connect(plain_url(server_url))
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    finally:
        await connection.close()
    return Database(url_of(server_url, name))


async def drop(server_url: str, name: str) -> None:
    """Remove a database, whoever is still in it."""
    connection = await asyncpg.connect(plain_url(server_url))
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await connection.close()


async def empty(database: Database) -> None:
    """Remove every row, and every session that a test left open (its locks would make the next test wait)."""
    tables = [table.name for table in reversed(metadata.sorted_tables) if table.name not in KEPT]
    if not tables:
        return
    connection = await asyncpg.connect(database.url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.execute(f"SET ROLE {database.network.role(Role.OWNER)}; SET search_path = {database.network.name}")
        questions = (f"SELECT '{table}', pg_relation_size('{table}') WHERE EXISTS (SELECT FROM {table})" for table in tables)
        filled = await connection.fetch(" UNION ALL ".join(questions))
        order = {table: place for place, table in enumerate(tables)}
        for table, size in sorted(filled, key=lambda row: order[row[0]]):
            if table in APPEND_ONLY:
                # No role holds the right; the owner can give it to itself, and does so for a moment.
                right = f"DELETE ON {table}"
                owner = database.network.role(Role.OWNER)
                await connection.execute(f"GRANT {right} TO {owner}; DELETE FROM {table}; REVOKE {right} FROM {owner}")
                continue
            await connection.execute(f"TRUNCATE {table} CASCADE" if size > _BIG_BYTES else f"DELETE FROM {table}")
    finally:
        await connection.close()

"""What the operator can do with migrations: up, plan, verify. Not here: the revisions, and how to write one (README.md).

Never called by the app's own processes; `handoff migrate` and the tests call it.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.autogenerate import produce_migrations
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from app.store.engine import PoolLimits, connection_settings, plain_url
from app.store.roles import Network, Role, ensure_roles
from app.store.tables import metadata
from migrations import security

_FOLDER = Path(__file__).parent
VERSIONS = _FOLDER / "versions"
_VERSION_TABLE_EXISTS = (
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = $1::text AND n.nspname = $2::text"
)
_NETWORKS = """
SELECT n.nspname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = $1::text AND pg_get_userbyid(n.nspowner) = n.nspname || $2::text ORDER BY n.nspname
"""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long a migration may wait for a lock, and a statement may run. A migration that must exceed them says so itself."""

    lock_timeout_ms: int = 4_000
    statement_timeout_ms: int = 60_000


def head_revision() -> str | None:
    """Give the newest revision that this release knows."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


async def migrate_up(url: str, network: Network, *, limits: TimeLimits | None = None, revision: str = "head") -> str | None:
    """Make roles, schema and every missing revision; give the revision that is reached. Safe to run twice, also at once."""
    limits = limits or TimeLimits()
    connection: asyncpg.Connection = await asyncpg.connect(plain_url(url))
    try:
        await ensure_roles(connection, network)
        # One migrator a network. The wait is not limited: the other one may be in the middle of a long step of its own.
        await connection.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", network.lock_name("migrate"))
        await run_in_alembic(url, network, lambda config: command.upgrade(config, revision), limits=limits)
        await connection.execute(_show_version(network))
        return await _revision(connection, network)
    finally:
        await connection.close()


async def migrate_down(url: str, network: Network, revision: str, *, limits: TimeLimits | None = None) -> None:
    """Go back to a revision (`base`: before the first). For the tests of a migration; data of newer columns is lost."""
    await run_in_alembic(url, network, lambda config: command.downgrade(config, revision), limits=limits)


async def migrate_plan(url: str, network: Network, *, limits: TimeLimits | None = None) -> str:
    """Give the SQL that `up` would run, and run nothing."""
    limits = limits or TimeLimits()
    current = await current_revision(url, network)
    if current == head_revision():
        return f"-- The network {network.name} is at {current}; there is nothing to do.\n"
    output = io.StringIO()
    config = alembic_config(output)
    config.attributes["network"] = network
    command.upgrade(config, f"{current or 'base'}:head", sql=True)
    settings = connection_settings(network, Role.OWNER, _pool_limits(limits), name="handoff migrate")
    first = "".join(f"SET {name} = '{value}';\n" for name, value in settings.items())
    made = "" if current else f"-- `up` first makes the roles of network {network.name}, their grants and its schema.\n"
    return f"{made}{first}\n{output.getvalue()}"


async def migrate_verify(url: str, network: Network) -> list[str]:
    """Compare the database with this release: revision, tables, grants, policies. Give what differs; nothing is changed."""
    current, head = await current_revision(url, network), head_revision()
    if current != head:
        said = f"The network {network.name} is at revision {current or 'none'}; this release needs {head}."
        others = await networks(url) if current is None else []
        beside = f" This database has: {', '.join(others)}; if one of them is meant, correct HANDOFF_NETWORK." if others else ""
        return [f"{said}{beside} Run `handoff migrate up`."]
    found: list[str] = []

    def compare(connection: Connection) -> None:
        options = {"network": network, "compare_server_default": True, "include_object": _without_version_table}
        context = MigrationContext.configure(connection, opts=options)
        ops = produce_migrations(context, metadata).upgrade_ops
        found.extend(f"The database differs from this release: {difference}" for difference in (ops.as_diffs() if ops else ()))

    await _with_owner(url, network, TimeLimits(), compare)
    return found


async def current_revision(url: str, network: Network) -> str | None:
    """Give the revision that the network is at, or None when it was never migrated."""
    connection: asyncpg.Connection = await asyncpg.connect(plain_url(url))
    try:
        return await _revision(connection, network)
    finally:
        await connection.close()


async def networks(url: str) -> list[str]:
    """Name the networks that were made in a database. One of the name of another is easily made by a misspelt setting, and is empty."""
    connection: asyncpg.Connection = await asyncpg.connect(plain_url(url))
    try:
        return [row["name"] for row in await connection.fetch(_NETWORKS, security.VERSION_TABLE, f"_{Role.OWNER.value}")]
    finally:
        await connection.close()


def alembic_config(output: io.StringIO | None = None) -> Config:
    """Give alembic's configuration: this folder. There is no alembic.ini."""
    config = Config(output_buffer=output) if output is not None else Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


async def run_in_alembic(url: str, network: Network, run: Callable[[Config], object], *, limits: TimeLimits | None = None) -> None:
    """Run one of alembic's own commands as the network's owner."""
    config = alembic_config()
    config.attributes["network"] = network

    def inside(connection: Connection) -> None:
        config.attributes["connection"] = connection
        run(config)

    await _with_owner(url, network, limits or TimeLimits(), inside)


async def _with_owner(url: str, network: Network, limits: TimeLimits, run: Callable[[Connection], None]) -> None:
    settings = connection_settings(network, Role.OWNER, _pool_limits(limits), name="handoff migrate")

    async def connect(*_positional: object, **_named: object) -> asyncpg.Connection:
        return await asyncpg.connect(plain_url(url), server_settings=settings)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
            await connection.commit()
    finally:
        await engine.dispose()


async def _revision(connection: asyncpg.Connection, network: Network) -> str | None:
    # From the catalogue, which everybody may read: the login itself has no right on the schema.
    if not await connection.fetchval(_VERSION_TABLE_EXISTS, security.VERSION_TABLE, network.name):
        return None
    async with connection.transaction():
        await connection.execute(f"SET LOCAL ROLE {network.role(Role.OWNER)}")
        revision: str | None = await connection.fetchval(f"SELECT version_num FROM {network.name}.{security.VERSION_TABLE}")
    return revision


def _show_version(network: Network) -> str:
    readers = f"{network.role(Role.WORK)}, {network.role(Role.APP)}"
    table = f"{network.name}.{security.VERSION_TABLE}"
    owner = network.role(Role.OWNER)
    return f"BEGIN; SET LOCAL ROLE {owner}; GRANT SELECT ON {table} TO {readers}; COMMIT"


def _pool_limits(limits: TimeLimits) -> PoolLimits:
    return PoolLimits(lock_timeout_ms=limits.lock_timeout_ms, statement_timeout_ms=limits.statement_timeout_ms)


def _without_version_table(_entity: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:  # noqa: ANN401, FBT001 - alembic's signature
    return not (kind == "table" and name == security.VERSION_TABLE)

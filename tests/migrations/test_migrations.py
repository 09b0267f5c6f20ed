"""The migrations against real databases: the same as the tables, repeatable, safe at once, and careful with locks."""

import ast
import asyncio
import re
import sys
from pathlib import Path

import asyncpg
import pytest

from app.store.roles import Network, Role, ensure_roles
from app.store.schema import SCHEMA_REVISION
from app.store.tables import metadata
from migrations.run import (
    VERSIONS,
    TimeLimits,
    current_revision,
    head_revision,
    migrate_down,
    migrate_plan,
    migrate_up,
    migrate_verify,
)
from tests.support import databases
from tests.support.databases import NETWORK, Database

OTHER = Network("other_network")
ROOT = Path(__file__).resolve().parents[2]


async def _as_owner(database: Database, statement: str) -> None:
    connection = await asyncpg.connect(database.url)
    try:
        await connection.execute(f"SET ROLE {NETWORK.role(Role.OWNER)}; SET search_path = {NETWORK.name}; {statement}")
    finally:
        await connection.close()


async def _value(database: Database, query: str, *arguments: object) -> object:
    connection = await asyncpg.connect(database.url)
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


async def test_the_migrations_end_in_the_tables_of_this_release(database: Database) -> None:
    """What `alembic check` would say, and grants and policies besides."""
    assert await current_revision(database.url, NETWORK) == head_revision() == SCHEMA_REVISION
    assert await migrate_verify(database.url, NETWORK) == []


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("ALTER TABLE contact ADD COLUMN stray text", "stray"),
        ("DROP INDEX ix_inbound_queue_lane", "ix_inbound_queue_lane"),
        ("ALTER TABLE contact NO FORCE ROW LEVEL SECURITY", "contact"),
        ("ALTER TABLE notification DISABLE ROW LEVEL SECURITY", "notification"),
        ("DROP POLICY encounter_app ON encounter", "encounter"),
        ("CREATE POLICY backdoor ON encounter TO handoff_app USING (true)", "encounter"),
        ("REVOKE INSERT ON feed FROM handoff_work", "feed"),
        ("GRANT TRUNCATE ON contact TO handoff_app", "contact"),
        ("COMMENT ON POLICY contact_app ON contact IS 'true'", "contact"),
    ],
)
async def test_verify_names_what_differs(fresh_database: Database, damage: str, named: str) -> None:
    await _as_owner(fresh_database, damage)
    found = await migrate_verify(fresh_database.url, NETWORK)
    assert len(found) == 1
    assert named in found[0]


async def test_up_is_repeatable_and_two_at_once_do_it_once(server_url: str, run_id: str) -> None:
    """Four processes in two databases of one server: roles belong to the server, so even strangers meet."""
    names = [f"handoff_up_{run_id}_{number}" for number in range(2)]
    network = Network(f"up_{run_id}")
    connection = await asyncpg.connect(server_url)
    for name in names:
        await connection.execute(f"CREATE DATABASE {name}")
    try:
        urls = [databases.url_of(server_url, name) for name in names]
        migrators = [await asyncio.create_subprocess_exec(sys.executable, "-c", _UP, url, network.name, cwd=ROOT) for url in urls * 2]
        assert [await migrator.wait() for migrator in migrators] == [0] * 4
        for url in urls:
            assert await migrate_up(url, network) == head_revision()
            assert await migrate_verify(url, network) == []
    finally:
        for name in names:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        for role in Role:
            await connection.execute(f"DROP ROLE {network.role(role)}")
        await connection.close()


_UP = """
import asyncio, sys
from app.store.roles import Network
from migrations.run import head_revision, migrate_up
sys.exit(asyncio.run(migrate_up(sys.argv[1], Network(sys.argv[2]))) != head_revision())
"""


async def test_two_networks_live_in_one_database_and_know_nothing_of_each_other(fresh_database: Database) -> None:
    await migrate_up(fresh_database.url, OTHER)
    assert await migrate_verify(fresh_database.url, OTHER) == []
    assert await migrate_verify(fresh_database.url, NETWORK) == []
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = $1"
    assert await _value(fresh_database, tables, OTHER.name) == await _value(fresh_database, tables, NETWORK.name)
    assert not await _value(fresh_database, "SELECT has_schema_privilege($1::name, $2, 'USAGE')", "other_network_app", NETWORK.name)
    assert not await _value(fresh_database, "SELECT has_schema_privilege($1::name, $2, 'USAGE')", "handoff_work", OTHER.name)


async def test_everything_of_a_network_is_in_its_schema(database: Database) -> None:
    outside = await _value(
        database,
        """SELECT array_agg(n.nspname || '.' || c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', $1) AND n.nspname !~ '^pg_(toast_)?temp'""",
        NETWORK.name,
    )
    assert outside is None
    owners = "SELECT array_agg(DISTINCT pg_get_userbyid(relowner)) FROM pg_class WHERE relnamespace = to_regnamespace($1)"
    assert await _value(database, owners, NETWORK.name) == [NETWORK.role(Role.OWNER)]


async def test_down_and_up_again_is_the_same_schema(fresh_database: Database) -> None:
    await migrate_down(fresh_database.url, NETWORK, "base")
    left = "SELECT count(*) FROM pg_tables WHERE schemaname = $1 AND tablename <> 'alembic_version'"
    assert await _value(fresh_database, left, NETWORK.name) == 0
    assert "Run `handoff migrate up`" in (await migrate_verify(fresh_database.url, NETWORK))[0]
    await migrate_up(fresh_database.url, NETWORK)
    assert await migrate_verify(fresh_database.url, NETWORK) == []


async def test_the_plan_is_the_sql_that_up_runs(fresh_database: Database) -> None:
    """Nothing to do at head; from nothing, running the printed text by hand gives the schema of this release."""
    assert "nothing to do" in await migrate_plan(fresh_database.url, NETWORK)
    plan = await migrate_plan(fresh_database.url, OTHER)
    assert "SET lock_timeout" in plan
    assert await current_revision(fresh_database.url, OTHER) is None
    connection = await asyncpg.connect(fresh_database.url)
    try:
        await ensure_roles(connection, OTHER)
        await connection.execute(plan)
    finally:
        await connection.close()
    assert await current_revision(fresh_database.url, OTHER) == head_revision()
    assert await migrate_verify(fresh_database.url, OTHER) == []


async def test_a_migration_does_not_wait_behind_a_table_lock_for_ever(fresh_database: Database) -> None:
    """It gives up after its lock time-out, and the schema stays at the revision it had."""
    blocker = await asyncpg.connect(fresh_database.url)
    try:
        await blocker.execute(f"SET ROLE {NETWORK.role(Role.OWNER)}; SET search_path = {NETWORK.name}")
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE feed IN ACCESS SHARE MODE")
            with pytest.raises(Exception, match="lock timeout"):
                await migrate_down(fresh_database.url, NETWORK, "base", limits=TimeLimits(lock_timeout_ms=100))
    finally:
        await blocker.close()
    assert await migrate_verify(fresh_database.url, NETWORK) == []


async def test_a_second_migrator_waits_for_the_first(fresh_database: Database) -> None:
    holder = await asyncpg.connect(fresh_database.url)
    await holder.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", NETWORK.lock_name("migrate"))
    waiting = asyncio.create_task(migrate_up(fresh_database.url, NETWORK))
    blocked = (
        "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        "WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database()"
    )
    async with asyncio.timeout(20):
        while not await _value(fresh_database, blocked):
            await asyncio.sleep(0.01)
    assert not waiting.done()
    await holder.close()
    assert await waiting == head_revision()


def test_the_revisions_are_one_line_and_say_why() -> None:
    """Numbers without gaps, one parent each, a docstring with reason, phase and undo, no name of a network or schema."""
    paths = sorted(VERSIONS.glob("*.py"))
    assert [path.name[:4] for path in paths] == [f"{number:04d}" for number in range(1, len(paths) + 1)]
    parent = None
    for path in paths:
        tree = ast.parse(path.read_text())
        said = {
            node.targets[0].id: ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        assert (said["revision"], said["down_revision"]) == (path.name[:4], parent)
        parent = said["revision"]
        document = ast.get_docstring(tree) or ""
        for word in ("Why:", "Phase:", "Undo:"):
            assert word in document, f"{path.name}: {word}"
        assert "say what needs it" not in document, f"{path.name}: the template's sentence is still there"
        assert not re.search(r"schema=|handoff_(app|work|owner)", path.read_text()), path.name


def test_every_table_has_a_key_and_every_foreign_key_an_index() -> None:
    """A delete or a join along a foreign key without an index reads the whole table."""
    assert metadata.tables
    bare = []
    for table in metadata.sorted_tables:
        assert table.primary_key.columns, table.name
        leading = [[column.name for column in index.columns] for index in table.indexes]
        leading.append([column.name for column in table.primary_key.columns])
        leading += [
            [column.name for column in constraint.columns]
            for constraint in table.constraints
            if type(constraint).__name__ == "UniqueConstraint"
        ]
        found = {names[0] for names in leading if names}
        keys = [key for key in table.foreign_keys if key.column.table.name not in NEVER_DELETED]
        bare += [f"{table.name}.{key.parent.name}" for key in keys if key.parent.name not in found]
    assert bare == []


NEVER_DELETED = {"organization": "ended, never deleted", "feed": "as its organization"}
"""Tables whose rows stay for ever: nothing looks from them to what refers to them."""


def test_the_folder_of_revisions_is_where_the_package_is() -> None:
    assert VERSIONS.resolve() == ROOT / "migrations" / "versions"

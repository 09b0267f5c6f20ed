"""Roles, engines and networks: who a connection is, what it may hold up, and that a name can do no harm. Real PostgreSQL."""

import asyncio

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.domain.viewer import OPERATOR
from app.store.engine import PoolLimits, make_engine, plain_url
from app.store.roles import Network, Role, ensure_roles, table_security_statements
from app.store.schema import SCHEMA_REVISION, is_current, schema_revision
from app.store.unit_of_work import unit_of_work
from tests.support import databases
from tests.support.databases import Database


@pytest.mark.parametrize("name", ["handoff", "a", "maine_2", "x" * 41])
def test_a_network_is_a_plain_name(name: str) -> None:
    assert Network(name).role(Role.APP) == f"{name}_app"
    assert len(Network(name).role(Role.OWNER)) <= 63  # PostgreSQL cuts longer ones, and two networks would share a role


@pytest.mark.parametrize(
    "name", ["", "Maine", "1st", "_x", "a-b", "a b", 'a"b', "a;b", "a\n", "ä", "x" * 42, "public", "pg_toast", "information_schema"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="HANDOFF_NETWORK"):
        Network(name)


@given(st.text(max_size=45))
def test_a_name_that_is_taken_needs_no_quotes(name: str) -> None:
    try:
        taken = Network(name).name
    except ValueError:
        return
    assert taken.isascii()
    assert taken.isidentifier()
    assert taken == taken.lower()


@pytest.mark.parametrize("role", list(Role))
async def test_a_connection_is_its_role_from_the_first_byte(database: Database, role: Role) -> None:
    """No round trip sets it, and RESET, which pools send, gives it back instead of the login."""
    engine = make_engine(database.url, database.network, role, name="tests")
    try:
        async with unit_of_work(engine, None) as connection:
            for statement in ("SELECT 1", "RESET ALL", "SET ROLE NONE", "RESET ROLE"):
                await connection.execute(text(statement))
                if statement == "SET ROLE NONE":
                    continue
                row = (await connection.execute(text("SELECT current_user, current_schemas(false), current_setting('search_path')"))).one()
                assert tuple(row) == (f"handoff_{role}", ["handoff"], "handoff"), statement
    finally:
        await engine.dispose()


@pytest.mark.parametrize(
    ("limits", "statement", "sqlstate"),
    [
        (PoolLimits(statement_timeout_ms=50), "SELECT pg_sleep(30)", "57014"),
        (PoolLimits(lock_timeout_ms=50), "SELECT pg_advisory_xact_lock(4711)", "55P03"),
    ],
)
async def test_a_statement_and_a_wait_for_a_lock_end(database: Database, limits: PoolLimits, statement: str, sqlstate: str) -> None:
    engine = make_engine(database.url, database.network, Role.WORK, limits=limits)
    blocker = await asyncpg.connect(database.url)
    await blocker.execute("SELECT pg_advisory_lock(4711)")
    try:
        with pytest.raises(DBAPIError) as ended:
            async with unit_of_work(engine, None) as connection:
                await connection.execute(text(statement))
        assert getattr(ended.value.orig, "sqlstate", None) == sqlstate
    finally:
        await blocker.close()
        await engine.dispose()


async def test_a_frozen_transaction_lets_go(database: Database) -> None:
    """A process that does nothing in a transaction is rolled back by the server, and its locks are free."""
    engine = make_engine(database.url, database.network, Role.WORK, limits=PoolLimits(idle_in_transaction_timeout_ms=50))
    waiter = await asyncpg.connect(database.url)
    try:
        with pytest.raises((DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError)):
            async with unit_of_work(engine, None) as connection:
                await connection.execute(text("SELECT pg_advisory_xact_lock(4712)"))
                await asyncio.wait_for(waiter.execute("SELECT pg_advisory_lock(4712)"), 20)
                await connection.execute(text("SELECT 1"))
    finally:
        await waiter.close()
        await engine.dispose()


async def test_the_schema_knows_its_revision_for_every_role_and_says_none_where_there_is_no_network(database: Database) -> None:
    for role in (Role.APP, Role.WORK):
        engine = make_engine(database.url, database.network, role)
        assert await schema_revision(engine) == SCHEMA_REVISION
        assert await is_current(engine)
        await engine.dispose()
    connection = await asyncpg.connect(database.url)
    await ensure_roles(connection, Network("fresh_network"))
    engine = make_engine(database.url, Network("fresh_network"), Role.APP)
    try:
        assert await schema_revision(engine) is None
        assert not await is_current(engine)
    finally:
        await engine.dispose()
        await connection.execute("SET ROLE fresh_network_owner; DROP SCHEMA fresh_network; RESET ROLE")
        for role in Role:
            await connection.execute(f"DROP ROLE fresh_network_{role}")
        await connection.close()


async def test_roles_are_made_once_however_many_make_them(server_url: str, run_id: str) -> None:
    """Twelve at once, from two databases of one server (roles belong to the server, advisory locks to a database)."""
    network = Network(f"crowd_{run_id}")
    names = [f"crowd_{run_id}_{number}" for number in range(2)]
    maintenance = await asyncpg.connect(server_url)
    for name in names:
        await maintenance.execute(f"CREATE DATABASE {name}")

    async def make(name: str) -> None:
        connection = await asyncpg.connect(databases.url_of(server_url, name))
        try:
            await ensure_roles(connection, network)
        finally:
            await connection.close()

    try:
        await asyncio.gather(*(make(name) for name in names * 6))
        found = await maintenance.fetch("SELECT rolname FROM pg_roles WHERE rolname LIKE $1 ORDER BY 1", f"{network.name}%")
        assert [row["rolname"] for row in found] == sorted(network.role(role) for role in Role)
    finally:
        for name in names:
            await maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")
        for role in Role:
            await maintenance.execute(f"DROP ROLE IF EXISTS {network.role(role)}")
        await maintenance.close()


async def test_the_operator_sees_by_policy_not_by_privilege(database: Database) -> None:
    """The operator's connection is the app role's like any other."""
    engine = make_engine(database.url, database.network, Role.APP)
    try:
        async with unit_of_work(engine, OPERATOR) as connection:
            assert (await connection.execute(text("SELECT current_user"))).scalar_one() == "handoff_app"
    finally:
        await engine.dispose()


def test_the_predicate_names_the_table_it_is_for() -> None:
    made = table_security_statements(Network("n"), "contact", "exists (select 1 from x where x.id = {table}.id)")
    rule = next(statement for statement in made if "CREATE POLICY contact_app" in statement)
    assert "x.id = contact.id" in rule
    assert "{table}" not in rule
    quoted = table_security_statements(Network("n"), "contact", "a = 'b'")[-1]
    assert quoted.endswith("IS 'a = ''b'''")


@pytest.mark.parametrize(
    ("given_url", "plain"),
    [
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql+asyncpg://u@h/d?x=1", "postgresql://u@h/d?x=1"),
        ("postgres://u@h1,h2/d?target_session_attrs=read-write", "postgres://u@h1,h2/d?target_session_attrs=read-write"),
    ],
)
def test_an_address_may_name_a_driver(given_url: str, plain: str) -> None:
    assert plain_url(given_url) == plain

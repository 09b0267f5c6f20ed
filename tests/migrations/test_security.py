"""Row-level security, table by table, without knowing any of them: a world per organization, and nobody sees another's.

A world is one row in every table in which every id is the same UUID, so all its rows belong together and to the organization of that
id. Whoever adds a table is tested with it. What the rules mean for people is tested where they are used (tests/store, tests/api).
"""

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import Column, Table, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.viewer import OPERATOR, Viewer
from app.store.engine import raw_connection
from app.store.roles import Role
from app.store.tables import metadata
from app.store.tables.policies import APPEND_ONLY, NOBODY, VISIBILITY, WITHOUT_PATIENT_DATA
from app.store.unit_of_work import unit_of_work
from tests.support.databases import KEPT, NETWORK, Database

ONE, TWO, NEW = (UUID(int=0xA110000000007000800000000000000 + number) for number in (1, 2, 3))
PROTECTED = sorted(VISIBILITY)
_AT = datetime(2026, 3, 2, 15, tzinfo=UTC)
_CHOICE = re.compile(r"^\s*(\w+)\s+in\s*\(\s*'([^']+)'", re.IGNORECASE)
_INSUFFICIENT_PRIVILEGE = "42501"
_ATTRIBUTES = "SELECT rolsuper, rolbypassrls, rolcanlogin, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = $1"
_FORBIDDEN = ("CREATE TABLE stray (n int)", "TRUNCATE encounter", "ALTER TABLE encounter DISABLE ROW LEVEL SECURITY", "DROP TABLE feed")


def viewer(organization: UUID) -> Viewer:
    """A key of the organization with every scope: rights to paths are not what is tested here."""
    return Viewer(organization_id=organization, scopes=OPERATOR.scopes)


def row(table: Table, world: UUID) -> dict[str, Any]:
    """One row of a world: ids are the world's, other columns whatever their type and their checks allow."""
    choices = dict(
        found.groups()
        for constraint in table.constraints
        if hasattr(constraint, "sqltext") and (found := _CHOICE.match(str(constraint.sqltext)))
    )
    return {column.name: choices.get(column.name, _value(column, world)) for column in table.columns if column.computed is None}


def _value(column: Column[Any], world: UUID) -> Any:
    values: dict[type, Any] = {UUID: world, str: str(world), int: world.int & 0xFF, bytes: world.bytes, bool: True, list: [], float: 1.0}
    values |= {datetime: _AT, date: _AT.date()}
    try:
        kind = column.type.python_type
    except NotImplementedError:
        return {}
    return values.get(kind, {})


@pytest.fixture
async def worlds(engine_work: AsyncEngine) -> AsyncIterator[None]:
    """Two worlds, written as the pipeline writes: every row is the work role's to write."""
    async with unit_of_work(engine_work, None) as connection:
        # An organization's first agreement comes with it, and a change of the measure ledger with its line.
        for table in (table for table in metadata.sorted_tables if table.name not in {*KEPT, "agreement", "measure_change"}):
            for world in (ONE, TWO):
                await connection.execute(insert(table).values(row(table, world)))
    return


async def _count(engine: AsyncEngine, who: Viewer | None, name: str) -> int:
    async with unit_of_work(engine, who) as connection:
        counted: int = (await connection.execute(select(func.count()).select_from(metadata.tables[name]))).scalar_one()
        return counted


async def _worlds_seen(engine: AsyncEngine, who: Viewer, name: str) -> set[UUID | str]:
    keys = [column for column in metadata.tables[name].columns if column.primary_key]
    async with unit_of_work(engine, who) as connection:
        rows = (await connection.execute(select(*keys))).all()
    return {value for found in rows for value in found if value in {ONE, TWO, str(ONE), str(TWO)}}


def test_every_table_is_protected_or_said_to_hold_nothing_of_patients() -> None:
    tables = set(metadata.tables)
    assert set(VISIBILITY) & WITHOUT_PATIENT_DATA == set()
    assert tables - set(VISIBILITY) - WITHOUT_PATIENT_DATA == set(), "add the table to VISIBILITY or to WITHOUT_PATIENT_DATA"
    assert set(VISIBILITY) - tables == set()
    assert WITHOUT_PATIENT_DATA - tables - {"alembic_version"} == set()


@pytest.mark.usefixtures("worlds")
async def test_an_organization_sees_its_own_world_and_no_other(engine_app: AsyncEngine) -> None:
    """Among others this finds a bare column in a sub-select, which is the inner table's and makes the rule true for everybody."""
    wrong = {}
    for name in PROTECTED:
        for world in (ONE, TWO):
            seen = await _worlds_seen(engine_app, viewer(world), name), await _count(engine_app, viewer(world), name)
            own = 0 if VISIBILITY[name] == NOBODY else 1
            if seen[1] != own or not seen[0] <= {world, str(world)}:
                wrong[name] = f"{seen[1]} rows are seen where {own} is the organization's own"
    assert wrong == {}


@pytest.mark.usefixtures("worlds")
async def test_nobody_sees_nothing_and_the_operator_everything(engine_app: AsyncEngine, engine_work: AsyncEngine) -> None:
    stranger = viewer(NEW)
    for name in PROTECTED:
        assert await _count(engine_app, None, name) == 0, name
        assert await _count(engine_app, stranger, name) == 0, name
        assert await _count(engine_app, OPERATOR, name) == 2, name
        assert await _count(engine_work, None, name) == 2, name


@pytest.mark.usefixtures("worlds")
@pytest.mark.parametrize("name", PROTECTED)
async def test_nobody_writes_into_another_world(engine_app: AsyncEngine, name: str) -> None:
    """Insert into it, take from it, delete it: refused, or no row is found."""
    table = metadata.tables[name]
    with pytest.raises(DBAPIError) as refused:
        async with unit_of_work(engine_app, viewer(ONE)) as connection:
            await connection.execute(insert(table).values(row(table, NEW)))
    assert getattr(refused.value.orig, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE
    before = await _count(engine_app, OPERATOR, name)
    if name in APPEND_ONLY:
        return
    async with unit_of_work(engine_app, viewer(NEW)) as connection:
        assert (await connection.execute(table.delete())).rowcount == 0
    assert await _count(engine_app, OPERATOR, name) == before


async def test_rules_bind_the_owner_too_and_only_the_known_policies_exist(database: Database) -> None:
    connection = await asyncpg.connect(database.url)
    try:
        rows = await connection.fetch(
            """SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
                      array(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid ORDER BY 1) AS policies
                 FROM pg_class c WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p')""",
            NETWORK.name,
        )
    finally:
        await connection.close()
    found = {row["relname"]: (row["relrowsecurity"], row["relforcerowsecurity"], row["policies"]) for row in rows}
    for name in metadata.tables:
        wanted = (True, True, [f"{name}_app", f"{name}_work"]) if name in VISIBILITY else (False, False, [])
        assert found[name] == wanted, name


async def test_no_role_of_the_network_can_step_round_the_rules(database: Database) -> None:
    """None is a superuser, may bypass policies, log in, or become another of the three."""
    connection = await asyncpg.connect(database.url)
    try:
        for role in Role:
            name = NETWORK.role(role)
            attributes = await connection.fetchrow(_ATTRIBUTES, name)
            assert attributes is not None
            assert not any(attributes), (name, dict(attributes))
            for other in Role:
                if other is not role:
                    assert not await connection.fetchval("SELECT pg_has_role($1::name, $2::name, 'MEMBER')", name, NETWORK.role(other))
    finally:
        await connection.close()


@pytest.mark.usefixtures("worlds")
@pytest.mark.parametrize("name", sorted(APPEND_ONLY))
async def test_what_is_only_added_to_is_changed_and_taken_away_by_no_role(
    engine_owner: AsyncEngine, engine_work: AsyncEngine, engine_app: AsyncEngine, name: str
) -> None:
    """The owner neither: it would have to give itself the right again, and `audit verify` would find what it did."""
    for engine in (engine_owner, engine_work, engine_app):
        column = next(iter(metadata.tables[name].c)).name
        for statement in (f"DELETE FROM {name}", f"UPDATE {name} SET {column} = {column}", f"TRUNCATE {name}"):  # noqa: S608 - names of our tables
            with pytest.raises(DBAPIError) as refused:
                async with unit_of_work(engine, OPERATOR) as connection:
                    await connection.execute(text(statement))
            assert getattr(refused.value.orig, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE, statement


async def test_app_and_work_cannot_change_the_schema_or_empty_a_table(engine_app: AsyncEngine, engine_work: AsyncEngine) -> None:
    for engine in (engine_app, engine_work):
        for statement in _FORBIDDEN:
            with pytest.raises(DBAPIError) as refused:
                async with unit_of_work(engine, OPERATOR) as connection:
                    await connection.execute(text(statement))
            assert getattr(refused.value.orig, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE, statement


async def test_copy_is_refused_under_the_rules_so_batches_go_through_a_stage(engine_work: AsyncEngine) -> None:
    """The reason for "COPY into a temporary stage, then one INSERT … SELECT" (DESIGN 2.10); a surprise if it ever changes."""
    with pytest.raises(asyncpg.FeatureNotSupportedError, match="row-level security"):
        async with unit_of_work(engine_work, None) as connection:
            raw = await raw_connection(connection)
            await raw.copy_records_to_table("panel_member", records=[], columns=["id"])

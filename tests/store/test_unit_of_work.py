"""The transaction of a request: what is committed, who is looking, and what a pooled connection carries on. Real PostgreSQL."""

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.viewer import OPERATOR, Viewer
from app.store.engine import PoolLimits, make_engine, raw_connection
from app.store.failures import is_unavailable
from app.store.roles import Role
from app.store.unit_of_work import unit_of_work
from tests.support.databases import Database
from tests.support.mute import way_to
from tests.support.queries import QueryRecorder

HOME = Viewer(organization_id=UUID(int=7), scopes=frozenset())
WHO = text("SELECT coalesce(current_setting('handoff.viewer', true), ''), coalesce(current_setting('handoff.operator', true), '')")


async def _seen(engine: AsyncEngine, viewer: Viewer | None) -> tuple[str, str]:
    async with unit_of_work(engine, viewer) as connection:
        row = (await connection.execute(WHO)).one()
        return row[0], row[1]


async def test_the_viewer_is_set_for_the_transaction_and_not_for_the_next_one(engine_app: AsyncEngine) -> None:
    """A pooled connection never carries a viewer on."""
    assert await _seen(engine_app, HOME) == (str(HOME.organization_id), "")
    assert await _seen(engine_app, OPERATOR) == ("", "on")
    assert await _seen(engine_app, None) == ("", "")


async def test_begin_and_viewer_are_one_round_trip_and_the_transaction_is_open_before_the_first_statement(
    engine_app: AsyncEngine, queries: QueryRecorder
) -> None:
    """The raw connection is inside the transaction from the start (SQLAlchemy's own BEGIN would come later)."""
    async with unit_of_work(engine_app, HOME) as connection:
        raw = await raw_connection(connection)
        assert raw.is_in_transaction()
    with queries.recording() as statements:
        async with unit_of_work(engine_app, HOME) as connection:
            await connection.execute(text("SELECT 1"))
    assert statements == ["SELECT 1"]


@pytest.mark.parametrize("ending", ["commit", "error", "statement error", "cancel"])
async def test_only_a_block_that_ends_well_is_committed(engine_work: AsyncEngine, database: Database, ending: str) -> None:
    """An error of ours, of the database, or a cancellation rolls back, and the connection is usable again."""

    async def run() -> None:
        async with unit_of_work(engine_work, None) as connection:
            await connection.execute(text("CREATE TEMPORARY TABLE IF NOT EXISTS kept (n int)"))
            if ending == "error":
                message = "ours"
                raise LookupError(message)
            if ending == "statement error":
                await connection.execute(text("SELECT 1/0"))
            if ending == "cancel":
                await connection.execute(text("SELECT pg_sleep(60)"))

    if ending == "commit":
        await run()
    elif ending == "cancel":
        task = asyncio.create_task(run())
        await _until_sleeping(database)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        with pytest.raises((LookupError, DBAPIError)):
            await run()
    async with unit_of_work(engine_work, None) as connection:
        kept = (await connection.execute(text("SELECT to_regclass('pg_temp.kept') IS NOT NULL"))).scalar_one()
        assert kept is (ending == "commit")
        raw = await raw_connection(connection)
        assert raw.is_in_transaction()


async def _until_sleeping(database: Database) -> None:
    """Ask as the login: what another session waits for is hidden from the roles."""
    connection = await asyncpg.connect(database.url)
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    try:
        async with asyncio.timeout(10):
            while not await connection.fetchval(sleeping):
                await asyncio.sleep(0.005)
    finally:
        await connection.close()


async def test_a_savepoint_gives_back_only_its_own_part(engine_work: AsyncEngine) -> None:
    """`begin_nested` works inside the unit of work: a batch can give up one part."""
    async with unit_of_work(engine_work, None) as connection:
        await connection.execute(text("CREATE TEMPORARY TABLE parts (n int) ON COMMIT DROP"))
        await connection.execute(text("INSERT INTO parts VALUES (1)"))
        with pytest.raises(DBAPIError):
            async with connection.begin_nested():
                await connection.execute(text("INSERT INTO parts VALUES (2)"))
                await connection.execute(text("SELECT 1/0"))
        await connection.execute(text("INSERT INTO parts VALUES (3)"))
        assert (await connection.execute(text("SELECT array_agg(n ORDER BY n) FROM parts"))).scalar_one() == [1, 3]


async def test_a_connection_that_died_in_the_block_raises_and_is_replaced(engine_work: AsyncEngine, database: Database) -> None:
    """The server ends the session in the middle: the caller sees an error, the next unit of work a new connection."""
    with pytest.raises(DBAPIError):
        async with unit_of_work(engine_work, None) as connection:
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert await _seen(engine_work, None) == ("", "")
    assert database.network.name == "handoff"


async def test_connections_that_died_in_the_pool_are_replaced_without_an_error(engine_work: AsyncEngine, database: Database) -> None:
    """After a restart of the server nobody pays for the connections that lay idle."""
    opened = asyncio.Barrier(4)

    async def hold() -> None:
        async with unit_of_work(engine_work, None):
            await opened.wait()

    await asyncio.gather(*(hold() for _ in range(4)))
    raws = []
    async with unit_of_work(engine_work, None) as connection:
        raws.append(await raw_connection(connection))
    login = await asyncpg.connect(database.url)
    await login.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await login.close()
    async with asyncio.timeout(10):
        while not raws[0].is_closed():
            await asyncio.sleep(0.005)
    await asyncio.gather(*(_seen(engine_work, None) for _ in range(8)))


async def test_the_pool_keeps_what_it_opened(engine_work: AsyncEngine) -> None:
    """Busy moments do not open and close connections again and again."""
    pids: set[int] = set()

    async def note() -> None:
        async with unit_of_work(engine_work, None) as connection:
            pids.add((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())
            await asyncio.sleep(0)

    for _ in range(5):
        await asyncio.gather(*(note() for _ in range(10)))
    assert len(pids) <= 10


async def test_json_is_given_back_as_it_was_by_sqlalchemy_and_by_asyncpg(engine_work: AsyncEngine) -> None:
    """One JSON codec for both ways into the database."""
    value = {"a": [1, 2.5, None, "ü"], "b": {"c": True}}
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        assert await raw.fetchval("SELECT $1::jsonb", '{"a": [1, 2.5, null, "ü"], "b": {"c": true}}') == value
        assert (await connection.execute(text('SELECT CAST(\'{"b": {"c": true}}\' AS jsonb)'))).scalar_one() == {"b": {"c": True}}


async def test_copy_through_the_raw_connection_is_rolled_back_with_the_unit_of_work(engine_work: AsyncEngine) -> None:
    """COPY into a temporary stage takes part in the transaction."""

    async def load() -> None:
        async with unit_of_work(engine_work, None) as connection:
            raw = await raw_connection(connection)
            await raw.execute("CREATE TEMPORARY TABLE stage (n int)")
            await raw.copy_records_to_table("stage", records=[(1,), (2,)])
            message = "the file was bad after all"
            raise ValueError(message)

    with pytest.raises(ValueError, match="bad after all"):
        await load()
    async with unit_of_work(engine_work, None) as connection:
        assert (await connection.execute(text("SELECT to_regclass('pg_temp.stage') IS NULL"))).scalar_one()


@pytest.mark.parametrize("whose", ["the statement's", "the caller's"])
async def test_a_server_that_went_mute_is_given_up_and_the_next_transaction_goes_to_the_one_that_answers(
    database: Database, whose: str
) -> None:
    """A host that froze, a network that forgot a connection, a primary that was replaced: no socket says so for two hours."""
    with TemporaryDirectory(prefix="hw-") as folder:
        async with way_to(database.url, Path(folder)) as way:
            limits = PoolLimits(connections_max=1, answer_timeout_s=1.0 if whose == "the statement's" else 0.0)
            engine = make_engine(way.url, database.network, Role.WORK, limits=limits, name="tests")

            async def ask(patience_s: float | None = None) -> int:
                async with asyncio.timeout(patience_s), unit_of_work(engine, None) as connection:
                    return int((await connection.execute(text("SELECT 1"))).scalar_one())

            try:
                assert await ask() == 1
                way.go_mute()
                began_s = time.monotonic()
                with pytest.raises((DBAPIError, TimeoutError)) as raised:
                    await ask(None if limits.answer_timeout_s else 0.2)
                assert is_unavailable(raised.value)
                assert time.monotonic() - began_s < 15
                assert await ask() == 1
            finally:
                await engine.dispose()

"""Whom newcomers meet is looked up by the indexes, however many people there are and whatever the planner knows of them."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.store.engine import raw_connection
from app.store.newcomers import ADMIT
from app.store.unit_of_work import unit_of_work
from tests.support.databases import Database
from tests.support.fakes import FakeClock
from tests.support.plans import plan_of_sql

MANY = 1000
LOOKED_UP = {"uq_patient_record_source", "ix_patient_record_demographic_key", "pk_record_identifier"}


async def test_newcomers_are_looked_up_by_index(engine_work: AsyncEngine, clock: FakeClock, database: Database) -> None:
    """Also where the tables are small and the batch is large, when reading them whole once would look cheaper and soon is not."""
    assert database
    rows = list(range(MANY))
    texts = [f"N{row}" for row in rows]
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute("create temporary table roster_record (row int primary key, record_id uuid) on commit drop")
        values = (
            rows, [""] * MANY, ["MA"] * MANY, texts, rows, ["{}"] * MANY,
            rows, [""] * MANY, ["MA"] * MANY, texts, [True] * MANY, "home", "0" * 21, "1" * 21, clock.now(),
        )  # fmt: skip
        await raw.execute("set local enable_seqscan = on")
        plan = await plan_of_sql(connection, ADMIT, *values)
        assert plan.scanned_tables == set()
        assert plan.searched_indexes >= LOOKED_UP

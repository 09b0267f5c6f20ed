"""Whom newcomers meet is looked up by the indexes, however many people there are and whatever the planner knows of them."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.adt_event import Identifier, IdentifierType
from app.domain.newcomer import newcomers_among
from app.domain.person import RecordClaim
from app.store.engine import raw_connection
from app.store.newcomers import ADMIT, admission
from app.store.unit_of_work import unit_of_work
from tests.support.databases import Database
from tests.support.fakes import FakeClock
from tests.support.plans import plan_of_sql

MANY = 1000
MEDICAID = IdentifierType.MEDICAID.value
LOOKED_UP = {"uq_patient_record_source", "ix_patient_record_demographic_key", "pk_record_identifier"}


async def test_newcomers_are_looked_up_by_index(engine_work: AsyncEngine, clock: FakeClock, database: Database) -> None:
    """Also where the tables are small and the batch is large, when reading them whole once would look cheaper and soon is not."""
    assert database
    numbers = [Identifier("", MEDICAID, f"N{row}") for row in range(MANY)]
    own = [RecordClaim("home", number, (number,), "1", {"last_name": "Sample"}) for number in numbers]
    wanted = admission(newcomers_among(enumerate(own)))
    assert len(wanted.numbers) == MANY
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute("create temporary table roster_record (row int primary key, record_id uuid) on commit drop")
        values = (*wanted.values, wanted.source, "0" * 21, "1" * 21, clock.now())
        await raw.execute("set local enable_seqscan = on")
        plan = await plan_of_sql(connection, ADMIT, *values)
        assert plan.scanned_tables == set()
        assert plan.searched_indexes >= LOOKED_UP

"""Whom newcomers meet is looked up by the indexes, however many people there are and whatever the planner knows of them."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.adt_event import Identifier, IdentifierType
from app.domain.newcomer import newcomers_among
from app.domain.person import RecordClaim
from app.store import newcomers
from app.store.engine import raw_connection
from app.store.newcomers import ADMIT, ADMIT_STAGED, StagedClaims, admission
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


async def test_newcomers_of_a_first_roster_are_looked_up_by_index(engine_work: AsyncEngine, clock: FakeClock, database: Database) -> None:
    """And of the stage only the chunk is read."""
    assert database
    claims = [(row, "", MEDICAID, f"N{row}", True, True, row, row, "{}") for row in range(10 * MANY)]
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute(newcomers.TABLES)
        await raw.execute("create temporary table roster_record (row int primary key, record_id uuid)")
        await raw.execute("create temporary table roster_change (row int primary key, current_id uuid, is_identified boolean)")
        await raw.execute(
            "insert into roster_change (row, is_identified) select n, false from generate_series(0, $1::int) n", 10 * MANY - 1
        )
        await newcomers.stage(raw, StagedClaims(claims))
        await newcomers.all_staged(raw)
        await raw.execute("analyze roster_change (row)")
        plan = await plan_of_sql(connection, ADMIT_STAGED, 4 * MANY, 5 * MANY, "home", "0" * 21, "1" * 21, clock.now())
        assert plan.scanned_tables == set()
        assert plan.searched_indexes >= {*LOOKED_UP, "roster_claim_row_idx", "roster_change_pkey"}
        await raw.execute(f"drop table {newcomers.NAMES}, roster_record, roster_change")

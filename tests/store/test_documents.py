"""Documents in SQL: what files them keeps their rows still, and a stay that comes to an account searches its index."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.domain.document import DocumentKey
from app.store import documents, people
from app.store.documents import DocumentRow
from app.store.failures import is_unavailable
from app.store.unit_of_work import unit_of_work
from tests.store.test_read_plans import Overheard
from tests.support.plans import plan_of_sql

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
HOSPITAL, RECORD, ANN, BEN = (UUID(int=number) for number in range(1, 5))
KEY: DocumentKey = (HOSPITAL, "HOSPA", "D1")


async def test_a_document_that_is_being_filed_waits_before_it_goes_to_another_person(engine_work: AsyncEngine) -> None:
    """Else whoever files a late message about it would write back whose it was before."""
    transaction = wiring.open_transaction(engine_work)
    async with transaction() as raw:
        await raw.execute(
            "insert into organization (id, name, kind, program_roles, part2_status, facility_type, time_zone, holiday_calendar, created_at)"
            " values ($1, 'Hospital A', 'hospital', '{}', 'not_program', 'unknown', 'America/New_York', 'US-ME', $2)",
            HOSPITAL,
            NOW,
        )
        await documents.save(raw, [DocumentRow(UUID(int=9), *KEY, {}, NOW, "live", record_id=RECORD, person_id=ANN)], NOW)
    async with transaction() as filing:
        assert set(await documents.by_key(filing, [KEY])) == {KEY}
        with pytest.raises(Exception) as refused:  # noqa: PT011 - the driver's own; what kind it is, is asked
            async with transaction() as moving:
                await moving.execute("set local lock_timeout = '100ms'")
                await people.move_records(moving, {RECORD: BEN}, NOW)
        assert is_unavailable(refused.value)


class Told(Overheard):
    """Hears what is written, too."""

    async def execute(self, query: str, *values: Any) -> None:
        self.asked.append((query, values))


@pytest.mark.plans
async def test_the_stays_of_an_account_are_found_by_it(engine_work: AsyncEngine) -> None:
    overheard: Any = Told()
    await documents.touch_accounts(overheard, [(HOSPITAL, "HOSPA|AC1")], NOW)
    await documents.touch_accounts(overheard, [], NOW)
    ((query, values),) = overheard.asked
    async with unit_of_work(engine_work, None) as connection:
        plan = await plan_of_sql(connection, query, *values)
    assert plan.scanned_tables == frozenset()
    assert "ix_document_visit" in plan.searched_indexes

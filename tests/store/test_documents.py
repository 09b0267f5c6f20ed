"""Documents in SQL: what files them keeps their rows still."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.domain.document import DocumentKey
from app.store import documents, people
from app.store.documents import DocumentRow
from app.store.failures import is_unavailable

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

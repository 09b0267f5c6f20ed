"""Consents are found by the person, as the pipeline and under the policies, with a few people who signed among very many who did not."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.viewer import OPERATOR, Viewer
from app.store import consents, encounter_reads
from app.store.engine import raw_connection
from app.store.unit_of_work import unit_of_work
from tests.support.databases import Database
from tests.support.plans import plan_of_sql

NOW = datetime(2026, 3, 6, 20, 0, tzinfo=UTC)
HOME = UUID(int=7)
_FILL = """
insert into consent (id, person_id, record_id, kind, categories, purposes, recipients, recipient_classes, scope, signed_on, signed_by,
    signature, statements, source, state, asserted_at)
select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'tpo', '{all}', '{treatment}', '{}', '{treating_providers}', 'all',
    '2026-01-01', 'patient', 'written', '{}', 'api', case when n % 5 = 0 then 'active' else 'revoked' end, now()
from generate_series(1, 5000) n
"""


@pytest.fixture
def database(fresh_database: Database) -> Database:
    """Give one that never had a row."""
    return fresh_database


async def test_consents_are_read_by_their_index(engine_work: AsyncEngine, engine_app: AsyncEngine, engine_owner: AsyncEngine) -> None:
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute(_FILL)
        assert await consents.of_people(raw, [UUID(int=9)]) == {}
        assert await consents.end(raw, NOW) == []
    async with engine_owner.connect() as connection:
        raw = await raw_connection(connection)
        await raw.execute("analyze consent, encounter, panel_member, telling, organization_grant")
    async with unit_of_work(engine_work, None) as connection:
        people = "select person_id, json_agg(id) from consent c where person_id = any($1::uuid[]) and state = 'active' group by person_id"
        found = await plan_of_sql(connection, people, [UUID(int=n) for n in range(50)])
        assert (found.scanned_tables, "ix_consent_person_active" in found.searched_indexes) == (frozenset(), True)
    for viewer in (OPERATOR, Viewer(organization_id=HOME, scopes=frozenset())):
        async with unit_of_work(engine_app, viewer) as connection:
            beside = f"select {encounter_reads.SIGNED} from encounter e where e.id = any($1::uuid[])"  # noqa: S608 - the store's own
            found = await plan_of_sql(connection, beside, [UUID(int=9)])
            assert "consent" not in found.scanned_tables
            assert "ix_consent_person_active" in found.searched_indexes

"""The statements of the audit, the accounting and the evidence use their indexes, however much there is beside what is asked."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.viewer import OPERATOR, Viewer
from app.store import audit_chain, disclosure_reads
from app.store.audit_reads import AuditFilter, read_lines
from app.store.unit_of_work import unit_of_work
from tests.store.test_read_plans import Overheard
from tests.support.databases import Database
from tests.support.plans import plan_of_sql

pytestmark = pytest.mark.plans

SOMETHING = UUID(int=8)
SOMEBODY = Viewer(UUID(int=7), frozenset())
AT = datetime(2026, 3, 2, tzinfo=UTC)
SMALL = frozenset({"subscription", "organization"})

READS: dict[str, tuple[Callable[[Any], Awaitable[Any]], set[str]]] = {
    "who looked at a person": (
        lambda raw: read_lines(raw, OPERATOR, AuditFilter(people=[SOMETHING]), before=None, limit=101),
        {"ix_audit_event_people"},
    ),
    "one line": (lambda raw: read_lines(raw, OPERATOR, AuditFilter(id=SOMETHING), before=None, limit=1), {"pk_audit_event"}),
    "an organization's page": (
        lambda raw: read_lines(raw, OPERATOR, AuditFilter(organization_id=SOMETHING), before=SOMETHING, limit=101),
        {"ix_audit_event_organization"},
    ),
    "a person's disclosures": (
        lambda raw: disclosure_reads.disclosures_of(raw, [SOMETHING], AT, after=None, limit=101),
        {"ix_encounter_person", "ix_notification_encounter", "ix_disclosure_encounter"},
    ),
    "what recipients answered of a person": (
        lambda raw: disclosure_reads.delivered_of(
            raw, OPERATOR, [SOMETHING], recipient_id=None, since=None, until=None, before=None, limit=101
        ),
        {"ix_encounter_person", "ix_notification_encounter", "ix_attempt_delivery"},
    ),
    "one that was answered": (
        lambda raw: disclosure_reads.delivered_by(raw, OPERATOR, SOMETHING),
        {"pk_attempt", "uq_notification_sequence"},
    ),
    "a hospital's stays": (
        lambda raw: disclosure_reads.stays_of(raw, SOMETHING, AT, AT, after=SOMETHING, limit=101),
        {"ix_encounter_facility"},
    ),
    "who was told of stays": (lambda raw: disclosure_reads.told_of_stays(raw, [SOMETHING]), {"pk_telling", "pk_notification"}),
    "the links": (lambda raw: audit_chain.links_after(raw, 5, 100), {"pk_audit_link"}),
}


@pytest.fixture
def database(fresh_database: Database) -> Database:
    """Give one that never had a row: the statistics of other tests' rows would choose the plan."""
    return fresh_database


@pytest.mark.parametrize("name", READS)
async def test_a_read_uses_its_index(engine_work: AsyncEngine, name: str) -> None:
    read, indexes = READS[name]
    overheard: Any = Overheard()
    await read(overheard)
    async with unit_of_work(engine_work, None) as connection:
        for query, values in overheard.asked:
            plan = await plan_of_sql(connection, query, *values)
            assert plan.scanned_tables <= SMALL, query
            assert plan.searched_indexes >= indexes, plan.searched_indexes


async def test_an_organization_reads_what_is_its_own_and_nobodys_else() -> None:
    """The work role sees every row, so the statement itself has to say whose."""
    overheard: Any = Overheard()
    await read_lines(overheard, SOMEBODY, AuditFilter(organization_id=SOMETHING), before=None, limit=10)
    ((query, values),) = overheard.asked
    assert "(a.organization_id = $1 or a.whose_id = $1)" in query
    assert values[0] == SOMEBODY.organization_id
    assert await read_lines(overheard, Viewer(None, frozenset()), AuditFilter(), before=None, limit=10) == []

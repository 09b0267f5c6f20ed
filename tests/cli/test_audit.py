"""`handoff audit` on a real database: a whole chain, a changed row, and what retention removes."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.cli.exits import ExitCode
from app.pipeline.audit_chain import AuditChain
from app.settings import load_settings
from app.standards.retention_rules import retention_rules, years_before
from app.store.engine import raw_connection
from app.store.roles import Role
from app.store.unit_of_work import unit_of_work
from app.wiring.audited import build_audit_chain
from tests.cli.conftest import Handoff
from tests.store.test_audit_chain import INSERT, link_everything
from tests.support.databases import NETWORK, Database
from tests.support.fakes import FakeClock

SECRET = {"HANDOFF_SECRET_KEY": "a-secret-of-the-tests-0123456789-abcdef"}


async def rows_of(engine: AsyncEngine, *at: datetime) -> None:
    """Write a row for each instant, each in a link of its own."""
    for number, when in enumerate(at, 1):
        async with unit_of_work(engine, None) as connection:
            await (await raw_connection(connection)).execute(INSERT, UUID(int=number), when, [])
        chain: AuditChain = build_audit_chain(load_settings(SECRET), engine, clock=FakeClock())
        await link_everything(engine, chain)


@pytest.fixture
def prepared(database: Database) -> Database:
    """Rows of seven and of one years ago, linked."""
    import asyncio  # noqa: PLC0415 - commands run their own loops

    async def make() -> None:
        engine = wiring.engine_of(load_settings(SECRET), database.url, Role.WORK, name="tests")
        now = datetime.now(UTC)
        try:
            await rows_of(engine, years_before(now, 7), now - timedelta(days=400))
        finally:
            await engine.dispose()

    asyncio.run(make())
    return database


def test_a_whole_chain_is_said_to_be_whole_and_a_changed_row_is_named(operator: Handoff, prepared: Database) -> None:
    whole = operator("audit", "verify", "--json")
    assert whole.code == ExitCode.OK, whole.err
    assert (whole.json["whole"], whole.json["links"], whole.json["rows"]) == (True, 2, 2)
    exported = operator("audit", "export", "--json").json
    assert (exported["algorithm"], [one["number"] for one in exported["links"]]) == ("Ed25519", [1, 2])

    async def tamper() -> None:
        connection = await asyncpg.connect(prepared.url)
        owner = NETWORK.role(Role.OWNER)
        await connection.execute(f"SET ROLE {owner}; SET search_path = {NETWORK.name}; GRANT UPDATE ON audit_event TO {owner}")
        await connection.execute("update audit_event set action = 'show_nothing' where id = $1", UUID(int=2))
        await connection.execute(f"REVOKE UPDATE ON audit_event FROM {owner}")
        await connection.close()

    __import__("asyncio").run(tamper())
    broken = operator("audit", "verify", "--json")
    assert broken.code == ExitCode.FOUND
    assert (broken.json["broken_link"], broken.json["broken"], broken.json["row"]) == (2, "changed", str(UUID(int=2)))


def test_what_was_kept_six_years_is_removed_and_its_link_stays(operator: Handoff, prepared: Database) -> None:
    assert prepared.url
    counted = operator("audit", "retain", "--json").json
    assert (counted["rows"], counted["removed"], counted["kept_years"]) == (1, False, 6)
    assert operator("audit", "verify", "--json").json["removed_links"] == 0
    assert operator("audit", "retain", "--yes", "--json").json["rows"] == 1
    after = operator("audit", "verify", "--json").json
    assert (after["whole"], after["rows"], after["removed_links"]) == (True, 2, 1)
    assert operator("audit", "retain", "--yes", "--json").json["rows"] == 0


def test_years_are_counted_back_without_losing_a_leap_day() -> None:
    assert years_before(datetime(2028, 2, 29, tzinfo=UTC), 6) == datetime(2022, 2, 28, tzinfo=UTC)
    assert retention_rules().kept_years >= retention_rules().accounting_years

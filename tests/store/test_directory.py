"""The registry of the pipeline and the door: read as it was at one moment, whatever changes while it is read. Real PostgreSQL."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.store import directory
from app.store.directory import RegistryReader
from app.store.engine import raw_connection
from app.store.unit_of_work import unit_of_work

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
HOUSE = UUID(int=1)
STATEMENTS = 12
"""How many one reading has: whether the version is another, the version, nine tables, whether it is still the version."""


class Disturbed:
    """A connection on which an organization comes to be, with its agreement and what is registered of it, before one statement."""

    def __init__(self, raw: Any, engine: AsyncEngine, at: int) -> None:
        self._raw, self._engine, self._at = raw, engine, at
        self.statements = 0

    async def _step(self) -> None:
        if self.statements == self._at:
            async with unit_of_work(self._engine, None) as connection:
                raw = await raw_connection(connection)
                await raw.execute(
                    "insert into organization (id, name, kind, program_roles, part2_status, facility_type, time_zone, holiday_calendar, "
                    "created_at) values ($1, 'Home', 'health_home', '{}', 'unknown', 'unknown', 'America/New_York', 'US', $2)",
                    HOUSE,
                    NOW,
                )
                await raw.execute(
                    "insert into origin_registration (id, organization_id, place, code, effective_from, part2_status, asserted_at) "
                    "values ($1, $1, 'house', '', '2026-01-01', 'program', $2)",
                    HOUSE,
                    NOW,
                )
        self.statements += 1

    async def fetch(self, query: str, *values: object) -> Any:
        await self._step()
        return await self._raw.fetch(query, *values)

    async def fetchval(self, query: str, *values: object) -> Any:
        await self._step()
        return await self._raw.fetchval(query, *values)


@pytest.mark.parametrize("at", range(STATEMENTS))
async def test_a_registry_that_changes_while_it_is_read_is_read_again(engine_owner: AsyncEngine, engine_work: AsyncEngine, at: int) -> None:
    registry = RegistryReader()
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        disturbed = Disturbed(raw, engine_owner, at)
        first = await registry.current(disturbed)
        # All of it, or nothing of it: never an agreement, or a protected status, of nobody.
        assert {HOUSE} == set(first.organizations) == first.reserved
        (house,) = first.organizations.values()
        assert len(house.agreed or ()) == 1
        read = disturbed.statements
        assert await registry.current(disturbed) is first
        assert disturbed.statements == read + 1
        assert (await directory.read(raw)).organizations == first.organizations

"""Whose own status may be protected: SQL, which row-level security asks, and the rule of the domain say the same of every kind of home."""

from datetime import UTC, date, datetime
from itertools import product
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.store import directory
from app.store.engine import raw_connection
from app.store.tables.policies import reserved
from app.store.unit_of_work import unit_of_work

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
STATUSES = ("not_program", "program", "sud_only", "unknown")
TYPES = ("unknown", "withdrawal_management")
HOUSES = list(product(STATUSES, TYPES, ((), ("opioid_health_home",))))
SAID = [None, *product((None, *STATUSES), (None, "acute", "withdrawal_management"), (None, "us-me"))]


async def test_row_level_security_hides_whom_the_rule_hides(engine_owner: AsyncEngine) -> None:
    kinds = {UUID(int=number): kind for number, kind in enumerate(product(HOUSES, SAID), 1)}
    async with unit_of_work(engine_owner, None) as connection:
        raw = await raw_connection(connection)
        await raw.executemany(
            "insert into organization (id, name, kind, program_roles, part2_status, facility_type, time_zone, holiday_calendar, created_at)"
            " values ($1, 'Home', 'health_home', $2, $3, $4, 'America/New_York', 'US', $5)",
            [(id_, list(roles), status, type_, NOW) for id_, ((status, type_, roles), _) in kinds.items()],
        )
        await raw.executemany(
            "insert into origin_registration (id, organization_id, place, code, effective_from, part2_status, facility_type, privacy_pack, "
            "asserted_at) values ($1, $1, 'house', '', $2, $3, $4, $5, $6)",
            [(id_, date(2026, 1, 1), *said, NOW) for id_, (_, said) in kinds.items() if said is not None],
        )
        by_sql = {row["id"] for row in await raw.fetch(f"select x.id from organization x where {reserved('x.id')}")}  # noqa: S608 - ours
        by_rule = (await directory.read(raw)).reserved
    assert by_rule <= by_sql
    # Where a registration says otherwise than the organization what kind of place it is, SQL is the stricter: it hears both.
    assert {kinds[id_] for id_ in by_sql - by_rule} <= {
        kind for kind in kinds.values() if kind[1] is not None and kind[1][1] == "acute" and kind[0][1] == "withdrawal_management"
    }
    assert 0 < len(by_rule) < len(kinds)

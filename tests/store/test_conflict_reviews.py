"""Questions about homes that claim the same program of a person: one for a person, however many of their stays are looked at."""

from datetime import UTC, date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.attribution import Attribution, Role
from app.domain.precedence import Led
from app.store import answers
from app.store.engine import raw_connection
from app.store.raw import Raw
from app.store.unit_of_work import unit_of_work

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
ANN, BEN = UUID(int=1), UUID(int=2)


def claimed_by(number: int) -> Attribution:
    """Give the claim of a home on somebody's BHH program."""
    return Attribution(UUID(int=number), UUID(int=10 + number), UUID(int=100), "BHH", Role.HEALTH_HOME, date(2026, 1, 1))


LED = Led("BHH", claimed_by(1), (claimed_by(2),))


async def _stay(raw: Raw, stay: UUID, person: UUID) -> None:
    await raw.execute("insert into person (id, created_at) values ($1, $2) on conflict do nothing", person, NOW)
    await raw.execute(
        "insert into encounter (id, source, visit_authority, visit_number, record_id, person_id, status, class, behavioral_kind, "
        "provisional, mode, state, last_key, version, created_at, updated_at) "
        "values ($1, 'adt', 'A', $1::uuid::text, $1, $2, 'finished', 'inpatient', 'none', true, 'live', '{}', '', 1, $3, $3)",
        stay,
        person,
        NOW,
    )


async def test_two_stays_of_one_person_are_one_question(engine_work: AsyncEngine) -> None:
    conflicts = [(ANN, UUID(int=21), LED), (BEN, UUID(int=22), LED), (ANN, UUID(int=23), LED)]
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        for person, stay, _ in conflicts:
            await _stay(raw, stay, person)
        await answers.open_conflicts(raw, conflicts, [UUID(int=30 + one) for one in range(3)], NOW)
        found = await raw.fetch("select person_id, encounter_id, state from review order by person_id")
    assert [tuple(row) for row in found] == [(ANN, UUID(int=21), "open"), (BEN, UUID(int=22), "open")]

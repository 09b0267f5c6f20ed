"""Answers, reviews and transfers are seen by whom they concern and by nobody else, even when the code forgets to ask."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.viewer import OPERATOR, Viewer
from app.store.engine import raw_connection
from app.store.unit_of_work import unit_of_work

NOW = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
COUNTED = {
    "review": "select count(*) from review",
    "recipient_answer": "select count(*) from recipient_answer",
    "follow_up_transfer": "select count(*) from follow_up_transfer",
}


async def _fill(engine: AsyncEngine) -> tuple[UUID, UUID, UUID]:
    """Write one of each, of home B and, for the transfer, to home N."""
    home, next_home, stranger, person, stay, follow_up, review = (uuid4() for _ in range(7))
    async with engine.begin() as connection:
        raw = await raw_connection(connection)
        for organization in (home, next_home, stranger):
            await raw.execute(
                "insert into organization (id, name, kind, program_roles, part2_status, facility_type, time_zone, holiday_calendar, "
                "created_at) values ($1, 'Home', 'health_home', '{}', 'unknown', 'unknown', 'America/New_York', 'US', $2)",
                organization,
                NOW,
            )
        await raw.execute("insert into person (id, created_at) values ($1, $2)", person, NOW)
        await raw.execute(
            "insert into encounter (id, source, visit_authority, visit_number, record_id, person_id, status, class, behavioral_kind, "
            "provisional, mode, state, last_key, version, created_at, updated_at) "
            "values ($1, 'adt', 'A', 'V1', $2, $3, 'finished', 'inpatient', 'none', true, 'live', '{}', '', 1, $4, $4)",
            stay,
            uuid4(),
            person,
            NOW,
        )
        await raw.execute(
            "insert into follow_up (id, encounter_id, home_id, person_id, programs, state, state_reasons, opened_at, clocks, updated_at, "
            "version, of_reporter_alone) values ($1, $2, $3, $4, '{}', 'open', '[]', $5, '[]', $5, 1, false)",
            follow_up,
            stay,
            home,
            person,
            NOW,
        )
        await raw.execute(
            "insert into review (id, kind, state, opened_at, person_id, encounter_id, organization_id, subject) "
            "values ($1, 'attribution', 'open', $2, $3, $4, $5, '{}')",
            review,
            NOW,
            person,
            stay,
            home,
        )
        await raw.execute(
            "insert into review (id, kind, state, opened_at, person_id, encounter_id, conflict_key, subject) "
            "values ($1, 'attribution_conflict', 'open', $2, $3, $4, 'key', '{}')",
            uuid4(),
            NOW,
            person,
            stay,
        )
        await raw.execute(
            "insert into recipient_answer (id, organization_id, encounter_id, answer, author, answered_at, review_id) "
            "values ($1, $2, $3, 'not_ours', '{}', $4, $5)",
            uuid4(),
            home,
            stay,
            NOW,
            review,
        )
        await raw.execute(
            "insert into follow_up_transfer (id, follow_up_id, encounter_id, from_id, to_id, source, state, offered_at) "
            "values ($1, $2, $3, $4, $5, 'roster', 'offered', $6)",
            uuid4(),
            follow_up,
            stay,
            home,
            next_home,
            NOW,
        )
    return home, next_home, stranger


async def _counts(engine: AsyncEngine, viewer: Viewer) -> dict[str, int]:
    async with unit_of_work(engine, viewer) as connection:
        raw = await raw_connection(connection)
        return {table: await raw.fetchval(counted) for table, counted in COUNTED.items()}


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("home", {"review": 1, "recipient_answer": 1, "follow_up_transfer": 1}),
        ("next", {"review": 0, "recipient_answer": 0, "follow_up_transfer": 1}),
        ("stranger", {"review": 0, "recipient_answer": 0, "follow_up_transfer": 0}),
        ("operator", {"review": 2, "recipient_answer": 1, "follow_up_transfer": 1}),
    ],
)
async def test_each_sees_what_concerns_it(engine_work: AsyncEngine, engine_app: AsyncEngine, who: str, expected: dict[str, int]) -> None:
    home, next_home, stranger = await _fill(engine_work)
    of = {"home": home, "next": next_home, "stranger": stranger}
    viewer = OPERATOR if who == "operator" else Viewer(of[who], frozenset())
    assert await _counts(engine_app, viewer) == expected

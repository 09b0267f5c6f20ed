"""One ADT message becomes a notification and a follow-up: the thin road through rooms 2 to 7, with a real database."""

import traceback
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.domain.inbound import AckCode, Door, Envelope
from app.settings import load_settings
from app.wiring import SystemIds
from tests.support.fakes import FakeClock
from tests.support.messages import adt

ADMIT = adt("A01", "20260302100000-0500", control="C1", admitted="20260302100000-0500", diagnoses=(("F32.2", "A"),))
DISCHARGE = adt(
    "A03", "20260306143000-0500", control="C2", admitted="20260302100000-0500", discharged="20260306142500-0500", disposition="01",
    diagnoses=(("F32.2", "F"),),
)  # fmt: skip


class _NoWaker:
    def wake(self, topic: str) -> None:
        """Nobody listens here."""


async def _world(engine: AsyncEngine, now: datetime) -> dict[str, UUID]:
    """A hospital with a feed, a behavioral health home that claims Ann by Medicaid number, and a plan that covers her."""
    ids = SystemIds()
    hospital, home, plan, record, person = (ids.new() for _ in range(5))
    transaction = wiring.open_transaction(engine)
    async with transaction() as raw:
        for organization, name, kind, status in (
            (hospital, "Hospital A", "hospital", "not_program"),
            (home, "Home B", "behavioral_health_home", "unknown"),
            (plan, "Plan C", "plan", "unknown"),
        ):
            await raw.execute(
                "insert into organization (id, name, kind, program_roles, part2_status, facility_type, time_zone, holiday_calendar, created_at)"
                " values ($1, $2, $3, '{}', $4, 'unknown', 'America/New_York', 'US-ME', $5)",
                organization, name, kind, status, now,
            )  # fmt: skip
        await raw.execute(
            "insert into feed (id, organization_id, sending_application, sending_facility, time_zone, assigning_authority, mode, profile,"
            " created_at) values ($1, $2, 'EPIC', 'HOSPA', 'America/New_York', 'HOSPA', 'live', '{}', $3)",
            ids.new(), hospital, now,
        )  # fmt: skip
        await raw.execute("insert into person (id, created_at) values ($1, $2)", person, now)
        await raw.execute(
            "insert into patient_record (id, source, authority, type, value, person_id, demographics, updated_at)"
            " values ($1, $2, '', 'MA', 'MC1', $3, '{}', $4)",
            record, str(home), person, now,
        )  # fmt: skip
        await raw.execute("insert into record_identifier (authority, type, value, record_id) values ('', 'MA', 'MC1', $1)", record)
        for organization, role in ((home, "behavioral_health_home"), (plan, "plan")):
            await raw.execute(
                "insert into panel_member (id, organization_id, record_id, person_id, program, role, effective_from, row_key, row_hash, row,"
                " asserted_at) values ($1, $2, $3, $4, 'BHH', $5, $6, $7, '', '{}', $8)",
                ids.new(), organization, record, person, role, date(2026, 1, 1), organization.bytes, now,
            )  # fmt: skip
    return {"home": home, "plan": plan}


@pytest.mark.parametrize("order", [(ADMIT, DISCHARGE), (DISCHARGE, ADMIT)])
async def test_a_stay_is_told_and_followed_up(engine_work: AsyncEngine, tmp_path, order) -> None:
    clock, ids = FakeClock(datetime(2026, 3, 6, 20, 0, tzinfo=UTC)), SystemIds()
    settings = load_settings({"HANDOFF_DATA_DIR": str(tmp_path), "HANDOFF_WORKERS": "1"})
    keys = wiring.keys_of(settings)
    world = await _world(engine_work, clock.now())
    intake = wiring.build_intake(settings, engine_work, keys, clock=clock, ids=ids, waker=_NoWaker())
    pipeline = wiring.build_pipeline(settings, engine_work, keys, wiring.rulebook(), clock=clock, ids=ids, waker=_NoWaker())
    object.__setattr__(pipeline, "on_defect", lambda error: traceback.print_exception(error))
    for message in order:
        received = await intake.receive(Envelope(message, Door.MLLP, clock.now()))
        assert received.answer.code is AckCode.AA, received.answer
        assert b"MSA|AA|C" in received.acks[0]
        worked = await pipeline.work_once(0)
        assert worked.messages == 1
        assert worked.set_aside == 0
    again = await intake.receive(Envelope(order[0], Door.MLLP, clock.now()))
    assert again.answer.duplicate
    transaction = wiring.open_transaction(engine_work)
    async with transaction() as raw:
        told = await raw.fetch("select recipient_id, sequence, type, tier, version from notification order by recipient_id, sequence")
        outcomes = await raw.fetch("select outcome from inbound_outcome")
        follow_ups = await raw.fetch("select home_id, state, programs, clocks, anchor_on from follow_up")
    assert [row["outcome"] for row in outcomes] == ["processed", "processed"]
    by_home = [(row["type"], row["tier"]) for row in told if row["recipient_id"] == world["home"]]
    assert sorted(by_home) == [("encounter.admitted", "full"), ("encounter.discharged", "full")]
    assert {row["tier"] for row in told if row["recipient_id"] == world["plan"]} == {"minimal"}
    assert [(row["home_id"], row["state"], str(row["anchor_on"])) for row in follow_ups] == [(world["home"], "open", "2026-03-06")]
    assert "mainecare_bhh.contact_2bd" in {clock["id"] for clock in follow_ups[0]["clocks"]}

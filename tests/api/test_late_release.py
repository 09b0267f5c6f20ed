"""What waited for a person is told at once when it is released: as late, with the minutes that it cost, and why."""

from typing import Any

from app.domain.inbound import Door, Envelope, Outcome, Problem, ProblemCode, Severity
from app.store import inbound
from app.store.inbound import OutcomeRow
from tests.api.test_aggregators import aggregator, map_to, message, send
from tests.api.test_attribution import told
from tests.api.test_held import discharge, status
from tests.api.world import ADMIN_KEY, ADMIT, DISCHARGE, World, load_panel
from tests.support.messages import adt


def lateness(items: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
    return [one.get("late") for one in items]


async def why(world: World, notification: dict[str, Any], who: str = "home") -> list[str]:
    asked = await world.api.json("GET", f"/v1/notifications/{notification['id']}/why", world.keys[who], 200)
    return list(asked["now"]["reasons"])


async def test_what_was_never_held_is_not_late(story: World) -> None:
    world = story
    assert lateness(await told(world, "home")) == [None, None]
    # Sent late is not kept waiting: nobody here had it.
    await world.send(adt("A01", "20260101100000-0500", control="C8", visit="V8", admitted="20260101100000-0500"))
    assert (await told(world, "home"))[-1]["late"] is None


async def test_a_message_that_was_set_aside_and_is_replayed(world: World) -> None:
    await world.send(ADMIT)
    await world.stage.services.receive(Envelope(DISCHARGE, Door.MLLP, world.stage.clock.now()))
    async with world.stage.pipeline.transaction() as raw:
        (waiting,) = [row["message_id"] for row in await raw.fetch("select message_id from inbound_queue")]
        problem = Problem(ProblemCode.INTERNAL, Severity.ERROR, "", "It was a defect of ours.")
        await inbound.finish(raw, [OutcomeRow(waiting, Outcome.SET_ASIDE, (problem,))], world.stage.clock.now())
    world.stage.clock.advance(minutes=95)
    await world.api.json("POST", f"/v1/inbound/msg_{waiting.hex}/replay", world.keys["hospital"], 202)
    worked = await world.stage.pipeline.work_once(0)
    assert (worked.notifications, worked.late) == (2, 2)
    admitted, discharged = await told(world, "home")
    assert lateness([admitted, discharged]) == [None, {"minutes": 95, "cause": "set_aside"}]
    assert [notice["code"] for notice in discharged["notices"]] == ["late_release"]
    assert "95 minutes" in discharged["notices"][0]["text"]
    assert any(reason.startswith("late_release: told 95 minutes late") for reason in await why(world, discharged))
    # Replayed once more it is nothing new, and what comes of the stay next is in time.
    world.stage.clock.advance(minutes=5)
    await world.api.json("POST", f"/v1/inbound/msg_{waiting.hex}/replay", world.keys["hospital"], 202)
    await world.stage.settle()
    await world.send(adt("A13", "20260306150000-0500", control="C9"))
    assert lateness(await told(world, "home"))[2:] == [None]


async def test_a_facility_that_is_mapped_at_last(world: World) -> None:
    feed = await aggregator(world)
    roster = "member_id,member_id_system,first_name,last_name,birth_date,sex,program,effective_from\n"
    await load_panel(world, "home", f"{roster}M1,NORTHAA,Ann,Alder,1980-01-02,F,BHH,2026-01-01\n")
    await send(world, message("NORTH", "N1"))
    await world.stage.settle()
    assert await told(world, "home") == []
    world.stage.clock.advance(hours=3)
    await map_to(world, feed, "NORTH", "north", assigning_authority="NORTHAA")
    await world.stage.settle()
    (admitted,) = await told(world, "home")
    assert admitted["late"] == {"minutes": 180, "cause": "unmapped_facility"}


async def test_a_hold_that_is_decided_does_not_say_what_was_decided(world: World) -> None:
    await status(world, "unknown")
    await world.send(ADMIT, discharge(("F10.20", "F")))
    world.stage.clock.advance(hours=2)
    await status(world, "not_program")
    for who in ("home", "plan"):
        last = (await told(world, who))[-1]
        assert (last["type"], last["late"]) == ("encounter.discharged", {"minutes": 120, "cause": "review"})
        assert "Part 2" not in str(last)


async def test_a_possible_match_that_is_answered(story: World) -> None:
    """Hospital A discharges somebody whom nothing but an operator's answer makes the home's patient."""
    before = await told(story, "home")
    other = adt("A03", "20260305143000-0500", control="C9", mrn="M9", visit="V9", medicaid=None, name="Aldr^An", born="19800120",
                admitted="20260301100000-0500", discharged="20260305142500-0500", disposition="01")  # fmt: skip
    await story.send(other)
    story.stage.clock.advance(minutes=50)
    async with story.stage.pipeline.transaction() as raw:
        ids = {row["value"]: row["id"] for row in await raw.fetch("select id, value from patient_record where source = 'adt'")}
    body = {"left_record_id": str(ids["M1"]), "right_record_id": str(ids["M9"]), "outcome": "same", "reason": "Same person, misspelt."}
    await story.api.json("POST", "/v1/matches", ADMIN_KEY, 201, json=body)
    await story.stage.settle()
    fresh = [one for one in (await told(story, "home"))[len(before) :] if one["encounter"]["id"] != story.ids["encounter_id"]]
    assert [one["event"] for one in fresh] == ["discharged"]
    assert lateness(fresh) == [{"minutes": 50, "cause": "review"}]

"""A held stay that an operator decides: told at once as late, never against the law, and held again when it moves."""

from typing import Any

from tests.api.test_consents import NO_PAPER, items, sign
from tests.api.test_held import discharge, status
from tests.api.world import ADMIN_KEY, ADMIT, ANN_AT_HOME, ANN_AT_PLAN, World, load_panel
from tests.support.messages import adt

INTO = {"admitted": "20260302100000-0500", "diagnoses": (("F10.20", "A"),)}


async def release(world: World, stay: str, said: str = "not_program", code: int = 200, key: str = ADMIN_KEY) -> Any:
    body = {"part2_status": said, "reason": "Called the unit."}
    done = await world.api.json("POST", f"/v1/holds/{stay}/release", key, code, json=body)
    await world.stage.settle()
    return done


async def held(world: World) -> list[dict[str, Any]]:
    return await items(world, "/v1/holds", "operator")


async def waiting(world: World) -> int:
    return next(int(one["waiting"]) for one in await items(world, "/v1/queues", "operator") if one["id"] == "holds")


async def test_a_held_stay_that_is_released_is_told_at_once_as_late_and_no_other_is(world: World) -> None:
    await status(world, "unknown")
    await world.send(ADMIT, discharge(("F10.20", "F")))
    await world.send(adt("A01", "20260305100000-0500", control="C8", visit="V8", **{**INTO, "admitted": "20260305100000-0500"}))
    world.stage.clock.advance(minutes=95)
    first, second = await held(world)
    assert (first["facility"], first["minutes_held"], first["recipients"]) == ("Hospital A", 95, 2)
    assert "a person must decide" in first["reasons"][0]
    assert await waiting(world) > 0
    (queue,) = [one for one in await items(world, "/v1/queues", "operator") if one["id"] == "holds"]
    assert queue["clocks_running"] == 1, "the home's, of the discharge; a plan has none of its own, and who is in the house none yet"
    # It is the operator's: to others nothing shows, and nobody else releases.
    assert await items(world, "/v1/holds") == []
    await release(world, first["encounter_id"], code=403, key=world.keys["hospital"])
    await release(world, second["encounter_id"], code=404, key=world.keys["home"])
    done = await release(world, first["encounter_id"])
    assert (done["part2_status"], done["minutes_held"]) == ("not_program", 95)
    assert {one["organization"]: one["tier"] for one in done["recipients"]} == {"Home B": "full", "Plan C": "minimal"}
    told = await items(world, "/v1/notifications")
    last = (told[-1]["type"], told[-1]["encounter"]["id"], told[-1]["late"])
    assert last == ("encounter.discharged", first["encounter_id"], {"minutes": 95, "cause": "review"})
    assert {one["encounter"]["id"] for one in told} == {first["encounter_id"]}
    assert "95 minutes" in str(told[-1]["notices"])
    assert "Part 2" not in str(told)
    assert [one["encounter_id"] for one in await held(world)] == [second["encounter_id"]]
    (follow_up,) = await items(world, "/v1/follow-ups")
    assert follow_up["state"] == "open"
    # Said otherwise it is withdrawn: what had a number stays, and nothing is held.
    await release(world, first["encounter_id"], "program")
    assert {one["type"] for one in await items(world, "/v1/notifications")} == {"notification.withdrawn"}
    assert [one["encounter_id"] for one in await held(world)] == [second["encounter_id"]]
    # Whom nobody claims on that day any more waits for nobody's decision.
    for who, roster, left in (("plan", ANN_AT_PLAN, [second["encounter_id"]]), ("home", ANN_AT_HOME, [])):
        header, row = roster.splitlines()
        await load_panel(world, who, f"{header},effective_to\n{row},2026-02-01\n", mode="delta")
        await world.stage.settle()
        assert [one["encounter_id"] for one in await held(world)] == left
    assert await waiting(world) == 0
    assert {one["type"] for one in await items(world, "/v1/notifications")} == {"notification.withdrawn"}


async def test_a_release_lets_nothing_go_that_the_law_withholds(world: World) -> None:
    """The place is no program: who has no agreement is told nothing all the same, nor whom the patient refused a moment ago."""
    await status(world, "unknown")
    await world.send(adt("A01", "20260302100000-0500", control="C1", **INTO))
    (one,) = await held(world)
    refusal = {"kind": "refusal", "recipient_classes": ["health_plans"], "reason": "paid in full", "purposes": []}
    await sign(world, "hospital", settle=False, **{**NO_PAPER, **refusal})
    await world.api.json("POST", f"/v1/agreements/agr_{world.ids['home'].removeprefix('org_')}/end", ADMIN_KEY, 200)
    done = await release(world, one["encounter_id"])
    assert {said["organization"]: (said["tier"], said["reasons"]) for said in done["recipients"]} == {
        "Home B": ("suppress", ["no agreement with the organization is in force today"]),
        "Plan C": ("suppress", ["protected: 45 CFR 164.522(a)(1)(vi): the patient refused this recipient"]),
    }
    for who in ("home", "plan"):
        assert await items(world, "/v1/notifications", who) == []
    assert await held(world) == []


async def test_it_holds_for_where_the_stay_had_been_and_the_registry_decides_before_it(world: World) -> None:
    await status(world, "unknown")
    await world.send(adt("A01", "20260302100000-0500", control="C1", unit="MED", **INTO))
    (one,) = await held(world)
    await release(world, one["encounter_id"])
    assert [told["tier"] for told in await items(world, "/v1/notifications")] == ["full"]
    # Another message of the same place is told like the first.
    await world.send(adt("A08", "20260302120000-0500", control="C2", unit="MED", **INTO))
    assert await held(world) == []
    await world.send(adt("A02", "20260303100000-0500", control="C3", unit="DETOX", **INTO))
    assert [again["encounter_id"] for again in await held(world)] == [one["encounter_id"]]
    assert {told["type"] for told in await items(world, "/v1/notifications")} == {"notification.withdrawn"}
    await release(world, one["encounter_id"])
    assert await held(world) == []
    await status(world, "program")
    await release(world, one["encounter_id"], code=409)
    assert {told["type"] for told in await items(world, "/v1/notifications")} == {"notification.withdrawn"}


async def test_what_is_not_held_is_not_released(story: World) -> None:
    await release(story, story.ids["encounter_id"], code=409)
    await release(story, "enc_" + "0" * 32, code=404)

"""A feed moves from test to shadow to live, and nobody is flooded: what was heard before is the past, and who is in the house is followed.

The clock of these tests is held at 2026-03-06 20:00 UTC.
"""

from typing import Any

import pytest

from app.domain.inbound import Door, Envelope
from tests.api.world import ADMIN_KEY, ADMIT, ANN_AT_HOME, DISCHARGE, World, load_panel
from tests.support.messages import adt

BEN = "H-2,HOMEB,Ben,Birch,1975-05-06,M,MC2,BHH,2026-01-01,C. Sample\n"


def ben(trigger: str, at: str, control: str, **more: Any) -> bytes:
    return adt(trigger, at, control=control, mrn="M2", medicaid="MC2", name="Birch^Ben", born="19750506", sex="M", **more)


BEN_CAME = ben("A01", "20260305100000-0500", "B1", visit="V2", admitted="20260305100000-0500")
LEFT = {"admitted": "20260305100000-0500", "discharged": "20260306145500-0500", "disposition": "01"}
BEN_LEFT = ben("A03", "20260306150000-0500", "B2", visit="V2", **LEFT)


async def move(world: World, mode: str, status: int = 200) -> dict[str, Any]:
    """Move the hospital's feed. The next message, however long after, is heard as what the feed is then."""
    path = f"/v1/feeds/{world.ids['feed_id']}"
    moved: dict[str, Any] = await world.api.json("PATCH", path, ADMIN_KEY, status, json={"mode": mode})
    await world.stage.settle()
    return moved


async def told(world: World) -> list[tuple[str, str]]:
    items = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]
    return [(one["type"], one["encounter"].get("visit_number")) for one in items]


async def follow_ups(world: World) -> dict[str, str]:
    items = (await world.api.json("GET", "/v1/follow-ups", world.keys["home"], 200))["items"]
    return {one["encounter"]["visit_number"]: one["state"] for one in items}


async def modes(world: World) -> dict[str, str]:
    async with world.stage.pipeline.transaction() as raw:
        return {row["visit_number"]: row["mode"] for row in await raw.fetch("select visit_number, mode from encounter")}


async def test_shadow_processes_everything_and_tells_nobody(world: World) -> None:
    await move(world, "shadow")
    await world.send(ADMIT, DISCHARGE)
    assert await told(world) == []
    assert await follow_ups(world) == {}
    # The hospital sees its stays, and the operator why nobody was told.
    (stay,) = (await world.api.json("GET", "/v1/encounters", world.keys["hospital"], 200))["items"]
    assert stay["status"] == "finished"
    messages = (await world.api.json("GET", "/v1/inbound", ADMIN_KEY, 200, params={"control_id": "C2"}))["items"]
    trace = await world.api.json("GET", f"/v1/inbound/{messages[0]['id']}/trace", ADMIN_KEY, 200)
    assert {one["decision"] for one in trace["decisions"]} == {"not_live"}


async def test_going_live_tells_nothing_of_the_past_and_follows_who_is_in_the_house(world: World) -> None:
    await load_panel(world, "home", ANN_AT_HOME + BEN)
    await move(world, "shadow")
    await world.send(ADMIT, DISCHARGE, BEN_CAME)
    moved = await move(world, "live")
    assert moved["in_house"] == 1
    assert await told(world) == []
    assert await follow_ups(world) == {"V2": "inpatient"}
    assert await modes(world) == {"V1": "backfill", "V2": "live"}
    # Sent again, for what was on the queue when the feed went live: nothing changes.
    assert (await move(world, "live"))["in_house"] == 0
    # Late codes for last week's patient are no news, the discharge of who was in the house is.
    await world.send(
        adt(
            "A08",
            "20260306151000-0500",
            control="C3",
            admitted="20260302100000-0500",
            discharged="20260306142500-0500",
            diagnoses=(("F33.1", "F"),),
        ),
        BEN_LEFT,
    )
    assert await told(world) == [("encounter.discharged", "V2")]
    assert await follow_ups(world) == {"V2": "open"}
    await world.stage.pass_time()
    assert await told(world) == [("encounter.discharged", "V2")]


@pytest.mark.parametrize("is_renumbered_first", [True, False])
@pytest.mark.parametrize("number", ["V2", "V9"])
async def test_who_is_in_the_house_stays_live_under_a_new_number(world: World, number: str, *, is_renumbered_first: bool) -> None:
    """What was said under each number of a stay is its past: one that joins them anew does not make the stay quiet, nor tell the past."""
    await load_panel(world, "home", ANN_AT_HOME + BEN)
    renumbered = ben("A50", "20260306145000-0500", "B3", visit="V9", mrg={5: "V2^^^HOSPA^VN"})
    await move(world, "shadow")
    await world.send(BEN_CAME, *([renumbered] if is_renumbered_first else []))
    assert (await move(world, "live"))["in_house"] == 1
    await world.send(*([] if is_renumbered_first else [renumbered]))
    # What was received in shadow is worked on again, and makes nothing quiet.
    for message in (await world.api.json("GET", "/v1/inbound", ADMIN_KEY, 200, params={"control_id": "B1"}))["items"]:
        await world.api.json("POST", f"/v1/inbound/{message['id']}/replay", ADMIN_KEY, 202)
    await world.stage.settle()
    assert await told(world) == []
    assert await follow_ups(world) == {"V9": "inpatient"}
    assert (await modes(world))["V9"] == "live"
    await world.send(ben("A03", "20260306150000-0500", "B2", visit=number, **LEFT))
    assert await told(world) == [("encounter.discharged", "V9")]
    assert await follow_ups(world) == {"V9": "open"}


async def test_a_stay_that_begins_after_the_feed_went_live_is_told_whole(world: World) -> None:
    await move(world, "shadow")
    await move(world, "live")
    await world.send(ADMIT, DISCHARGE)
    assert await told(world) == [("encounter.admitted", "V1"), ("encounter.discharged", "V1")]
    assert await follow_ups(world) == {"V1": "open"}


async def test_a_message_of_the_shadow_is_replayed_as_one(world: World) -> None:
    await move(world, "shadow")
    await world.send(ADMIT, DISCHARGE)
    await move(world, "live")
    for message in (await world.api.json("GET", "/v1/inbound", ADMIN_KEY, 200, params={"outcome": "processed"}))["items"]:
        await world.api.json("POST", f"/v1/inbound/{message['id']}/replay", ADMIN_KEY, 202)
    await world.stage.settle()
    assert await told(world) == []
    assert await modes(world) == {"V1": "backfill"}


async def test_what_waited_on_the_queue_when_the_feed_went_live_is_past_too(world: World) -> None:
    await move(world, "shadow")
    for body in (ADMIT, DISCHARGE):
        await world.api.post("/hl7v2", world.keys["hospital"], content=body, headers={"content-type": "text/plain"})
    await move(world, "live")
    assert await told(world) == []
    assert await follow_ups(world) == {}
    assert await modes(world) == {"V1": "backfill"}


async def test_history_counts_for_readmission_without_being_told(world: World) -> None:
    """31-day rules: an admission that is only in the census supersedes what a discharge before it asks for."""
    await world.send(ADMIT, DISCHARGE)
    assert await follow_ups(world) == {"V1": "open"}
    service = world.stage.services
    again = adt("A01", "20260306145000-0500", control="R1", visit="V9", admitted="20260306145000-0500")
    answer, _ = await service.receive(Envelope(again, Door.FILE, service.clock.now(), as_history=True))
    assert answer.code == "AA"
    await world.stage.settle()
    assert [visit for _, visit in await told(world)] == ["V1", "V1"]
    assert await modes(world) == {"V1": "live", "V9": "backfill"}
    assert (await follow_ups(world))["V1"] in {"suspended", "superseded"}


async def test_history_loaded_over_what_was_told_takes_nothing_back(world: World) -> None:
    await world.send(ADMIT, DISCHARGE)
    before = await told(world)
    service = world.stage.services
    same = DISCHARGE.replace(b"|C2|", b"|HIST2|")
    await service.receive(Envelope(same, Door.FILE, service.clock.now(), as_history=True))
    await world.stage.settle()
    assert await told(world) == before
    assert await follow_ups(world) == {"V1": "open"}


async def test_a_test_feed_meets_nobody(world: World) -> None:
    await move(world, "shadow")
    await move(world, "test")
    await world.send(ADMIT, DISCHARGE)
    assert await told(world) == []
    assert await modes(world) == {"V1": "test"}
    refused = await move(world, "live", 409)
    assert "shadow" in refused["detail"]
    await move(world, "shadow")
    await move(world, "live")
    assert await told(world) == []
    assert await modes(world) == {"V1": "test"}
    # The same patient comes for the first time, as far as anybody may know.
    await world.send(ADMIT.replace(b"|C1|", b"|C9|"))
    assert await told(world) == [("encounter.admitted", "V1")]


async def test_what_a_recipient_did_not_wish_is_not_counted_as_what_would_have_been_told(world: World) -> None:
    await world.api.json(
        "PUT",
        f"/v1/organizations/{world.ids['home']}/preferences",
        world.keys["home"],
        200,
        json={"rules": [{"classes": ["inpatient"], "tell": False}]},
    )
    await move(world, "shadow")
    await world.send(ADMIT)
    async with world.stage.pipeline.transaction() as raw:
        decisions = {
            row["name"]: row["decision"]
            for row in await raw.fetch("select o.name, t.decision from telling t join organization o on o.id = t.recipient_id")
        }
    assert decisions == {"Home B": "preference", "Plan C": "not_live"}

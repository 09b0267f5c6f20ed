"""What a home says of the discharge summary, and how the hospital is reached: who sees it, who may say it, and what it changes."""

from typing import Any
from uuid import UUID

import pytest

from app.domain.viewer import Viewer
from app.store.engine import raw_connection
from tests.api.world import ADMIN_KEY, World
from tests.support.documents import mdm

REQUESTED = {"fact": "requested", "at": "2026-03-06T14:45:00-05:00", "via": "fax", "note": "Sent to records.", "author": "C. Sample"}
REVIEWED = {"fact": "reviewed", "at": "2026-03-06T14:55:00-05:00"}


async def follow_up(world: World, who: str = "home") -> dict[str, Any]:
    (found,) = (await world.api.json("GET", "/v1/follow-ups", world.keys[who], 200))["items"]
    return dict(found)


async def say(world: World, fact: dict[str, Any], status: int = 201, who: str = "home", **headers: str) -> dict[str, Any]:
    path = f"/v1/follow-ups/{(await follow_up(world))['id']}/summary"
    answer = await world.api.json("POST", path, world.keys[who], status, json=fact, headers=headers)
    return dict(answer)


async def test_the_steps_are_recorded_shown_and_satisfy_no_clock(story: World) -> None:
    before = await follow_up(story)
    story.stage.clock.advance(minutes=5)
    told = await say(story, REQUESTED)
    assert {name: told[name] for name in ("fact", "at", "via", "note", "author", "document_id", "voided_at")} == {
        "fact": "requested",
        "at": "2026-03-06T19:45:00+00:00",
        "via": "fax",
        "note": "Sent to records.",
        "author": "C. Sample",
        "document_id": None,
        "voided_at": None,
    }
    await say(story, REVIEWED)
    after = await follow_up(story)
    steps = after["summary"]
    assert (steps["requested_at"], steps["received_at"]) == ("2026-03-06T19:45:00+00:00", None)
    assert steps["reviewed_at"] == "2026-03-06T19:55:00+00:00"
    assert [one["fact"] for one in steps["facts"]] == ["requested", "reviewed"]
    assert (after["clocks"], after["state"]) == (before["clocks"], before["state"])
    assert after["updated_at"] > before["updated_at"]
    assert (await follow_up(story, "plan"))["summary"] == {"requested_at": None, "received_at": None, "reviewed_at": None, "facts": []}


async def test_what_came_in_a_message_and_what_was_said_stand_side_by_side(story: World) -> None:
    await say(story, {"fact": "received", "at": "2026-03-06T14:50:00-05:00", "via": "fax"})
    await story.send(mdm(control="D1"))
    steps = (await follow_up(story))["summary"]
    assert steps["received_at"] == "2026-03-06T19:50:00+00:00"
    assert [(one["via"], one["document_id"] is None) for one in steps["facts"]] == [("fax", True), ("exchange", False)]


async def test_a_mistake_is_taken_back_and_stays_to_be_seen(story: World) -> None:
    told = await say(story, REQUESTED)
    for _ in range(2):
        taken_back = await story.api.json(
            "POST", f"/v1/summary-facts/{told['id']}/void", story.keys["home"], 200, json={"reason": "wrong person"}
        )
        assert taken_back["voided_at"] is not None
    steps = (await follow_up(story))["summary"]
    assert (steps["requested_at"], len(steps["facts"])) == (None, 1)


async def test_a_repetition_is_recorded_once(story: World) -> None:
    told = [await say(story, REQUESTED, **{"Idempotency-Key": "once"}) for _ in range(3)]
    assert len({one["id"] for one in told}) == 1
    assert len((await follow_up(story))["summary"]["facts"]) == 1
    await say(story, REVIEWED, 409, **{"Idempotency-Key": "once"})


@pytest.mark.parametrize("who", ["plan", "stranger", "hospital"])
async def test_nobody_else_says_it_or_takes_it_back(story: World, who: str) -> None:
    told = await say(story, REQUESTED)
    await say(story, REQUESTED, 404, who)
    path = f"/v1/summary-facts/{told['id']}/void"
    await story.api.json("POST", path, story.keys[who], 404, json={"reason": "not theirs"})
    assert (await follow_up(story))["summary"]["facts"][0]["voided_at"] is None


async def test_another_organization_reads_no_row(story: World) -> None:
    """Row-level security, without any condition of ours: as the viewer, straight from the tables."""
    await say(story, REQUESTED)
    await story.send(mdm(control="D1"), mdm("T02", control="D2", number="D2", confidentiality="R"))
    seen = {}
    for who in ("home", "hospital", "stranger"):
        organization = story.ids[who].removeprefix("org_")
        seen[who] = await _counts(story, organization)
    assert seen == {"home": (1, 1), "hospital": (2, 0), "stranger": (0, 0)}


async def _counts(world: World, organization: str) -> tuple[int, int]:
    async with world.stage.services.unit_of_work(Viewer(UUID(organization), frozenset())) as connection:
        raw = await raw_connection(connection)
        return (await raw.fetchval("select count(*) from document"), await raw.fetchval("select count(*) from summary_fact"))


async def test_a_stay_says_how_its_unit_is_reached_to_those_who_see_it_whole(story: World) -> None:
    house = {
        "call_back_number": "207-555-0100",
        "direct_address": "records@direct.hospital.example.org",
        "records_contact": "Records office",
    }
    hospital = f"/v1/organizations/{story.ids['hospital']}"
    shown = await story.api.json("PATCH", hospital, ADMIN_KEY, 200, json=house)
    assert {name: shown[name] for name in house} == house
    await story.api.json("PUT", f"{hospital}/units/psy", story.keys["hospital"], 200, json={"call_back_number": "207-555-0140"})
    stay = (await follow_up(story))["encounter"]
    reached = {"call_back": "207-555-0140", "direct_address": house["direct_address"], "records_contact": "Records office"}
    assert {name: stay["facility"][name] for name in reached} == reached
    assert set((await follow_up(story, "plan"))["encounter"]["facility"]) == {"id", "name"}
    # What is told from now on has it too.
    await story.send(mdm(control="D1"))
    news = (await story.api.json("GET", "/v1/notifications?after=0", story.keys["home"], 200))["items"][-1]
    assert {name: news["encounter"]["facility"][name] for name in reached} == reached
    page = await story.api.json("GET", f"{hospital}/units", story.keys["hospital"], 200)
    assert [(one["unit"], one["call_back_number"], one["direct_address"]) for one in page["items"]] == [("PSY", "207-555-0140", None)]
    await story.api.json("DELETE", f"{hospital}/units/PSY", story.keys["hospital"], 204)
    assert (await follow_up(story))["encounter"]["facility"]["call_back"] == "207-555-0100"
    await story.api.json("DELETE", f"{hospital}/units/PSY", story.keys["hospital"], 404)
    await story.api.json("GET", f"{hospital}/units", story.keys["home"], 404)
    await story.api.json("PUT", f"{hospital}/units/PSY", story.keys["home"], 404, json={})


@pytest.mark.parametrize(
    "wrong",
    [
        {"direct_address": "nobody"},
        {"direct_address": "a@localhost"},
        {"direct_address": ".a@direct.example.org"},
        {"direct_address": "a b@direct.example.org"},
        {"call_back_number": "call us"},
        {"call_back_number": "tel:2075550100"},
    ],
)
async def test_an_address_or_number_that_is_none_is_refused(world: World, wrong: dict[str, str]) -> None:
    await world.api.json("PATCH", f"/v1/organizations/{world.ids['hospital']}", ADMIN_KEY, 422, json=wrong)

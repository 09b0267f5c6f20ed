"""Danger is escalated at once, once a contact, to the home alone; what instruments say is kept with the contact. On the whole road."""

from typing import Any

from app.store.engine import raw_connection
from app.store.unit_of_work import unit_of_work
from tests.api.test_timers import call, name, told
from tests.api.world import World

HIGH = {"q1": True, "q2": True, "q3": True, "q4": True, "q5": False, "q6": False}


async def safety(world: World, who: str = "home") -> list[dict[str, Any]]:
    return [one for one in await told(world, who) if "safety" in one]


async def test_danger_is_escalated_with_the_contact_once_whatever_is_looked_at_again(story: World) -> None:
    await name(story, "on_call", name="O. Sample", phone="207-555-0199")
    made = await call(story, content={"c_ssrs_level": HIGH, "phq9": {"items": [2, 2, 2, 2, 2, 2, 2, 2, 1]}})
    assert made["content"]["c_ssrs_level"] == {"done": True, "level": "high", **HIGH}
    assert made["content"]["phq9"] == {"done": True, "score": 17, "items": [2, 2, 2, 2, 2, 2, 2, 2, 1]}
    (notice,) = await safety(story)
    assert notice["type"] == "follow_up.safety"
    assert notice["safety"] == {"contact_id": made["id"], "findings": ["c_ssrs_high", "phq9_item_9"]}
    assert notice["escalation"]["level"] == "safety"
    assert {"part": "on_call", "name": "O. Sample", "phone": "207-555-0199"} in notice["escalation"]["to"]
    assert notice["notices"][0]["code"] == "988"
    await call(story, outcome="no_answer")
    story.stage.clock.advance(days=1)
    await story.stage.pass_time()
    assert len(await safety(story)) == 1
    assert await safety(story, "plan") == []


async def test_what_was_taken_back_is_said_to_be_so_once(story: World) -> None:
    made = await call(story, content={"c_ssrs_level": "moderate"})
    for _ in range(2):
        await story.api.json("POST", f"/v1/contacts/{made['id']}/void", story.keys["home"], 200, json={"reason": "wrong person"})
        await story.stage.settle()
    first, second = await safety(story)
    assert (first["type"], second["type"], second["event"]) == ("follow_up.safety", "follow_up.updated", "safety_taken_back")


async def test_a_contact_that_waits_to_be_looked_at_is_escalated_by_the_worker(story: World) -> None:
    """The process that took it in died after its commit."""
    made = await call(story, content={"c_ssrs_level": "low"})
    async with unit_of_work(story.stage.work, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute("update contact set fields = jsonb_set(fields::jsonb, '{content}', '{\"c_ssrs_level\": \"high\"}')::json")
        await raw.execute("insert into reconsideration (encounter_id, asked_at, cause) select id, now(), 'contact' from encounter")
    assert await safety(story) == []
    story.stage.clock.advance(days=3000)
    await story.stage.settle()
    (notice,) = await safety(story)
    assert notice["safety"]["contact_id"] == made["id"]


async def test_no_danger_is_no_notice(story: World) -> None:
    made = await call(story, content={"c_ssrs_level": "low", "phq9": 14, "med_rec": {"discrepancies": 3, "resolved": 2}})
    assert made["content"]["med_rec"] == {"done": True, "discrepancies": 3, "resolved": 2}
    assert await safety(story) == []

"""A known number with somebody else's name: waits for a person, and is told to nobody meanwhile; a correction is followed."""

from typing import Any

import pytest

from app.domain.follow_up import FollowUpState
from tests.api.test_attribution import told
from tests.api.world import World, load_panel
from tests.support.messages import adt

ZEB = {"name": "Quill^Zebulon", "born": "19501231", "sex": "M", "medicaid": None, "visit": "V9"}
ROSTER = "member_id,first_name,last_name,birth_date,sex,program,effective_from\n"


async def aside(world: World) -> list[dict[str, Any]]:
    listed = await world.api.json("GET", "/v1/inbound?outcome=set_aside", world.keys["hospital"], 200)
    found: list[dict[str, Any]] = listed["items"]
    return found


async def test_a_number_that_is_used_again_is_asked_about_and_takes_nothing_from_whose_it_was(story: World) -> None:
    world = story
    await load_panel(world, "stranger", f"{ROSTER}Z1,Zebulon,Quill,1950-12-31,M,HH,2026-01-01\n")
    before = await told(world, "home")
    await world.send(adt("A01", "20260308100000-0500", control="C8", **ZEB))
    assert await told(world, "stranger") == [], "neither of Ann's stay nor of one that may be somebody else's"
    assert await told(world, "home") == before
    (follow_up,) = (await world.api.json("GET", "/v1/follow-ups", world.keys["home"], 200))["items"]
    assert follow_up["state"] == FollowUpState.OPEN.value
    (message,) = await aside(world)
    (problem,) = (await world.api.json("GET", f"/v1/inbound/{message['id']}", world.keys["hospital"], 200))["outcome_problems"]
    assert (problem["code"], problem["location"]) == ("205", "PID^1^3")
    assert "Quill" not in str(problem)
    # Sent again with the right number.
    await world.send(adt("A01", "20260308100000-0500", control="C9", mrn="M77", **ZEB))
    assert [(item["type"], item["person"]["last_name"]) for item in await told(world, "stranger")] == [("encounter.admitted", "Quill")]
    assert await told(world, "home") == before


async def test_whoever_replays_it_says_that_it_is_a_correction(story: World) -> None:
    await story.send(adt("A08", "20260308100000-0500", control="C8", **{**ZEB, "visit": "V1"}))
    (message,) = await aside(story)
    await story.api.json("POST", f"/v1/inbound/{message['id']}/replay", story.keys["hospital"], 202)
    await story.stage.settle()
    assert await aside(story) == []
    listed = await story.api.json("GET", f"/v1/inbound/{message['id']}", story.keys["hospital"], 200)
    assert listed["outcome"] == "processed"


@pytest.mark.parametrize(
    "said",
    [
        {"name": "Birch^Ann"},
        {"name": "Birch^Annie", "born": "19800201"},
        {"born": "19551230"},
        {"sex": "M", "name": "Alder^Andrew"},
        {"name": "Unknown^Trauma", "born": "19000101", "sex": "M"},
        {"name": "Quill^Zebulon", "born": "19501231", "sex": "M"},
    ],
    ids=[
        "a marriage",
        "a marriage and a swapped date",
        "another birth date",
        "another name and sex",
        "a stand-in",
        "with one number of two",
    ],
)
async def test_a_correction_is_followed(story: World, said: dict[str, str]) -> None:
    await story.send(adt("A08", "20260308100000-0500", control="C8", **said))
    assert await aside(story) == []


@pytest.mark.parametrize("said", [{"name": "Alder^Baby Girl"}, {"name": "Alder^Baby Boy", "sex": "M"}, {"name": "Alder^Lily"}])
async def test_a_newborn_under_its_mothers_number_does_not_become_its_mother(story: World, said: dict[str, str]) -> None:
    await story.send(adt("A01", "20260308100000-0500", control="C8", visit="V9", born="20260308", medicaid=None, **said))
    assert len(await aside(story)) == 1
    person = (await story.api.json("GET", "/v1/encounters", story.keys["home"], 200))["items"][0]["person"]
    assert (person["first_name"], person["birth_date"]) == ("Ann", "1980-01-02")

"""A known number with somebody else's name: waits for a person, and is told to nobody meanwhile; a correction is followed."""

from typing import Any

import pytest

from app import wiring
from app.domain.follow_up import FollowUpState
from tests.api.test_attribution import told
from tests.api.world import ER7, World, load_panel
from tests.support.messages import adt, patient

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


BABY = {"name": "Alder^Lily", "born": "20260308", "medicaid": None, "visit": "V9"}


def with_mother(message: bytes, number: str) -> bytes:
    """Say in PID-21 who the mother is."""
    lines = message.decode().split("\r")
    place = next(place for place, line in enumerate(lines) if line.startswith("PID|"))
    fields = [*lines[place].split("|"), *[""] * 22][:22]
    fields[21] = f"{number}^^^HOSPA^MR"
    lines[place] = "|".join(fields)
    return "\r".join(lines).encode()


async def test_a_newborn_of_whom_the_message_says_that_the_number_is_the_mothers_waits_though_nobody_knows_the_number(story: World) -> None:
    await story.send(with_mother(adt("A01", "20260308100000-0500", control="C8", mrn="M70", **BABY), "M70"))
    (message,) = await aside(story)
    mother = {"name": "Birch^Maud", "born": "19900101", "medicaid": None, "visit": "V8"}
    await story.send(adt("A01", "20260308090000-0500", control="C9", mrn="M70", **mother))
    assert [one["id"] for one in await aside(story)] == [message["id"]], "the mother's own is taken"
    # Once somebody has said that a number is the newborn's, what follows is taken.
    await story.send(with_mother(adt("A01", "20260308100000-0500", control="D1", mrn="M71", **BABY), "M71"))
    (other,) = [one for one in await aside(story) if one["id"] != message["id"]]
    await story.api.json("POST", f"/v1/inbound/{other['id']}/replay", story.keys["hospital"], 202)
    await story.stage.settle()
    await story.send(with_mother(adt("A08", "20260308110000-0500", control="D2", mrn="M71", **BABY), "M71"))
    assert [one["id"] for one in await aside(story)] == [message["id"]]


@pytest.mark.parametrize(("number", "said"), [("M1", BABY), ("M72", {"medicaid": None, "visit": "V9", "name": "Alder^Edith"})])
async def test_a_newborn_with_its_own_number_is_taken_and_a_grown_up_whatever_is_in_pid_21(
    story: World, number: str, said: dict[str, str]
) -> None:
    await story.send(with_mother(adt("A01", "20260308100000-0500", control="C8", mrn="M72", **said), number))
    assert await aside(story) == []


async def test_the_mothers_number_beside_the_newborns_own_makes_no_one_person_of_them(story: World) -> None:
    beside = adt("A01", "20260308100000-0500", control="C8", mrn="M72", **BABY).replace(b"M72^^^HOSPA^MR", b"M72^^^HOSPA^MR~M1^^^HOSPA^MR")
    await story.send(with_mother(beside, "M1"))
    async with wiring.open_transaction(story.stage.work)() as raw:
        held = await raw.fetch(
            "select i.value from record_identifier i join patient_record r on r.id = i.record_id where r.value = 'M72' order by 1"
        )
    assert [row["value"] for row in held] == ["M72"]


async def test_a_replay_of_everything_that_was_set_aside_answers_no_such_question(story: World) -> None:
    world = story
    await world.send(adt("A01", "20260308100000-0500", control="C8", **ZEB))
    everything = {"dry_run": False}
    tried = await world.api.json("POST", "/v1/inbound/replay", world.keys["hospital"], 200, json=everything)
    assert tried["replayed"] == 0
    tried = await world.api.json("POST", "/v1/inbound/replay", world.keys["hospital"], 200, json={**everything, "location": "PID^1^3"})
    assert tried["replayed"] == 0
    await world.stage.settle()
    assert len(await aside(world)) == 1
    tried = await world.api.json("POST", "/v1/inbound/replay", world.keys["hospital"], 200, json={**everything, "code": "205"})
    assert tried["replayed"] == 1
    await world.stage.settle()
    assert await aside(world) == []


async def test_a_discharge_that_waits_is_a_clock_that_runs(story: World) -> None:
    """Nobody knows yet whose it is; that it is a discharge is in its header. What cannot be read so far is no nought."""

    async def queue() -> dict[str, Any]:
        listed = await story.api.json("GET", "/v1/queues", story.keys["operator"], 200)
        return {one["id"]: one for one in listed["items"]}["set_aside"]

    await story.send(adt("A01", "20260308100000-0500", control="C8", **ZEB))
    assert ((await queue())["waiting"], (await queue())["clocks_running"]) == (1, 0)
    await story.send(adt("A03", "20260309100000-0500", control="C9", disposition="01", **ZEB))
    assert ((await queue())["waiting"], (await queue())["clocks_running"]) == (2, 1)
    async with wiring.open_transaction(story.stage.work)() as raw:
        await raw.execute("update inbound_message set mode = 'shadow' where control_id = 'C9'")
    assert (await queue())["clocks_running"] == 0, "nobody is told of it, whatever is decided"
    async with wiring.open_transaction(story.stage.work)() as raw:
        await raw.execute("update inbound_message set mode = null, trigger = '' where control_id = 'C8'")
        await raw.execute("update inbound_message set mode = 'live' where control_id = 'C9'")
    unread = await queue()
    assert unread["clocks_running"] is None
    assert unread["clocks_unknown"] == "1 of the messages cannot be read enough to tell a discharge; the others tell of 1."


async def test_two_patients_in_one_message_of_whom_one_is_somebody_else_change_nothing_at_all(story: World) -> None:
    """An A17 of which one half is refused waits whole: nothing is learned of the other half either, until a person has looked."""
    beth = patient("M2", name="Rowan^Beth", born="19620304", sex="F", medicaid="MC7")
    place = "PV1|1|I|MED^9^1^HOSPA||||||||||||||||V9^^^HOSPA^VN"
    swap = adt("A17", "20260308100000-0500", control="C8", extra=(beth, place), **{**ZEB, "visit": "V1"})

    async def known() -> list[tuple[Any, ...]]:
        async with wiring.open_transaction(story.stage.work)() as raw:
            query = (
                "select r.value, r.demographics::text, i.value from patient_record r left join record_identifier i on i.record_id = r.id"
            )
            return sorted(tuple(row.values()) for row in await raw.fetch(query))

    before = await known()
    await story.send(swap)
    (message,) = await aside(story)
    assert await known() == before
    await story.api.json("POST", f"/v1/inbound/{message['id']}/replay", story.keys["hospital"], 202)
    await story.stage.settle()
    assert await aside(story) == []
    assert {"M2", "MC7"} <= {number for one in await known() for number in (one[0], one[2])}


async def test_what_waits_so_is_counted_and_ages(story: World) -> None:
    async def queue() -> dict[str, Any]:
        listed = await story.api.json("GET", "/v1/queues", story.keys["operator"], 200)
        return {one["id"]: one for one in listed["items"]}["set_aside"]

    assert ((await queue())["waiting"], (await queue())["alert"]) == (0, "none")
    assert ((await queue())["clocks_running"], (await queue())["clocks_unknown"]) == (0, None)
    await story.send(adt("A01", "20260308100000-0500", control="C8", **ZEB))
    assert ((await queue())["waiting"], (await queue())["alert"]) == (1, "none")
    story.stage.clock.advance(hours=24 * 14)
    assert (await queue())["alert"] == "overdue"


async def test_a_validation_says_that_it_would_wait(story: World) -> None:
    body = adt("A01", "20260308100000-0500", control="C8", **ZEB)
    said = await story.api.json("POST", "/hl7v2/$validate", story.keys["hospital"], 200, content=body, headers=ER7)
    assert said["reaches"] == []
    assert ("205", "PID^1^3") in {(one["code"], one["location"]) for one in said["problems"]}


@pytest.mark.parametrize("at_once", [True, False])
async def test_two_who_contradict_each_other_about_a_new_number_are_not_both_taken(story: World, at_once: bool) -> None:
    for control, said in (
        ("D1", {**ZEB, "mrn": "M90"}),
        ("D2", {**ZEB, "mrn": "M90", "name": "Birch^Maud", "born": "19900101", "sex": "F"}),
    ):
        await story.api.call(
            "POST", "/hl7v2", story.keys["hospital"], content=adt("A01", "20260308100000-0500", control=control, **said), headers=ER7
        )
        if not at_once:
            await story.stage.settle()
    await story.stage.settle()
    assert [one["control_id"] for one in await aside(story)] == ["D2"]

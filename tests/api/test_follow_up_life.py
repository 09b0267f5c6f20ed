"""What becomes of a follow-up when what it rests on is taken back, said again, or not yet: on the whole road."""

from datetime import datetime, timedelta
from typing import Any

from tests.api.world import ADMIT, ANN_AT_HOME, DISCHARGE, World, load_panel
from tests.support.messages import adt


async def the_follow_up(world: World, who: str = "home") -> dict[str, Any]:
    (found,) = (await world.api.json("GET", "/v1/follow-ups", world.keys[who], 200))["items"]
    return dict(found)


async def test_what_was_closed_before_the_discharge_was_taken_back_is_open_again_and_can_be_closed_again(story: World) -> None:
    path = f"/v1/follow-ups/{(await the_follow_up(story))['id']}/close"
    closed_at = story.stage.clock.now()
    closed = await story.api.json("POST", path, story.keys["home"], 200, json={"reason": "first", "author": "C. Sample"})
    assert (closed["state"], closed["close_reason"]) == ("closed", "first")
    assert (await story.api.json("POST", path, story.keys["home"], 200, json={"reason": "again"}))["close_reason"] == "first"
    story.stage.clock.advance(hours=20)
    await story.send(adt("A13", "20260306160000-0500", control="C3"))
    later = "20260307090000-0500"
    await story.send(adt("A03", later, control="C4", admitted="20260302100000-0500", discharged=later, disposition="01"))
    assert (await the_follow_up(story))["state"] == "open"
    story.stage.clock.advance(hours=20)
    closed = await story.api.json("POST", path, story.keys["home"], 200, json={"reason": "second"})
    assert (closed["state"], closed["close_reason"]) == ("closed", "second")
    assert [list(one.values()) for one in closed["history"]] == [
        [closed_at.isoformat(), "closed", "C. Sample", "open", "closed", "first"],
        [(closed_at + timedelta(hours=20)).isoformat(), "reopened", "", "closed", "inpatient", closed["history"][1]["reason"]],
        [(closed_at + timedelta(hours=40)).isoformat(), "closed", "", "open", "closed", "second"],
    ]
    assert closed["history"][1]["reason"].startswith("discharge_cancelled")
    assert (await the_follow_up(story, "plan"))["history"] == [], "who did what, and why, is the home's"


async def test_the_chain_of_owners_begins_with_the_home_and_whom_the_panel_names(story: World) -> None:
    found = await the_follow_up(story)
    (first,) = found["owners"]
    assert (first["organization_id"], first["staff"], first["ends_at"]) == (story.ids["home"], "C. Sample", None)
    given = await story.api.json("POST", f"/v1/follow-ups/{found['id']}/assign", story.keys["home"], 200, json={"assignee": "N. Sample"})
    assert [owner["staff"] for owner in given["owners"]] == ["C. Sample", "N. Sample"]
    assert [owner["ends_at"] is None for owner in given["owners"]] == [False, True]


async def test_a_death_that_was_taken_back_opens_the_follow_up_again_and_both_are_on_record(story: World) -> None:
    for control, said, state in (("C5", "Y", "closed"), ("C6", "N", "open")):
        message = adt("A31", f"202603061{control[1]}0000-0500", control=control, patient_class=None)
        lines = message.split(b"\r")
        spoken = [line + b"|" * (30 - line.count(b"|")) + said.encode() if line.startswith(b"PID|") else line for line in lines]
        for _ in range(2):
            await story.send(b"\r".join(spoken))
        assert (await the_follow_up(story))["state"] == state
    history = (await the_follow_up(story))["history"]
    assert [(one["what"], one["by"], one["from"], one["to"], one["reason"].partition(":")[0]) for one in history] == [
        ("closed", "", "open", "closed", "died"), ("reopened", "", "closed", "open", "discharged"),
    ]  # fmt: skip


async def test_a_clock_that_counts_from_the_notification_runs_from_it_and_a_correction_does_not_move_it(world: World) -> None:
    await load_panel(world, "home", ANN_AT_HOME.replace("BHH", "NY Health Home"))
    await world.send(ADMIT)
    world.stage.clock.advance(hours=30)
    told_at = world.stage.clock.now()
    await world.send(DISCHARGE)
    clocks = (await the_follow_up(world))["clocks"]
    due_at = {clock["id"]: datetime.fromisoformat(clock["due_at"]) for clock in clocks}
    assert due_at["ny_health_home.contact_48h"] == told_at + timedelta(hours=48)
    world.stage.clock.advance(hours=5)
    await world.send(adt("A08", "20260307200000-0500", control="C7", disposition="06", diagnoses=(("F32.2", "F"),)))
    told = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]
    assert told[-1]["type"] == "encounter.updated"
    assert (await the_follow_up(world))["clocks"] == clocks


async def test_who_was_called_before_the_home_was_told_was_called_in_time(world: World) -> None:
    """The home knew from the patient; the hospital's message came thirty hours later."""
    await load_panel(world, "home", ANN_AT_HOME.replace("BHH", "NY Health Home"))
    await world.send(ADMIT)
    world.stage.clock.advance(hours=30)
    await world.send(DISCHARGE)
    path = f"/v1/follow-ups/{(await the_follow_up(world))['id']}/contacts"
    said = {"type": "phone", "outcome": "reached", "role": "coordinator"}
    for at, state, code in (("2026-03-06T14:00:00-05:00", "pending", "before_anchor"), ("2026-03-06T18:00:00-05:00", "met", "counts")):
        made = await world.api.json("POST", path, world.keys["home"], 201, json={"occurred_at": at, **said})
        (effect,) = [one for one in made["effects"] if one["clock_id"] == "ny_health_home.contact_48h"]
        assert (effect["clock_state"], effect["reasons"][0].partition(":")[0]) == (state, code)


async def test_a_visit_of_transitional_care_waits_for_the_reconciliation_of_its_day_and_says_so(world: World) -> None:
    await load_panel(world, "home", ANN_AT_HOME.replace("BHH", "TCM"))
    await world.send(ADMIT, DISCHARGE)
    world.stage.clock.advance(days=4)
    path = f"/v1/follow-ups/{(await the_follow_up(world))['id']}/contacts"
    visit = {"occurred_at": "2026-03-10T10:00:00-04:00", "type": "in_person_office", "outcome": "attended", "role": "prescriber"}
    review = {"occurred_at": "2026-03-10T15:00:00-04:00", "type": "phone", "outcome": "reached", "role": "RN", "content": ["med_rec"]}
    for said, state, code in ((visit, "pending", "topic_missing_by_day"), (review, "met", "type_not_counted")):
        made = await world.api.json("POST", path, world.keys["home"], 201, json=said)
        (effect,) = [one for one in made["effects"] if one["clock_id"] == "tcm.visit_7d"]
        assert (effect["clock_state"], effect["satisfies"], effect["reasons"][0].partition(":")[0]) == (state, False, code)


async def test_the_screener_and_the_safety_plan_in_two_calls_meet_the_clock_of_safety(world: World) -> None:
    await load_panel(world, "home", ANN_AT_HOME)
    danger = (("F32.2", "F"), ("R45.851", "F"))
    await world.send(ADMIT, adt("A03", "20260306143000-0500", control="C2", admitted="20260302100000-0500",
                                discharged="20260306142500-0500", disposition="01", diagnoses=danger))  # fmt: skip
    world.stage.clock.advance(hours=20)
    path = f"/v1/follow-ups/{(await the_follow_up(world))['id']}/contacts"
    for hour, topic, state, code in ((17, "safety_plan", "pending", "topic_missing_yet"), (18, "c_ssrs_level", "met", "counts")):
        said = {"occurred_at": f"2026-03-06T{hour}:00:00-05:00", "type": "phone", "outcome": "reached", "content": {topic: _DONE[topic]}}
        made = await world.api.json("POST", path, world.keys["home"], 201, json=said)
        (effect,) = [one for one in made["effects"] if one["clock_id"] == "suicide_safety.contact_24h"]
        assert (effect["clock_state"], effect["satisfies"]) == (state, state == "met")
        assert [one.partition(":")[0] for one in effect["reasons"]] == [code]


_DONE = {"safety_plan": True, "c_ssrs_level": "low"}


async def test_a_readmission_by_a_clock_that_is_ahead_takes_over_when_it_has_happened(story: World) -> None:
    """The hospital's clock is ten minutes ahead of ours."""
    soon = "20260306151000-0500"
    await story.send(adt("A01", soon, control="C8", visit="V2", admitted=soon))
    assert [one["state"] for one in await both(story)] == ["open", "inpatient"]
    story.stage.clock.advance(minutes=11)
    await story.stage.pass_time()
    assert [one["state"] for one in await both(story)] == ["superseded", "inpatient"]


async def both(world: World) -> list[dict[str, Any]]:
    found = (await world.api.json("GET", "/v1/follow-ups", world.keys["home"], 200))["items"]
    return sorted(found, key=lambda item: item["encounter"]["admitted_at"])

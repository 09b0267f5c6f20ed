"""A stay that somebody reported beside the one that the hospital's messages tell of: when they are one, and what becomes of the work."""

from typing import Any

from tests.api.world import ADMIT, DISCHARGE, World
from tests.support.messages import adt

REACHED = {"occurred_at": "2026-03-06T14:45:00-05:00", "type": "phone", "outcome": "reached", "with": "patient", "role": "coordinator"}
CONTACT_CLOCK = "mainecare_bhh.contact_2bd"


def report(**more: Any) -> dict[str, Any]:
    told = {
        "person": {"identifiers": [{"system": "MAINECARE", "type": "MA", "value": "MC1"}], "first_name": "Ann", "last_name": "Alder",
                   "birth_date": "1980-01-02", "sex": "F"},
        "facility_name": "Hospital far away", "class": "inpatient", "admitted_at": "2026-03-02T15:00:00Z",
        "discharged_at": "2026-03-06T19:00:00Z", "told_by": "the patient's sister",
    }  # fmt: skip
    return {name: value for name, value in {**told, **more}.items() if value is not None}


async def reported(world: World, who: str = "home", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = await world.api.json("POST", "/v1/encounters", world.keys[who], 201, json=report(**more))
    return made


async def follow_ups(world: World, who: str = "home") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.api.json("GET", "/v1/follow-ups", world.keys[who], 200))["items"]
    return found


def clocks(follow_up: dict[str, Any]) -> dict[str, str]:
    return {clock["id"]: clock["state"] for clock in follow_up["clocks"]}


async def test_two_reports_of_one_stay_become_part_of_the_message_that_confirms_them(world: World) -> None:
    await reported(world, discharged_at=None)
    await reported(world)
    for follow_up in await follow_ups(world):
        await world.api.json("POST", f"/v1/follow-ups/{follow_up['id']}/contacts", world.keys["home"], 201, json=REACHED)
    await world.send(ADMIT)
    await world.send(DISCHARGE)
    (one,) = [item for item in await follow_ups(world) if item["state"] != "void"]
    assert (one["source"], one["state"], len(one["contacts"]), clocks(one)[CONTACT_CLOCK]) == ("adt", "open", 2, "met")


async def test_contacts_go_along_when_the_messages_stay_has_a_follow_up_already(world: World) -> None:
    await reported(world, facility_name=None, facility_id=world.ids["hospital"])
    (of_report,) = await follow_ups(world)
    path, key = f"/v1/follow-ups/{of_report['id']}/contacts", {"Idempotency-Key": "k"}
    made = await world.api.json("POST", path, world.keys["home"], 201, json=REACHED, headers=key)
    # The hospital names the right day of the admission only later.
    await world.send(adt("A01", "20260227100000-0500", control="C1", admitted="20260227100000-0500"))
    assert len(await follow_ups(world)) == 2
    await world.send(DISCHARGE)
    (ended, kept) = sorted(await follow_ups(world), key=lambda item: item["source"] == "adt")
    assert (kept["source"], kept["state"], [one["id"] for one in kept["contacts"]]) == ("adt", "open", [made["id"]])
    assert clocks(kept)[CONTACT_CLOCK] == "met"
    assert (ended["id"], ended["state"], ended["clocks"], ended["contacts"]) == (of_report["id"], "void", [], [])
    assert ended["state_reasons"][0].startswith("folded:")
    again = await world.api.json("POST", path, world.keys["home"], 201, json=REACHED, headers=key)
    assert (again["id"], again["follow_up"]["id"]) == (made["id"], kept["id"])
    world.stage.clock.advance(days=40)
    await world.stage.pass_time()  # ends: nothing is looked at for ever


async def test_the_emergency_visit_here_is_not_the_reported_stay_elsewhere(world: World) -> None:
    began, ended = "20260302080000-0500", "20260302110000-0500"
    visit: dict[str, Any] = {"visit": "E1", "patient_class": "E", "admitted": began}
    await world.send(adt("A04", began, control="E1", **visit), adt("A03", ended, control="E2", discharged=ended, disposition="65", **visit))
    made = await reported(world)
    assert (made["source"], made["folded_into"]) == ("reported", None)
    states = {item["source"]: item["state"] for item in await follow_ups(world)}
    assert states == {"adt": "superseded", "reported": "open"}


async def test_a_report_does_not_become_part_of_a_stay_that_never_was(world: World) -> None:
    await world.send(ADMIT, adt("A11", "20260302120000-0500", control="C3", admitted="20260302100000-0500"))
    made = await reported(world)
    assert (made["source"], made["folded_into"]) == ("reported", None)
    assert "open" in {item["state"] for item in await follow_ups(world)}


async def test_a_report_of_somebody_elses_patient_tells_the_reporter_nothing_and_is_nobody_elses_news(story: World) -> None:
    (before,) = await follow_ups(story)
    made = await reported(story, "stranger")
    assert (made["source"], made["folded_into"]) == ("reported", None)
    (own,) = await follow_ups(story, "stranger")
    assert (own["source"], own["state"]) == ("reported", "open")
    assert await follow_ups(story) == [before]


async def test_a_report_of_a_later_stay_by_somebody_who_does_not_claim_the_person_supersedes_nothing(story: World) -> None:
    await reported(story, "stranger", admitted_at="2026-03-06T19:50:00Z", discharged_at=None)
    await story.send(adt("A08", "20260306143500-0500", control="C3", admitted="20260302100000-0500"))
    (found,) = await follow_ups(story)
    assert found["state"] == "open"

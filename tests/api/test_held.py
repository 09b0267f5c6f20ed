"""A stay that is held for review: who sees what until somebody has looked, and what happens then. And the way back."""

from typing import Any
from uuid import UUID

from app.store import encounters
from app.store.engine import raw_connection
from app.store.unit_of_work import unit_of_work
from tests.api.world import ADMIN_KEY, ADMIT, World
from tests.support.messages import adt

ENDED = "20260306142500-0500"


def discharge(*diagnoses: tuple[str, str], control: str = "C2", trigger: str = "A03", at: str = ENDED) -> bytes:
    return adt(trigger, at, control=control, admitted="20260302100000-0500", discharged=ENDED, disposition="01", diagnoses=diagnoses)


async def items(world: World, path: str, who: str = "home") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.api.json("GET", path, world.keys[who], 200))["items"]
    return found


async def status(world: World, part2_status: str) -> None:
    path = f"/v1/organizations/{world.ids['hospital']}"
    await world.api.json("PATCH", path, ADMIN_KEY, 200, json={"part2_status": part2_status})
    await world.stage.settle()


async def test_a_substance_use_stay_of_unknown_origin_is_held_until_somebody_has_said_what_the_place_is(world: World) -> None:
    await status(world, "unknown")
    await world.send(ADMIT, discharge(("F10.20", "F")))
    for who in ("home", "plan"):
        assert [await items(world, path, who) for path in ("/v1/follow-ups", "/v1/encounters")] == [[], []]
    told = await items(world, "/v1/notifications")
    assert {item["type"] for item in told} <= {"notification.withdrawn"}
    await status(world, "not_program")
    assert [item["type"] for item in (await items(world, "/v1/notifications"))[-2:]] == ["encounter.admitted", "encounter.discharged"]
    (follow_up,) = await items(world, "/v1/follow-ups")
    assert (follow_up["state"], follow_up["anchor_on"]) == ("open", "2026-03-06")


async def test_a_diagnosis_that_turns_into_substance_use_withdraws_what_was_told_and_the_follow_up_with_its_contacts(world: World) -> None:
    await status(world, "unknown")
    await world.send(ADMIT, discharge(("F32.2", "F")))
    (follow_up,) = await items(world, "/v1/follow-ups")
    call = {"occurred_at": "2026-03-06T14:45:00-05:00", "type": "phone", "outcome": "reached", "with": "patient"}
    await world.api.json("POST", f"/v1/follow-ups/{follow_up['id']}/contacts", world.keys["home"], 201, json=call)
    told = await items(world, "/v1/notifications")
    await world.send(discharge(("F10.20", "F"), control="C3", trigger="A08", at="20260306143500-0500"))
    withdrawn = await items(world, "/v1/notifications")
    assert [sorted(item) for item in withdrawn] == [["id", "sequence", "type"]] * len(told)
    assert await items(world, "/v1/follow-ups") == []
    assert (await world.api.get(f"/v1/follow-ups/{follow_up['id']}", world.keys["home"])).status_code == 404
    await status(world, "not_program")
    (again,) = await items(world, "/v1/follow-ups")
    assert (again["id"], again["state"], len(again["contacts"])) == (follow_up["id"], "open", 1)
    assert {clock["id"]: clock["state"] for clock in again["clocks"]}["mainecare_bhh.contact_2bd"] == "met"
    last = (await items(world, "/v1/notifications"))[-1]
    assert (last["type"], last["version"]) == ("encounter.discharged", 2)


async def test_a_place_that_turns_out_to_be_a_program_is_silent_to_everybody(world: World) -> None:
    await world.send(ADMIT, discharge(("F32.2", "F")))
    await status(world, "program")
    for who in ("home", "plan"):
        assert {item["type"] for item in await items(world, "/v1/notifications", who)} == {"notification.withdrawn"}
        assert [await items(world, path, who) for path in ("/v1/follow-ups", "/v1/encounters")] == [[], []]
    await world.send(adt("A01", "20260306150000-0500", control="C7", visit="V2"))
    assert {item["type"] for item in await items(world, "/v1/notifications")} == {"notification.withdrawn"}


async def test_a_stay_that_is_being_looked_at_by_the_old_registry_is_looked_at_again(world: World) -> None:
    await world.send(ADMIT)
    (stay,) = await items(world, "/v1/encounters")
    stay_id = UUID(stay["id"].removeprefix("enc_"))
    now = world.stage.clock.now()
    async with unit_of_work(world.stage.work, None) as connection:
        raw = await raw_connection(connection)
        await encounters.reconsider(raw, [stay_id], now, "panel")
        being_looked_at = await encounters.asked_to_reconsider(raw, now, 10)
    path = f"/v1/organizations/{world.ids['hospital']}"
    await world.api.json("PATCH", path, ADMIN_KEY, 200, json={"part2_status": "program"})
    async with unit_of_work(world.stage.work, None) as connection:
        raw = await raw_connection(connection)
        await encounters.reconsidered(raw, being_looked_at)
        assert [asked.encounter_id for asked in await encounters.asked_to_reconsider(raw, now, 10)] == [stay_id]

"""A transfer to a facility that sends no ADT, or late, waits as long as the registry says before clocks start. Through the front door."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.store.engine import raw_connection
from app.store.unit_of_work import unit_of_work
from tests.api.world import ADMIN_KEY, ADMIT, World
from tests.support.messages import adt

MOVED_AT = "20260306142500-0500"
"""A Friday. Three days later the two business days begin on Tuesday and are over with Wednesday."""
CLOCK = "mainecare_bhh.contact_2bd"
SILENT = {"name": "Sample Nursing & Psychiatric", "kind": "hospital", "known_as": ["ZZ-PSY 7"], "adt_wait_hours": 72}


async def move(world: World, destination: str, disposition: str = "65") -> None:
    """Ann is transferred to another hospital, which is named as PV1-37 says."""
    more = {"admitted": "20260302100000-0500", "discharged": MOVED_AT, "disposition": disposition, "destination": destination}
    await world.send(ADMIT, adt("A03", MOVED_AT, control="C2", **more))


async def after(world: World, hours: int) -> dict[str, Any]:
    """Let time pass, and give the home's follow-up."""
    world.stage.clock.advance(hours=hours)
    await world.stage.pass_time()
    await world.stage.settle()
    (found,) = (await world.api.json("GET", "/v1/follow-ups", world.keys["home"], 200))["items"]
    return dict(found)


def due(found: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(next(one["due_at"] for one in found["clocks"] if one["id"] == CLOCK))


async def lost(world: World) -> list[str]:
    listed = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]
    return [one["reason"] for one in listed if one["type"] == "follow_up.lost_in_transfer"]


@pytest.mark.parametrize("destination", ["zz psy 7", "SAMPLE NURSING & PSYCHIATRIC", "ZZPSY7&Somewhere"])
async def test_clocks_start_after_the_wait_of_the_place(world: World, destination: str) -> None:
    await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=SILENT)
    await move(world, destination.replace("& ", "\\T\\ "))
    waiting = await after(world, 48)
    assert waiting["state"] == "suspended"
    assert "awaited for 72 hours" in waiting["state_reasons"][0]
    assert await lost(world) == []
    started = await after(world, 30)
    assert started["state"] == "open"
    assert (await lost(world))[0].startswith("lost_in_transfer: no receiving admission within 72 hours")
    assert due(started) == datetime.fromisoformat("2026-03-11T23:59:59-04:00")
    assert {one["state"] for one in started["clocks"]} == {"pending"}


async def test_who_goes_to_nonacute_care_that_sends_no_adt_is_not_waited_for_forever(world: World) -> None:
    await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=SILENT | {"facility_type": "nonacute"})
    await move(world, "ZZ-PSY 7", "03")
    waiting = await after(world, 48)
    assert (waiting["state"], await lost(world)) == ("suspended", [])
    started = await after(world, 30)
    assert started["state"] == "open"
    assert (await lost(world))[0].startswith("lost_in_transfer: no receiving admission within 72 hours")
    assert due(started) == datetime.fromisoformat("2026-03-11T23:59:59-04:00")
    (fuh,) = [one for one in started["measures"] if one["measure"] == "FUH"]
    assert (fuh["status"], fuh["reason"]) == ("excluded", "nonacute_disposition"), "a measure is not asked how long a place is waited for"


async def test_who_goes_to_nonacute_care_that_is_heard_of_is_waited_for_until_it_ends(world: World) -> None:
    await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=SILENT | {"adt_wait_hours": None})
    await move(world, "ZZ-PSY 7", "03")
    assert (await after(world, 100))["state"] == "suspended"
    listed = (await world.api.json("GET", "/v1/organizations", ADMIN_KEY, 200))["items"]
    (place,) = [one for one in listed if one["name"] == SILENT["name"]]
    await world.api.json("PATCH", f"/v1/organizations/{place['id']}", ADMIN_KEY, 200, json={"adt_wait_hours": 72})
    assert (await after(world, 0))["state"] == "open", "nobody knew that it sends no ADT"


async def test_a_place_nobody_knows_and_one_that_two_share_wait_a_day(world: World) -> None:
    for name in ("Silent North", "Silent South"):
        await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=SILENT | {"name": name})
    await move(world, "ZZPSY7")
    found = await after(world, 30)
    assert found["state"] == "open"
    assert "within a day" in found["state_reasons"][0]
    assert due(found) == datetime.fromisoformat("2026-03-10T23:59:59-04:00")


async def test_an_admission_that_is_heard_within_the_wait_is_a_transfer_that_arrived(world: World) -> None:
    await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=SILENT)
    await move(world, "ZZ-PSY 7")
    await after(world, 48)
    arrived = "20260308120000-0400"
    await world.send(adt("A01", arrived, control="C3", visit="V2", admitted=arrived))
    listed = (await world.api.json("GET", "/v1/follow-ups", world.keys["home"], 200))["items"]
    (moved,) = [one for one in listed if one["state"] == "superseded"]
    assert moved["state_reasons"] == ["transferred: the receiving stay has begun"]


async def test_what_was_done_while_everybody_waited_is_done(world: World) -> None:
    await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=SILENT)
    await move(world, "ZZ-PSY 7")
    found = await after(world, 24)
    said = {"occurred_at": (world.stage.clock.now() - timedelta(hours=1)).isoformat(), "type": "phone", "outcome": "reached", "role": "RN"}
    path = f"/v1/follow-ups/{found['id']}/contacts"
    await world.api.json("POST", path, world.keys["home"], 201, json=said)
    found = await after(world, 60)
    assert next(one["state"] for one in found["clocks"] if one["id"] == CLOCK) == "met"


async def test_only_the_operator_says_how_long_a_place_is_waited_for(world: World) -> None:
    path = f"/v1/organizations/{world.ids['hospital']}"
    await world.api.json("PATCH", path, world.keys["hospital"], 403, json={"adt_wait_hours": 48})
    assert (await world.api.json("PATCH", path, ADMIN_KEY, 200, json={"adt_wait_hours": 48}))["adt_wait_hours"] == 48
    assert (await world.api.json("PATCH", path, ADMIN_KEY, 200, json={"adt_wait_hours": None}))["adt_wait_hours"] is None
    await world.api.json("PATCH", path, ADMIN_KEY, 422, json={"adt_wait_hours": 0})


async def test_a_wait_that_changes_holds_for_whom_it_is_awaited_already(world: World) -> None:
    made = await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=SILENT)
    path = f"/v1/organizations/{made['id']}"
    await move(world, "ZZ-PSY 7")
    assert (await after(world, 30))["state"] == "suspended"
    await world.api.json("PATCH", path, ADMIN_KEY, 200, json={"adt_wait_hours": 24})
    started = await after(world, 0)
    assert started["state"] == "open", "a day is over"
    assert due(started) == datetime.fromisoformat("2026-03-10T23:59:59-04:00")
    assert len(await lost(world)) == 1
    await world.api.json("PATCH", path, ADMIN_KEY, 200, json={"adt_wait_hours": 96})
    waiting = await after(world, 0)
    assert waiting["state"] == "suspended"
    assert "awaited for 96 hours" in waiting["state_reasons"][0]


async def test_a_name_that_becomes_known_holds_for_whom_it_was_said_already(world: World) -> None:
    made = await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=SILENT | {"known_as": []})
    await move(world, "ZZ-PSY 7")
    assert (await after(world, 30))["state"] == "open", "a place nobody knows"
    await world.api.json("PATCH", f"/v1/organizations/{made['id']}", ADMIN_KEY, 200, json={"known_as": ["ZZ-PSY 7"]})
    assert (await after(world, 0))["state"] == "suspended"


async def test_a_new_wait_asks_for_no_other_stay(world: World) -> None:
    made = await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=SILENT)
    path = f"/v1/organizations/{made['id']}"
    await move(world, "")
    await world.api.json("PATCH", path, ADMIN_KEY, 200, json={"adt_wait_hours": 24})
    assert await asked(world) == 0, "of nobody who left was said where to"
    await world.api.json("PATCH", path, ADMIN_KEY, 200, json={"name": "Another name"})
    assert await asked(world) == 0


async def asked(world: World) -> int:
    async with unit_of_work(world.stage.work, None) as connection:
        return int(await (await raw_connection(connection)).fetchval("select count(*) from reconsideration"))

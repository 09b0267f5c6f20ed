"""One connection of an exchange's engine carries many hospitals: each message is its facility's, and of an unknown one it waits."""

from typing import Any

import pytest

from app.domain.inbound import Door, Envelope
from tests.api.world import ADMIN_KEY, World
from tests.support.messages import adt

PLACES = ["MSH-4", "EVN-7", "PV1-3.4", "PV1-39"]


async def aggregator(world: World, places: list[str] | None = None) -> str:
    """Make the exchange's engine a feed, and two hospitals behind it."""
    made = await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json={"name": "Exchange", "kind": "hie"})
    world.ids["hie"] = made["id"]
    for name, zone in (("north", "America/New_York"), ("south", "America/Chicago")):
        hospital = {"name": f"{name} hospital", "kind": "hospital", "part2_status": "not_program", "time_zone": zone}
        world.ids[name] = (await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=hospital))["id"]
    feed = {
        "organization_id": world.ids["hie"],
        "sending_application": "ENGINE",
        "sending_facility": "",
        "time_zone": "UTC",
        "assigning_authority": "EXCHANGE",
        "profile": {"facility_places": places or PLACES},
    }
    feed_id: str = (await world.api.json("POST", "/v1/feeds", ADMIN_KEY, 201, json=feed))["id"]
    return feed_id


async def send(world: World, message: bytes) -> None:
    """Send over MLLP, where only the message says whose it is."""
    answer, _ = await world.stage.services.receive(Envelope(message, Door.MLLP, world.stage.clock.now()))
    assert answer.code == "AA", answer


def message(facility: str, control: str, *, at: str = "20260302100000", mrn: str = "M1", visit: str = "V1") -> bytes:
    """A message without offsets and without assigning authorities: what it means depends on the facility."""
    body = adt("A01", at, control=control, application="ENGINE", facility=facility, mrn=mrn, visit=visit, medicaid=None, admitted=at)
    return body.replace(f"{mrn}^^^{facility}^MR".encode(), f"{mrn}^^^^MR".encode()).replace(
        f"{visit}^^^{facility}^VN".encode(), f"{visit}^^^^VN".encode()
    )


async def facilities(world: World, feed: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await world.api.json("GET", f"/v1/feeds/{feed}/facilities", ADMIN_KEY, 200))["items"]
    return items


async def map_to(world: World, feed: str, code: str, who: str, **more: str) -> dict[str, Any]:
    body = {"code": code, "organization_id": world.ids[who], **more}
    mapped: dict[str, Any] = await world.api.json("POST", f"/v1/feeds/{feed}/facilities", ADMIN_KEY, 200, json=body)
    return mapped


async def stays(world: World) -> dict[tuple[str, str], dict[str, Any]]:
    """Give the stays by facility and visit number, as the operator sees them."""
    found = (await world.api.json("GET", "/v1/encounters", ADMIN_KEY, 200))["items"]
    return {(one["facility"]["id"], one["visit_number"]): one for one in found}


async def test_facility_time_zone_and_authority_are_each_messages_own(world: World) -> None:
    feed = await aggregator(world)
    await map_to(world, feed, "north", "north", assigning_authority="NORTHAA")
    await map_to(world, feed, "SOUTH", "south")
    await send(world, message("NORTH", "N1"))
    await send(world, message("SOUTH", "S1"))
    await world.stage.settle()
    found = await stays(world)
    # Two hospitals, one visit number, one clock time: two stays at two instants of two patients.
    north, south = found[(world.ids["north"], "V1")], found[(world.ids["south"], "V1")]
    assert (north["admitted_at"], south["admitted_at"]) == ("2026-03-02T15:00:00+00:00", "2026-03-02T16:00:00+00:00")
    async with world.stage.pipeline.transaction() as raw:
        numbers = await raw.fetch("select authority, value from patient_record where source = 'adt' order by authority")
    assert [(row["authority"], row["value"]) for row in numbers] == [("NORTHAA", "M1"), ("SOUTH", "M1")]


async def test_an_unmapped_facility_is_held_and_listed_and_released_by_mapping_it(world: World) -> None:
    feed = await aggregator(world)
    await map_to(world, feed, "NORTH", "north")
    for number in range(3):
        await send(world, message("WEST", f"W{number}", visit=f"V{number}"))
    await send(world, message("NORTH", "N1"))
    await world.stage.settle()
    assert len(await stays(world)) == 1
    listed = {one["code"]: (one["organization_id"], one["held"], one["place"]) for one in await facilities(world, feed)}
    assert listed == {"NORTH": (world.ids["north"], 0, None), "WEST": (None, 3, "MSH-4")}
    aside = (await world.api.json("GET", "/v1/inbound", ADMIN_KEY, 200, params={"outcome": "set_aside"}))["items"]
    assert {(one["outcome_problems"][0]["code"], one["outcome_problems"][0]["location"]) for one in aside} == {("204", "MSH^1^4")}
    # They wait for a mapping, and for nothing else: reading them again would hold them again.
    assert (await world.api.json("POST", f"/v1/feeds/{feed}/reinterpret", ADMIN_KEY, 200))["messages"] == 0

    assert (await map_to(world, feed, "West", "south"))["released"] == 3
    await world.stage.settle()
    assert {key for key in await stays(world) if key[0] == world.ids["south"]} == {(world.ids["south"], f"V{n}") for n in range(3)}
    assert [(one["code"], one["held"]) for one in await facilities(world, feed)] == [("NORTH", 0), ("WEST", 0)]


async def test_what_came_into_the_queue_is_counted_when_it_waits_no_more_too_and_each_message_once(world: World) -> None:
    async def queue() -> tuple[int, int]:
        listed = (await world.api.json("GET", "/v1/queues", ADMIN_KEY, 200))["items"]
        found = {one["id"]: one for one in listed}["unmapped_facilities"]
        return found["waiting"], found["opened_in_30_days"]

    feed = await aggregator(world)
    await send(world, message("NORTH", "N1"))
    await send(world, message("SOUTH", "S1", visit="V2"))
    await world.stage.settle()
    assert await queue() == (2, 2)
    (waiting, *_) = (await world.api.json("GET", "/v1/inbound?outcome=set_aside", ADMIN_KEY, 200))["items"]
    await world.api.json("POST", f"/v1/inbound/{waiting['id']}/replay", ADMIN_KEY, 202)
    await world.stage.settle()
    assert await queue() == (2, 2)
    await map_to(world, feed, "NORTH", "north")
    await world.stage.settle()
    assert await queue() == (1, 2)


async def test_a_message_that_names_no_facility_waits_too(world: World) -> None:
    feed = await aggregator(world, ["EVN-7", "PV1-39"])
    await send(world, message("NORTH", "N1"))
    await world.stage.settle()
    assert [(one["code"], one["held"], one["place"]) for one in await facilities(world, feed)] == [("", 1, "EVN-7")]
    assert (await map_to(world, feed, "", "north", assigning_authority="N"))["released"] == 1
    await world.stage.settle()
    assert len(await stays(world)) == 1


async def test_a_replay_of_a_held_message_holds_it_once(world: World) -> None:
    feed = await aggregator(world)
    await send(world, message("WEST", "W1"))
    await world.stage.settle()
    (aside,) = (await world.api.json("GET", "/v1/inbound", ADMIN_KEY, 200, params={"outcome": "set_aside"}))["items"]
    await world.api.json("POST", f"/v1/inbound/{aside['id']}/replay", ADMIN_KEY, 202)
    await world.stage.settle()
    assert [(one["code"], one["held"]) for one in await facilities(world, feed)] == [("WEST", 1)]


async def test_a_mapping_that_the_batch_did_not_know_of_releases_what_it_held(world: World) -> None:
    """The registry of a batch may be older than a mapping: what it would hold goes back on the queue."""
    feed = await aggregator(world)
    await send(world, message("WEST", "W1"))
    registry = world.stage.pipeline.registry
    async with world.stage.pipeline.transaction() as raw:
        before = await registry.current(raw)
    await map_to(world, feed, "WEST", "south")
    async with world.stage.pipeline.transaction() as raw:
        registry._directory, registry._version = before, await raw.fetchval("select version from registry_version")
    await world.stage.pipeline.work_once(0)
    assert [(one["code"], one["held"]) for one in await facilities(world, feed)] == [("WEST", 0)]
    registry._version = -1
    await world.stage.settle()
    assert len(await stays(world)) == 1


async def test_only_who_manages_both_may_map(world: World) -> None:
    feed = await aggregator(world)
    body = {"code": "NORTH", "organization_id": world.ids["hospital"]}
    await world.api.json("POST", f"/v1/feeds/{feed}/facilities", world.keys["hospital"], 404, json=body)
    other = {"code": "NORTH", "organization_id": world.ids["north"]}
    await world.api.json("POST", f"/v1/feeds/{world.ids['feed_id']}/facilities", world.keys["hospital"], 404, json=other)


@pytest.mark.parametrize("page", [1, 2])
async def test_facilities_are_listed_page_by_page(world: World, page: int) -> None:
    feed = await aggregator(world)
    for code in ("A", "B", "C"):
        await map_to(world, feed, code, "north")
    seen: list[str] = []
    after: str | None = None
    while True:
        params = {"limit": page, **({"after": after} if after else {})}
        got = await world.api.json("GET", f"/v1/feeds/{feed}/facilities", ADMIN_KEY, 200, params=params)
        seen += [one["code"] for one in got["items"]]
        after = got["next"]
        if after is None:
            break
    assert seen == ["A", "B", "C"]

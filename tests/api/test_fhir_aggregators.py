"""An exchange's engine that sends FHIR: facility, time zone and authority of each message by the table that HL7 v2 uses."""

from typing import Any

import pytest

from app.domain.inbound import Door, Envelope, Format
from tests.api.test_aggregators import aggregator, facilities, map_to, message, stays
from tests.api.world import ADMIN_KEY, FHIR_JSON, World
from tests.support.bundles import bundle, resource, written

PATH = "/fhir/$process-message"


def twin(facility: str, control: str, *, mrn: str = "M1", visit: str = "V1") -> dict[str, Any]:
    """A message without assigning authorities, and with a bare day as its begin: what it means depends on the facility."""
    document = bundle(
        "A01", "20260303120000-0500", control=control, application="ENGINE", facility=facility, mrn=mrn, visit=visit, medicaid=None
    )
    for kind in ("Patient", "Encounter"):
        for one in resource(document, kind)["identifier"]:
            del one["system"]
    resource(document, "Encounter")["period"] = {"start": "2026-03-02"}
    return document


async def send(world: World, document: dict[str, Any]) -> None:
    """As the exchange's own key, which has this one feed and others."""
    answer, _ = await world.stage.services.receive(
        Envelope(written(document), Door.FHIR, world.stage.clock.now(), format=Format.FHIR, organization_id=None)
    )
    assert answer.code == "AA", answer


async def test_facility_time_zone_and_authority_are_each_messages_own(world: World) -> None:
    feed = await aggregator(world)
    await map_to(world, feed, "north", "north", assigning_authority="NORTHAA")
    await map_to(world, feed, "SOUTH", "south")
    await send(world, twin("NORTH", "N1"))
    await send(world, twin("SOUTH", "S1"))
    await world.stage.settle()
    found = await stays(world)
    north, south = found[(world.ids["north"], "V1")], found[(world.ids["south"], "V1")]
    # A bare day begins at the midnight of the facility's zone.
    assert (north["admitted_at"], south["admitted_at"]) == ("2026-03-02T05:00:00+00:00", "2026-03-02T06:00:00+00:00")
    async with world.stage.pipeline.transaction() as raw:
        numbers = await raw.fetch("select authority, value from patient_record where source = 'adt' order by authority")
    assert [(row["authority"], row["value"]) for row in numbers] == [("NORTHAA", "M1"), ("SOUTH", "M1")]


async def test_an_unmapped_facility_is_held_and_listed_and_one_mapping_releases_both_formats(world: World) -> None:
    feed = await aggregator(world)
    await send(world, twin("WEST", "W1", visit="V1"))
    answer, _ = await world.stage.services.receive(Envelope(message("WEST", "W2", visit="V2"), Door.MLLP, world.stage.clock.now()))
    assert answer.code == "AA"
    await world.stage.settle()
    assert [(one["code"], one["organization_id"], one["held"], one["place"]) for one in await facilities(world, feed)] == [
        ("WEST", None, 2, "MSH-4")
    ]
    aside = (await world.api.json("GET", "/v1/inbound", ADMIN_KEY, 200, params={"outcome": "set_aside"}))["items"]
    places = {(one["door"], one["outcome_problems"][0]["location"]) for one in aside}
    assert places == {("fhir", "Bundle.entry[0].resource.sender"), ("mllp", "MSH^1^4")}
    assert (await map_to(world, feed, "West", "south"))["released"] == 2
    await world.stage.settle()
    assert {key for key in await stays(world) if key[0] == world.ids["south"]} == {(world.ids["south"], "V1"), (world.ids["south"], "V2")}


@pytest.mark.parametrize("place", ["Encounter.serviceProvider", "encounter.serviceprovider", "PV1-39"])
async def test_behind_an_intermediary_the_stay_itself_says_whose_it_is(world: World, place: str) -> None:
    """DV-10: who forwards a message is its sender; the hospital is the service provider of the stay."""
    feed = await aggregator(world, [place])
    shown = await world.api.json("GET", f"/v1/feeds/{feed}", ADMIN_KEY, 200)
    assert shown["profile"]["facility_places"] == ["PV1-39" if place == "PV1-39" else "Encounter.serviceProvider"]
    await map_to(world, feed, "NORTH", "north")
    document = twin("NORTH", "P1")
    resource(document, "MessageHeader")["sender"] = {"display": "The exchange"}
    await send(world, document)
    await world.stage.settle()
    assert list(await stays(world)) == [(world.ids["north"], "V1")]


async def test_the_exchanges_key_finds_its_aggregator_among_other_feeds_by_any_name_of_the_source(world: World) -> None:
    """The endpoint stands first in a message; the feed is registered under the name of the engine."""
    feed = await aggregator(world)
    other = {"sending_application": "OTHER", "sending_facility": "LAB", "time_zone": "UTC", "assigning_authority": "X"}
    await world.api.json("POST", "/v1/feeds", ADMIN_KEY, 201, json={"organization_id": world.ids["hie"], **other})
    world.keys["hie"] = await world.key("hie", "adt.write")
    answer = await world.api.post(PATH, world.keys["hie"], content=written(twin("NORTH", "K1")), headers=FHIR_JSON)
    assert answer.status_code == 200, answer.text
    await world.stage.settle()
    assert [(one["code"], one["held"]) for one in await facilities(world, feed)] == [("NORTH", 1)]


async def test_a_message_without_a_sender_finds_its_aggregator_too(world: World) -> None:
    feed = await aggregator(world, ["MessageHeader.sender"])
    document = twin("NORTH", "Q1")
    del resource(document, "MessageHeader")["sender"]
    await send(world, document)
    await world.stage.settle()
    assert [(one["code"], one["held"], one["place"]) for one in await facilities(world, feed)] == [("", 1, "MessageHeader.sender")]

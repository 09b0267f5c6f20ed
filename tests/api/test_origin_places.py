"""By what the registry knows a place: unit, building, identifiers of Locations, parts of the house; and which transfers count."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from tests.api.test_consents import become, items
from tests.api.world import FHIR_JSON, World
from tests.support.bundles import bundle, written
from tests.support.messages import adt

STAY: dict[str, Any] = {"admitted": "20260302100000-0500", "diagnoses": (("F32.2", "A"),)}


def at(trigger: str, hour: int, control: str, unit: str) -> bytes:
    return adt(trigger, f"20260302{hour}0000-0500", control=control, unit=unit, **STAY)


async def tiers(world: World) -> set[str]:
    """Give how much the home reads of the stay now."""
    return {one["tier"] for one in await items(world, "/v1/notifications") if "tier" in one}


async def test_a_transfer_into_a_unit_that_is_cancelled_conceals_nothing(world: World) -> None:
    await become(world, place="unit", code="detox", part2_status="program")
    story = [at("A01", 10, "C1", "MED"), at("A02", 11, "C2", "DETOX"), at("A12", 12, "C3", "MED"), at("A08", 13, "C4", "MED")]
    await world.send(*story[:2])
    assert "DETOX" not in str(await items(world, "/v1/encounters"))
    assert "DETOX" not in str(await items(world, "/v1/notifications"))
    assert await told_last(world) == "minimal"
    await world.send(*story[2:])
    assert await told_last(world) == "full"


async def told_last(world: World) -> str:
    """Give the tier of the last notification."""
    found: str = (await items(world, "/v1/notifications"))[-1]["tier"]
    return found


@pytest.mark.parametrize("order", list(permutations(range(1, 4)))[:4])
async def test_a_transfer_that_stands_conceals_in_any_order(world: World, order: Sequence[int]) -> None:
    await become(world, place="unit", code="detox", part2_status="program")
    story = [at("A01", 10, "C1", "MED"), at("A02", 11, "C2", "DETOX"), at("A02", 12, "C3", "DETOX"), at("A12", 13, "C4", "MED")]
    await world.send(*(story[place] for place in order), story[0])
    assert await told_last(world) == "minimal", "the first of the two transfers stands"


async def test_a_building_is_registered_as_such(world: World) -> None:
    await become(world, place="building", code="annex", part2_status="program")
    body = at("A01", 10, "C1", "MED").replace(b"MED^101^1^HOSPA", b"MED^101^1^HOSPA^^^Annex")
    assert b"Annex" in body
    await world.send(body)
    assert await tiers(world) == {"minimal"}


@pytest.mark.parametrize("said", ["identifier", "building", "provider"])
async def test_fhir_references_find_what_is_registered(world: World, said: str) -> None:
    kind = {"place": "building", "code": "annex"} if said == "building" else {"place": "unit", "code": "U-77"}
    await become(world, **kind, part2_status="program")
    document = bundle("A01", "20260302100000-0500", control="B1", unit="MED", **STAY)
    encounter = next(one["resource"] for one in document["entry"] if one["resource"]["resourceType"] == "Encounter")
    ward = {"resourceType": "Location", "id": "ward", "name": "MED", "physicalType": {"coding": [{"code": "wa"}]}}
    if said == "identifier":
        ward["identifier"] = [{"value": "u-77"}]
    if said == "building":
        ward["partOf"] = {"reference": "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-c3a4e5f6ffff"}
        document["entry"].append(
            {
                "fullUrl": "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-c3a4e5f6ffff",
                "resource": {"resourceType": "Location", "id": "house", "name": "Annex", "physicalType": {"coding": [{"code": "bu"}]}},
            }
        )
    encounter["location"] = [{"location": {"reference": "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-c3a4e5f6fffe"}, "status": "active"}]
    document["entry"].append({"fullUrl": "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-c3a4e5f6fffe", "resource": ward})
    if said == "provider":
        encounter["serviceProvider"] = {"reference": "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-c3a4e5f6fffd"}
        department = {
            "resourceType": "Organization",
            "id": "department",
            "name": "U-77",
            "active": True,
            "partOf": {"display": "Hospital A"},
        }
        document["entry"].append({"fullUrl": "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-c3a4e5f6fffd", "resource": department})
    response = await world.api.post("/fhir/$process-message", world.keys["hospital"], content=written(document), headers=FHIR_JSON)
    assert response.status_code == 200, response.text
    await world.stage.settle()
    assert await tiers(world) == {"minimal"}

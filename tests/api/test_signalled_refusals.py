"""Refusals that hospitals signal, in every order of their messages: a fact of the stay, in HL7 v2 and in FHIR, never of the arrival."""

import json
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from tests.api.test_consents import items
from tests.api.world import ADMIN_KEY, ER7, FHIR_JSON, World
from tests.support.bundles import bundle, written
from tests.support.messages import adt

STAY: dict[str, Any] = {"admitted": "20260302100000-0500", "diagnoses": (("F32.2", "A"),)}
SIGNALS = {
    "CON-11": ("CON|1|001|||||||||R", "CON|1|001|||||||||A"),
    "ARV-3": ("ARV|1|A|ALL", "ARV|1|D|ALL"),
    "ZPV-7": ("ZPV|||||||OPTOUT", "ZPV|||||||OPTIN"),
}


def told(trigger: str, hour: int, control: str, *extra: str) -> bytes:
    return adt(trigger, f"20260302{hour}0000-0500", control=control, extra=extra, **STAY)


async def arrive(world: World, messages: Sequence[bytes], media: dict[str, str], path: str) -> None:
    for message in messages:
        response = await world.api.post(path, world.keys["hospital"], content=message, headers=media)
        assert response.status_code == 200, response.text
    await world.stage.settle()


@pytest.mark.parametrize("place", SIGNALS)
async def test_a_refusal_where_the_profile_points_silences_in_any_order_until_it_is_taken_back(world: World, place: str) -> None:
    feed = f"/v1/feeds/{world.ids['feed_id']}"
    await world.api.json("PATCH", feed, ADMIN_KEY, 200, json={"profile": {"local_reads": {"protected": place}}})
    refused, allowed = SIGNALS[place]
    # The later message that does not carry the segment says nothing of it.
    story = [told("A01", 10, "C1"), told("A08", 11, "C2", refused), told("A08", 12, "C3")]
    await arrive(world, [story[1], story[2], story[0]], ER7, "/hl7v2")
    for who in ("home", "plan"):
        for path in ("/v1/notifications", "/v1/encounters", "/v1/follow-ups"):
            assert await items(world, path, who) == []
    await arrive(world, [told("A08", 13, "C4", allowed)], ER7, "/hl7v2")
    assert [(one["sequence"], one["tier"]) for one in await items(world, "/v1/notifications")] == [(1, "full")]


def labelled(trigger: str, hour: int, control: str, code: str | None) -> bytes:
    document = bundle(trigger, f"20260302{hour}0000-0500", control=control, **STAY)
    if code is not None:
        patient = next(one["resource"] for one in document["entry"] if one["resource"]["resourceType"] == "Patient")
        system = "v3-Confidentiality" if len(code) == 1 else "v3-ActCode"
        patient["meta"] = {"security": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}
    return written(document)


@pytest.mark.parametrize("order", list(permutations(range(3)))[1:4])
async def test_the_labels_of_a_fhir_patient_do_the_same(world: World, order: tuple[int, ...]) -> None:
    story = [labelled("A01", 10, "B1", "R"), labelled("A08", 11, "B2", "OPTOUT"), labelled("A08", 12, "B3", None)]
    assert json.loads(story[1])["resourceType"] == "Bundle"
    await arrive(world, [story[place] for place in order], FHIR_JSON, "/fhir/$process-message")
    # What was told before it was said is withdrawn; nothing else is there.
    assert {one["type"] for one in await items(world, "/v1/notifications")} <= {"notification.withdrawn"}
    assert await items(world, "/v1/encounters") == []
    await arrive(world, [labelled("A08", 13, "B4", "N")], FHIR_JSON, "/fhir/$process-message")
    assert len(await items(world, "/v1/encounters")) == 1

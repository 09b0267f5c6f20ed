"""`POST /fhir/Bundle/$validate`: what would become of a notification, in FHIR's words or in those of `/hl7v2/$validate`; nothing stored."""

import json
from typing import Any

from fhir.resources.R4B.operationoutcome import OperationOutcome

from tests.api.test_aggregators import aggregator, map_to
from tests.api.test_fhir_aggregators import twin
from tests.api.world import ADMIN_KEY, ADMIT_BUNDLE, DISCHARGE, DISCHARGE_BUNDLE, FHIR_JSON, World
from tests.support.bundles import resource, written

PATH = "/fhir/Bundle/$validate"
OURS = {"accept": "application/json"}


async def validate(world: World, body: bytes, *, status: int = 200, who: str = "hospital", **headers: str) -> dict[str, Any]:
    answer = await world.api.post(PATH, world.keys[who], content=body, headers={**FHIR_JSON, **headers})
    assert answer.status_code == status, answer.text
    said: dict[str, Any] = answer.json()
    if "accept" not in headers:
        assert answer.headers["content-type"] == "application/fhir+json"
        OperationOutcome.model_validate(said)
    return said


COUNTS = """
select (select count(*) from inbound_message), (select count(*) from encounter), (select count(*) from notification),
       (select count(*) from follow_up), (select count(*) from patient_record where source = 'adt')
"""


async def nothing_is_stored(world: World) -> None:
    async with world.stage.pipeline.transaction() as raw:
        assert list(await raw.fetchrow(COUNTS)) == [0] * 5


async def test_it_says_whom_a_discharge_reaches_and_which_clocks_start_and_stores_nothing(world: World) -> None:
    said = [one["diagnostics"] for one in (await validate(world, DISCHARGE_BUNDLE))["issue"] if one["severity"] == "information"]
    assert said[0] == "It would be answered 200 (AA) and be processed."
    assert any(one.startswith("Home B, told of discharged: full") for one in said)
    assert any(one.startswith("Home B, clock mainecare_bhh.contact_2bd: pending, due at ") for one in said)
    await nothing_is_stored(world)


async def test_as_plain_json_it_is_the_twin_of_the_hl7_v2_one(world: World) -> None:
    fhir = await validate(world, DISCHARGE_BUNDLE, **OURS)
    er7 = await world.api.json(
        "POST", "/hl7v2/$validate", world.keys["hospital"], 200, content=DISCHARGE, headers={"content-type": "text/plain"}
    )
    assert fhir["ack"] == {"code": "AA", "message": None, "http_status": 200}
    assert er7["ack"]["http_status"] == 200
    assert fhir["tree"] == []
    assert [fhir[name] for name in ("feed_id", "outcome", "reaches", "clocks")] == [
        er7[name] for name in ("feed_id", "outcome", "reaches", "clocks")
    ]


async def test_every_problem_comes_with_its_place_and_the_answer_it_would_get(world: World) -> None:
    document = json.loads(ADMIT_BUNDLE)
    resource(document, "Patient")["gender"] = "purple"
    said = (await validate(world, written(document)))["issue"]
    assert [(one["severity"], one["expression"]) for one in said if "expression" in one] == [("error", ["Bundle.entry[2].resource.gender"])]
    assert said[-1]["diagnostics"] == "It would be answered 422 (AE) and be set aside."
    as_json = await validate(world, written(document), **OURS)
    assert (as_json["ack"]["http_status"], as_json["outcome"]) == (422, "set_aside")
    assert "purple" not in json.dumps(said)
    await nothing_is_stored(world)


async def test_doubts_of_a_full_reading_are_said_too(world: World) -> None:
    document = json.loads(DISCHARGE_BUNDLE)
    resource(document, "Encounter")["hospitalization"] = {"dischargeDisposition": {"coding": [{"code": "WENT-HOME"}]}}
    said = (await validate(world, written(document)))["issue"]
    assert ("warning", ["Bundle.entry[1].resource.hospitalization.dischargeDisposition"]) in [
        (one["severity"], one.get("expression")) for one in said
    ]


async def test_the_bundle_may_come_in_parameters(world: World) -> None:
    """FHIR R4, Resource-validate: `resource` beside `mode` and `profile`."""
    held = {"name": "resource", "resource": json.loads(DISCHARGE_BUNDLE)}
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "mode", "valueCode": "create"}, held]}
    assert await validate(world, json.dumps(parameters).encode(), **OURS) == await validate(world, DISCHARGE_BUNDLE, **OURS)
    big = json.dumps(parameters).replace('"message"', "1" + "0" * 80, 1).encode()
    assert (await validate(world, big))["issue"][0]["severity"] == "error"
    for empty in ({"resourceType": "Parameters"}, {"resourceType": "Parameters", "parameter": [7, {"name": "resource"}]}):
        said = (await validate(world, json.dumps(empty).encode()))["issue"]
        assert (said[0]["severity"], said[0]["expression"]) == ("error", ["Bundle"])


async def test_another_resource_is_no_notification_and_no_json_is_no_resource(world: World) -> None:
    said = (await validate(world, b'{"resourceType": "Patient"}'))["issue"]
    assert (said[0]["severity"], said[0]["expression"]) == ("error", ["Bundle"])
    assert said[-1]["diagnostics"] == "It would be answered 400 (AR) and be rejected."
    await validate(world, b"{", status=400)
    await validate(world, b" ", status=422)


async def test_an_unknown_sender_and_an_unmapped_facility_are_named(world: World) -> None:
    said = await validate(world, ADMIT_BUNDLE, who="stranger", **OURS)
    assert (said["ack"]["http_status"], said["outcome"], said["feed_id"]) == (404, "rejected", None)
    feed = await aggregator(world, ["Encounter.serviceProvider"])
    world.keys["hie"] = await world.key("hie", "adt.write")
    said = await validate(world, written(twin("WEST", "W1")), who="hie", **OURS)
    assert (said["outcome"], said["problems"][0]["location"]) == ("set_aside", "Bundle.entry[1].resource.serviceProvider")
    await map_to(world, feed, "WEST", "south")
    assert (await validate(world, written(twin("WEST", "W1")), who="hie", **OURS))["outcome"] == "processed"
    assert (await world.api.json("GET", f"/v1/feeds/{feed}/facilities", ADMIN_KEY, 200))["items"][0]["held"] == 0

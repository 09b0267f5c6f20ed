"""FHIR messages in XML over HTTP (DV-12): kept byte for byte, read like their JSON twins, answered in the form that is asked for."""

import json
from xml.etree import ElementTree as ET

import pytest

from tests.api.test_fhir import newest
from tests.api.world import ADMIT_BUNDLE, DISCHARGE_BUNDLE, World
from tests.support.fhir_xml import in_xml

PATH = "/fhir/$process-message"
XML = {"content-type": "application/fhir+xml; charset=utf-8"}
ADMIT, DISCHARGE = (in_xml(json.loads(body)) for body in (ADMIT_BUNDLE, DISCHARGE_BUNDLE))
NAMES = {"f": "http://hl7.org/fhir"}


def issues(text: str) -> list[dict[str, str]]:
    root = ET.fromstring(text)  # noqa: S314 - written by us
    assert root.tag == "{http://hl7.org/fhir}OperationOutcome"
    return [{child.tag.partition("}")[2]: child.get("value", "") for child in issue} for issue in root.findall("f:issue", NAMES)]


async def test_it_is_kept_as_it_came_and_tells_what_its_twin_tells(world: World) -> None:
    answer = await world.api.post(PATH, world.keys["hospital"], content=ADMIT, headers=XML)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "application/fhir+xml")
    assert issues(answer.text)[0]["severity"] == "information"
    shown = await world.api.json("GET", f"/v1/inbound/{(await newest(world))['id']}", world.keys["hospital"], 200)
    assert shown["body"].encode() == ADMIT
    await world.stage.settle()
    await world.api.post(PATH, world.keys["hospital"], content=DISCHARGE, headers=XML)
    # The twin in JSON is no news.
    for body in (ADMIT_BUNDLE, DISCHARGE_BUNDLE):
        await world.api.post(PATH, world.keys["hospital"], content=body, headers={"content-type": "application/fhir+json"})
    await world.stage.settle()
    told = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]
    assert [one["type"] for one in told] == ["encounter.admitted", "encounter.discharged"]


async def test_a_refusal_names_its_place_in_xml(world: World) -> None:
    body = ADMIT.replace(b'value="female"', b'value="Canary"', 1)
    answer = await world.api.post(PATH, world.keys["hospital"], content=body, headers=XML)
    assert answer.status_code == 422
    assert issues(answer.text)[0]["expression"] == "Bundle.entry[2].resource.gender"
    assert "Canary" not in answer.text
    entity = ADMIT.replace(b"<Bundle", b'<!DOCTYPE Bundle [<!ENTITY a SYSTEM "file:///etc/passwd">]><Bundle', 1)
    answer = await world.api.post(PATH, world.keys["hospital"], content=entity, headers=XML)
    assert (answer.status_code, issues(answer.text)[0]["expression"]) == (400, "Bundle")


async def test_what_is_wrong_with_the_request_is_said_in_xml_too(world: World) -> None:
    answer = await world.api.post(PATH, None, content=ADMIT, headers=XML)
    assert (answer.status_code, issues(answer.text)[0]["code"]) == (401, "login")


@pytest.mark.parametrize(
    ("accept", "kind", "given"),
    [
        (None, "xml", "xml"), (None, "json", "json"), ("*/*", "xml", "xml"), ("application/fhir+json", "xml", "json"),
        ("application/fhir+xml", "json", "xml"), ("application/fhir+xml;q=0.9, */*", "json", "xml"),
    ],
)  # fmt: skip
async def test_the_answer_has_the_form_that_is_asked_for(world: World, accept: str | None, kind: str, given: str) -> None:
    headers = {"content-type": f"application/fhir+{kind}", "accept": accept or "*/*"}
    body = ADMIT if kind == "xml" else ADMIT_BUNDLE
    for path in (PATH, "/fhir/Bundle/$validate"):
        answer = await world.api.post(path, world.keys["hospital"], content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].partition(";")[0] == f"application/fhir+{given}"

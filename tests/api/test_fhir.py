"""FHIR messages over HTTP: kept byte for byte, worked on like HL7 v2, and every error under `/fhir` an OperationOutcome (DV-8)."""

import json
from copy import deepcopy
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.fhir.codes import DOCUMENT_EVENTS, EVENTS
from app.api.limits import ApiLimits
from app.domain.inbound import AckCode, Answer, Problem, ProblemCode, Severity
from tests.api import contract
from tests.api.client import api_of
from tests.api.world import (
    ADMIN_KEY,
    ADMIT,
    ADMIT_BUNDLE,
    DISCHARGE,
    DISCHARGE_BUNDLE,
    FHIR_JSON,
    World,
    application_with,
    exchange,
)
from tests.support import databases
from tests.support.bundles import DA_VINCI, bundle, resource, written
from tests.support.databases import Database
from tests.support.documents import about_document, document_reference
from tests.support.fhir_xml import in_xml

PATH = "/fhir/$process-message"


async def post(
    world: World, body: bytes, status: int = 200, *, who: str | None = "hospital", feed: str | None = None
) -> list[dict[str, Any]]:
    """Send a message that must be answered with this status, and give the issues of its OperationOutcome."""
    key = world.keys[who] if who else None
    answer = await world.api.post(PATH, key, content=body, headers=FHIR_JSON, params={"feed": feed} if feed else {})
    assert answer.status_code == status, answer.text
    return issues(answer)


def issues(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.headers["content-type"] == "application/fhir+json"
    OperationOutcome.model_validate(answer.json())
    found: list[dict[str, Any]] = answer.json()["issue"]
    return found


async def newest(world: World, who: str = "hospital") -> dict[str, Any]:
    listed = await world.api.json("GET", "/v1/inbound", world.keys[who], 200)
    found: dict[str, Any] = listed["items"][0]
    return found


# What is taken


async def test_a_message_is_kept_byte_for_byte_before_it_is_answered(world: World) -> None:
    body = b"\n  " + ADMIT_BUNDLE.replace(b"Alder", "Nu\\u00f1ez Ñ".encode()) + b"\n"
    (said,) = await post(world, body)
    assert (said["severity"], said["code"]) == ("information", "informational")
    kept = await newest(world)
    assert kept["id"] in said["diagnostics"]
    assert (kept["door"], kept["control_id"], kept["trigger"], kept["ack_code"]) == ("fhir", "B1", "notification-admit", "AA")
    shown = await world.api.json("GET", f"/v1/inbound/{kept['id']}", world.keys["hospital"], 200)
    assert shown["body"].encode() == body


async def test_neither_async_nor_response_url_changes_the_answer_and_none_is_a_message(world: World) -> None:
    """DV-1: the body is the Bundle itself; both parameters are not used, and no response message is sent."""
    asked = {"async": "true", "response-url": "https://receiver.example.org/fhir"}
    answer = await world.api.client.post(
        PATH, content=ADMIT_BUNDLE, headers={**FHIR_JSON, "authorization": f"Bearer {world.keys['hospital']}"}, params=asked
    )
    assert answer.status_code == 200
    assert answer.json()["resourceType"] == "OperationOutcome"
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "content", "resource": json.loads(DISCHARGE_BUNDLE)}]}
    (said, _) = await post(world, written(parameters), 400)
    assert said["expression"] == ["Bundle"]
    assert (await newest(world))["outcome"] == "rejected"


async def test_the_same_message_again_is_answered_as_before_and_not_taken_twice(world: World) -> None:
    first = await post(world, ADMIT_BUNDLE)
    again = await post(world, ADMIT_BUNDLE)
    assert first[0]["diagnostics"].rpartition("/")[2] == again[0]["diagnostics"].rpartition("/")[2]
    assert "received before" in again[0]["diagnostics"]
    assert len((await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200))["items"]) == 1
    refused = written({**json.loads(ADMIT_BUNDLE), "type": "batch"})
    assert (await post(world, refused, 422))[0] == (await post(world, refused, 422))[0]


async def test_the_trace_of_a_message_shows_its_whole_way(world: World) -> None:
    await post(world, ADMIT_BUNDLE)
    await world.stage.settle()
    await post(world, DISCHARGE_BUNDLE)
    await world.stage.settle()
    kept = await newest(world)
    assert kept["outcome"] == "processed"
    trace = await world.api.json("GET", f"/v1/inbound/{kept['id']}/trace", ADMIN_KEY, 200)
    assert trace["event"]["trigger"] == "A03"
    assert {(line["recipient_name"], line["decision"]) for line in trace["decisions"]} >= {("Home B", "full")}


async def what_was_told(work: AsyncEngine, app: AsyncEngine, path: str, headers: dict[str, str], *messages: bytes) -> Any:
    """Run an exchange on the messages; give what the home reads, without ids and times of ours."""
    async with exchange(work, app) as world:
        for message in messages:
            answer = await world.api.post(path, world.keys["hospital"], content=message, headers=headers)
            assert answer.status_code == 200, answer.text
            await world.stage.settle()
        home = world.keys["home"]
        told = (await world.api.json("GET", "/v1/notifications", home, 200))["items"]
        follow_ups = (await world.api.json("GET", "/v1/follow-ups", home, 200))["items"]
        stays = (await world.api.json("GET", "/v1/encounters", home, 200))["items"]
    return _bare({"notifications": told, "follow_ups": follow_ups, "encounters": stays})


OURS = frozenset(
    {"id", "event_id", "messages", "follow_up_id", "organization_id", "created_at", "opened_at", "updated_at", "supersedes", "next"}
)


def _bare(value: Any) -> Any:
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _bare(item) for name, item in value.items() if name not in OURS}
    if {"code", "system", "use"} <= kept.keys():
        # Each format names ICD-10-CM its own way; it is passed on as sent.
        kept["system"] = "ICD-10-CM"
    return kept


async def test_the_home_reads_the_same_of_hl7_and_of_its_fhir_twin(
    database: Database, engine_work: AsyncEngine, engine_app: AsyncEngine
) -> None:
    er7 = await what_was_told(engine_work, engine_app, "/hl7v2", {"content-type": "application/hl7-v2"}, ADMIT, DISCHARGE)
    await engine_work.dispose()
    await engine_app.dispose()
    await databases.empty(database)
    fhir = await what_was_told(engine_work, engine_app, PATH, FHIR_JSON, ADMIT_BUNDLE, DISCHARGE_BUNDLE)
    assert [one["type"] for one in fhir["notifications"]] == ["encounter.admitted", "encounter.discharged"]
    assert fhir == er7


async def test_a_twin_that_comes_after_its_original_is_no_news(world: World) -> None:
    await world.send(ADMIT, DISCHARGE)
    before = await world.api.json("GET", "/v1/notifications", world.keys["home"], 200)
    await post(world, ADMIT_BUNDLE)
    await post(world, DISCHARGE_BUNDLE)
    await world.stage.settle()
    after = await world.api.json("GET", "/v1/notifications", world.keys["home"], 200)
    assert [one["id"] for one in after["items"]] == [one["id"] for one in before["items"]]
    assert len((await world.api.json("GET", "/v1/encounters", world.keys["home"], 200))["items"]) == 1


async def test_a_cancel_takes_back_what_was_told(world: World) -> None:
    await post(world, ADMIT_BUNDLE)
    await post(world, DISCHARGE_BUNDLE)
    await world.stage.settle()
    await post(world, written(bundle("A13", "20260306150000-0500", control="B3", admitted="20260302100000-0500")))
    await world.stage.settle()
    told = await world.api.json("GET", "/v1/notifications", world.keys["home"], 200)
    assert [one["type"] for one in told["items"]] == ["encounter.admitted", "encounter.discharged", "encounter.cancelled"]
    assert told["items"][2]["supersedes"] == told["items"][1]["id"]


async def test_a_profile_that_is_put_right_changes_what_a_replayed_message_means(world: World) -> None:
    document = json.loads(DISCHARGE_BUNDLE)
    resource(document, "Encounter")["hospitalization"] = {"dischargeDisposition": {"coding": [{"code": "WENT-HOME"}]}}
    await post(world, written(document))
    await world.stage.settle()
    seen = (await world.api.json("GET", "/v1/encounters", world.keys["home"], 200))["items"][0]
    assert seen["disposition"] == "WENT-HOME"
    path = f"/v1/feeds/{world.ids['feed_id']}"
    profile = {"profile": {"disposition_map": {"WENT-HOME": "01"}}}
    await world.api.json("PATCH", path, world.keys["hospital"], 200, json=profile)
    kept = await newest(world)
    await world.api.json("POST", f"/v1/inbound/{kept['id']}/replay", world.keys["hospital"], 202)
    await world.stage.settle()
    assert (await newest(world))["outcome"] == "processed"


async def test_a_refused_message_is_set_aside_and_stays_so_when_it_is_replayed(world: World) -> None:
    """A profile cannot put it right: it is refused again by the same rule, and the feed keeps flowing."""
    document = json.loads(ADMIT_BUNDLE)
    del resource(document, "Patient")["identifier"]
    await post(world, written(document), 422)
    await post(world, b"{", 400)
    aside = await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200, params={"outcome": "set_aside"})
    rejected = await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200, params={"outcome": "rejected"})
    assert [one["problems"][0]["location"] for one in aside["items"]] == ["Bundle.entry[2].resource.identifier"]
    assert [(one["problems"][0]["location"], one["feed_id"]) for one in rejected["items"]] == [("Bundle", None)]
    await world.api.json("POST", f"/v1/inbound/{aside['items'][0]['id']}/replay", world.keys["hospital"], 202)
    await post(world, ADMIT_BUNDLE)
    await world.stage.settle()
    again = await world.api.json("GET", "/v1/inbound", world.keys["hospital"], 200, params={"outcome": "set_aside"})
    assert again["items"][0]["outcome_problems"][0]["location"] == "Bundle.entry[2].resource.identifier"
    assert (await newest(world))["outcome"] == "processed"


async def test_a_training_message_reaches_nobody(world: World) -> None:
    document = json.loads(ADMIT_BUNDLE)
    resource(document, "MessageHeader")["meta"] = {"security": [{"code": "HTEST"}]}
    await post(world, written(document))
    await world.stage.settle()
    assert (await newest(world))["outcome"] == "processed"
    assert (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"] == []


async def test_an_event_that_changes_nothing_here_is_taken_and_ignored(world: World) -> None:
    await post(world, written(bundle("A08", "20260302100000-0500", control="B9", event=(DA_VINCI, "notification-lab-report"))))
    await world.stage.settle()
    assert (await newest(world))["outcome"] == "ignored"


# Whose message it is


async def test_the_feed_is_named_or_known_by_its_sender_or_the_only_one(world: World) -> None:
    """`?feed=`, else MessageHeader.source and sender, else the organization's single feed."""
    unknown = written(bundle("A01", "20260302100000-0500", control="F1", application="WHO", facility="KNOWS"))
    await post(world, unknown, feed=world.ids["feed_id"])
    await post(world, unknown.replace(b'"F1"', b'"F2"'))
    await post(world, unknown.replace(b'"F1"', b'"F3"'), 404, who="stranger")
    # A second feed: now only what the message says decides.
    second = {
        "organization_id": world.ids["hospital"],
        "sending_application": "https://labs.example.org/fhir",
        "sending_facility": "1234567893",
        "time_zone": "America/New_York",
        "assigning_authority": "HOSPA",
    }
    made = await world.api.json("POST", "/v1/feeds", ADMIN_KEY, 201, json=second)
    await post(world, ADMIT_BUNDLE)
    assert (await newest(world))["feed_id"] == world.ids["feed_id"]
    (said, _) = await post(world, unknown.replace(b'"F1"', b'"F4"'), 404)
    assert (said["code"], said["expression"]) == ("not-found", ["Bundle.entry[0].resource.source"])
    document = bundle("A01", "20260302100000-0500", control="F5", application="LABS", facility="Hospital A, laboratory")
    resource(document, "Organization")["identifier"] = [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}]
    await post(world, written(document))
    assert (await newest(world))["feed_id"] == made["id"]


async def test_nobody_speaks_for_anothers_feed(world: World) -> None:
    (said, kept) = await post(world, ADMIT_BUNDLE, 404, who="stranger", feed=world.ids["feed_id"])
    assert said["severity"] == "error"
    assert "Kept" in kept["diagnostics"]
    assert (await newest(world, "stranger"))["outcome"] == "rejected"
    await post(world, ADMIT_BUNDLE.replace(b'"B1"', b'"B7"'), 404, who="stranger")


# What is refused


async def test_who_may_not_send_is_told_so_in_fhir(world: World) -> None:
    """DV-8: unauthorised is 401."""
    assert [one["code"] for one in await post(world, ADMIT_BUNDLE, 401, who=None)] == ["login"]
    world.keys["reader"] = await world.key("hospital", "members.read")
    assert [one["code"] for one in await post(world, ADMIT_BUNDLE, 403, who="reader")] == ["forbidden"]


@pytest.mark.parametrize("media_type", ["application/fhir+ndjson", "text/plain", "application/hl7-v2", None])
async def test_other_content_types_are_refused(world: World, media_type: str | None) -> None:
    headers = {"content-type": media_type} if media_type else {}
    answer = await world.api.post(PATH, world.keys["hospital"], content=ADMIT_BUNDLE, headers=headers)
    assert answer.status_code == 415
    assert issues(answer)[0]["code"] == "not-supported"


async def test_json_is_taken_under_both_its_names(world: World) -> None:
    for media_type in ("application/json", "application/fhir+json; charset=utf-8; fhirVersion=4.0"):
        answer = await world.api.post(PATH, world.keys["hospital"], content=ADMIT_BUNDLE, headers={"content-type": media_type})
        assert answer.status_code == 200, answer.text


async def test_paths_and_methods_that_are_not_there(world: World) -> None:
    key = world.keys["hospital"]
    for method, path, status in (
        ("GET", "/fhir/Patient/1", 404),
        ("POST", "/fhir/metadata", 405),
        ("GET", PATH, 405),
        ("GET", "/fhir", 404),
    ):
        answer = await world.api.client.request(method, path, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == status
        assert issues(answer)
    assert (await world.api.get("/fhirx")).headers["content-type"] == "application/problem+json"


async def test_what_cannot_be_stored_is_answered_503_and_may_be_sent_again(world: World) -> None:
    """DV-9: a sender may send again after 5xx."""

    async def full(_: object) -> tuple[Answer, None]:
        problem = Problem(ProblemCode.INTERNAL, Severity.ERROR, "", "Nothing was kept. Send it again.")
        return Answer(AckCode.AE, (problem,)), None

    async with api_of(application_with(world.stage, receive=full)) as api:
        answer = await api.post(PATH, world.keys["hospital"], content=ADMIT_BUNDLE, headers=FHIR_JSON)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert [one["code"] for one in issues(answer)] == ["transient"]


async def test_too_many_requests_are_slowed_down(world: World) -> None:
    """DV-9: 429 is sent again slower."""
    async with api_of(application_with(world.stage, limits=ApiLimits(requests_per_s=0.001, requests_burst=0))) as api:
        answer = await api.post(PATH, world.keys["hospital"], content=ADMIT_BUNDLE, headers=FHIR_JSON)
    assert answer.status_code == 429
    assert [one["code"] for one in issues(answer)] == ["throttled"]


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"url": "http://example.org/x", "valueString": "Canary"}
    for _ in range(depth):
        value = {"url": "http://example.org/x", "extension": [value]}
    return value


def changed(kind: str, /, **members: Any) -> bytes:
    """The admission with members of one resource replaced."""
    document = deepcopy(json.loads(ADMIT_BUNDLE))
    resource(document, kind).update(members)
    return written(document)


def million_keys() -> bytes:
    return b'{"resourceType": "Bundle", ' + b", ".join(b'"k%d": 1' % number for number in range(60_000)) + b"}"


HOSTILE = {
    "not JSON": (b"{", 400),
    "no object": (b"[1, 2]", 400),
    "a number": (b"7", 400),
    "NaN": (ADMIT_BUNDLE.replace(b'"B1"', b"NaN", 1), 400),
    "Infinity": (ADMIT_BUNDLE.replace(b'"B1"', b"-Infinity", 1), 400),
    "a key twice": (ADMIT_BUNDLE.replace(b'"type": "message"', b'"type": "message", "type": "message"', 1), 400),
    "not UTF-8": (ADMIT_BUNDLE.replace(b"Alder", b"\xff\xfe"), 400),
    "NUL": (ADMIT_BUNDLE.replace(b"Alder", b"\\u0000"), 400),
    "half a surrogate pair": (ADMIT_BUNDLE.replace(b"Alder", b"\\ud800"), 400),
    "no bundle": (b'{"resourceType": "Patient"}', 400),
    "resourceType as a list": (b'{"resourceType": ["Bundle"]}', 400),
    "200-deep extensions": (changed("Patient", extension=[nested(200)]), 400),
    "100,000-deep arrays": (b'{"resourceType": "Bundle", "entry": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    "60,000 keys": (million_keys(), 422),
    "an unknown resourceType": (changed("Location", resourceType="Patent"), 422),
    "a list as resourceType": (changed("Location", resourceType=["Location"]), 422),
    "a number as resourceType": (changed("Location", resourceType=7), 422),
    "an unknown contained resource": (changed("Patient", contained=[{"resourceType": "Nope", "id": "x"}]), 422),
    "a contained list": (changed("Patient", contained=[{"resourceType": ["x"]}]), 422),
    "a dunder resource": (changed("Patient", contained=[{"resourceType": "__init__"}]), 422),
    "30-deep extensions": (changed("Patient", extension=[nested(25)]), 200),
    "an unknown element": (changed("Patient", favourite="Canary"), 422),
    "an object as name": (changed("Patient", name={"family": "Canary"}), 422),
    "a number as gender": (changed("Patient", gender=7), 422),
    "a bad gender": (changed("Patient", gender="purple"), 422),
    "a bad status": (changed("Encounter", status="Canary"), 422),
    "a number as a time": (changed("Encounter", period={"start": 20260302}), 422),
    "a day that does not exist": (changed("Patient", birthDate="1980-02-30"), 422),
    "a time without zone": (changed("Encounter", period={"start": "2026-03-02T10:00:00"}), 422),
    "a list as subject": (changed("Encounter", subject=[]), 422),
    "a practitioner as subject": (changed("Encounter", subject={"reference": "Practitioner/attending"}), 422),
    "a patient elsewhere": (changed("Encounter", subject={"reference": "Patient/elsewhere"}), 422),
    "a location as subject": (changed("Encounter", subject={"reference": "urn:uuid:0199a4c0-7c5d-7e0f-b1d2-000000000003"}), 422),
    "a condition of a patient": (changed("Condition", encounter={"reference": "Patient/patient"}), 422),
    "both kinds of death": (changed("Patient", deceasedBoolean=True, deceasedDateTime="2026-03-03"), 422),
    "an empty object": (changed("Patient", maritalStatus={}), 422),
    "an empty array": (changed("Patient", name=[]), 422),
    "an unknown event": (changed("MessageHeader", eventCoding={"system": "http://example.org", "code": "patient-link"}), 422),
    "a made-up Da Vinci code": (changed("MessageHeader", eventCoding={"system": DA_VINCI, "code": "notification-party"}), 422),
    "a merge": (changed("MessageHeader", eventCoding={"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": "A40"}), 422),
    "50,000 numbers": (changed("Patient", identifier=[3] * 50_000), 422),
    "an endless number of a person": (changed("Patient", identifier=[{"system": "HOSPA", "value": "Canary" * 10_000}]), 422),
    "an endless name of an authority": (changed("Patient", identifier=[{"system": "urn:" + "x" * 10_000, "value": "M1"}]), 422),
    "an endless number of a stay": (changed("Encounter", identifier=[{"value": "V" * 251}]), 422),
    "an endless name": (changed("Patient", name=[{"family": "A" * 100_000}]), 200),
    "nothing": (b"  ", 422),
}


async def test_hostile_input_is_refused_by_name_and_repeated_nowhere(world: World) -> None:
    found = {}
    for name, (body, _) in HOSTILE.items():
        answer = await world.api.post(PATH, world.keys["hospital"], content=body, headers=FHIR_JSON)
        said = issues(answer)
        found[name] = answer.status_code
        assert answer.status_code == 200 or any(one["severity"] == "error" for one in said), name
        assert "Canary" not in answer.text, name
    assert found == {name: status for name, (_, status) in HOSTILE.items()}
    await world.stage.settle()
    assert all(one.failure is None for one in world.stage.observed)


async def test_a_million_keys_are_too_large(world: World) -> None:
    body = b'{"resourceType": "Bundle", ' + b", ".join(b'"k%d": 1' % number for number in range(1_000_000)) + b"}"
    assert [one["code"] for one in await post(world, body, 413)] == ["too-long"]


# What this face says of itself


async def test_the_capability_statement_is_valid_and_true(world: World) -> None:
    """DV-12."""
    answer = await world.api.get("/fhir/metadata")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/fhir+json"
    said = answer.json()
    CapabilityStatement.model_validate(said)
    (rest,) = said["rest"]
    # Neither more nor less than there is.
    assert promised(rest) == {one for one in contract.OPERATIONS if one[1].startswith("/fhir")}
    for _, code in EVENTS:
        assert code in said["messaging"][0]["documentation"]


_OF_ITS_TYPE = frozenset({"validate"})
"""Operations of a type as a whole; the others are of one resource."""
_INTERACTIONS = {"read": "/fhir/{}/{{{}}}", "search-type": "/fhir/{}", "create": "/fhir/{}"}
_IDS = {"Consent": "consent_id", "AuditEvent": "line_id"}


def promised(rest: dict[str, Any]) -> set[tuple[str, str]]:
    """Every operation and interaction that a statement names, as method and path; the statement itself too."""
    found = {("GET", "/fhir/metadata")} | {("POST", f"/fhir/${one['name']}") for one in rest["operation"]}
    for held in rest["resource"]:
        for one in held.get("interaction", ()):
            method = "POST" if one["code"] == "create" else "GET"
            found.add((method, _INTERACTIONS[one["code"]].format(held["type"], _IDS.get(held["type"], "organization_id"))))
        for one in held.get("operation", ()):
            if one["name"] == "evaluate-measure":
                # Asked for, not sent: the only operation that changes nothing.
                found.add(("GET", "/fhir/Measure/{measure}/$evaluate-measure"))
                continue
            whose = held["type"] if one["name"] in _OF_ITS_TYPE else f"{held['type']}/{{organization_id}}"
            found.add(("POST", f"/fhir/{whose}/${one['name']}"))
    return found


async def test_everything_that_the_capability_statement_names_works(world: World) -> None:
    """DV-12: nothing is promised that is not answered, in every format that is named."""
    (rest,) = (said := (await world.api.get("/fhir/metadata")).json())["rest"]
    media_types = [one for one in said["format"] if "/" in one] + ["application/json"]
    # What is in JSON alone, and says so, is called in tests of its own.
    own = ("Group", "Measure", "AuditEvent", "Consent")
    for method, path in {one for one in promised(rest) if not any(name in one[1] for name in own)}:
        for media_type in media_types:
            form = in_xml(json.loads(ADMIT_BUNDLE)) if "xml" in media_type else ADMIT_BUNDLE
            body = form if method == "POST" else b""
            answer = await world.api.call(method, path, world.keys["hospital"], content=body, headers={"content-type": media_type})
            assert answer.status_code == 200, (path, media_type, answer.text)


async def test_every_event_that_is_promised_is_taken(world: World) -> None:
    """DV-4."""
    outcomes = {}
    for number, event in enumerate(sorted(EVENTS)):
        message = bundle("A08", "20260302100000-0500", control=f"E{number}", event=event)
        await post(world, written(about_document(message, document_reference()) if event in DOCUMENT_EVENTS else message))
        await world.stage.settle()
        outcomes[event] = (await newest(world))["outcome"]
    assert outcomes == dict.fromkeys(EVENTS, "processed")

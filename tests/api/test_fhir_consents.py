"""FHIR Consent over the real face and database: the same consents, checks and rights as `/v1/consents`."""

import json
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.consent import Consent
from fhir.resources.R4B.operationoutcome import OperationOutcome

from tests.api.test_consents import become, codes, items, sign
from tests.api.world import ADMIN_KEY, ADMIT, FHIR_JSON, World

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
OWN = "urn:warm-handoff:consent"


async def whose(world: World) -> str:
    found: str = (await world.api.json("GET", f"/v1/panels/{world.ids['home']}/members", world.keys["home"], 200))["items"][0]["person_id"]
    return found.partition("_")[2]


async def tpo(world: World) -> dict[str, Any]:
    """Give a whole consent of Ann in FHIR: R3 of the routing cases, as a hospital's system would send it."""
    receives = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]}
    reasons = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
    return {
        "resourceType": "Consent",
        "extension": [
            {"url": f"{OWN}-signature", "valueCode": "electronic"},
            *({"url": f"{OWN}-statement", "valueCode": one} for one in ("right_to_revoke", "redisclosure", "consequences_of_refusing")),
        ],
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{await whose(world)}"},
        "dateTime": "2026-03-01",
        "organization": [{"reference": f"Organization/{world.ids['hospital'].partition('_')[2]}"}],
        "policyRule": {"coding": [{"system": ACT_CODE, "code": "42CFRPart2"}]},
        "provision": {
            "type": "permit",
            "extension": [
                {"url": f"{OWN}-scope-statement", "valueString": "All my records of treatment at the program."},
                {"url": f"{OWN}-expires-upon", "valueString": "none"},
            ],
            "securityLabel": [{"system": ACT_CODE, "code": "SUD"}],
            "purpose": [{"system": reasons, "code": code} for code in ("TREAT", "HPAYMT", "HOPERAT")],
            "actor": [
                {"role": receives, "reference": {"identifier": {"system": f"{OWN}-recipient-class", "value": name}}}
                for name in ("treating_providers", "health_plans")
            ],
        },
    }


async def post(world: World, document: dict[str, Any], who: str = "hospital") -> httpx.Response:
    response = await world.api.post("/fhir/Consent", world.keys[who], content=json.dumps(document).encode(), headers=FHIR_JSON)
    await world.stage.settle()
    return response


async def test_a_consent_in_fhir_lets_the_same_be_told_and_is_one_and_the_same(world: World) -> None:
    await become(world, part2_status="program")
    await world.send(ADMIT)
    assert await items(world, "/v1/notifications") == []
    made = await post(world, await tpo(world))
    assert made.status_code == 201, made.text
    Consent.model_validate(made.json())
    (shown,) = await items(world, "/v1/notifications")
    assert (shown["tier"], "42CFRPart2" in codes(shown), shown["consent_scope"]) == (
        "full",
        True,
        "All my records of treatment at the program.",
    )
    read = await world.api.get(made.headers["location"], world.keys["hospital"])
    assert (read.status_code, read.json()) == (200, made.json())
    (ours,) = await items(world, "/v1/consents", "hospital")
    assert (ours["kind"], ours["source"], ours["expires_upon"], ours["recorded_by"]) == ("tpo", "fhir", "none", world.ids["hospital"])
    # Sent again as it was read, it is the same consent under another id.
    again = (await post(world, read.json())).json()
    same = {"extension", "status", "category", "patient", "dateTime", "organization", "policyRule", "provision"}
    assert {name: again[name] for name in same} == {name: made.json()[name] for name in same}
    await world.api.json("POST", f"/v1/consents/{ours['id']}/revoke", world.keys["hospital"], 200, json={})
    ended = await world.api.get(made.headers["location"], world.keys["hospital"])
    assert ended.json()["status"] == "inactive"


async def test_searches_find_what_may_be_read_and_nothing_else(world: World) -> None:
    await world.send(ADMIT)
    consent = await sign(world, "hospital")
    person = await whose(world)
    for who, query, status in (
        ("hospital", "", "active"),
        ("hospital", f"?patient=Patient/{person}&status=active", "active"),
        ("operator", f"?_id={consent['id'].partition('_')[2]}", "active"),
        ("hospital", "?status=inactive", None),
        ("hospital", "?status=draft", None),
        ("hospital", "?patient=Patient/0", None),
        ("hospital", f"?_id={person}", None),
        ("stranger", "", None),
        ("stranger", f"?_id={consent['id'].partition('_')[2]}", None),
    ):
        answer = await world.api.get(f"/fhir/Consent{query}", world.keys[who])
        assert answer.status_code == 200, answer.text
        Bundle.model_validate(answer.json())
        assert [one["resource"]["status"] for one in answer.json().get("entry", ())] == ([status] if status else []), (who, query)
    await sign(world, "hospital")
    first = (await world.api.get("/fhir/Consent?_count=1", world.keys["hospital"])).json()
    (following,) = (link["url"] for link in first["link"] if link["relation"] == "next")
    second = (await world.api.get(following, world.keys["hospital"])).json()
    assert {one["resource"]["id"] for page in (first, second) for one in page["entry"]} >= {consent["id"].partition("_")[2]}
    assert "next" not in [link["relation"] for link in second["link"]]
    hidden = await world.api.get(f"/fhir/Consent/{consent['id'].partition('_')[2]}", world.keys["stranger"])
    assert (hidden.status_code, hidden.json()["issue"][0]["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    ("taken", "place", "rule"),
    [
        (("organization",), "Consent.organization", "2.31(a)(2)"),
        (("provision", "securityLabel"), "Consent.provision.securityLabel", "2.31(a)(3)"),
        (("provision", "extension"), f"Consent.provision.extension('{OWN}-scope-statement')", "2.31(a)(3)"),
        (("provision", "purpose"), "Consent.provision.purpose", "2.31(a)(5)"),
        (("provision", "extension"), "Consent.provision.period.end", "2.31(a)(7)"),
        (("extension",), f"Consent.extension('{OWN}-signature')", "2.31(a)(8)"),
        (("extension",), f"Consent.extension('{OWN}-statement')", "2.31(a)(6)"),
        (("dateTime",), "Consent.dateTime", "2.31(a)(9)"),
    ],
)
async def test_what_is_missing_is_an_issue_at_its_place(world: World, taken: tuple[str, ...], place: str, rule: str) -> None:
    document = await tpo(world)
    holder: Any = document
    for name in taken[:-1]:
        holder = holder[name]
    del holder[taken[-1]]
    answer = await post(world, document, "operator")
    OperationOutcome.model_validate(answer.json())
    issues = [(one["expression"], rule in one["diagnostics"]) for one in answer.json()["issue"]]
    assert (answer.status_code, ([place], True) in issues) == (422, True), answer.text


async def test_who_sees_nothing_of_the_patient_records_nothing_and_an_own_assertion_waits(world: World) -> None:
    document = await tpo(world)
    answer = await post(world, document, "stranger")
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Consent.patient"])
    proposed = await post(world, document, "home")
    assert (proposed.status_code, proposed.json()["status"]) == (201, "proposed")


async def test_the_capability_statement_says_what_is_offered(world: World) -> None:
    statement = (await world.api.get("/fhir/metadata", ADMIN_KEY)).json()
    CapabilityStatement.model_validate(statement)
    (said,) = (one for one in statement["rest"][0]["resource"] if one["type"] == "Consent")
    assert [one["code"] for one in said["interaction"]] == ["create", "read", "search-type"]
    assert {one["name"] for one in said["searchParam"]} == {"_id", "patient", "status"}

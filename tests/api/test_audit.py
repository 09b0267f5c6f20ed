"""Reading the audit over the real face: whose lines are seen, filters and pages, and AuditEvents that fhir.resources accepts."""

from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from fhir.resources.R4B.bundle import Bundle

from adapters.fhir.audit_events import BALP
from tests.api.world import ADMIN_KEY, World


async def audit(world: World, who: str = "operator", **params: Any) -> list[dict[str, Any]]:
    """Give a page of lines."""
    found: list[dict[str, Any]] = (await world.api.json("GET", "/v1/audit", world.keys[who], 200, params=params))["items"]
    return found


async def test_an_organization_sees_its_own_lines_and_those_of_its_grantees(story: World) -> None:
    ids, home = story.ids, story.keys["home"]
    await story.api.json("POST", f"/v1/organizations/{ids['home']}/grants", home, 201, json={"grantee_id": ids["plan"]})
    await story.api.json("GET", "/v1/notifications", story.keys["plan"], 200, params={"organization_id": ids["home"]})
    await story.api.json("GET", "/v1/follow-ups", story.keys["plan"], 200)
    seen = await audit(story, "home")
    assert {one["organization_id"] for one in seen} == {ids["home"], ids["plan"]}
    assert {one["action"] for one in seen if one["organization_id"] == ids["plan"]} == {"list_notifications"}
    assert await audit(story, "stranger", organization_id=ids["home"]) == []
    assert {one["organization_id"] for one in await audit(story)} >= {None, ids["home"], ids["plan"]}
    weak = await story.key("home", "members.read")
    assert (await story.api.call("GET", "/v1/audit", weak)).status_code == 403


async def test_who_looked_at_a_person_is_found_and_filters_hold(story: World) -> None:
    ids = story.ids
    await story.api.json("GET", f"/v1/people/{ids['person_id']}", story.keys["home"], 200)
    await story.api.call("GET", f"/v1/people/{ids['person_id']}", story.keys["stranger"])
    looked = await audit(story, person_id=ids["person_id"])
    assert looked
    assert all(ids["person_id"] in one["person_ids"] for one in looked)
    assert {one["action"] for one in await audit(story, action="show_person", outcome="refused")} == {"show_person"}
    assert {one["organization_id"] for one in await audit(story, outcome="refused", kind="read")} == {ids["stranger"]}
    assert await audit(story, since="2030-01-01T00:00:00Z") == []
    assert await audit(story, until="2000-01-01T00:00:00Z") == []
    # Asking is a line itself.
    assert (await audit(story))[0]["action"] == "list_audit"


async def test_pages_go_backwards_in_time_without_gap(story: World) -> None:
    whole = await audit(story, limit=1000, until="2100-01-01T00:00:00Z")
    page = await story.api.json("GET", "/v1/audit", ADMIN_KEY, 200, params={"limit": 3})
    seen = page["items"]
    while page["next"]:
        page = await story.api.json("GET", "/v1/audit", ADMIN_KEY, 200, params={"limit": 3, "after": page["next"]})
        seen += page["items"]
    ids = [one["id"] for one in seen]
    assert ids == sorted(ids, reverse=True)
    assert set(ids) >= {one["id"] for one in whole}


@pytest.mark.parametrize(
    ("method", "path", "pattern"),
    [
        ("GET", "/v1/encounters/{encounter_id}", "PatientRead"),
        ("GET", "/v1/encounters", "PatientQuery"),
        ("GET", "/v1/members?identifier=MAINECARE|NOBODY", "Query"),
        ("POST", "/v1/notifications/{notification_id}/acknowledge", "PatientUpdate"),
    ],
)
async def test_lines_are_audit_events_by_the_patterns(story: World, method: str, path: str, pattern: str) -> None:
    await story.api.call(method, path.format(**story.ids), story.keys["home"])
    found = (await story.api.client.get("/fhir/AuditEvent", headers=_key(story.keys["home"]))).json()
    assert Bundle.model_validate(found)
    first = found["entry"][0]["resource"]
    assert AuditEvent.model_validate(first)
    assert first["meta"]["profile"] == [f"{BALP}/StructureDefinition/IHE.BasicAudit.{pattern}"]
    patients = [one for one in first["entity"] if one.get("role", {}).get("code") == "1"]
    assert [one["what"]["reference"] for one in patients] == ([] if pattern == "Query" else [f"Patient/{story.ids['person_id'][4:]}"])
    assert any(one["type"]["code"] == "XrequestId" for one in first["entity"])
    assert any(one.get("query") for one in first["entity"]) == ("Query" in pattern)
    assert sum(agent["requestor"] for agent in first["agent"]) == 1
    read = await story.api.client.get(f"/fhir/AuditEvent/{first['id']}", headers=_key(story.keys["home"]))
    assert read.json() == first
    other = await story.api.client.get(f"/fhir/AuditEvent/{first['id']}", headers=_key(story.keys["stranger"]))
    assert other.status_code == 404


async def test_audit_events_are_found_by_patient_agent_and_date(story: World) -> None:
    ids, key = story.ids, _key(ADMIN_KEY)

    async def found(**params: Any) -> list[dict[str, Any]]:
        bundle = (await story.api.client.get("/fhir/AuditEvent", headers=key, params=params)).json()
        assert Bundle.model_validate(bundle)
        return [one["resource"] for one in bundle.get("entry", ())]

    assert await found(patient=f"Patient/{ids['person_id']}")
    by_home = await found(agent=f"Organization/{ids['home']}")
    assert {one["agent"][1]["who"]["reference"] for one in by_home} == {f"Organization/{ids['home'][4:]}"}
    assert await found(date="ge2100-01-01T00:00:00Z") == []
    assert len(await found(_count=2)) == 2
    assert (await story.api.client.get("/fhir/AuditEvent", headers=key, params={"date": "2026"})).status_code == 422
    statement = (await story.api.client.get("/fhir/metadata")).json()
    offered = {one["type"]: one for one in statement["rest"][0]["resource"]}
    assert {one["name"] for one in offered["AuditEvent"]["searchParam"]} == {"patient", "agent", "date"}


def _key(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}

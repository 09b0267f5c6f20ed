"""Reading the audit over the real face: whose lines are seen, filters and pages, and AuditEvents that fhir.resources accepts."""

from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from fhir.resources.R4B.bundle import Bundle

from adapters.fhir.audit_events import BALP
from app import wiring
from app.domain.delivery import AttemptOutcome, AttemptResult
from app.settings import load_settings
from tests.api.test_consents import Unavailable
from tests.api.world import ADMIN_KEY, World, tell_the_story


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


async def test_what_a_recipient_was_sent_and_answered_is_a_privacy_disclosure_of_the_patient(world: World) -> None:
    subscription = {"url": "https://receiver.example.org/"}
    await world.api.json("POST", "/v1/subscriptions", world.keys["home"], 201, json=subscription)
    await tell_the_story(world)
    settings = load_settings({"HANDOFF_SECRET_KEY": "tests-0123456789-abcdefghijklmnopqrst", "HANDOFF_ADMIN_KEY": ADMIN_KEY})
    sender = Unavailable()
    deliverer = wiring.build_deliverer(
        settings, world.stage.work, wiring.keys_of(settings), wiring.rulebook(), sender, clock=world.stage.clock, ids=wiring.SystemIds(),
        on_defect=lambda _: None, on_recorded=lambda _: None,
    )  # fmt: skip

    async def disclosed(who: str, **params: Any) -> list[dict[str, Any]]:
        asked = {"patient": f"Patient/{world.ids['person_id']}", **params}
        bundle = (await world.api.client.get("/fhir/AuditEvent", headers=_key(world.keys[who]), params=asked)).json()
        assert Bundle.model_validate(bundle)
        found = [one["resource"] for one in bundle.get("entry", ())]
        assert [one["id"] for one in found] == sorted((one["id"] for one in found), reverse=True)
        return [one for one in found if "Disclosure" in one["meta"]["profile"][0]]

    await deliverer.deliver_once()
    # What did not arrive was not disclosed.
    assert (len(sender.taken) > 0, await disclosed("operator")) == (True, [])
    sender.outcome = AttemptResult(AttemptOutcome.DELIVERED, 0.01, status_code=204)
    for _ in range(3):
        world.stage.clock.advance(hours=1)
        await deliverer.deliver_once()
    told = (await world.api.json("GET", "/v1/notifications", world.keys["home"], 200))["items"]
    for who in ("operator", "home"):
        found = await disclosed(who)
        assert [_targets(one) for one in found] == [[one["id"]] for one in reversed(told)], who
        for one in found:
            assert AuditEvent.model_validate(one)
            assert one["meta"]["profile"] == [f"{BALP}/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.Source"]
            assert [agent["requestor"] for agent in one["agent"]] == [True, False]
            assert one["agent"][1]["who"]["reference"] == f"Organization/{world.ids['home'][4:]}"
            assert one["entity"][0]["what"]["reference"] == f"Patient/{world.ids['person_id'][4:]}"
    event = (await disclosed("home"))[0]
    read = await world.api.client.get(f"/fhir/AuditEvent/{event['id']}", headers=_key(world.keys["home"]))
    assert read.json() == event
    # Whose it is not finds none of it, by whatever is asked.
    for who in ("plan", "stranger", "hospital"):
        assert await disclosed(who) == []
        other = await world.api.client.get(f"/fhir/AuditEvent/{event['id']}", headers=_key(world.keys[who]))
        assert other.status_code == 404
    assert await disclosed("operator", agent=f"Organization/{world.ids['plan']}") == []
    assert await disclosed("operator", date="ge2100-01-01T00:00:00Z") == []
    assert len(await disclosed("operator", _count=1)) <= 1
    page = (
        await world.api.client.get("/fhir/AuditEvent", headers=_key(ADMIN_KEY), params={"patient": world.ids["person_id"], "_count": 1})
    ).json()
    seen = []
    while True:
        seen += [one["resource"]["id"] for one in page.get("entry", ())]
        following = [link["url"] for link in page["link"] if link["relation"] == "next"]
        if not following:
            break
        page = (await world.api.client.get(following[0], headers=_key(ADMIN_KEY))).json()
    assert event["id"] in seen
    assert len(seen) == len(set(seen))


def _targets(event: dict[str, Any]) -> list[str]:
    return [one["what"]["identifier"]["value"] for one in event["entity"] if "identifier" in one["what"]]


def _key(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}

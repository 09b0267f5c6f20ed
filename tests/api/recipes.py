"""For every operation of the contract a request that succeeds in the story, so that statuses can be produced one by one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.api.world import ADMIT, ADMIT_BUNDLE, ANN_AT_HOME, ER7, FHIR_JSON

Ids = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A request that succeeds: who sends it, with what, and what it is answered."""

    who: str
    status: int = 200
    json: Callable[[Ids], Any] | None = None
    content: bytes | None = None
    content_type: str | None = None
    params: Callable[[Ids], Mapping[str, Any]] = lambda _ids: {}
    path_ids: Mapping[str, str] = field(default_factory=dict)
    """Path parameter -> name of the id in the world, where they differ."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Path parameter -> a word that is no id of the world."""
    bad_json: Any = None
    """A body of the right type that breaks a rule."""
    bad_params: Mapping[str, Any] | None = None
    streams: bool = False

    def path(self, template: str, ids: Ids) -> str:
        """Fill in the path."""
        filled = template
        for name in [part[1:-1] for part in template.split("/") if part.startswith("{")]:
            key = self.path_ids.get(name, name)
            filled = filled.replace(f"{{{name}}}", ids[key] if key in ids else self.words[name])
        return filled

    def options(self, ids: Ids) -> dict[str, Any]:
        """Give the parts of the request beside the path."""
        options: dict[str, Any] = {"params": dict(self.params(ids))}
        if self.json is not None:
            options["json"] = self.json(ids)
        if self.content is not None:
            options["content"] = self.content
            options["headers"] = {"content-type": self.content_type}
        return options


def _er7(who: str = "hospital", status: int = 200) -> Recipe:
    return Recipe(who, status, content=ADMIT, content_type=ER7["content-type"], bad_params={"feed": "x" * 200})


_REPORT = {
    "person": {"identifiers": [{"system": "HOMEB", "value": "H-1"}], "last_name": "Alder", "first_name": "Ann"},
    "facility_name": "Hospital far away",
    "discharged_at": "2026-03-05T10:00:00-05:00",
    "told_by": "patient",
}
_CONTACT = {"occurred_at": "2026-03-06T14:45:00-05:00", "type": "phone", "outcome": "reached", "author": "C. Sample"}
_SUMMARY_REQUESTED = {"fact": "requested", "at": "2026-03-06T14:45:00-05:00", "via": "fax", "author": "C. Sample"}
_ANSWER = {"outcome": "different", "reason": "Two people of one name; the hospital was asked."}
_LIMIT = {"limit": 0}
_MARCH = {"since": "2026-03-01T00:00:00-05:00", "until": "2026-04-01T00:00:00-04:00"}
_SUBSCRIPTION = {"url": "https://receiver.example.org/handoff"}
_ITS_HOME = {"organization_id": "home"}
_MEMBER = {
    "resourceType": "Parameters",
    "parameter": [{"name": "memberId", "valueIdentifier": {"system": "HOMEB", "value": "H-1"}}],
}


def _consent(person_id: str) -> dict[str, Any]:
    """Give a refusal in FHIR."""
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{person_id.partition('_')[2]}"},
        "dateTime": "2026-03-02",
        "provision": {"type": "deny"},
    }


_REFUSAL = {"kind": "refusal", "signed_on": "2026-03-02", "reason": "not now"}
_UNIT = {"place": "unit", "code": "DETOX", "effective_from": "2026-01-01", "part2_status": "unknown"}

RECIPES: dict[tuple[str, str], Recipe] = {
    ("POST", "/v1/consents"): Recipe(
        "home",
        201,
        json=lambda ids: {**_REFUSAL, "person_id": ids["person_id"], "recipients": [ids["stranger"]]},
        bad_json={"kind": "word"},
    ),
    ("GET", "/v1/consents"): Recipe("home", bad_params=_LIMIT),
    ("GET", "/v1/consents/{consent_id}"): Recipe("home"),
    ("POST", "/v1/consents/{consent_id}/revoke"): Recipe("home", json=lambda _ids: {}, bad_json={"note": 1}),
    ("POST", "/v1/consents/{consent_id}/review"): Recipe(
        "operator", json=lambda _ids: {"decision": "accept"}, bad_json={"decision": "perhaps"}, path_ids={"consent_id": "exception_id"}
    ),
    ("POST", "/v1/panels/{organization_id}/consents"): Recipe(
        "home",
        201,
        json=lambda _ids: {"kind": "tpo", "signed_on": "2026-03-01", "scope": "All my records.", "all_members": True},
        bad_json={"kind": "word"},
        path_ids={"organization_id": "home"},
    ),
    ("POST", "/v1/panels/{organization_id}/consents/review"): Recipe(
        "operator", json=lambda _ids: {"decision": "accept"}, bad_json={"decision": "perhaps"}, path_ids={"organization_id": "home"}
    ),
    ("GET", "/v1/panels/{organization_id}/rehearsal"): Recipe(
        "home", bad_params={"privacy_pack": "xx"}, path_ids={"organization_id": "home"}
    ),
    ("GET", "/v1/holds"): Recipe("operator", bad_params=_LIMIT),
    ("POST", "/v1/holds/{encounter_id}/release"): Recipe(
        "operator",
        json=lambda _ids: {"part2_status": "not_program", "reason": "Called the unit."},
        bad_json={"part2_status": "perhaps"},
        path_ids={"encounter_id": "held_id"},
    ),
    ("POST", "/v1/agreements"): Recipe(
        "operator",
        201,
        json=lambda ids: {"organization_id": ids["home"], "kind": "dsa", "scope": "Follow-up", "effective_from": "2026-01-01"},
        bad_json={"kind": "handshake"},
    ),
    ("GET", "/v1/agreements"): Recipe("home", bad_params=_LIMIT),
    ("POST", "/v1/agreements/{agreement_id}/end"): Recipe("operator"),
    ("POST", "/v1/organizations/{organization_id}/origins"): Recipe(
        "operator", 201, json=lambda _ids: _UNIT, bad_json={"place": "unit"}, path_ids={"organization_id": "hospital"}
    ),
    ("GET", "/v1/organizations/{organization_id}/origins"): Recipe("hospital", bad_params=_LIMIT, path_ids={"organization_id": "hospital"}),
    ("GET", "/v1/organizations/{organization_id}/origins/checklist"): Recipe("hospital", path_ids={"organization_id": "hospital"}),
    ("GET", "/v1/organizations/{organization_id}/origins/rehearsal"): Recipe(
        "operator",
        path_ids={"organization_id": "hospital"},
        params=lambda _ids: {"privacy_pack": "us-me"},
        bad_params={"privacy_pack": "xx"},
    ),
    ("DELETE", "/v1/organizations/{organization_id}/origins/{registration_id}"): Recipe(
        "operator", 204, path_ids={"organization_id": "hospital"}
    ),
    ("POST", "/hl7v2"): _er7(),
    ("POST", "/hl7v2/batch"): _er7(),
    ("POST", "/hl7v2/$validate"): _er7(),
    ("POST", "/fhir/$process-message"): Recipe(
        "hospital", content=ADMIT_BUNDLE, content_type=FHIR_JSON["content-type"], bad_params={"feed": "x" * 200}
    ),
    ("POST", "/fhir/Bundle/$validate"): Recipe(
        "hospital", content=ADMIT_BUNDLE, content_type=FHIR_JSON["content-type"], bad_params={"feed": "x" * 200}
    ),
    ("GET", "/fhir/metadata"): Recipe(""),
    ("GET", "/v1/measures"): Recipe("plan", bad_params={"organization_id": "odd"}),
    ("GET", "/v1/measures/{measure}"): Recipe("plan", words={"measure": "FUH"}, bad_params={"period": "2026-13"}),
    ("GET", "/v1/measures/{measure}/events"): Recipe("plan", words={"measure": "FUH"}, bad_params={"after": "x"}),
    ("GET", "/v1/measures/{measure}/gaps"): Recipe("plan", words={"measure": "FUH"}, bad_params={"after": "x"}),
    ("GET", "/fhir/Measure/{measure}/$evaluate-measure"): Recipe(
        "plan",
        words={"measure": "FUH"},
        params=lambda _ids: {"periodStart": "2026-01-01", "periodEnd": "2026-12-31"},
        bad_params={"periodStart": "2026-01-01", "periodEnd": "2025-12-31"},
    ),
    ("POST", "/fhir/Consent"): Recipe("home", 201, json=lambda ids: _consent(ids["person_id"]), bad_json={"resourceType": "Patient"}),
    ("GET", "/fhir/Consent"): Recipe("home", bad_params={"_count": 0}),
    ("GET", "/fhir/Consent/{consent_id}"): Recipe("home"),
    ("GET", "/fhir/Group"): Recipe("home", bad_params={"_count": 0}),
    ("GET", "/fhir/Group/{organization_id}"): Recipe("home", path_ids=_ITS_HOME, bad_params={"_count": 0}),
    ("POST", "/fhir/Group/{organization_id}/$member-add"): Recipe(
        "home", 200, lambda _: _MEMBER, path_ids=_ITS_HOME, bad_json={"resourceType": "Parameters"}
    ),
    ("POST", "/fhir/Group/{organization_id}/$member-remove"): Recipe(
        "home", 200, lambda _: _MEMBER, path_ids=_ITS_HOME, bad_json={"resourceType": "Parameters"}
    ),
    ("GET", "/v1/disclosures"): Recipe("operator", params=lambda ids: {"person_id": ids["person_id"]}, bad_params=_LIMIT),
    ("POST", "/v1/disclosures/search"): Recipe("operator", 200, lambda _: {"identifier": "MAINECARE|MC1"}, bad_json={"identifier": "odd"}),
    ("GET", "/v1/reports/cop-evidence"): Recipe("hospital", params=lambda _: _MARCH, bad_params={**_MARCH, "limit": 0}),
    ("GET", "/v1/reports/cop-evidence.csv"): Recipe("hospital", params=lambda _: _MARCH, bad_params={"since": "x", "until": "y"}),
    ("GET", "/v1/audit"): Recipe("operator", bad_params=_LIMIT),
    ("GET", "/fhir/AuditEvent"): Recipe("operator", bad_params={"_count": 0}),
    ("GET", "/fhir/AuditEvent/{line_id}"): Recipe("operator"),
    ("GET", "/v1/notifications"): Recipe("home", bad_params={"after": "x"}),
    ("GET", "/v1/notifications/stream"): Recipe("home", bad_params={"after": -1}, streams=True),
    ("GET", "/v1/notifications/{notification_id}"): Recipe("home"),
    ("GET", "/v1/notifications/{notification_id}/why"): Recipe("home"),
    ("POST", "/v1/notifications/{notification_id}/acknowledge"): Recipe("home"),
    ("POST", "/v1/subscriptions"): Recipe("home", 201, lambda _: _SUBSCRIPTION, bad_json={"url": "http://plain.example.org/"}),
    ("GET", "/v1/subscriptions"): Recipe("home", bad_params=_LIMIT),
    ("GET", "/v1/subscriptions/{subscription_id}"): Recipe("home"),
    ("PATCH", "/v1/subscriptions/{subscription_id}"): Recipe(
        "home", 200, lambda _: {"description": "x"}, bad_json={"url": "ftp://x.example.org"}
    ),
    ("POST", "/v1/subscriptions/{subscription_id}/test"): Recipe("home"),
    ("POST", "/v1/subscriptions/{subscription_id}/pause"): Recipe("home", 200, lambda _: {"reason": "holidays"}, bad_json={"why": 1}),
    ("POST", "/v1/subscriptions/{subscription_id}/resume"): Recipe("home"),
    ("POST", "/v1/subscriptions/{subscription_id}/rotate-secret"): Recipe("home"),
    ("GET", "/v1/subscriptions/{subscription_id}/deliveries"): Recipe("home", bad_params=_LIMIT),
    ("POST", "/v1/subscriptions/{subscription_id}/redrive"): Recipe(
        "home", 202, lambda _: {"sequence_from": 1}, bad_json={"sequence_from": -1}
    ),
    ("GET", "/v1/follow-ups"): Recipe("home", bad_params={"status": "odd"}),
    ("GET", "/v1/follow-ups/{follow_up_id}"): Recipe("home"),
    ("POST", "/v1/follow-ups/{follow_up_id}/contacts"): Recipe(
        "home", 201, lambda _: _CONTACT, bad_json={**_CONTACT, "type": "smoke signal"}
    ),
    ("POST", "/v1/contacts/{contact_id}/void"): Recipe("home", 200, lambda _: {"reason": "wrong person"}, bad_json={}),
    ("POST", "/v1/follow-ups/{follow_up_id}/summary"): Recipe(
        "home", 201, lambda _: _SUMMARY_REQUESTED, bad_json={**_SUMMARY_REQUESTED, "at": "2026-04-06T14:45:00-05:00"}
    ),
    ("POST", "/v1/summary-facts/{fact_id}/void"): Recipe("home", 200, lambda _: {"reason": "wrong person"}, bad_json={}),
    ("POST", "/v1/follow-ups/{follow_up_id}/assign"): Recipe("home", 200, lambda _: {"assignee": "C. Sample"}, bad_json={}),
    ("POST", "/v1/follow-ups/{follow_up_id}/snooze"): Recipe(
        "home",
        200,
        lambda _: {"until": "2026-03-08T12:00:00-05:00", "reason": "appointment on Monday"},
        bad_json={"until": "2026-01-01T12:00:00-05:00", "reason": "x"},
    ),
    ("POST", "/v1/follow-ups/{follow_up_id}/wake"): Recipe("home", 200, lambda _: {"author": "C. Sample"}, bad_json={"author": ""}),
    ("POST", "/v1/follow-ups/{follow_up_id}/close"): Recipe("home", 200, lambda _: {"reason": "completed"}, bad_json={}),
    ("GET", "/v1/members"): Recipe("plan", params=lambda _: {"identifier": "MAINECARE|MC1"}, bad_params={"identifier": "MC1"}),
    ("POST", "/v1/members/search"): Recipe("plan", 200, lambda _: {"identifier": "MAINECARE|MC1"}, bad_json={"identifier": "MC1"}),
    ("GET", "/v1/members/{person_id}/follow-ups"): Recipe("plan", bad_params=_LIMIT),
    ("GET", "/v1/people/{person_id}"): Recipe("home", bad_params={"as_of": "odd"}),
    ("GET", "/v1/matches"): Recipe("operator", bad_params={"state": "odd"}),
    ("POST", "/v1/matches"): Recipe(
        "operator",
        201,
        lambda ids: {"left_record_id": ids["left_id"], "right_record_id": ids["right_id"], **_ANSWER},
        bad_json={"outcome": "perhaps"},
    ),
    ("GET", "/v1/matches/{match_id}"): Recipe("operator"),
    ("POST", "/v1/matches/{match_id}/resolve"): Recipe("operator", 200, lambda _: _ANSWER, bad_json={"outcome": "perhaps"}),
    ("POST", "/v1/matches/{match_id}/reopen"): Recipe("operator", 200, lambda _: {"reason": "Asked again"}, bad_json={}),
    ("GET", "/v1/person-index"): Recipe("operator"),
    ("POST", "/v1/person-index"): Recipe("operator", 200, lambda _: {"authority": "EMPI"}, bad_json={"authority": ""}),
    ("DELETE", "/v1/person-index/{authority}"): Recipe("operator", 204),
    ("GET", "/v1/encounters"): Recipe("home", bad_params=_LIMIT),
    ("POST", "/v1/encounters"): Recipe("home", 201, lambda _: _REPORT, bad_json={**_REPORT, "facility_name": None}),
    ("GET", "/v1/encounters/{encounter_id}"): Recipe("home"),
    ("GET", "/v1/documents/{document_id}/content"): Recipe("home"),
    ("POST", "/v1/notifications/{notification_id}/answer"): Recipe(
        "home", 201, lambda _: {"answer": "not_ours"}, bad_json={"answer": "left_program_on"}
    ),
    ("POST", "/v1/follow-ups/{follow_up_id}/answer"): Recipe("home", 201, lambda _: {"answer": "duplicate"}, bad_json={"answer": "odd"}),
    ("GET", "/v1/queues"): Recipe("operator"),
    ("GET", "/v1/reviews"): Recipe("home", bad_params=_LIMIT),
    ("POST", "/v1/reviews/{review_id}/resolve"): Recipe(
        "operator", 200, lambda _: {"decision": "dismissed"}, bad_json={"decision": "open"}
    ),
    ("GET", "/v1/panels/{organization_id}/quality"): Recipe("home", path_ids=_ITS_HOME, bad_params={"since": "odd"}),
    ("POST", "/v1/follow-ups/{follow_up_id}/transfer"): Recipe(
        "home", 201, lambda ids: {"to": ids["next_home"]}, bad_json={"to": "org_0199a4c07c5d7e0fb1d2c3a4e5f60718"}
    ),
    ("POST", "/v1/follow-ups/{follow_up_id}/transfer/accept"): Recipe(
        "next_home", 200, lambda _: {"author": "N. Sample"}, bad_json={"author": ""}
    ),
    ("POST", "/v1/follow-ups/{follow_up_id}/transfer/decline"): Recipe(
        "next_home", 200, lambda _: {"reason": "moved"}, bad_json={"reason": ""}
    ),
    ("GET", "/v1/transfers"): Recipe("home", bad_params=_LIMIT),
    ("GET", "/v1/encounters/{encounter_id}/why"): Recipe("operator", bad_params={"organization_id": "odd"}),
    ("GET", "/v1/referral-candidates"): Recipe("operator", bad_params=_LIMIT),
    ("GET", "/v1/organizations/{organization_id}/practitioners"): Recipe("home", path_ids=_ITS_HOME, bad_params=_LIMIT),
    ("POST", "/v1/organizations/{organization_id}/practitioners"): Recipe(
        "operator", 201, lambda _: {"npi": "1234567893"}, path_ids=_ITS_HOME, bad_json={"npi": "1"}
    ),
    ("DELETE", "/v1/organizations/{organization_id}/practitioners/{npi}"): Recipe("operator", 204, path_ids=_ITS_HOME),
    ("POST", "/v1/panels/{organization_id}/uploads"): Recipe(
        "home",
        201,
        content=ANN_AT_HOME.encode(),
        content_type="text/csv",
        params=lambda _: {"mode": "delta"},
        path_ids=_ITS_HOME,
        bad_params={"mode": "odd"},
    ),
    ("POST", "/v1/services/uploads"): Recipe(
        "plan",
        201,
        content=b"member_id,claim_id,service_date,procedure_code\nP-77,CLM-1,2026-03-05,90834\n",
        content_type="text/csv",
        params=lambda ids: {"organization_id": ids["plan"]},
        bad_params={"dry_run": "perhaps"},
    ),
    ("GET", "/v1/panels/{organization_id}/uploads"): Recipe("home", path_ids=_ITS_HOME, bad_params=_LIMIT),
    ("GET", "/v1/panels/{organization_id}/uploads/{upload_id}"): Recipe("home", path_ids=_ITS_HOME),
    ("GET", "/v1/panels/{organization_id}/uploads/{upload_id}/rejected.csv"): Recipe("home", path_ids=_ITS_HOME),
    ("GET", "/v1/panels/{organization_id}/members"): Recipe("home", path_ids=_ITS_HOME, bad_params=_LIMIT),
    ("GET", "/v1/panels"): Recipe("home", bad_params=_LIMIT),
    ("GET", "/v1/panels/conflicts"): Recipe("home", bad_params={"role": "odd"}),
    ("GET", "/v1/panels/{organization_id}"): Recipe("home", path_ids=_ITS_HOME),
    ("PATCH", "/v1/panels/{organization_id}"): Recipe(
        "operator", 200, lambda _: {"warn_after_days": 60}, path_ids=_ITS_HOME, bad_json={"warn_after_days": 0}
    ),
    ("GET", "/v1/organizations"): Recipe("home", bad_params=_LIMIT),
    ("POST", "/v1/organizations"): Recipe(
        "operator", 201, lambda _: {"name": "New", "kind": "hospital"}, bad_json={"name": "New", "kind": "odd"}
    ),
    ("GET", "/v1/organizations/{organization_id}"): Recipe("home", path_ids=_ITS_HOME),
    ("PATCH", "/v1/organizations/{organization_id}"): Recipe(
        "home", 200, lambda _: {"npi": "1234567893"}, path_ids=_ITS_HOME, bad_json={"npi": "1"}
    ),
    ("GET", "/v1/organizations/{organization_id}/units"): Recipe("home", path_ids=_ITS_HOME, bad_params=_LIMIT),
    ("PUT", "/v1/organizations/{organization_id}/units/{unit}"): Recipe(
        "home", 200, lambda _: {"call_back_number": "207-555-0140"}, path_ids=_ITS_HOME, bad_json={"direct_address": "nobody"}
    ),
    ("DELETE", "/v1/organizations/{organization_id}/units/{unit}"): Recipe("home", 204, path_ids=_ITS_HOME),
    ("GET", "/v1/organizations/{organization_id}/escalation"): Recipe("home", path_ids=_ITS_HOME),
    ("PUT", "/v1/organizations/{organization_id}/escalation/{part}"): Recipe(
        "home", 200, lambda _: {"name": "S. Sample"}, path_ids=_ITS_HOME, words={"part": "supervisor"}, bad_json={"phone": "207-555-0170"}
    ),
    ("DELETE", "/v1/organizations/{organization_id}/escalation/{part}"): Recipe(
        "home", 204, path_ids=_ITS_HOME, words={"part": "on_call"}, bad_params=None
    ),
    ("GET", "/v1/organizations/{organization_id}/grants"): Recipe("home", path_ids=_ITS_HOME, bad_params=_LIMIT),
    ("POST", "/v1/organizations/{organization_id}/grants"): Recipe(
        "home", 201, lambda ids: {"grantee_id": ids["plan"]}, path_ids=_ITS_HOME, bad_json={"grantee_id": "?"}
    ),
    ("DELETE", "/v1/organizations/{organization_id}/grants/{grantee_id}"): Recipe("home", 204, path_ids=_ITS_HOME),
    ("GET", "/v1/organizations/{organization_id}/preferences"): Recipe("home", path_ids=_ITS_HOME),
    ("PUT", "/v1/organizations/{organization_id}/preferences"): Recipe(
        "home", 200, lambda _: {"rules": [{"classes": ["outpatient"], "tell": True}]}, path_ids=_ITS_HOME, bad_json={"rules": [{}]}
    ),
    ("GET", "/v1/feeds/health"): Recipe("hospital", bad_params=_LIMIT),
    ("GET", "/v1/feeds/{feed_id}/health"): Recipe("hospital", bad_params={"days": 0}),
    ("GET", "/v1/feeds/{feed_id}/scorecard.csv"): Recipe("hospital", bad_params={"days": 91}),
    ("GET", "/v1/feeds"): Recipe("hospital", bad_params=_LIMIT),
    ("POST", "/v1/feeds"): Recipe(
        "hospital",
        201,
        lambda _: {
            "sending_application": "LAB",
            "sending_facility": "HOSPA",
            "time_zone": "America/New_York",
            "assigning_authority": "HOSPA",
        },
        bad_json={"sending_application": "LAB", "sending_facility": "HOSPA", "time_zone": "Mars/Olympus", "assigning_authority": "HOSPA"},
    ),
    ("GET", "/v1/feeds/{feed_id}"): Recipe("hospital"),
    ("PATCH", "/v1/feeds/{feed_id}"): Recipe("hospital", 200, lambda _: {"mode": "shadow"}, bad_json={"mode": "odd"}),
    ("GET", "/v1/feeds/{feed_id}/versions"): Recipe("hospital", bad_params=_LIMIT),
    ("POST", "/v1/feeds/{feed_id}/reinterpret"): Recipe("hospital", bad_params={"dry_run": "maybe"}),
    ("GET", "/v1/feeds/{feed_id}/facilities"): Recipe("hospital", bad_params=_LIMIT),
    ("POST", "/v1/feeds/{feed_id}/facilities"): Recipe(
        "hospital", 200, lambda ids: {"code": "NORTH", "organization_id": ids["hospital"]}, bad_json={"code": "NORTH"}
    ),
    ("GET", "/v1/keys"): Recipe("home", bad_params=_LIMIT),
    ("POST", "/v1/keys"): Recipe("home", 201, lambda _: {"scopes": ["members.read"]}, bad_json={"scopes": ["odd"]}),
    ("DELETE", "/v1/keys/{key_id}"): Recipe("home"),
    ("POST", "/v1/inbound/search"): Recipe("hospital", 200, lambda _: {"text": "M1"}, bad_json={"text": ""}),
    ("GET", "/v1/inbound/set-aside"): Recipe("hospital", bad_params={"feed_id": "odd"}),
    ("GET", "/v1/documents/unfiled"): Recipe("hospital", params=lambda _: {"limit": 5}, bad_params=_LIMIT),
    ("POST", "/v1/inbound/replay"): Recipe("hospital", 200, lambda _: {"code": "101"}, bad_json={"limit": 0}),
    ("GET", "/v1/inbound"): Recipe("hospital", bad_params=_LIMIT),
    ("GET", "/v1/inbound/{message_id}"): Recipe("hospital"),
    ("GET", "/v1/inbound/{message_id}/trace"): Recipe("hospital"),
    ("POST", "/v1/inbound/{message_id}/replay"): Recipe("hospital", 202),
    ("GET", "/healthz"): Recipe(""),
    ("GET", "/readyz"): Recipe(""),
    ("GET", "/metrics"): Recipe(""),
    ("GET", "/docs"): Recipe(""),
    ("GET", "/openapi.json"): Recipe(""),
}

"""The CapabilityStatement: what the FHIR face does today, built from the tables that decide it, so that it cannot promise more (DV-12)."""

from typing import Any, Final

from adapters.fhir.audit_events import BALP
from adapters.fhir.codes import DA_VINCI_EVENTS, EVENTS, NOTIFICATION_EVENT, OWN_EVENT, V2_EVENT

GUIDE: Final = "http://hl7.org/fhir/us/davinci-alerts"
CORE: Final = "http://hl7.org/fhir/us/core"
CHANGED_ON: Final = "2026-11-30"
"""When what is stated here last changed."""

PROFILES: Final = {
    "Bundle": (f"{GUIDE}/StructureDefinition/notifications-bundle",),
    "MessageHeader": tuple(
        f"{GUIDE}/StructureDefinition/{name}"
        for name in (
            "notifications-messageheader",
            "admit-notification-messageheader",
            "discharge-notification-messageheader",
            "transfer-notification-messageheader",
        )
    ),
    "Encounter": (f"{GUIDE}/StructureDefinition/adt-notification-encounter", f"{CORE}/StructureDefinition/us-core-encounter"),
    "Patient": (f"{CORE}/StructureDefinition/us-core-patient",),
    "Condition": (f"{GUIDE}/StructureDefinition/adt-notification-condition",),
    "Coverage": (f"{GUIDE}/StructureDefinition/adt-notification-coverage",),
    "DocumentReference": (f"{CORE}/StructureDefinition/us-core-documentreference",),
    "Location": (f"{CORE}/StructureDefinition/us-core-location",),
    "Organization": (f"{CORE}/StructureDefinition/us-core-organization",),
    "Practitioner": (f"{CORE}/StructureDefinition/us-core-practitioner",),
    "PractitionerRole": (f"{CORE}/StructureDefinition/us-core-practitionerrole",),
}
_NO_INTERACTION: Final = "Read as a part of a message only; it has no interaction of its own here."
_VALIDATE: Final = {
    "name": "validate",
    "definition": "http://hl7.org/fhir/OperationDefinition/Resource-validate",
    "documentation": "A notification, or Parameters with it as resource: every problem, whom it would reach, which clocks it would start. "
    "Nothing is stored; mode and profile are not used.",
}


_ATR: Final = "http://hl7.org/fhir/us/davinci-atr"
GROUP: Final[dict[str, Any]] = {
    "type": "Group",
    "profile": f"{_ATR}/StructureDefinition/atr-group",
    "documentation": "One for each panel, in JSON; panels.write or members.read. Up to 1,000 members, else by _count and Link.",
    "interaction": [{"code": "read"}, {"code": "search-type"}],
    "searchParam": [
        {"name": "_id", "type": "token"},
        {"name": "identifier", "type": "token", "definition": "http://hl7.org/fhir/SearchParameter/Group-identifier"},
        {"name": "name", "type": "string", "documentation": "The beginning of Group.name, in any case."},
        {"name": "managing-entity", "type": "reference", "definition": "http://hl7.org/fhir/SearchParameter/Group-managing-entity"},
    ],
    "operation": [
        {"name": "member-add", "definition": f"{_ATR}/OperationDefinition/member-add"},
        {"name": "member-remove", "definition": f"{_ATR}/OperationDefinition/member-remove"},
    ],
}
"""What app/api/fhir_groups.py offers; a test calls each of them."""
AUDIT_EVENT: Final[dict[str, Any]] = {
    "type": "AuditEvent",
    "supportedProfile": [
        f"{BALP}/StructureDefinition/IHE.BasicAudit.{name}"
        for name in ("Read", "PatientRead", "Query", "PatientQuery", "Create", "PatientCreate", "Update", "PatientUpdate")
    ]
    + [f"{BALP}/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.Source"],
    "documentation": "The audit, newest first, in JSON; admin. IHE BALP patterns.",
    "interaction": [{"code": "read"}, {"code": "search-type"}],
    "searchParam": [
        {"name": "patient", "type": "reference", "definition": "http://hl7.org/fhir/SearchParameter/AuditEvent-patient"},
        {"name": "agent", "type": "reference", "definition": "http://hl7.org/fhir/SearchParameter/AuditEvent-agent"},
        {
            "name": "date",
            "type": "date",
            "definition": "http://hl7.org/fhir/SearchParameter/AuditEvent-date",
            "documentation": "ge and lt.",
        },
    ],
}
"""What app/api/audit.py offers."""


MEASURE: Final[dict[str, Any]] = {
    "type": "Measure",
    "documentation": "Follow-up, transitions of care, returns, HEDIS-like, uncertified; measures.read. GET with periodStart and periodEnd "
    "of one year, and reportType summary, subject-list or individual (with subject): a MeasureReport.",
    "operation": [
        {"name": "evaluate-measure", "definition": "http://hl7.org/fhir/OperationDefinition/Measure-evaluate-measure"},
    ],
}
"""What app/api/fhir_measures.py offers."""


CONSENT: Final[dict[str, Any]] = {
    "type": "Consent",
    "documentation": "Of scope patient-privacy, in JSON. What 42 CFR 2.31 asks of a form is answered 422 where it is "
    "missing, each with its expression. Ended by POST /v1/consents/{id}/revoke.",
    "interaction": [{"code": "create"}, {"code": "read"}, {"code": "search-type"}],
    "searchParam": [
        {"name": "_id", "type": "token"},
        {"name": "patient", "type": "reference", "definition": "http://hl7.org/fhir/SearchParameter/clinical-patient"},
        {"name": "status", "type": "token", "definition": "http://hl7.org/fhir/SearchParameter/Consent-status"},
    ],
}
"""What app/api/fhir_consents.py offers; a test calls each of them."""


def capability_statement(*, version: str, url: str | None) -> dict[str, Any]:
    """Build the statement. `url` is the base of the face, where it is known."""
    implementation = {"description": "Warm Handoff: ADT in, the responsible health home told."}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": CHANGED_ON,
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["json", "xml", "application/fhir+json", "application/fhir+xml"],
        "name": "WarmHandoff",
        "title": "Warm Handoff, FHIR face",
        "publisher": "Warm Handoff",
        "description": "Receives Da Vinci Unsolicited Notifications by $process-message, and tries them by Bundle/$validate, "
        "in JSON and XML; keeps Da Vinci member attribution lists as Group and privacy consents as Consent, answers "
        "Measure/$evaluate-measure, and gives the audit as AuditEvent, in JSON. Other reads and searches, and subscriptions are not "
        "offered on this face.",
        "instantiates": [f"{GUIDE}/CapabilityStatement/notification-receiver"],
        "implementationGuide": [f"{GUIDE}/ImplementationGuide/hl7.fhir.us.davinci-alerts|1.1.0"],
        "software": {"name": "Warm Handoff", "version": version},
        "implementation": {**implementation, "url": url} if url is not None else implementation,
        "rest": [
            {
                "mode": "server",
                "documentation": "One message a request, a Bundle in JSON or XML; answered 200 when it is stored and acceptable.",
                "security": {
                    "description": "Authorization: Bearer with a key of scope adt.write; 401 without one. This statement is open to all."
                },
                "resource": [
                    {"type": name, "supportedProfile": list(profiles)}
                    | ({"operation": [_VALIDATE]} if name == "Bundle" else {"documentation": _NO_INTERACTION})
                    for name, profiles in PROFILES.items()
                ]
                + [GROUP, MEASURE, AUDIT_EVENT, CONSENT],
                "operation": [
                    {
                        "name": "process-message",
                        "definition": "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message",
                        "documentation": "async and response-url are not used; no response message is sent.",
                    }
                ],
            }
        ],
        "messaging": [{"documentation": events_documentation()}],
    }


def events_documentation() -> str:
    """List the events that are taken, by code system, and those that are stored and change nothing."""
    lines = ["Events (MessageHeader.eventCoding) that are taken as a receiver:"]
    for system in (NOTIFICATION_EVENT, V2_EVENT, OWN_EVENT):
        codes = sorted(code for owner, code in EVENTS if owner == system)
        lines.append(f"- {system}: {', '.join(codes)}")
    ignored = sorted(DA_VINCI_EVENTS - {code for _, code in EVENTS})
    lines.append(f"Stored, answered 200 and without effect: {', '.join(ignored)}.")
    lines.append("Every other event is answered 422.")
    return "\n".join(lines)

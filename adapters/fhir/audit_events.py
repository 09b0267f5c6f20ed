"""Lines of the audit as FHIR R4 AuditEvents by IHE BALP 1.1 (Basic Audit Log Patterns).

Read, Query, Create and Update with their patient variants, and Privacy Disclosure at the source for what left as a file (AUD-1) or was
sent to a recipient who said that it had come.
https://profiles.ihe.net/ITI/BALP: which agents and entities a pattern needs, and their codes. A page with several people is a Query with
a patient entity for each; the patterns for one patient need exactly one. The text of a query is not kept: its entity holds a keyed hash.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from app.domain.audit import AuditKind, AuditLine, AuditOutcome, Disclosed
from app.domain.public_id import Kind, public_id

BALP: Final = "https://profiles.ihe.net/ITI/BALP"
_REQUEST: Final = f"{BALP}/CodeSystem/BasicAuditEntityType"
_DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_TYPE: Final = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_ENTITY: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLE: Final = "http://terminology.hl7.org/CodeSystem/object-role"
_INTERACTION: Final = "http://hl7.org/fhir/restful-interaction"
_PURPOSE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_LIFECYCLE: Final = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"

_SOURCE: Final = {"system": _DCM, "code": "110153", "display": "Source Role ID"}
_DESTINATION: Final = {"system": _DCM, "code": "110152", "display": "Destination Role ID"}
_REST: Final = {"system": _TYPE, "code": "rest", "display": "RESTful Operation"}
_EXPORT: Final = {"system": _DCM, "code": "110106", "display": "Export"}
_PATTERNS: Final = {
    AuditKind.READ: ("Read", "R", {"system": _INTERACTION, "code": "read"}),
    AuditKind.QUERY: ("Query", "E", {"system": _INTERACTION, "code": "search"}),
    AuditKind.EXPORT: ("PrivacyDisclosure.Source", "R", {"system": _LIFECYCLE, "code": "disclose"}),
    AuditKind.CHANGE: ("Update", "U", {"system": _INTERACTION, "code": "update"}),
}
_CREATES: Final = ("add_", "report_", "upload_", "decide_", "offer_")
_SELF: Final = {"display": "Warm Handoff"}


def profile_of(line: AuditLine) -> str:
    """Name the pattern of a line."""
    name, _, _ = _PATTERNS[line.kind]
    if line.kind is AuditKind.CHANGE and line.action.startswith(_CREATES):
        name = "Create"
    if len(line.people) == 1 and line.kind is not AuditKind.EXPORT:
        name = f"Patient{name}"
    return f"{BALP}/StructureDefinition/IHE.BasicAudit.{name}"


class AuditEvents:
    """Writes AuditEvents."""

    def event(self, line: AuditLine | Disclosed) -> dict[str, Any]:
        """Write one."""
        if isinstance(line, Disclosed):
            return _disclosure(line)
        _, action, subtype = _PATTERNS[line.kind]
        if line.kind is AuditKind.CHANGE and line.action.startswith(_CREATES):
            action, subtype = "C", {"system": _INTERACTION, "code": "create"}
        is_out = line.kind in (AuditKind.READ, AuditKind.EXPORT)
        return {
            "resourceType": "AuditEvent",
            "id": line.id.hex,
            "meta": {"profile": [profile_of(line)]},
            "type": _EXPORT if line.kind is AuditKind.EXPORT else _REST,
            "subtype": [subtype],
            "action": action,
            "recorded": line.recorded_at.isoformat(),
            "outcome": "0" if line.outcome is AuditOutcome.SUCCESS else "4",
            "outcomeDesc": line.outcome.value,
            "purposeOfEvent": [{"coding": [{"system": _PURPOSE, "code": line.purpose.value}]}],
            "agent": [
                {"type": {"coding": [_SOURCE if is_out else _DESTINATION]}, "who": _SELF, "requestor": False},
                {
                    "type": {"coding": [_DESTINATION if is_out else _SOURCE]},
                    "who": _who(line),
                    "requestor": True,
                    "purposeOfUse": [{"coding": [{"system": _PURPOSE, "code": line.purpose.value}]}],
                },
            ],
            "source": {"site": "warm-handoff", "observer": _SELF},
            "entity": _entities(line),
        }

    def bundle(self, lines: Sequence[AuditLine | Disclosed], *, self_url: str, next_url: str | None) -> dict[str, Any]:
        """Write a page of search results."""
        links = [{"relation": "self", "url": self_url}] + ([{"relation": "next", "url": next_url}] if next_url else [])
        entries = [{"resource": self.event(line), "search": {"mode": "match"}} for line in lines]
        return {"resourceType": "Bundle", "type": "searchset", "link": links} | ({"entry": entries} if entries else {})


def _disclosure(told: Disclosed) -> dict[str, Any]:
    """Write that a recipient was told: we sent it, the recipient asked for nothing."""
    name, action, subtype = _PATTERNS[AuditKind.EXPORT]
    purpose = [{"coding": [{"system": _PURPOSE, "code": told.purpose.value}]}]
    return {
        "resourceType": "AuditEvent",
        "id": told.id.hex,
        "meta": {"profile": [f"{BALP}/StructureDefinition/IHE.BasicAudit.{name}"]},
        "type": _EXPORT,
        "subtype": [subtype],
        "action": action,
        "recorded": told.recorded_at.isoformat(),
        "outcome": "0",
        "outcomeDesc": AuditOutcome.SUCCESS.value,
        "purposeOfEvent": purpose,
        "agent": [
            {"type": {"coding": [_SOURCE]}, "who": _SELF, "requestor": True},
            {
                "type": {"coding": [_DESTINATION]},
                "who": {"reference": f"Organization/{told.recipient_id.hex}"},
                "requestor": False,
                "purposeOfUse": purpose,
            },
        ],
        "source": {"site": "warm-handoff", "observer": _SELF},
        "entity": [_patient(told.person_id), _target(public_id(Kind.NOTIFICATION, told.notification_id)) | {"description": told.channel}],
    }


def _who(line: AuditLine) -> dict[str, Any]:
    if line.organization_id is None:
        return {"display": "operator"}
    key = {"identifier": {"value": public_id(Kind.KEY, line.key_id)}} if line.key_id is not None else {}
    return {"reference": f"Organization/{line.organization_id.hex}", **key}


def _patient(person: UUID) -> dict[str, Any]:
    return {
        "what": {"reference": f"Patient/{person.hex}"},
        "type": {"system": _ENTITY, "code": "1", "display": "Person"},
        "role": {"system": _ROLE, "code": "1", "display": "Patient"},
    }


def _target(name: str) -> dict[str, Any]:
    return {
        "what": {"identifier": {"value": name}},
        "type": {"system": _ENTITY, "code": "2", "display": "System Object"},
        "role": {"system": _ROLE, "code": "4", "display": "Domain Resource"},
    }


def _entities(line: AuditLine) -> list[dict[str, Any]]:
    entities: list[dict[str, Any]] = [
        {
            "what": {"identifier": {"value": line.trace_id}},
            "type": {"system": f"{BALP}/CodeSystem/BasicAuditEntityType", "code": "XrequestId"},
        }
    ]
    entities += [_patient(person) for person in line.people]
    entities += [_target(target) for target in line.targets or (line.action,)]
    if line.kind is AuditKind.QUERY:
        asked = (line.query_hash or b"").hex() or line.action
        entities.append(
            {
                "type": {"system": _ENTITY, "code": "2", "display": "System Object"},
                "role": {"system": _ROLE, "code": "24", "display": "Query"},
                "description": f"{line.action}; the query is the keyed hash of what was asked",
                "query": b64encode(asked.encode()).decode(),
            }
        )
    return entities

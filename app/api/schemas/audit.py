"""Lines of the audit, as they are shown."""

from typing import Annotated, Any

from pydantic import Field

from app.api.schemas.common import Document, Instant, KeyIdText, Listing, OrganizationIdText, PersonIdText
from app.domain.audit import AuditDoor, AuditKind, AuditLine, AuditOutcome, Purpose
from app.domain.public_id import Kind, public_id, public_id_or_none


class AuditLineDocument(Document):
    """One line: who did what, when, for what purpose, and about whom."""

    id: str
    recorded_at: Instant
    kind: AuditKind
    action: Annotated[str, Field(description="The operation's name in this contract, or the command's words", examples=["show_stay"])]
    door: AuditDoor
    organization_id: Annotated[OrganizationIdText | None, Field(description="Whose key; null: the operator")]
    whose_id: Annotated[OrganizationIdText | None, Field(description="As whom the rows were read, by a grant")]
    key_id: KeyIdText | None
    purpose: Annotated[Purpose, Field(description="HL7 v3-PurposeOfUse")]
    person_ids: Annotated[list[PersonIdText], Field(description="Everybody who was shown")]
    targets: Annotated[list[str], Field(description="Ids of what was read or changed")]
    query_hash: Annotated[str | None, Field(description="Keyed hash of what was asked: the same question has the same one")]
    outcome: AuditOutcome
    trace_id: str


AuditPage = Listing[AuditLineDocument]


def line_json(line: AuditLine) -> dict[str, Any]:
    """Show a line."""
    return {
        "id": public_id(Kind.AUDIT_LINE, line.id),
        "recorded_at": line.recorded_at,
        "kind": line.kind,
        "action": line.action,
        "door": line.door,
        "organization_id": public_id_or_none(Kind.ORGANIZATION, line.organization_id),
        "whose_id": public_id_or_none(Kind.ORGANIZATION, line.whose_id),
        "key_id": public_id_or_none(Kind.KEY, line.key_id),
        "purpose": line.purpose,
        "person_ids": [public_id(Kind.PERSON, one) for one in line.people],
        "targets": list(line.targets),
        "query_hash": line.query_hash.hex() if line.query_hash is not None else None,
        "outcome": line.outcome,
        "trace_id": line.trace_id,
    }

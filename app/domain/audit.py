"""Audit: who read, asked, exported or changed what, when, for what purpose and with what outcome (45 CFR 164.312(b), IHE BALP).

A line names people by our ids and a question by a keyed hash of it: it can be shown that the same was asked again, and what it was
cannot be read off. What a recipient was told and sent is not written twice: the ledger of decisions and the attempts are lines of the
same chain (`audit_chain`). Not here: when a line is written (store/audit), how it is linked.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from app.domain.organization import OrganizationKind


class AuditKind(StrEnum):
    """What was done."""

    READ = "read"
    """Named things were shown: one stay, one document, one page of the caller's own outbox."""
    QUERY = "query"
    """Something was searched for or listed; finding nobody is an answer too."""
    EXPORT = "export"
    """A file left."""
    CHANGE = "change"
    """Rights, keys, identities or records were changed."""


class AuditOutcome(StrEnum):
    """How it ended."""

    SUCCESS = "success"
    REFUSED = "refused"
    """The caller may not, or there is nothing of that name for it."""


class AuditDoor(StrEnum):
    """Where it was asked."""

    HTTP = "http"
    COMMAND = "command"


class Purpose(StrEnum):
    """Why: codes of HL7 v3-PurposeOfUse."""

    TREATMENT = "TREAT"
    PAYMENT = "HPAYMT"
    OPERATIONS = "HOPERAT"


PURPOSES: Final = {
    OrganizationKind.HOSPITAL: Purpose.TREATMENT,
    OrganizationKind.HEALTH_HOME: Purpose.TREATMENT,
    OrganizationKind.BEHAVIORAL_HEALTH_HOME: Purpose.TREATMENT,
    OrganizationKind.PLAN: Purpose.PAYMENT,
    OrganizationKind.AGENCY: Purpose.OPERATIONS,
    OrganizationKind.HIE: Purpose.OPERATIONS,
}
"""What an organization of this kind asks for, as the rule of telling has it: homes treat, plans pay, agencies and the exchange operate."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line, as it was written."""

    id: UUID
    recorded_at: datetime
    kind: AuditKind
    action: str
    """The operation's name in the contract, or the command's words."""
    door: AuditDoor
    organization_id: UUID | None
    """Whose key; None: the operator."""
    whose_id: UUID | None
    """As whom the rows were read, where another granted its rows."""
    key_id: UUID | None
    purpose: Purpose
    people: tuple[UUID, ...]
    targets: tuple[str, ...]
    """Public ids of what was read or changed."""
    query_hash: bytes | None
    outcome: AuditOutcome
    trace_id: str


@dataclass(frozen=True, slots=True)
class Disclosed:
    """That a recipient was told and said so: an attempt that was answered. It is no line: it is read off the attempts."""

    id: UUID
    recorded_at: datetime
    notification_id: UUID
    person_id: UUID
    recipient_id: UUID
    purpose: Purpose
    channel: str

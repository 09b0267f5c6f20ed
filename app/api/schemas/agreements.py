"""Agreements as they are put on file and shown."""

from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from app.api.schemas.common import Day, Document, Instant, Listing, OrganizationId, OrganizationIdText, Request, ShortText
from app.domain.agreement import Agreement, AgreementKind, AgreementState
from app.domain.public_id import Kind, public_id


class NewAgreement(Request):
    """A paper to put on file."""

    organization_id: OrganizationId
    kind: AgreementKind
    scope: Annotated[ShortText, Field(description="What it is about, in its own words", examples=["Notices and follow-up status"])]
    effective_from: Day
    expires_on: Annotated[date | None, Field(description="The last day on which it holds; left out: until it is ended")] = None
    document_id: Annotated[ShortText | None, Field(description="Where the paper is", examples=["DSA-2026-014"])] = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.expires_on is not None and self.expires_on < self.effective_from:
            msg = "expires_on is before effective_from"
            raise ValueError(msg)
        return self

    def agreement(self, id_: UUID, now: datetime) -> Agreement:
        """Make it the domain's."""
        return Agreement(
            id_, self.organization_id, self.kind, self.scope, self.effective_from, self.expires_on, self.document_id, asserted_at=now
        )


class AgreementDocument(Document):
    """A paper on file."""

    id: Annotated[str, Field(pattern=f"^{Kind.AGREEMENT.value}_[0-9a-f]{{32}}$")]
    organization_id: OrganizationIdText
    kind: AgreementKind
    scope: str
    effective_from: Annotated[Day | None, Field(description="null: since the organization joined")]
    expires_on: Day | None
    document_id: str | None
    asserted_at: Instant
    ended_at: Instant | None
    state: Annotated[AgreementState, Field(description="expiring: its last day is at most 60 days away")]
    days_left: Annotated[int | None, Field(description="Days after today on which it holds; null: without end")]


AgreementPage = Listing[AgreementDocument]


def agreement_json(found: Agreement, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """Show one as it stands."""
    return {
        "id": public_id(Kind.AGREEMENT, found.id),
        "organization_id": public_id(Kind.ORGANIZATION, found.organization_id),
        "kind": found.kind,
        "scope": found.scope,
        "effective_from": found.effective_from,
        "expires_on": found.expires_on,
        "document_id": found.document_id,
        "asserted_at": found.asserted_at,
        "ended_at": found.ended_at,
        "state": found.state(zone, now),
        "days_left": found.days_left(zone, now),
    }

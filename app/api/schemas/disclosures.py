"""Disclosures and evidence, as they are shown and asked for."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from app.api.schemas.common import (
    Document,
    EncounterIdText,
    Instant,
    Listing,
    NotificationIdText,
    OrganizationIdText,
    PersonId,
    PersonIdText,
    Request,
)
from app.api.schemas.members import IDENTIFIER_LENGTH_MAX, read_identifier


class DisclosureSearch(Request):
    """Whose disclosures, in the body: an address is written to logs on the way."""

    person_id: PersonId | None = None
    identifier: Annotated[str | None, Field(max_length=IDENTIFIER_LENGTH_MAX, description="SYSTEM|VALUE", examples=["MAINECARE|MC1"])] = (
        None
    )
    after: Annotated[str | None, Field(max_length=512, description="The `next` of the page before")] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.person_id is None) == (self.identifier is None):
            msg = "give person_id or identifier"
            raise ValueError(msg)
        if self.identifier is not None and read_identifier(self.identifier) is None:
            msg = "identifier is not SYSTEM|VALUE"
            raise ValueError(msg)
        return self


class PartyDocument(Document):
    """An organization."""

    id: OrganizationIdText | None
    name: str | None
    kind: str | None = None


class DisclosureDocument(Document):
    """One disclosure: to whom, when, what, and which law lists it."""

    notification_id: NotificationIdText
    person_id: PersonIdText
    encounter_id: EncounterIdText
    source: PartyDocument
    recipient: PartyDocument
    disclosed_at: Annotated[Instant, Field(description="From then on the recipient could read it")]
    sent_at: Annotated[Instant | None, Field(description="When a webhook with it arrived first")]
    acknowledged_at: Instant | None
    what: Annotated[str, Field(examples=["encounter.discharged"])]
    tier: Annotated[str, Field(description="full, minimal or id_only: how much was told")]
    version: int
    purpose: str
    basis: list[str]
    is_part2: Annotated[bool, Field(description="The source is a Part 2 program")]
    in_42_cfr_2_24: Annotated[bool, Field(description="On the intermediary's list of three years")]
    in_45_cfr_164_528: Annotated[bool, Field(description="In the accounting of six years")]
    why_not_164_528: str | None


DisclosurePage = Listing[DisclosureDocument]


class EvidenceRecipient(Document):
    """Who was told. The hospital is shown names only of those whom its own message named."""

    organization_id: OrganizationIdText | None
    name: str | None
    channel: Annotated[str, Field(description="webhook; outbox: fetched by the recipient", examples=["webhook"])]
    told_at: Instant
    sent_at: Instant | None
    attempts: int
    acknowledged_at: Instant | None


class WithheldDocument(Document):
    """Who was not told, and why; for the operator."""

    organization_id: OrganizationIdText | None
    name: str | None
    decision: str
    reasons: list[str]
    decided_at: Instant


class EvidenceDocument(Document):
    """One event of the hospital."""

    encounter_id: EncounterIdText
    visit_number: str
    class_: Annotated[str, Field(alias="class", examples=["inpatient"])]
    event: Annotated[str, Field(examples=["discharged"])]
    occurred_at: Instant
    known_at: Annotated[Instant, Field(description="When the exchange first heard of the stay")]
    recipients: list[EvidenceRecipient]
    why_not: Annotated[str | None, Field(description="Why nobody was told")]
    withheld: list[WithheldDocument] | None


EvidencePage = Listing[EvidenceDocument]

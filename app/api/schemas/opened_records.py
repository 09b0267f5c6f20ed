"""What the owner of records is told of an emergency or a broken glass that opened them."""

from typing import Annotated

from pydantic import Field

from app.api.schemas.common import ConsentIdText, Document, EncounterIdText, Instant, OrganizationIdText


class OrganizationNamed(Document):
    """An organization by id and name."""

    id: OrganizationIdText
    name: str | None


class OpenedDocument(Document):
    """An emergency or a broken glass that lets somebody read records of the recipient. Why is read with the consent, by who may read it."""

    consent_id: ConsentIdText
    kind: Annotated[str, Field(description="emergency or break_glass", examples=["emergency"])]
    by: Annotated[OrganizationNamed | None, Field(description="Who recorded it; null: the operator of the exchange")]
    recipients: Annotated[list[OrganizationNamed], Field(description="Who may read by it")]
    opened_at: Instant
    ends_at: Instant | None
    encounters: Annotated[list[EncounterIdText], Field(description="The recipient's stays that show by it, the newest first")]

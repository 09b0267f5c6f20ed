"""Stays that are held for review, and what is decided of one, as they are sent and shown."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app.api.schemas.common import Document, EncounterIdText, Instant, Listing, LongText, OrganizationIdText, Request
from app.domain.organization import Part2Status
from app.domain.privacy import Tier


class HeldStayDocument(Document):
    """A stay of which somebody is not told until a person has looked."""

    encounter_id: EncounterIdText
    facility_id: OrganizationIdText | None
    facility: str | None
    held_since: Instant
    minutes_held: int
    recipients: Annotated[int, Field(description="Organizations that wait for it without knowing")]
    reasons: list[str]


HeldStayPage = Listing[HeldStayDocument]


class HoldRelease(Request):
    """What whoever looked says of the place of this one stay."""

    part2_status: Annotated[
        Literal[Part2Status.NOT_PROGRAM, Part2Status.PROGRAM],
        Field(description="not_program: the records are no Part 2 program's; program: they are, and a consent is needed"),
    ]
    reason: Annotated[LongText, StringConstraints(min_length=1), Field(description="What it rests on", examples=["Called the unit."])]


class RedecidedDocument(Document):
    """What becomes of one recipient for whom it was held."""

    organization_id: OrganizationIdText
    organization: str
    tier: Annotated[Tier, Field(description="As decided now; the law may still say no")]
    reasons: list[str]


class ReleasedDocument(Document):
    """The stay as it was decided."""

    encounter_id: EncounterIdText
    part2_status: Part2Status
    held_since: Instant
    minutes_held: int
    recipients: list[RedecidedDocument]

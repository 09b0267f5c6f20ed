"""How panels stand, and who is claimed twice, as they are shown."""

from typing import Annotated

from pydantic import Field, model_validator

from app.api.schemas.common import (
    AttributionIdText,
    Day,
    Document,
    Instant,
    Listing,
    OrganizationIdText,
    PersonIdText,
    Request,
    UploadIdText,
)
from app.domain.panel_standing import DAYS_MAX, PanelState

Days = Annotated[int, Field(ge=1, le=DAYS_MAX, examples=[90])]


class PanelFiguresDocument(Document):
    """How good a panel is, in people with a claim in force today."""

    members: int
    claims: int
    without_phone: Annotated[int, Field(description="Whose rows name no phone")]
    possible_duplicates: Annotated[int, Field(description="Claimed for one program and role under more than one number")]
    never_matched: Annotated[int, Field(description="Of whom no hospital has told a stay that the owner may know of")]
    never_matched_share: Annotated[float | None, Field(examples=[0.62])]
    counted_at: Instant


class LastUploadDocument(Document):
    """The last upload of which anything was taken."""

    id: UploadIdText
    mode: str
    rows: int
    rejected: int


class PanelDocument(Document):
    """How a panel stands."""

    organization_id: OrganizationIdText
    organization: str
    state: Annotated[PanelState, Field(description="By its age. An expired panel is still told of; each notification says so.")]
    age_days: int
    warn_after_days: int
    expire_after_days: int
    expires_at: Instant
    last_loaded_at: Annotated[Instant, Field(description="When its owner last said anything about it that was taken")]
    last_replaced_at: Annotated[Instant | None, Field(description="When the last whole panel came")]
    last_upload: LastUploadDocument
    figures: Annotated[PanelFiguresDocument | None, Field(description="Counted within minutes of an upload, and daily; null: not yet")]


PanelPage = Listing[PanelDocument]


class PanelLimits(Request):
    """After how many days without a word of its owner a panel is ageing, and expired. What is left out stays."""

    warn_after_days: Days | None = None
    expire_after_days: Days | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "PanelLimits":
        if self.warn_after_days is not None and self.expire_after_days is not None and self.warn_after_days > self.expire_after_days:
            msg = "warn_after_days is not after expire_after_days"
            raise ValueError(msg)
        return self


class ConflictingClaimDocument(Document):
    """One claim of a conflict."""

    id: AttributionIdText
    organization_id: OrganizationIdText
    program: str
    effective_from: Day
    effective_to: Annotated[Day | None, Field(description="exclusive; null: open")]
    asserted_at: Annotated[Instant, Field(description="When we learned it")]


class PanelConflictDocument(Document):
    """A person whom more than one organization claims in one role."""

    person_id: PersonIdText
    role: Annotated[str, Field(examples=["behavioral_health_home"])]
    since: Annotated[Day, Field(description="The first day on which more than one of the claims holds")]
    found_at: Instant
    claims: Annotated[list[ConflictingClaimDocument], Field(description="The operator sees all; an organization only its own")]


PanelConflictPage = Listing[PanelConflictDocument]

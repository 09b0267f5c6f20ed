"""Answers of recipients, the reviews that they open, offers of follow-ups, and the quality of a panel: as sent and as shown."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from app.api.schemas.common import (
    Day,
    Document,
    EncounterIdText,
    FollowUpIdText,
    Instant,
    Listing,
    LongText,
    NotificationIdText,
    OrganizationId,
    OrganizationIdText,
    PersonIdText,
    Request,
    ShortText,
    example_id,
)
from app.domain.answer import AnswerKind, ReviewKind, ReviewState
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.store.reviews import PanelQuality, ReviewRow
from app.store.transfers import ShownTransfer

_DATED = (AnswerKind.LEFT_PROGRAM_ON, AnswerKind.DECEASED)


class AnswerRequest(Request):
    """What is wrong with having been told."""

    answer: Annotated[AnswerKind, Field(examples=["not_ours"])]
    on: Annotated[date | None, Field(description="For left_program_on: the first day outside; for deceased: the day of death")] = None
    note: Annotated[LongText | None, Field(description="For whoever reviews it")] = None
    author: Annotated[ShortText | None, Field(description="The person who says so", examples=["C. Sample"])] = None

    @model_validator(mode="after")
    def _is_dated(self) -> Self:
        if self.answer is AnswerKind.LEFT_PROGRAM_ON and self.on is None:
            msg = "left_program_on needs on: the first day on which the person was not in the program any more"
            raise ValueError(msg)
        if self.on is not None and self.answer not in _DATED:
            msg = "on belongs to left_program_on and deceased"
            raise ValueError(msg)
        return self


class SaidAnswer(Document):
    """An answer as it was given."""

    answer: AnswerKind
    on: Day | None
    note: str | None
    notification_id: NotificationIdText | None
    follow_up_id: FollowUpIdText | None


class ReviewDocument(Document):
    """Something a person has to look at. Clocks that wait for it are suspended; the discharge and the measures are not."""

    id: Annotated[str, Field(pattern="^rev_[0-9a-f]{32}$", examples=[example_id(Kind.REVIEW)])]
    kind: ReviewKind
    state: ReviewState
    opened_at: Instant
    person_id: PersonIdText
    encounter_id: EncounterIdText | None
    organization_id: Annotated[OrganizationIdText | None, Field(description="The owner of the panel; null: for the operator alone")]
    answer: SaidAnswer | None
    program: Annotated[str | None, Field(description="Of an attribution_conflict")]
    homes: Annotated[list[OrganizationIdText], Field(description="Of an attribution_conflict: who claims it, the lead first")]
    resolved_at: Instant | None
    resolution: str | None


ReviewPage = Listing[ReviewDocument]


class ResolveRequest(Request):
    """What was found."""

    decision: Annotated[Literal[ReviewState.UPHELD, ReviewState.DISMISSED], Field(examples=["upheld"])]
    note: ShortText | None = None
    author: ShortText | None = None


class TransferRequest(Request):
    """To which home; it must claim the person by now."""

    to: Annotated[OrganizationId, Field(examples=[example_id(Kind.ORGANIZATION)])]
    author: ShortText | None = None


class DecideTransferRequest(Request):
    """Who decides, and why."""

    reason: ShortText | None = None
    author: ShortText | None = None


class TransferDocument(Document):
    """An offer of a follow-up to another home. Until it is accepted the old home stays responsible."""

    follow_up_id: FollowUpIdText
    person_id: PersonIdText | None
    from_: Annotated[OrganizationIdText, Field(alias="from")]
    to: OrganizationIdText
    source: Annotated[str, Field(description="home: offered by the old home; roster: the panels say so")]
    state: Annotated[str, Field(description="offered, accepted, declined or withdrawn")]
    offered_at: Instant
    accept_at: Annotated[Instant | None, Field(description="When it is accepted by itself")]
    decided_at: Instant | None
    reason: str | None
    discharged_on: Day | None
    next_due_at: Annotated[Instant | None, Field(description="As it was: a transfer changes no due time")]


TransferPage = Listing[TransferDocument]


class PanelQualityDocument(Document):
    """How often what the owner of a panel was told turned out not to be theirs."""

    organization_id: OrganizationIdText
    since: Instant
    until: Instant
    stays_told: int
    answers: Annotated[dict[AnswerKind, dict[ReviewState, int]], Field(description="Stays by answer and by what the review found")]
    disputed_share: Annotated[float | None, Field(description="Answered stays that were not dismissed, of those told; null: none told")]


def review_json(one: ReviewRow) -> dict[str, Any]:
    """Show a review."""
    subject = one.subject
    lead = subject.get("lead")
    homes = sorted(subject.get("homes", ()), key=lambda home: (home != lead, home))
    return {
        "id": public_id(Kind.REVIEW, one.id),
        "kind": one.kind,
        "state": one.state,
        "opened_at": one.opened_at,
        "person_id": public_id(Kind.PERSON, one.person_id),
        "encounter_id": public_id_or_none(Kind.ENCOUNTER, one.encounter_id),
        "organization_id": public_id_or_none(Kind.ORGANIZATION, one.organization_id),
        "answer": None
        if one.answer is None
        else {
            "answer": one.answer,
            "on": one.said_on,
            "note": one.note,
            "notification_id": public_id_or_none(Kind.NOTIFICATION, one.notification_id),
            "follow_up_id": public_id_or_none(Kind.FOLLOW_UP, one.follow_up_id),
        },
        "program": subject.get("program"),
        "homes": [f"{Kind.ORGANIZATION.value}_{home.replace('-', '')}" for home in homes],
        "resolved_at": one.resolved_at,
        "resolution": one.resolution,
    }


def transfer_json(one: ShownTransfer) -> dict[str, Any]:
    """Show an offer."""
    transfer = one.transfer
    return {
        "follow_up_id": public_id(Kind.FOLLOW_UP, transfer.follow_up_id),
        "person_id": public_id_or_none(Kind.PERSON, one.person_id),
        "from": public_id(Kind.ORGANIZATION, transfer.from_id),
        "to": public_id(Kind.ORGANIZATION, transfer.to_id),
        "source": transfer.source,
        "state": transfer.state,
        "offered_at": transfer.offered_at,
        "accept_at": transfer.accept_at if transfer.state == "offered" else None,
        "decided_at": transfer.decided_at,
        "reason": transfer.reason,
        "discharged_on": one.discharged_on,
        "next_due_at": one.next_due_at,
    }


def quality_json(organization: OrganizationId, found: PanelQuality, since: datetime, until: datetime) -> dict[str, Any]:
    """Show how good a panel is."""
    return {
        "organization_id": public_id(Kind.ORGANIZATION, organization),
        "since": since,
        "until": until,
        "stays_told": found.stays_told,
        "answers": found.answers,
        "disputed_share": round(found.stays_disputed / found.stays_told, 4) if found.stays_told else None,
    }

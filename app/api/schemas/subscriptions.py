"""Subscriptions and their deliveries as they are asked for and shown."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from app.api.schemas.common import (
    Document,
    Instant,
    InstantIn,
    Listing,
    NotificationIdText,
    OrganizationId,
    OrganizationIdText,
    Request,
    SubscriptionIdText,
)
from app.domain.delivery import AttemptResult, DeliveryState, OrderMode
from app.domain.endpoint import BreakerPhase
from app.domain.happening import NotificationType
from app.domain.public_id import Kind, public_id
from app.domain.subscription import Channel, Subscription, SubscriptionStatus, in_force
from app.store.deliveries import RedriveRange
from app.store.delivery_reads import Delivery

_SEQUENCE_MAX = 2**63 - 1
Url = Annotated[str, StringConstraints(min_length=8, max_length=2000), Field(examples=["https://receiver.example.org/handoff"])]
Description = Annotated[str, StringConstraints(max_length=500)]
EventTypes = Annotated[
    tuple[NotificationType, ...],
    Field(max_length=len(NotificationType), description="Empty: every type. Corrections and retractions follow what they correct."),
]
Sequence = Annotated[int, Field(ge=0, le=_SEQUENCE_MAX)]


class NewSubscription(Request):
    """A receiver of notifications."""

    organization_id: Annotated[OrganizationId | None, Field(description="Whose notifications; the key's own when left out.")] = None
    channel: Channel = Channel.WEBHOOK
    url: Url
    description: Description = ""
    event_types: EventTypes = ()
    order_mode: Annotated[
        OrderMode, Field(description="ordered per person; latest: newer versions replace unsent older ones; unordered")
    ] = OrderMode.ORDERED
    start_after: Annotated[Sequence | None, Field(description="Begin after this sequence; 0: from the first; left out: from now on.")] = (
        None
    )


class SubscriptionChange(Request):
    """Fields to change; those left out stay."""

    url: Url | None = None
    description: Description | None = None
    event_types: EventTypes | None = None
    order_mode: OrderMode | None = None


class PauseRequest(Request):
    """Why it is paused, for people."""

    reason: Annotated[str | None, StringConstraints(max_length=200)] = None


class RedriveRequest(Request):
    """What to send again: by sequence, by when it was made, or both. Open ends are open."""

    sequence_from: Sequence | None = None
    sequence_to: Sequence | None = None
    created_from: InstantIn | None = None
    created_to: InstantIn | None = None
    failed_only: Annotated[bool, Field(description="Only what was given up.")] = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.sequence_from is not None and self.sequence_to is not None and self.sequence_to < self.sequence_from:
            msg = "sequence_to is before sequence_from"
            raise ValueError(msg)
        if self.created_from is not None and self.created_to is not None and self.created_to < self.created_from:
            msg = "created_to is before created_from"
            raise ValueError(msg)
        return self

    def range(self) -> RedriveRange:
        """Give the range."""
        return RedriveRange(self.sequence_from, self.sequence_to, self.created_from, self.created_to, self.failed_only)


class HealthDocument(Document):
    """How the endpoint does."""

    breaker: Annotated[BreakerPhase, Field(description="closed: attempts are made; open: they wait; half_open: one probe is under way")]
    retry_at: Instant | None
    held_until: Annotated[Instant | None, Field(description="As its Retry-After asked")]
    failing_since: Instant | None
    disabled: Annotated[str | None, Field(description="gone or no_success")]


class SubscriptionDocument(Document):
    """A subscription."""

    id: SubscriptionIdText
    organization_id: OrganizationIdText
    channel: Channel
    url: str
    description: str
    event_types: list[str]
    order_mode: OrderMode
    status: Annotated[
        SubscriptionStatus, Field(description="disabled: it answered 410, or nothing for five days; resume goes on where it stopped")
    ]
    status_reason: str | None
    health: HealthDocument
    secrets_in_force: Annotated[int, Field(description="More than one while a rotation overlaps")]
    caught_up_to: Annotated[int, Field(description="Notifications up to this sequence are queued for it, or were not asked for")]
    created_at: Instant
    last_success_at: Instant | None


class SecretSubscriptionDocument(SubscriptionDocument):
    """A subscription with its new secret, shown this once."""

    secret: Annotated[
        str, Field(description="Standard Webhooks secret; verify every webhook with it.", pattern="^whsec_", examples=["whsec_…"])
    ]


SubscriptionPage = Listing[SubscriptionDocument]


class AttemptDocument(Document):
    """One attempt."""

    number: int
    started_at: Instant
    duration_ms: int
    outcome: str
    status_code: int | None
    error: str | None
    response_excerpt: Annotated[str | None, Field(description="The beginning of what the receiver answered")]


class DeliveryDocument(Document):
    """One delivery with its attempts."""

    sequence: int
    notification_id: NotificationIdText
    type: str
    created_at: Instant
    state: DeliveryState
    attempt_count: int
    next_attempt_at: Instant | None
    finished_at: Instant | None
    attempts: list[AttemptDocument]


class DeliveryPage(Document):
    """A page of deliveries, in sequence order."""

    items: list[DeliveryDocument]
    next: Annotated[str | None, Field(description="Pass it back as `after`; null on the last page.", examples=["117"])]


class TestDocument(Document):
    """What came of a test webhook."""

    outcome: Annotated[str, Field(examples=["delivered"])]
    status_code: int | None
    error: str | None
    duration_ms: int
    response_excerpt: str | None


class RedriveDocument(Document):
    """How many deliveries were queued again."""

    queued: int
    is_complete: Annotated[bool, Field(description="false: the range holds more; ask again for the rest")]


def subscription_json(found: Subscription, now: datetime) -> dict[str, Any]:
    """Show a subscription, without its secrets."""
    health = found.health
    return {
        "id": public_id(Kind.SUBSCRIPTION, found.id),
        "organization_id": public_id(Kind.ORGANIZATION, found.organization_id),
        "channel": found.channel.value,
        "url": found.url,
        "description": found.description,
        "event_types": list(found.event_types),
        "order_mode": found.order_mode.value,
        "status": found.status.value,
        "status_reason": found.status_reason,
        "health": {
            "breaker": health.phase.value,
            "retry_at": health.retry_at,
            "held_until": health.held_until,
            "failing_since": health.failing_since,
            "disabled": None if health.disabled is None else health.disabled.value,
        },
        "secrets_in_force": len(in_force(found.secrets, now)),
        "caught_up_to": found.fanned_out_sequence,
        "created_at": found.created_at,
        "last_success_at": found.last_success_at,
    }


def delivery_json(found: Delivery) -> dict[str, Any]:
    """Show a delivery."""
    return {
        "sequence": found.sequence,
        "notification_id": public_id(Kind.NOTIFICATION, found.notification_id),
        "type": found.type,
        "created_at": found.created_at,
        "state": found.state.value,
        "attempt_count": found.attempt_count,
        "next_attempt_at": found.next_attempt_at,
        "finished_at": found.finished_at,
        "attempts": [
            {
                "number": attempt.number,
                "started_at": attempt.started_at,
                "duration_ms": attempt.duration_ms,
                "outcome": attempt.outcome,
                "status_code": attempt.status_code,
                "error": attempt.error,
                "response_excerpt": attempt.response_excerpt,
            }
            for attempt in found.attempts
        ],
    }


def test_json(result: AttemptResult) -> dict[str, Any]:
    """Show what came of a test."""
    return {
        "outcome": result.outcome.value,
        "status_code": result.status_code,
        "error": None if result.fault is None else result.fault.value,
        "duration_ms": round(result.duration_s * 1000),
        "response_excerpt": result.body_excerpt or None,
    }

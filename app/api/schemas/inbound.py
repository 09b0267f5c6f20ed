"""What came in, as it is shown."""

from typing import Annotated, Any

from pydantic import Field

from app.api.schemas.common import (
    Document,
    EncounterIdText,
    FeedIdText,
    FollowUpIdText,
    Instant,
    Listing,
    MessageIdText,
    NotificationIdText,
    OrganizationIdText,
    PersonIdText,
    SubscriptionIdText,
)
from app.api.schemas.hl7v2 import ProblemOfMessage, problem_json
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.store.inbound_reads import InboundMessage, Trace


class InboundDocument(Document):
    """A message without its bytes, and what became of it."""

    id: MessageIdText
    feed_id: Annotated[FeedIdText | None, Field(description="null: no feed claims its sender")]
    organization_id: OrganizationIdText | None
    door: Annotated[str, Field(description="mllp, http, file or fhir")]
    received_at: Instant
    control_id: Annotated[str, Field(description="MSH-10, or Bundle.id")]
    control_id_reused: Annotated[bool, Field(description="Whether another message of its feed has the same and other content")]
    trigger: Annotated[str, Field(description="MSH-9.2, or the code of MessageHeader.eventCoding", examples=["A03"])]
    ack_code: Annotated[str, Field(description="What the sender was told", examples=["AA"])]
    problems: Annotated[list[ProblemOfMessage], Field(description="What the sender was told is wrong")]
    outcome: Annotated[str, Field(description="waiting, processed, ignored, set_aside or rejected")]
    outcome_problems: Annotated[list[ProblemOfMessage], Field(description="What was found when it was worked on")]
    person_id: PersonIdText | None
    encounter_id: EncounterIdText | None
    decided_at: Instant | None


class InboundMessageDocument(InboundDocument):
    """A message with its text."""

    body: Annotated[str, Field(description="The message as received; octets that are no UTF-8 are shown as Windows-1252")]


InboundPage = Listing[InboundDocument]


class TracedEvent(Document):
    """What the message was understood as."""

    encounter_id: EncounterIdText | None
    person_id: PersonIdText | None
    trigger: str | None
    occurred_at: Instant | None
    mode: Annotated[
        str | None,
        Field(description="Of the stay: live; shadow, backfill or test, of which nobody is told", examples=["live"]),
    ]


class TracedDecision(Document):
    """A line of the ledger that this message caused: told or not told, and why."""

    recipient_id: OrganizationIdText
    recipient_name: str
    kind: str
    decision: str
    reasons: list[str]
    notification_id: NotificationIdText | None
    decided_at: Instant


class TracedAttempt(Document):
    """One attempt to deliver."""

    number: int
    started_at: Instant
    duration_ms: int
    outcome: str
    status_code: int | None
    error: str | None


class TracedDelivery(Document):
    """The delivery to one subscription."""

    subscription_id: SubscriptionIdText
    state: str
    attempts: list[TracedAttempt]


class TracedNotification(Document):
    """A notification that this message caused."""

    id: NotificationIdText
    recipient_id: OrganizationIdText
    sequence: int
    type: str
    version: int
    tier: str
    created_at: Instant
    acknowledged_at: Instant | None
    deliveries: list[TracedDelivery]


class TracedFollowUp(Document):
    """A follow-up of the stay."""

    id: FollowUpIdText
    home_id: OrganizationIdText | None
    state: str
    programs: list[str]
    updated_at: Instant


class TraceDocument(Document):
    """A message's whole way through the rooms, as far as the key may see."""

    message: InboundDocument
    event: TracedEvent | None
    decisions: list[TracedDecision]
    notifications: list[TracedNotification]
    follow_ups: list[TracedFollowUp]


class ReplayDocument(Document):
    """The message is on the queue again."""

    id: MessageIdText
    outcome: Annotated[str, Field(examples=["waiting"])]


def inbound_json(found: InboundMessage) -> dict[str, Any]:
    """Show a message without its bytes."""
    return {
        "id": public_id(Kind.MESSAGE, found.id),
        "feed_id": public_id_or_none(Kind.FEED, found.feed_id),
        "organization_id": public_id_or_none(Kind.ORGANIZATION, found.organization_id),
        "door": found.door,
        "received_at": found.received_at,
        "control_id": found.control_id,
        "control_id_reused": found.control_id_reused,
        "trigger": found.trigger,
        "ack_code": found.ack_code,
        "problems": [problem_json(problem) for problem in found.problems],
        "outcome": found.outcome,
        "outcome_problems": [problem_json(problem) for problem in found.outcome_problems],
        "person_id": public_id_or_none(Kind.PERSON, found.person_id),
        "encounter_id": public_id_or_none(Kind.ENCOUNTER, found.encounter_id),
        "decided_at": found.decided_at,
    }


def shown_text(body: bytes) -> str:
    """Give the message as text. Nothing is lost that can be shown: the verbatim octets are what is stored."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("windows-1252", "replace")


def trace_json(message: InboundMessage, trace: Trace) -> dict[str, Any]:
    """Show a trace: attempts under their delivery, deliveries under their notification."""
    deliveries: dict[Any, dict[Any, dict[str, Any]]] = {}
    for row in trace.attempts:
        of_notification = deliveries.setdefault(row["notification_id"], {})
        delivery = of_notification.setdefault(
            row["subscription_id"],
            {"subscription_id": public_id(Kind.SUBSCRIPTION, row["subscription_id"]), "state": row["state"], "attempts": []},
        )
        if row["number"] is not None:
            delivery["attempts"].append(
                {name: row[name] for name in ("number", "started_at", "duration_ms", "outcome", "status_code", "error")}
            )
    event = trace.event
    return {
        "message": inbound_json(message),
        "event": None
        if event is None
        else {
            **event,
            "encounter_id": public_id_or_none(Kind.ENCOUNTER, event["encounter_id"]),
            "person_id": public_id_or_none(Kind.PERSON, event["person_id"]),
        },
        "decisions": [
            {
                **row,
                "recipient_id": public_id(Kind.ORGANIZATION, row["recipient_id"]),
                "notification_id": public_id_or_none(Kind.NOTIFICATION, row["notification_id"]),
            }
            for row in trace.decisions
        ],
        "notifications": [
            {
                **row,
                "id": public_id(Kind.NOTIFICATION, row["id"]),
                "recipient_id": public_id(Kind.ORGANIZATION, row["recipient_id"]),
                "deliveries": list(deliveries.get(row["id"], {}).values()),
            }
            for row in trace.notifications
        ],
        "follow_ups": [
            {
                **row,
                "id": public_id(Kind.FOLLOW_UP, row["id"]),
                "home_id": public_id_or_none(Kind.ORGANIZATION, row["home_id"]),
            }
            for row in trace.follow_ups
        ],
    }

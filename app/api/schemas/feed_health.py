"""How feeds are doing, as it is shown. Figures only: nothing of a patient."""

from typing import Annotated, Any

from pydantic import Field

from app.api.schemas.common import Document, FeedIdText, Instant, Listing, OrganizationIdText
from app.domain.feed import FeedMode
from app.domain.feed_health import FeedHealth, rate
from app.domain.public_id import Kind, public_id

Rate = Annotated[float | None, Field(ge=0, le=1, description="A share; null of nothing", examples=[0.0125])]


class SilenceDocument(Document):
    """The feed has been silent for longer than its habit allows. It ends with the next message."""

    opened_at: Instant
    last_message_at: Instant
    missing: Annotated[float, Field(description="Messages that should have come when it opened")]


class FieldCountDocument(Document):
    """How often a field of the DirectTrust event notification profile was there, of the messages that were looked at."""

    place: Annotated[str, Field(examples=["PV1-36"])]
    meaning: str
    asked: Annotated[int, Field(description="Messages of the sample that should carry it")]
    valued: Annotated[int, Field(description="Of these, those that do")]
    rate: Rate


class FeedHealthDocument(Document):
    """How a feed is doing."""

    feed_id: FeedIdText
    organization_id: OrganizationIdText
    sending_application: str
    sending_facility: str
    mode: FeedMode
    since: Annotated[Instant, Field(description="What is counted begins here, with a whole hour")]
    counted_to: Annotated[Instant | None, Field(description="Messages received before are counted")]
    last_message_at: Instant | None
    silence: Annotated[SilenceDocument | None, Field(description="null: the feed is heard, or too little is known of its habit")]
    silences: Annotated[int, Field(description="Silences that opened since, or are open")]
    messages: Annotated[int, Field(description="Received; the same message again is not another")]
    refused: Annotated[int, Field(description="Answered AE or AR")]
    set_aside: Annotated[int, Field(description="Accepted, and set aside when first worked on")]
    error_rate: Rate
    control_ids_reused: Annotated[int, Field(description="Messages whose MSH-10 another had used before")]
    events: int
    late: Annotated[int, Field(description="Events received more than an hour after they happened")]
    late_rate: Rate
    discharges: Annotated[int, Field(description="A03 that were judged, a day after they came")]
    discharges_without_admission: Annotated[int, Field(description="Of these, without A01, A04, A06 or A07")]
    stays_open: Annotated[int, Field(description="Stays that are open now")]
    stays_presumed_ended: Annotated[int, Field(description="Stays closed because nothing was heard of them for long")]
    completeness: Rate


class FeedHealthDetailDocument(FeedHealthDocument):
    """How one feed is doing, with its habit and its fields."""

    rhythm: Annotated[
        list[float] | None,
        Field(description="Messages expected in each hour of the week where the feed is, Monday from midnight first; null: not known yet"),
    ]
    fields: Annotated[list[FieldCountDocument], Field(description="The required fields of DirectTrust Event Notifications")]


FeedHealthPage = Listing[FeedHealthDocument]


def feed_health_json(health: FeedHealth) -> dict[str, Any]:
    """Show a feed's figures."""
    feed, counts, silence = health.feed, health.counts, health.silence
    return {
        "feed_id": public_id(Kind.FEED, feed.id),
        "organization_id": public_id(Kind.ORGANIZATION, feed.organization_id),
        "sending_application": feed.sending_application,
        "sending_facility": feed.sending_facility,
        "mode": feed.mode.value,
        "since": health.since,
        "counted_to": health.counted_to,
        "last_message_at": health.last_message_at,
        "silence": None
        if silence is None
        else {"opened_at": silence.opened_at, "last_message_at": silence.last_message_at, "missing": round(silence.missing, 1)},
        "silences": health.silences,
        "messages": counts.messages,
        "refused": counts.refused,
        "set_aside": counts.set_aside,
        "error_rate": health.error_rate,
        "control_ids_reused": counts.control_ids_reused,
        "events": counts.events,
        "late": counts.late,
        "late_rate": rate(counts.late, counts.events),
        "discharges": counts.discharges,
        "discharges_without_admission": counts.discharges_unopened,
        "stays_open": health.stays_open,
        "stays_presumed_ended": counts.presumed_ended,
        "completeness": health.completeness,
    }


def feed_health_detail_json(health: FeedHealth) -> dict[str, Any]:
    """Show one feed's figures with its habit and its fields."""
    return feed_health_json(health) | {
        "rhythm": None if health.rhythm is None else [round(hour, 2) for hour in health.rhythm],
        "fields": [
            {
                "place": field.place,
                "meaning": field.meaning,
                "asked": field.asked,
                "valued": field.valued,
                "rate": rate(field.valued, field.asked),
            }
            for field in health.fields
        ],
    }

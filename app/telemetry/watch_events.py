"""Log events of what is watched, each said once: late endpoints, silent feeds, ageing panels, agreements, queues, stays nobody ended.

Not here: what happens to processes, messages and requests (events.py), and who watches (app/pipeline/watches.py).
"""

from dataclasses import dataclass
from uuid import UUID

from app.telemetry.event import Event
from app.telemetry.fields import Code
from app.telemetry.words import Level


@dataclass(frozen=True, slots=True)
class EndpointBehind(Event):
    """An endpoint has been behind for a quarter of an hour; said once until it has caught up. Its owner sees it at the subscription."""

    name = "endpoint.behind"
    level = Level.WARNING
    subscription_id: UUID
    organization_id: UUID
    pending: int
    behind_for_s: int


@dataclass(frozen=True, slots=True)
class FeedSilent(Event):
    """A feed has been silent for longer than its rhythm allows; said once until it is heard again (`GET /v1/feeds/{id}/health`)."""

    name = "feed.silenced"
    level = Level.WARNING
    feed_id: UUID
    organization_id: UUID
    silent_for_s: int
    missing: int
    """Messages that should have come by now."""


@dataclass(frozen=True, slots=True)
class FeedHeard(Event):
    """A silent feed was heard again."""

    name = "feed.heard"
    feed_id: UUID
    organization_id: UUID
    silent_for_s: int


@dataclass(frozen=True, slots=True)
class PanelAged(Event):
    """A panel is ageing or has expired: its owner has not renewed it. Its members are still told of (`GET /v1/panels`)."""

    name = "panel.aged"
    level = Level.WARNING
    organization_id: UUID
    state: Code
    age_days: int


@dataclass(frozen=True, slots=True)
class PanelRenewed(Event):
    """A panel that was ageing or had expired was loaded again."""

    name = "panel.renewed"
    organization_id: UUID
    age_days: int


@dataclass(frozen=True, slots=True)
class AgreementExpires(Event):
    """An agreement has 60 days left, or 14; said once each (`GET /v1/agreements`)."""

    name = "agreement.expires"
    level = Level.WARNING
    agreement_id: UUID
    organization_id: UUID
    days_left: int


@dataclass(frozen=True, slots=True)
class QueueTurned(Event):
    """The oldest in a queue of people's work is ageing or overdue, or is so no more (`GET /v1/queues`)."""

    name = "queue.turned"
    level = Level.WARNING
    queue: Code
    alert: Code
    oldest_waits_s: int


@dataclass(frozen=True, slots=True)
class StaysPresumedEnded(Event):
    """Open stays of which nothing was heard for long were closed; a later message takes that back."""

    name = "stays.presumed_ended"
    stays: int

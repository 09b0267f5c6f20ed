"""A queue in which something waits for a person, as it is shown."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import Field

from app.api.schemas.common import Document, Instant, Listing
from app.domain.queue import QueueAlert, QueueDefinition, per_messages
from app.store.queues import QueueCount

PERIOD: Final = timedelta(days=30)
EMPTY: Final = QueueCount(0, None, 0, 0)


class QueueDocument(Document):
    """A queue: who owns it, how soon it is to be looked at, and how it is doing."""

    id: Annotated[str, Field(examples=["attribution"])]
    title: str
    owner: str
    service_hours: int
    weekend_cover: bool
    waiting: int
    oldest_at: Instant | None
    oldest_due_at: Annotated[Instant | None, Field(description="When the oldest is to have been looked at")]
    alert: QueueAlert
    opened_in_30_days: int
    per_10000_messages: Annotated[float | None, Field(description="Of the same 30 days; null: no messages were counted")]
    clocks_running: Annotated[
        int | None,
        Field(
            description=(
                "Follow-ups of the people who wait, whose clocks run meanwhile, and discharges that are followed up once somebody has "
                "decided: in a message, held from a home, or of one of two who may be one person. Their clocks run from the day of the "
                "discharge. null: see clocks_unknown"
            )
        ),
    ]
    clocks_unknown: Annotated[
        str | None,
        Field(
            description="Why clocks_running is null",
            examples=["2 of the messages cannot be read enough to tell a discharge; the others tell of 3."],
        ),
    ]


QueuePage = Listing[QueueDocument]


def queue_json(queue: QueueDefinition, count: QueueCount, messages: int, now: datetime) -> dict[str, Any]:
    """Show a queue. `messages`: how many were received in the period."""
    return {
        "id": queue.id,
        "title": queue.title,
        "owner": queue.owner,
        "service_hours": int(queue.service.total_seconds() // 3600),
        "weekend_cover": queue.weekend_cover,
        "waiting": count.waiting,
        "oldest_at": count.oldest_at,
        "oldest_due_at": queue.due_at(count.oldest_at) if count.oldest_at else None,
        "alert": queue.alert(count.oldest_at, now).value,
        "opened_in_30_days": count.opened,
        "per_10000_messages": per_messages(count.opened, messages),
        "clocks_running": None if count.unread else count.clocks_running,
        "clocks_unknown": _unknown(count),
    }


def _unknown(count: QueueCount) -> str | None:
    if not count.unread:
        return None
    return f"{count.unread} of the messages cannot be read enough to tell a discharge; the others tell of {count.clocks_running}."

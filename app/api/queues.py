"""`GET /v1/queues`: everything that waits for a person, because every queue is patients nobody was told of."""

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Response
from pydantic import Field

from app.api.answers import JsonResponse, ok
from app.api.auth import Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import listing
from app.api.schemas.common import Document, Instant, Listing
from app.domain.queue import QueueAlert, QueueDefinition, per_messages
from app.standards.queue_rules import queue_definitions
from app.store import queues
from app.store.engine import raw_connection
from app.store.queues import QueueCount

router = APIRouter(route_class=GuardedRoute, tags=["operations"])

_PERIOD: Final = timedelta(days=30)
_EMPTY: Final = QueueCount(0, None, 0, 0)


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
    clocks_running: Annotated[int, Field(description="Follow-ups of the people who wait, whose clocks run meanwhile")]


QueuePage = Listing[QueueDocument]


@router.get("/v1/queues", responses=ok(QueuePage, "Every queue"))
async def list_queues(viewer: Administrator, services: FromServices) -> Response:
    """List every queue in which something waits for a person; for the operator, others have none here."""
    now = services.clock.now()
    if not viewer.is_operator:
        return JsonResponse(listing([], None))
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        counted = await queues.counts(raw, now - _PERIOD)
        messages = await queues.messages_since(raw, now - _PERIOD)

    def shown(queue: QueueDefinition) -> dict[str, Any]:
        count = counted.get(queue.id, _EMPTY)
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
            "clocks_running": count.clocks_running,
        }

    return JsonResponse(listing([shown(queue) for queue in queue_definitions()], None))

"""`GET /v1/queues`: everything that waits for a person, because every queue is patients nobody was told of."""

from fastapi import APIRouter, Response

from app.api.answers import JsonResponse, ok
from app.api.auth import Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import listing
from app.api.schemas.queues import EMPTY, PERIOD, QueuePage, queue_json
from app.standards.queue_rules import queue_definitions
from app.store import queues
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute, tags=["operations"])


@router.get("/v1/queues", responses=ok(QueuePage, "Every queue"))
async def list_queues(viewer: Administrator, services: FromServices) -> Response:
    """List every queue in which something waits for a person; for the operator, others have none here."""
    now = services.clock.now()
    if not viewer.is_operator:
        return JsonResponse(listing([], None))
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        counted = await queues.counts(raw, now - PERIOD)
        messages = await queues.messages_since(raw, now - PERIOD)
    items = [queue_json(queue, counted.get(queue.id, EMPTY), messages, now) for queue in queue_definitions()]
    return JsonResponse(listing(items, None))

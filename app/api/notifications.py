"""`/v1/notifications`: the outbox by polling, by long-poll and as a stream; single notifications, why, and taking note."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.api.answers import JsonResponse, ok, plain, refused
from app.api.auth import Access, Authenticator, FromAuthenticator, FromServices
from app.api.candidates import candidates_of
from app.api.guard import GuardedRoute
from app.api.outbox import Outbox, open_outbox, opened_notification
from app.api.paging import LIMIT_DEFAULT, LIMIT_MAX, Limit, listing
from app.api.problems import ProblemType, invalid
from app.api.schemas.attribution import NotificationWhyDocument
from app.api.schemas.common import NotificationId, OrganizationId
from app.api.schemas.notifications import (
    AcknowledgementDocument,
    NotificationDocument,
    NotificationPage,
    acknowledgement_json,
    why_json,
)
from app.domain.happening import NotificationType
from app.domain.viewer import Scope, Viewer
from app.store.encounter_reads import find_encounter
from app.store.notification_reads import NO_REASONS, acknowledge, why_notified

router = APIRouter(route_class=GuardedRoute, tags=["notifications"])

SEQUENCE_MAX: Final = 2**63 - 1
KEEPALIVE_S: Final = 15.0
_RETRY_MS: Final = 2000

Reader = Annotated[Viewer, Depends(Access(Scope.NOTIFICATIONS_READ))]
WhoseOutbox = Annotated[
    OrganizationId | None, Query(description="Whose outbox: the key's own when left out; the operator must say. Others need a grant.")
]
After = Annotated[int | None, Query(ge=0, le=SEQUENCE_MAX, description="Only numbers greater than this.", examples=[0])]
Cursor = Annotated[int | None, Query(ge=0, le=SEQUENCE_MAX, description="Another name of `after`.", examples=[None])]


@router.get(
    "/v1/notifications",
    responses=ok(NotificationPage, "The notifications after that number, in sequence order"),
    openapi_extra=refused(ProblemType.NOT_FOUND),
)
async def list_notifications(
    viewer: Reader,
    services: FromServices,
    organization_id: WhoseOutbox = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = LIMIT_DEFAULT,
    wait: Annotated[
        float, Query(ge=0, description="Seconds to wait when there is nothing yet; more than 60 is taken as 60.", examples=[0])
    ] = 0,
) -> Response:
    """Read the outbox in sequence order.

    The sequence is the recipient's own and has no gap, so a client that keeps the last number it has worked off can prove that it missed
    nothing. With `wait` the answer comes as soon as there is something. `next` is null when there is no more at the moment; go on
    from the last `sequence` you have.
    """
    start = (after if after is not None else cursor) or 0
    outbox = await open_outbox(services, viewer, organization_id)
    page = await outbox.read_or_wait(start, limit, min(wait, services.limits.wait_s_max))
    return JsonResponse(listing(page.items, str(page.last) if page.has_more else None))


@router.get(
    "/v1/notifications/stream",
    responses=plain("Server-sent events: `id` is the sequence, `event` the type, `data` the notification", media_type="text/event-stream"),
    openapi_extra=refused(ProblemType.NOT_FOUND),
)
async def stream_notifications(
    request: Request,
    viewer: Reader,
    services: FromServices,
    authenticator: FromAuthenticator,
    organization_id: WhoseOutbox = None,
    after: After = None,
    last_event_id: Annotated[
        str | None, Header(max_length=20, description="The last number seen; browsers send it when they connect again.", examples=["17"])
    ] = None,
) -> Response:
    """Read the outbox as server-sent events, from the past into the future.

    Begins after `Last-Event-ID`, else after `after`, else at the beginning. A comment is sent at least every 15 seconds. The stream
    ends when the key is revoked or the service shuts down; connect again with the last id.
    """
    start = after or 0
    if last_event_id is not None:
        if not (last_event_id.isascii() and last_event_id.isdigit()) or int(last_event_id) > SEQUENCE_MAX:
            raise invalid("/Last-Event-ID", "is not a sequence number", where="header")
        start = int(last_event_id)
    outbox = await open_outbox(services, viewer, organization_id)
    first = await outbox.read(start, LIMIT_MAX)
    events = _events(request, outbox, authenticator, list(first.items), first.last)
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _events(
    request: Request, outbox: Outbox, authenticator: Authenticator, items: list[dict[str, Any]], last: int
) -> AsyncIterator[bytes]:
    authorization = request.headers.get("authorization")
    peer = request.client.host if request.client else None
    yield f"retry: {_RETRY_MS}\n\n".encode()
    arrivals = outbox.services.arrivals
    while not arrivals.is_closed:
        for item in items:
            yield _event(item)
        if not await authenticator.still_valid(authorization, peer):
            return
        page = await outbox.read_or_wait(last, LIMIT_MAX, KEEPALIVE_S)
        items, last = list(page.items), page.last
        if not items:
            yield b": still here\n\n"


def _event(item: dict[str, Any]) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (item["sequence"], item["type"].encode(), orjson.dumps(item))


@router.get("/v1/notifications/{notification_id}", responses=ok(NotificationDocument, "The notification"))
async def show_notification(notification_id: NotificationId, viewer: Reader, services: FromServices) -> Response:
    """Show one notification, as it may be read now."""
    async with opened_notification(services, viewer, notification_id) as opened:
        return JsonResponse(opened.shown)


@router.get("/v1/notifications/{notification_id}/why", responses=ok(NotificationWhyDocument, "The chain of reasons"))
async def why_notification(notification_id: NotificationId, viewer: Reader, services: FromServices) -> Response:
    """Say why the recipient was told: the claim, every decision with its reasons, every version, and the message behind it.

    Of what was withheld the recipient reads neither that nor why; the operator reads everything, and everybody else who was told of the
    stay or was not. A silence without a notification is asked for by its stay: `/v1/encounters/{id}/why`.
    """
    async with opened_notification(services, viewer, notification_id) as opened:
        if opened.shown["type"] == NotificationType.WITHDRAWN and not viewer.is_operator:
            return JsonResponse(why_json(opened.shown, NO_REASONS))
        document = why_json(opened.shown, await why_notified(opened.raw, opened.viewer, opened.found, shows_lead=_shows_lead(opened.shown)))
        if viewer.is_operator:
            stay = await find_encounter(opened.raw, viewer, opened.found.encounter_id)
            directory = await services.registry.current(opened.raw)
            document["candidates"] = [] if stay is None else await candidates_of(services, opened.raw, stay, directory, only=None)
    return JsonResponse(document)


def _shows_lead(shown: Mapping[str, Any]) -> bool:
    """Tell whether the recipient may read that another home leads: of what is shown now, for who leads may be another by now."""
    return bool(shown.get("attribution")) and shown["attribution"]["lead"] is False


@router.post("/v1/notifications/{notification_id}/acknowledge", responses=ok(AcknowledgementDocument, "Noted, once: the first time stands"))
async def acknowledge_notification(notification_id: NotificationId, viewer: Reader, services: FromServices) -> Response:
    """Take note of a notification. Saying it twice changes nothing."""
    async with opened_notification(services, viewer, notification_id) as opened:
        noted = await acknowledge(opened.raw, opened.viewer, opened.found, services.clock.now())
    return JsonResponse(acknowledgement_json(noted))

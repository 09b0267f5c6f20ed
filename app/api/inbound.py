"""`/v1/inbound`: every message ever received, what became of it, and trying it again."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from app.actions.receive import LANES
from app.actions.replay import replay
from app.api.answers import JsonResponse, ok, refused
from app.api.auth import Access, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemError, ProblemType, not_found
from app.api.schemas.common import FeedId, InstantOfQuery, MessageId
from app.api.schemas.inbound import (
    InboundMessageDocument,
    InboundPage,
    ReplayDocument,
    TraceDocument,
    inbound_json,
    shown_text,
    trace_json,
)
from app.domain.public_id import Kind, public_id
from app.domain.viewer import Scope, Viewer
from app.store.audit import saw
from app.store.engine import raw_connection
from app.store.inbound_reads import WAITING, InboundFilter, find_message, list_messages, trace_message

router = APIRouter(route_class=GuardedRoute, tags=["inbound"])

_LIST = "inbound"
Reader = Annotated[Viewer, Depends(Access(Scope.ADT_WRITE, Scope.ADMIN))]
_Outcome = Literal["waiting", "processed", "ignored", "set_aside", "rejected"]
_Ack = Literal["AA", "AE", "AR"]


@router.get("/v1/inbound", responses=ok(InboundPage, "A page of messages, newest first"))
async def list_inbound(
    viewer: Reader,
    services: FromServices,
    page: PageOfQuery,
    feed_id: Annotated[FeedId | None, Query(description="Only of this feed.")] = None,
    outcome: Annotated[_Outcome | None, Query(description="Only with this outcome.", examples=["set_aside"])] = None,
    control_id: Annotated[str | None, Query(max_length=200, description="Only with this MSH-10.", examples=["MSG00001"])] = None,
    ack_code: Annotated[_Ack | None, Query(description="Only answered so.", examples=["AE"])] = None,
    received_from: Annotated[InstantOfQuery | None, Query(description="Received at or after.")] = None,
    received_before: Annotated[InstantOfQuery | None, Query(description="Received before.")] = None,
) -> Response:
    """List the messages of the key's organization, newest first, without their text. The operator sees all."""
    key = read_cursor(_LIST, page.cursor, read_uuid)
    wanted = InboundFilter(feed_id, outcome, control_id, ack_code, received_from, received_before)
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        found = await list_messages(raw, viewer, wanted, after=key[0] if key else None, limit=page.limit + 1)
    shown, more = cut(found, page.limit)
    return JsonResponse(listing([inbound_json(one) for one in shown], spell_cursor(_LIST, shown[-1].id) if more else None))


@router.get("/v1/inbound/{message_id}", responses=ok(InboundMessageDocument, "The message with its text"))
async def show_inbound(message_id: MessageId, viewer: Reader, services: FromServices) -> Response:
    """Show one message with its text, the answer that was given, and what became of it."""
    async with services.unit_of_work(viewer) as connection:
        found = await find_message(await raw_connection(connection), viewer, message_id)
        saw([found[0].person_id] if found is not None and found[0].person_id is not None else ())
    if found is None:
        raise not_found("message")
    message, stored = found
    body = services.cipher.decrypt(stored.cipher_key_id, stored.body, message.id.bytes)
    return JsonResponse(inbound_json(message) | {"body": shown_text(body)})


@router.get("/v1/inbound/{message_id}/trace", responses=ok(TraceDocument, "The message's way"))
async def trace_inbound(message_id: MessageId, viewer: Reader, services: FromServices) -> Response:
    """Show a message's whole way: what it was understood as, who was told and who was not and why, and every attempt to deliver.

    A sender sees its message and what it was understood as; whom others were told of is theirs and the operator's to see.
    """
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        found = await find_message(raw, viewer, message_id)
        trace = None if found is None else await trace_message(raw, viewer, message_id)
        saw([found[0].person_id] if found is not None and found[0].person_id is not None else ())
    if found is None or trace is None:
        raise not_found("message")
    return JsonResponse(trace_json(found[0], trace))


@router.post(
    "/v1/inbound/{message_id}/replay",
    status_code=202,
    responses=ok(ReplayDocument, "On the queue again", status=202),
    openapi_extra=refused(ProblemType.CONFLICT),
)
async def replay_inbound(message_id: MessageId, viewer: Reader, services: FromServices) -> Response:
    """Put a message on the queue again, to be read with the feed's present settings.

    Replaying what went well changes nothing: every rule is a function of what happened, not of how often it was heard.
    """
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        if await find_message(raw, viewer, message_id) is None:
            raise not_found("message")
        if not await replay(raw, [message_id], LANES):
            raise ProblemError(
                ProblemType.CONFLICT,
                "No feed claims this message, or only its beginning came, so it cannot be interpreted. Have it sent again.",
            )
    services.waker.wake("inbound")
    return JsonResponse({"id": public_id(Kind.MESSAGE, message_id), "outcome": WAITING}, status_code=202)

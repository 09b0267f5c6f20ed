"""Finding messages by what people know of them, what was set aside and why, and trying it again by filter.

What somebody types is patient data, so it comes in a body and never in an address.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.actions.receive import LANES
from app.actions.replay import replay
from app.api.answers import JsonResponse, ok
from app.api.auth import Access, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.schemas.common import FeedId, InstantOfQuery
from app.api.schemas.inbound import inbound_json
from app.api.schemas.inbound_search import (
    AsideGroups,
    FoundPage,
    InboundSearch,
    ReplayFilter,
    ReplayResult,
    group_json,
    replay_json,
)
from app.domain.message_search import read_query
from app.domain.viewer import Scope, Viewer
from app.store import set_aside
from app.store.audit import saw
from app.store.engine import raw_connection
from app.store.inbound_reads import read_messages
from app.store.set_aside import AsideFilter

router = APIRouter(route_class=GuardedRoute, tags=["inbound"])

_LIST = "inbound-search"
Reader = Annotated[Viewer, Depends(Access(Scope.ADT_WRITE, Scope.ADMIN))]


@router.post("/v1/inbound/search", responses=ok(FoundPage, "A page of messages, newest first"))
async def search_inbound(body: InboundSearch, viewer: Reader, services: FromServices) -> Response:
    """Find messages of the key's organization by MSH-10, patient number, visit number, or name and birth date; the operator's finds all.

    A name is written with a birth date: `Alder, Ann 1980-01-02`. Messages that were set aside or refused are found by what they say.
    """
    key = read_cursor(_LIST, body.after, read_uuid)
    query = read_query(body.text)
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        ways = await services.messages.search(raw, viewer, query, before=key[0] if key else None, limit=body.limit + 1)
        found = await read_messages(raw, viewer, list(ways))
        shown, more = cut(found, body.limit)
        saw(one.person_id for one in shown if one.person_id is not None)
    items = [inbound_json(one) | {"found_by": ways[one.id]} for one in shown]
    return JsonResponse(listing(items, spell_cursor(_LIST, shown[-1].id) if more else None))


@router.get("/v1/inbound/set-aside", responses=ok(AsideGroups, "Groups, the most frequent first"))
async def list_set_aside(
    viewer: Reader,
    services: FromServices,
    feed_id: Annotated[FeedId | None, Query(description="Only of this feed.")] = None,
    received_from: Annotated[InstantOfQuery | None, Query(description="Received at or after.")] = None,
    received_before: Annotated[InstantOfQuery | None, Query(description="Received before.")] = None,
) -> Response:
    """Count the messages that wait for a person, by feed, reason and place. `GET /v1/inbound?outcome=set_aside` lists them one by one.

    Messages that were processed with a code that nobody has mapped are counted too: read again with a map, they mean more.
    """
    wanted = AsideFilter(feed_id, received_from=received_from, received_before=received_before)
    async with services.unit_of_work(viewer) as connection:
        found = await set_aside.groups(await raw_connection(connection), viewer, wanted)
    return JsonResponse(listing([group_json(row) for row in found], None))


@router.post("/v1/inbound/replay", responses=ok(ReplayResult, "What would change, or what is on the queue"))
async def replay_set_aside(body: ReplayFilter, viewer: Reader, services: FromServices) -> Response:
    """Try messages that were set aside again, by their feeds' present settings: first a dry run, which reads them and stores nothing.

    A dry run says how many can be read now and why the others still cannot. `dry_run: false` puts all of them on the queue.
    Those that give a known number to somebody else (205) are among them only where that code is asked for: to replay one says that it
    is a correction.
    """
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        messages, more = cut(await set_aside.of_a_kind(raw, viewer, body.wanted(), body.limit + 1), body.limit)
        directory = await services.registry.current(raw)
        found = await services.reinterpret(directory, messages)
        replayed = None if body.dry_run else await replay(raw, [one.id for one in messages], LANES)
    if replayed:
        services.waker.wake("inbound")
    return JsonResponse(replay_json(found, more=more, replayed=replayed))

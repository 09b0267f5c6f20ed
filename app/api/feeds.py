"""`/v1/feeds`: the ADT sources and how each deviates from the standard."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.actions.receive import LANES
from app.actions.replay import replay
from app.api.answers import JsonResponse, created, ok, refused
from app.api.auth import Access, Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemError, ProblemType, invalid, not_found
from app.api.schemas.common import FeedId, OrganizationId
from app.api.schemas.feeds import (
    ChangedFeedDocument,
    FeedChange,
    FeedDocument,
    FeedPage,
    FeedVersionPage,
    NewFeed,
    ReinterpretDocument,
    feed_json,
    version_json,
)
from app.domain.feed import MOVES, Feed, FeedMode
from app.domain.public_id import Kind, public_id
from app.domain.viewer import Scope, Viewer
from app.store import feeds as store
from app.store.engine import raw_connection
from app.store.feed_moves import set_aside_of
from app.store.organizations import find_organization, manages

router = APIRouter(route_class=GuardedRoute, tags=["feeds"])

_LIST, _VERSIONS = "feeds", "feed_versions"
Reader = Annotated[Viewer, Depends(Access(Scope.ADMIN, Scope.ADT_WRITE))]


@router.post(
    "/v1/feeds",
    status_code=201,
    responses=ok(FeedDocument, "The new feed", status=201),
    openapi_extra=refused(ProblemType.CONFLICT, ProblemType.NOT_FOUND),
)
async def add_feed(body: NewFeed, viewer: Administrator, services: FromServices) -> Response:
    """Add an ADT source.

    MSH-3 and MSH-4 together name it in the whole exchange. Begin in `test` or `shadow`, and go `live` when what it brings is right.
    Put a feed into `backfill` while it sends history, so that nobody is told of last year as if it were today.
    """
    organization_id = body.organization_id or viewer.organization_id
    if organization_id is None:
        raise invalid("/organization_id", "is needed: this key belongs to no organization")
    new = Feed(
        id=services.ids.new(),
        organization_id=organization_id,
        sending_application=body.sending_application,
        sending_facility=body.sending_facility,
        time_zone=body.time_zone,
        assigning_authority=body.assigning_authority,
        mode=body.mode,
        profile=body.profile.profile(),
    )
    async with services.unit_of_work(viewer) as connection:
        if not manages(viewer, organization_id) or await find_organization(connection, viewer, organization_id) is None:
            raise not_found("organization")
        if not await store.add_feed(connection, new, services.clock.now(), viewer.organization_id):
            raise ProblemError(ProblemType.CONFLICT, "Another feed of this exchange already has this MSH-3 and MSH-4.")
    return created(feed_json(new), f"/v1/feeds/{public_id(Kind.FEED, new.id)}")


@router.get("/v1/feeds", responses=ok(FeedPage, "A page of feeds"))
async def list_feeds(
    viewer: Reader,
    services: FromServices,
    page: PageOfQuery,
    organization_id: Annotated[OrganizationId | None, Query(description="Only this organization's.")] = None,
) -> Response:
    """List the feeds of the key's organization, oldest first; the operator sees all."""
    key = read_cursor(_LIST, page.cursor, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        found = await store.list_feeds(
            connection, viewer, organization_id=organization_id, after=key[0] if key else None, limit=page.limit + 1
        )
    shown, more = cut(found, page.limit)
    return JsonResponse(listing([feed_json(one) for one in shown], spell_cursor(_LIST, shown[-1].id) if more else None))


@router.get("/v1/feeds/{feed_id}", responses=ok(FeedDocument, "The feed"))
async def show_feed(feed_id: FeedId, viewer: Reader, services: FromServices) -> Response:
    """Show one feed."""
    async with services.unit_of_work(viewer) as connection:
        found = await store.find_feed(connection, viewer, feed_id)
    if found is None:
        raise not_found("feed")
    return JsonResponse(feed_json(found))


@router.patch(
    "/v1/feeds/{feed_id}",
    responses=ok(ChangedFeedDocument, "The feed as it is now, and what the change offers"),
    openapi_extra=refused(ProblemType.CONFLICT),
)
async def change_feed(feed_id: FeedId, body: FeedChange, viewer: Administrator, services: FromServices) -> Response:
    """Change how a feed is read, or its mode, as a new version. In force for messages that are received from a second later on.

    A feed moves from test to shadow to live. When it goes live, the stays of people in the house are taken over: their follow-ups
    open, and nothing of what was heard before is told. `set_aside` counts the messages that can be re-interpreted now.
    """
    changes = body.changes()
    async with services.unit_of_work(viewer) as connection:
        found = await store.find_feed(connection, viewer, feed_id, locked=True)
        if found is None:
            raise not_found("feed")
        if body.mode is not None and body.mode is not found.mode and body.mode not in MOVES[found.mode]:
            ways = " or ".join(sorted(MOVES[found.mode]))
            raise ProblemError(ProblemType.CONFLICT, f"A feed in {found.mode} goes to {ways}; look at what it brings there first.")
        if changes:
            found = await store.change_feed(connection, viewer, feed_id, changes, services.clock.now()) or found
        set_aside = await set_aside_of(await raw_connection(connection), found)
    in_house = await services.go_live(feed_id) if body.mode is FeedMode.LIVE else None
    return JsonResponse(feed_json(found) | {"set_aside": len(set_aside), "in_house": in_house})


@router.get("/v1/feeds/{feed_id}/versions", responses=ok(FeedVersionPage, "A page of versions, newest first"))
async def list_versions(feed_id: FeedId, viewer: Reader, services: FromServices, page: PageOfQuery) -> Response:
    """List what was in force when: every change of a feed's settings, and its moves from test to live."""
    key = read_cursor(_VERSIONS, page.cursor, int)
    async with services.unit_of_work(viewer) as connection:
        if await store.find_feed(connection, viewer, feed_id) is None:
            raise not_found("feed")
        found = await store.list_versions(connection, feed_id, after=key[0] if key else None, limit=page.limit + 1)
    shown, more = cut(found, page.limit)
    return JsonResponse(listing([version_json(one) for one in shown], spell_cursor(_VERSIONS, shown[-1].version) if more else None))


@router.post("/v1/feeds/{feed_id}/reinterpret", responses=ok(ReinterpretDocument, "How many messages"))
async def reinterpret(
    feed_id: FeedId,
    viewer: Reader,
    services: FromServices,
    *,
    dry_run: Annotated[bool, Query(description="Only count. The default, so that nothing happens unseen.")] = True,
) -> Response:
    """Read again, with the feed's present settings, what was set aside. Counts first: pass `dry_run=false` to do it."""
    async with services.unit_of_work(viewer) as connection:
        found = await store.find_feed(connection, viewer, feed_id)
        if found is None:
            raise not_found("feed")
        raw = await raw_connection(connection)
        messages = await set_aside_of(raw, found)
        if not dry_run:
            await replay(raw, messages, LANES)
    if not dry_run:
        services.waker.wake("inbound")
    return JsonResponse({"messages": len(messages), "dry_run": dry_run})

"""`/v1/feeds`: the ADT sources and how each deviates from the standard."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.api.answers import JsonResponse, created, ok, refused
from app.api.auth import Access, Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemError, ProblemType, invalid, not_found
from app.api.schemas.common import FeedId, OrganizationId
from app.api.schemas.feeds import FeedChange, FeedDocument, FeedPage, NewFeed, feed_json
from app.domain.feed import Feed
from app.domain.public_id import Kind, public_id
from app.domain.viewer import Scope, Viewer
from app.store import feeds as store
from app.store.organizations import find_organization, manages

router = APIRouter(route_class=GuardedRoute, tags=["feeds"])

_LIST = "feeds"
Reader = Annotated[Viewer, Depends(Access(Scope.ADMIN, Scope.ADT_WRITE))]


@router.post(
    "/v1/feeds",
    status_code=201,
    responses=ok(FeedDocument, "The new feed", status=201),
    openapi_extra=refused(ProblemType.CONFLICT, ProblemType.NOT_FOUND),
)
async def add_feed(body: NewFeed, viewer: Administrator, services: FromServices) -> Response:
    """Add an ADT source.

    MSH-3 and MSH-4 together name it in the whole exchange. Put a feed into `backfill` while it sends history, so that nobody is
    told of last year as if it were today, and into `live` afterwards.
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
        if not await store.add_feed(connection, new, services.clock.now()):
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


@router.patch("/v1/feeds/{feed_id}", responses=ok(FeedDocument, "The feed as it is now"))
async def change_feed(feed_id: FeedId, body: FeedChange, viewer: Administrator, services: FromServices) -> Response:
    """Change how a feed is read, or its mode. In force for messages that are read from a second later on."""
    changes = body.changes()
    async with services.unit_of_work(viewer) as connection:
        found = (
            await store.change_feed(connection, viewer, feed_id, changes) if changes else await store.find_feed(connection, viewer, feed_id)
        )
    if found is None:
        raise not_found("feed")
    return JsonResponse(feed_json(found))

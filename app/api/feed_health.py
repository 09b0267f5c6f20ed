"""`/v1/feeds/health` and `/v1/feeds/{feed_id}/health`: how feeds are doing, and the scorecard that a hospital can be sent."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from app.api.answers import JsonResponse, ok, plain
from app.api.auth import Access, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import not_found
from app.api.schemas.common import FeedId
from app.api.schemas.feed_health import (
    FeedHealthDetailDocument,
    FeedHealthPage,
    feed_health_detail_json,
    feed_health_json,
)
from app.api.services import Services
from app.domain.feed_health import FeedHealth, scorecard
from app.domain.public_id import Kind, public_id
from app.domain.viewer import Scope, Viewer
from app.store.engine import raw_connection
from app.store.feed_health import read_health
from app.store.feeds import find_feed, list_feeds

router = APIRouter(route_class=GuardedRoute, tags=["feeds"])

_LIST = "feed-health"
Reader = Annotated[Viewer, Depends(Access(Scope.ADMIN, Scope.ADT_WRITE))]
Days = Annotated[int, Query(ge=1, le=90, description="Over so many days until now.", examples=[7])]


@router.get("/v1/feeds/health", responses=ok(FeedHealthPage, "A page of feeds and how they are doing"))
async def list_feed_health(viewer: Reader, services: FromServices, page: PageOfQuery, days: Days = 7) -> Response:
    """List how the feeds of the key's organization are doing, oldest feed first; the operator sees all.

    Counted in the background, about a minute after a message came.
    """
    key = read_cursor(_LIST, page.cursor, read_uuid)
    since = services.clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=days)
    async with services.unit_of_work(viewer) as connection:
        found = await list_feeds(connection, viewer, organization_id=None, after=key[0] if key else None, limit=page.limit + 1)
        shown, more = cut(found, page.limit)
        healths = await read_health(await raw_connection(connection), viewer, shown, since, services.feed_profile)
    return JsonResponse(listing([feed_health_json(one) for one in healths], spell_cursor(_LIST, shown[-1].id) if more else None))


@router.get("/v1/feeds/{feed_id}/health", responses=ok(FeedHealthDetailDocument, "How the feed is doing"))
async def show_feed_health(feed_id: FeedId, viewer: Reader, services: FromServices, days: Days = 7) -> Response:
    """Show how a feed is doing, what is expected of it hour by hour of its week, and which required fields it fills.

    Fields are looked at in a sample: all messages of a quiet feed, a few of each trigger every few minutes of a busy one.
    """
    return JsonResponse(feed_health_detail_json(await _health(services, viewer, feed_id, days)))


@router.get(
    "/v1/feeds/{feed_id}/scorecard.csv",
    responses=plain("A line for each figure: section, item, meaning, count, of, percent", media_type="text/csv"),
)
async def feed_scorecard(feed_id: FeedId, viewer: Reader, services: FromServices, days: Days = 30) -> Response:
    """Give the scorecard of a feed as a file that its hospital can be sent: figures and HL7 places, nothing of a patient."""
    health = await _health(services, viewer, feed_id, days)
    headers = {"Content-Disposition": 'attachment; filename="scorecard.csv"'}
    lines = services.write_table(scorecard(health, public_id(Kind.FEED, feed_id)))
    return Response(lines, media_type="text/csv; charset=utf-8", headers=headers)


async def _health(services: Services, viewer: Viewer, feed_id: UUID, days: int) -> FeedHealth:
    since = services.clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=days)
    async with services.unit_of_work(viewer) as connection:
        feed = await find_feed(connection, viewer, feed_id)
        if feed is None:
            raise not_found("feed")
        (health,) = await read_health(await raw_connection(connection), viewer, [feed], since, services.feed_profile)
    return health

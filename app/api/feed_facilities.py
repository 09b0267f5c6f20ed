"""`/v1/feeds/{feed_id}/facilities`: what an aggregator's facility codes stand for, and which of them messages wait for."""

from fastapi import APIRouter, Response

from app.actions.receive import LANES
from app.api.answers import JsonResponse, ok
from app.api.auth import Administrator, FromServices
from app.api.feeds import Reader
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, spell_cursor
from app.api.problems import not_found
from app.api.schemas.common import FeedId
from app.api.schemas.feeds import FacilityPage, MappedFacilityDocument, NewFacility, facility_json
from app.domain.feed import FeedFacility
from app.domain.public_id import Kind, public_id
from app.store import feed_facilities as store
from app.store.engine import raw_connection
from app.store.feeds import find_feed
from app.store.organizations import find_organization, manages

router = APIRouter(route_class=GuardedRoute, tags=["feeds"])

_LIST = "feed_facilities"


@router.get("/v1/feeds/{feed_id}/facilities", responses=ok(FacilityPage, "A page of facilities"))
async def list_facilities(feed_id: FeedId, viewer: Reader, services: FromServices, page: PageOfQuery) -> Response:
    """List the facilities of an aggregator by their code: what each stands for, and how many messages wait for those without a row."""
    key = read_cursor(_LIST, page.cursor, str)
    async with services.unit_of_work(viewer) as connection:
        if await find_feed(connection, viewer, feed_id) is None:
            raise not_found("feed")
        raw = await raw_connection(connection)
        found = await store.list_facilities(raw, feed_id, after=key[0] if key else None, limit=page.limit + 1)
    shown, more = cut(found, page.limit)
    return JsonResponse(listing([facility_json(one) for one in shown], spell_cursor(_LIST, shown[-1].code) if more else None))


@router.post("/v1/feeds/{feed_id}/facilities", responses=ok(MappedFacilityDocument, "The facility as it is mapped now"))
async def map_facility(feed_id: FeedId, body: NewFacility, viewer: Administrator, services: FromServices) -> Response:
    """Say which organization a facility's code stands for, and read the messages that waited for it.

    Also for the code "": messages that name no facility are then this organization's. Mapped again, a code stands for something else
    for messages that are read from then on; what was read stays where it is.
    """
    async with services.unit_of_work(viewer) as connection:
        if await find_feed(connection, viewer, feed_id) is None:
            raise not_found("feed")
        organization = await find_organization(connection, viewer, body.organization_id)
        if organization is None or not manages(viewer, body.organization_id):
            raise not_found("organization")
        facility = FeedFacility(
            organization.id, body.time_zone or organization.time_zone, body.assigning_authority or body.code or organization.name.upper()
        )
        raw = await raw_connection(connection)
        released = await store.map_facility(raw, feed_id, body.code, facility, LANES, services.clock.now())
    if released:
        services.waker.wake("inbound")
    return JsonResponse(
        {
            "code": body.code,
            "organization_id": public_id(Kind.ORGANIZATION, facility.organization_id),
            "time_zone": facility.time_zone,
            "assigning_authority": facility.assigning_authority,
            "released": released,
        }
    )

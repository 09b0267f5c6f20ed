"""`/v1/agreements`: the papers under which organizations are told and read."""

from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator, WithJsonSchema

from app.api.answers import JsonResponse, created, ok, refused
from app.api.auth import Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemError, ProblemType, invalid, not_found
from app.api.schemas.agreements import AgreementDocument, AgreementPage, NewAgreement, agreement_json
from app.api.schemas.common import OrganizationId, id_reader, id_schema
from app.domain.organization import DEFAULT_TIME_ZONE
from app.domain.public_id import Kind
from app.domain.viewer import Viewer
from app.store import agreements, organizations
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute, tags=["organizations"])

_LIST: Final = "agreements"
AgreementId = Annotated[UUID, BeforeValidator(id_reader(Kind.AGREEMENT)), WithJsonSchema(id_schema(Kind.AGREEMENT))]


@router.post(
    "/v1/agreements",
    status_code=201,
    responses=ok(AgreementDocument, "The agreement on file", status=201),
    openapi_extra=refused(ProblemType.NOT_PERMITTED),
)
async def add_agreement(body: NewAgreement, viewer: Administrator, services: FromServices) -> Response:
    """Put an agreement on file. Only the operator may.

    What was held back because there was none is told late, if the law allows it now.
    """
    _require_operator(viewer)
    now = services.clock.now()
    new = body.agreement(services.ids.new(), now)
    async with services.unit_of_work(viewer) as connection:
        house = await organizations.find_organization(connection, viewer, new.organization_id)
        if house is None:
            raise invalid("/organization_id", "names no organization")
        raw = await raw_connection(connection)
        await agreements.add(raw, new)
        await agreements.release(raw, now)
    services.waker.wake("inbound")
    return created(agreement_json(new, ZoneInfo(house.time_zone), now), f"/v1/agreements?organization_id={house.id}")


@router.get("/v1/agreements", responses=ok(AgreementPage, "A page of agreements"))
async def list_agreements(
    viewer: Administrator,
    services: FromServices,
    page: PageOfQuery,
    organization_id: Annotated[OrganizationId | None, Query(description="Only of this organization.")] = None,
) -> Response:
    """List agreements with how they stand: one's own, all for the operator. An expiring one has at most 60 days left."""
    key, now = read_cursor(_LIST, page.cursor, read_uuid), services.clock.now()
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        found = await agreements.page(raw, viewer, organization_id, after=key[0] if key else None, limit=page.limit + 1)
    shown, more = cut(found, page.limit)
    houses = directory.organizations
    zones = {one.id: ZoneInfo(houses[one.id].time_zone if one.id in houses else DEFAULT_TIME_ZONE) for one in houses.values()}
    items = [agreement_json(one, zones.get(one.organization_id, ZoneInfo(DEFAULT_TIME_ZONE)), now) for one in shown]
    return JsonResponse(listing(items, spell_cursor(_LIST, shown[-1].id) if more else None))


@router.post(
    "/v1/agreements/{agreement_id}/end",
    responses=ok(AgreementDocument, "The agreement, ended"),
    openapi_extra=refused(ProblemType.NOT_PERMITTED),
)
async def end_agreement(agreement_id: AgreementId, viewer: Administrator, services: FromServices) -> Response:
    """End an agreement now. Without another one in force its organization is told nothing more and reads nothing. Twice changes nothing."""
    async with services.unit_of_work(viewer) as connection:
        if await agreements.find(await raw_connection(connection), viewer, agreement_id) is None:
            raise not_found("agreement")
    _require_operator(viewer)
    now = services.clock.now()
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        ended = await agreements.end(raw, agreement_id, now)
        if ended is None:
            raise not_found("agreement")
        house = await organizations.find_organization(connection, viewer, ended.organization_id)
    return JsonResponse(agreement_json(ended, ZoneInfo(house.time_zone if house else DEFAULT_TIME_ZONE), now))


def _require_operator(viewer: Viewer) -> None:
    if not viewer.is_operator:
        raise ProblemError(ProblemType.NOT_PERMITTED, "Only the operator of the exchange may do this.")

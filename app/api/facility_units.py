"""`/v1/organizations/{id}/units`: the units of a hospital that are reached another way than the house."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import StringConstraints

from app.api.answers import JsonResponse, no_content, ok, plain
from app.api.auth import Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.house_numbers import compare_again
from app.api.paging import PageOfQuery, cut, listing, read_cursor, spell_cursor
from app.api.problems import not_found
from app.api.schemas.common import OrganizationId
from app.api.schemas.organizations import CallBackRequest, UnitDocument, UnitPage, unit_json
from app.domain.viewer import Viewer
from app.store import facility_units as store
from app.store.connection import Connection
from app.store.organizations import find_organization, manages

router = APIRouter(route_class=GuardedRoute, tags=["organizations"])

_LIST: Final = "units"
_UNIT_LENGTH_MAX: Final = 80
Unit = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_upper=True, min_length=1, max_length=_UNIT_LENGTH_MAX, pattern=r"^[^\x00-\x1f]+$"),
    Path(description="As the hospital's messages write it (PV1-3.1), in any case.", examples=["PSY"]),
]


@router.get("/v1/organizations/{organization_id}/units", responses=ok(UnitPage, "A page of units"))
async def list_units(organization_id: OrganizationId, viewer: Administrator, services: FromServices, page: PageOfQuery) -> Response:
    """List the units that are reached another way than the house."""
    key = read_cursor(_LIST, page.cursor, str)
    async with services.unit_of_work(viewer) as connection:
        await _require_managed(connection, viewer, organization_id)
        found = await store.list_units(connection, organization_id, after=key[0] if key else None, limit=page.limit + 1)
    shown, more = cut(found, page.limit)
    return JsonResponse(listing([unit_json(*one) for one in shown], spell_cursor(_LIST, shown[-1][0]) if more else None))


@router.put("/v1/organizations/{organization_id}/units/{unit}", responses=ok(UnitDocument, "The unit as it is now"))
async def put_unit(
    organization_id: OrganizationId, unit: Unit, body: CallBackRequest, viewer: Administrator, services: FromServices
) -> Response:
    """Say how a unit is reached. Who may see a stay in full sees it with the stay from now on; what was told before stays as it was."""
    async with services.unit_of_work(viewer) as connection:
        await _require_managed(connection, viewer, organization_id)
        await store.put_unit(connection, organization_id, unit, body.call_back(), services.clock.now())
    await compare_again(services, body.call_back().call_back_number)
    return JsonResponse(unit_json(unit, body.call_back()))


@router.delete("/v1/organizations/{organization_id}/units/{unit}", status_code=204, responses=plain("The house answers again", status=204))
async def remove_unit(organization_id: OrganizationId, unit: Unit, viewer: Administrator, services: FromServices) -> Response:
    """Let the house answer for a unit again."""
    async with services.unit_of_work(viewer) as connection:
        await _require_managed(connection, viewer, organization_id)
        removed = await store.remove_unit(connection, organization_id, unit)
    if not removed:
        raise not_found("unit")
    return no_content()


async def _require_managed(connection: Connection, viewer: Viewer, organization_id: UUID) -> None:
    if not manages(viewer, organization_id) or await find_organization(connection, viewer, organization_id) is None:
        raise not_found("organization")

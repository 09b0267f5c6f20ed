"""`/v1/organizations/{id}/practitioners`: for whom the practitioners work whom hospitals' messages name."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from app.api.answers import JsonResponse, created, no_content, ok, plain, refused
from app.api.auth import Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, spell_cursor
from app.api.problems import ProblemError, ProblemType, not_found
from app.api.schemas.attribution import NewPractitioner, PractitionerDocument, PractitionerPage, practitioner_json
from app.api.schemas.common import OrganizationId
from app.domain.public_id import Kind, public_id
from app.domain.viewer import Viewer
from app.store import organizations, practitioners
from app.store.connection import Connection
from app.store.engine import raw_connection
from app.store.practitioners import Practitioner

router = APIRouter(route_class=GuardedRoute, tags=["attribution"])

_LIST: Final = "practitioners"
NpiOfPath = Annotated[str, Path(examples=["1234567893"])]


@router.post(
    "/v1/organizations/{organization_id}/practitioners",
    status_code=201,
    responses=ok(PractitionerDocument, "The practitioner", status=201),
    openapi_extra=refused(ProblemType.NOT_PERMITTED),
)
async def add_practitioner(
    organization_id: OrganizationId, body: NewPractitioner, viewer: Administrator, services: FromServices
) -> Response:
    """Say that a practitioner works for the organization: it is told of stays whose messages name them, unless its panel says more.

    Only the operator may, because it decides who is told. It counts for what is heard from now on.
    """
    async with services.unit_of_work(viewer) as connection:
        await _require_seen(connection, viewer, organization_id)
        _require_operator(viewer)
        new = Practitioner(services.ids.new(), body.npi, organization_id, body.effective_from, body.effective_to, services.clock.now())
        kept = await practitioners.add(await raw_connection(connection), new)
    return created(practitioner_json(kept), f"/v1/organizations/{public_id(Kind.ORGANIZATION, organization_id)}/practitioners/{kept.npi}")


@router.get(
    "/v1/organizations/{organization_id}/practitioners", responses=ok(PractitionerPage, "A page of the organization's practitioners")
)
async def list_practitioners(organization_id: OrganizationId, viewer: Administrator, services: FromServices, page: PageOfQuery) -> Response:
    """List the practitioners of an organization by NPI."""
    key = read_cursor(_LIST, page.cursor, str)
    async with services.unit_of_work(viewer) as connection:
        await _require_seen(connection, viewer, organization_id)
        found = await practitioners.of_organization(
            await raw_connection(connection), organization_id, after=key[0] if key else None, limit=page.limit + 1
        )
    shown, more = cut(found, page.limit)
    return JsonResponse(listing([practitioner_json(one) for one in shown], spell_cursor(_LIST, shown[-1].npi) if more else None))


@router.delete(
    "/v1/organizations/{organization_id}/practitioners/{npi}",
    status_code=204,
    responses=plain("The practitioner does not work there any more", status=204),
    openapi_extra=refused(ProblemType.NOT_PERMITTED),
)
async def remove_practitioner(organization_id: OrganizationId, npi: NpiOfPath, viewer: Administrator, services: FromServices) -> Response:
    """Take back that a practitioner works there. What was told was told."""
    async with services.unit_of_work(viewer) as connection:
        await _require_seen(connection, viewer, organization_id)
        _require_operator(viewer)
        if not npi.isalnum() or not await practitioners.retract(
            await raw_connection(connection), organization_id, npi, services.clock.now()
        ):
            raise not_found("practitioner")
    return no_content()


def _require_operator(viewer: Viewer) -> None:
    if not viewer.is_operator:
        raise ProblemError(ProblemType.NOT_PERMITTED, "Only the operator of the exchange may do this.")


async def _require_seen(connection: Connection, viewer: Viewer, organization_id: OrganizationId) -> None:
    seen = organizations.manages(viewer, organization_id)
    if not seen or await organizations.find_organization(connection, viewer, organization_id) is None:
        raise not_found("organization")

"""`/v1/organizations`: who takes part, who may see whose rows, and what each wishes to be told of."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.api.answers import JsonResponse, created, no_content, ok, plain, refused
from app.api.auth import Administrator, AnyKey, FromServices
from app.api.guard import GuardedRoute
from app.api.house_numbers import compare_again
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemError, ProblemType, invalid, not_found
from app.api.reserved import end_grants_if_reserved, is_reserved
from app.api.schemas.common import OrganizationId
from app.api.schemas.organizations import (
    GrantDocument,
    GrantPage,
    NewGrant,
    NewOrganization,
    OrganizationChange,
    OrganizationDocument,
    OrganizationPage,
    PreferencesDocument,
    PreferencesRequest,
    grant_json,
    organization_json,
    preferences_json,
)
from app.domain.follow_up import LONGEST_WAIT, TRANSFER_WAIT
from app.domain.organization import OrganizationKind
from app.domain.public_id import Kind, public_id
from app.domain.viewer import OPERATOR, Viewer
from app.store import organizations as store
from app.store.connection import Connection

router = APIRouter(route_class=GuardedRoute, tags=["organizations"])

_LIST = "organizations"
_GRANTS = "grants"


@router.post(
    "/v1/organizations",
    status_code=201,
    responses=ok(OrganizationDocument, "The new organization", status=201),
    openapi_extra=refused(ProblemType.NOT_PERMITTED),
)
async def add_organization(body: NewOrganization, viewer: Administrator, services: FromServices) -> Response:
    """Add an organization.

    Only the operator of the exchange may. `parent_id` makes it a site of another; being a parent shows nobody's rows, a grant does.
    """
    _require_operator(viewer)
    new = body.organization(services.ids.new(), services.clock.now())
    async with services.unit_of_work(viewer) as connection:
        if new.parent_id is not None and await store.find_organization(connection, viewer, new.parent_id) is None:
            raise invalid("/parent_id", "names no organization")
        await store.add_organization(connection, new)
    await compare_again(services, new.call_back.call_back_number)
    return created(organization_json(new), f"/v1/organizations/{public_id(Kind.ORGANIZATION, new.id)}")


@router.get("/v1/organizations", responses=ok(OrganizationPage, "A page of organizations"))
async def list_organizations(
    viewer: AnyKey,
    services: FromServices,
    page: PageOfQuery,
    kind: Annotated[OrganizationKind | None, Query(description="Only this kind.", examples=["hospital"])] = None,
) -> Response:
    """List organizations, oldest first: one's own, its sites, and those that granted it their rows. The operator sees all."""
    key = read_cursor(_LIST, page.cursor, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        found = await store.list_organizations(connection, viewer, after=key[0] if key else None, limit=page.limit + 1, kind=kind)
    shown, more = cut(found, page.limit)
    return JsonResponse(listing([organization_json(one) for one in shown], spell_cursor(_LIST, shown[-1].id) if more else None))


@router.get("/v1/organizations/{organization_id}", responses=ok(OrganizationDocument, "The organization"))
async def show_organization(organization_id: OrganizationId, viewer: AnyKey, services: FromServices) -> Response:
    """Show one organization."""
    async with services.unit_of_work(viewer) as connection:
        found = await store.find_organization(connection, viewer, organization_id)
    if found is None:
        raise not_found("organization")
    return JsonResponse(organization_json(found))


@router.patch(
    "/v1/organizations/{organization_id}",
    responses=ok(OrganizationDocument, "The organization as it is now"),
    openapi_extra=refused(ProblemType.NOT_PERMITTED),
)
async def change_organization(
    organization_id: OrganizationId, body: OrganizationChange, viewer: Administrator, services: FromServices
) -> Response:
    """Change fields of an organization.

    Only the operator may change `part2_status`, `facility_type`, `program_roles`, `known_as` and `adt_wait_hours`, because they decide
    what others are told. When `part2_status`, `facility_type` or `holiday_calendar` changes, every stay there, or followed up by it, is
    decided again; when `adt_wait_hours`
    or `known_as` changes, every transfer there that is still awaited, or was until now.
    """
    changes = body.changes()
    if changes.keys() & {"part2_status", "facility_type", "program_roles", "known_as", "adt_wait_hours"}:
        _require_operator(viewer)
    async with services.unit_of_work(viewer) as connection:
        before = await store.find_organization(connection, viewer, organization_id)
        if before is None or not store.manages(viewer, organization_id):
            raise not_found("organization")
        after = await store.change_organization(connection, viewer, organization_id, changes) if changes else before
        if after is None:
            raise not_found("organization")
        said = ((one.part2_status, one.facility_type, one.program_roles, one.holiday_calendar) for one in (before, after))
        if len(set(said)) > 1:
            await store.ask_to_reconsider(connection, viewer, organization_id, services.clock.now())
        if before.transfer_wait != after.transfer_wait or before.known_as != after.known_as:
            # Nonacute care whose wait nobody says is waited for until it ends, so a wait that is new asks for all that may be.
            is_new = None in (before.transfer_wait, after.transfer_wait) and before.transfer_wait != after.transfer_wait
            wait = LONGEST_WAIT if is_new else max(one.transfer_wait or TRANSFER_WAIT for one in (before, after))
            await store.ask_to_await_again(connection, viewer, wait, services.clock.now())
        if before.part2_status != after.part2_status or before.program_roles != after.program_roles:
            await end_grants_if_reserved(connection, organization_id)
    if (was := before.call_back.call_back_number) != (now_is := after.call_back.call_back_number):
        await compare_again(services, was, now_is)
    services.waker.wake("inbound")
    return JsonResponse(organization_json(after))


@router.post("/v1/organizations/{organization_id}/grants", status_code=201, responses=ok(GrantDocument, "The grant", status=201))
async def add_grant(organization_id: OrganizationId, body: NewGrant, viewer: Administrator, services: FromServices) -> Response:
    """Let another organization see this one's rows: its notifications, panel, follow-ups and messages. Repeating it changes nothing.

    An organization whose own status is protected, as a Part 2 program, can give its rows to its parent only (42 CFR 2.12(c)(3)): whom
    else it may tell is asked of each person's consents.
    """
    async with services.unit_of_work(viewer) as connection:
        await _require_managed(connection, viewer, organization_id)
        # A grantee is named by whoever gives the grant, so it need not be one that the giver could list.
        if organization_id == body.grantee_id or await store.find_organization(connection, OPERATOR, body.grantee_id) is None:
            raise invalid("/grantee_id", "names no other organization")
        house = await store.find_organization(connection, viewer, organization_id)
        if house is not None and house.parent_id != body.grantee_id and await is_reserved(connection, organization_id):
            raise invalid("/grantee_id", "is not its parent: to be a patient here is protected, and others are told by consent only")
        new = store.Grant(organization_id, body.grantee_id, services.clock.now())
        granted = await store.grant(connection, viewer, new)
    if granted is None:
        raise not_found("organization")
    location = f"/v1/organizations/{public_id(Kind.ORGANIZATION, organization_id)}/grants/{public_id(Kind.ORGANIZATION, body.grantee_id)}"
    return created(grant_json(granted), location)


@router.get("/v1/organizations/{organization_id}/grants", responses=ok(GrantPage, "A page of grants"))
async def list_grants(organization_id: OrganizationId, viewer: Administrator, services: FromServices, page: PageOfQuery) -> Response:
    """List who may see this organization's rows."""
    key = read_cursor(_GRANTS, page.cursor, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        await _require_managed(connection, viewer, organization_id)
        found = await store.list_grants(connection, viewer, organization_id, after=key[0] if key else None, limit=page.limit + 1)
    shown, more = cut(found or [], page.limit)
    return JsonResponse(listing([grant_json(one) for one in shown], spell_cursor(_GRANTS, shown[-1].grantee_id) if more else None))


@router.delete(
    "/v1/organizations/{organization_id}/grants/{grantee_id}", status_code=204, responses=plain("The grant is ended", status=204)
)
async def revoke_grant(
    organization_id: OrganizationId, grantee_id: OrganizationId, viewer: Administrator, services: FromServices
) -> Response:
    """End a grant. What was seen was seen; from now on nothing is."""
    async with services.unit_of_work(viewer) as connection:
        ended = await store.revoke_grant(connection, viewer, organization_id, grantee_id)
    if not ended:
        raise not_found("grant")
    return no_content()


@router.get("/v1/organizations/{organization_id}/preferences", responses=ok(PreferencesDocument, "The current preferences"))
async def show_preferences(organization_id: OrganizationId, viewer: Administrator, services: FromServices) -> Response:
    """Show what the organization wishes to be told of. Version 0 has no rules: the exchange's default applies."""
    async with services.unit_of_work(viewer) as connection:
        await _require_managed(connection, viewer, organization_id)
        found = await store.read_preferences(connection, viewer, organization_id)
    if found is None:
        raise not_found("organization")
    return JsonResponse(preferences_json(found))


@router.put(
    "/v1/organizations/{organization_id}/preferences",
    responses=ok(PreferencesDocument, "The new current preferences"),
    openapi_extra=refused(ProblemType.CONFLICT),
)
async def write_preferences(
    organization_id: OrganizationId, body: PreferencesRequest, viewer: Administrator, services: FromServices
) -> Response:
    """Replace what the organization wishes to be told of; every replacement is a new version.

    The first rule that fits an event decides. A wish is written to the ledger as the reason why nothing was told, and none removes a
    clock-starting discharge from the worklist.
    """
    async with services.unit_of_work(viewer) as connection:
        await _require_managed(connection, viewer, organization_id)
        new = store.Preferences(organization_id, 0, body.stored(), services.clock.now())
        written = await store.write_preferences(connection, viewer, new, expected_version=body.version)
        if written is None:
            raise ProblemError(ProblemType.CONFLICT, "The preferences were changed meanwhile; read them again and repeat your change.")
    return JsonResponse(preferences_json(written))


def _require_operator(viewer: Viewer) -> None:
    if not viewer.is_operator:
        raise ProblemError(ProblemType.NOT_PERMITTED, "Only the operator of the exchange may do this.")


async def _require_managed(connection: Connection, viewer: Viewer, organization_id: UUID) -> None:
    if not store.manages(viewer, organization_id) or await store.find_organization(connection, viewer, organization_id) is None:
        raise not_found("organization")

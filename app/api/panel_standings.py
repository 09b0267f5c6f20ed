"""`/v1/panels`: how panels stand (age, state, figures), after how long they age, and who is claimed by two of one role.

Not here: rosters in and who is on a panel (panels.py), the rules (domain/panel_standing, domain/panel_conflict).
"""

from datetime import UTC
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response

from app.api.answers import JsonResponse, ok, refused
from app.api.auth import Access, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemError, ProblemType, invalid, not_found
from app.api.schemas.common import OrganizationId
from app.api.schemas.panel_standings import PanelConflictPage, PanelDocument, PanelLimits, PanelPage
from app.domain.attribution import Role
from app.domain.panel_standing import AgeLimits
from app.domain.viewer import Scope, Viewer
from app.store.audit import saw
from app.store.engine import raw_connection
from app.store.panel_conflicts import read_conflicts
from app.store.panel_standings import find_standing, read_standings, set_limits

router = APIRouter(route_class=GuardedRoute, tags=["panels"])

_PANELS: Final = "panels"
_CONFLICTS: Final = "panel-conflicts"

Reader = Annotated[Viewer, Depends(Access(Scope.PANELS_WRITE, Scope.MEMBERS_READ))]
Administrator = Annotated[Viewer, Depends(Access(Scope.ADMIN))]


@router.get("/v1/panels", responses=ok(PanelPage, "A page of panels and how they stand"))
async def list_panels(viewer: Reader, services: FromServices, page: PageOfQuery) -> Response:
    """List the panels that the key may see, and how each stands; the operator sees all. Oldest organization first."""
    key = read_cursor(_PANELS, page.cursor, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        found = await read_standings(raw, viewer, after=key[0] if key else None, limit=page.limit + 1)
    shown, more = cut(found, page.limit)
    now = services.clock.now()
    cursor = spell_cursor(_PANELS, shown[-1].organization_id) if more else None
    return JsonResponse(listing([one.document(now) for one in shown], cursor))


@router.get("/v1/panels/conflicts", responses=ok(PanelConflictPage, "A page of people who are claimed twice"))
async def list_panel_conflicts(
    viewer: Reader,
    services: FromServices,
    page: PageOfQuery,
    organization_id: Annotated[OrganizationId | None, Query(description="Only people whom this organization claims.")] = None,
    role: Annotated[Role | None, Query(description="Only claims as this.", examples=["behavioral_health_home"])] = None,
) -> Response:
    """List whom two organizations claim in one role of which a person has one (health home, behavioral health home, PCP).

    The operator sees every claim. An organization learns that its own member is claimed by another too, not by whom: where somebody
    else is cared for is not its to know. Found in the background, within minutes of an upload.
    """
    key = read_cursor(_CONFLICTS, page.cursor, read_uuid, _text)
    day = services.clock.now().astimezone(UTC).date()
    async with services.unit_of_work(viewer) as connection:
        found = await read_conflicts(
            await raw_connection(connection),
            viewer,
            day,
            organization_id=organization_id,
            role=None if role is None else role.value,
            after=(key[0], key[1]) if key else None,
            limit=page.limit + 1,
        )
        shown, more = cut(found, page.limit)
        saw(one.person_id for one in shown)
    cursor = spell_cursor(_CONFLICTS, shown[-1].person_id, shown[-1].role) if more else None
    return JsonResponse(listing([one.document() for one in shown], cursor))


@router.get("/v1/panels/{organization_id}", responses=ok(PanelDocument, "How the panel stands"))
async def show_panel(organization_id: OrganizationId, viewer: Reader, services: FromServices) -> Response:
    """Show how a panel stands: its age and what that makes it, its last upload, and how good it is."""
    async with services.unit_of_work(viewer) as connection:
        found = await find_standing(await raw_connection(connection), viewer, organization_id)
    if found is None:
        raise not_found("panel")
    return JsonResponse(found.document(services.clock.now()))


@router.patch(
    "/v1/panels/{organization_id}",
    responses=ok(PanelDocument, "How the panel stands now"),
    openapi_extra=refused(ProblemType.NOT_PERMITTED),
)
async def change_panel(organization_id: OrganizationId, body: PanelLimits, viewer: Administrator, services: FromServices) -> Response:
    """Set after how many days the panel is ageing, and expired. The operator's: the limits protect others than its owner."""
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        before = await find_standing(raw, viewer, organization_id)
        if before is None:
            raise not_found("panel")
        if not viewer.is_operator:
            raise ProblemError(ProblemType.NOT_PERMITTED, "Only the operator of the exchange may do this.")
        given = body.model_dump(exclude_none=True)
        limits = AgeLimits(
            given.get("warn_after_days", before.limits.warn_after_days), given.get("expire_after_days", before.limits.expire_after_days)
        )
        if limits.warn_after_days > limits.expire_after_days:
            raise invalid("/warn_after_days", "is after expire_after_days")
        await set_limits(raw, organization_id, limits)
        after = await find_standing(raw, viewer, organization_id)
    if after is None:
        raise not_found("panel")
    return JsonResponse(after.document(services.clock.now()))


def _text(value: Any) -> str:  # noqa: ANN401 - whatever the cursor held
    if not isinstance(value, str):
        raise TypeError
    return value

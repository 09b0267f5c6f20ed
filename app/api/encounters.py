"""`/v1/encounters`: stays as one may see them, and stays that somebody learned of himself."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response

from app.actions.present_encounters import present_encounters
from app.api.answers import JsonResponse, created, ok
from app.api.auth import Access, FromServices
from app.api.changes import ChangedAfter, changes_listing, committed, place_now, read_place
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, read_cursor, read_uuid, spell_cursor
from app.api.problems import invalid, not_found
from app.api.schemas.common import EncounterId, InstantOfQuery, OrganizationId, PersonId
from app.api.schemas.encounters import EncounterDocument, EncounterPage, NewEncounter
from app.api.services import Services
from app.domain.adt_event import EncounterClass
from app.domain.commit_order import Position
from app.domain.encounter import EncounterStatus
from app.domain.viewer import Scope, Viewer
from app.store.encounter_reads import EncounterFilter, find_encounter, list_encounters
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute, tags=["encounters"])

_LIST: Final = "encounters"
_CHANGED: Final = "encounters-changed"
_SOURCE: Final = Query(pattern="^(adt|reported)$", description="adt or reported.", examples=["reported"])
Reader = Annotated[Viewer, Depends(Access(Scope.NOTIFICATIONS_READ, Scope.FOLLOW_UPS_READ, Scope.ADT_WRITE))]
Reporter = Annotated[Viewer, Depends(Access(Scope.FOLLOW_UPS_WRITE))]


@router.get("/v1/encounters", responses=ok(EncounterPage, "A page of stays, newest first"))
async def list_stays(
    viewer: Reader,
    services: FromServices,
    page: PageOfQuery,
    facility: Annotated[OrganizationId | None, Query(description="Only at this hospital.")] = None,
    person_id: Annotated[PersonId | None, Query(description="Only of this person.")] = None,
    status: Annotated[EncounterStatus | None, Query(description="Only in this status.", examples=["finished"])] = None,
    class_: Annotated[EncounterClass | None, Query(alias="class", description="Only of this class.", examples=["inpatient"])] = None,
    source: Annotated[str | None, _SOURCE] = None,
    changed_since: Annotated[InstantOfQuery | None, Query(description="Only changed at or after.")] = None,
    changed_after: ChangedAfter = None,
) -> Response:
    """List stays, newest first: those at the key's own facility, those it reported, and those it may be told of.

    A page can have fewer items than `limit` although there are more: what may no longer be told is left out.
    """
    place = read_place(changed_after, changed_since)
    by_change = place is not None or changed_since is not None
    key = read_cursor(_CHANGED, page.cursor, read_uuid, Position.read) if by_change else read_cursor(_LIST, page.cursor, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        until = await place_now(raw, place, key[1] if key else None) if by_change else None
        wanted = EncounterFilter(facility, person_id, status, class_, source, changed_since, committed(place, until))
        found = await list_encounters(raw, viewer, wanted, after=key[0] if key else None, limit=page.limit + 1)
        rows, more = cut(found, page.limit)
        directory = await services.registry.current(raw)
        shown = await present_encounters(raw, viewer, rows, directory=directory, read_stay=services.read_stay)
    name, walk = (_LIST, []) if until is None else (_CHANGED, [until.spelled()])
    return JsonResponse(changes_listing(shown, spell_cursor(name, rows[-1].id, *walk) if more else None, until))


@router.get("/v1/encounters/{encounter_id}", responses=ok(EncounterDocument, "The stay"))
async def show_stay(encounter_id: EncounterId, viewer: Reader, services: FromServices) -> Response:
    """Show one stay, as much of it as the key may see."""
    shown = await _shown(services, viewer, encounter_id)
    if shown is None:
        raise not_found("encounter")
    return JsonResponse(shown)


@router.post("/v1/encounters", status_code=201, responses=ok(EncounterDocument, "The stay as it stands now", status=201))
async def report_stay(body: NewEncounter, viewer: Reporter, services: FromServices) -> Response:
    """Record a stay that the key's organization learned of itself.

    It opens follow-ups and clocks like any other, is shown beside the default rates and not in them, and becomes part of the ADT stay
    when one arrives.
    """
    now = services.clock.now()
    if viewer.organization_id is None:
        raise invalid("", "a stay is reported by an organization; use one of its keys")
    if body.latest > now:
        raise invalid("", "a stay is reported when it has begun or ended, and this is in the future")
    stay = body.stay(services.ids.new(), viewer.organization_id, now)
    if stay.facility_id is not None:
        async with services.unit_of_work(viewer) as connection:
            directory = await services.registry.current(await raw_connection(connection))
        if stay.facility_id not in directory.organizations:
            raise invalid("/facility_id", "names no organization; give facility_name")
    encounter_id = await services.report_stay(stay)
    # The ADT stay that a report became part of may be one that the reporter is not to be told of: then it sees its own report.
    shown = await _shown(services, viewer, encounter_id) or await _shown(services, viewer, stay.id)
    if shown is None:
        raise not_found("encounter")
    return created(shown, f"/v1/encounters/{shown['id']}")


async def _shown(services: Services, viewer: Viewer, encounter_id: EncounterId) -> dict[str, Any] | None:
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        found = await find_encounter(raw, viewer, encounter_id)
        if found is None:
            return None
        directory = await services.registry.current(raw)
        shown = await present_encounters(raw, viewer, [found], directory=directory, read_stay=services.read_stay, with_documents=True)
    return shown[0] if shown else None

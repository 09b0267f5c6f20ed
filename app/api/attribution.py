"""`/v1/encounters/{id}/why` and `/v1/referral-candidates`: why them, why not them, and who has nobody."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response

from app.api.answers import JsonResponse, ok, refused
from app.api.auth import Access, Administrator, FromServices
from app.api.candidates import candidates_of
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemError, ProblemType, invalid, not_found
from app.api.schemas.attribution import CandidatesForReferral, EncounterWhyDocument, referral_json
from app.api.schemas.common import EncounterId, OrganizationId
from app.api.services import Services
from app.api.tellable import tellable
from app.domain.adt_event import IdentifierType
from app.domain.organization import COVERING_KINDS
from app.domain.privacy import Tier
from app.domain.public_id import Kind, public_id
from app.domain.telling import person_content
from app.domain.viewer import OPERATOR, Scope, Viewer
from app.store import attribution_reads, people
from app.store.attribution_reads import Homeless
from app.store.audit import saw
from app.store.encounter_reads import find_encounter
from app.store.engine import raw_connection
from app.store.sources import know_sources

router = APIRouter(route_class=GuardedRoute, tags=["attribution"])

_CANDIDATES: Final = "referral-candidates"
_PERIOD_DEFAULT: Final = timedelta(days=30)
Reader = Annotated[Viewer, Depends(Access(Scope.MEMBERS_READ, Scope.FOLLOW_UPS_READ))]


@router.get(
    "/v1/encounters/{encounter_id}/why",
    responses=ok(EncounterWhyDocument, "Everybody who could have been told, and why they are or are not"),
    openapi_extra=refused(ProblemType.NOT_PERMITTED, ProblemType.NOT_FOUND),
)
async def why_encounter(
    encounter_id: EncounterId,
    viewer: Administrator,
    services: FromServices,
    organization_id: Annotated[OrganizationId | None, Query(description="Only this one, whether it claims the person or not.")] = None,
) -> Response:
    """Say who is told of a stay and who is not, each with the reasons: what the rules say now, and what was decided when.

    For the operator: why something was withheld may itself be what is protected.
    """
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        found = await find_encounter(raw, viewer, encounter_id)
        if found is None:
            raise not_found("encounter")
        if not viewer.is_operator:
            raise ProblemError(ProblemType.NOT_PERMITTED, "Only the operator of the exchange may ask this; ask for a notification's why.")
        if organization_id is not None and organization_id not in directory.organizations:
            raise not_found("organization")
        candidates = await candidates_of(services, raw, found, directory, only=organization_id)
        saw([found.person_id])
    return JsonResponse(
        {
            "encounter_id": public_id(Kind.ENCOUNTER, found.id),
            "person_id": public_id(Kind.PERSON, found.person_id),
            "precedence": services.follow_ups.rulebook.precedence.version,
            "candidates": candidates,
        }
    )


@router.get(
    "/v1/referral-candidates",
    responses=ok(CandidatesForReferral, "A page of discharges without a home, newest first"),
)
async def list_referral_candidates(
    viewer: Reader,
    services: FromServices,
    page: PageOfQuery,
    since: Annotated[date | None, Query(description="Discharged on or after; default 30 days ago.", examples=["2026-11-01"])] = None,
    until: Annotated[date | None, Query(description="Discharged on or before; default today.", examples=["2026-11-30"])] = None,
) -> Response:
    """List people with a behavioral discharge who are eligible for a home and have none (SSA section 1945(d)).

    For the operator, and for a plan or an agency of those it covered on the day; others cover nobody. No home is told by this: referring
    is theirs to do.
    """
    today = services.clock.now().date()
    until = until or today
    since = since or until - _PERIOD_DEFAULT
    if since > until:
        raise invalid("/since", "is after until", where="query")
    after = read_cursor(_CANDIDATES, page.cursor, date.fromisoformat, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        directory = await services.registry.current(await raw_connection(connection))
    reader = directory.organizations.get(viewer.organization_id) if viewer.organization_id and not viewer.is_operator else None
    if not viewer.is_operator and (reader is None or reader.kind not in COVERING_KINDS):
        return JsonResponse(listing([], None))
    shown: list[Homeless] = []
    has_more = True
    # A page is filled with what may be told: neither its length nor where it ends gives away that something is left out.
    while has_more and len(shown) <= page.limit:
        async with services.unit_of_work(viewer) as connection:
            found = await attribution_reads.without_home(
                await raw_connection(connection),
                viewer,
                since=since,
                until=until,
                today=today,
                after=(after[0], after[1]) if after else None,
                limit=page.limit + 1,
            )
        has_more = len(found) > page.limit
        after = (found[-1].discharged_on, found[-1].encounter_id) if found else None
        known = await tellable(services, [(one.encounter_id, reader.id) for one in found]) if reader else frozenset()
        shown += [one for one in found if reader is None or (one.encounter_id, reader.id) in known]
    rows, more = cut(shown, page.limit)
    saw(one.person_id for one in rows)
    if not viewer.is_operator:
        rows = await _as_far_as_known(services, viewer, rows)
    cursor = spell_cursor(_CANDIDATES, rows[-1].discharged_on, rows[-1].encounter_id) if more else None
    return JsonResponse(listing([referral_json(one) for one in rows], cursor))


async def _as_far_as_known(services: Services, viewer: Viewer, rows: Collection[Homeless]) -> Sequence[Homeless]:
    """Say of a Medicaid number only where the viewer reads it of the person: that somebody gave one tells that they know the person."""
    if not rows:
        return []
    # As the operator: what is hidden is judged by stays and papers that the viewer does not see.
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        records = await people.describe(raw, {one.person_id for one in rows})
        sources = await know_sources(raw, records, None, directory=directory, read_stay=services.read_stay)
    shown = {
        one: person_content(one, sources.seen(one, viewer), viewer.organization_id, Tier.MINIMAL, directory)["identifiers"]
        for one in records
    }
    with_number = {one for one, said in shown.items() if any(number["type"] == IdentifierType.MEDICAID for number in said)}
    return [replace(one, has_medicaid=one.person_id in with_number) for one in rows]

"""`/v1/members`: the plan's question, only for people on the panel uploaded for its organization.

The identifier may be any that any source gave for such a person, the hospital's too. Not here: whole panels (panels.py).
"""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from app.api.answers import JsonResponse, ok, refused
from app.api.auth import Access, FromServices
from app.api.follow_ups import follow_up_page
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, listing
from app.api.problems import ProblemType, invalid, not_found
from app.api.schemas.common import OrganizationId, PersonId
from app.api.schemas.follow_ups import FollowUpPage
from app.api.schemas.members import IDENTIFIER_LENGTH_MAX, MemberPage, MemberSearch, member_json, read_identifier
from app.api.services import Services
from app.domain.adt_event import Identifier
from app.domain.panel import PanelMember
from app.domain.person import ADT_SOURCE
from app.domain.privacy import Tier
from app.domain.sources import Sources
from app.domain.telling import person_content
from app.domain.viewer import Scope, Viewer
from app.store import people
from app.store.audit import saw
from app.store.engine import raw_connection
from app.store.follow_up_reads import FollowUpFilter
from app.store.members import is_member
from app.store.panels import find_members
from app.store.sources import know_sources

router = APIRouter(route_class=GuardedRoute, tags=["members"])

Reader = Annotated[Viewer, Depends(Access(Scope.MEMBERS_READ))]
_Whose = Annotated[OrganizationId | None, Query(description="Whose members; the key's own when left out, the operator must say.")]


@router.get("/v1/members", responses=ok(MemberPage, "The members with this identifier"), openapi_extra=refused(ProblemType.NOT_FOUND))
async def find_member(
    viewer: Reader,
    services: FromServices,
    identifier: Annotated[
        str,
        Query(
            max_length=IDENTIFIER_LENGTH_MAX,
            description="SYSTEM|VALUE; |VALUE for a number of a roster that named no system. Better: POST /v1/members/search.",
            examples=["MAINECARE|MC1"],
        ),
    ],
    as_of: Annotated[date | None, Query(description="Only with a claim that holds on this day.")] = None,
    organization_id: _Whose = None,
) -> Response:
    """Find members by an identifier. `POST /v1/members/search` does the same without a patient's number in an address."""
    wanted = read_identifier(identifier)
    if wanted is None:
        raise invalid("/identifier", "is not SYSTEM|VALUE", where="query")
    return JsonResponse(await _members(services, viewer, organization_id, wanted, as_of))


@router.post(
    "/v1/members/search", responses=ok(MemberPage, "The members with this identifier"), openapi_extra=refused(ProblemType.NOT_FOUND)
)
async def search_members(body: MemberSearch, viewer: Reader, services: FromServices, organization_id: _Whose = None) -> Response:
    """Find members by an identifier, with it in the body."""
    return JsonResponse(await _members(services, viewer, organization_id, body.wanted(), body.as_of))


@router.get("/v1/members/{person_id}/follow-ups", responses=ok(FollowUpPage, "A page of the member's follow-ups"))
async def list_member_follow_ups(
    person_id: PersonId, viewer: Reader, services: FromServices, page: PageOfQuery, organization_id: _Whose = None
) -> Response:
    """Show what became of a member's discharges: clocks and measures, and why. For a plan status only, and only while it covered them."""
    whose = _whose(viewer, organization_id)
    async with services.unit_of_work(viewer) as connection:
        if not await is_member(await raw_connection(connection), viewer, whose, person_id):
            raise not_found("member")
    wanted = FollowUpFilter(person_id=person_id)
    return JsonResponse(await follow_up_page(services, viewer, wanted, page.cursor, page.limit))


def _whose(viewer: Viewer, organization_id: UUID | None) -> UUID:
    if viewer.is_operator:
        if organization_id is None:
            raise invalid("/organization_id", "is needed: this key belongs to no organization, so say whose members", where="query")
        return organization_id
    if viewer.organization_id is None or organization_id not in (None, viewer.organization_id):
        raise not_found("organization")
    return viewer.organization_id


def _may_find(wanted: Identifier, sources: Sources, person_id: UUID, whose: UUID) -> bool:
    """Tell whether the number is one that may be known of the person."""
    if not sources.hides(person_id, whose) and not sources.directory.parted:
        return True
    authorities = (wanted.authority.strip().upper(), *(() if wanted.authority.strip() else (str(whose).upper(),)))
    told = ((record, one) for record in sources.told(person_id, whose) for one in record.identifiers)
    return any(
        one.value == wanted.value.strip()
        and one.authority.upper() in authorities
        and not (record.source == ADT_SOURCE and sources.directory.may_name_part(one, record.own.authority, whose))
        for record, one in told
    )


async def _members(
    services: Services, viewer: Viewer, organization_id: UUID | None, wanted: Identifier, as_of: date | None
) -> dict[str, Any]:
    whose = _whose(viewer, organization_id)
    async with services.unit_of_work(viewer) as connection:
        directory = await services.registry.current(await raw_connection(connection))
        if directory.conceals(wanted.authority, whose):
            return listing([], None)
        claims = await find_members(connection, viewer, whose, wanted, as_of=as_of)
        by_person: dict[UUID, list[PanelMember]] = {}
        for claim in claims:
            by_person.setdefault(claim.person_id, []).append(claim)
        raw = await raw_connection(connection)
        records = await people.describe(raw, by_person) if by_person else {}
        sources = await know_sources(raw, records, None, directory=directory, read_stay=services.read_stay)
        # That a number finds somebody tells whose it is: one that may not be known finds nobody.
        by_person = {one: found for one, found in by_person.items() if _may_find(wanted, sources, one, whose)}
        saw(by_person)
    shown = [
        member_json(person_content(person_id, sources.told(person_id, whose), whose, Tier.MINIMAL, directory), found)
        for person_id, found in by_person.items()
    ]
    return listing(shown, None)

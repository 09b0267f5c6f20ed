"""`/v1/disclosures`: to whom a person's events were told; `/v1/reports/cop-evidence`: a hospital's evidence of notification.

The accounting is the operator's, who answers the person (42 CFR 2.24, 45 CFR 164.528): it names every recipient. The evidence is the
hospital's and the operator's; what a hospital is shown of recipients is in actions/evidence.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from app.actions.account import Reach, account
from app.actions.evidence import COLUMNS, evidence, lines
from app.api.answers import JsonResponse, ok, plain, refused
from app.api.auth import Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemError, ProblemType, invalid, not_found
from app.api.schemas.common import InstantOfQuery, OrganizationId, PersonId
from app.api.schemas.disclosures import DisclosurePage, DisclosureSearch, EvidencePage
from app.api.schemas.members import read_identifier
from app.api.services import Services
from app.domain.organization import OrganizationKind
from app.domain.viewer import OPERATOR, Viewer
from app.standards.retention_rules import retention_rules, years_before
from app.store import disclosure_reads
from app.store.audit import saw
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute, tags=["audit"])

_LIST: Final = "disclosures"
_EVIDENCE: Final = "cop-evidence"
_PERIOD_MAX: Final = timedelta(days=92)
"""Our policy: a quarter at once."""
_STAYS_A_READ: Final = 500
_Whose = Annotated[OrganizationId | None, Query(description="Which hospital; the key's own when left out, the operator must say.")]
_Since = Annotated[InstantOfQuery, Query(description="Events at or after.", examples=["2026-03-01T00:00:00-05:00"])]
_Until = Annotated[InstantOfQuery, Query(description="Events before; at most 92 days later.", examples=["2026-04-01T00:00:00-04:00"])]


@router.get("/v1/disclosures", responses=ok(DisclosurePage, "A page of disclosures"), openapi_extra=refused(ProblemType.NOT_PERMITTED))
async def list_disclosures(
    viewer: Administrator,
    services: FromServices,
    page: PageOfQuery,
    person_id: Annotated[PersonId, Query(description="Whose. By a number: POST /v1/disclosures/search.")],
) -> Response:
    """List to whom a person's events were told in six years, oldest first, each with its basis and the lists it is on."""
    return await _accounting(services, viewer, [person_id], page.cursor, page.limit)


@router.post(
    "/v1/disclosures/search", responses=ok(DisclosurePage, "A page of disclosures"), openapi_extra=refused(ProblemType.NOT_PERMITTED)
)
async def search_disclosures(body: DisclosureSearch, viewer: Administrator, services: FromServices) -> Response:
    """List the same for whoever has an identifier, with it in the body."""
    people = [] if body.person_id is None else [body.person_id]
    if body.identifier is not None and viewer.is_operator:
        wanted = read_identifier(body.identifier)
        assert wanted is not None  # noqa: S101 - the body was read
        async with services.unit_of_work(OPERATOR) as connection:
            people = await disclosure_reads.people_with(await raw_connection(connection), wanted.authority, wanted.value)
    return await _accounting(services, viewer, people, body.after, body.limit)


async def _accounting(services: Services, viewer: Viewer, people: list[UUID], cursor: str | None, limit: int) -> Response:
    key = read_cursor(_LIST, cursor, read_uuid)
    if not viewer.is_operator:
        raise ProblemError(ProblemType.NOT_PERMITTED, "Only the operator of the exchange may ask this: it names every recipient.")
    now, rules = services.clock.now(), retention_rules()
    reach = Reach(years_before(now, rules.part2_list_years), years_before(now, rules.accounting_years))
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        found = await account(raw, people, reach, directory, after=key[0] if key else None, limit=limit + 1)
        shown, more = cut(found, limit)
        saw([*people, *(person for _, person, _ in shown)])
    return JsonResponse(listing([document for _, _, document in shown], spell_cursor(_LIST, shown[-1][0]) if more else None))


@router.get(
    "/v1/reports/cop-evidence", responses=ok(EvidencePage, "A page of events, by stay"), openapi_extra=refused(ProblemType.NOT_FOUND)
)
async def show_evidence(
    viewer: Administrator, services: FromServices, page: PageOfQuery, since: _Since, until: _Until, organization_id: _Whose = None
) -> Response:
    """Show every admission and discharge of a hospital, who was told how and when, or why nobody was (42 CFR 482.24(d)).

    `limit` counts stays; a stay that began and ended in the period is two events.
    """
    key = read_cursor(_EVIDENCE, page.cursor, read_uuid)
    facility = await _hospital(services, viewer, organization_id, since, until)
    events, last = await _page(services, viewer, facility, since, until, key[0] if key else UUID(int=0), page.limit)
    return JsonResponse(listing(events, spell_cursor(_EVIDENCE, last) if last else None))


@router.get(
    "/v1/reports/cop-evidence.csv",
    responses=plain("A line for each event and recipient", media_type="text/csv"),
    openapi_extra=refused(ProblemType.NOT_FOUND),
)
async def export_evidence(
    viewer: Administrator, services: FromServices, since: _Since, until: _Until, organization_id: _Whose = None
) -> Response:
    """Give the same as a file."""
    facility = await _hospital(services, viewer, organization_id, since, until)

    async def parts() -> AsyncIterator[bytes]:
        yield services.write_table([COLUMNS])
        last: UUID | None = UUID(int=0)
        while last is not None:
            events, last = await _page(services, viewer, facility, since, until, last, _STAYS_A_READ)
            yield services.write_table(lines(events))

    headers = {"Content-Disposition": 'attachment; filename="cop-evidence.csv"'}
    return StreamingResponse(parts(), media_type="text/csv; charset=utf-8", headers=headers)


async def _hospital(services: Services, viewer: Viewer, organization_id: UUID | None, since: datetime, until: datetime) -> UUID:
    facility_id = organization_id or viewer.organization_id
    if facility_id is None:
        raise invalid("/organization_id", "is needed: this key belongs to no organization, so say which hospital", where="query")
    if not since < until <= since + _PERIOD_MAX:
        raise invalid("/until", "is not after since, or more than 92 days later", where="query")
    async with services.unit_of_work(viewer) as connection:
        directory = await services.registry.current(await raw_connection(connection))
    found = directory.organizations.get(facility_id)
    if found is None or found.kind is not OrganizationKind.HOSPITAL or not (viewer.is_operator or facility_id == viewer.organization_id):
        raise not_found("hospital")
    return facility_id


async def _page(
    services: Services, viewer: Viewer, facility_id: UUID, since: datetime, until: datetime, after: UUID, limit: int
) -> tuple[list[dict[str, Any]], UUID | None]:
    # As the exchange: what others were told is theirs; what of it the hospital may see is decided in actions/evidence.
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        return await evidence(raw, facility_id, since, until, directory, is_operator=viewer.is_operator, after=after, limit=limit)

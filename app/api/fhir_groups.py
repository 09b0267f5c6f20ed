"""`/fhir/Group`: panels as Da Vinci member attribution lists, and members added to and removed from them one by one (ATR-1).

A group has as many members as its panel: it is read whole up to a bound, beyond that page by page. Added and removed members go the way
of a roster's rows. Not here: FHIR itself (adapters/fhir/groups), the rules (domain/panel_group).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Response

from app.actions.load_panel import Upload, load_panel
from app.api.answers import FhirResponse, refused
from app.api.auth import Access, FromServices
from app.api.guard import JSON, GuardedRoute, require_content_type
from app.api.operation_outcome import FACE, FHIR_JSON, outcome_of_issues
from app.api.paging import cut, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemError, ProblemType, not_found
from app.api.schemas.common import OrganizationId
from app.api.services import Services
from app.domain.calendar import local_date
from app.domain.inbound import Problem, ProblemCode, Severity
from app.domain.organization import Organization
from app.domain.panel import UploadMode
from app.domain.panel_group import GroupMember, ListedRows, rows_to_add, rows_to_remove
from app.domain.public_id import Kind, public_id, read_public_id
from app.domain.roster import RowError
from app.domain.viewer import Scope, Viewer
from app.store.audit import saw
from app.store.engine import raw_connection
from app.store.organizations import find_organization, manages
from app.store.panel_groups import held_of, read_groups, read_members

router = APIRouter(route_class=GuardedRoute, tags=["fhir"])

MEMBERS_MAX: Final = 1000
"""Our policy: so many members are read at once. A group of a million in one document is a file, not an answer."""
_GROUPS_PAGE: Final = 50
_NPI: Final = "http://hl7.org/fhir/sid/us-npi"
_URN: Final = "urn:uuid:"
_GROUPS: Final = "fhir-groups"
_MEMBERS: Final = "fhir-group-members"

Reader = Annotated[Viewer, Depends(Access(Scope.PANELS_WRITE, Scope.MEMBERS_READ))]
Keeper = Annotated[Viewer, Depends(Access(Scope.PANELS_WRITE))]
Count = Annotated[int | None, Query(alias="_count", ge=1, le=MEMBERS_MAX, description="How many at most.", examples=[100])]
PageCursor = Annotated[
    str | None, Query(alias="page", max_length=512, description="From the next link of the page before.", examples=[None])
]
_PARAMETERS: Final = {
    "resourceType": "Parameters",
    "parameter": [
        {"name": "memberId", "valueIdentifier": {"system": "HOMEB", "value": "H-1"}},
        {"name": "providerNpi", "valueIdentifier": {"system": _NPI, "value": "1234567893"}},
        {"name": "attributionPeriod", "valuePeriod": {"start": "2026-03-01"}},
    ],
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "memberId or patientReference; providerNpi or providerReference, coverageReference, attributionPeriod. Of our own: "
        "program (valueString), where the member has none or several; patient (resource), who is not known to the panel yet.",
        "content": {
            media_type: {"schema": {"type": "object"}, "examples": {"member": {"value": _PARAMETERS}}} for media_type in (FHIR_JSON, JSON)
        },
    }
}


def _answer(description: str, example: Any) -> dict[int | str, dict[str, Any]]:  # noqa: ANN401 - any JSON value
    return {
        200: {
            "description": description,
            "content": {FHIR_JSON: {"schema": {"type": "object"}, "examples": {"typical": {"value": example}}}},
        }
    }


_DONE: Final = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "information", "code": "informational", "diagnostics": "The panel was changed: added 1."}],
}


@router.get("/fhir/Group", responses=_answer("A Bundle of groups without their members", {"resourceType": "Bundle", "type": "searchset"}))
async def search_groups(
    request: Request,
    viewer: Reader,
    services: FromServices,
    id_: Annotated[str | None, Query(alias="_id", max_length=100, description="The id of a group.")] = None,
    identifier: Annotated[
        str | None,
        Query(
            max_length=200, description="SYSTEM|VALUE: the owner's NPI, or urn:ietf:rfc:3986|urn:uuid:…", examples=[f"{_NPI}|1234567893"]
        ),
    ] = None,
    name: Annotated[str | None, Query(max_length=200, description="The beginning of the owner's name, in any case.")] = None,
    managing_entity: Annotated[
        str | None, Query(alias="managing-entity", max_length=200, description="Organization/ and the id of the owner.")
    ] = None,
    count: Count = None,
    page: PageCursor = None,
) -> Response:
    """Find the groups that the key may see: one for each panel, without members (read a group for those)."""
    limit = min(count or _GROUPS_PAGE, _GROUPS_PAGE)
    named = [_owner(one) for one in (id_, managing_entity) if one is not None]
    npi, number = _numbers(identifier) if identifier is not None else (None, None)
    if identifier is not None and npi is None:
        named.append(number)
    # All that is asked has to fit: two different ids, or one that is none, find nothing.
    wanted = [one for one in dict.fromkeys(named) if one is not None]
    ids = None if not named else wanted if len(set(named)) == 1 else []
    key = read_cursor(_GROUPS, page, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        found = await read_groups(
            await raw_connection(connection),
            viewer,
            ids=ids,
            npi=npi,
            name=name,
            after=key[0] if key else None,
            limit=limit + 1,
        )
    shown, more = cut(found, limit)
    today = services.clock.now().date()
    groups = [services.groups.group(one, (), today, is_whole=False) for one in shown]
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "page"]
    next_url = _path("Group", [*asked, ("page", spell_cursor(_GROUPS, shown[-1].organization_id))]) if more else None
    return FhirResponse(services.groups.bundle(groups, self_url=_path("Group", asked), next_url=next_url))


@router.get(
    "/fhir/Group/{organization_id}",
    responses=_answer("The group", {"resourceType": "Group", "type": "person", "actual": True}),
)
async def read_group(
    organization_id: OrganizationId, viewer: Reader, services: FromServices, count: Count = None, page: PageCursor = None
) -> Response:
    """Read a group with its members: whole up to a thousand, else with `_count` page by page; the next page is in the header Link.

    A group of which not all members are shown bears the tag SUBSETTED. Members who left are shown as dropped for 90 days.
    """
    key = read_cursor(_MEMBERS, page, read_uuid)
    limit = count or MEMBERS_MAX
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        organization = await find_organization(connection, viewer, organization_id)
        panels = await read_groups(raw, viewer, ids=[organization_id], limit=1)
        if organization is None or not panels:
            raise not_found("group")
        today = _today(services, organization)
        found = await read_members(raw, organization_id, today, after=key[0] if key else None, limit=limit + 1)
        shown, more = cut(found, limit)
        saw(one.person_id for one in shown)
    if more and count is None:
        sentence = f"The group has more than {MEMBERS_MAX} members. Read it page by page with _count, and follow the header Link."
        raise ProblemError(ProblemType.INVALID, sentence)
    group = services.groups.group(panels[0], shown, today, is_whole=not more and key is None)
    headers = {}
    if more:
        query = urlencode({"_count": limit, "page": spell_cursor(_MEMBERS, shown[-1].id)})
        headers["Link"] = f'<{FACE}/Group/{organization_id.hex}?{query}>; rel="next"'
    return FhirResponse(group, headers=headers)


@router.post(
    "/fhir/Group/{organization_id}/$member-add",
    responses=_answer("The member is on the panel", _DONE),
    openapi_extra=refused(ProblemType.MALFORMED_JSON, ProblemType.INVALID) | _BODY,
)
async def add_member(organization_id: OrganizationId, request: Request, viewer: Keeper, services: FromServices) -> Response:
    """Put a member on the panel, as a row of a roster would. Added twice is added once; a member who left comes back.

    404: nobody is known by that number, and no `patient` came along. 422: a parameter or the row is not right, or the number is that of
    several members; nothing was changed.
    """
    return await _change(organization_id, request, viewer, services, is_removal=False)


@router.post(
    "/fhir/Group/{organization_id}/$member-remove",
    responses=_answer("The member is off the panel", _DONE),
    openapi_extra=refused(ProblemType.MALFORMED_JSON, ProblemType.INVALID) | _BODY,
)
async def remove_member(organization_id: OrganizationId, request: Request, viewer: Keeper, services: FromServices) -> Response:
    """End all the panel's claims on a member, or those of one provider: today, or after the last day of attributionPeriod.

    404: nobody on the panel is named so now. 422: a parameter is not right, or the number is that of several members; nothing was changed.
    """
    return await _change(organization_id, request, viewer, services, is_removal=True)


async def _change(organization_id: UUID, request: Request, viewer: Viewer, services: Services, *, is_removal: bool) -> Response:
    require_content_type(request, (FHIR_JSON, JSON))
    document = await request.json()
    async with services.unit_of_work(viewer) as connection:
        organization = await find_organization(connection, viewer, organization_id)
    if organization is None or not manages(viewer, organization_id):
        raise not_found("group")
    ask = services.groups.ask(document)
    if isinstance(ask, Sequence):
        return _refused(ask)
    held: list[GroupMember] = []
    today = _today(services, organization)
    async with services.unit_of_work(viewer) as connection:
        if ask.member is not None or ask.person_id is not None:
            raw = await raw_connection(connection)
            held = await held_of(raw, organization_id, ask.member, ask.person_id)
            people = {claim.person_id for claim in held if not claim.is_over(today)}
            if is_removal and ask.member is not None and len(people) == 1:
                # The number names the member; what ends is all of theirs, under whichever of their numbers the panel has it (ATR).
                held = await held_of(raw, organization_id, None, people.pop())
    rows = (rows_to_remove if is_removal else rows_to_add)(ask, held, today)
    if isinstance(rows, Problem):
        return _refused([rows])
    return await _load(services, organization, rows, "$member-remove" if is_removal else "$member-add")


async def _load(services: Services, organization: Organization, rows: Sequence[dict[str, str]], operation: str) -> Response:
    panels = replace(services.panels, open_reader=lambda: ListedRows(rows))
    # By the hand of the owner, one by one: no guard. A row that is refused changes nothing.
    upload = Upload(UploadMode.DELTA, force=True, file_name=operation)
    result = await load_panel(panels, organization, ListedRows.octets(rows), upload, now=services.clock.now())
    if result.rejected:
        return _refused([_of_row(one) for one in result.errors])
    services.waker.wake("inbound")
    difference = result.difference
    counts = {"added": difference.added, "changed": difference.changed, "unchanged": difference.unchanged, "ended": difference.removed}
    said = ", ".join(f"{name} {number}" for name, number in counts.items() if number)
    sentence = f"The panel was changed: {said or 'nothing'}. It can be looked at as the upload {public_id(Kind.UPLOAD, result.id)}."
    return FhirResponse(outcome_of_issues([Problem(ProblemCode.ACCEPTED, Severity.INFORMATION, "", sentence)]))


def _of_row(error: RowError) -> Problem:
    return Problem(ProblemCode.DATA_TYPE, Severity.ERROR, "Parameters.parameter", f"{error.column}: {error.message}")


def _refused(problems: Sequence[Problem]) -> Response:
    is_unknown = any(problem.code is ProblemCode.UNKNOWN_KEY for problem in problems)
    return FhirResponse(outcome_of_issues(problems), status_code=404 if is_unknown else 422)


def _today(services: Services, organization: Organization) -> date:
    return local_date(services.clock.now(), ZoneInfo(organization.time_zone))


def _path(path: str, query: Sequence[tuple[str, str]]) -> str:
    return f"{FACE}/{path}" + (f"?{urlencode(query)}" if query else "")


def _owner(text: str) -> UUID | None:
    """Read the id of an organization: bare, ours, or at the end of a reference."""
    return read_public_id(Kind.ORGANIZATION, text.rpartition("/")[2])


def _numbers(text: str) -> tuple[str | None, UUID | None]:
    """Read an identifier: the NPI it is, else the id of the group, else nothing that fits."""
    system, bar, value = text.rpartition("|")
    if value.startswith(_URN):
        return None, _owner(value.removeprefix(_URN))
    return (value, None) if system == _NPI or not bar else (None, None)

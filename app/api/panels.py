"""`/v1/panels`: rosters in, who is on a panel, and the refused rows as a file that can be mended and sent again."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import StringConstraints

from app.actions.load_panel import Upload, load_panel
from app.api.answers import JsonResponse, ok, plain, refused
from app.api.auth import Access, FromServices
from app.api.guard import GuardedRoute, require_content_type
from app.api.limits import BodyKind, too_large
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.panel_consents import known_pack, rehearsed
from app.api.problems import ProblemError, ProblemType, not_found
from app.api.schemas.common import InstantOfQuery, OrganizationId, UploadId
from app.api.schemas.panels import (
    MemberClaimPage,
    PastUploadDocument,
    UploadDocument,
    UploadPage,
    member_claim_json,
    past_upload_json,
    row_errors_json,
)
from app.api.services import Services
from app.domain.calendar import local_date
from app.domain.organization import Organization
from app.domain.panel import PanelWouldShrinkError, RosterTooLargeError, UploadMode
from app.domain.roster import RosterRefusedError
from app.domain.viewer import Scope, Viewer
from app.store import panels as store
from app.store.audit import saw
from app.store.organizations import find_organization, manages

router = APIRouter(route_class=GuardedRoute, tags=["panels"])

CONTENT_TYPES: Final = ("text/csv", "application/csv", "text/plain", "application/octet-stream", "application/vnd.ms-excel")
_UPLOADS: Final = "uploads"
_MEMBERS: Final = "panel-members"
_ROWS_A_READ: Final = 1000
_EXAMPLE: Final = (
    "member_id,first_name,last_name,birth_date,sex,medicaid_id,program,effective_from\n"
    "H-1001,Ann,Testperson,1980-01-02,F,MC1,BHH,2026-01-01\n"
)
_BODY: Final = {
    "requestBody": {
        "required": True,
        "description": "CSV with a header; columns in any order, unknown ones are kept and reported.",
        "content": {"text/csv": {"schema": {"type": "string"}, "examples": {"roster": {"value": _EXAMPLE}}}},
    }
}

Uploader = Annotated[Viewer, Depends(Access(Scope.PANELS_WRITE, body=BodyKind.ROSTER))]
Keeper = Annotated[Viewer, Depends(Access(Scope.PANELS_WRITE))]
Reader = Annotated[Viewer, Depends(Access(Scope.PANELS_WRITE, Scope.MEMBERS_READ))]


@router.post(
    "/v1/panels/{organization_id}/uploads",
    status_code=201,
    responses=ok(UploadDocument, "Taken: what it changed", status=201) | ok(UploadDocument, "Dry run: what it would change"),
    openapi_extra=refused(ProblemType.CONFLICT, ProblemType.INVALID) | _BODY,
)
async def upload_roster(
    organization_id: OrganizationId,
    request: Request,
    viewer: Uploader,
    services: FromServices,
    mode: Annotated[
        UploadMode,
        Query(
            description="delta: rows add, change and, with change_type, remove; replace: the file is the whole panel, what is missing ends."
        ),
    ] = UploadMode.DELTA,
    dry_run: Annotated[bool, Query(description="Say what would change, and change nothing.")] = False,  # noqa: FBT002 - a query parameter
    force: Annotated[bool, Query(description="Let it end more than the guard allows, and take numbers of somebody else.")] = False,  # noqa: FBT002 - a query parameter
    file_name: Annotated[str, Query(max_length=200, description="For people, in the list of uploads.", examples=["panel-march.csv"])] = "",
    privacy_pack: Annotated[
        str | None,
        StringConstraints(max_length=80),
        Query(description="Of a dry run: whose rules say who would be silent; left out: the federal rules alone", examples=["us-me"]),
    ] = None,
) -> Response:
    """Load a roster onto an organization's panel.

    Good rows are taken although others are bad; the bad ones are named by row, column, reason and remedy, and given back by
    `rejected.csv` as a file that can be mended and sent again. A replace that would end many claims needs `force`. The file is read as
    it comes, so it can be large. A dry run says too of how many there would be silence, and why, by what the rows assert and what is on
    file.
    """
    if "content-type" in request.headers:
        require_content_type(request, CONTENT_TYPES)
    pack = known_pack(services, privacy_pack)
    organization = await _managed(services, viewer, organization_id)
    upload = Upload(mode, dry_run, force, file_name, reader_id=None if viewer.is_operator else viewer.organization_id)
    try:
        result = await load_panel(services.panels, organization, request.stream(), upload, now=services.clock.now())
    except RosterRefusedError as refusal:
        extra = {"rows": row_errors_json(refusal.errors)}
        raise ProblemError(ProblemType.INVALID, "The file cannot be read as a roster; nothing was taken. See rows.", extra=extra) from None
    except RosterTooLargeError as error:
        raise too_large(error.bytes_max) from None
    except PanelWouldShrinkError as error:
        raise ProblemError(ProblemType.CONFLICT, str(error)) from None
    if dry_run:
        silence = await rehearsed(services, organization, result.signed, pack)
        return JsonResponse(result.document() | {"silence": silence})
    services.waker.wake("inbound")
    return JsonResponse(result.document() | {"silence": None}, status_code=201)


@router.get("/v1/panels/{organization_id}/uploads", responses=ok(UploadPage, "A page of uploads, newest first"))
async def list_uploads(organization_id: OrganizationId, viewer: Keeper, services: FromServices, page: PageOfQuery) -> Response:
    """List the uploads of a panel, dry runs too, newest first."""
    await _managed(services, viewer, organization_id)
    key = read_cursor(_UPLOADS, page.cursor, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        found = await store.uploads(connection, viewer, organization_id, before=key[0] if key else None, limit=page.limit + 1)
    shown, more = cut(found, page.limit)
    return JsonResponse(listing([past_upload_json(one) for one in shown], spell_cursor(_UPLOADS, shown[-1].id) if more else None))


@router.get("/v1/panels/{organization_id}/uploads/{upload_id}", responses=ok(PastUploadDocument, "The upload"))
async def show_upload(organization_id: OrganizationId, upload_id: UploadId, viewer: Keeper, services: FromServices) -> Response:
    """Show one upload."""
    return JsonResponse(past_upload_json(await _upload(services, viewer, organization_id, upload_id)))


@router.get(
    "/v1/panels/{organization_id}/uploads/{upload_id}/rejected.csv",
    responses=plain("The refused rows as sent, with a column that says why", media_type="text/csv"),
)
async def rejected_rows(organization_id: OrganizationId, upload_id: UploadId, viewer: Keeper, services: FromServices) -> Response:
    """Give the refused rows of an upload as a file: mend them and send the same file again with `mode=delta`."""
    upload = await _upload(services, viewer, organization_id, upload_id)
    lines = _refused_lines(services, viewer, upload_id, upload.header)
    headers = {"Content-Disposition": 'attachment; filename="rejected.csv"'}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/v1/panels/{organization_id}/members", responses=ok(MemberClaimPage, "A page of the panel"))
async def list_panel(
    organization_id: OrganizationId,
    viewer: Reader,
    services: FromServices,
    page: PageOfQuery,
    as_of: Annotated[date | None, Query(description="On this day; today where the organization is when left out.")] = None,
    known_at: Annotated[InstantOfQuery | None, Query(description="As it was known at this instant; now when left out.")] = None,
) -> Response:
    """List who is on the panel, as of a day, as known now or then."""
    organization = await _visible(services, viewer, organization_id)
    key = read_cursor(_MEMBERS, page.cursor, read_uuid)
    day = as_of or local_date(services.clock.now(), ZoneInfo(organization.time_zone))
    async with services.unit_of_work(viewer) as connection:
        found = await store.members(
            connection, viewer, organization_id, as_of=day, known_at=known_at, after=key[0] if key else None, limit=page.limit + 1
        )
        shown, more = cut(found, page.limit)
        saw(one.person_id for one in shown)
    return JsonResponse(listing([member_claim_json(one) for one in shown], spell_cursor(_MEMBERS, shown[-1].id) if more else None))


async def _managed(services: Services, viewer: Viewer, organization_id: UUID) -> Organization:
    """Give an organization whose panel the viewer keeps."""
    organization = await _visible(services, viewer, organization_id)
    if not manages(viewer, organization_id):
        raise not_found("organization")
    return organization


async def _visible(services: Services, viewer: Viewer, organization_id: UUID) -> Organization:
    async with services.unit_of_work(viewer) as connection:
        organization = await find_organization(connection, viewer, organization_id)
    if organization is None:
        raise not_found("organization")
    return organization


async def _upload(services: Services, viewer: Viewer, organization_id: UUID, upload_id: UUID) -> store.PastUpload:
    async with services.unit_of_work(viewer) as connection:
        found = await store.find_upload(connection, viewer, upload_id)
    if found is None or found.organization_id != organization_id:
        raise not_found("upload")
    return found


async def _refused_lines(services: Services, viewer: Viewer, upload_id: UUID, header: list[str]) -> AsyncIterator[bytes]:
    """Write the file page by page; no transaction is held while the client reads."""
    writer = services.write_refused(header)
    yield writer.begin()
    after_row = 0
    while True:
        async with services.unit_of_work(viewer) as connection:
            rows = await store.refusals(connection, viewer, upload_id, after_row=after_row, limit=_ROWS_A_READ)
        if not rows:
            return
        after_row = rows[-1].row
        yield writer.rows((row.cells, row.errors) for row in rows)

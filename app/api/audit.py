"""`/v1/audit`: who looked at what and changed what; and the same under `/fhir/AuditEvent` as IHE BALP describes it.

An administrator sees the lines of the own organization, and of those who read its rows by a grant; the operator everybody's. Asking is
itself a line. Not here: FHIR itself (adapters/fhir/audit_events), what leaves a line (audited).
"""

from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from app.api.answers import FhirResponse, JsonResponse, ok, refused
from app.api.auth import Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.operation_outcome import FACE, FHIR_JSON
from app.api.paging import LIMIT_MAX, PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemType, invalid, not_found
from app.api.schemas.audit import AuditPage, line_json
from app.api.schemas.common import InstantOfQuery, KeyId, OrganizationId, PersonId
from app.api.services import Services
from app.domain.audit import AuditKind, AuditLine, AuditOutcome, Disclosed
from app.domain.public_id import Kind, read_public_id
from app.domain.viewer import OPERATOR, Viewer
from app.store import disclosure_reads, person_reads
from app.store.audit import saw
from app.store.audit_reads import AuditFilter
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute)

_LIST: Final = "audit"
_COUNT: Final = 50


@router.get("/v1/audit", tags=["audit"], responses=ok(AuditPage, "A page of lines, newest first"))
async def list_audit(
    viewer: Administrator,
    services: FromServices,
    page: PageOfQuery,
    person_id: Annotated[PersonId | None, Query(description="Only about this person, and whoever became it.")] = None,
    organization_id: Annotated[OrganizationId | None, Query(description="Only by keys of this organization.")] = None,
    key_id: Annotated[KeyId | None, Query(description="Only by this key.")] = None,
    kind: Annotated[AuditKind | None, Query(description="Only of this kind.", examples=["read"])] = None,
    action: Annotated[str | None, Query(max_length=100, description="Only this operation or command.", examples=["show_stay"])] = None,
    outcome: Annotated[AuditOutcome | None, Query(description="Only with this outcome.", examples=["refused"])] = None,
    since: Annotated[InstantOfQuery | None, Query(description="At or after.")] = None,
    until: Annotated[InstantOfQuery | None, Query(description="Before.")] = None,
) -> Response:
    """List who looked at what and changed what, newest first.

    What recipients were told and sent is not here twice: `/v1/disclosures`, and the trace of a message.
    """
    key = read_cursor(_LIST, page.cursor, read_uuid)
    wanted = AuditFilter(
        kind=kind.value if kind else None,
        action=action,
        outcome=outcome.value if outcome else None,
        organization_id=organization_id,
        key_id=key_id,
        people=await _everybody(services, person_id),
        since=since,
        until=until,
    )
    found = await services.audit(viewer, wanted, key[0] if key else None, page.limit + 1)
    shown, more = cut(found, page.limit)
    saw([] if person_id is None else [person_id])
    return JsonResponse(listing([line_json(one) for one in shown], spell_cursor(_LIST, shown[-1].id) if more else None))


async def _everybody(services: Services, person_id: UUID | None) -> list[UUID] | None:
    """Give a person and whoever became it, so that what was noted under an earlier id is found too."""
    if person_id is None:
        return None
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        now_id = await person_reads.present_person(raw, person_id)
        return [person_id] if now_id is None else [now_id, person_id, *await person_reads.former_ids(raw, now_id)]


_EXAMPLE: Final = {"resourceType": "Bundle", "type": "searchset"}
_EVENT: Final = {"resourceType": "AuditEvent", "action": "R"}


def _answer(description: str, example: Any) -> dict[int | str, dict[str, Any]]:  # noqa: ANN401 - any JSON value
    content = {FHIR_JSON: {"schema": {"type": "object"}, "examples": {"typical": {"value": example}}}}
    return {200: {"description": description, "content": content}}


@router.get("/fhir/AuditEvent", tags=["fhir"], responses=_answer("A Bundle of AuditEvents, newest first", _EXAMPLE))
async def search_audit_events(
    viewer: Administrator,
    services: FromServices,
    request: Request,
    patient: Annotated[str | None, Query(max_length=200, description="Patient/ and the id of a person.")] = None,
    agent: Annotated[str | None, Query(max_length=200, description="Organization/ and the id of whose key it was.")] = None,
    date: Annotated[
        list[str] | None,
        Query(max_length=2, description="ge or lt and an instant; repeated for a span.", examples=[["ge2026-11-01T00:00:00Z"]]),
    ] = None,
    count: Annotated[int | None, Query(alias="_count", ge=1, le=LIMIT_MAX, description="How many at most.", examples=[50])] = None,
    page: Annotated[str | None, Query(max_length=512, description="From the next link of the page before.", examples=[None])] = None,
) -> Response:
    """Find AuditEvents by patient, agent and date.

    Of a patient also what was sent to recipients and answered by them, as privacy disclosures; without one the lines of the audit alone.
    """
    key = read_cursor(_LIST, page, read_uuid)
    since, until = _span(date or ())
    person_id = _reference(Kind.PERSON, patient, "/patient")
    wanted = AuditFilter(
        organization_id=_reference(Kind.ORGANIZATION, agent, "/agent"),
        people=await _everybody(services, person_id),
        since=since,
        until=until,
    )
    limit = count or _COUNT
    before = key[0] if key else None
    lines = await services.audit(viewer, wanted, before, limit + 1)
    told = await _disclosed(services, viewer, wanted, before, limit + 1)
    # Ids of both are of one kind, in the order of time.
    found: list[AuditLine | Disclosed] = sorted([*lines, *told], key=lambda one: one.id, reverse=True)
    shown, more = cut(found[: limit + 1], limit)
    saw([] if person_id is None else [person_id])
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "page"]
    next_url = f"{FACE}/AuditEvent?{urlencode([*asked, ('page', spell_cursor(_LIST, shown[-1].id))])}" if more else None
    self_url = f"{FACE}/AuditEvent" + (f"?{urlencode(asked)}" if asked else "")
    return FhirResponse(services.audit_events.bundle(shown, self_url=self_url, next_url=next_url))


@router.get(
    "/fhir/AuditEvent/{line_id}",
    tags=["fhir"],
    responses=_answer("The AuditEvent", _EVENT),
    openapi_extra=refused(ProblemType.NOT_FOUND),
)
async def read_audit_event(line_id: str, viewer: Administrator, services: FromServices) -> Response:
    """Read one AuditEvent."""
    id_ = read_public_id(Kind.AUDIT_LINE, line_id)
    found: list[AuditLine | Disclosed] = [] if id_ is None else [*await services.audit(viewer, AuditFilter(id=id_), None, 1)]
    if not found and id_ is not None:
        async with services.unit_of_work(OPERATOR) as connection:
            told = await disclosure_reads.delivered_by(await raw_connection(connection), viewer, id_)
        found += [] if told is None else [told]
    if not found:
        raise not_found("audit event")
    return FhirResponse(services.audit_events.event(found[0]))


async def _disclosed(services: Services, viewer: Viewer, wanted: AuditFilter, before: UUID | None, limit: int) -> list[Disclosed]:
    """Give what was told of the person who is asked for. The statement itself says whose are seen."""
    if wanted.people is None:
        return []
    async with services.unit_of_work(OPERATOR) as connection:
        return await disclosure_reads.delivered_of(
            await raw_connection(connection), viewer, wanted.people, recipient_id=wanted.organization_id, since=wanted.since,
            until=wanted.until, before=before, limit=limit,
        )  # fmt: skip


def _reference(kind: Kind, text: str | None, where: str) -> UUID | None:
    if text is None:
        return None
    found = read_public_id(kind, text.rpartition("/")[2])
    if found is None:
        raise invalid(where, "is no reference to an id of this face", where="query")
    return found


def _span(dates: Any) -> tuple[datetime | None, datetime | None]:  # noqa: ANN401 - what FastAPI read
    since = until = None
    for one in dates:
        prefix, text = one[:2], one[2:].replace(" ", "+")
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None or prefix not in ("ge", "lt"):
            raise invalid("/date", "is not ge or lt and an instant with its offset", where="query")
        since, until = (instant, until) if prefix == "ge" else (since, instant)
    return since, until

"""`/v1/consents`: what patients signed or refused, the record of emergencies, and who looks at them afterwards.

Whatever changes here has every stay of the person decided again; what was numbered before stays as withdrawn. Not here: what a form
must contain (domain/consent_form), or what it lets go (domain/privacy).
"""

from collections.abc import Sequence
from datetime import UTC
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BeforeValidator, WithJsonSchema

from app.api.answers import JsonResponse, created, ok, refused
from app.api.asserted_consents import record_asserted
from app.api.auth import Access, Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import FieldError, ProblemError, ProblemType, not_found
from app.api.schemas.common import PersonId, id_reader, id_schema
from app.api.schemas.consents import (
    ConsentDocument,
    ConsentPage,
    ConsentReviewRequest,
    NewConsent,
    RevokeRequest,
    consent_json,
)
from app.api.services import Services
from app.domain.consent_form import Fault
from app.domain.public_id import Kind, public_id
from app.domain.viewer import OPERATOR, Scope, Viewer
from app.store import consent_records, people
from app.store.consent_records import ConsentRow
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute, tags=["consents"])

_LIST: Final = "consents"
ConsentId = Annotated[UUID, BeforeValidator(id_reader(Kind.CONSENT)), WithJsonSchema(id_schema(Kind.CONSENT))]
Recorder = Annotated[Viewer, Depends(Access(Scope.PANELS_WRITE, Scope.ADT_WRITE, Scope.FOLLOW_UPS_WRITE))]
Reader = Annotated[Viewer, Depends(Access(Scope.MEMBERS_READ, Scope.FOLLOW_UPS_READ, Scope.PANELS_WRITE, Scope.ADT_WRITE))]


@router.post("/v1/consents", status_code=201, responses=ok(ConsentDocument, "The consent", status=201))
async def record_consent(body: NewConsent, viewer: Recorder, services: FromServices) -> Response:
    """Record a consent, a refusal, or an emergency, of a person whom the key's organization sees; or a paper of somebody named otherwise.

    Whom identifier, name and birth date name is found by the person index or is known from now on, and the paper counts from the first
    message on. An exception needs a person who is there.
    What an organization asserts of records that another holds counts when a person of the exchange has looked (state `proposed`). A
    refusal counts at once, whoever records it. An emergency or a broken glass counts at once, ends by itself, and is looked at afterwards.
    """
    row = await record_asserted(services, viewer, body.patient, body.form(), source="api")
    if not isinstance(row, ConsentRow):
        raise unacceptable(row)
    return created(_shown(row, services), f"/v1/consents/{public_id(Kind.CONSENT, row.id)}")


@router.get("/v1/consents", responses=ok(ConsentPage, "A page of consents, the newest first"))
async def list_consents(
    viewer: Reader,
    services: FromServices,
    page: PageOfQuery,
    person_id: Annotated[PersonId | None, Query(description="Only of this person.")] = None,
    state: Annotated[
        Literal["proposed", "active", "refused", "revoked", "expired"] | None, Query(description="Only in this state.")
    ] = None,
) -> Response:
    """List consents: those that the key's organization recorded, those that let it disclose, and those in force that name it."""
    key = read_cursor(_LIST, page.cursor, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        found = await consent_records.page(
            await raw_connection(connection),
            viewer,
            person_id=person_id,
            states=None if state is None else [state],
            after=key[0] if key else None,
            limit=page.limit + 1,
        )
    shown, more = cut(found, page.limit)
    return JsonResponse(listing([_shown(one, services) for one in shown], spell_cursor(_LIST, shown[-1].id) if more else None))


@router.get("/v1/consents/{consent_id}", responses=ok(ConsentDocument, "The consent"))
async def show_consent(consent_id: ConsentId, viewer: Reader, services: FromServices) -> Response:
    """Show one consent."""
    async with services.unit_of_work(viewer) as connection:
        found = await consent_records.find(await raw_connection(connection), viewer, consent_id)
    if found is None:
        raise not_found("consent")
    return JsonResponse(_shown(found, services))


@router.post(
    "/v1/consents/{consent_id}/revoke",
    responses=ok(ConsentDocument, "The consent as it is now"),
    openapi_extra=refused(ProblemType.NOT_PERMITTED, ProblemType.CONFLICT),
)
async def revoke_consent(consent_id: ConsentId, body: RevokeRequest, viewer: Recorder, services: FromServices) -> Response:
    """Take a consent back: from now on, not for what was told before (42 CFR 2.31(a)(6)). Of a refusal: the patient opts in again.

    Who recorded it may, who discloses by it, and the operator. What is being sent at this moment is asked again before each attempt.
    """
    found = await _readable(consent_id, viewer, services)
    if not viewer.is_operator and viewer.organization_id not in (found.recorded_by, found.discloser_id):
        raise ProblemError(ProblemType.NOT_PERMITTED, "Who recorded a consent, and who discloses by it, may revoke it.")
    now = services.clock.now()
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        await people.lock_people(raw, [found.person_id])
        row = await consent_records.revoke(raw, consent_id, viewer.organization_id, body.note, now)
        if row is None:
            raise ProblemError(ProblemType.CONFLICT, "The consent is not in force any more.")
        await people.reconsider_people(raw, [row.person_id], now, "consent")
    services.waker.wake("inbound")
    return JsonResponse(_shown(row, services))


@router.post(
    "/v1/consents/{consent_id}/review",
    responses=ok(ConsentDocument, "The consent as it is now"),
    openapi_extra=refused(ProblemType.NOT_PERMITTED, ProblemType.CONFLICT),
)
async def review_consent(consent_id: ConsentId, body: ConsentReviewRequest, viewer: Administrator, services: FromServices) -> Response:
    """Decide a consent that waits for review, or look at an emergency or a broken glass afterwards. For the operator; once."""
    await _readable(consent_id, viewer, services)
    if not viewer.is_operator:
        raise ProblemError(ProblemType.NOT_PERMITTED, "Only the operator of the exchange reviews consents.")
    now = services.clock.now()
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        row = await consent_records.review(raw, consent_id, accept=body.decision == "accept", note=body.note, now=now)
        if row is None:
            raise ProblemError(ProblemType.CONFLICT, "Nothing waits to be decided here.")
        await people.reconsider_people(raw, [row.person_id], now, "consent")
    services.waker.wake("inbound")
    return JsonResponse(_shown(row, services))


async def _readable(consent_id: UUID, viewer: Viewer, services: Services) -> ConsentRow:
    async with services.unit_of_work(viewer) as connection:
        found = await consent_records.find(await raw_connection(connection), viewer, consent_id)
    if found is None:
        raise not_found("consent")
    return found


def unacceptable(wrong: Sequence[Fault]) -> ProblemError:
    """Refuse a form, field by field."""
    count = f"{len(wrong)} fields are" if len(wrong) > 1 else "One field is"
    errors = [FieldError(f"/{name}", message, "body") for name, message in wrong]
    return ProblemError(ProblemType.INVALID, f"{count} not acceptable; see errors.", errors=errors)


def _shown(row: ConsentRow, services: Services) -> dict[str, Any]:
    return consent_json(row, in_force=row.is_in_force(services.clock.now().astimezone(UTC)))

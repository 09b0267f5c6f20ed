"""`/v1/consents`: what patients signed or refused, the record of emergencies, and who looks at them afterwards.

Whatever changes here has every stay of the person decided again; what was numbered before stays as withdrawn. Not here: what a form
must contain (domain/consent_form), or what it lets go (domain/privacy).
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BeforeValidator, WithJsonSchema

from app.api.answers import JsonResponse, created, ok, refused
from app.api.auth import Access, Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import FieldError, ProblemError, ProblemType, invalid, not_found
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
from app.domain.consent import Category, ConsentKind, RecipientClass
from app.domain.consent_form import ConsentForm, Signer, ends_at, faults, last_day, not_medical, waits_for_review
from app.domain.directory import Directory
from app.domain.measure_history import birth_on
from app.domain.origin_registry import place_status
from app.domain.privacy_law import MinorRules, PrivacyLaw
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
    """Record a consent, a refusal, or an emergency, of a person whom the key's organization sees.

    What an organization asserts of records that another holds counts when a person of the exchange has looked (state `proposed`). A
    refusal counts at once, whoever records it. An emergency or a broken glass counts at once, ends by itself, and is looked at afterwards.
    """
    form, now = body.form(), services.clock.now()
    async with services.unit_of_work(viewer) as connection:
        record_id = await consent_records.record_of(await raw_connection(connection), body.person_id)
    if record_id is None:
        raise invalid("/person_id", "is no person whom this key's organization sees")
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        await people.lock_people(raw, [body.person_id])
        directory = await services.registry.current(raw)
        born = birth_on((await people.describe(raw, [body.person_id])).get(body.person_id, ()))
        law = services.follow_ups.rulebook.privacy
        minors = _minors(form, directory, law)
        house = directory.organizations.get(form.discloser_id) if form.discloser_id else None
        zone = house.time_zone if house else "UTC"
        today = now.astimezone(ZoneInfo(zone)).date()
        wrong = [*faults(form, today, born, minors, law), *not_medical(form, dict(directory.organizations))]
        for name in ("discloser_id", "intermediary_id"):
            named = getattr(form, name)
            if named is not None and named not in directory.organizations:
                wrong.append((name, "names no organization of this exchange"))
        if wrong:
            raise _unacceptable(wrong)
        is_proposed = waits_for_review(form, viewer.organization_id, law)
        row = _row(form, services.ids.new(), body.person_id, record_id, viewer.organization_id, now)
        row = ConsentRow(**{**_fields(row), "state": "proposed" if is_proposed else "active", "expires_on": last_day(form, born, minors)})
        await consent_records.add(raw, [row])
        if not is_proposed:
            await people.reconsider_people(raw, [body.person_id], now, "consent")
    services.waker.wake("inbound")
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
            state=state,
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


def _minors(form: ConsentForm, directory: Directory, law: PrivacyLaw) -> MinorRules:
    """Give who signs for a minor where the records are: by the pack of the house that discloses."""
    house = directory.organizations.get(form.discloser_id) if form.discloser_id else None
    registered = directory.registrations.get(house.id, ()) if house else ()
    name = place_status(house, registered, {}, form.signed_on, form.signed_on).privacy_pack
    pack = law.packs.get(name) if name else None
    return pack.minors if pack else MinorRules()


def _unacceptable(wrong: list[tuple[str, str]]) -> ProblemError:
    count = f"{len(wrong)} fields are" if len(wrong) > 1 else "One field is"
    errors = [FieldError(f"/{name}", message, "body") for name, message in wrong]
    return ProblemError(ProblemType.INVALID, f"{count} not acceptable; see errors.", errors=errors)


def _row(form: ConsentForm, id_: UUID, person_id: UUID, record_id: UUID, by: UUID | None, now: datetime) -> ConsentRow:
    is_exception = form.kind in (ConsentKind.EMERGENCY, ConsentKind.BREAK_GLASS)
    classes = form.recipient_classes
    if form.kind is ConsentKind.INTERMEDIARY and not classes:
        classes = frozenset({RecipientClass.TREATING_PROVIDERS})
    return ConsentRow(
        id=id_,
        person_id=person_id,
        record_id=record_id,
        recorded_by=by,
        kind=form.kind.value,
        categories=[one.value for one in form.categories or (Category.ALL,)],
        purposes=[one.value for one in form.purposes],
        discloser_id=form.discloser_id,
        recipients=list(form.recipients),
        recipient_classes=[one.value for one in classes],
        intermediary_id=form.intermediary_id,
        scope=form.scope,
        signed_on=form.signed_on,
        signed_by=Signer.CLINICIAN.value if is_exception else form.signed_by.value,
        signature=form.signature.value,
        expires_on=form.expires_on,
        expires_upon=form.expires_upon,
        ends_at=ends_at(form, now),
        statements=[one.value for one in form.statements],
        reason=form.reason,
        document_id=form.document_id,
        source="api",
        state="active",
        asserted_at=now,
    )


def _fields(row: ConsentRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ConsentRow.__dataclass_fields__}


def _shown(row: ConsentRow, services: Services) -> dict[str, Any]:
    now = services.clock.now().astimezone(UTC)
    over = (row.expires_on is not None and row.expires_on < now.date()) or (row.ends_at is not None and row.ends_at <= now)
    return consent_json(row, in_force=row.state == "active" and not over)

"""`/v1/organizations/{id}/origins`: what is registered of a facility's house, units and services, and what has still to be asked."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Response
from pydantic import BeforeValidator, WithJsonSchema

from app.api.answers import JsonResponse, created, no_content, ok, plain, refused
from app.api.auth import Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemError, ProblemType, invalid, not_found
from app.api.reserved import end_grants_if_reserved
from app.api.schemas.common import OrganizationId, id_reader, id_schema
from app.api.schemas.consents import (
    ChecklistDocument,
    NewRegistration,
    RegistrationDocument,
    RegistrationPage,
    registration_json,
)
from app.domain.agreement import Agreement, AgreementKind, is_in_force
from app.domain.organization import Organization, Part2Status
from app.domain.origin_registry import PlaceKind, Registration, place_status, standing_place
from app.domain.public_id import Kind, public_id
from app.domain.viewer import OPERATOR, Viewer
from app.store import agreements, organizations, origin_registrations
from app.store.connection import Connection
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute, tags=["organizations"])

_LIST: Final = "origins"
_UNITS_MAX: Final = 100
_PAPERS_MAX: Final = 1000
_LETS_DISCLOSE: Final = frozenset({AgreementKind.QSOA, AgreementKind.BAA})
RegistrationId = Annotated[UUID, BeforeValidator(id_reader(Kind.REGISTRATION)), WithJsonSchema(id_schema(Kind.REGISTRATION))]


@router.post(
    "/v1/organizations/{organization_id}/origins",
    status_code=201,
    responses=ok(RegistrationDocument, "What was registered", status=201),
    openapi_extra=refused(ProblemType.NOT_PERMITTED),
)
async def register_origin(
    organization_id: OrganizationId, body: NewRegistration, viewer: Administrator, services: FromServices
) -> Response:
    """Register what a house, a unit or a service is. Only the operator may, because it decides what others are told.

    Every stay there is decided again: what was held is told, what must not be told any more is withdrawn.
    """
    now = services.clock.now()
    if body.privacy_pack is not None and body.privacy_pack not in services.follow_ups.rulebook.privacy.packs:
        known = ", ".join(sorted(services.follow_ups.rulebook.privacy.packs))
        raise invalid("/privacy_pack", f"is no pack of this exchange; there are: {known}")
    new = Registration(
        id=services.ids.new(),
        organization_id=organization_id,
        place=body.place,
        code=body.code,
        effective_from=body.effective_from,
        effective_to=body.effective_to,
        part2_status=body.part2_status,
        mental_health_licensed=body.mental_health_licensed,
        facility_type=body.facility_type,
        privacy_pack=body.privacy_pack,
        asserted_at=now,
    )
    async with services.unit_of_work(viewer) as connection:
        await _require_seen(connection, viewer, organization_id)
        _require_operator(viewer)
        await origin_registrations.add(await raw_connection(connection), new)
        await organizations.ask_to_reconsider(connection, viewer, organization_id, now)
        await end_grants_if_reserved(connection, organization_id)
    services.waker.wake("inbound")
    path = f"/v1/organizations/{public_id(Kind.ORGANIZATION, organization_id)}/origins/{public_id(Kind.REGISTRATION, new.id)}"
    return created(registration_json(new), path)


@router.get("/v1/organizations/{organization_id}/origins", responses=ok(RegistrationPage, "A page of what is registered"))
async def list_origins(organization_id: OrganizationId, viewer: Administrator, services: FromServices, page: PageOfQuery) -> Response:
    """List what is registered of a facility and stands."""
    key = read_cursor(_LIST, page.cursor, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        await _require_seen(connection, viewer, organization_id)
        found = await origin_registrations.of_organization(
            await raw_connection(connection), organization_id, after=key[0] if key else None, limit=page.limit + 1
        )
    shown, more = cut(found, page.limit)
    return JsonResponse(listing([registration_json(one) for one in shown], spell_cursor(_LIST, shown[-1].id) if more else None))


@router.delete(
    "/v1/organizations/{organization_id}/origins/{registration_id}",
    status_code=204,
    responses=plain("It does not stand any more", status=204),
    openapi_extra=refused(ProblemType.NOT_PERMITTED),
)
async def retract_origin(
    organization_id: OrganizationId, registration_id: RegistrationId, viewer: Administrator, services: FromServices
) -> Response:
    """Take back what was registered. Every stay there is decided again."""
    now = services.clock.now()
    async with services.unit_of_work(viewer) as connection:
        await _require_seen(connection, viewer, organization_id)
        _require_operator(viewer)
        if not await origin_registrations.retract(await raw_connection(connection), organization_id, registration_id, now):
            raise not_found("origin")
        await organizations.ask_to_reconsider(connection, viewer, organization_id, now)
        await end_grants_if_reserved(connection, organization_id)
    services.waker.wake("inbound")
    return no_content()


@router.get("/v1/organizations/{organization_id}/origins/checklist", responses=ok(ChecklistDocument, "What has still to be asked"))
async def checklist(organization_id: OrganizationId, viewer: Administrator, services: FromServices) -> Response:
    """Say what the exchange has still to ask a facility: of its house, and of every unit that its latest messages name."""
    now = services.clock.now()
    today = now.date()
    async with services.unit_of_work(viewer) as connection:
        house = await _require_seen(connection, viewer, organization_id)
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        units = await origin_registrations.units_seen(raw, organization_id, most=_UNITS_MAX)
        papers = await agreements.page(raw, OPERATOR, organization_id, after=None, limit=_PAPERS_MAX)
    registered = directory.registrations.get(organization_id, ())
    items = _of_house(house, registered, today) + _of_units(units, registered, today) + _of_papers(house, registered, papers, now)
    complete = all(one["done"] for one in items)
    return JsonResponse({"organization_id": public_id(Kind.ORGANIZATION, organization_id), "complete": complete, "items": items})


def _of_house(house: Organization, registered: Sequence[Registration], today: date) -> list[dict[str, Any]]:
    known = place_status(house, registered, {}, today, today)
    is_licence_said = any(one.mental_health_licensed is not None for one in registered if one.place is PlaceKind.HOUSE)
    asked = (
        ("part2_status", known.part2_status is not Part2Status.UNKNOWN, "Is the facility a Part 2 program, or known for nothing else?"),
        ("facility_type", known.facility_type.value != "unknown", "Is it acute, nonacute, psychiatric or residential?"),
        ("mental_health_licensed", is_licence_said, "Does it hold a mental-health licence?"),
        ("privacy_pack", known.privacy_pack is not None, "Which state's rules hold there?"),
    )
    return [_item(question, PlaceKind.HOUSE, "", advice, None, done=done) for question, done, advice in asked]


def _of_units(units: list[tuple[str, int]], registered: Sequence[Registration], today: date) -> list[dict[str, Any]]:
    said = {one.code for one in registered if one.place is PlaceKind.UNIT and one.part2_status and one.holds_between(today, today)}
    advice = "Does this unit hold itself out as substance-use treatment (42 CFR 2.11)?"
    return [_item("part2_status", PlaceKind.UNIT, unit, advice, stays, done=unit in said) for unit, stays in units]


def _of_papers(house: Organization, registered: Sequence[Registration], papers: Sequence[Agreement], now: datetime) -> list[dict[str, Any]]:
    """Ask a Part 2 program for what lets it hand its records to the exchange without consent."""
    if standing_place(house, registered).part2_status not in (Part2Status.PROGRAM, Part2Status.SUD_ONLY):
        return []
    zone = ZoneInfo(house.time_zone)
    done = any(one.kind in _LETS_DISCLOSE and is_in_force([one.span(zone)], now) for one in papers)
    advice = "Is a QSOA or a BAA with the exchange on file and in force (42 CFR 2.12(c)(4), 45 CFR 164.504(e))?"
    return [_item("agreement", PlaceKind.HOUSE, "", advice, None, done=done)]


def _item(question: str, place: PlaceKind, code: str, advice: str, stays: int | None, *, done: bool) -> dict[str, Any]:
    return {"question": question, "place": place, "code": code, "done": done, "advice": advice, "stays": stays}


def _require_operator(viewer: Viewer) -> None:
    if not viewer.is_operator:
        raise ProblemError(ProblemType.NOT_PERMITTED, "Only the operator of the exchange may do this.")


async def _require_seen(connection: Connection, viewer: Viewer, organization_id: UUID) -> Organization:
    found = await organizations.find_organization(connection, viewer, organization_id)
    if found is None or not organizations.manages(viewer, organization_id):
        raise not_found("organization")
    return found

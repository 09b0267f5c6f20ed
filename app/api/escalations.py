"""`/v1/organizations/{id}/escalation`: whom a home names for what is escalated, beside the assignee of each follow-up."""

from uuid import UUID

from fastapi import APIRouter, Response

from app.api.answers import JsonResponse, no_content, ok, plain
from app.api.auth import Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.problems import invalid, not_found
from app.api.schemas.common import OrganizationId
from app.api.schemas.escalations import NamedPart, NamedPersonDocument, NamedPersonList, NamePersonRequest, named_json
from app.domain.viewer import OPERATOR, Viewer
from app.store import escalations as store
from app.store.connection import Connection
from app.store.escalations import NamedPerson
from app.store.organizations import find_organization, manages

router = APIRouter(route_class=GuardedRoute, tags=["organizations"])


@router.get("/v1/organizations/{organization_id}/escalation", responses=ok(NamedPersonList, "Whom the home names"))
async def list_escalation(organization_id: OrganizationId, viewer: Administrator, services: FromServices) -> Response:
    """List whom a home names: its supervisor, its manager, who is on call."""
    async with services.unit_of_work(viewer) as connection:
        await _require_managed(connection, viewer, organization_id)
        found = await store.list_named(connection, organization_id)
    return JsonResponse({"items": [named_json(one) for one in found]})


@router.put("/v1/organizations/{organization_id}/escalation/{part}", responses=ok(NamedPersonDocument, "Who plays the part now"))
async def put_escalation(
    organization_id: OrganizationId, part: NamedPart, body: NamePersonRequest, viewer: Administrator, services: FromServices
) -> Response:
    """Name somebody for a part. An organization that is to be told too needs the home's grant, and is told only while it has it.

    It is told of what is passed from then on. Of what was passed before nobody is told twice, nor a newcomer of everybody whom it was
    about: with the grant it reads the home's follow-ups, each clock with its `reached_percent`, and the home's outbox
    (`/v1/notifications?organization_id=`).
    """
    named = NamedPerson(part.value, body.name, body.phone, body.organization_id)
    async with services.unit_of_work(viewer) as connection:
        await _require_managed(connection, viewer, organization_id)
        if body.organization_id and await find_organization(connection, OPERATOR, body.organization_id) is None:
            raise invalid("/organization_id", "is no organization of this exchange")
        await store.put_named(connection, organization_id, named, services.clock.now())
    return JsonResponse(named_json(named))


@router.delete(
    "/v1/organizations/{organization_id}/escalation/{part}", status_code=204, responses=plain("Nobody plays the part now", status=204)
)
async def remove_escalation(organization_id: OrganizationId, part: NamedPart, viewer: Administrator, services: FromServices) -> Response:
    """Leave a part to nobody: notices name it without a person."""
    async with services.unit_of_work(viewer) as connection:
        await _require_managed(connection, viewer, organization_id)
        removed = await store.remove_named(connection, organization_id, part.value)
    if not removed:
        raise not_found("named person")
    return no_content()


async def _require_managed(connection: Connection, viewer: Viewer, organization_id: UUID) -> None:
    if not manages(viewer, organization_id) or await find_organization(connection, viewer, organization_id) is None:
        raise not_found("organization")

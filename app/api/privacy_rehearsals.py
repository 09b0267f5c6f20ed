"""`GET /v1/organizations/{id}/origins/rehearsal`: what a state pack would do, before it is registered."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field, StringConstraints

from app.actions.rehearse_privacy import rehearse_privacy
from app.api.answers import JsonResponse, ok, refused
from app.api.auth import Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.problems import ProblemError, ProblemType, invalid, not_found
from app.api.schemas.common import Document, OrganizationId, OrganizationIdText
from app.domain.public_id import Kind, public_id
from app.domain.viewer import OPERATOR
from app.store import organizations
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute, tags=["organizations"])


class RehearsedReason(Document):
    """Why stays would not be told of."""

    reason: str
    stays: int


class RehearsedRecipient(Document):
    """What would become of one recipient."""

    organization_id: OrganizationIdText
    name: str
    members: Annotated[int, Field(description="Of its people, those with a stay here")]
    silent: Annotated[int, Field(description="Of whom it would be told nothing")]
    reasons: list[RehearsedReason]


class RehearsalDocument(Document):
    """What a pack would do to a facility's recipients."""

    privacy_pack: str | None
    verified: Annotated[bool, Field(description="Counsel has signed every rule of the pack")]
    stays: Annotated[int, Field(description="How many of the latest stays were looked at")]
    items: list[RehearsedRecipient]


@router.get(
    "/v1/organizations/{organization_id}/origins/rehearsal",
    responses=ok(RehearsalDocument, "What the pack would do"),
    openapi_extra=refused(ProblemType.NOT_PERMITTED),
)
async def rehearse(
    organization_id: OrganizationId,
    viewer: Administrator,
    services: FromServices,
    privacy_pack: Annotated[
        str | None, StringConstraints(max_length=80), Query(description="Left out: the federal rules alone", examples=["us-me"])
    ] = None,
) -> Response:
    """Say, for each recipient of a facility's latest stays, of how many of its people it would be told nothing, and why.

    Consents count as they stand. Nothing is changed. For the operator: why somebody is not told of may itself be protected.
    """
    law = services.follow_ups.rulebook.privacy
    if privacy_pack is not None and privacy_pack not in law.packs:
        raise invalid("/privacy_pack", f"is no pack of this exchange; there are: {', '.join(sorted(law.packs))}", where="query")
    pack = law.packs[privacy_pack] if privacy_pack is not None else None
    async with services.unit_of_work(viewer) as connection:
        found = await organizations.find_organization(connection, viewer, organization_id)
        if found is None or not organizations.manages(viewer, organization_id):
            raise not_found("organization")
    if not viewer.is_operator:
        raise ProblemError(ProblemType.NOT_PERMITTED, "Only the operator of the exchange may do this.")
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        stays, rehearsed = await rehearse_privacy(raw, organization_id, pack, directory=directory, read_stay=services.read_stay)
    return JsonResponse(
        {
            "privacy_pack": privacy_pack,
            "verified": pack is not None and pack.is_verified,
            "stays": stays,
            "items": [
                {
                    "organization_id": public_id(Kind.ORGANIZATION, one.organization.id),
                    "name": one.organization.name,
                    "members": len(one.members),
                    "silent": len(one.silent),
                    "reasons": [{"reason": reason, "stays": count} for reason, count in one.reasons.most_common()],
                }
                for one in rehearsed
            ],
        }
    )

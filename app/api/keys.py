"""`/v1/keys`: making, listing and ending API keys."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.actions.issue_key import KeyWish, issue_key
from app.api.answers import JsonResponse, created, ok, refused
from app.api.auth import Administrator, FromAuthenticator, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemError, ProblemType, invalid, not_found
from app.api.schemas.common import KeyId, OrganizationId
from app.api.schemas.keys import IssuedKeyDocument, KeyDocument, KeyPage, NewKey, key_json
from app.domain.public_id import Kind, public_id
from app.store import api_keys as store
from app.store.organizations import find_organization, manages

router = APIRouter(route_class=GuardedRoute, tags=["keys"])

_LIST = "keys"


@router.post(
    "/v1/keys",
    status_code=201,
    responses=ok(IssuedKeyDocument, "The key, shown this once", status=201),
    openapi_extra=refused(ProblemType.NOT_PERMITTED, ProblemType.NOT_FOUND),
)
async def add_key(body: NewKey, viewer: Administrator, services: FromServices) -> Response:
    """Make a key for an organization. The key is shown this once; only its keyed hash is stored."""
    organization_id = body.organization_id or viewer.organization_id
    if organization_id is None:
        raise invalid("/organization_id", "is needed: this key belongs to no organization")
    now = services.clock.now()
    if body.expires_at is not None and body.expires_at <= now:
        raise invalid("/expires_at", "is in the past")
    beyond = [scope.value for scope in body.scopes if not viewer.may(scope)]
    if beyond:
        raise ProblemError(ProblemType.NOT_PERMITTED, f"A key cannot give a scope that it does not carry: {', '.join(beyond)}.")
    wish = KeyWish(organization_id, body.scopes, body.label, body.expires_at)
    async with services.unit_of_work(viewer) as connection:
        if not manages(viewer, organization_id) or await find_organization(connection, viewer, organization_id) is None:
            raise not_found("organization")
        issued = await issue_key(
            connection, wish, ids=services.ids, now=now, pepper=services.secrets.pepper, environment=services.secrets.environment
        )
    document = key_json(issued.stored) | {"key": issued.key}
    return created(document, f"/v1/keys/{public_id(Kind.KEY, issued.stored.id)}")


@router.get("/v1/keys", responses=ok(KeyPage, "A page of keys, without the keys themselves"))
async def list_keys(
    viewer: Administrator,
    services: FromServices,
    page: PageOfQuery,
    organization_id: Annotated[OrganizationId | None, Query(description="Only this organization's.")] = None,
) -> Response:
    """List the keys of the key's organization, oldest first, revoked ones too; the operator sees all."""
    key = read_cursor(_LIST, page.cursor, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        found = await store.list_keys(
            connection, viewer, organization_id=organization_id, after=key[0] if key else None, limit=page.limit + 1
        )
    shown, more = cut(found, page.limit)
    return JsonResponse(listing([key_json(one) for one in shown], spell_cursor(_LIST, shown[-1].id) if more else None))


@router.delete("/v1/keys/{key_id}", responses=ok(KeyDocument, "The key, revoked"))
async def revoke_key(key_id: KeyId, viewer: Administrator, services: FromServices, authenticator: FromAuthenticator) -> Response:
    """End a key. It stops working here at once and in other processes within five seconds; it stays listed."""
    async with services.unit_of_work(viewer) as connection:
        revoked = await store.revoke_key(connection, viewer, key_id, services.clock.now())
    if revoked is None:
        raise not_found("key")
    authenticator.forget(key_id)
    return JsonResponse(key_json(revoked))

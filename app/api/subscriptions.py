"""`/v1/subscriptions`: webhooks and what became of them."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from app.actions.redrive import redrive
from app.actions.send_test import send_test
from app.actions.subscribe import EndpointRefusedError, Revision, SubscriptionWish, pause, resume, revise, rotate_secret, subscribe
from app.api.answers import JsonResponse, created, ok, refused
from app.api.auth import Access, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import LIMIT_DEFAULT, Limit, PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemType, invalid, not_found
from app.api.schemas.common import OrganizationId, SubscriptionId
from app.api.schemas.subscriptions import (
    DeliveryPage,
    NewSubscription,
    PauseRequest,
    RedriveDocument,
    RedriveRequest,
    SecretSubscriptionDocument,
    SubscriptionChange,
    SubscriptionDocument,
    SubscriptionPage,
    TestDocument,
    delivery_json,
    subscription_json,
    test_json,
)
from app.api.services import Services
from app.domain.delivery import DeliveryState
from app.domain.public_id import Kind, public_id
from app.domain.subscription import Subscription
from app.domain.viewer import Scope, Viewer
from app.store import subscriptions as store
from app.store.delivery_reads import list_deliveries
from app.store.engine import raw_connection
from app.store.organizations import find_organization, manages

router = APIRouter(route_class=GuardedRoute, tags=["subscriptions"])

_LIST: Final = "subscriptions"
_SEQUENCE_MAX: Final = 2**63 - 1
Subscriber = Annotated[Viewer, Depends(Access(Scope.SUBSCRIPTIONS_WRITE))]


@router.post(
    "/v1/subscriptions",
    status_code=201,
    responses=ok(SecretSubscriptionDocument, "The subscription, with its secret", status=201),
    openapi_extra=refused(ProblemType.NOT_FOUND),
)
async def add_subscription(body: NewSubscription, viewer: Subscriber, services: FromServices) -> Response:
    """Have notifications sent to a URL as signed webhooks (Standard Webhooks 1.0).

    The secret is shown this once. Only public https addresses are sent to, unless the operator allows others. Order is kept per person;
    a webhook can come twice, with the same `webhook-id`.
    """
    organization_id = body.organization_id or viewer.organization_id
    if organization_id is None:
        raise invalid("/organization_id", "is needed: this key belongs to no organization")
    wish = SubscriptionWish(organization_id, body.url, body.description, body.event_types, body.order_mode, body.start_after)
    async with services.unit_of_work(viewer) as connection:
        if not manages(viewer, organization_id) or await find_organization(connection, viewer, organization_id) is None:
            raise not_found("organization")
        raw = await raw_connection(connection)
        try:
            made = await subscribe(
                raw, wish, ids=services.ids, cipher=services.cipher, objection=services.sender.objection, now=services.clock.now()
            )
        except EndpointRefusedError as refusal:
            raise invalid("/url", str(refusal)) from None
    services.waker.wake("delivery")
    document = subscription_json(made.subscription, services.clock.now()) | {"secret": made.secret}
    return created(document, f"/v1/subscriptions/{public_id(Kind.SUBSCRIPTION, made.subscription.id)}")


@router.get("/v1/subscriptions", responses=ok(SubscriptionPage, "A page of subscriptions"))
async def list_subscriptions(
    viewer: Subscriber,
    services: FromServices,
    page: PageOfQuery,
    organization_id: Annotated[OrganizationId | None, Query(description="Only this organization's.")] = None,
) -> Response:
    """List the subscriptions of the key's organization, oldest first; the operator sees all."""
    key = read_cursor(_LIST, page.cursor, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        found = await store.list_own(raw, viewer, organization_id=organization_id, after=key[0] if key else None, limit=page.limit + 1)
    shown, more = cut(found, page.limit)
    now = services.clock.now()
    return JsonResponse(listing([subscription_json(one, now) for one in shown], spell_cursor(_LIST, shown[-1].id) if more else None))


@router.get("/v1/subscriptions/{subscription_id}", responses=ok(SubscriptionDocument, "The subscription"))
async def show_subscription(subscription_id: SubscriptionId, viewer: Subscriber, services: FromServices) -> Response:
    """Show one subscription and how its endpoint does."""
    return _shown(services, await _found(services, viewer, subscription_id))


@router.patch("/v1/subscriptions/{subscription_id}", responses=ok(SubscriptionDocument, "The subscription as it is now"))
async def change_subscription(
    subscription_id: SubscriptionId, body: SubscriptionChange, viewer: Subscriber, services: FromServices
) -> Response:
    """Change where or what is sent. A new URL starts with a clean bill of health."""
    revision = Revision(body.url, body.description, body.event_types, body.order_mode)
    async with services.unit_of_work(viewer) as connection:
        try:
            changed = await revise(await raw_connection(connection), viewer, subscription_id, revision, objection=services.sender.objection)
        except EndpointRefusedError as refusal:
            raise invalid("/url", str(refusal)) from None
    services.waker.wake("delivery")
    return _shown(services, changed)


@router.post("/v1/subscriptions/{subscription_id}/test", responses=ok(TestDocument, "What came of it"))
async def test_subscription(subscription_id: SubscriptionId, viewer: Subscriber, services: FromServices) -> Response:
    """Send a test webhook now and say what came of it. It is not queued, not tried again, and holds nothing of a person."""
    found = await _found(services, viewer, subscription_id)
    result = await send_test(found, services.sender, ids=services.ids, cipher=services.cipher, now=services.clock.now())
    return JsonResponse(test_json(result))


@router.post("/v1/subscriptions/{subscription_id}/pause", responses=ok(SubscriptionDocument, "Paused"))
async def pause_subscription(
    subscription_id: SubscriptionId, viewer: Subscriber, services: FromServices, body: PauseRequest | None = None
) -> Response:
    """Send nothing until it is resumed. Nothing is lost: deliveries wait, and the outbox can be polled."""
    async with services.unit_of_work(viewer) as connection:
        changed = await pause(await raw_connection(connection), viewer, subscription_id, reason=body.reason if body else None)
    return _shown(services, changed)


@router.post("/v1/subscriptions/{subscription_id}/resume", responses=ok(SubscriptionDocument, "Active"))
async def resume_subscription(subscription_id: SubscriptionId, viewer: Subscriber, services: FromServices) -> Response:
    """Go on where it stopped, after a pause or after we gave the endpoint up: in order, with everything since."""
    async with services.unit_of_work(viewer) as connection:
        changed = await resume(await raw_connection(connection), viewer, subscription_id)
    services.waker.wake("delivery")
    return _shown(services, changed)


@router.post(
    "/v1/subscriptions/{subscription_id}/rotate-secret", responses=ok(SecretSubscriptionDocument, "The new secret, shown this once")
)
async def rotate_subscription_secret(subscription_id: SubscriptionId, viewer: Subscriber, services: FromServices) -> Response:
    """Make a new secret. For a day every webhook carries both signatures, so the receiver can change over."""
    now = services.clock.now()
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        made = await rotate_secret(raw, viewer, subscription_id, ids=services.ids, cipher=services.cipher, now=now)
    if made is None:
        raise not_found("subscription")
    return JsonResponse(subscription_json(made.subscription, now) | {"secret": made.secret})


@router.get("/v1/subscriptions/{subscription_id}/deliveries", responses=ok(DeliveryPage, "A page of deliveries with their attempts"))
async def list_subscription_deliveries(
    subscription_id: SubscriptionId,
    viewer: Subscriber,
    services: FromServices,
    state: Annotated[DeliveryState | None, Query(description="Only in this state.", examples=["failed"])] = None,
    after: Annotated[int, Query(ge=0, le=_SEQUENCE_MAX, description="Only sequences greater than this.", examples=[0])] = 0,
    limit: Limit = LIMIT_DEFAULT,
) -> Response:
    """List the deliveries of a subscription in sequence order, with every attempt."""
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        if await store.find(raw, viewer, subscription_id) is None:
            raise not_found("subscription")
        found = await list_deliveries(raw, subscription_id, state=state, after=after, limit=limit + 1)
    shown, more = cut(found, limit)
    return JsonResponse(listing([delivery_json(one) for one in shown], str(shown[-1].sequence) if more else None))


@router.post("/v1/subscriptions/{subscription_id}/redrive", status_code=202, responses=ok(RedriveDocument, "Queued again", status=202))
async def redrive_subscription(
    subscription_id: SubscriptionId, viewer: Subscriber, services: FromServices, body: RedriveRequest | None = None
) -> Response:
    """Send notifications again, all without a body, under their old `webhook-id`s. Each is asked again whether it may still be told."""
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        redriven = await redrive(raw, viewer, subscription_id, (body or RedriveRequest()).range(), now=services.clock.now())
    if redriven is None:
        raise not_found("subscription")
    services.waker.wake("delivery")
    return JsonResponse({"queued": redriven.queued, "is_complete": redriven.is_complete}, status_code=202)


async def _found(services: Services, viewer: Viewer, subscription_id: UUID) -> Subscription:
    async with services.unit_of_work(viewer) as connection:
        found = await store.find(await raw_connection(connection), viewer, subscription_id)
    if found is None:
        raise not_found("subscription")
    return found


def _shown(services: Services, found: Subscription | None) -> Response:
    if found is None:
        raise not_found("subscription")
    return JsonResponse(subscription_json(found, services.clock.now()))

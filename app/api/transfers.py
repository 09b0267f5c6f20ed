"""`/v1/follow-ups/{id}/transfer` and `/v1/transfers`: responsibility that moves from one home to another, by both."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response

from app.actions.transfer_by_hand import MOVING, NotForThemError, decide_offer, is_theirs_by_right, offer_to
from app.api.answers import JsonResponse, ok
from app.api.auth import Access, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import invalid, not_found
from app.api.schemas.common import FollowUpId
from app.api.schemas.reviews import DecideTransferRequest, TransferDocument, TransferPage, TransferRequest, transfer_json
from app.api.services import Services
from app.api.tellable import meeting, tellable
from app.domain.viewer import OPERATOR, Scope, Viewer
from app.store import follow_up_reads, transfers
from app.store.audit import saw
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute, tags=["follow-ups"])

_LIST: Final = "transfers"
Worker = Annotated[Viewer, Depends(Access(Scope.FOLLOW_UPS_WRITE))]
Reader = Annotated[Viewer, Depends(Access(Scope.FOLLOW_UPS_READ))]


@router.post(
    "/v1/follow-ups/{follow_up_id}/transfer", status_code=201, responses=ok(TransferDocument, "The offer as it stands", status=201)
)
async def offer_follow_up(follow_up_id: FollowUpId, body: TransferRequest, viewer: Worker, services: FromServices) -> Response:
    """Offer an open follow-up to the home that claims the person by now.

    Until that home accepts, this one stays responsible. Where the panels say that the other leads, the offer is accepted by itself after
    three days; otherwise only by that home. Due times never change. The same offer twice is one.
    """
    async with services.unit_of_work(viewer) as connection:
        found = await follow_up_reads.one(await raw_connection(connection), viewer, follow_up_id, covers=False)
    if found is None or found.home_id is None:
        raise not_found("follow-up")
    if found.state not in MOVING:
        raise invalid("/to", "can be given an open follow-up only; this one is not")
    now = services.clock.now()
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        try:
            by_right = await is_theirs_by_right(
                raw,
                found,
                body.to,
                read_stay=lambda row: services.read_stay(row, directory),
                directory=directory,
                rulebook=services.follow_ups.rulebook,
                now=now,
            )
        except NotForThemError:
            # One sentence for every reason: it is not told whether another organization claims the person, or follows up.
            raise invalid("/to", "is no organization that this follow-up can go to") from None
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        shown = await offer_to(raw, viewer, found, body.to, by_right=by_right, ids=services.ids, now=now)
    if shown is None:
        raise invalid("/to", "cannot be offered it: there is an open offer to another home")
    await services.evaluate(found.encounter_id, None)
    return JsonResponse(transfer_json(shown), status_code=201, headers={"Location": "/v1/transfers"})


@router.post("/v1/follow-ups/{follow_up_id}/transfer/accept", responses=ok(TransferDocument, "The offer, accepted"))
async def accept_follow_up(follow_up_id: FollowUpId, body: DecideTransferRequest, viewer: Worker, services: FromServices) -> Response:
    """Accept a follow-up that is offered: from now on this home is responsible, with the due times that it had."""
    return await _decide(services, viewer, follow_up_id, body, "accepted")


@router.post("/v1/follow-ups/{follow_up_id}/transfer/decline", responses=ok(TransferDocument, "The offer, declined"))
async def decline_follow_up(follow_up_id: FollowUpId, body: DecideTransferRequest, viewer: Worker, services: FromServices) -> Response:
    """Decline a follow-up that is offered: it stays where it is, and is not offered to this home again."""
    return await _decide(services, viewer, follow_up_id, body, "declined")


async def _decide(services: Services, viewer: Viewer, follow_up_id: FollowUpId, body: DecideTransferRequest, state: str) -> Response:
    now = services.clock.now()
    said = {"key_id": str(viewer.key_id) if viewer.key_id else None, "name": body.author or ""}
    if state == "accepted":
        async with services.unit_of_work(viewer) as connection:
            offered = await transfers.latest(await raw_connection(connection), viewer, follow_up_id)
        # A hand-over tells each of the two that the person is the other's.
        if offered is None or not await meeting(services, [offered.transfer]):
            raise not_found("open offer")
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        shown = await decide_offer(raw, viewer, follow_up_id, state, reason=body.reason, by=said, ids=services.ids, now=now)
        if shown is None:
            raise not_found("open offer")
    await services.evaluate(shown.transfer.encounter_id, None)
    return JsonResponse(transfer_json(shown))


@router.get("/v1/transfers", responses=ok(TransferPage, "A page of offers, oldest first"))
async def list_transfers(
    viewer: Reader,
    services: FromServices,
    page: PageOfQuery,
    state: Annotated[
        str | None, Query(pattern="^(offered|accepted|declined|withdrawn)$", description="Only so.", examples=["offered"])
    ] = None,
) -> Response:
    """List the offers of follow-ups from and to this home: what it is to decide, and what became of those that it gave away."""
    key = read_cursor(_LIST, page.cursor, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        found = await transfers.page(
            await raw_connection(connection), viewer, state=state, after=key[0] if key else None, limit=page.limit + 1
        )
    shown, more = cut(found, page.limit)
    whose = viewer.organization_id
    known = await tellable(services, [(one.transfer.encounter_id, whose) for one in shown]) if whose and not viewer.is_operator else None
    meets = await meeting(services, [one.transfer for one in shown])
    told = [one for one in shown if known is None or ((one.transfer.encounter_id, whose) in known and one.transfer.id in meets)]
    saw(one.person_id for one in told if one.person_id is not None)
    return JsonResponse(listing([transfer_json(one) for one in told], spell_cursor(_LIST, shown[-1].transfer.id) if more else None))

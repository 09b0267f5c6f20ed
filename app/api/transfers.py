"""`/v1/follow-ups/{id}/transfer` and `/v1/transfers`: responsibility that moves from one home to another, by both."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response

from app.api.answers import JsonResponse, ok
from app.api.auth import Access, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import invalid, not_found
from app.api.schemas.common import FollowUpId
from app.api.schemas.reviews import DecideTransferRequest, TransferDocument, TransferPage, TransferRequest, transfer_json
from app.api.services import Services
from app.api.tellable import tellable
from app.domain.attribution import HOME_ROLES, Attribution
from app.domain.calendar import local_date
from app.domain.follow_up import FollowUpState
from app.domain.handing_over import ACCEPTED_AFTER, home_now
from app.domain.viewer import OPERATOR, Scope, Viewer
from app.store import claims, encounter_reads, follow_up_reads, transfers
from app.store.engine import raw_connection
from app.store.follow_ups import FollowUpRow
from app.store.transfers import HandOver, ShownTransfer, Transfer

router = APIRouter(route_class=GuardedRoute, tags=["follow-ups"])

_LIST: Final = "transfers"
_MOVING: Final = (FollowUpState.OPEN, FollowUpState.SUSPENDED)
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
    if found.state not in _MOVING:
        raise invalid("/to", "can be given an open follow-up only; this one is not")
    target, is_by_right = await _target(services, found, body)
    now = services.clock.now()
    offer = Transfer(
        services.ids.new(), found.id, found.encounter_id, found.home_id, target.organization_id, "home", "offered", now, None, None, None
    )
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        await transfers.lock(raw, found.id)
        await transfers.offer(raw, [offer], now, now + ACCEPTED_AFTER if is_by_right else None)
        shown = await transfers.latest(raw, viewer, follow_up_id)
    if shown is None or shown.transfer.to_id != target.organization_id or shown.transfer.state != "offered":
        raise invalid("/to", "cannot be offered it: there is an open offer to another home")
    await services.evaluate(found.encounter_id, None)
    return JsonResponse(transfer_json(shown), status_code=201, headers={"Location": "/v1/transfers"})


async def _target(services: Services, found: FollowUpRow, body: TransferRequest) -> tuple[Attribution, bool]:
    """Give the claim of the home that is to have it, and whether the panels say that it leads. Whose claims these are is not shown."""
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        stays = await encounter_reads.rows_behind(raw, OPERATOR, [found.encounter_id])
        claimed = (await claims.of_people(raw, [found.person_id])).get(found.person_id, [])
        has_one = await transfers.has_follow_up(raw, found.encounter_id, body.to)
    stay = services.read_stay(stays[found.encounter_id], directory)
    today = local_date(services.clock.now(), stay.zone)
    held = [one for one in claimed if one.organization_id == body.to and one.role in HOME_ROLES and one.holds_on(today)]
    if not held or body.to == found.home_id or has_one:
        # One sentence for all: it is not told whether another organization claims the person, or follows up.
        raise invalid("/to", "is no organization that this follow-up can go to")
    assert found.home_id is not None  # noqa: S101 - the caller has looked
    right = home_now(found.home_id, found.programs, claimed, today, directory, services.follow_ups.rulebook)
    return held[0], right is not None and right.organization_id == body.to


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
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        await transfers.lock(raw, follow_up_id)
        open_offer = await transfers.latest(raw, viewer, follow_up_id)
        if open_offer is None or open_offer.transfer.state != "offered" or not _is_for(viewer, open_offer):
            raise not_found("open offer")
        transfer = open_offer.transfer
        await transfers.decide(raw, [transfer.id], state, now, reason=body.reason, by=said)
        if state == "accepted":
            await transfers.hand_over(raw, [HandOver(follow_up_id, transfer.to_id, services.ids.new(), None)], now)
        shown = await transfers.latest(raw, viewer, follow_up_id)
    await services.evaluate(transfer.encounter_id, None)
    return JsonResponse(transfer_json(shown or open_offer))


def _is_for(viewer: Viewer, shown: ShownTransfer) -> bool:
    return viewer.is_operator or viewer.organization_id == shown.transfer.to_id


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
    items = [transfer_json(one) for one in shown if known is None or (one.transfer.encounter_id, whose) in known]
    return JsonResponse(listing(items, spell_cursor(_LIST, shown[-1].transfer.id) if more else None))

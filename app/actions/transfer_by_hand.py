"""A follow-up that two homes hand over themselves: who may have it, and accepting or declining an offer.

Not here: offers that the panels make (move_follow_ups).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.domain.attribution import HOME_ROLES
from app.domain.calendar import local_date
from app.domain.directory import Directory
from app.domain.follow_up import FollowUpState
from app.domain.handing_over import ACCEPTED_AFTER, home_now
from app.domain.own_status import may_meet
from app.domain.rulebook import Rulebook
from app.domain.stay_in_hand import StayInHand
from app.domain.viewer import OPERATOR, Viewer
from app.ports import Ids
from app.store import claims, encounter_reads, encounters, transfers
from app.store.encounters import EncounterRow
from app.store.follow_ups import FollowUpRow
from app.store.raw import Raw
from app.store.transfers import HandOver, ShownTransfer, Transfer

MOVING: Final = (FollowUpState.OPEN, FollowUpState.SUSPENDED)


class NotForThemError(Exception):
    """The follow-up cannot go to that organization. Whose claims it has is not told."""


async def is_theirs_by_right(
    raw: Raw,
    found: FollowUpRow,
    to: UUID,
    *,
    read_stay: Callable[[EncounterRow], StayInHand],
    directory: Directory,
    rulebook: Rulebook,
    now: datetime,
) -> bool:
    """Tell whether the panels say that the home leads by now; as the operator, whose eyes see every claim. Raises `NotForThemError`."""
    stays = await encounter_reads.rows_behind(raw, OPERATOR, [found.encounter_id])
    claimed = (await claims.of_people(raw, [found.person_id])).get(found.person_id, [])
    has_one = await transfers.has_follow_up(raw, found.encounter_id, to)
    stay = read_stay(stays[found.encounter_id])
    today = local_date(now, stay.zone)
    held = [one for one in claimed if one.organization_id == to and one.role in HOME_ROLES and one.holds_on(today)]
    # Whether a home that the other may not know of claims the person is answered like whether a stranger does.
    if found.home_id is None or not held or to == found.home_id or has_one or not may_meet(found.home_id, to, stay, directory):
        raise NotForThemError
    right = home_now(found.home_id, found.programs, claimed, today, directory, rulebook)
    return right is not None and right.organization_id == to


async def offer_to(
    raw: Raw, viewer: Viewer, found: FollowUpRow, to: UUID, *, by_right: bool, ids: Ids, now: datetime
) -> ShownTransfer | None:
    """Offer a follow-up; give the offer as it stands, or None where another home has an open one. The same offer twice is one."""
    if found.home_id is None:
        return None
    offer = Transfer(ids.new(), found.id, found.encounter_id, found.home_id, to, "home", "offered", now, None, None, None)
    await transfers.lock(raw, found.id)
    await transfers.offer(raw, [offer], now, now + ACCEPTED_AFTER if by_right else None)
    shown = await transfers.latest(raw, viewer, found.id)
    return shown if shown is not None and shown.transfer.to_id == to and shown.transfer.state == "offered" else None


async def decide_offer(
    raw: Raw, viewer: Viewer, follow_up_id: UUID, state: str, *, reason: str | None, by: Mapping[str, Any], ids: Ids, now: datetime
) -> ShownTransfer | None:
    """Accept or decline the open offer of a follow-up, as the home that it is for; give it as decided, None where there is none."""
    await transfers.lock(raw, follow_up_id)
    shown = await transfers.latest(raw, viewer, follow_up_id)
    if shown is None or shown.transfer.state != "offered" or not (viewer.is_operator or viewer.organization_id == shown.transfer.to_id):
        return None
    await transfers.decide(raw, [shown.transfer.id], state, now, reason=reason, by=by)
    if state == "accepted":
        await transfers.hand_over(raw, [HandOver(follow_up_id, shown.transfer.to_id, ids.new(), None)], now)
        # Rates by the home of a later day change with it, whatever becomes of who asks.
        await encounters.reconsider(raw, [shown.transfer.encounter_id], now, "transfer")
    return await transfers.latest(raw, viewer, follow_up_id) or shown

"""Room 7, open follow-ups whose person has another home by now: offer them, take offers back, accept them after a while, tell both homes.

Called with what keep_follow_ups came to. Not here: who should have it (domain/handing_over), accepting and declining by a home (api).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.domain.attribution import Attribution
from app.domain.calendar import local_date
from app.domain.directory import Directory
from app.domain.follow_up import FollowUpState
from app.domain.handing_over import ACCEPTED_AFTER, home_now
from app.domain.happening import NotificationType
from app.domain.own_status import may_meet, may_name
from app.domain.privacy import may_be_told, recipient_of
from app.domain.public_id import Kind, public_id
from app.domain.rulebook import Rulebook
from app.domain.stay_in_hand import StayInHand
from app.domain.telling import attribution_content, encounter_content, person_content
from app.ports import Ids
from app.store import people, transfers
from app.store.encounter_reads import ReadStay
from app.store.follow_ups import FollowUpRow
from app.store.notifications import NotificationRow
from app.store.raw import Raw
from app.store.sources import know_sources
from app.store.transfers import HandOver, Transfer

MOVING_STATES = frozenset({FollowUpState.OPEN.value, FollowUpState.SUSPENDED.value})
_SENTENCES = {
    "offered": "another home leads this person's program by now: the follow-up is offered to it and goes over by itself after some days",
    "accepted": "the follow-up went to the home that leads this person's program by now; due times and contacts stay",
    "declined": "the other home declined the follow-up; it stays where it is",
    "withdrawn": "the offer was taken back: the follow-up stays where it is",
}
_TYPES = {"offered": NotificationType.FOLLOW_UP_OFFERED, "accepted": NotificationType.FOLLOW_UP_TRANSFERRED}


@dataclass(frozen=True, slots=True)
class Moving:
    """A follow-up of a home, its stay, the claims on the person, and the homes that have one of the same stay."""

    row: FollowUpRow
    stay: StayInHand
    claims: Sequence[Attribution]
    others: frozenset[UUID]
    disowning: frozenset[UUID] = frozenset()
    """Homes that answered about this stay, and were not found wrong: nothing goes over to them by itself."""


async def move_follow_ups(
    raw: Raw, standing: Sequence[Moving], directory: Directory, rulebook: Rulebook, *, read_stay: ReadStay, ids: Ids, now: datetime
) -> list[NotificationRow]:
    """Bring the offers of these follow-ups in line with today's claims; give what both homes are to be told."""
    if not standing:
        return []
    held = await transfers.of_follow_ups(raw, [one.row.id for one in standing])
    by_follow_up: dict[UUID, list[Transfer]] = {}
    for transfer in held:
        by_follow_up.setdefault(transfer.follow_up_id, []).append(transfer)
    offers: list[Transfer] = []
    taken_back: list[UUID] = []
    timed: list[UUID] = []
    accepted: list[UUID] = []
    moves: list[HandOver] = []
    for one in standing:
        mine = by_follow_up.get(one.row.id, [])
        target = _target(one, mine, directory, rulebook, now)
        pending = next((transfer for transfer in mine if transfer.state == "offered"), None)
        refused = {transfer.to_id for transfer in mine if transfer.state == "declined"}
        if pending is not None and not _still_stands(pending, one, target, directory, now):
            taken_back.append(pending.id)
            pending = None
        if target is None or target.organization_id in refused or one.row.home_id is None:
            continue
        if pending is not None and pending.to_id != target.organization_id:
            continue
        if pending is None:
            offers.append(_offer(one, one.row.home_id, target, ids.new(), now))
        elif pending.accept_at is None:
            # The old home had offered it before the panels said so.
            timed.append(pending.id)
        elif pending.accept_at <= now:
            accepted.append(pending.id)
            moves.append(HandOver(one.row.id, target.organization_id, ids.new(), target.coordinator))
    changes_something = offers or taken_back or accepted
    await transfers.accept_by_itself(raw, timed, now + ACCEPTED_AFTER)
    await transfers.decide(raw, taken_back, "withdrawn", now, reason="the panels say otherwise by now")
    await transfers.decide(raw, accepted, "accepted", now, reason="nobody decided in time")
    await transfers.hand_over(raw, moves, now)
    await transfers.offer(raw, offers, now, now + ACCEPTED_AFTER)
    if changes_something:
        held = await transfers.of_follow_ups(raw, [one.row.id for one in standing])
    untold = [transfer for transfer in held if transfer.noticed != transfer.state]
    return await _notices(raw, untold, {one.row.id: one for one in standing}, directory, read_stay, ids, now) if untold else []


def _target(one: Moving, held: Sequence[Transfer], directory: Directory, rulebook: Rulebook, now: datetime) -> Attribution | None:
    if one.row.state not in MOVING_STATES or one.row.home_id is None or one.stay.reported_by is not None:
        return None
    today = local_date(now, one.stay.zone)
    found = home_now(one.row.home_id, one.row.programs, one.claims, today, directory, rulebook)
    # Who has a follow-up of the same stay needs no second one, and who gave this one away does not get it back unasked.
    passed = one.others | one.disowning | given_away_by(held, one.row.home_id, one.claims, today)
    if found is None or found.organization_id in passed:
        return None
    return found if may_meet(one.row.home_id, found.organization_id, one.stay, directory) else None


def given_away_by(held: Sequence[Transfer], home_id: UUID, claims: Sequence[Attribution], today: date) -> frozenset[UUID]:
    """Give the homes that handed it to the present one themselves, as long as that one claims the person: two people agreed on it."""
    if not any(claim.organization_id == home_id and claim.holds_on(today) for claim in claims):
        return frozenset()
    return frozenset(one.from_id for one in held if (one.to_id, one.source, one.state) == (home_id, "home", "accepted"))


def _still_stands(pending: Transfer, one: Moving, target: Attribution | None, directory: Directory, now: datetime) -> bool:
    """Tell whether an open offer stands: by the panels of today; one that the old home made, as long as the other claims the person."""
    if target is not None and target.organization_id == pending.to_id:
        return True
    if not may_meet(pending.from_id, pending.to_id, one.stay, directory):
        return False
    today = local_date(now, one.stay.zone)
    return (
        pending.source == "home"
        and pending.accept_at is None
        and one.row.state in MOVING_STATES
        and any(claim.organization_id == pending.to_id and claim.holds_on(today) for claim in one.claims)
    )


def _offer(one: Moving, from_id: UUID, target: Attribution, offer_id: UUID, now: datetime) -> Transfer:
    to_id = target.organization_id
    return Transfer(offer_id, one.row.id, one.stay.id, from_id, to_id, "roster", "offered", now, now + ACCEPTED_AFTER, None, None)


async def _notices(
    raw: Raw, untold: Sequence[Transfer], standing: dict[UUID, Moving], directory: Directory, read_stay: ReadStay, ids: Ids, now: datetime
) -> list[NotificationRow]:
    """Tell both homes where an offer stands, once a state. The right to know is asked again."""
    told_of = [(stay.person_id, stay.record_id) for stay in (standing[one.follow_up_id].stay for one in untold)]
    records = await people.describe(raw, {person_id for person_id, _ in told_of})
    sources = await know_sources(raw, records, told_of, directory=directory, read_stay=read_stay)
    notices = []
    for transfer in untold:
        moving = standing[transfer.follow_up_id]
        for home_id, other_id in ((transfer.from_id, transfer.to_id), (transfer.to_id, transfer.from_id)):
            home = directory.organizations.get(home_id)
            tier = may_be_told(moving.stay.origin, recipient_of(home)).tier if home is not None else None
            # An offer that is taken back because the other must not be known of by now is no news either.
            if home is not None and tier is not None and tier.tells and may_name(other_id, home, moving.stay, directory):
                whose = moving.stay.person_id
                person = person_content(whose, sources.told(whose, home_id), home_id, tier, directory)
                notices.append(_notice(transfer, moving, home_id, other_id, tier.value, person, ids.new, now))
    await transfers.noticed(raw, [one.id for one in untold])
    return notices


def _notice(
    transfer: Transfer,
    moving: Moving,
    home_id: UUID,
    other_id: UUID,
    tier: str,
    person: dict[str, Any],
    new_id: Callable[[], UUID],
    now: datetime,
) -> NotificationRow:
    kind = _TYPES.get(transfer.state, NotificationType.FOLLOW_UP_KEPT)
    notice_id, event_id = new_id(), new_id()
    claim = next((one for one in moving.claims if one.organization_id == home_id), None)
    payload: dict[str, Any] = {
        "id": public_id(Kind.NOTIFICATION, notice_id),
        "event_id": public_id(Kind.EVENT, event_id),
        "type": kind.value,
        "event": transfer.state,
        "version": 1,
        "supersedes": None,
        "tier": tier,
        "occurred_at": (transfer.decided_at or transfer.offered_at).isoformat(),
        "created_at": now.isoformat(),
        "person": person,
        "encounter": encounter_content(moving.stay, tier),
        "attribution": attribution_content(claim),
        "follow_up_id": public_id(Kind.FOLLOW_UP, transfer.follow_up_id),
        "reason": _SENTENCES[transfer.state],
        "notices": [],
    }
    return NotificationRow(
        notice_id, home_id, event_id, kind.value, 1, None, tier, moving.stay.person_id, moving.stay.id, transfer.follow_up_id,
        transfer.decided_at or transfer.offered_at, None, payload, other_id,
    )  # fmt: skip

"""Room 4: whose record is this, and which person is that.

Load what the claims touch, let `matching.divide` decide over the whole neighbourhood, save what changed. Locks: first the
match keys of what is new, then the people, both in one order for everybody. What is alike without sharing a key is found a moment
later, by `match_records`. Not here: what follows for stays that move (they are queued for reconsideration).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.identity_plan import Frontier, IdentityMovedError, IdentityPlan
from app.domain.person import RecordClaim, Resolved
from app.domain.scoring import Scorer
from app.domain.tie import review
from app.ports import Ids
from app.standards.scoring_rules import scorer
from app.store import matches, people
from app.store.raw import Raw

__all__ = ["IdentityMovedError", "identify", "rematch"]

CLOSURE_ROUNDS: Final = 6
"""Our policy: neighbours of neighbours are followed this far; real neighbourhoods end after two."""


async def identify(raw: Raw, claims: Sequence[RecordClaim], *, ids: Ids, now: datetime) -> list[Resolved]:
    """Resolve each claim to a record and a person, making and changing them as the claims say.

    Raises `IdentityMovedError` when a concurrent transaction changed the ground; the caller's transaction must be redone.
    """
    named = {(claim.source, own) for claim in claims for own in claim.named}
    plan = IdentityPlan(claims, await people.find_own(raw, list(named)), ids.new, scorer().is_another_person)
    moved = await _match(raw, plan, scorer()) if plan.needs_matching else await _lock(raw, plan)
    await _save(raw, plan, moved, now)
    return plan.resolved(moved)


async def rematch(raw: Raw, records: Iterable[UUID], *, ids: Ids, now: datetime) -> frozenset[UUID]:
    """Divide the people of these records again, because a score or an answer changed, and say how every question about them stands.

    Gives the people whose records went elsewhere. Raises `IdentityMovedError` as `identify` does.
    """
    plan = IdentityPlan.again(await people.by_id(raw, records), ids.new)
    if not plan.needs_matching:
        return frozenset()
    moved = await _match(raw, plan, scorer())
    await _save(raw, plan, moved, now)
    await _review(raw, plan, ids, now)
    return frozenset(moved.values()) | {plan.stored_people[record] for record in moved}


async def _match(raw: Raw, plan: IdentityPlan, by: Scorer) -> dict[UUID, UUID]:
    await people.lock_keys(raw, people.written_keys(plan.lock_keys()))
    await _load_neighbourhood(raw, plan)
    await _lock(raw, plan)
    return plan.divide(await matches.index_authorities(raw), by)


async def _lock(raw: Raw, plan: IdentityPlan) -> dict[UUID, UUID]:
    await people.lock_people(raw, {record.person_id for record in plan.records.values() if record.id not in plan.new})
    await _check_unmoved(raw, plan)
    return {}


async def _load_neighbourhood(raw: Raw, plan: IdentityPlan) -> None:
    asked = Frontier()
    led = Frontier()
    for _ in range(CLOSURE_ROUNDS):
        fresh = plan.frontier()
        fresh.add(led)
        fresh = fresh.without(asked)
        if fresh.is_empty:
            return
        found = await people.neighbours(raw, fresh, plan.leaving)
        met = plan.meet(found)
        # People come whole.
        asked.add(fresh)
        asked.people.update(record.person_id for record in found)
        led = plan.tied(await matches.ties_of(raw, met))


async def _check_unmoved(raw: Raw, plan: IdentityPlan) -> None:
    """Make sure that what we read before we had the locks is still so: neither whose a record is, nor what is known of it.

    What is going to be stored anew is looked at when it is stored.
    """
    read = {record: revision for record, revision in plan.revisions.items() if plan.needs_matching or record not in plan.changed}
    if read and await people.revisions(raw, list(read)) != read:
        raise IdentityMovedError


async def _save(raw: Raw, plan: IdentityPlan, moved: dict[UUID, UUID], now: datetime) -> None:
    await people.insert_people(raw, plan.new_people, now)
    await people.revive(raw, plan.revived)
    compare = plan.to_compare(moved)
    mine = {item: asked for item, asked in compare.items() if item in plan.new}
    await people.insert_records(raw, [plan.records[item] for item in sorted(plan.new)], plan.reasons, mine, now)
    known = [plan.records[item] for item in sorted(plan.changed - plan.new)]
    others = {item: asked for item, asked in compare.items() if item not in plan.new}
    if not await people.update_records(raw, known, plan.reasons, others, now):
        raise IdentityMovedError
    if not known:
        await matches.ask_to_compare(raw, others)
    await people.insert_identifiers(raw, plan.added)
    if not moved:
        return
    await people.move_records(raw, moved, now)
    await matches.note_moves(raw, {record: (plan.stored_people[record], person) for record, person in moved.items()}, plan.reasons, now)
    emptied = {plan.stored_people[record]: person for record, person in moved.items()}
    still_used = {record.person_id for record in plan.records.values()}
    await people.mark_merged(raw, {loser: winner for loser, winner in emptied.items() if loser not in still_used})
    await people.reconsider_people(raw, set(moved.values()) | set(emptied), now, "merge")


async def _review(raw: Raw, plan: IdentityPlan, ids: Ids, now: datetime) -> None:
    """Say how every question about those in play stands, now that they are divided."""
    looked_at = plan.in_play()
    ties = await matches.ties_of(raw, looked_at)
    whose = {record: plan.records[record].person_id for record in looked_at}
    outside = [tie.pair for tie in ties if not whose.keys() >= set(tie.pair)]
    if outside:
        whose = await matches.persons_of(raw, outside) | whose
    found = review(ties, plan.division.questions if plan.division else (), whose, looked_at)
    await matches.set_states(raw, found.changed, now)
    await matches.ask(raw, found.asked, [ids.new() for _ in found.asked], now)

"""Deliveries and attempts: from the outbox to an endpoint's queue, claimed under a lease, finished under a fence.

Every statement takes a whole batch. Due times are ours (`now` is passed in); leases compare the database's own clock, because two
workers' clocks may differ. Whoever claims or finishes holds the endpoint's row lock (subscriptions.py), so what one statement sees
of an endpoint's queue is all of it. Not here: what a result means (app.domain.delivery).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import orjson
from asyncpg import Record

from app.domain.delivery import AttemptResult, DeliveryState, OrderMode, Settlement
from app.store.ended_rights import HAS_PARTED
from app.store.notification_reads import StoredNotification
from app.store.raw import Raw

_FAN_OUT: Final = """
with news as (
    select s.id, s.organization_id, s.event_types, s.fanned_out_sequence as after,
           least(q.last_sequence, s.fanned_out_sequence + $2) as until
    from subscription s join recipient_sequence q on q.recipient_id = s.organization_id
    where s.status = 'active' and q.last_sequence > s.fanned_out_sequence
    order by s.id limit $3
    for update of s skip locked
), moved as (
    update subscription s set fanned_out_sequence = news.until from news where s.id = news.id
)
insert into delivery (subscription_id, sequence, notification_id, person_id, state, attempts, next_attempt_at, fence)
select news.id, n.sequence, n.id, n.person_id, 'pending', 0, $1, 0
from news join notification n on n.recipient_id = news.organization_id and n.sequence > news.after and n.sequence <= news.until
where cardinality(news.event_types) = 0 or n.type = any(news.event_types)
   or exists (select 1 from notification first where first.encounter_id = n.encounter_id and first.recipient_id = n.recipient_id
              and first.event_id = n.event_id and first.sequence < n.sequence and first.type = any(news.event_types))
on conflict do nothing
"""


async def fan_out(raw: Raw, now: datetime, *, sequences_max: int, subscriptions_max: int) -> int:
    """Give every active subscription its deliveries of what was numbered since; give how many (uq_notification_sequence).

    A recipient's numbers are gapless and become visible in their order, so "everything after the last one" misses nothing. A
    correction or retraction follows the event it corrects (ix_notification_encounter), whatever types were asked for.
    """
    return _count(await raw.execute(_FAN_OUT, now, sequences_max, subscriptions_max))


_SUPERSEDE: Final = """
update delivery d set state = 'superseded', finished_at = $2
from notification n
where d.subscription_id = any($1::uuid[]) and d.state = 'pending' and (d.lease_until is null or d.lease_until <= now())
  and n.id = d.notification_id
  and exists (select 1 from delivery e join notification m on m.id = e.notification_id
              where e.subscription_id = d.subscription_id and e.person_id = d.person_id and e.state = 'pending'
                and e.sequence > d.sequence and m.event_id = n.event_id and m.version > n.version)
"""


async def supersede(raw: Raw, subscriptions: Sequence[UUID], now: datetime) -> int:
    """Mode `latest`: drop what waits of an event that has a newer version waiting (ix_delivery_person)."""
    return _count(await raw.execute(_SUPERSEDE, list(subscriptions), now)) if subscriptions else 0


@dataclass(frozen=True, slots=True)
class Room:
    """How many deliveries of one locked endpoint may be claimed."""

    subscription_id: UUID
    order_mode: OrderMode
    deliveries_max: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """One delivery that this worker has under a lease. The fence tells its claim from every other."""

    subscription_id: UUID
    sequence: int
    fence: int
    attempts: int
    """This one included: it is counted when it is claimed, so that a crash counts."""
    notification: StoredNotification


_CLAIM: Final = f"""
with room as (
    select * from unnest($1::uuid[], $2::bool[], $3::int[]) as r(subscription_id, in_line, deliveries_max)
), head as (
    select h.subscription_id, h.sequence
    from room cross join lateral (
        select d.subscription_id, d.sequence from delivery d
        where d.subscription_id = room.subscription_id and d.state = 'pending' and d.next_attempt_at <= $4
          and (d.lease_until is null or d.lease_until <= now())
          and not (room.in_line and exists (
              select 1 from delivery e where e.subscription_id = d.subscription_id and e.person_id = d.person_id
                and e.state = 'pending' and e.sequence < d.sequence))
        order by d.next_attempt_at limit room.deliveries_max
    ) h
), claimed as (
    update delivery d set lease_until = now() + $5::interval, fence = d.fence + 1, attempts = d.attempts + 1
    from head where d.subscription_id = head.subscription_id and d.sequence = head.sequence
    returning d.subscription_id, d.sequence, d.fence, d.attempts, d.notification_id
)
select c.subscription_id, c.sequence, c.fence, c.attempts, n.id, n.recipient_id, n.sequence as number, n.type, n.tier, n.encounter_id,
       n.created_at, n.cause_id, n.payload, n.acting_id, {HAS_PARTED} as has_parted
from claimed c join notification n on n.id = c.notification_id
order by c.subscription_id, c.sequence
"""


async def claim(raw: Raw, rooms: Sequence[Room], now: datetime, lease: timedelta) -> list[Claimed]:
    """Take the due heads of the lines of locked endpoints (ix_delivery_pending, ix_delivery_person).

    A line is what waits for one person at one endpoint; a lease on an earlier one, or an earlier one that waits for its next
    attempt, holds the rest of that line back and nobody else's.
    """
    if not rooms:
        return []
    rows = await raw.fetch(
        _CLAIM,
        [room.subscription_id for room in rooms],
        [room.order_mode is not OrderMode.UNORDERED for room in rooms],
        [room.deliveries_max for room in rooms],
        now,
        lease,
    )
    return [_claimed(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Finished:
    """What an attempt came to, and what its delivery becomes."""

    claimed: Claimed
    attempt_id: UUID
    started_at: datetime
    ended_at: datetime
    result: AttemptResult
    settlement: Settlement


_FINISH: Final = """
with result as (
    select * from unnest($1::uuid[], $2::bigint[], $3::int[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::int[],
                         $8::uuid[], $9::timestamptz[], $10::int[], $11::text[], $12::int[], $13::text[], $14::text[], $15::int[])
        as r(subscription_id, sequence, fence, state, next_attempt_at, finished_at, attempts,
             attempt_id, started_at, duration_ms, outcome, status_code, error, response_excerpt, number)
), finished as (
    update delivery d set state = r.state, next_attempt_at = coalesce(r.next_attempt_at, d.next_attempt_at),
           finished_at = r.finished_at, attempts = r.attempts, lease_until = null
    from result r
    where d.subscription_id = r.subscription_id and d.sequence = r.sequence and d.fence = r.fence and d.lease_until is not null
    returning d.subscription_id, d.sequence
), recorded as (
    insert into attempt (id, subscription_id, sequence, number, started_at, duration_ms, outcome, status_code, error, response_excerpt)
    select r.attempt_id, r.subscription_id, r.sequence, r.number, r.started_at, r.duration_ms, r.outcome, r.status_code, r.error,
           r.response_excerpt
    from result r join finished f on f.subscription_id = r.subscription_id and f.sequence = r.sequence
)
select subscription_id, sequence from finished
"""


async def finish(raw: Raw, results: Sequence[Finished]) -> set[tuple[UUID, int]]:
    """Record attempts and settle their deliveries; give those that were still ours (pk_delivery).

    Ours is what has our fence and a lease. It is not asked whether it is pending, though that is the same: the planner would then
    take the small partial index of a person's line, and read the whole queue of an endpoint that is far behind for each result.
    A result whose fence is old is dropped, attempt and all: another worker owns the delivery now, and records its own.
    """
    if not results:
        return set()
    rows = await raw.fetch(
        _FINISH,
        [one.claimed.subscription_id for one in results],
        [one.claimed.sequence for one in results],
        [one.claimed.fence for one in results],
        [one.settlement.state for one in results],
        [one.settlement.next_attempt_at for one in results],
        [None if one.settlement.state is DeliveryState.PENDING else one.ended_at for one in results],
        [one.claimed.attempts - (not one.settlement.is_attempt_spent) for one in results],
        [one.attempt_id for one in results],
        [one.started_at for one in results],
        [round(one.result.duration_s * 1000) for one in results],
        [one.result.outcome for one in results],
        [one.result.status_code for one in results],
        [one.result.fault for one in results],
        [one.result.body_excerpt or None for one in results],
        [one.claimed.attempts for one in results],
    )
    return {(row["subscription_id"], row["sequence"]) for row in rows}


_GIVE_BACK: Final = """
update delivery d set state = $4, lease_until = null, attempts = d.attempts - 1, finished_at = $5
from unnest($1::uuid[], $2::bigint[], $3::int[]) as r(subscription_id, sequence, fence)
where d.subscription_id = r.subscription_id and d.sequence = r.sequence and d.fence = r.fence and d.lease_until is not null
"""


async def release(raw: Raw, claims: Sequence[Claimed]) -> int:
    """Give back what was claimed and not sent; no attempt was spent (pk_delivery)."""
    return await _give_back(raw, claims, DeliveryState.PENDING, None)


async def withdraw(raw: Raw, claims: Sequence[Claimed], now: datetime) -> int:
    """End deliveries whose right to be told ended before they were sent. Nothing was sent (pk_delivery)."""
    return await _give_back(raw, claims, DeliveryState.WITHDRAWN, now)


async def _give_back(raw: Raw, claims: Sequence[Claimed], state: DeliveryState, finished_at: datetime | None) -> int:
    if not claims:
        return 0
    keys = ([one.subscription_id for one in claims], [one.sequence for one in claims], [one.fence for one in claims])
    return _count(await raw.execute(_GIVE_BACK, *keys, state.value, finished_at))


@dataclass(frozen=True, slots=True)
class RedriveRange:
    """Which notifications to send again: by number, by when they were made, or both. Open ends are open."""

    sequence_from: int | None = None
    sequence_to: int | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    failed_only: bool = False
    """Only what was given up; otherwise also what was delivered, and what this subscription was never meant to get before."""


_REDRIVE: Final = """
insert into delivery (subscription_id, sequence, notification_id, person_id, state, attempts, next_attempt_at, fence)
select s.id, n.sequence, n.id, n.person_id, 'pending', 0, $2, 0
from subscription s join notification n on n.recipient_id = s.organization_id
where s.id = $1 and n.sequence <= s.fanned_out_sequence
  and n.sequence >= coalesce($3::bigint, 1) and n.sequence <= coalesce($4::bigint, s.fanned_out_sequence)
  and ($5::timestamptz is null or n.created_at >= $5) and ($6::timestamptz is null or n.created_at < $6)
  and (cardinality(s.event_types) = 0 or n.type = any(s.event_types)
       or exists (select 1 from delivery d where d.subscription_id = s.id and d.sequence = n.sequence))
  and (not $7 or exists (select 1 from delivery d where d.subscription_id = s.id and d.sequence = n.sequence and d.state = 'failed'))
order by n.sequence limit $8
on conflict (subscription_id, sequence) do update
    set state = 'pending', attempts = 0, next_attempt_at = excluded.next_attempt_at, finished_at = null, lease_until = null,
        fence = delivery.fence + 1
    where delivery.state in ('delivered', 'failed', 'superseded')
       or delivery.state = 'pending' and (delivery.lease_until is null or delivery.lease_until <= now())
"""


async def redrive(raw: Raw, subscription_id: UUID, wanted: RedriveRange, now: datetime, *, limit: int) -> int:
    """Put notifications of the range into the queue again, afresh; give how many (uq_notification_sequence, pk_delivery).

    What is being sent at this moment stays as it is, and what was withdrawn stays withdrawn. The caller holds the row lock.
    """
    return _count(
        await raw.execute(
            _REDRIVE,
            subscription_id,
            now,
            wanted.sequence_from,
            wanted.sequence_to,
            wanted.created_from,
            wanted.created_to,
            wanted.failed_only,
            limit,
        )
    )


def _claimed(row: Record) -> Claimed:
    payload = row["payload"]
    notification = StoredNotification(
        id=row["id"],
        recipient_id=row["recipient_id"],
        sequence=row["number"],
        type=row["type"],
        tier=row["tier"],
        encounter_id=row["encounter_id"],
        created_at=row["created_at"],
        cause_id=row["cause_id"],
        payload=orjson.loads(payload) if isinstance(payload, str) else payload,
        acting_id=row["acting_id"],
        has_parted=row["has_parted"],
    )
    return Claimed(row["subscription_id"], row["sequence"], row["fence"], row["attempts"], notification)


def _count(status: str) -> int:
    """Read "UPDATE 5" or "INSERT 0 5"."""
    return int(status.rpartition(" ")[2])

"""Reading what became of deliveries: an endpoint's queue and attempts for its owner, and what has waited too long.

Not here: changing any of it (deliveries.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from asyncpg import Record

from app.domain.delivery import DeliveryState
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt as it was recorded."""

    number: int
    started_at: datetime
    duration_ms: int
    outcome: str
    status_code: int | None
    error: str | None
    response_excerpt: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery with its attempts, oldest first."""

    sequence: int
    notification_id: UUID
    type: str
    created_at: datetime
    state: DeliveryState
    attempt_count: int
    """Of the present round: redrive starts at nought."""
    next_attempt_at: datetime | None
    """None when it is over."""
    finished_at: datetime | None
    attempts: Sequence[Attempt]


_DELIVERIES: Final = """
select d.sequence, d.notification_id, n.type, n.created_at, d.state, d.attempts, d.next_attempt_at, d.finished_at
from delivery d join notification n on n.id = d.notification_id
where d.subscription_id = $1 and d.sequence > $2 and ($3::text is null or d.state = $3)
order by d.sequence limit $4
"""

_ATTEMPTS: Final = """
select a.sequence, a.number, a.started_at, a.duration_ms, a.outcome, a.status_code, a.error, a.response_excerpt
from attempt a where a.subscription_id = $1 and a.sequence = any($2::bigint[]) order by a.sequence, a.started_at, a.number
"""


async def list_deliveries(raw: Raw, subscription_id: UUID, *, state: DeliveryState | None, after: int, limit: int) -> list[Delivery]:
    """Give a page of a subscription that the caller has found for its viewer (pk_delivery, ix_attempt_delivery). Two statements."""
    rows = await raw.fetch(_DELIVERIES, subscription_id, after, None if state is None else state.value, limit)
    attempts: dict[int, list[Attempt]] = {row["sequence"]: [] for row in rows}
    for found in await raw.fetch(_ATTEMPTS, subscription_id, list(attempts)) if attempts else ():
        attempts[found["sequence"]].append(_attempt(found))
    return [_delivery(row, attempts[row["sequence"]]) for row in rows]


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How far one endpoint is behind."""

    subscription_id: UUID
    organization_id: UUID
    pending: int
    waiting_since: datetime
    """When the oldest that waits was numbered."""


_BEHIND: Final = """
select s.id as subscription_id, s.organization_id, count(*) as pending, min(n.created_at) as waiting_since
from subscription s join delivery d on d.subscription_id = s.id and d.state = 'pending' join notification n on n.id = d.notification_id
where s.status in ('active', 'disabled')
group by s.id having min(n.created_at) <= $1 order by s.id
"""


async def behind(raw: Raw, before: datetime) -> list[QueueDepth]:
    """Give the endpoints that have something undelivered since before an instant: for the notice to their owners, and for metrics."""
    return [QueueDepth(**row) for row in await raw.fetch(_BEHIND, before)]


_UNDELIVERED: Final = """
select distinct n.id from delivery d join notification n on n.id = d.notification_id join subscription s on s.id = d.subscription_id
where s.organization_id = $1 and d.state in ('pending', 'failed') and n.created_at <= $2 and s.status <> 'paused'
  and not exists (select 1 from delivery e join subscription t on t.id = e.subscription_id
                  where t.organization_id = $1 and e.sequence = d.sequence and e.state = 'delivered')
  and not exists (select 1 from notification_acknowledgement a where a.notification_id = n.id)
order by n.id limit $3
"""


async def undelivered(raw: Raw, recipient_id: UUID, before: datetime, *, limit: int) -> list[UUID]:
    """Give a recipient's notifications that none of its endpoints took and nobody acknowledged: people see them by another road."""
    return [row["id"] for row in await raw.fetch(_UNDELIVERED, recipient_id, before, limit)]


def _attempt(row: Record) -> Attempt:
    values: Mapping[str, Any] = {name: value for name, value in row.items() if name != "sequence"}
    return Attempt(**values)


def _delivery(row: Record, attempts: Sequence[Attempt]) -> Delivery:
    state = DeliveryState(row["state"])
    return Delivery(
        sequence=row["sequence"],
        notification_id=row["notification_id"],
        type=row["type"],
        created_at=row["created_at"],
        state=state,
        attempt_count=row["attempts"],
        next_attempt_at=row["next_attempt_at"] if state is DeliveryState.PENDING else None,
        finished_at=row["finished_at"],
        attempts=attempts,
    )

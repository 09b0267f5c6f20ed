"""Webhook subscriptions: their owner's choices, their secrets, and the health that every worker shares.

A worker that changes an endpoint's deliveries or health holds the subscription's row lock, so claims and results of one endpoint
come one after the other, and a busy endpoint is simply passed over. Not here: deliveries and attempts (deliveries.py).
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from asyncpg import Record

from app.domain.delivery import OrderMode
from app.domain.endpoint import BreakerPhase, DisabledReason, EndpointHealth, Tally, permitted_from
from app.domain.public_id import Kind
from app.domain.subscription import Channel, SealedSecret, Subscription, SubscriptionStatus
from app.domain.viewer import Viewer
from app.store.audit import altered
from app.store.raw import Raw

_COLUMNS: Final = (
    "s.id, s.organization_id, s.channel, s.url, s.description, s.event_types, s.order_mode, s.status, s.status_reason, s.breaker, "
    "s.secrets, s.fanned_out_sequence, s.created_at, s.last_success_at"
)


async def add(raw: Raw, new: Subscription) -> None:
    """Store a new subscription. It starts after the recipient's last notification: `fanned_out_sequence` says so."""
    altered(Kind.SUBSCRIPTION, new.id)
    await raw.execute(
        "insert into subscription (id, organization_id, channel, url, description, event_types, order_mode, status, status_reason, "
        "breaker, secrets, fanned_out_sequence, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        new.id,
        new.organization_id,
        new.channel.value,
        new.url,
        new.description,
        list(new.event_types),
        new.order_mode.value,
        new.status.value,
        new.status_reason,
        _health_document(new.health),
        _secrets_document(new.secrets),
        new.fanned_out_sequence,
        new.created_at,
    )


async def find(raw: Raw, viewer: Viewer, subscription_id: UUID, *, lock: bool = False) -> Subscription | None:
    """Give one that the viewer owns (pk_subscription), locked for a change of it if wanted."""
    row = await raw.fetchrow(f"select {_COLUMNS} from subscription s where s.id = $1 {'for update' if lock else ''}", subscription_id)
    if row is None or not _owns(viewer, row["organization_id"]):
        return None
    return _subscription(row)


async def list_own(raw: Raw, viewer: Viewer, *, organization_id: UUID | None, after: UUID | None, limit: int) -> list[Subscription]:
    """Give a page in the order of creation (ix_subscription_organization_id; for the operator pk_subscription)."""
    wanted = organization_id if viewer.is_operator else viewer.organization_id
    if not viewer.is_operator and (wanted is None or organization_id not in {None, wanted}):
        return []
    rows = await raw.fetch(
        f"select {_COLUMNS} from subscription s where ($1::uuid is null or s.organization_id = $1) and ($2::uuid is null or s.id > $2) "
        "order by s.id limit $3",
        wanted,
        after,
        limit,
    )
    return [_subscription(row) for row in rows]


async def save(raw: Raw, changed: Subscription) -> None:
    """Store what its owner may change, the secrets, the status and the health. The row is locked by the caller's `find`."""
    altered(Kind.SUBSCRIPTION, changed.id)
    await raw.execute(
        "update subscription set url = $2, description = $3, event_types = $4, order_mode = $5, status = $6, status_reason = $7, "
        "breaker = $8, secrets = $9 where id = $1",
        changed.id,
        changed.url,
        changed.description,
        list(changed.event_types),
        changed.order_mode.value,
        changed.status.value,
        changed.status_reason,
        _health_document(changed.health),
        _secrets_document(changed.secrets),
    )


_CLAIM_BUSY: Final = f"""
with recursive waiting(id) as (
    (select d.subscription_id from delivery d where d.state = 'pending' order by d.subscription_id limit 1)
    union all
    select (select d.subscription_id from delivery d where d.state = 'pending' and d.subscription_id > waiting.id
            order by d.subscription_id limit 1)
    from waiting where waiting.id is not null
)
select {_COLUMNS} from waiting join subscription s on s.id = waiting.id
where s.status = 'active' and s.id <> all($3::uuid[])
  and coalesce((s.breaker ->> 'permitted_from')::timestamptz <= $1, true)
  and exists (select 1 from delivery d where d.subscription_id = s.id and d.state = 'pending' and d.next_attempt_at <= $1
              and (d.lease_until is null or d.lease_until <= now()))
order by (s.id <= $2), s.id
limit $4
for update of s skip locked
"""


async def claim_busy(raw: Raw, now: datetime, *, after: UUID, without: Sequence[UUID], limit: int) -> list[Subscription]:
    """Lock endpoints that have something to send now and may be sent to, from `after` on and round: each gets its turn.

    Walks ix_delivery_pending from endpoint to endpoint, so it costs the endpoints that have something waiting, not all there are.
    An endpoint that another worker holds is passed over.
    """
    rows = await raw.fetch(_CLAIM_BUSY, now, after, list(without), limit)
    return [_subscription(row) for row in rows]


async def lock(raw: Raw, ids: Sequence[UUID]) -> dict[UUID, Subscription]:
    """Lock endpoints for recording results, in the order of their ids (pk_subscription)."""
    rows = await raw.fetch(f"select {_COLUMNS} from subscription s where s.id = any($1::uuid[]) order by s.id for update", list(ids))
    return {row["id"]: _subscription(row) for row in rows}


async def save_health(raw: Raw, changed: Mapping[UUID, EndpointHealth], succeeded_at: Mapping[UUID, datetime]) -> None:
    """Store the health of locked endpoints; what health gave up is disabled, unless its owner has paused it meanwhile."""
    if not changed:
        return
    ids = list(changed)
    await raw.execute(
        """
        update subscription s set breaker = c.breaker::jsonb, last_success_at = coalesce(c.succeeded_at, s.last_success_at),
               status = case when c.disabled is not null and s.status = 'active' then 'disabled' else s.status end,
               status_reason = case when c.disabled is not null and s.status = 'active' then c.disabled else s.status_reason end
        from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as c(id, breaker, disabled, succeeded_at)
        where s.id = c.id
        """,
        ids,
        [_health_document(changed[id_]) for id_ in ids],
        [changed[id_].disabled for id_ in ids],
        [succeeded_at.get(id_) for id_ in ids],
    )


def _owns(viewer: Viewer, organization_id: UUID) -> bool:
    return viewer.is_operator or viewer.organization_id == organization_id


def _subscription(row: Record) -> Subscription:
    return Subscription(
        id=row["id"],
        organization_id=row["organization_id"],
        channel=Channel(row["channel"]),
        url=row["url"],
        description=row["description"],
        event_types=tuple(row["event_types"]),
        order_mode=OrderMode(row["order_mode"]),
        status=SubscriptionStatus(row["status"]),
        status_reason=row["status_reason"],
        health=_health(_json(row["breaker"])),
        secrets=tuple(_secret(item) for item in _json(row["secrets"])),
        fanned_out_sequence=row["fanned_out_sequence"],
        created_at=row["created_at"],
        last_success_at=row["last_success_at"],
    )


def _json(value: Any) -> Any:  # noqa: ANN401 - decoded or not, by the connection's codec
    return orjson.loads(value) if isinstance(value, str | bytes) else value


def _instant(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _health_document(health: EndpointHealth) -> str:
    """Write health with the one value that SQL looks at beside it: from when an attempt may be spent."""
    return orjson.dumps({**asdict(health), "permitted_from": permitted_from(health)}).decode()


def _health(document: Mapping[str, Any]) -> EndpointHealth:
    disabled = document.get("disabled")
    return EndpointHealth(
        phase=BreakerPhase(document.get("phase", BreakerPhase.CLOSED)),
        retry_at=_instant(document.get("retry_at")),
        openings=document.get("openings", 0),
        connection_faults=document.get("connection_faults", 0),
        tallies=tuple(
            Tally(datetime.fromisoformat(tally["started_at"]), tally["attempts"], tally["failures"])
            for tally in document.get("tallies", ())
        ),
        held_until=_instant(document.get("held_until")),
        failing_since=_instant(document.get("failing_since")),
        owner_told_at=_instant(document.get("owner_told_at")),
        disabled=None if disabled is None else DisabledReason(disabled),
    )


def _secrets_document(secrets: Sequence[SealedSecret]) -> str:
    listed = [{"key_id": secret.key_id, "body": b64encode(secret.body).decode(), "expires_at": secret.expires_at} for secret in secrets]
    return orjson.dumps(listed).decode()


def _secret(document: Mapping[str, Any]) -> SealedSecret:
    return SealedSecret(document["key_id"], b64decode(document["body"]), _instant(document["expires_at"]))

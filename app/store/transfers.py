"""Follow-ups on their way to another home: offers, and the handing over itself. Whole batches; rows are never deleted."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from asyncpg import Record

from app.domain.home_day import Owner
from app.domain.viewer import Viewer
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class Transfer:
    """One offer of a follow-up."""

    id: UUID
    follow_up_id: UUID
    encounter_id: UUID
    from_id: UUID
    to_id: UUID
    source: str
    state: str
    offered_at: datetime
    accept_at: datetime | None
    decided_at: datetime | None
    reason: str | None
    noticed: str | None = None
    """Of which state both homes were told."""


_COLUMNS = """t.id, t.follow_up_id, t.encounter_id, t.from_id, t.to_id, t.source, t.state, t.offered_at, t.accept_at, t.decided_at,
t.reason, t.noticed"""


def _transfer(row: Record) -> Transfer:
    return Transfer(*list(row.values())[:12])


async def of_follow_ups(raw: Raw, follow_ups: Iterable[UUID]) -> list[Transfer]:
    """Give every offer of these follow-ups, oldest first (ix_follow_up_transfer_follow_up)."""
    rows = await raw.fetch(
        f"select {_COLUMNS} from follow_up_transfer t where t.follow_up_id = any($1::uuid[]) order by t.id", list(follow_ups)
    )
    return [_transfer(row) for row in rows]


_OFFER = """
with offered as (
    insert into follow_up_transfer (id, follow_up_id, encounter_id, from_id, to_id, source, state, offered_at, accept_at)
    select id, follow_up_id, encounter_id, from_id, to_id, source, 'offered', $7, $8
    from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[])
        as n(id, follow_up_id, encounter_id, from_id, to_id, source)
    on conflict do nothing
    returning follow_up_id
)
update follow_up f set hand_over_at = $8, next_change_at = least(f.next_change_at, $8) from offered o where f.id = o.follow_up_id
returning f.id
"""


async def offer(raw: Raw, offers: Sequence[Transfer], now: datetime, accept_at: datetime | None) -> set[UUID]:
    """Offer follow-ups to other homes, one open offer each; give those that were offered. The timer accepts what nobody decides."""
    if not offers:
        return set()
    rows = await raw.fetch(
        _OFFER,
        [one.id for one in offers],
        [one.follow_up_id for one in offers],
        [one.encounter_id for one in offers],
        [one.from_id for one in offers],
        [one.to_id for one in offers],
        [one.source for one in offers],
        now,
        accept_at,
    )
    return {row["id"] for row in rows}


_ACCEPT_BY_ITSELF = """
with timed as (
    update follow_up_transfer t set accept_at = $2 where t.id = any($1::uuid[]) and t.state = 'offered' returning t.follow_up_id
)
update follow_up f set hand_over_at = $2, next_change_at = least(f.next_change_at, $2) from timed t where f.id = t.follow_up_id
"""


async def accept_by_itself(raw: Raw, transfers: Sequence[UUID], at: datetime) -> None:
    """Let open offers that only the other home could accept be accepted by themselves."""
    if transfers:
        await raw.execute(_ACCEPT_BY_ITSELF, list(transfers), at)


_DECIDE = """
with decided as (
    update follow_up_transfer t set state = $2, decided_at = $3, reason = coalesce($4, t.reason), decided_by = $5::text::jsonb
    where t.id = any($1::uuid[]) and t.state = 'offered'
    returning t.follow_up_id
)
update follow_up f set hand_over_at = null from decided d where f.id = d.follow_up_id returning f.id
"""


async def decide(
    raw: Raw, transfers: Sequence[UUID], state: str, now: datetime, *, reason: str | None = None, by: Mapping[str, Any] | None = None
) -> set[UUID]:
    """Decide open offers; give the follow-ups of those that were open."""
    if not transfers:
        return set()
    rows = await raw.fetch(_DECIDE, list(transfers), state, now, reason, orjson.dumps(dict(by or {})).decode())
    return {row["id"] for row in rows}


_HAND_OVER = """
with moved as (
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) as n(follow_up_id, to_id, link_id, staff)
), ended as (
    update follow_up_owner o set ends_at = $5 from moved m where o.follow_up_id = m.follow_up_id and o.ends_at is null
), begun as (
    insert into follow_up_owner (id, follow_up_id, organization_id, staff, starts_at)
    select link_id, follow_up_id, to_id, staff, $5 from moved
), woken as (
    insert into follow_up_log (id, follow_up_id, at, said)
    select m.link_id, f.id, $5, jsonb_build_object('what', 'woken', 'by', '', 'to', null, 'reason', 'the follow-up went to another home',
        'from', to_char(f.snoozed_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'))
    from moved m join follow_up f on f.id = m.follow_up_id where f.snoozed_until > $5
)
update follow_up f set first_home_id = coalesce(f.first_home_id, f.home_id), home_id = m.to_id, assignee = m.staff, hand_over_at = null,
    snoozed_until = null, snooze = null, updated_at = $5, version = f.version + 1, xid = default
from moved m where f.id = m.follow_up_id
"""


@dataclass(frozen=True, slots=True)
class HandOver:
    """A follow-up that goes to another home."""

    follow_up_id: UUID
    to_id: UUID
    link_id: UUID
    staff: str | None


async def hand_over(raw: Raw, moves: Sequence[HandOver], now: datetime) -> None:
    """Make the new homes responsible: due times, contacts and the chain of owners stay. What the old one let rest, rests no more."""
    if moves:
        await raw.execute(
            _HAND_OVER,
            [one.follow_up_id for one in moves],
            [one.to_id for one in moves],
            [one.link_id for one in moves],
            [one.staff for one in moves],
            now,
        )


_CHAINS = """
select f.encounter_id, f.first_home_id, o.organization_id, o.starts_at
from follow_up f join follow_up_owner o on o.follow_up_id = f.id
where f.encounter_id = any($1::uuid[]) and f.first_home_id is not null and o.organization_id is not null
order by o.starts_at, o.id
"""


async def chains(raw: Raw, stays: Collection[UUID]) -> Mapping[tuple[UUID, UUID], Sequence[Owner]]:
    """Give the homes that had the follow-ups of these stays, oldest first, by stay and home of the discharge: of those that moved.

    By ix_follow_up_moved and ix_follow_up_owner_follow_up_id.
    """
    found: dict[tuple[UUID, UUID], list[Owner]] = {}
    for row in await raw.fetch(_CHAINS, list(stays)) if stays else ():
        found.setdefault((row["encounter_id"], row["first_home_id"]), []).append(Owner(row["organization_id"], row["starts_at"]))
    return found


async def has_follow_up(raw: Raw, encounter_id: UUID, home_id: UUID) -> bool:
    """Tell whether a home has, or had, a follow-up of a stay (uq_follow_up_home)."""
    return bool(await raw.fetchval("select true from follow_up where encounter_id = $1 and home_id = $2", encounter_id, home_id))


async def noticed(raw: Raw, transfers: Iterable[UUID]) -> None:
    """Note that both homes were told of where these stand."""
    await raw.execute("update follow_up_transfer set noticed = state where id = any($1::uuid[])", list(transfers))


_SHOWN = f"""
select {_COLUMNS}, f.person_id, f.anchor_on, f.next_due_at
from follow_up_transfer t left join follow_up f on f.id = t.follow_up_id
"""


@dataclass(frozen=True, slots=True)
class ShownTransfer:
    """An offer, and as much of its follow-up as the other home may know before it is its own."""

    transfer: Transfer
    person_id: UUID | None
    discharged_on: date | None
    next_due_at: datetime | None


def _mine(viewer: Viewer) -> str:
    return "($1::uuid is null or $1::uuid is not null)" if viewer.is_operator else "(t.from_id = $1 or t.to_id = $1)"


async def page(raw: Raw, viewer: Viewer, *, state: str | None, after: UUID | None, limit: int) -> list[ShownTransfer]:
    """Give a page of the offers from and to the viewer, oldest first (ix_follow_up_transfer_from, ix_follow_up_transfer_to)."""
    values: list[Any] = [viewer.organization_id]
    parts = [_mine(viewer)]
    for condition, value in (("t.state = {}", state), ("t.id > {}", after)):
        if value is not None:
            values.append(value)
            parts.append(condition.format(f"${len(values)}"))
    values.append(limit)
    rows = await raw.fetch(f"{_SHOWN} where {' and '.join(parts)} order by t.id limit ${len(values)}", *values)
    return [ShownTransfer(_transfer(row), *list(row.values())[12:]) for row in rows]


async def lock(raw: Raw, follow_up_id: UUID) -> None:
    """Lock a follow-up before its offers, as the pipeline does: what either decides, the other sees decided."""
    await raw.execute("select 1 from follow_up where id = $1 for update", follow_up_id)


async def latest(raw: Raw, viewer: Viewer, follow_up_id: UUID) -> ShownTransfer | None:
    """Give the last offer of a follow-up that is from or to the viewer. To decide it, lock the follow-up first."""
    row = await raw.fetchrow(
        f"{_SHOWN} where {_mine(viewer)} and t.follow_up_id = $2 order by t.id desc limit 1",
        viewer.organization_id,
        follow_up_id,
    )
    return None if row is None else ShownTransfer(_transfer(row), *list(row.values())[12:])

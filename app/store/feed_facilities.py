"""The facilities of aggregators: what their codes stand for, and the messages that wait because nobody has said it.

A held message is set aside like any other; the row here says what would release it. Mapping a facility locks the feed's row, and so
does holding a message: whichever comes second sees the other, so that no message is held for a facility that is mapped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.feed import FeedFacility
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A message, and the code whose mapping would release it."""

    message_id: UUID
    feed_id: UUID
    code: str
    place: str


@dataclass(frozen=True, slots=True)
class FacilityRow:
    """A code that is mapped, or that messages wait for, or both for a moment."""

    code: str
    facility: FeedFacility | None
    place: str | None
    held: int
    first_held_at: datetime | None
    last_held_at: datetime | None


_HOLD = """
insert into held_message (message_id, feed_id, code, place, held_at)
select h.message_id, h.feed_id, h.code, h.place, $5
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as h(message_id, feed_id, code, place)
"""

# A row of a hold goes with its release, and how many there were is asked afterwards. In order, as others may count at the same time.
_COUNT_HELD = """
insert into feed_hour as h (feed_id, hour_at, held)
select feed_id, date_trunc('hour', $2::timestamptz), count(*) from unnest($1::uuid[]) as n(feed_id) group by feed_id order by feed_id
on conflict (feed_id, hour_at) do update set held = h.held + excluded.held
"""

_MAPPED_MEANWHILE = """
with released as (
    delete from held_message h using feed_facility f
    where h.message_id = any($1::uuid[]) and f.feed_id = h.feed_id and f.code = h.code returning h.message_id
)
insert into inbound_queue (message_id, lane) select message_id, abs(hashtext(message_id::text) % $2) from released
on conflict (message_id) do nothing
"""


async def hold(raw: Raw, worked_on: Sequence[UUID], held: Sequence[HeldRow], lanes: int, now: datetime) -> None:
    """Note what messages wait for; those that were worked on and are not held wait no more (pk_held_message)."""
    waited = await raw.fetch("delete from held_message where message_id = any($1::uuid[]) returning message_id", list(worked_on))
    if not held:
        return
    messages = [row.message_id for row in held]
    await raw.fetch("select 1 from feed where id = any($1::uuid[]) order by id for share", sorted({row.feed_id for row in held}))
    await raw.execute(_HOLD, messages, [row.feed_id for row in held], [row.code for row in held], [row.place for row in held], now)
    before = {row["message_id"] for row in waited}
    await raw.execute(_COUNT_HELD, [row.feed_id for row in held if row.message_id not in before], now)
    # The registry of this batch may be older than a mapping that was committed before the lock above was given.
    await raw.execute(_MAPPED_MEANWHILE, messages, lanes)


_MAP = """
insert into feed_facility (feed_id, code, organization_id, time_zone, assigning_authority, mapped_at) values ($1, $2, $3, $4, $5, $6)
on conflict (feed_id, code) do update set organization_id = excluded.organization_id, time_zone = excluded.time_zone,
    assigning_authority = excluded.assigning_authority, mapped_at = excluded.mapped_at
"""

_RELEASE = """
with released as (
    delete from held_message where feed_id = $1 and code = $2 returning message_id
), queued as (
    insert into inbound_queue (message_id, lane) select message_id, abs(hashtext(message_id::text) % $3) from released
    on conflict (message_id) do nothing
)
select count(*) from released
"""


async def map_facility(raw: Raw, feed_id: UUID, code: str, facility: FeedFacility, lanes: int, now: datetime) -> int:
    """Say what a code stands for, and put the messages that waited for it on the queue; give how many (ix_held_message_facility)."""
    await raw.fetch("select 1 from feed where id = $1 for update", feed_id)
    await raw.execute(_MAP, feed_id, code, facility.organization_id, facility.time_zone, facility.assigning_authority, now)
    return int(await raw.fetchval(_RELEASE, feed_id, code, lanes))


async def held_for(raw: Raw, feed_id: UUID, code: str) -> int:
    """Count the messages that wait for a code (ix_held_message_facility)."""
    return int(await raw.fetchval("select count(*) from held_message where feed_id = $1 and code = $2", feed_id, code))


_LIST = """
select coalesce(f.code, h.code) as code, f.organization_id, f.time_zone, f.assigning_authority, h.place, coalesce(h.held, 0) as held,
       h.first_at, h.last_at
from (select * from feed_facility where feed_id = $1) f
full join (
    select code, min(place) as place, count(*) as held, min(held_at) as first_at, max(held_at) as last_at
    from held_message where feed_id = $1 group by code
) h on h.code = f.code
where $2::text is null or coalesce(f.code, h.code) > $2
order by 1 limit $3
"""


async def list_facilities(raw: Raw, feed_id: UUID, *, after: str | None, limit: int) -> list[FacilityRow]:
    """Give a page of the codes of a feed in their own order: those that are mapped, and those that messages wait for."""
    return [
        FacilityRow(
            row["code"],
            FeedFacility(row["organization_id"], row["time_zone"], row["assigning_authority"]) if row["organization_id"] else None,
            row["place"],
            row["held"],
            row["first_at"],
            row["last_at"],
        )
        for row in await raw.fetch(_LIST, feed_id, after, limit)
    ]

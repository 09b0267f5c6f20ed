"""Finding open stays of which nothing was heard for long. Not here: what becomes of them (pipeline/presume)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.event_order import sorts_before
from app.store.feed_counts import first_id_at
from app.store.raw import Raw

_HANGING = """
with heard as materialized (
    select p.feed_id from feed_pulse p where p.last_message_at >= $4
    and not exists (select 1 from feed_silence s where s.feed_id = p.feed_id and s.closed_at is null)
)
select e.id from heard h
cross join lateral (
    select e.id, e.class, e.last_key, e.source from encounter e
    where e.feed_id = h.feed_id and e.status = 'in-progress' and e.id < $6 offset 0
) e
join unnest($1::text[], $2::text[], $3::uuid[]) as limits(class, heard_before, known_before)
  on e.class = limits.class and e.id < limits.known_before and e.last_key < limits.heard_before
where e.source = 'adt'
order by e.id limit $5
"""


async def hanging_stays(raw: Raw, limits: Mapping[str, timedelta], now: datetime, feed_heard_since: datetime, most: int) -> list[UUID]:
    """Give open stays that were silent for longer than their class may be, and known for as long (ix_encounter_open).

    Of feeds that are heard themselves: a feed that is down says nothing about its patients.
    """
    rows = await raw.fetch(
        _HANGING,
        list(limits),
        [sorts_before(now - limit) for limit in limits.values()],
        [first_id_at(now - limit) for limit in limits.values()],
        feed_heard_since,
        most,
        first_id_at(now - min(limits.values())),
    )
    return [row["id"] for row in rows]

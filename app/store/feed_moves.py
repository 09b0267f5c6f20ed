"""What a feed's change asks of what came before it: the stays of people in the house when it goes live, and what was set aside."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import orjson

from app.domain.feed import Feed
from app.domain.going_live import all_past
from app.store.asked_again import ASKED_AGAIN
from app.store.raw import Raw

_NOTHING_LIVE = orjson.dumps({name: value for name, value in all_past({}).items() if name == "live"}).decode()

# What was said under each number of a stay (own) is its past as well, or the next of them would make the stay quiet again.
_IN_HOUSE = """
with found as (
    select id from encounter
    where feed_id = $1 and mode in ('shadow', 'backfill') and status = 'in-progress' and ($4::uuid[] is null or id = any($4::uuid[]))
), quiet as (
    select e.id, e.folded_into is not null as is_part from encounter e
    where e.id in (select id from found union all select m.id from found f join encounter m on m.folded_into = f.id where m.own is not null)
    order by e.id for update
), moved as (
    update encounter e set mode = 'live', version = e.version + 1, updated_at = $2, xid = default,
        state = case when quiet.is_part then e.state
            else ((e.state::jsonb - 'quiet' - 'live') || jsonb_build_object('quiet', e.state::jsonb) || $3::jsonb)::json end,
        own = case when e.own->'state'->>'last_key' = '' or e.own is null then e.own
            else (e.own::jsonb || jsonb_build_object('mode', 'live', 'state', ((e.own->'state')::jsonb - 'quiet' - 'live')
                || jsonb_build_object('quiet', (e.own->'state')::jsonb) || $3::jsonb))::json end
    from quiet where e.id = quiet.id and (quiet.is_part or e.mode in ('shadow', 'backfill'))
    returning e.id, quiet.is_part
)
select id from moved where not is_part
"""

_HISTORY = """
update encounter e set mode = 'backfill', updated_at = $2, xid = default,
    own = case when e.own->>'mode' = 'shadow' then (e.own::jsonb || '{"mode": "backfill"}')::json else e.own end
from (select id from encounter where feed_id = $1 and mode = 'shadow' order by id for update) ended
where e.id = ended.id and e.mode = 'shadow' returning e.id
"""

_LOOK_AGAIN = (
    """
insert into reconsideration (encounter_id, asked_at, cause) select id, $2, 'live' from unnest($1::uuid[]) as id order by id
"""
    + ASKED_AGAIN
)


async def go_live(raw: Raw, feed_id: UUID, now: datetime, *, only: Sequence[UUID] | None = None) -> int:
    """Make the quiet stays of people in the house live, with what was heard so far as their past; give how many.

    The stays that have ended are history from now on (`only` none: the whole feed). All are looked at again: follow-ups open, and
    nothing that was heard before is told. Once in the life of a feed, so the scan of its stays needs no index (ix_encounter_last_key).
    """
    moved = await raw.fetch(_IN_HOUSE, feed_id, now, _NOTHING_LIVE, None if only is None else list(only))
    ended = await raw.fetch(_HISTORY, feed_id, now) if only is None else []
    await raw.execute(_LOOK_AGAIN, [row["id"] for row in (*moved, *ended)], now)
    return len(moved)


_SET_ASIDE = """
select m.id from (
    select m.id from inbound_outcome o join inbound_message m on m.id = o.message_id where o.outcome = 'set_aside' and m.feed_id = $1
    union all
    select m.id from inbound_outcome o join inbound_message m on m.id = o.message_id
    where o.outcome = 'processed' and o.problems is not null and m.feed_id = $1
    union all
    select m.id from inbound_message m
    where m.organization_id = $2 and m.ack_code <> 'AA' and m.ack_code in ('AE', 'CE') and m.feed_id = $1
        and not exists (select 1 from inbound_outcome o where o.message_id = m.id)
) m
where not exists (select 1 from inbound_queue q where q.message_id = m.id)
    and not exists (select 1 from held_message h where h.message_id = m.id)
order by m.id
"""


async def set_aside_of(raw: Raw, feed: Feed) -> list[UUID]:
    """Give the messages of a feed that were set aside and that nobody has put on the queue since, as the viewer may see, oldest first.

    With them those that were processed with a code that nobody has mapped: read again by a profile that maps it, they mean more.
    Those that wait for a facility are released by mapping it, and are not among them. What the pipeline set aside has its own partial
    index (ix_inbound_outcome_set_aside, ix_inbound_outcome_unmapped), what the door refused another (ix_inbound_message_refused).
    """
    return [row["id"] for row in await raw.fetch(_SET_ASIDE, feed.id, feed.organization_id)]


async def left_of(raw: Raw, messages: Sequence[UUID]) -> int:
    """Count the messages of a list that still wait for a worker (pk_inbound_queue)."""
    return int(await raw.fetchval("select count(*) from inbound_queue where message_id = any($1::uuid[])", list(messages)))


async def stays_of(raw: Raw, messages: Sequence[UUID]) -> list[UUID]:
    """Give the stays that messages belong to (pk_inbound_outcome)."""
    rows = await raw.fetch(
        "select distinct encounter_id from inbound_outcome where message_id = any($1::uuid[]) and encounter_id is not null", list(messages)
    )
    return [row["encounter_id"] for row in rows]

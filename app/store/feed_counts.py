"""Counting what feeds bring: the statements of the background job that watches them. Each takes a span of ids, whatever is in it.

Ids are time-ordered (UUID version 7), so a span of time is a range of a primary key. Not here: reading the figures (feed_health),
and what is expected (domain/rhythm).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from app.store.backlog import received_at
from app.store.raw import Raw

_TIME_SHIFT = 80
_TIME_MAX = (1 << 48) - 1


def first_id_at(at: datetime) -> UUID:
    """Give the smallest id that can be made at an instant: whole milliseconds, then nothing but zeros. No id is older than 1970."""
    return UUID(int=min(max(int(at.timestamp() * 1000), 0), _TIME_MAX) << _TIME_SHIFT)


@dataclass(slots=True)
class Watch:
    """How far the job has come."""

    counted_to: datetime | None = None
    judged_to: datetime | None = None
    watched_from: datetime | None = None
    looked_at: datetime | None = None
    presumed_at: datetime | None = None


async def read_watch(raw: Raw) -> Watch:
    """Read it; the caller holds the job's lock."""
    row = await raw.fetchrow("select counted_to, judged_to, watched_from, looked_at, presumed_at from feed_watch")
    return Watch(*row.values()) if row is not None else Watch()


async def save_watch(raw: Raw, watch: Watch) -> None:
    """Write it, in the transaction of what was counted: nothing is counted twice."""
    await raw.execute(
        "insert into feed_watch (id, counted_to, judged_to, watched_from, looked_at, presumed_at) values (1, $1, $2, $3, $4, $5) "
        "on conflict (id) do update set counted_to = excluded.counted_to, judged_to = excluded.judged_to, "
        "watched_from = excluded.watched_from, looked_at = excluded.looked_at, presumed_at = excluded.presumed_at",
        watch.counted_to,
        watch.judged_to,
        watch.watched_from,
        watch.looked_at,
        watch.presumed_at,
    )


async def first_message_from(raw: Raw, at: datetime) -> datetime | None:
    """Give when the first message from an instant on came, so that a quiet time is passed in one step (pk_inbound_message)."""
    found = await raw.fetchval("select id from inbound_message where id >= $1 order by id limit 1", first_id_at(at))
    return received_at(found) if found is not None else None


async def waiting_since(raw: Raw, at: datetime) -> datetime | None:
    """Give when the first of the waiting messages came that came from an instant on (pk_inbound_queue)."""
    found = await raw.fetchval("select message_id from inbound_queue where message_id >= $1 order by message_id limit 1", first_id_at(at))
    return received_at(found) if found is not None else None


_COUNT = """
with seen as (
    select m.feed_id, date_trunc('hour', m.received_at) as hour_at, m.ack_code, o.outcome, a.message_id is not null as is_event,
           f.mode <> 'backfill' and a.occurred_at < m.received_at - $3::interval as is_late,
           m.control_id <> '' and exists (
               select 1 from inbound_message other where other.feed_id = m.feed_id and other.control_id = m.control_id
               and other.content_hash <> m.content_hash and other.id < m.id) as is_reused
    from inbound_message m
    join feed f on f.id = m.feed_id
    left join inbound_outcome o on o.message_id = m.id
    left join adt_event a on a.message_id = m.id
    where m.id >= $1 and m.id < $2
)
insert into feed_hour as h (feed_id, hour_at, messages, refused, set_aside, control_ids_reused, events, late)
select feed_id, hour_at, count(*), count(*) filter (where ack_code not in ('AA', 'CA')),
       count(*) filter (where ack_code in ('AA', 'CA') and outcome = 'set_aside'), count(*) filter (where is_reused),
       count(*) filter (where is_event), count(*) filter (where is_late)
from seen group by feed_id, hour_at
on conflict (feed_id, hour_at) do update set messages = h.messages + excluded.messages, refused = h.refused + excluded.refused,
    set_aside = h.set_aside + excluded.set_aside, control_ids_reused = h.control_ids_reused + excluded.control_ids_reused,
    events = h.events + excluded.events, late = h.late + excluded.late
"""


async def count_messages(raw: Raw, starts_at: datetime, ends_at: datetime, late_after: timedelta) -> None:
    """Add the messages of a span to their hours: every one once, found by a range of pk_inbound_message."""
    await raw.execute(_COUNT, first_id_at(starts_at), first_id_at(ends_at), late_after)


_JUDGE = """
with discharges as (
    select m.feed_id, date_trunc('hour', m.received_at) as hour_at, exists (
        select 1 from adt_event b where b.encounter_id = a.encounter_id and b.trigger = any($3::text[])) as is_opened
    from adt_event a join inbound_message m on m.id = a.message_id
    where a.message_id >= $1 and a.message_id < $2 and a.trigger = 'A03' and a.encounter_id is not null and m.feed_id is not null
)
insert into feed_hour as h (feed_id, hour_at, discharges, discharges_unopened)
select feed_id, hour_at, count(*), count(*) filter (where not is_opened) from discharges group by feed_id, hour_at
on conflict (feed_id, hour_at) do update set discharges = h.discharges + excluded.discharges,
    discharges_unopened = h.discharges_unopened + excluded.discharges_unopened
"""


async def judge_discharges(raw: Raw, starts_at: datetime, ends_at: datetime, openings: Sequence[str]) -> None:
    """Look whether the stays that a span's A03 ended ever began (pk_adt_event, then ix_adt_event_encounter)."""
    await raw.execute(_JUDGE, first_id_at(starts_at), first_id_at(ends_at), list(openings))


@dataclass(frozen=True, slots=True)
class Sampled:
    """A message whose fields are looked at."""

    id: UUID
    feed_id: UUID
    received_at: datetime
    cipher_key_id: int
    body: bytes


_SAMPLE = """
with numbered as (
    select m.id, row_number() over (partition by m.feed_id, m.trigger order by m.id) as place
    from inbound_message m
    where m.id >= $1 and m.id < $2 and m.feed_id is not null and m.door <> 'fhir'
), taken as (
    select id from numbered where place <= $3 order by place, id limit $4
)
select m.id, m.feed_id, m.received_at, m.cipher_key_id, m.body from taken join inbound_message m on m.id = taken.id
"""


async def sample(raw: Raw, starts_at: datetime, ends_at: datetime, *, of_a_kind: int, most: int) -> list[Sampled]:
    """Take some messages of each feed and trigger in a span: a quiet feed's all, a busy one's first few of every span."""
    rows = await raw.fetch(_SAMPLE, first_id_at(starts_at), first_id_at(ends_at), of_a_kind, most)
    return [Sampled(*row.values()) for row in rows]


async def add_fields(raw: Raw, counts: Mapping[tuple[UUID, date, str], tuple[int, int]]) -> None:
    """Add what was asked and what was there, by feed, day and field. One statement."""
    if not counts:
        return
    keys = sorted(counts)
    await raw.execute(
        "insert into feed_field as f (feed_id, day_on, place, asked, valued) "
        "select * from unnest($1::uuid[], $2::date[], $3::text[], $4::bigint[], $5::bigint[]) "
        "on conflict (feed_id, day_on, place) do update set asked = f.asked + excluded.asked, valued = f.valued + excluded.valued",
        [feed for feed, _, _ in keys],
        [day for _, day, _ in keys],
        [place for _, _, place in keys],
        [counts[key][0] for key in keys],
        [counts[key][1] for key in keys],
    )


_HEAR = """
insert into feed_pulse as p (feed_id, last_message_at)
select feed_id, max(received_at) from inbound_message where id >= $1 and feed_id is not null group by feed_id
on conflict (feed_id) do update set last_message_at = greatest(p.last_message_at, excluded.last_message_at)
"""


async def hear(raw: Raw, since: datetime) -> None:
    """Note when feeds were heard last, also of messages that are not counted yet. Harmless to repeat."""
    await raw.execute(_HEAR, first_id_at(since))


async def presumed(raw: Raw, stays_of: Mapping[UUID, int], now: datetime) -> None:
    """Add stays that were closed because nothing was heard of them."""
    await raw.execute(
        "insert into feed_hour as h (feed_id, hour_at, presumed_ended) "
        "select feed_id, date_trunc('hour', $3::timestamptz), stays from unnest($1::uuid[], $2::int[]) as n(feed_id, stays) "
        "on conflict (feed_id, hour_at) do update set presumed_ended = h.presumed_ended + excluded.presumed_ended",
        list(stays_of),
        list(stays_of.values()),
        now,
    )


async def forget(raw: Raw, hours_before: datetime, days_before: date) -> None:
    """Delete counts that nobody asks for any more."""
    await raw.execute("delete from feed_hour where hour_at < $1", hours_before)
    await raw.execute("delete from facility_day where day_on < $1", hours_before.date())
    await raw.execute("delete from feed_field where day_on < $1", days_before)

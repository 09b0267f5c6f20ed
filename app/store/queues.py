"""What waits for a person: one look at every queue, each by an index of what waits, which is little. For the operator."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from app.domain.happening import Kind
from app.domain.trigger import Trigger
from app.store.agreements import RENEWED
from app.store.feed_counts import first_id_at
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class QueueCount:
    """How one queue is doing."""

    waiting: int
    oldest_at: datetime | None
    opened: int
    """Came into it in the period, decided or not."""
    clocks_running: int
    """Follow-ups of the people who wait whose clocks run meanwhile, and discharges that are followed up once somebody has decided: in a
    message, of a held stay for each home, of one of two who may be one person. Their clocks run too."""
    unread: int = 0
    """Messages that wait and cannot be read enough to say whether they tell of a discharge."""


_IS_DISCHARGE = f"""case when coalesce(m.mode, 'live') <> 'live' then false
        when m.trigger = '' then null else m.trigger = '{Trigger.DISCHARGE.value}' end"""
"""Whose message it is nobody knows yet, but what happened is in its header: the clocks of a discharge run from the day it tells."""

_HELD_FROM_A_HOME = f"""t.kind = '{Kind.DISCHARGED.value}'
        and exists (select 1 from organization o where o.id = t.recipient_id and o.kind in ('health_home', 'behavioral_health_home'))
        and not exists (select 1 from follow_up f where f.encounter_id = t.encounter_id and f.home_id = t.recipient_id)"""
"""Nothing is opened for a home before it may be told: the clocks that it will have run all the same."""
_WOULD_BE_CLAIMED = """exists (
        select 1 from encounter e
        join patient_record o on o.id in (m.left_id, m.right_id) and o.person_id <> p.person_id
        join panel_member c on c.person_id = o.person_id and c.retracted_at is null
        where e.person_id = p.person_id and e.status = 'finished' and e.mode in ('live', 'reported') and e.folded_into is null
            and e.discharged_at > m.opened_at - interval '30 days'
            and c.effective_from <= e.discharged_on and (c.effective_to is null or c.effective_to > e.discharged_on)
            and not exists (select 1 from follow_up f where f.encounter_id = e.id))"""
"""A discharge of the one that nobody follows up, where somebody claims the other."""

_WAITING = f"""
waiting as (
    -- What nobody is told of whatever is decided (a shadow feed, a training message) waits for nothing.
    select 'holds' as queue, concat(t.encounter_id, t.recipient_id, t.kind) as key, t.decided_at as since, e.person_id,
        {_HELD_FROM_A_HOME} as is_discharge
    from telling t join encounter e on e.id = t.encounter_id where t.decision = 'hold' and e.mode in ('live', 'reported')
    union all
    select 'consents', c.id::text, c.asserted_at, c.person_id, false from consent c
    where c.state = 'proposed' or (c.kind in ('emergency', 'break_glass') and c.reviewed_at is null and c.state <> 'revoked')
    union all
    -- Whose the stay is by now: people are joined and parted while they wait.
    select r.kind, r.id::text, r.opened_at, coalesce(e.person_id, r.person_id), false
    from review r left join encounter e on e.id = r.encounter_id where r.state = 'open'
    union all
    select 'possible_matches', m.id::text, m.opened_at, p.person_id, {_WOULD_BE_CLAIMED}
    from identity_match m join patient_record p on p.id in (m.left_id, m.right_id) where m.state = 'open'
    union all
    select 'agreements', a.id::text, a.warned_at, null, false from agreement a
    where a.warned_at is not null and a.ended_at is null and not {RENEWED}
    union all
    select 'unmapped_facilities', h.message_id::text, h.held_at, null, {_IS_DISCHARGE}
    from held_message h join inbound_message m on m.id = h.message_id
    union all
    select 'set_aside', o.message_id::text, m.received_at, null, {_IS_DISCHARGE}
    from inbound_outcome o join inbound_message m on m.id = o.message_id
    where o.outcome = 'set_aside' and not exists (select 1 from inbound_queue q where q.message_id = o.message_id)
        and not exists (select 1 from held_message h where h.message_id = o.message_id)
)
"""
_COUNTS = f"""
with {_WAITING}, opened as (
    select 'holds' as queue, count(distinct (d.encounter_id, d.recipient_id, d.kind)) as opened
    from disclosure d where d.id >= $2 and d.decision = 'hold'
    union all
    select 'consents', count(*) from consent c where c.id >= $2
        and (c.state = 'proposed' or c.reviewed_at is not null or c.kind in ('emergency', 'break_glass'))
    union all
    select r.kind, count(*) from review r where r.id >= $2 group by r.kind
    union all
    select 'possible_matches', count(*) from identity_match m
    where m.id >= $2 and (m.level = 'possible' or m.kind <> 'possible_match' or m.outcome is not null or m.state = 'open')
    union all
    select 'agreements', count(*) from agreement a where a.warned_at >= $1
    union all
    select 'set_aside', coalesce(sum(h.set_aside), 0)::bigint from feed_hour h where h.hour_at >= $1
    union all
    select 'unmapped_facilities', coalesce(sum(h.held), 0)::bigint from feed_hour h where h.hour_at >= $1
)
select coalesce(w.queue, o.queue) as queue, coalesce(w.waiting, 0) as waiting, w.oldest_at, coalesce(o.opened, 0) as opened,
    coalesce(w.clocks_running, 0) as clocks_running, coalesce(w.unread, 0) as unread
from (
    select w.queue, count(distinct w.key) as waiting, min(w.since) as oldest_at,
        count(distinct f.id) + count(distinct w.key) filter (where w.is_discharge) as clocks_running,
        count(distinct w.key) filter (where w.is_discharge is null) as unread
    from waiting w left join follow_up f on f.person_id = w.person_id and f.next_due_at is not null
    group by w.queue
) w full join opened o on o.queue = w.queue
"""


async def oldest(raw: Raw) -> Mapping[str, datetime]:
    """Give since when the oldest of each queue waits; one in which nothing waits is left out."""
    rows = await raw.fetch(f"with {_WAITING} select queue, min(since) as oldest_at from waiting group by queue")
    return {row["queue"]: row["oldest_at"] for row in rows}


async def alerts(raw: Raw) -> Mapping[str, str]:
    """Give what was last said of each queue."""
    return {row["queue"]: row["alert"] for row in await raw.fetch("select queue, alert from queue_alert")}


async def save_alerts(raw: Raw, turned: Mapping[str, str], now: datetime) -> None:
    """Remember what is said of queues from now on."""
    await raw.execute(
        "insert into queue_alert (queue, alert, since) select t.queue, t.alert, $3 from unnest($1::text[], $2::text[]) as t(queue, alert) "
        "on conflict (queue) do update set alert = excluded.alert, since = excluded.since",
        list(turned),
        list(turned.values()),
        now,
    )


async def counts(raw: Raw, since: datetime) -> Mapping[str, QueueCount]:
    """Count every queue (ix_telling_hold, ix_review_state, ix_identity_match_open, ix_inbound_outcome_set_aside, ix_follow_up_person)."""
    rows = await raw.fetch(_COUNTS, since, first_id_at(since))
    return {
        row["queue"]: QueueCount(*(row[name] for name in ("waiting", "oldest_at", "opened", "clocks_running", "unread"))) for row in rows
    }


async def messages_since(raw: Raw, since: datetime) -> int:
    """Count the messages of a period, as the feeds are counted by the hour."""
    found: int = await raw.fetchval("select coalesce(sum(messages), 0)::bigint from feed_hour where hour_at >= $1", since)
    return found

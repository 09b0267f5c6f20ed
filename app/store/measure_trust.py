"""How whole the data behind rates are: in which months the live feeds of facilities were heard. No patient data; read as the operator."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from app.domain.rhythm import MISSING_MIN
from app.store.raw import Raw

_MS_MAX: Final = (1 << 47) - 1


def _id_at(instant: str) -> str:
    """Write the beginning of the first id that can be made at an instant: its milliseconds in twelve hexadecimal digits."""
    return f"lpad(to_hex(least(greatest(extract(epoch from {instant}) * 1000, 0), {_MS_MAX})::bigint), 12, '0')"


# What a feed was in each month is what its versions say, not what it is today. Of a facility behind an aggregator the messages of all
# the others say nothing: a month in which none of its own stays began is one in which it was not heard, and so is one into which a
# silence of its discharges reaches. One that goes on is as long as discharges were counted. Ids are time-ordered.
_MONTHS: Final = f"""
with version as (
    select feed_id, mode, changed_at as since, lead(changed_at, 1, 'infinity') over (partition by feed_id order by version) as until
    from feed_version
), place as (
    select coalesce(x.organization_id, f.organization_id) as facility_id, f.id as feed_id, x.feed_id is not null as is_behind,
        greatest(v.since, coalesce(x.mapped_at, v.since)) as since, v.until
    from feed f join version v on v.feed_id = f.id and v.mode = 'live' left join feed_facility x on x.feed_id = f.id
), month as (
    select at, until, (first || repeat('0', 20))::uuid as first_id, (last || repeat('0', 20))::uuid as last_id
    from generate_series(date_trunc('month', $1::date::timestamp) at time zone 'UTC', $2::timestamptz, interval '1 month') as at
    cross join lateral (select at + interval '1 month' as until) as u
    cross join lateral (select {_id_at("at")} as first, {_id_at("until")} as last) as i
), last as (
    select p.facility_id, p.feed_id, d.day_on as quiet_since, c.until_on
    from (select distinct facility_id, feed_id from place where is_behind and ($3::uuid is null or facility_id = $3)) p
    cross join (select (least(judged_to, $4::timestamptz - interval '1 day') at time zone 'UTC')::date as until_on from feed_watch) c
    cross join lateral (
        select day_on, usual from facility_day
        where feed_id = p.feed_id and facility_id = p.facility_id and day_on <= c.until_on order by day_on desc limit 1
    ) d
    where d.usual * (c.until_on - d.day_on - 1) >= $5
), quiet as (
    select feed_id, facility_id, (quiet_since + 1)::timestamp at time zone 'UTC' as since, until_on::timestamp at time zone 'UTC' as until
    from (
        select feed_id, facility_id, quiet_since, until_on from last
        union all select feed_id, facility_id, quiet_since, day_on from facility_day
        where quiet_since is not null and day_on > $1 and day_on <= ($4::timestamptz at time zone 'UTC')::date
            and ($3::uuid is null or facility_id = $3)
    ) as either
), heard as (
    select p.facility_id, m.at, bool_or(
        exists (select 1 from feed_hour h where h.feed_id = p.feed_id and h.hour_at >= m.at and h.hour_at < m.until and h.messages > 0)
        and (not p.is_behind or exists (
            select 1 from encounter e
            where e.facility_id = p.facility_id and e.id >= m.first_id and e.id < m.last_id and e.feed_id = p.feed_id
        ))
        and not exists (
            select 1 from feed_silence s where s.feed_id = p.feed_id
            and s.last_message_at < least(m.until, $4) and coalesce(s.closed_at, $4) > m.at
            and least(s.closed_at, $4, p.until) - s.last_message_at > interval '1 day'
        )
        and not exists (
            select 1 from quiet q where q.facility_id = p.facility_id and q.feed_id = p.feed_id and q.since < m.until and q.until > m.at
            and least(q.until, p.until) - greatest(q.since, p.since) >= interval '1 day'
        )
    ) as healthy
    from place p join month m on p.since < m.until and p.until > m.at
    where $3::uuid is null or p.facility_id = $3
    group by p.facility_id, m.at
)
select count(*) as expected, count(*) filter (where healthy) as healthy from heard
"""


async def facility_months(raw: Raw, from_on: date, until: datetime, facility_id: UUID | None, *, known_at: datetime) -> tuple[int, int]:
    """Count the months in which a facility's live feed was to be heard, and those in which it was: (expected, healthy).

    A silence of more than a day, as it was known at an instant, is in each month that it reaches into.
    By pk_feed_hour, ix_feed_silence_feed, ix_encounter_facility, pk_facility_day and ix_facility_day_quiet: a few looks a feed and month.
    """
    row = await raw.fetchrow(_MONTHS, from_on, until, facility_id, known_at, MISSING_MIN)
    return (row["expected"], row["healthy"]) if row is not None else (0, 0)

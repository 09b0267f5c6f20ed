"""How whole the data behind rates are: in which months the live feeds of facilities were heard. No patient data; read as the operator."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from app.store.raw import Raw

_MONTHS: Final = """
with place as (
    select coalesce(x.organization_id, f.organization_id) as facility_id, f.id as feed_id, coalesce(x.mapped_at, f.created_at) as since
    from feed f left join feed_facility x on x.feed_id = f.id where f.mode = 'live'
), month as (
    select m as at, m + interval '1 month' as until
    from generate_series(date_trunc('month', $1::date::timestamp) at time zone 'UTC', $2::timestamptz, interval '1 month') as m
), heard as (
    select p.facility_id, m.at, bool_or(
        exists (select 1 from feed_hour h where h.feed_id = p.feed_id and h.hour_at >= m.at and h.hour_at < m.until and h.messages > 0)
        and not exists (
            select 1 from feed_silence s where s.feed_id = p.feed_id and s.opened_at < m.until
            and least(coalesce(s.closed_at, $2), m.until) - greatest(s.opened_at, m.at) > interval '1 day'
        )
    ) as healthy
    from place p join month m on p.since < m.until
    where $3::uuid is null or p.facility_id = $3
    group by p.facility_id, m.at
)
select count(*) as expected, count(*) filter (where healthy) as healthy from heard
"""


async def facility_months(raw: Raw, from_on: date, until: datetime, facility_id: UUID | None) -> tuple[int, int]:
    """Count the months in which a facility's live feed was to be heard, and those in which it was: (expected, healthy).

    By pk_feed_hour and ix_feed_silence_feed: one look a feed and month.
    """
    row = await raw.fetchrow(_MONTHS, from_on, until, facility_id)
    return (row["expected"], row["healthy"]) if row is not None else (0, 0)

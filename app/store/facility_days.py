"""How many discharges of each facility behind an aggregator came on which day. Not here: when a silence is too long (domain/rhythm)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from app.store.feed_counts import first_id_at
from app.store.raw import Raw

Place = tuple[UUID, UUID]
"""A feed, and a facility in whose name it sends."""


@dataclass(frozen=True, slots=True)
class FacilityDay:
    """The discharges that came on a day."""

    place: Place
    day_on: date
    discharges: int
    usual: float | None = None
    quiet_since: date | None = None


_FOUND = """
select m.feed_id, e.facility_id, (m.received_at at time zone 'UTC')::date as day_on, count(*) as discharges
from adt_event a join inbound_message m on m.id = a.message_id join encounter e on e.id = a.encounter_id
where a.message_id >= $1 and a.message_id < $2 and a.trigger = 'A03'
    and exists (select from feed_facility x where x.feed_id = m.feed_id and x.organization_id = e.facility_id)
group by 1, 2, 3
"""


async def found(raw: Raw, starts_at: datetime, ends_at: datetime) -> list[FacilityDay]:
    """Count the discharges of a span of received messages (pk_adt_event, pk_encounter)."""
    rows = await raw.fetch(_FOUND, first_id_at(starts_at), first_id_at(ends_at))
    return [FacilityDay((row["feed_id"], row["facility_id"]), row["day_on"], row["discharges"]) for row in rows]


async def known(raw: Raw, places: Collection[Place], since: date) -> dict[Place, list[FacilityDay]]:
    """Give what was counted of places from a day on (pk_facility_day)."""
    listed = sorted(places)
    days: dict[Place, list[FacilityDay]] = {place: [] for place in listed}
    rows = await raw.fetch(
        "select d.feed_id, d.facility_id, d.day_on, d.discharges, d.usual, d.quiet_since"
        " from unnest($1::uuid[], $2::uuid[]) as p(feed_id, facility_id)"
        " join facility_day d on d.feed_id = p.feed_id and d.facility_id = p.facility_id and d.day_on >= $3",
        [feed for feed, _ in listed],
        [facility for _, facility in listed],
        since,
    )
    for feed, facility, *said in (row.values() for row in rows):
        days[feed, facility].append(FacilityDay((feed, facility), *said))
    return days


async def add(raw: Raw, days: Sequence[FacilityDay]) -> None:
    """Add to the counts; what is usual, and which silence a day ended, is said once."""
    if not days:
        return
    await raw.execute(
        "insert into facility_day as d (feed_id, facility_id, day_on, discharges, usual, quiet_since)"
        " select * from unnest($1::uuid[], $2::uuid[], $3::date[], $4::int[], $5::real[], $6::date[])"
        " on conflict (feed_id, facility_id, day_on) do update set discharges = d.discharges + excluded.discharges",
        [one.place[0] for one in days],
        [one.place[1] for one in days],
        [one.day_on for one in days],
        [one.discharges for one in days],
        [one.usual for one in days],
        [one.quiet_since for one in days],
    )

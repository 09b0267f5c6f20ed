"""What hospitals say of the numbers of stays: the statements behind `join_stays`. Every statement takes a whole batch."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import orjson

from app.domain.stay_name import StayKey, StayName
from app.store.raw import Raw

CLOSURE_ROUNDS = 16
"""Our policy: a chain of renamed numbers is followed this far; real ones have two links."""

_LOCK = """
select {lock}(hashtextextended(current_schema() || '/stay-names/' || facility::text, 0))
from (select facility from unnest($1::uuid[]) as facility order by facility offset 0) as ordered
"""


async def lock(raw: Raw, reading: Iterable[UUID], naming: Iterable[UUID]) -> None:
    """Keep apart, until the commit, who makes stays of a facility from who retires numbers there.

    Else a stay made at the same moment under a number that is being retired would be missed. Makers do not wait for each other.
    """
    naming = set(naming)
    shared = sorted(set(reading) - naming)
    if shared:
        await raw.execute(_LOCK.format(lock="pg_advisory_xact_lock_shared"), shared)
    if naming:
        await raw.execute(_LOCK.format(lock="pg_advisory_xact_lock"), sorted(naming))


_CONNECTED = """
select n.facility_id, n.authority, n.number, n.said
from unnest($1::uuid[], $2::text[], $3::text[]) as k(facility_id, authority, number)
join stay_name n on n.facility_id = k.facility_id and n.authority = k.authority and n.number = k.number
union all
select n.facility_id, n.authority, n.number, n.said
from unnest($1::uuid[], $2::text[], $3::text[]) as k(facility_id, authority, number)
join stay_name n on n.facility_id = k.facility_id and n.into_authority = k.authority and n.into_number = k.number
union all
select n.facility_id, n.authority, n.number, n.said
from unnest($1::uuid[], $2::text[], $3::text[]) as k(facility_id, authority, number)
join stay_name n on n.facility_id = k.facility_id and n.now_authority = k.authority and n.now_number = k.number
"""


async def connected(raw: Raw, keys: Iterable[StayKey]) -> dict[StayKey, StayName]:
    """Give what was said of these numbers, and of every number that is one with them. Mostly nothing, in one statement."""
    found: dict[StayKey, StayName] = {}
    asked: set[StayKey] = set()
    fresh = set(keys)
    for _ in range(CLOSURE_ROUNDS):
        if not fresh:
            break
        rows = await raw.fetch(
            _CONNECTED,
            [facility for facility, _, _ in fresh],
            [authority for _, authority, _ in fresh],
            [number for _, _, number in fresh],
        )
        asked |= fresh
        fresh = set()
        for row in rows:
            said = row["said"]
            key = row["facility_id"], row["authority"], row["number"]
            name = found[key] = StayName(key, orjson.loads(said) if isinstance(said, str) else said)
            fresh |= {key, *(other for other in (name.into, name.now) if other is not None)}
        fresh -= asked
    return found


_SAVE = """
insert into stay_name (facility_id, authority, number, into_authority, into_number, now_authority, now_number, said)
select facility_id, authority, number, into_authority, into_number, now_authority, now_number, said::json
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
    as n(facility_id, authority, number, into_authority, into_number, now_authority, now_number, said)
on conflict (facility_id, authority, number) do update set into_authority = excluded.into_authority,
    into_number = excluded.into_number, now_authority = excluded.now_authority, now_number = excluded.now_number, said = excluded.said
"""


async def save(raw: Raw, names: Sequence[StayName]) -> None:
    """Remember what was said of these numbers."""
    if not names:
        return
    into, now = [name.into for name in names], [name.now for name in names]
    await raw.execute(
        _SAVE,
        [name.key[0] for name in names],
        [name.key[1] for name in names],
        [name.key[2] for name in names],
        [one[1] if one else None for one in into],
        [one[2] if one else None for one in into],
        [one[1] if one else None for one in now],
        [one[2] if one else None for one in now],
        [orjson.dumps(name.said).decode() for name in names],
    )

"""Makes the records and people of those rows of an upload whom nobody knows yet, a chunk in one statement. A part of the stage.

What `actions/identify` would come to for each of them, without reading what there is none of: a first roster is a million of these.
Not here: who may be one (domain/newcomer).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from app.domain.newcomer import Newcomer, locks_of
from app.domain.panel import CLAIM_ID_DIGITS, claim_id_prefix
from app.store import people
from app.store.raw import Raw

# Whom a row meets is looked up row by row, as far as the first: uq_patient_record_source, ix_patient_record_demographic_key and
# pk_record_identifier. `limit` and the comparison with null keep the planner from reading a table whole.
ADMIT: Final = f"""
with n as materialized (
    select * from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[])
        as n(row, authority, type, value, demographic_key, said)
), i as materialized (
    select * from unnest($7::int[], $8::text[], $9::text[], $10::text[], $11::boolean[]) as i(row, authority, type, value, is_name)
), met as materialized (
    select n.row from n
    where (select r.id from patient_record r
            where r.source = $12 and r.authority = n.authority and r.type = n.type and r.value = n.value limit 1) is not null
        or (select r.id from patient_record r where r.demographic_key = n.demographic_key limit 1) is not null
    union
    select i.row from i
    where i.is_name
        and (select k.record_id from record_identifier k where k.authority = i.authority and k.value = i.value limit 1) is not null
), admitted as materialized (
    select n.*, ($13 || lpad(to_hex(n.row), {CLAIM_ID_DIGITS}, '0'))::uuid as id,
        ($14 || lpad(to_hex(n.row), {CLAIM_ID_DIGITS}, '0'))::uuid as person_id
    from n where not exists (select from met where met.row = n.row)
), made as (
    insert into person (id, created_at) select person_id, $15 from admitted
), recorded as (
    insert into patient_record (id, source, authority, type, value, person_id, demographics, demographic_key, match_reasons, updated_at)
    select id, $12, authority, type, value, person_id, said::json, demographic_key, '[]', $15 from admitted
), numbered as (
    insert into record_identifier (authority, type, value, record_id)
    select i.authority, i.type, i.value, a.id from admitted a join i on i.row = a.row
), asked as (
    insert into match_pending (record_id, has_question) select id, false from admitted
), noted as (
    insert into roster_record (row, record_id) select row, id from admitted
)
select row from met
"""


class Admission(NamedTuple):
    """Newcomers, ready to be sent. Made in a thread while the database is at work; what is left to do then is little."""

    numbers: frozenset[int]
    """Of their rows."""
    source: str
    locks: list[int]
    values: Sequence[list[Any]]
    """Of the statement, column by column."""


def admission(newcomers: Sequence[Newcomer]) -> Admission:
    """Bring them into the columns of the statement."""
    numbers = [one.number for one in newcomers]
    names = [(one, identifier) for one in newcomers for identifier in one.identifiers]
    own = [one.claim.own for one in newcomers]
    values: list[list[Any]] = [
        numbers,
        [name.authority for name in own],
        [name.type for name in own],
        [name.value for name in own],
        [one.demographic_key for one in newcomers],
        [orjson.dumps({one.claim.sort_key: one.claim.facts}).decode() for one in newcomers],
        [one.number for one, _ in names],
        [identifier.authority for _, identifier in names],
        [identifier.type for _, identifier in names],
        [identifier.value for _, identifier in names],
        [(identifier.authority, identifier.value) in one.names for one, identifier in names],
    ]
    return Admission(frozenset(numbers), newcomers[0].claim.source if newcomers else "", sorted(locks_of(newcomers)), values)


async def admit(raw: Raw, wanted: Admission, seeds: tuple[UUID, UUID], now: datetime) -> set[int]:
    """Make records and people of those who meet nobody, whose rows then have their records; give the numbers of the other rows.

    `seeds` are two fresh ids of the upload, from which those of the records and of the people are counted.
    """
    await people.lock_keys(raw, wanted.locks)
    met = await raw.fetch(ADMIT, *wanted.values, wanted.source, *map(claim_id_prefix, seeds), now)
    return {row["row"] for row in met}

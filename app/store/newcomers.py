"""Makes the records and people of those rows of an upload whom nobody knows yet, a chunk in one statement. A part of the stage.

What `actions/identify` would come to for each of them, without reading what there is none of: a first roster is a million of these.
Not here: who may be one (domain/newcomer).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from app.domain.newcomer import ClaimsOfRows, Newcomer, locks_of, newcomer_of
from app.domain.panel import CLAIM_ID_DIGITS, claim_id_prefix
from app.domain.roster_row import RosterRow
from app.store import people
from app.store.raw import Raw

_BETWEEN: Final = "\x1f"
"""Between the texts of a column: no identifier has a control character (roster_row), and JSON has none."""


def _split(number: int) -> str:
    return f"string_to_array(${number}::text, E'\\x1f')"


# A first roster's claims are made while it is read and wait here, row by row; of any other roster's only those of a chunk (`Admission`).
TABLES: Final = """
create temporary table roster_claim (
    row int, authority text, type text, value text, is_number boolean, is_name boolean, lock bigint, demographic_key bigint, said text);
create temporary table roster_further (row int, authority text, type text, value text, lock bigint);
"""
NAMES: Final = "roster_claim, roster_further"

# Whom a row meets is looked up row by row, as far as the first: ix_patient_record_demographic_key, pk_record_identifier, and only for whom
# no number names uq_patient_record_source: every record has the number that is its name (claim_of_row). `limit` and the comparison with
# null keep the planner from reading a table whole. `n` are the rows, `i` the identifiers beside their name in the source.
_ADMIT: Final = f"""
met as materialized (
    select n.row from n
    where case
            when n.is_name
            then (select k.record_id from record_identifier k where k.authority = n.authority and k.value = n.value limit 1) is not null
            else (select r.id from patient_record r
                where r.source = {{source}} and r.authority = n.authority and r.type = n.type and r.value = n.value limit 1) is not null
        end
        or (select r.id from patient_record r where r.demographic_key = n.demographic_key limit 1) is not null
    union
    select i.row from i
    where i.is_name
        and (select k.record_id from record_identifier k where k.authority = i.authority and k.value = i.value limit 1) is not null
), admitted as materialized (
    select n.*, ({{records}} || lpad(to_hex(n.row), {CLAIM_ID_DIGITS}, '0'))::uuid as id,
        ({{people}} || lpad(to_hex(n.row), {CLAIM_ID_DIGITS}, '0'))::uuid as person_id
    from n where n.row not in (select row from met)
), made as (
    insert into person (id, created_at) select person_id, {{now}} from admitted
), recorded as (
    insert into patient_record (id, source, authority, type, value, person_id, demographics, demographic_key, match_reasons, updated_at)
    select id, {{source}}, authority, type, value, person_id, said::json, demographic_key, '[]', {{now}} from admitted
), numbered as (
    insert into record_identifier (authority, type, value, record_id)
    select authority, type, value, id from admitted where is_number
    union all
    select i.authority, i.type, i.value, a.id from admitted a join i on i.row = a.row
), asked as (
    insert into match_pending (record_id, has_question) select id, false from admitted
), noted as (
    insert into roster_record (row, record_id) select row, id from admitted
)
"""

# Columns come as one text each: the driver looks at every element of an array longer than the database takes to cut it out of a text.
# A column of nothing but one empty text comes to no element, hence `coalesce`.
ADMIT: Final = f"""
with n as materialized (
    select row, coalesce(authority, '') as authority, coalesce(type, '') as type, value, is_number, is_name, demographic_key, said
    from unnest($1::text::int[], {_split(2)}, {_split(3)}, {_split(4)}, $5::text::boolean[], $6::text::boolean[], $7::text::bigint[],
        {_split(8)}) as n(row, authority, type, value, is_number, is_name, demographic_key, said)
), i as materialized (
    select row, coalesce(authority, '') as authority, coalesce(type, '') as type, value, is_name
    from unnest($9::text::int[], {_split(10)}, {_split(11)}, {_split(12)}, $13::text::boolean[])
        as i(row, authority, type, value, is_name)
), {_ADMIT.format(source="$14", records="$15", people="$16", now="$17")}
select row from met
"""

# The rows of a chunk that are still to be asserted. The bounds are said of both sides, so that neither is read from its beginning.
_CHUNK: Final = """
from roster_claim k join roster_change c on c.row = k.row
where k.row > $1 and k.row <= $2 and c.row > $1 and c.row <= $2 and not c.is_identified
"""

# Who shares a lock with another row of the chunk is divided with it.
ADMIT_STAGED: Final = f"""
with k as materialized (
    select k.* {_CHUNK}
), f as materialized (
    select f.* from roster_further f join k on k.row = f.row where f.row > $1 and f.row <= $2
), l as materialized (
    select row, lock from k
    union all select row, demographic_key from k where demographic_key is not null
    union all select row, lock from f where lock is not null
), shared as materialized (
    select l.row from l join (select lock from l group by lock having min(row) <> max(row)) s on s.lock = l.lock
), n as materialized (
    select k.* from k where k.row not in (select row from shared)
), i as materialized (
    select f.row, f.authority, f.type, f.value, f.lock is not null as is_name from f
), {_ADMIT.format(source="$3", records="$4", people="$5", now="$6")}
select row from shared union select row from met
"""

_LOCKS: Final = f"""
with k as materialized (select k.row, k.lock, k.demographic_key {_CHUNK})
select lock from k
union all select demographic_key from k where demographic_key is not null
union all select f.lock from roster_further f join k on k.row = f.row where f.row > $1 and f.row <= $2 and f.lock is not null
"""


class Admission(NamedTuple):
    """Newcomers, ready to be sent. Made in a thread while the database is at work; what is left to do then is little."""

    numbers: frozenset[int]
    """Of their rows."""
    source: str
    locks: str
    """As `people.lock_keys` takes them."""
    values: Sequence[str]
    """Of the statement, column by column."""


def admission(newcomers: Sequence[Newcomer]) -> Admission:
    """Bring them into the columns of the statement."""
    numbers = [one.number for one in newcomers]
    own = [one.claim.own for one in newcomers]
    further = [(one, identifier) for one in newcomers for identifier in one.further]
    values = [
        _array(numbers),
        _texts([name.authority for name in own]),
        _texts([name.type for name in own]),
        _texts([name.value for name in own]),
        _array([one.is_numbered for one in newcomers]),
        _array([one.is_named_by_number for one in newcomers]),
        _array(["null" if one.demographic_key is None else one.demographic_key for one in newcomers]),
        _texts([orjson.dumps({one.claim.sort_key: one.claim.facts}).decode() for one in newcomers]),
        _array([one.number for one, _ in further]),
        _texts([identifier.authority for _, identifier in further]),
        _texts([identifier.type for _, identifier in further]),
        _texts([identifier.value for _, identifier in further]),
        _array([(identifier.authority, identifier.value) in one.names for one, identifier in further]),
    ]
    return Admission(frozenset(numbers), newcomers[0].claim.source if newcomers else "", people.written_keys(locks_of(newcomers)), values)


def _array(values: Iterable[object]) -> str:
    return f"{{{','.join(map(str, values))}}}"


def _texts(values: Iterable[str]) -> str:
    return _BETWEEN.join(values)


async def admit(raw: Raw, wanted: Admission, seeds: tuple[UUID, UUID], now: datetime) -> set[int]:
    """Make records and people of those who meet nobody, whose rows then have their records; give the numbers of the other rows.

    `seeds` are two fresh ids of the upload, from which those of the records and of the people are counted.
    """
    await people.lock_keys(raw, wanted.locks)
    met = await raw.fetch(ADMIT, *wanted.values, wanted.source, *map(claim_id_prefix, seeds), now)
    return {row["row"] for row in met}


class StagedClaims(NamedTuple):
    """Claims of rows, ready to be copied. Made in a thread, as `Admission` is."""

    claims: Sequence[tuple[object, ...]] = ()
    further: Sequence[tuple[object, ...]] = ()


class StagedChunk(NamedTuple):
    """Rows whose claims are staged, in the order of the file."""

    after: int
    """The number of the row before the first."""
    last: int
    rows: int
    """How many."""


def staged_claims(rows: Iterable[RosterRow], claims: ClaimsOfRows) -> StagedClaims:
    """Bring the claims of rows into the columns of the stage."""
    staged: list[tuple[object, ...]] = []
    further: list[tuple[object, ...]] = []
    for row in rows:
        if (plain := claims.plain(row.number, row.cells)) is not None:
            own, lock, key, said = plain
            staged.append((row.number, *own, True, True, lock, key, orjson.dumps(said).decode()))
            continue
        claim = claims.whole(row.number, row.cells)
        one = newcomer_of(row.number, claim)
        said = {claim.sort_key: claim.facts}
        kind = one.is_numbered, one.is_named_by_number
        staged.append((row.number, *claim.own, *kind, one.own_lock(), one.demographic_key, orjson.dumps(said).decode()))
        further += [(row.number, *identifier, lock) for identifier, lock in one.further_locks()]
    return StagedClaims(staged, further)


async def stage(raw: Raw, wanted: StagedClaims) -> None:
    """Copy claims into the stage."""
    await raw.copy_records_to_table("roster_claim", records=wanted.claims)
    if wanted.further:
        await raw.copy_records_to_table("roster_further", records=wanted.further)


async def all_staged(raw: Raw) -> None:
    """Make the staged claims ready to be read in chunks."""
    await raw.execute("create index on roster_claim (row); create index on roster_further (row); analyze roster_claim (row)")


async def admit_staged(raw: Raw, chunk: StagedChunk, source: str, seeds: tuple[UUID, UUID], now: datetime) -> set[int]:
    """Do as `admit` for the staged claims of a chunk. Inside `in_transaction`."""
    await people.lock_these(raw, _LOCKS, chunk.after, chunk.last)
    left = await raw.fetch(ADMIT_STAGED, chunk.after, chunk.last, source, *map(claim_id_prefix, seeds), now)
    return {row["row"] for row in left}

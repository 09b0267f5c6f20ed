"""Patient records and people: the statements of room 4. Every statement takes a whole batch."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import orjson
from asyncpg import Record

from app.domain.adt_event import Identifier
from app.domain.identity_plan import Frontier
from app.domain.latest import known
from app.domain.matching import BLOCK_RECORDS_LIMIT
from app.domain.person import RENAMED_TO, OwnKey, PatientRecord, linked_in, named_in
from app.domain.shared_identifier import SHARED_IDENTIFIER_LIMIT
from app.store.asked_again import ASKED_AGAIN
from app.store.raw import Raw

_COLUMNS = """
r.id, r.source, r.authority, r.type, r.value, r.person_id, r.demographics, r.demographic_key, r.retired_into, r.founded,
r.xmin::text::bigint as revision,
(select array_agg(array[i.authority, i.type, i.value]) from record_identifier i where i.record_id = r.id) as identifiers
"""


def _record(row: Record) -> PatientRecord:
    stored = row["demographics"]
    said = orjson.loads(stored) if isinstance(stored, str) else stored
    facts = known(said)
    return PatientRecord(
        id=row["id"],
        source=row["source"],
        own=Identifier(row["authority"], row["type"], row["value"]),
        person_id=row["person_id"],
        identifiers=frozenset(Identifier(*parts) for parts in row["identifiers"] or ()),
        said=said,
        demographic_key=row["demographic_key"],
        retired_into=row["retired_into"],
        renamed_to=named_in(facts, RENAMED_TO),
        linked=linked_in(facts),
        founded=row["founded"],
        revision=row["revision"],
    )


_OWN = f"""
select {_COLUMNS}
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as k(source, authority, type, value)
join patient_record r on r.source = k.source and r.authority = k.authority and r.type = k.type and r.value = k.value
"""


async def find_own(raw: Raw, keys: Sequence[OwnKey]) -> dict[OwnKey, PatientRecord]:
    """Find records by the name their source gives them (uq_patient_record_source)."""
    rows = await raw.fetch(
        _OWN,
        [source for source, _ in keys],
        [own.authority for _, own in keys],
        [own.type for _, own in keys],
        [own.value for _, own in keys],
    )
    return {(record.source, record.own): record for record in map(_record, rows)}


INDEX_LOCK = 0x1DE
"""First half of an advisory lock: shared by whoever divides records by the person index, alone for whoever changes it."""

_LOCK_KEYS = f"""
with index_as_it_is as materialized (select pg_advisory_xact_lock_shared({INDEX_LOCK}, 0))
select count(pg_advisory_xact_lock(k)) from (select k from ({{keys}}) as keys(k) order by k offset 0) as ordered
where exists (select 1 from index_as_it_is)
"""
# As one text: the driver looks at every element of an array longer than the database takes to read it.
_WRITTEN_KEYS = "select unnest($1::text::bigint[])"


def written_keys(keys: Iterable[int]) -> str:
    """Write match keys as `lock_keys` takes them: many of them are worth writing in a thread."""
    return f"{{{','.join(map(str, set(keys)))}}}"


async def lock_keys(raw: Raw, keys: str) -> None:
    """Take the identity locks of these match keys until the transaction ends, in one order for everybody.

    Two batches that meet the same new patient wait here, so that neither misses the other's record. And whoever changes the person index
    waits for all that are about to read it.
    """
    await lock_these(raw, _WRITTEN_KEYS, keys)


async def lock_these(raw: Raw, keys: str, *values: object) -> None:
    """Do as `lock_keys` for the match keys that the statement `keys` gives."""
    await raw.fetchval(_LOCK_KEYS.format(keys=keys), *values)


async def lock_people(raw: Raw, people: Iterable[UUID]) -> None:
    """Lock people in id order: from here on their history is ours until the commit."""
    await raw.execute("select id from person where id = any($1::uuid[]) order by id for update", list(people))


# `offset 0`: person by person through the index. How many there are is guessed from the limits, and for a large batch the guess is so high
# that the table would be read whole, all two million of it.
NEIGHBOURS = f"""
select {_COLUMNS}
from (
    select n.person_id from unnest($1::text[], $2::text[]) as k(authority, value)
        cross join lateral (
            select i.record_id from record_identifier i where i.authority = k.authority and i.value = k.value limit $10
        ) i join patient_record n on n.id = i.record_id
    union select n.person_id from unnest($3::bigint[]) as k(key)
        cross join lateral (select r.person_id from patient_record r where r.demographic_key = k.key limit $11) n
    union select n.person_id from unnest($4::text[], $5::text[], $6::text[], $7::text[]) as k(source, authority, type, value)
        join patient_record n on n.source = k.source and n.authority = k.authority and n.type = k.type and n.value = k.value
    union select unnest($8::uuid[])
    union select n.person_id from patient_record n where n.id = any($9::uuid[])
) p cross join lateral (select one.*, one.xmin from patient_record one where one.person_id = p.person_id offset 0) r
"""


_KINDS_OF_ONE_NUMBER = 4
"""Under so many types, at the most, one record has one number of one authority."""


async def neighbours(raw: Raw, wanted: Frontier, leaving: int = 0) -> list[PatientRecord]:
    """Find the people of every record that has one of these names, identifiers or demographics, and these people: all their records.

    Of an identifier or demographics that more records have than are joined by it, only so many are read as show that: a division joins
    nobody by it then, whichever they are. `leaving` is how many records may have other demographics in a moment.
    """
    pairs, names = list(wanted.identifiers), list(wanted.own)
    rows = await raw.fetch(
        NEIGHBOURS,
        [authority for authority, _ in pairs],
        [value for _, value in pairs],
        list(wanted.demographic_keys),
        [source for source, _ in names],
        [identifier.authority for _, identifier in names],
        [identifier.type for _, identifier in names],
        [identifier.value for _, identifier in names],
        list(wanted.people),
        list(wanted.records),
        _KINDS_OF_ONE_NUMBER * (SHARED_IDENTIFIER_LIMIT + 1),
        BLOCK_RECORDS_LIMIT + 1 + leaving,
    )
    return [_record(row) for row in rows]


async def by_id(raw: Raw, records: Iterable[UUID]) -> list[PatientRecord]:
    """Give records as they are stored."""
    return [_record(row) for row in await raw.fetch(f"select {_COLUMNS} from patient_record r where r.id = any($1::uuid[])", list(records))]


async def revisions(raw: Raw, records: Sequence[UUID]) -> dict[UUID, int]:
    """Give the version of each record as it stands now, after the locks: the id of the transaction that wrote it last."""
    rows = await raw.fetch("select id, xmin::text::bigint as revision from patient_record where id = any($1::uuid[])", list(records))
    return {row["id"]: row["revision"] for row in rows}


_INSERT_PEOPLE = "insert into person (id, created_at) select id, $2 from unnest($1::uuid[]) as id"

# With the write that makes them necessary, not in a statement of their own.
_COMPARE = (
    "with asked as (insert into match_pending (record_id, has_question) select * from unnest({records}::uuid[], {questions}::bool[]))"
)

_INSERT_RECORDS = """
with n as (
    select * from unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::bigint[], $9::uuid[], $10::text[],
        $12::bool[], $13::uuid[]
    ) as n(id, source, authority, type, value, person_id, demographics, demographic_key, retired_into, match_reasons, has_question, founded)
), asked as (
    insert into match_pending (record_id, has_question) select id, has_question from n where has_question is not null
)
insert into patient_record (id, source, authority, type, value, person_id, demographics, demographic_key, retired_into, match_reasons,
    updated_at, founded)
select id, source, authority, type, value, person_id, demographics::json, demographic_key, retired_into, match_reasons::jsonb, $11, founded
from n
"""

_UPDATE_RECORDS = f"""
{_COMPARE.format(records="$9", questions="$10")}
update patient_record r
set person_id = n.person_id, demographics = n.demographics::json, demographic_key = n.demographic_key, retired_into = n.retired_into,
    match_reasons = coalesce(n.match_reasons::jsonb, r.match_reasons), updated_at = $8, founded = n.founded
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::uuid[], $6::text[], $7::bigint[], $11::uuid[])
    as n(id, person_id, demographics, demographic_key, retired_into, match_reasons, revision, founded)
where r.id = n.id and r.xmin::text::bigint = n.revision
"""

_INSERT_IDENTIFIERS = """
insert into record_identifier (authority, type, value, record_id)
select * from unnest($1::text[], $2::text[], $3::text[], $4::uuid[])
on conflict do nothing
"""


async def insert_people(raw: Raw, people: Sequence[UUID], now: datetime) -> None:
    """Make new people."""
    if people:
        await raw.execute(_INSERT_PEOPLE, list(people), now)


async def insert_records(
    raw: Raw, records: Sequence[PatientRecord], reasons: dict[UUID, tuple[str, ...]], compare: Mapping[UUID, bool], now: datetime
) -> None:
    """Make new records, and ask that these be compared with others (see `matches.Pending`)."""
    if not records:
        return
    await raw.execute(
        _INSERT_RECORDS,
        [record.id for record in records],
        [record.source for record in records],
        [record.own.authority for record in records],
        [record.own.type for record in records],
        [record.own.value for record in records],
        [record.person_id for record in records],
        [orjson.dumps(record.said).decode() for record in records],
        [record.demographic_key for record in records],
        [record.retired_into for record in records],
        [orjson.dumps(why).decode() if (why := reasons.get(record.id)) else "[]" for record in records],
        now,
        [compare.get(record.id) for record in records],
        [record.founded for record in records],
    )


async def update_records(
    raw: Raw, records: Sequence[PatientRecord], reasons: dict[UUID, tuple[str, ...]], compare: Mapping[UUID, bool], now: datetime
) -> bool:
    """Store what changed about known records, and ask that these be compared; False when one is not any more as it was read."""
    if not records:
        return True
    done = await raw.execute(
        _UPDATE_RECORDS,
        [record.id for record in records],
        [record.person_id for record in records],
        [orjson.dumps(record.said).decode() for record in records],
        [record.demographic_key for record in records],
        [record.retired_into for record in records],
        [orjson.dumps(reasons[record.id]).decode() if record.id in reasons else None for record in records],
        [record.revision for record in records],
        now,
        list(compare),
        list(compare.values()),
        [record.founded for record in records],
    )
    return bool(done == f"UPDATE {len(records)}")


async def insert_identifiers(raw: Raw, pairs: Sequence[tuple[Identifier, UUID]]) -> None:
    """Add identifiers to records."""
    if pairs:
        await raw.execute(
            _INSERT_IDENTIFIERS,
            [identifier.authority for identifier, _ in pairs],
            [identifier.type for identifier, _ in pairs],
            [identifier.value for identifier, _ in pairs],
            [record for _, record in pairs],
        )


_MOVE = """
with moved as (
    select * from unnest($1::uuid[], $2::uuid[]) as m(record_id, person_id)
), stays as (
    update encounter e set person_id = m.person_id, updated_at = $3, xid = default from moved m
    where e.record_id = m.record_id and e.person_id <> m.person_id returning e.id, e.person_id
), claims as (
    update panel_member p set person_id = m.person_id from moved m where p.record_id = m.record_id and p.person_id <> m.person_id
), consents as (
    update consent c set person_id = m.person_id from moved m where c.record_id = m.record_id and c.person_id <> m.person_id
), services as (
    update service v set person_id = m.person_id from moved m where v.record_id = m.record_id and v.person_id <> m.person_id
), deaths as (
    -- What was asked about a death is asked of whose stay came after it; asked of both alike, it is asked once.
    update review r set person_id = n.person_id from (
        select distinct on (s.person_id, o.conflict_key) o.id, s.person_id, o.conflict_key from stays s
        join review o on o.encounter_id = s.id where o.kind = 'death' and o.conflict_key is not null
        order by s.person_id, o.conflict_key, o.resolved_by is null, o.id
    ) n
    where r.id = n.id and r.person_id <> n.person_id
        and not exists (select from review t where t.person_id = n.person_id and t.conflict_key = n.conflict_key)
), documents as (
    update document d set person_id = m.person_id from moved m where d.record_id = m.record_id and d.person_id <> m.person_id
)
update follow_up f set person_id = s.person_id, updated_at = $3, xid = default from stays s where f.encounter_id = s.id
"""

_RECONSIDER_PEOPLE = (
    """
insert into reconsideration (encounter_id, asked_at, cause)
select id, $2, $3 from encounter where person_id = any($1::uuid[]) order by id
"""
    + ASKED_AGAIN
)


async def move_records(raw: Raw, moved: dict[UUID, UUID], now: datetime) -> None:
    """Let stays, panel claims, consents, services, documents and follow-ups follow their records to another person."""
    await raw.execute(_MOVE, list(moved), list(moved.values()), now)


async def mark_merged(raw: Raw, merged: dict[UUID, UUID]) -> None:
    """Remember where a person without records went. Nothing is deleted."""
    await raw.execute(
        "update person p set merged_into = m.winner from unnest($1::uuid[], $2::uuid[]) as m(loser, winner) where p.id = m.loser",
        list(merged),
        list(merged.values()),
    )


async def revive(raw: Raw, people: Sequence[UUID]) -> None:
    """Let people who were merged into others be themselves again."""
    if people:
        await raw.execute("update person set merged_into = null where id = any($1::uuid[])", list(people))


async def reconsider_people(raw: Raw, people: Iterable[UUID], now: datetime, cause: str) -> None:
    """Ask that every stay of these people be attributed and told anew."""
    await raw.execute(_RECONSIDER_PEOPLE, list(people), now, cause)


async def persons_of(raw: Raw, records: Iterable[UUID]) -> dict[UUID, UUID]:
    """Give whose records these are."""
    rows = await raw.fetch("select id, person_id from patient_record where id = any($1::uuid[])", list(records))
    return {row["id"]: row["person_id"] for row in rows}


async def describe(raw: Raw, people: Iterable[UUID]) -> dict[UUID, list[PatientRecord]]:
    """Give every record of these people, for what recipients read of a person."""
    rows = await raw.fetch(f"select {_COLUMNS} from patient_record r where r.person_id = any($1::uuid[])", list(people))
    described: dict[UUID, list[PatientRecord]] = defaultdict(list)
    for row in rows:
        described[row["person_id"]].append(_record(row))
    return described


async def with_other_records(raw: Raw, people: Iterable[UUID], records: Iterable[UUID]) -> set[UUID]:
    """Give those of these people who have records beside these (ix_patient_record_person_id)."""
    rows = await raw.fetch(
        "select distinct person_id from patient_record where person_id = any($1::uuid[]) and id <> all($2::uuid[])",
        list(people),
        list(records),
    )
    return {row["person_id"] for row in rows}

"""Documents: what the pipeline folds, and how stays and documents find each other. Every statement takes a whole batch.

They are joined where they are read, by the number that the document gives and the numbers that the stay has, so that neither has to be
there first, and a renumbered or merged stay keeps its documents. Both must be of one person: a wrong number shows nobody's document to
somebody else's team. An account that several stays share joins none of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from asyncpg import Record

from app.domain.document import DocumentKey, view
from app.domain.filed_document import Filed, FiledDocument
from app.domain.inbound import Format
from app.domain.latest import Said
from app.store.asked_again import ASKED_AGAIN
from app.store.raw import Raw


@dataclass(slots=True)
class DocumentRow:
    """A stored document. The columns beside `said` are read off it."""

    id: UUID
    facility_id: UUID
    authority: str
    number: str
    said: Said
    received_at: datetime
    mode: str
    record_id: UUID | None = None
    person_id: UUID | None = None
    visit_key: str | None = None
    is_summary: bool = False
    is_restricted: bool = False

    @property
    def key(self) -> DocumentKey:
        """Its name at the facility."""
        return self.facility_id, self.authority, self.number


_COLUMNS = """d.id, d.facility_id, d.authority, d.number, d.said, d.received_at, d.mode, d.record_id, d.person_id, d.visit_key,
d.is_summary, d.is_restricted"""


def _row(record: Record) -> DocumentRow:
    values = [record[name.strip().removeprefix("d.")] for name in _COLUMNS.split(",")]
    values[4] = orjson.loads(values[4]) if isinstance(values[4], str) else values[4]
    return DocumentRow(*values)


def visit_key(authority: str, number: str) -> str:
    """Give how a stay's number is compared: as accounts are kept (encounter.account)."""
    return f"{authority}|{number}"


_LOCK = """
select pg_advisory_xact_lock(key) from (
    select distinct hashtextextended(current_schema() || '/document/' || f::text || '/' || a || '/' || n, 0) as key
    from unnest($1::uuid[], $2::text[], $3::text[]) as k(f, a, n) order by key offset 0
) as ordered
"""

_BY_KEY = f"""
select {_COLUMNS} from unnest($1::uuid[], $2::text[], $3::text[]) as k(facility_id, authority, number)
join document d on d.facility_id = k.facility_id and d.authority = k.authority and d.number = k.number for update of d
"""


async def by_key(raw: Raw, keys: Sequence[DocumentKey]) -> dict[DocumentKey, DocumentRow]:
    """Find documents (uq_document_facility_id), and keep everybody else from writing or making them until the commit.

    The rows are locked too: a record that goes to another person takes its documents along without asking for their names.
    """
    columns = [[key[part] for key in keys] for part in range(3)]
    await raw.execute(_LOCK, *columns)
    return {row.key: row for row in map(_row, await raw.fetch(_BY_KEY, *columns))}


_SAVE = """
insert into document (id, facility_id, authority, number, record_id, person_id, visit_key, is_summary, is_restricted, mode, said,
    received_at, updated_at)
select id, facility_id, authority, number, record_id, person_id, visit_key, is_summary, is_restricted, mode, said::json, received_at, $13
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::bool[], $9::bool[], $10::text[],
    $11::text[], $12::timestamptz[])
    as n(id, facility_id, authority, number, record_id, person_id, visit_key, is_summary, is_restricted, mode, said, received_at)
on conflict (id) do update set record_id = excluded.record_id, person_id = excluded.person_id, visit_key = excluded.visit_key,
    is_summary = excluded.is_summary, is_restricted = excluded.is_restricted, mode = excluded.mode, said = excluded.said,
    received_at = excluded.received_at, updated_at = excluded.updated_at
"""


async def save(raw: Raw, rows: Sequence[DocumentRow], now: datetime) -> None:
    """Insert new documents and store changed ones. One statement."""
    if not rows:
        return
    columns: list[list[Any]] = [
        [row.id for row in rows],
        [row.facility_id for row in rows],
        [row.authority for row in rows],
        [row.number for row in rows],
        [row.record_id for row in rows],
        [row.person_id for row in rows],
        [row.visit_key for row in rows],
        [row.is_summary for row in rows],
        [row.is_restricted for row in rows],
        [row.mode for row in rows],
        [orjson.dumps(row.said).decode() for row in rows],
        [row.received_at for row in rows],
    ]
    await raw.execute(_SAVE, *columns, now)


# Materialized: the comparison with a computed number must not stand in the way of the index under a policy.
_NUMBERS = """
with numbers as materialized (
    select s.id as stay_id, s.person_id, s.facility_id, s.visit_authority || '|' || s.visit_number as key
    from encounter s where s.id = any($1::uuid[]) and s.source = 'adt' and s.folded_into is null
    union
    select s.id, s.person_id, f.facility_id, f.visit_authority || '|' || f.visit_number
    from encounter s join encounter f on f.person_id = s.person_id and f.folded_into = s.id and f.source = 'adt'
    where s.id = any($1::uuid[])
    union
    select s.id, s.person_id, s.facility_id, s.account
    from encounter s where s.id = any($1::uuid[]) and s.source = 'adt' and s.folded_into is null and s.account is not null
    and not exists (
        select 1 from encounter o where o.facility_id = s.facility_id and o.account = s.account and o.id <> s.id and o.folded_into is null
    )
)
"""
_JOINED = "from numbers n join document d on d.facility_id = n.facility_id and d.visit_key = n.key and d.person_id = n.person_id"


async def summarised(raw: Raw, stays: Iterable[UUID]) -> set[UUID]:
    """Give those of these stays that a live discharge summary has come of (pk_encounter, ix_document_visit)."""
    rows = await raw.fetch(f"{_NUMBERS} select distinct n.stay_id {_JOINED} where d.is_summary and d.mode = 'live'", list(stays))
    return {row["stay_id"] for row in rows}


_OF_STAYS = f"""
{_NUMBERS}
select * from (
    select n.stay_id, count(*) over (partition by n.stay_id) as total,
        row_number() over (partition by n.stay_id order by d.is_summary desc, d.received_at desc, d.id desc) as place, {_COLUMNS}
    {_JOINED} where $3 or not d.is_restricted
) as d where d.place <= $2
"""


async def of_stays(raw: Raw, stays: Iterable[UUID], *, most: int, with_restricted: bool = False) -> dict[UUID, Filed]:
    """Give the documents of these stays: of each at most `most`, its discharge summaries and then the newest (ix_document_visit)."""
    found: dict[UUID, list[FiledDocument]] = {}
    totals: dict[UUID, int] = {}
    for record in await raw.fetch(_OF_STAYS, list(stays), most, with_restricted):
        row = _row(record)
        seen = view(row.said)
        if seen is not None:
            found.setdefault(record["stay_id"], []).append(FiledDocument(row.id, row.key, seen, row.received_at))
            totals[record["stay_id"]] = record["total"]
    return {stay: Filed(tuple(filed), totals[stay]) for stay, filed in found.items()}


async def one(raw: Raw, document_id: UUID) -> DocumentRow | None:
    """Give one document, if the viewer may know of it (pk_document)."""
    row = await raw.fetchrow(f"select {_COLUMNS} from document d where d.id = $1", document_id)
    return _row(row) if row is not None else None


_STAYS_BY_NUMBER = """
select e.id, e.folded_into from encounter e
where e.facility_id = $1 and e.visit_authority = $2 and e.visit_number = $3 and e.person_id = $4 and e.source = 'adt'
union
select e.id, e.folded_into from encounter e where e.facility_id = $1 and e.account = $5 and e.person_id = $4 and e.source = 'adt'
"""


async def stays_of(raw: Raw, row: DocumentRow, visit: tuple[str, str]) -> list[UUID]:
    """Give the stays that a document belongs to, as `of_stays` has it the other way round (uq_encounter_visit, ix_encounter_account)."""
    found = await raw.fetch(_STAYS_BY_NUMBER, row.facility_id, visit[0], visit[1], row.person_id, visit_key(*visit))
    candidates = {stay["folded_into"] or stay["id"] for stay in found}
    if not candidates:
        return []
    joined = await raw.fetch(f"{_NUMBERS} select distinct n.stay_id {_JOINED} where d.id = $2", list(candidates), row.id)
    return [stay["stay_id"] for stay in joined]


async def followed_up_by(raw: Raw, stays: Iterable[UUID], organization_id: UUID | None) -> dict[UUID, set[UUID]]:
    """Give the homes whose follow-ups of these stays an organization works on: its own and granted ones (uq_follow_up_home)."""
    rows = await raw.fetch(
        "select f.encounter_id, f.home_id from follow_up f where f.encounter_id = any($1::uuid[]) and (f.home_id = $2 or exists ("
        "select 1 from organization_grant g where g.organization_id = f.home_id and g.grantee_id = $2))",
        list(stays),
        organization_id,
    )
    homes: dict[UUID, set[UUID]] = {}
    for row in rows:
        homes.setdefault(row["encounter_id"], set()).add(row["home_id"])
    return homes


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """The message that a document's bytes are in."""

    id: UUID
    feed_id: UUID | None
    cipher_key_id: int
    body: bytes
    format: Format


async def message_of(raw: Raw, message_id: UUID) -> StoredMessage | None:
    """Read the verbatim message (pk_inbound_message). As the operator: who may read the document has been decided."""
    row = await raw.fetchrow("select id, feed_id, cipher_key_id, body, format from inbound_message where id = $1", message_id)
    return StoredMessage(row["id"], row["feed_id"], row["cipher_key_id"], bytes(row["body"]), Format(row["format"])) if row else None


_TOUCHED = (
    """
with told as materialized (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::bool[])
        as t(facility_id, authority, number, account, person_id, is_news)
), stays as (
    select coalesce(e.folded_into, e.id) as id, t.is_news from told t join encounter e on e.facility_id = t.facility_id
        and e.visit_authority = t.authority and e.visit_number = t.number and e.person_id = t.person_id
    union all
    select coalesce(e.folded_into, e.id), t.is_news from told t join encounter e on e.facility_id = t.facility_id
        and e.account = t.account and e.person_id = t.person_id
), seen as (
    update follow_up f set updated_at = $7, version = f.version + 1, xid = default from (select distinct id from stays order by id) s
    where f.encounter_id = s.id
)
insert into reconsideration (encounter_id, asked_at, cause)
select distinct id, $7::timestamptz, 'document' from stays where is_news order by id
"""
    + ASKED_AGAIN
)


@dataclass(frozen=True, slots=True)
class Touched:
    """A stay, by the number that a changed document gives. `is_news`: those who are told of the stay are told of this."""

    facility_id: UUID
    visit: tuple[str, str]
    person_id: UUID
    is_news: bool


async def touch_stays(raw: Raw, touched: Sequence[Touched], now: datetime) -> None:
    """Let the follow-ups of stays with changed documents show as changed, and ask for the stays whose news it is to be told anew."""
    if not touched:
        return
    await raw.execute(
        _TOUCHED,
        [one.facility_id for one in touched],
        [one.visit[0] for one in touched],
        [one.visit[1] for one in touched],
        [visit_key(*one.visit) for one in touched],
        [one.person_id for one in touched],
        [one.is_news for one in touched],
        now,
    )


_TOUCHED_ACCOUNTS = (
    """
insert into reconsideration (encounter_id, asked_at, cause)
select distinct e.id, $3::timestamptz, 'document' from unnest($1::uuid[], $2::text[]) as k(facility_id, account)
join document d on d.facility_id = k.facility_id and d.visit_key = k.account
join encounter e on e.facility_id = k.facility_id and e.account = k.account and e.person_id = d.person_id and e.folded_into is null
where d.is_summary and d.mode = 'live' order by e.id
"""
    + ASKED_AGAIN
)


async def touch_accounts(raw: Raw, accounts: Iterable[tuple[UUID, str]], now: datetime) -> None:
    """Ask for the stays on these accounts to be told anew, where a summary names the account: it is a stay's only if it is its alone.

    For accounts that a stay came to or left (ix_document_visit, ix_encounter_account).
    """
    named = sorted(set(accounts))
    if named:
        await raw.execute(_TOUCHED_ACCOUNTS, [facility for facility, _ in named], [account for _, account in named], now)

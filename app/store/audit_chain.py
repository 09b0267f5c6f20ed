"""The rows of the audit, the ledger and the attempts, hashed by the database, and the links over them.

Which rows a link may take: every row carries the number of the transaction that wrote it. `pg_snapshot_xmin` gives the lowest number
that is still running; everything below is committed or rolled back for ever, so no row can appear below it any more, however late
another commits and however low its id is. That is the horizon; a link ends there or before. A transaction that stays open holds the
horizon back, and the lag shows it. Not here: what a link is (domain/audit_chain), who signs.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from asyncpg import Record

from app.domain.audit_chain import Link, Rows
from app.store.raw import Raw

_COLUMNS: Final = {
    "audit_event": (
        "recorded_at",
        (
            "t.id, {at}, t.kind, t.action, t.door, t.organization_id, t.whose_id, t.key_id, t.purpose, t.people, t.targets, "
            "encode(t.query_hash, 'hex'), t.outcome, t.trace_id"
        ),
    ),
    "disclosure": (
        "decided_at",
        (
            "t.id, {at}, t.encounter_id, t.person_id, t.recipient_id, t.kind, t.decision, t.reasons, t.attribution_id, "
            "t.notification_id, t.cause_id"
        ),
    ),
    "attempt": (
        "started_at",
        "t.id, {at}, t.subscription_id, t.sequence, t.number, t.duration_ms, t.outcome, t.status_code, t.error, t.response_excerpt",
    ),
}
"""Form 1: table -> its time, and what of a row is hashed: a JSON array as the database writes it, instants in UTC."""


def _rows(span: str) -> str:
    parts = []
    for place, (table, (time, columns)) in enumerate(_COLUMNS.items()):
        content = columns.format(at=f"t.{time} at time zone 'UTC'")
        hashed = f"sha256(convert_to(jsonb_build_array('{table}', {content})::text, 'UTF8'))"
        parts.append(f"select {place} as place, '{table}' as name, t.id, t.{time} as at, {hashed} as hash from {table} t where {span}")
    return " union all ".join(parts)


_SPAN: Final = "t.xid >= $1 and t.xid < $2"
_HASHED: Final = f"""
with r as materialized ({_rows(_SPAN)})
select count(*)::int as count, max(at) as last_at, coalesce(sha256(string_agg(hash, ''::bytea order by place, id)), ''::bytea) as rows_hash,
       coalesce(string_agg(substring(hash from 1 for 8), ''::bytea order by place, id), ''::bytea) as leaves
from r
"""
_ROW_AT: Final = f"select name, id from ({_rows(_SPAN)}) r order by place, id offset $3 limit 1"


async def hashed(raw: Raw, from_xid: int, to_xid: int) -> Rows:
    """Hash the rows of a span of transactions (ix_audit_event_xid, ix_disclosure_xid, ix_attempt_xid). One statement."""
    row = await raw.fetchrow(_HASHED, from_xid, to_xid)
    return Rows(row["count"], row["last_at"], row["rows_hash"], row["leaves"])


async def row_at(raw: Raw, from_xid: int, to_xid: int, place: int) -> tuple[str, UUID] | None:
    """Name the row at a place of a span: its table and id."""
    row = await raw.fetchrow(_ROW_AT, from_xid, to_xid, place)
    return None if row is None else (row["name"], row["id"])


async def horizon(raw: Raw) -> int:
    """Give the transaction below which nothing can change any more."""
    found: int = await raw.fetchval("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    return found


async def first_xid(raw: Raw, before: int) -> int:
    """Give where the very first link begins: the oldest row there is. Asked once."""
    least = ", ".join(f"(select min(xid) from {table})" for table in _COLUMNS)
    found: int = await raw.fetchval(f"select coalesce(least({least}), $1)", before)
    return min(found, before)


_LINK: Final = "number, from_xid, to_xid, form, rows, last_at, rows_hash, leaves, link_hash, signature, linked_at"


async def last_link(raw: Raw) -> Link | None:
    """Give the head of the chain (pk_audit_link)."""
    row = await raw.fetchrow(f"select {_LINK} from audit_link order by number desc limit 1")
    return None if row is None else _link(row)


async def links_after(raw: Raw, number: int, limit: int) -> list[Link]:
    """Give links in order (pk_audit_link)."""
    rows = await raw.fetch(f"select {_LINK} from audit_link where number > $1 order by number limit $2", number, limit)
    return [_link(row) for row in rows]


async def removed_among(raw: Raw, numbers: Iterable[int]) -> set[int]:
    """Give those of the links whose rows retention has removed (pk_audit_removal)."""
    rows = await raw.fetch("select link_number from audit_removal where link_number = any($1::bigint[])", list(numbers))
    return {row["link_number"] for row in rows}


async def add_link(raw: Raw, link: Link) -> None:
    """Add the next link."""
    await raw.execute(
        f"insert into audit_link ({_LINK}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        link.number,
        link.from_xid,
        link.to_xid,
        link.form,
        link.rows.count,
        link.rows.last_at,
        link.rows.rows_hash,
        link.rows.leaves,
        link.link_hash,
        link.signature,
        link.linked_at,
    )


_UNLINKED: Final = " union all ".join(
    f"select {time} as at from {table} where xid >= coalesce((select max(to_xid) from audit_link), 0)"
    for table, (time, _) in _COLUMNS.items()
)


async def unlinked(raw: Raw) -> tuple[int, datetime | None]:
    """Give how many rows are in no link yet, and since when the oldest of them."""
    row = await raw.fetchrow(f"select count(*) as rows, min(at) as oldest_at from ({_UNLINKED}) u")
    return row["rows"], row["oldest_at"]


def _link(row: Record) -> Link:
    rows = Rows(row["rows"], row["last_at"], row["rows_hash"], row["leaves"])
    return Link(row["number"], row["from_xid"], row["to_xid"], row["form"], rows, row["link_hash"], row["signature"], row["linked_at"])

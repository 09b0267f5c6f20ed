"""Who read, asked and changed what, and the chain over it. Rows are only added: no role holds UPDATE or DELETE (tables/policies)."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from app.store.tables.base import Bytes, Id, Instant, Texts, metadata, written_by


def newest_written(table: Table) -> Index:
    """Index the next rows of the chain: rows lie in about the order of their transactions, so a few bytes a megabyte are enough."""
    return Index(f"ix_{table.name}_xid", table.c.xid, postgresql_using="brin", postgresql_with={"autosummarize": True})


audit_event = Table(
    "audit_event",
    metadata,
    Column("id", Id, primary_key=True, comment="time-ordered"),
    written_by(),
    Column("recorded_at", Instant, nullable=False),
    Column("kind", Text, nullable=False, comment="read | query | export | change"),
    Column("action", Text, nullable=False, comment="the operation's name in the contract, or the command's words"),
    Column("door", Text, nullable=False, comment="http | command"),
    Column("organization_id", Id, comment="whose key; null: the operator"),
    Column("whose_id", Id, comment="as whom the rows were read, by a grant or by the operator"),
    Column("key_id", Id),
    Column("purpose", Text, nullable=False),
    Column("people", ARRAY(Id), nullable=False, comment="everybody on the page"),
    Column("targets", Texts, nullable=False, comment="public ids of what was read or changed"),
    Column("query_hash", Bytes, comment="keyed hash of what was asked"),
    Column("outcome", Text, nullable=False, comment="success | refused"),
    Column("trace_id", Text, nullable=False),
    comment="Rows are only added.",
)
newest_written(audit_event)
# An organization's own lines, newest first.
Index("ix_audit_event_organization", audit_event.c.organization_id, audit_event.c.id)
# Who looked at a person.
Index("ix_audit_event_people", audit_event.c.people, postgresql_using="gin")

audit_link = Table(
    "audit_link",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("from_xid", BigInteger, nullable=False, unique=True, comment="the first transaction whose rows it holds"),
    Column("to_xid", BigInteger, nullable=False, comment="the first that it does not hold any more"),
    Column("form", Integer, nullable=False, comment="which columns of a row are hashed, and how"),
    Column("rows", Integer, nullable=False),
    Column("last_at", Instant, comment="of its newest row"),
    Column("rows_hash", Bytes, nullable=False, comment="SHA-256 over the SHA-256 of each row"),
    Column("leaves", Bytes, nullable=False, comment="the first 8 octets of each row's hash: they name the row that was changed"),
    Column("link_hash", Bytes, nullable=False, comment="SHA-256 over the link before and this one's content"),
    Column("signature", Bytes, nullable=False, comment="Ed25519 over the link's hash"),
    Column("linked_at", Instant, nullable=False),
    comment="The chain: one link a batch. Rows are only added.",
)

audit_removal = Table(
    "audit_removal",
    metadata,
    Column("link_number", BigInteger, primary_key=True, autoincrement=False),
    Column("rows", Integer, nullable=False),
    Column("removed_at", Instant, nullable=False),
    comment="Links whose rows retention removed: the link still proves what they were. Rows are only added.",
)

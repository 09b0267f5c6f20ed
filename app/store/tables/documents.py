"""Documents that hospitals told of: pointers as folds, the bytes stay in the message; and what homes say of discharge summaries."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Table, Text, UniqueConstraint

from app.store.tables.base import Document, Id, Instant, Payload, metadata

document = Table(
    "document",
    metadata,
    Column("id", Id, primary_key=True),
    Column("facility_id", Id, ForeignKey("organization.id"), nullable=False),
    Column("authority", Text, nullable=False),
    Column("number", Text, nullable=False, comment="TXA-12, OBR-3; where there is none, the hash of the message and a position"),
    Column("record_id", Id, comment="null: nothing is known but that another document replaces it"),
    Column("person_id", Id, comment="of the record; moves with it"),
    Column("visit_key", Text, comment="authority|number of the stay; the stay may come later, or never"),
    Column("is_summary", Boolean, nullable=False, comment="a discharge summary that stands and may be told"),
    Column("is_restricted", Boolean, nullable=False, comment="shown to the hospital and the operator only"),
    Column("mode", Text, nullable=False, comment="live | shadow | backfill | test: the strongest of the messages that told of it"),
    Column("said", Payload, nullable=False, comment="what the messages said, by sort key"),
    Column("received_at", Instant, nullable=False, comment="when something to read first came; until then, the first message"),
    Column("updated_at", Instant, nullable=False),
    # One row for a document, whichever of its messages comes first; a later one finds it here.
    UniqueConstraint("facility_id", "authority", "number"),
)
# A stay finds its documents by its numbers.
Index("ix_document_visit", document.c.facility_id, document.c.visit_key, postgresql_where=document.c.visit_key.is_not(None))
# A hospital looks for those that found no stay, newest first.
Index("ix_document_facility", document.c.facility_id, document.c.id)
# A record that turns out to be another person's takes its documents along.
Index("ix_document_record", document.c.record_id, postgresql_where=document.c.record_id.is_not(None))

summary_fact = Table(
    "summary_fact",
    metadata,
    Column("id", Id, primary_key=True),
    Column("follow_up_id", Id, ForeignKey("follow_up.id"), nullable=False, index=True),
    Column("organization_id", Id, ForeignKey("organization.id"), nullable=False, comment="who recorded it"),
    Column("fact", Text, nullable=False, comment="requested | received | reviewed"),
    Column("at", Instant, nullable=False, comment="when it was so"),
    Column("recorded_at", Instant, nullable=False),
    Column("via", Text, nullable=False),
    Column("note", Text),
    Column("author", Document, nullable=False, comment="key plus named person"),
    Column("voided_at", Instant),
    Column("void_reason", Text),
    Column("voided_by", Document),
)

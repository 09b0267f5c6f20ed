"""What sources said about patients, and who we think they are."""

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table, Text

from app.store.tables.base import Document, Id, Instant, Payload, metadata

person = Table(
    "person",
    metadata,
    Column("id", Id, primary_key=True),
    Column("created_at", Instant, nullable=False),
    Column("merged_into", Id, comment="the person that its records went to; never deleted"),
    Column("left_at", Instant, comment="when a record last went from here to another person: what was told before may be of both"),
)

patient_record = Table(
    "patient_record",
    metadata,
    Column("id", Id, primary_key=True),
    Column("source", Text, nullable=False, comment="'adt', or the id of the organization whose panel or report says it"),
    Column("authority", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("person_id", Id, nullable=False, index=True),
    Column("demographics", Payload, nullable=False, comment="field -> [value, sort key]: the latest event wins, field by field"),
    Column("demographic_key", BigInteger, comment="hash of the normalised name, birth date and sex; null when incomplete"),
    Column("retired_into", Id, comment="the record that an A40/A34 named as the survivor"),
    Column("founded", Id, comment="the person that began with this record, whoever it belongs to now; null where it joined somebody"),
    Column("match_reasons", Document),
    Column("updated_at", Instant, nullable=False),
)
# A source names a patient once; two workers that meet a new one make one record. The value first: it tells nearly all apart, so that one
# comparison a step finds the place, and not four of which three are equal for a whole roster.
Index(
    "uq_patient_record_source",
    patient_record.c.value,
    patient_record.c.source,
    patient_record.c.authority,
    patient_record.c.type,
    unique=True,
)
# Exact normalised demographics, one block.
Index("ix_patient_record_demographic_key", patient_record.c.demographic_key)
# Records that follow a survivor when it moves.
Index("ix_patient_record_retired_into", patient_record.c.retired_into, postgresql_where=patient_record.c.retired_into.is_not(None))

# The value first: one comparison a step finds the place where a whole roster has one authority, and people at a desk, who know a number
# without its authority, find it by the same index.
record_identifier = Table(
    "record_identifier",
    metadata,
    Column("authority", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("record_id", Id, nullable=False, index=True),
    PrimaryKeyConstraint("value", "authority", "type", "record_id"),
)

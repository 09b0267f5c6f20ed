"""How records are found among millions, what ties two of them, and what operators answered."""

from sqlalchemy import BigInteger, Boolean, Column, Double, Identity, Index, SmallInteger, Table, Text, func
from sqlalchemy.dialects.postgresql import ARRAY

from app.store.tables.base import Document, Id, Instant, metadata

# One row a key, not an array under a GIN index, which is smaller, but slow to read between its vacuums (decisions/0007).
record_block = Table(
    "record_block",
    metadata,
    Column("key", BigInteger, primary_key=True, comment="blocking.blocking_keys, and what several people may share"),
    Column("record_id", Id, primary_key=True),
    Column("who", BigInteger, nullable=False, comment="hash of first name and birth date: how many people share a phone"),
)

record_keys = Table(
    "record_keys",
    metadata,
    Column("record_id", Id, primary_key=True),
    Column("keys", ARRAY(BigInteger), nullable=False, comment="its rows of record_block, to take away those that hold no more"),
    Column("shared", ARRAY(BigInteger), nullable=False, comment="those of them that only count who shares a phone or an address"),
    Column("who", BigInteger, nullable=False),
)

# Only ever added to and deleted from: a row that two transactions would write could make them wait for each other.
match_pending = Table(
    "match_pending",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("record_id", Id, nullable=False),
    Column("has_question", Boolean, nullable=False, comment="its people are to be divided again, whatever the scores say"),
    Column("asked_at", Instant, nullable=False, server_default=func.now(), comment="how far comparing lags behind"),
)

identity_match = Table(
    "identity_match",
    metadata,
    Column("id", Id, primary_key=True),
    Column("left_id", Id, nullable=False, comment="a patient_record; the smaller id of the two"),
    Column("right_id", Id, nullable=False),
    Column("kind", Text, nullable=False, comment="possible_match | held_merge | merge_disagreement | index_disagreement"),
    Column("level", Text, nullable=False, comment="certain | possible | no"),
    Column("weight", Double, nullable=False),
    Column("grounds", Document, nullable=False, comment="field by field, never a value"),
    Column("weights_version", Text, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("state", Text, nullable=False, comment="open | resolved | joined | obsolete"),
    Column("outcome", Text, comment="the latest decision: same | different | later"),
)
# Every tie of a record, from either side; and one row a pair and kind.
Index("uq_identity_match_pair", identity_match.c.left_id, identity_match.c.right_id, identity_match.c.kind, unique=True)
Index("ix_identity_match_right", identity_match.c.right_id)
# The queue, paged by age.
Index("ix_identity_match_open", identity_match.c.id, postgresql_where=identity_match.c.state == "open")

match_decision = Table(
    "match_decision",
    metadata,
    Column("match_id", Id, primary_key=True),
    Column("number", SmallInteger, primary_key=True, comment="the highest counts; none is ever changed or taken away"),
    Column("outcome", Text, comment="same | different | later; null: asked again"),
    Column("decided_by", Text, nullable=False, comment="the key's id, or operator"),
    Column("reason", Text, nullable=False),
    Column("decided_at", Instant, nullable=False),
)

# Appended when a record goes to another person: the history of a person, and what an unmerge restores.
record_move = Table(
    "record_move",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("record_id", Id, nullable=False, index=True),
    Column("from_person_id", Id, nullable=False, index=True),
    Column("to_person_id", Id, nullable=False, index=True),
    Column("moved_at", Instant, nullable=False),
    Column("reasons", Document, nullable=False, comment="the grounds that held the group together then"),
)

person_index = Table(
    "person_index",
    metadata,
    Column("authority", Text, primary_key=True, comment="assigning authority as in CX-4, upper case"),
    Column("marked_at", Instant, nullable=False),
    comment="Assigning authorities that are the exchange's own person index: their ids decide before our matcher.",
)

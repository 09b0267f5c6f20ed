"""What came in: the verbatim message, the narrow queue beside it, and what became of it.

The message row is never updated (DESIGN section 4): the queue row is what moves, and it is deleted when the work is done.
The tables written for every message have no foreign keys among each other: each would cost a look-up per row, and all of
them are written by one statement of ours in one transaction.
"""

from sqlalchemy import Column, ForeignKey, Index, Integer, SmallInteger, Table, Text, text

from app.store.tables.base import Bytes, Document, Id, Instant, metadata

inbound_message = Table(
    "inbound_message",
    metadata,
    Column("id", Id, primary_key=True, comment="time-ordered"),
    Column("feed_id", Id, ForeignKey("feed.id"), comment="null: no feed claims MSH-3/MSH-4"),
    Column("organization_id", Id, comment="of the feed, else of the key that was used"),
    Column("door", Text, nullable=False),
    Column("format", Text, nullable=False, comment="er7 | fhir: which reader reads the body"),
    Column("received_at", Instant, nullable=False),
    Column("cipher_key_id", SmallInteger, nullable=False, comment="0: clear; else the key that encrypted the body"),
    Column("body", Bytes, nullable=False),
    Column("control_id", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("content_hash", Bytes, nullable=False),
    Column("ack_code", Text, nullable=False),
    Column("problems", Document, comment="what the ERR segments said; never a value of the message"),
    Column("mode", Text, comment="of the feed when it came: live | shadow | backfill | test; a replay is told no more than that"),
)
# The same message again is answered with the first answer (ACK-7): the door inserts ON CONFLICT DO NOTHING on this.
Index(
    "uq_inbound_message_again",
    inbound_message.c.feed_id,
    inbound_message.c.control_id,
    inbound_message.c.content_hash,
    unique=True,
    postgresql_where=inbound_message.c.feed_id.is_not(None),
)
# Operators page by time within a feed or an organization; ids are time-ordered.
Index("ix_inbound_message_organization", inbound_message.c.organization_id, inbound_message.c.id)
# What was refused at the door, however many messages went well; an accepted one costs nothing here.
Index(
    "ix_inbound_message_refused",
    inbound_message.c.organization_id,
    inbound_message.c.id,
    postgresql_where=inbound_message.c.ack_code != "AA",
)

# A message that no feed claims has no other way to be found by its MSH-10.
Index(
    "ix_inbound_message_unclaimed",
    inbound_message.c.control_id,
    postgresql_where=inbound_message.c.feed_id.is_(None),
)

inbound_queue = Table(
    "inbound_queue",
    metadata,
    Column("message_id", Id, primary_key=True),
    Column("lane", Integer, nullable=False, comment="hash of (feed, patient record number)"),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0"), comment="counted when claimed"),
)
# A worker reads its lanes in arrival order.
Index("ix_inbound_queue_lane", inbound_queue.c.lane, inbound_queue.c.message_id)

inbound_outcome = Table(
    "inbound_outcome",
    metadata,
    Column("message_id", Id, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("problems", Document),
    Column("person_id", Id),
    Column("encounter_id", Id),
    Column("decided_at", Instant, nullable=False),
)
# Operators list what was set aside; everything else is found by its message.
Index(
    "ix_inbound_outcome_set_aside",
    inbound_outcome.c.message_id,
    postgresql_where=inbound_outcome.c.outcome == "set_aside",
)
# What was processed with a code that nobody has mapped is read again when the feed's profile changes.
Index(
    "ix_inbound_outcome_unmapped",
    inbound_outcome.c.message_id,
    postgresql_where=(inbound_outcome.c.outcome == "processed") & inbound_outcome.c.problems.is_not(None),
)

held_message = Table(
    "held_message",
    metadata,
    Column("message_id", Id, primary_key=True),
    Column("feed_id", Id, nullable=False),
    Column("code", Text, nullable=False, comment="of the facility that nobody has mapped; empty: the message names none"),
    Column("place", Text, nullable=False, comment="where the code stood, as PV1-3.4"),
    Column("held_at", Instant, nullable=False),
    comment="Messages of aggregators that wait for a facility to be mapped; they are set aside, and released by the mapping.",
)
# Mapping a facility releases its messages; operators list what waits by facility.
Index("ix_held_message_facility", held_message.c.feed_id, held_message.c.code)

reconsideration = Table(
    "reconsideration",
    metadata,
    Column("encounter_id", Id, primary_key=True),
    Column("asked_at", Instant, nullable=False),
    Column("cause", Text, nullable=False, comment="panel | contact | merge | replay | organization | live | services"),
)

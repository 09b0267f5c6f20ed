"""What recipients were told, in their own gapless sequence, and the ledger of who was not told and why."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text

from app.store.tables.audit import newest_written
from app.store.tables.base import Bytes, Document, Id, Instant, Payload, metadata, written_by

recipient_sequence = Table(
    "recipient_sequence",
    metadata,
    Column("recipient_id", Id, ForeignKey("organization.id"), primary_key=True),
    Column("last_sequence", BigInteger, nullable=False),
)

notification = Table(
    "notification",
    metadata,
    Column("id", Id, primary_key=True),
    Column("recipient_id", Id, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("event_id", Id, nullable=False),
    Column("type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("supersedes", Id),
    Column("tier", Text, nullable=False),
    Column("person_id", Id, nullable=False),
    Column("encounter_id", Id, nullable=False),
    Column("follow_up_id", Id),
    Column("occurred_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("cause_id", Id, comment="the inbound message, contact or upload that led to it"),
    Column("acting_id", Id, comment="the other organization whose work or claim it tells of; null: nobody else's"),
    Column("payload", Payload, nullable=False),
)
# The outbox read: one recipient, in sequence order. Numbers are given under the recipient's row lock: no gaps.
Index("uq_notification_sequence", notification.c.recipient_id, notification.c.sequence, unique=True)
# The trace of a stay, and of a message.
Index("ix_notification_encounter", notification.c.encounter_id)

notification_acknowledgement = Table(
    "notification_acknowledgement",
    metadata,
    Column("notification_id", Id, ForeignKey("notification.id"), primary_key=True),
    Column("recipient_id", Id, nullable=False),
    Column("acknowledged_at", Instant, nullable=False),
    Column("key_id", Id),
)

telling = Table(
    "telling",
    metadata,
    Column("encounter_id", Id, primary_key=True),
    Column("recipient_id", Id, primary_key=True),
    Column("kind", Text, primary_key=True, comment="which event of the stay: admitted, transferred, discharged, died"),
    Column("event_id", Id, nullable=False),
    Column("decision", Text, nullable=False, comment="full | minimal | id_only | suppress | hold | preference | not_live | gone"),
    Column("reasons", Document, nullable=False),
    Column("notification_id", Id, comment="the latest version that was numbered; null: never told"),
    Column("version", Integer, nullable=False, comment="of the latest notification; 0: never told"),
    Column("effective", Boolean, nullable=False, comment="the latest version stands, it is not a retraction"),
    Column("digest", Bytes, nullable=False, comment="of what was told: equal means nothing new to tell"),
    Column("attribution_id", Id),
    Column("decided_at", Instant, nullable=False),
)
Index("ix_telling_notification", telling.c.notification_id)
# What waits for an agreement of a recipient: nothing, where all papers are in order.
Index("ix_telling_agreement", telling.c.recipient_id, postgresql_where=telling.c.decision == "agreement")
# What waits until somebody decides: few of all.
Index("ix_telling_hold", telling.c.decided_at, postgresql_where=telling.c.decision == "hold")

disclosure = Table(
    "disclosure",
    metadata,
    Column("id", Id, primary_key=True, comment="time-ordered; append-only"),
    Column("encounter_id", Id, nullable=False),
    Column("person_id", Id, nullable=False),
    Column("recipient_id", Id, nullable=False),
    Column("kind", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("reasons", Document, nullable=False),
    Column("attribution_id", Id),
    Column("notification_id", Id),
    Column("cause_id", Id),
    Column("decided_at", Instant, nullable=False),
    written_by(),
    comment="The ledger: every change of a decision, told or not told, with its reasons. Rows are only added.",
)
Index("ix_disclosure_encounter", disclosure.c.encounter_id, disclosure.c.id)
newest_written(disclosure)

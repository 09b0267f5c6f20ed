"""What recipients answered, what a person has to look at because of it, and follow-ups on their way to another home."""

from sqlalchemy import Column, Date, ForeignKey, Index, Table, Text

from app.store.tables.base import Document, Id, Instant, metadata

review = Table(
    "review",
    metadata,
    Column("id", Id, primary_key=True, comment="time-ordered"),
    Column("kind", Text, nullable=False, comment="attribution | identity | death | duplicate | attribution_conflict"),
    Column("state", Text, nullable=False, comment="open | upheld | dismissed"),
    Column("opened_at", Instant, nullable=False),
    Column("person_id", Id, nullable=False),
    Column("encounter_id", Id, ForeignKey("encounter.id"), index=True),
    Column("organization_id", Id, ForeignKey("organization.id"), comment="the panel's owner; null: for the operator alone"),
    Column("conflict_key", Text, comment="program and homes of an attribution_conflict: asked once"),
    Column("subject", Document, nullable=False, comment="ids and codes of what is asked; never words of a message"),
    Column("resolved_at", Instant),
    Column("resolution", Text),
    Column("resolved_by", Document),
)
# The queue of a kind, oldest first.
Index("ix_review_state", review.c.state, review.c.id)
# A panel owner's own.
Index("ix_review_organization", review.c.organization_id, review.c.state, review.c.id)
# A conflict of two homes is asked once, whatever was decided.
Index("uq_review_conflict", review.c.person_id, review.c.conflict_key, unique=True, postgresql_where=review.c.conflict_key.is_not(None))

queue_alert = Table(
    "queue_alert",
    metadata,
    Column("queue", Text, primary_key=True),
    Column("alert", Text, nullable=False, comment="as it was last said: none | ageing | overdue"),
    Column("since", Instant, nullable=False),
    comment="How the oldest of each queue of people's work is doing, so that what turns is said once.",
)

recipient_answer = Table(
    "recipient_answer",
    metadata,
    Column("id", Id, primary_key=True, comment="time-ordered"),
    Column("organization_id", Id, ForeignKey("organization.id"), nullable=False, comment="the recipient who answers"),
    Column("encounter_id", Id, ForeignKey("encounter.id"), nullable=False),
    Column("notification_id", Id, comment="what was answered"),
    Column("follow_up_id", Id, comment="what was answered, or the follow-up that the answer stops"),
    Column("answer", Text, nullable=False, comment="not_ours | wrong_person | left_program_on | deceased | duplicate"),
    Column("said_on", Date),
    Column("note", Text),
    Column("author", Document, nullable=False),
    Column("answered_at", Instant, nullable=False),
    Column("review_id", Id, ForeignKey("review.id"), nullable=False, index=True),
    comment="Rows are only added: what became of an answer is in its review.",
)
# The answers about a stay (rooms 6 and 7).
Index("ix_recipient_answer_encounter", recipient_answer.c.encounter_id, recipient_answer.c.organization_id)
# A panel's quality: answers of a period.
Index("ix_recipient_answer_organization", recipient_answer.c.organization_id, recipient_answer.c.answered_at)

follow_up_transfer = Table(
    "follow_up_transfer",
    metadata,
    Column("id", Id, primary_key=True, comment="time-ordered"),
    Column("follow_up_id", Id, ForeignKey("follow_up.id"), nullable=False),
    Column("encounter_id", Id, ForeignKey("encounter.id"), nullable=False, index=True),
    Column("from_id", Id, ForeignKey("organization.id"), nullable=False),
    Column("to_id", Id, ForeignKey("organization.id"), nullable=False),
    Column("source", Text, nullable=False, comment="home: offered by the old one; roster: the panels say so"),
    Column("state", Text, nullable=False, comment="offered | accepted | declined | withdrawn"),
    Column("offered_at", Instant, nullable=False),
    Column("accept_at", Instant, comment="when it is accepted by itself; null: only by the new home"),
    Column("decided_at", Instant),
    Column("reason", Text),
    Column("decided_by", Document),
    Column("noticed", Text, comment="of which state both homes were told"),
)
# One offer of a follow-up is open.
Index(
    "uq_follow_up_transfer_open", follow_up_transfer.c.follow_up_id, unique=True, postgresql_where=follow_up_transfer.c.state == "offered"
)
# Both homes list theirs.
Index("ix_follow_up_transfer_to", follow_up_transfer.c.to_id, follow_up_transfer.c.id)
Index("ix_follow_up_transfer_from", follow_up_transfer.c.from_id, follow_up_transfer.c.id)
# The chain of a follow-up.
Index("ix_follow_up_transfer_follow_up", follow_up_transfer.c.follow_up_id, follow_up_transfer.c.id)

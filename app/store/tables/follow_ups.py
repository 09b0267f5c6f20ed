"""Follow-ups with their clocks, the contacts that were made, and who owned them. A follow-up is its own timer."""

from sqlalchemy import Boolean, Column, Date, ForeignKey, Index, Integer, Table, Text, text

from app.store.tables.base import Document, Id, Instant, Payload, Texts, metadata, written_by

follow_up = Table(
    "follow_up",
    metadata,
    Column("id", Id, primary_key=True),
    Column("encounter_id", Id, ForeignKey("encounter.id"), nullable=False, comment="the follow-ups of one discharge form a group"),
    Column("home_id", Id, ForeignKey("organization.id"), comment="null: a covered member without a home"),
    Column("person_id", Id, ForeignKey("person.id"), nullable=False),
    Column("programs", Texts, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_reasons", Document, nullable=False),
    Column("anchor_at", Instant),
    Column("anchor_on", Date),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("close_reason", Text),
    Column("assignee", Text),
    Column("clocks", Payload, nullable=False),
    Column("next_due_at", Instant, comment="the earliest pending clock"),
    Column("next_change_at", Instant, comment="when to evaluate again although nothing happens: the timer"),
    Column("updated_at", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column(
        "of_reporter_alone",
        Boolean,
        nullable=False,
        comment="of a stay reported by somebody who does not claim the person: nobody else's news",
    ),
    Column("first_home_id", Id, ForeignKey("organization.id"), comment="the home of the discharge, where it is another by now"),
    Column("hand_over_at", Instant, comment="when an open offer is accepted by itself"),
    Column("snoozed_until", Instant, comment="until then its warnings are mute; a breach is told all the same"),
    Column("snooze", Document, comment="why and by whom"),
    Column("received_at", Instant, comment="when the message that tells of the discharge that stands came here"),
    Column("told_at", Instant, comment="when its home was told of it"),
    Column("first_opened_at", Instant, comment="when its home looked at it first: it opened or acknowledged it"),
    Column(
        "late_by", Texts, nullable=False, server_default=text("'{}'"), comment="late_by_feed | late_by_us | late_by_home, of its clocks"
    ),
    written_by(),
)
Index("uq_follow_up_home", follow_up.c.encounter_id, follow_up.c.home_id, unique=True, postgresql_nulls_not_distinct=True)
# The worklist: a home's follow-ups in a state, soonest deadline first.
Index("ix_follow_up_worklist", follow_up.c.home_id, follow_up.c.state, follow_up.c.next_due_at, follow_up.c.id)
# Nightly polls: what changed since an instant, or was committed after a position. Without the home, of which row-level security leaves no
# search: entries come in order, so a batch writes one page of each, where it wrote one for each home, and keys of a batch are kept once.
Index("ix_follow_up_changed", follow_up.c.updated_at)
Index("ix_follow_up_xid", follow_up.c.xid)
# What the passing of time changes next: claimed in order, a million pending rows stay cheap.
Index("ix_follow_up_timer", follow_up.c.next_change_at, postgresql_where=follow_up.c.next_change_at.is_not(None))
# Whose it was before: of the stays of a batch, those whose follow-up went to another home.
Index("ix_follow_up_moved", follow_up.c.encounter_id, postgresql_where=follow_up.c.first_home_id.is_not(None))
# A person's follow-ups (the plan's question).
Index("ix_follow_up_person", follow_up.c.person_id)

follow_up_owner = Table(
    "follow_up_owner",
    metadata,
    Column("id", Id, primary_key=True),
    Column("follow_up_id", Id, ForeignKey("follow_up.id"), nullable=False, index=True),
    Column("organization_id", Id, ForeignKey("organization.id")),
    Column("staff", Text),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant),
)

contact = Table(
    "contact",
    metadata,
    Column("id", Id, primary_key=True),
    Column("follow_up_id", Id, ForeignKey("follow_up.id"), nullable=False, index=True),
    Column("organization_id", Id, ForeignKey("organization.id"), nullable=False, comment="who recorded it"),
    Column("occurred_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("author", Document, nullable=False, comment="staff, or key plus named person"),
    Column("source", Text, nullable=False),
    Column("source_id", Text),
    Column("fields", Payload, nullable=False, comment="the whole contact as recorded (DESIGN section 6)"),
    Column("corrected_of", Id),
    Column("voided_at", Instant),
    Column("void_reason", Text),
    Column("voided_by", Document),
)

follow_up_log = Table(
    "follow_up_log",
    metadata,
    Column("id", Id, primary_key=True, comment="time-ordered; append-only"),
    Column("follow_up_id", Id, ForeignKey("follow_up.id"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("said", Document, nullable=False, comment="what was done, by whom, from what to what, and why"),
    comment="What was done with a follow-up, by whom or by facts. Rows are only added.",
)

timer_notice = Table(
    "timer_notice",
    metadata,
    Column("subject_id", Id, primary_key=True, comment="a follow-up, or a contact"),
    Column("name", Text, primary_key=True, comment="the id of a clock, or what else is told once"),
    Column("step", Integer, primary_key=True, comment="percent of a clock's time; 0 where there are no steps"),
    Column(
        "version_at", Instant, primary_key=True, comment="the due time, discharge or contact that it is about: another one is told anew"
    ),
    Column("follow_up_id", Id, ForeignKey("follow_up.id"), nullable=False),
    Column("outcome", Text, nullable=False, comment="told | overtaken, by a later step in the same moment"),
    Column("fired_at", Instant, nullable=False),
    comment="What time or a contact set off, each once: whoever inserts the row tells of it, in the same transaction.",
)
Index("ix_timer_notice_follow_up", timer_notice.c.follow_up_id)

follow_up_telling = Table(
    "follow_up_telling",
    metadata,
    Column("follow_up_id", Id, ForeignKey("follow_up.id"), primary_key=True),
    Column("recipient_id", Id, ForeignKey("organization.id"), primary_key=True),
    Column("kind", Text, primary_key=True, comment="contacted | closed"),
    Column("event_id", Id, nullable=False),
    Column("notification_id", Id, nullable=False),
    Column("version", Integer, nullable=False),
    Column("said", Text, nullable=False, comment="what was told: equal means nothing new; empty: taken back"),
    Column("told_at", Instant, nullable=False),
)

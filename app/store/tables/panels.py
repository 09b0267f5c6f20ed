"""Panels: who claims which person, from when to when, as each upload said it; the uploads with their refused rows; how panels stand."""

from sqlalchemy import Boolean, CheckConstraint, Column, Date, ForeignKey, Index, Integer, Table, Text, text

from app.store.tables.base import Bytes, Document, Id, Instant, Payload, Texts, metadata

panel_upload = Table(
    "panel_upload",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, ForeignKey("organization.id"), nullable=False),
    Column("mode", Text, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("file_name", Text, nullable=False, comment="as the sender calls it; may be empty"),
    Column("file_hash", Bytes, nullable=False, comment="SHA-256 of the bytes"),
    Column("header", Texts, nullable=False, comment="as sent, for the fixable remainder"),
    Column("uploaded_at", Instant, nullable=False),
    Column("summary", Document, nullable=False, comment="accepted, rejected, added, changed, removed, unknown columns, warnings"),
)
Index("ix_panel_upload_organization", panel_upload.c.organization_id, panel_upload.c.id)
# When the last whole panel came, however many deltas came since.
Index(
    "ix_panel_upload_replace",
    panel_upload.c.organization_id,
    panel_upload.c.id,
    postgresql_where=text("mode = 'replace' and not dry_run"),
)

panel_upload_rejection = Table(
    "panel_upload_rejection",
    metadata,
    Column("upload_id", Id, ForeignKey("panel_upload.id"), primary_key=True),
    Column("row", Integer, primary_key=True, comment="1-based line of the file, the header is 1"),
    Column("errors", Document, nullable=False, comment="column, code and message of each; never a value"),
    Column("cells", Payload, nullable=False, comment="the row as sent, for the fixable remainder"),
)

# No foreign keys: their checks would lock every person of a roster until its commit (FOR KEY SHARE against the pipeline's FOR
# UPDATE) and cost a look-up a row and key. The rows come from one statement that joins what they point at, and nothing is deleted.
panel_member = Table(
    "panel_member",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, nullable=False),
    Column("record_id", Id, nullable=False, index=True),
    Column("person_id", Id, nullable=False),
    Column("program", Text, nullable=False, comment="as sent"),
    Column("role", Text, nullable=False),
    Column("effective_from", Date, nullable=False),
    Column("effective_to", Date, comment="exclusive; null: open"),
    Column("coordinator", Text),
    Column("plan_id", Text),
    Column("row_key", Bytes, nullable=False, comment="what makes two rows of one panel the same claim: person, program, role, from"),
    Column("row_hash", Bytes, nullable=False, comment="of every cell but effective_to: both equal means unchanged"),
    Column("row", Payload, nullable=False, comment="column -> text, unknown columns too, without effective_to"),
    Column("upload_id", Id),
    Column("asserted_at", Instant, nullable=False, comment="when we learned it"),
    Column("retracted_at", Instant, comment="when we learned that it is no longer what the owner says"),
)
# Who claims this person (room 6), and whether the viewer does or did (policies.claimed).
Index("ix_panel_member_person", panel_member.c.person_id, panel_member.c.organization_id)
# One current claim per row key; the diff of an upload joins on it.
Index(
    "uq_panel_member_current",
    panel_member.c.organization_id,
    panel_member.c.row_key,
    unique=True,
    postgresql_where=panel_member.c.retracted_at.is_(None),
)
# The panel as it is known now, paged: what was retracted, in time most of the rows, is not passed over.
Index(
    "ix_panel_member_current",
    panel_member.c.organization_id,
    panel_member.c.id,
    postgresql_where=panel_member.c.retracted_at.is_(None),
)
# The panel as it was known at an instant, paged; and the claims of one upload, whose ids are one range.
Index("ix_panel_member_organization", panel_member.c.organization_id, panel_member.c.id)

panel_standing = Table(
    "panel_standing",
    metadata,
    Column("organization_id", Id, ForeignKey("organization.id"), primary_key=True),
    Column("warn_after_days", Integer, comment="null: the default"),
    Column("expire_after_days", Integer, comment="null: the default"),
    Column("state", Text, nullable=False, server_default="fresh", comment="as it was last said: fresh | ageing | expired"),
    Column("state_since", Instant),
    Column("figures", Document, comment="members, claims, without_phone, possible_duplicates, never_matched"),
    Column("figures_upload_id", Id, comment="the upload after which they were counted"),
    Column("counted_at", Instant),
    CheckConstraint("state in ('fresh','ageing','expired')", name="state"),
    CheckConstraint("warn_after_days > 0 and expire_after_days > 0", name="days"),
    comment="What is set and said about a panel as a whole. Its age is not stored: it is that of its last upload.",
)

# One row for each of the organizations that claim one person in one role today, so that each sees its own and the operator all.
panel_conflict = Table(
    "panel_conflict",
    metadata,
    Column("person_id", Id, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("organization_id", Id, primary_key=True),
    Column("since", Date, nullable=False, comment="the first day on which more than one of the claims holds"),
    Column("found_at", Instant, nullable=False),
    Column("is_told", Boolean, nullable=False, comment="its organization may know; false: only with homes whose own status is protected"),
)
# The conflicts of one organization, paged.
Index("ix_panel_conflict_organization", panel_conflict.c.organization_id, panel_conflict.c.person_id, panel_conflict.c.role)

panel_watch = Table(
    "panel_watch",
    metadata,
    Column("id", Integer, primary_key=True, comment="one row"),
    Column("conflicts_of", Bytes, comment="hash of the day and of every panel's last upload, for which conflicts were last found"),
    Column("conflicts_at", Instant),
)

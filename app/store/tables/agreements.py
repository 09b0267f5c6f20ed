"""The agreements under which organizations take part."""

from sqlalchemy import CheckConstraint, Column, Date, ForeignKey, Index, SmallInteger, Table, Text

from app.store.tables.base import Id, Instant, metadata

# Two times: from when to when it holds, and when we learned of it and of its end. Never changed, only ended.
agreement = Table(
    "agreement",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, ForeignKey("organization.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("scope", Text, nullable=False, comment="what it is about, in its own words"),
    Column("effective_from", Date, comment="null: since the organization joined"),
    Column("expires_on", Date, comment="the last day on which it holds; null: until it is ended"),
    Column("document_id", Text, comment="where the paper is"),
    Column("asserted_at", Instant, nullable=False, comment="when we learned of it"),
    Column("ended_at", Instant, comment="on receipt, never backwards"),
    Column("released_at", Instant, comment="when what had waited for it was decided again; null: it has not begun, or nobody looked yet"),
    Column("warned_days", SmallInteger, comment="the last warning of its end that was said: so many days before; null: none yet"),
    Column("warned_at", Instant),
    CheckConstraint("kind in ('dsa','baa','qsoa','participation')", name="kind"),
)
Index("ix_agreement_organization", agreement.c.organization_id, agreement.c.id)
# What begins, for the round that has its stays decided again.
Index("ix_agreement_unreleased", agreement.c.effective_from, postgresql_where=agreement.c.released_at.is_(None))
# What ends by itself, for the warnings before; and what was warned of, which waits for somebody to renew it.
Index("ix_agreement_expiring", agreement.c.expires_on, postgresql_where=agreement.c.expires_on.is_not(None))

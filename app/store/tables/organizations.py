"""Organizations, what they may see of each other, their feeds and keys."""

from sqlalchemy import Boolean, CheckConstraint, Column, Date, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from app.store.tables.base import Bytes, Document, Id, Instant, Texts, metadata

organization = Table(
    "organization",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("program_roles", Texts, nullable=False),
    Column("parent_id", Id, ForeignKey("organization.id")),
    Column("npi", Text),
    Column("part2_status", Text, nullable=False),
    Column("facility_type", Text, nullable=False, comment="acute | psychiatric | residential | nonacute | unknown"),
    Column("time_zone", Text, nullable=False, comment="IANA; the local calendar of its discharges"),
    Column("holiday_calendar", Text, nullable=False, comment="for business-day clocks, e.g. US, US-ME"),
    Column("created_at", Instant, nullable=False),
    Column("call_back_number", Text),
    Column("direct_address", Text),
    Column("records_contact", Text),
    Column("known_as", Texts, nullable=False, server_default=text("'{}'"), comment="what others' messages call it in PV1-37"),
    Column("adt_wait_hours", Integer, comment="how long an admission after a transfer there may go unheard; null: a day"),
    CheckConstraint("kind in ('hospital','health_home','behavioral_health_home','plan','agency','hie')", name="kind"),
    CheckConstraint("part2_status in ('not_program','program','sud_only','unknown')", name="part2_status"),
    CheckConstraint("adt_wait_hours between 1 and 720", name="adt_wait_hours"),
)

facility_unit = Table(
    "facility_unit",
    metadata,
    Column("organization_id", Id, ForeignKey("organization.id"), primary_key=True),
    Column("unit", Text, primary_key=True, comment="as its messages write it (PV1-3.1), upper case"),
    Column("call_back_number", Text),
    Column("direct_address", Text),
    Column("records_contact", Text),
    Column("changed_at", Instant, nullable=False),
)

escalation_contact = Table(
    "escalation_contact",
    metadata,
    Column("organization_id", Id, ForeignKey("organization.id"), primary_key=True),
    Column("part", Text, primary_key=True, comment="supervisor | manager | on_call"),
    Column("name", Text, nullable=False),
    Column("phone", Text),
    Column("recipient_id", Id, ForeignKey("organization.id"), comment="an organization that is told too, where it was granted the rows"),
    Column("changed_at", Instant, nullable=False),
    comment="Whom a home names for escalations. Its own people; no patient data.",
)

organization_grant = Table(
    "organization_grant",
    metadata,
    Column("organization_id", Id, ForeignKey("organization.id"), primary_key=True, comment="whose rows"),
    Column("grantee_id", Id, ForeignKey("organization.id"), primary_key=True, comment="who may see them"),
    Column("granted_at", Instant, nullable=False),
)

feed = Table(
    "feed",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, ForeignKey("organization.id"), nullable=False, index=True),
    Column("sending_application", Text, nullable=False),
    Column("sending_facility", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("assigning_authority", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("profile", Document, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    UniqueConstraint("sending_application", "sending_facility"),
    CheckConstraint("mode in ('test','shadow','live','backfill')", name="mode"),
)

feed_version = Table(
    "feed_version",
    metadata,
    Column("feed_id", Id, ForeignKey("feed.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("assigning_authority", Text, nullable=False),
    Column("profile", Document, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("changed_by", Id, comment="the organization whose key was used; null: the operator"),
    comment="What was in force from when on: the history of a feed's profile and of its moves from test to live.",
)

feed_facility = Table(
    "feed_facility",
    metadata,
    Column("feed_id", Id, ForeignKey("feed.id"), primary_key=True),
    Column("code", Text, primary_key=True, comment="as an aggregator's messages write it, upper case"),
    Column("organization_id", Id, ForeignKey("organization.id"), nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("assigning_authority", Text, nullable=False),
    Column("mapped_at", Instant, nullable=False),
)

practitioner = Table(
    "practitioner",
    metadata,
    Column("id", Id, primary_key=True),
    Column("npi", Text, nullable=False),
    Column("organization_id", Id, ForeignKey("organization.id"), nullable=False),
    Column("effective_from", Date, comment="null: always"),
    Column("effective_to", Date, comment="exclusive; null: open"),
    Column("asserted_at", Instant, nullable=False, comment="when we learned it"),
    Column("retracted_at", Instant, comment="when we learned that it is not so"),
    comment="For whom a practitioner works that messages name (PD1, ROL, PV1). Public numbers; no patient data.",
)
# One link of a practitioner and an organization stands.
Index(
    "uq_practitioner_current",
    practitioner.c.organization_id,
    practitioner.c.npi,
    unique=True,
    postgresql_where=practitioner.c.retracted_at.is_(None),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, ForeignKey("organization.id"), nullable=False, index=True),
    Column("digest", Bytes, nullable=False, unique=True, comment="HMAC-SHA256(pepper, key); the key itself is never stored"),
    Column("scopes", Texts, nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
)

preference = Table(
    "preference",
    metadata,
    Column("organization_id", Id, ForeignKey("organization.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("rules", Document, nullable=False),
    Column("is_current", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
)
Index("ix_preference_current", preference.c.organization_id, unique=True, postgresql_where=preference.c.is_current)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("organization_id", Id, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_digest", Bytes, nullable=False),
    Column("resource_id", Id, nullable=False),
    Column("created_at", Instant, nullable=False),
)

registry_version = Table(
    "registry_version",
    metadata,
    Column("id", Integer, primary_key=True, comment="one row"),
    Column("version", Integer, nullable=False),
    comment="Raised by triggers on every change of the registry (migrations/by_hand_0001), so that batches read it only then.",
)

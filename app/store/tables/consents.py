"""What patients signed or refused, and what is registered of the places that their records come from."""

from sqlalchemy import Boolean, CheckConstraint, Column, Date, ForeignKey, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from app.store.tables.base import Id, Instant, Texts, metadata

# Two times: when it was signed and ends, and when we learned of it and of its revocation. A consent is never changed, only ended.
consent = Table(
    "consent",
    metadata,
    Column("id", Id, primary_key=True),
    Column("person_id", Id, nullable=False),
    Column("record_id", Id, nullable=False, comment="the patient record it was asserted of: it follows that record to another person"),
    Column("recorded_by", Id, ForeignKey("organization.id"), comment="null: the operator"),
    Column("kind", Text, nullable=False),
    Column("categories", Texts, nullable=False),
    Column("purposes", Texts, nullable=False),
    Column("discloser_id", Id, ForeignKey("organization.id"), comment="null: whoever holds such records"),
    Column("recipients", ARRAY(Id), nullable=False),
    Column("recipient_classes", Texts, nullable=False),
    Column("intermediary_id", Id, ForeignKey("organization.id")),
    Column("scope", Text, nullable=False, comment="42 CFR 2.31(a)(3), in its own words: travels with what is disclosed"),
    Column("signed_on", Date, nullable=False),
    Column("signed_by", Text, nullable=False, comment="patient | parent | guardian | clinician"),
    Column("signature", Text, nullable=False, comment="written | electronic | none"),
    Column("expires_on", Date, comment="the last day on which it holds; null: see expires_upon"),
    Column("expires_upon", Text, comment="the event or condition on which it ends, or none"),
    Column("ends_at", Instant, comment="of an emergency or a broken glass"),
    Column("statements", Texts, nullable=False, comment="which statements of 42 CFR 2.31(a) the form has"),
    Column("reason", Text, comment="of a refusal, an emergency or a broken glass"),
    Column("document_id", Text, comment="where the paper is"),
    Column("source", Text, nullable=False, comment="api | roster | panel | fhir | message"),
    Column("state", Text, nullable=False),
    Column("asserted_at", Instant, nullable=False, comment="when we learned it"),
    Column("reviewed_at", Instant),
    Column("review_note", Text),
    Column("revoked_at", Instant, comment="on receipt, never backwards"),
    Column("revoked_by", Id, ForeignKey("organization.id")),
    Column("revocation_note", Text),
    CheckConstraint("kind in ('tpo','named','intermediary','refusal','emergency','break_glass')", name="kind"),
    CheckConstraint("state in ('proposed','active','refused','revoked','expired')", name="state"),
)
# What the decision asks of every person of a batch: only what is in force, which is little.
Index("ix_consent_person_active", consent.c.person_id, postgresql_where=text("state = 'active'"))
# What ends by itself, for the round that decides its stays again.
Index("ix_consent_ending", consent.c.expires_on, postgresql_where=text("state = 'active' and expires_on is not null"))
Index("ix_consent_ending_soon", consent.c.ends_at, postgresql_where=text("state = 'active' and ends_at is not null"))
# Records move between people: the consents asserted of them follow.
Index("ix_consent_record", consent.c.record_id)
# What an organization recorded, and what of it waits for review.
Index("ix_consent_recorded_by", consent.c.recorded_by, consent.c.id)
Index("ix_consent_proposed", consent.c.recorded_by, consent.c.asserted_at, postgresql_where=text("state = 'proposed'"))
# Emergencies and broken glass are looked at afterwards, every one.
Index("ix_consent_unreviewed", consent.c.asserted_at, postgresql_where=text("kind in ('emergency','break_glass') and reviewed_at is null"))

origin_registration = Table(
    "origin_registration",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, ForeignKey("organization.id"), nullable=False),
    Column("place", Text, nullable=False),
    Column("code", Text, nullable=False, comment="as messages write it, upper case; empty for the house"),
    Column("effective_from", Date, nullable=False),
    Column("effective_to", Date, comment="exclusive; null: open"),
    Column("part2_status", Text, comment="null: as the house"),
    Column("mental_health_licensed", Boolean, comment="null: nobody has said"),
    Column("facility_type", Text),
    Column("privacy_pack", Text, comment="which state's rules hold there"),
    Column("asserted_at", Instant, nullable=False, comment="when we learned it"),
    Column("retracted_at", Instant, comment="when we learned that it is not so"),
    CheckConstraint("place in ('house','unit','service','building')", name="place"),
    CheckConstraint("code <> '' or place = 'house'", name="code"),
    CheckConstraint("part2_status in ('not_program','program','sud_only','unknown')", name="part2_status"),
    comment="Configuration of the exchange; no patient data.",
)
# Never changed: the latest is the stay's, in encounter.place_decided.
place_decision = Table(
    "place_decision",
    metadata,
    Column("id", Id, primary_key=True, comment="time-ordered"),
    Column("encounter_id", Id, nullable=False, index=True),
    Column("part2_status", Text, nullable=False),
    Column("reason", Text, nullable=False, comment="why whoever looked says so"),
    Column("key_id", Id, comment="whose key it was; null: the operator's own"),
    Column("decided_at", Instant, nullable=False),
    CheckConstraint("part2_status in ('not_program','program')", name="part2_status"),
    comment="What an operator said of the place of one stay that was held for review.",
)
Index(
    "ix_origin_registration_standing",
    origin_registration.c.organization_id,
    origin_registration.c.id,
    postgresql_where=origin_registration.c.retracted_at.is_(None),
)

"""Webhook subscriptions, their deliveries and every attempt."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from app.store.tables.audit import newest_written
from app.store.tables.base import Document, Id, Instant, Texts, metadata, written_by

subscription = Table(
    "subscription",
    metadata,
    Column("id", Id, primary_key=True),
    Column("organization_id", Id, ForeignKey("organization.id"), nullable=False, index=True),
    Column("channel", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("event_types", Texts, nullable=False, comment="empty: every type"),
    Column("order_mode", Text, nullable=False),
    Column("secrets", Document, nullable=False, comment="encrypted signing secrets with their validity, newest first"),
    Column("status", Text, nullable=False, comment="active | paused | disabled"),
    Column("status_reason", Text),
    Column("fanned_out_sequence", BigInteger, nullable=False, comment="notifications up to here have their delivery row"),
    Column("breaker", Document, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_success_at", Instant),
)

delivery = Table(
    "delivery",
    metadata,
    Column("subscription_id", Id, ForeignKey("subscription.id"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("notification_id", Id, nullable=False),
    Column("person_id", Id, nullable=False),
    Column("state", Text, nullable=False, comment="pending | delivered | failed | superseded | withdrawn"),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Instant, nullable=False),
    Column("lease_until", Instant),
    Column("fence", Integer, nullable=False),
    Column("finished_at", Instant),
)
# What is due, endpoint by endpoint.
Index(
    "ix_delivery_pending",
    delivery.c.subscription_id,
    delivery.c.next_attempt_at,
    postgresql_where=delivery.c.state == "pending",
)
# The head of each person's line.
Index(
    "ix_delivery_person",
    delivery.c.subscription_id,
    delivery.c.person_id,
    delivery.c.sequence,
    postgresql_where=delivery.c.state == "pending",
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", Id, primary_key=True),
    Column("subscription_id", Id, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status_code", Integer),
    Column("error", Text),
    Column("response_excerpt", Text),
    written_by(),
)
Index("ix_attempt_delivery", attempt.c.subscription_id, attempt.c.sequence)
newest_written(attempt)

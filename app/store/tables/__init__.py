"""The tables, one module per noun. `metadata` is what the migrations are compared with.

No table names a schema: the search path of the connection is the network (HANDOFF_NETWORK). Indexes say what they serve.
"""

from app.store.tables import (
    agreements,
    audit,
    consents,
    deliveries,
    documents,
    encounters,
    feed_health,
    follow_ups,
    inbound,
    matches,
    measures,
    notifications,
    organizations,
    panels,
    people,
    reviews,
    services,
)
from app.store.tables.base import metadata

__all__ = [
    "agreements",
    "audit",
    "consents",
    "deliveries",
    "documents",
    "encounters",
    "feed_health",
    "follow_ups",
    "inbound",
    "matches",
    "measures",
    "metadata",
    "notifications",
    "organizations",
    "panels",
    "people",
    "reviews",
    "services",
]

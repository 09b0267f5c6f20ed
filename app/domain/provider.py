"""For whom a practitioner works: an NPI and an organization, from a day to before a day, and since when that is known."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ProviderLink:
    """One practitioner at one organization."""

    id: UUID
    organization_id: UUID
    asserted_at: datetime
    effective_from: date | None = None
    """None: always."""
    effective_to: date | None = None
    """The first day on which it no longer holds; None is open."""

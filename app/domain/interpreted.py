"""A message together with its meaning and the feed it came by: what rooms 4-7 pass along."""

from dataclasses import dataclass
from uuid import UUID

from app.domain.adt_event import AdtEvent
from app.domain.feed import Feed


@dataclass(frozen=True, slots=True)
class Interpreted:
    """A message with its meaning."""

    message_id: UUID
    feed: Feed
    event: AdtEvent
    is_test: bool
    """A training message or a test patient: processed under names of its own, told to nobody."""

"""A message together with its meaning and the feed it came by: what rooms 4-7 pass along; or what it waits for."""

from dataclasses import dataclass
from uuid import UUID

from app.domain.adt_event import AdtEvent
from app.domain.feed import Feed, FeedMode, UnmappedFacility
from app.domain.inbound import Problem


@dataclass(frozen=True, slots=True)
class Interpreted:
    """A message with its meaning."""

    message_id: UUID
    feed: Feed
    event: AdtEvent
    is_test: bool
    """A training message or a test patient: processed under names of its own, told to nobody."""
    mode: FeedMode = FeedMode.LIVE
    """In which the message was received; its feed may have moved on since."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message of an aggregator that cannot be interpreted before somebody says which organization a facility's code stands for."""

    unmapped: UnmappedFacility
    problem: Problem

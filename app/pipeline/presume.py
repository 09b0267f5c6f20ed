"""Closes stays that nobody ended, through the same rooms as a message: fold, keep, tell. Told is what changes, which is nothing.

One worker at a time, once an hour. Not here: which stays (store/hanging) and what takes a presumption back (domain/encounter).
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from app.domain.adt_event import Identifier
from app.domain.encounter import EncounterState, EncounterStatus, apply, view
from app.domain.event_order import sort_key
from app.domain.going_live import parts_after
from app.domain.hanging import Patience, presumption
from app.pipeline.feed_watch import FEED_WATCH_LOCK
from app.pipeline.rooms import Batch, OpenTransaction, Rooms
from app.store import encounters, feed_counts, inbound, people
from app.store.directory import RegistryReader
from app.store.encounters import EventRow
from app.store.hanging import hanging_stays
from app.store.raw import Raw

EVERY: Final = timedelta(hours=1)
FEED_HEARD_WITHIN: Final = timedelta(days=1)
"""Our policy: a feed that was not heard for a day says nothing about its stays, with or without an alert."""


@dataclass(frozen=True, slots=True)
class Presumptions:
    """Closes what nobody ended. One per worker process."""

    rooms: Rooms
    transaction: OpenTransaction
    registry: RegistryReader
    patience: Patience
    lock_space: int

    async def presume_once(self, most: int) -> int:
        """Close at most so many; give how many. 0 also when it is not time, or another worker does it."""
        limits = self.patience.by_class()
        if not limits:
            return 0
        now = self.rooms.clock.now()
        async with self.transaction() as raw:
            if not await inbound.try_lock(raw, self.lock_space, FEED_WATCH_LOCK):
                return 0
            watch = await feed_counts.read_watch(raw)
            if watch.presumed_at is not None and now - watch.presumed_at < EVERY:
                return 0
            found = await hanging_stays(raw, limits, now, now - FEED_HEARD_WITHIN, most)
            await self._presume(raw, found)
            if len(found) < most:
                watch.presumed_at = now
                await feed_counts.save_watch(raw, watch)
            return len(found)

    async def _presume(self, raw: Raw, found: list[UUID]) -> None:
        if not found:
            return
        now = self.rooms.clock.now()
        # The same order of locks as a batch of messages: people, then stays.
        whose = await encounters.people_of(raw, found)
        await people.lock_people(raw, whose)
        batch, events, closed = Batch(), [], Counter[UUID]()
        for row in await encounters.by_id(raw, found):
            state = EncounterState.from_json(row.state)
            # A message may have come in between.
            if row.person_id not in whose or view(state).status is not EncounterStatus.IN_PROGRESS or row.feed_id is None:
                continue
            event_id = self.rooms.ids.new()
            event = presumption(state.last_key, Identifier(row.visit_authority, "", row.visit_number), event_id.bytes, now)
            key = sort_key(event)
            parts = parts_after(row.state, row.mode, event, key, row.mode)
            row.state, row.version = {**apply(state, event, key).to_json(), **parts}, row.version + 1
            batch.stays[row.id] = row
            closed[row.feed_id] += 1
            events.append(EventRow(event_id, 0, row.id, row.record_id, key, event.trigger, event.occurred_at))
        directory = await self.registry.current(raw)
        stays = await self.rooms.keep(raw, batch, directory, now)
        await encounters.save_events(raw, events)
        await self.rooms.tell(raw, stays, directory, now)
        await feed_counts.presumed(raw, closed, now)

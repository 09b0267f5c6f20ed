"""Who waits for notifications, and how they learn that there are some.

A hint (LISTEN, or the pipeline of the same process) wakes a waiter at once; one statement a second for all waiters together is
the truth that needs no hint. No connection is held while waiting. Not here: reading the notifications.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final
from uuid import UUID

POLL_INTERVAL_S: Final = 1.0

LastSequences = Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, int]]]
"""Reads the highest sequence number of each recipient."""


class Watch:
    """One waiter. Made before its first read, so that what arrives between the read and the wait is not missed."""

    __slots__ = ("_arrivals", "_event", "beyond", "recipient_id")

    def __init__(self, recipient_id: UUID, arrivals: "Arrivals") -> None:
        """Watch one recipient's sequence."""
        self.recipient_id = recipient_id
        self.beyond: int | None = None
        self._event = asyncio.Event()
        self._arrivals = arrivals

    def wake(self) -> None:
        """End the wait."""
        self._event.set()

    async def news(self, beyond: int, timeout_s: float) -> bool:
        """Wait until there may be numbers above `beyond`; False when the time is over or the service shuts down."""
        if self._arrivals.is_closed:
            return False
        self.beyond = beyond
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        finally:
            self.beyond = None
        self._event.clear()
        return not self._arrivals.is_closed


class Arrivals:
    """All waiters of this process."""

    def __init__(self, last_sequences: LastSequences, *, poll_interval_s: float = POLL_INTERVAL_S) -> None:
        """Start with nobody waiting; the poll runs only while somebody does."""
        self._last_sequences = last_sequences
        self._poll_interval_s = poll_interval_s
        self._watches: dict[UUID, set[Watch]] = {}
        self._poll: asyncio.Task[None] | None = None
        self.is_closed = False

    def wake(self, recipient_id: UUID) -> None:
        """Take a hint that the recipient has news."""
        for watch in self._watches.get(recipient_id, ()):
            watch.wake()

    def close(self) -> None:
        """End every wait, now and from now on: the process shuts down, clients ask again elsewhere."""
        self.is_closed = True
        for watches in self._watches.values():
            for watch in watches:
                watch.wake()
        if self._poll is not None:
            self._poll.cancel()
            self._poll = None

    @property
    def waiting(self) -> int:
        """How many wait, for the metrics."""
        return sum(len(watches) for watches in self._watches.values())

    @contextmanager
    def watch(self, recipient_id: UUID) -> Iterator[Watch]:
        """Watch a recipient for as long as the block runs."""
        watch = Watch(recipient_id, self)
        self._watches.setdefault(recipient_id, set()).add(watch)
        if self._poll is None and not self.is_closed:
            self._poll = asyncio.create_task(self._poll_while_watched())
        try:
            yield watch
        finally:
            watches = self._watches[recipient_id]
            watches.discard(watch)
            if not watches:
                del self._watches[recipient_id]

    async def _poll_while_watched(self) -> None:
        while self._watches:
            await asyncio.sleep(self._poll_interval_s)
            recipients = [key for key, watches in self._watches.items() if any(watch.beyond is not None for watch in watches)]
            if not recipients:
                continue
            # A database that is away: the waiters find out by their own read, and the next round tries again.
            with suppress(Exception):
                self._wake_beyond(await self._last_sequences(recipients))
        self._poll = None

    def _wake_beyond(self, last: Mapping[UUID, int]) -> None:
        for recipient_id, watches in self._watches.items():
            newest = last.get(recipient_id, 0)
            for watch in watches:
                if watch.beyond is not None and newest > watch.beyond:
                    watch.wake()

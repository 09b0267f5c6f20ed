"""Watches the queues in which something waits for a person: says once when one is ageing or overdue, and when it is worked off.

One worker at a time, and none leads: whoever gets the lock does the round. Not here: the rules (domain/queue), the statements
(store/queues), and how many wait (`GET /v1/queues`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.domain.queue import QueueAlert, QueueDefinition
from app.pipeline.rooms import OpenTransaction
from app.ports import Clock
from app.store import inbound, queues

QUEUE_WATCH_LOCK: Final = -6
"""Beside the lanes, which count from 0, and the other locks of background work."""


@dataclass(frozen=True, slots=True)
class QueueTurned:
    """A queue of which something else is true from now on."""

    queue: str
    alert: QueueAlert
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class QueueWatch:
    """The watcher of one worker process."""

    transaction: OpenTransaction
    clock: Clock
    lock_space: int
    definitions: Sequence[QueueDefinition]

    async def watch_once(self) -> Sequence[QueueTurned]:
        """Do one round; give the queues that turned."""
        now = self.clock.now()
        async with self.transaction() as raw:
            if not await inbound.try_lock(raw, self.lock_space, QUEUE_WATCH_LOCK):
                return ()
            oldest, said = await queues.oldest(raw), await queues.alerts(raw)
            turned = [
                QueueTurned(one.id, alert, oldest.get(one.id))
                for one in self.definitions
                if (alert := one.alert(oldest.get(one.id), now)) != said.get(one.id, QueueAlert.NONE)
            ]
            if turned:
                await queues.save_alerts(raw, {one.queue: one.alert.value for one in turned}, now)
        return turned

"""How a worker paces itself: how large a batch may be, how long it pauses after a failure, and at which lane it begins.

Not here: the loops (app/worker.py).
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from app.actions.receive import LANES
from app.pipeline.rooms import Worked
from app.pipeline.work import BatchFailedError
from app.store.hints import Place

LONG_S: Final = 2.0
"""Our policy: a round that takes longer was too large. The database ends a transaction that is silent for ten seconds, and the
supervisor a process: people with hundreds of stays are told of in smaller rounds, not in none."""
SHORT_S: Final = LONG_S / 4
PAUSES_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(slots=True)
class Pace:
    """How many messages or stays a round may have: halved when one fails or takes long, doubled when one is done soon."""

    most: int
    size: int = 0

    def __post_init__(self) -> None:
        """Begin with whole batches."""
        self.size = self.size or self.most

    async def round(self, work: Callable[[int], Awaitable[Worked]]) -> Worked:
        """Do a round as large as the last ones let it be."""
        started_s = time.perf_counter()
        try:
            worked = await work(self.size)
        except BatchFailedError as error:
            self.failed(error.messages)
            raise
        except Exception:
            self.cut_off()
            raise
        self.worked(time.perf_counter() - started_s)
        return worked

    def failed(self, messages: int) -> None:
        """Take half of what just failed, so that the bad message stands alone in few steps."""
        self.size = max(1, min(self.size, messages) // 2)

    def cut_off(self) -> None:
        """Take half: the database did not wait for the end, and it may have been for our slowness."""
        self.size = max(1, self.size // 2)

    def worked(self, took_s: float) -> None:
        """Dare twice as many, or take half, by how long this one took."""
        if took_s > LONG_S:
            self.size = max(1, self.size // 2)
        elif took_s < SHORT_S:
            self.size = min(self.most, self.size * 2)


def pause_s(failures: int, fraction: float) -> float:
    """Give the wait after so many failures in a row, with jitter and never above a second."""
    longest = PAUSES_S[min(failures, len(PAUSES_S)) - 1]
    return longest * (0.5 + fraction / 2)


def start_lane_of(place: Place, lanes: int = LANES) -> int:
    """Give the lane at which a worker begins to look, so that workers meet only when there is little to do."""
    return place.index * lanes // place.of if place.of else 0

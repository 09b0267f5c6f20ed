"""How a worker paces itself: how large a batch may be, how long it pauses after a failure, and at which lane it begins.

Not here: the loops (app/worker.py).
"""

from dataclasses import dataclass
from typing import Final

from app.actions.receive import LANES
from app.store.hints import Place

PAUSES_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(slots=True)
class Pace:
    """How many messages a batch may have: halved when one fails, doubled when one succeeds."""

    most: int
    size: int = 0

    def __post_init__(self) -> None:
        """Begin with whole batches."""
        self.size = self.size or self.most

    def failed(self, messages: int) -> None:
        """Take half of what just failed, so that the bad message stands alone in few steps."""
        self.size = max(1, min(self.size, messages) // 2)

    def worked(self) -> None:
        """Dare twice as many."""
        self.size = min(self.most, self.size * 2)


def pause_s(failures: int, fraction: float) -> float:
    """Give the wait after so many failures in a row, with jitter and never above a second."""
    longest = PAUSES_S[min(failures, len(PAUSES_S)) - 1]
    return longest * (0.5 + fraction / 2)


def start_lane_of(place: Place, lanes: int = LANES) -> int:
    """Give the lane at which a worker begins to look, so that workers meet only when there is little to do."""
    return place.index * lanes // place.of if place.of else 0

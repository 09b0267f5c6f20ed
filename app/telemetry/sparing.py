"""Which events a stranger can cause as often as he likes, and how many lines of them are written. Not here: writing (log.py).

A flood must not fill the disk, nor cost the others the time of its lines. What is not written is counted and said, and every message
that was refused is with its reasons in the database all the same (`handoff inbound list`).
"""

from collections.abc import Callable
from typing import Final

from app.telemetry.event import Event
from app.telemetry.events import ConnectionClosed, LinesSpared, MessageRefused

LINES_PER_S_MAX: Final = 50
"""Of each such event. Our policy: more than anybody reads, less than anybody notices."""
SAID_EVERY_S: Final = 10.0
CAUSED_BY_STRANGERS: Final[tuple[type[Event], ...]] = (ConnectionClosed, MessageRefused)


class Sparing:
    """Counts the lines of each second."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Nothing was spared yet."""
        self._monotonic = monotonic
        self._second = 0
        self._written: dict[type[Event], int] = {}
        self._spared: dict[type[Event], int] = {}
        self._said_at_s = -SAID_EVERY_S

    def takes(self, kind: type[Event]) -> bool:
        """Tell whether a line of the kind is written; what is not is counted."""
        if kind not in CAUSED_BY_STRANGERS:
            return True
        second = int(self._monotonic())
        if second != self._second:
            self._second = second
            self._written.clear()
        self._written[kind] = self._written.get(kind, 0) + 1
        if self._written[kind] <= LINES_PER_S_MAX:
            return True
        self._spared[kind] = self._spared.get(kind, 0) + 1
        return False

    def said(self) -> LinesSpared | None:
        """Give what was not written since the last time, once in a while; None when there is nothing to say or it is too early."""
        now_s = self._monotonic()
        if not self._spared or now_s - self._said_at_s < SAID_EVERY_S:
            return None
        event = LinesSpared(self._spared.get(ConnectionClosed, 0), self._spared.get(MessageRefused, 0))
        self._spared.clear()
        self._said_at_s = now_s
        return event

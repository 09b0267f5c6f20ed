"""What has come on one connection and has not begun: bytes of a frame on its way, frames that wait, and what is refused without being one.

In the order in which it came. Not here: sockets and their time limits (`connection`), and what is being answered (`window`).
"""

from collections import deque
from typing import Final

from adapters.hl7v2.framing import COMMIT_ACK, COMMIT_NAK, Aborted, Event, Frame, Garbage, MllpFramer
from adapters.hl7v2.peers import CloseReason, Counters, Failure

_EVENTS_A_TURN: Final = 64
"""Of the bytes of one connection that are cut at once; a chunk may hold thousands of frames with nothing in them."""
_HEAD_BYTES_MAX: Final = 4_096
"""Of a message that is refused unread: where its MSH is."""


class Arriving:
    """See the module."""

    __slots__ = ("_counters", "_told_unframed", "_waiting", "_waiting_bytes", "closing", "framer")

    def __init__(self, frame_bytes_max: int, counters: Counters) -> None:
        """Begin with nothing."""
        self.framer = MllpFramer(frame_bytes_max)
        self.closing: CloseReason | None = None
        """Why nothing more is taken, if so."""
        self._counters = counters
        self._waiting: deque[tuple[bytes, Failure | None]] = deque()
        self._waiting_bytes = 0
        self._told_unframed = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def held_bytes(self) -> int:
        """Give how much it is."""
        return self._waiting_bytes + self.framer.held_bytes

    @property
    def first(self) -> tuple[bytes, Failure | None]:
        """Give what waits the longest: a payload, or a head and why it is refused."""
        return self._waiting[0]

    def feed(self, data: bytes) -> bool:
        """Take bytes, or look at more of those that are at hand; tell whether they completed something."""
        events = self.framer.feed(data, _EVENTS_A_TURN)
        self._take(events)
        return bool(events)

    def end_of_grace(self) -> None:
        """Wait no longer for the last byte of a frame."""
        self._take(self.framer.end_of_grace())

    def take_first(self) -> None:
        """Let go of what waited the longest."""
        payload, _ = self._waiting.popleft()
        self._waiting_bytes -= len(payload)

    def clear(self) -> None:
        """Let go of what waits. The frame on its way stays."""
        self._waiting.clear()
        self._waiting_bytes = 0

    def turn_out(self) -> None:
        """Let go of everything, and refuse the first of it."""
        head = self._waiting[0][0] if self._waiting else self.framer.head()
        self.framer.give_up()
        self.clear()
        self._refuse(head[:_HEAD_BYTES_MAX], Failure.NO_ROOM, CloseReason.NO_ROOM)

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Frame):
                self._take_frame(event)
            elif isinstance(event, Garbage):
                self._take_garbage(event)
            elif isinstance(event, Aborted):
                self._counters.frames_aborted += 1
            else:
                self._refuse(event.head, Failure.TOO_LONG, CloseReason.FRAME_TOO_LONG)

    def _take_frame(self, frame: Frame) -> None:
        self._counters.frames += 1
        self._counters.frames_unterminated += not frame.is_terminated
        if frame.payload not in {COMMIT_ACK, COMMIT_NAK}:
            self._put(frame.payload, None)

    def _take_garbage(self, garbage: Garbage) -> None:
        self._counters.garbage_bytes += garbage.size
        if not self._told_unframed and garbage.head.lstrip()[:3] == b"MSH":
            # Once a connection is enough: it is a person with a new interface who reads this.
            self._told_unframed = True
            self._put(garbage.head, Failure.UNFRAMED)

    def _refuse(self, head: bytes, failure: Failure, reason: CloseReason) -> None:
        self._counters.failures += 1
        self._put(head, failure)
        self.closing = self.closing or reason

    def _put(self, payload: bytes, failure: Failure | None) -> None:
        self._waiting.append((payload, failure))
        self._waiting_bytes += len(payload)

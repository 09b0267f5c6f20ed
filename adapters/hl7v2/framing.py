"""MLLP framing without I/O (MLLP-1..5), in the manner of h11: bytes go in, events come out, and time is somebody else's.

A frame is 0x0B payload 0x1C 0x0D. What stands outside a frame is counted, never an error. A sender that leaves the final
0x0D out is understood at its next frame, or when the owner of the clock calls `end_of_grace`. The cost is linear in the
bytes however they are cut into chunks: no byte is searched twice; and whoever asks for so many events at most pays for those, the
rest of the bytes waits. Not here: sockets and timeouts (`connection`, `client`).
"""

from dataclasses import dataclass
from typing import Final

START: Final = b"\x0b"
END: Final = b"\x1c\x0d"
COMMIT_ACK: Final = b"\x06"
"""Payload of a Release 2 positive commit acknowledgement (MLLP-5)."""
COMMIT_NAK: Final = b"\x15"

_START_BYTE = 0x0B
_END_BYTE = 0x1C
_CARRIAGE_RETURN = 0x0D
_HEAD_BYTES_MAX = 4_096
_HEADERS = (b"\x0bMSH", b"\x0bFHS", b"\x0bBHS")


@dataclass(frozen=True, slots=True)
class Frame:
    """One payload, verbatim."""

    payload: bytes
    is_terminated: bool = True
    """False when 0x1C came without its 0x0D; the source deserves a flag (MLLP-2)."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes outside a frame. `head` is their beginning, for telling a sender that forgot the framing; never log it."""

    size: int
    head: bytes


@dataclass(frozen=True, slots=True)
class Aborted:
    """A frame that was begun and then begun again, as after a crash of the sender; its bytes are dropped."""

    size: int


@dataclass(frozen=True, slots=True)
class TooLong:
    """A frame beyond the limit. The framer takes nothing more: the connection has to be closed (MLLP-4)."""

    size: int
    """Bytes of it seen so far."""
    head: bytes
    """Its beginning, where MSH is."""


Event = Frame | Garbage | Aborted | TooLong


def wrap(payload: bytes) -> bytes:
    """Frame one payload. Frame bytes inside it would end it early, so they become blanks (MLLP-3)."""
    if b"\x0b" in payload or b"\x1c" in payload:
        payload = payload.replace(b"\x0b", b" ").replace(b"\x1c", b" ")
    return b"\x0b" + payload + b"\x1c\x0d"


class MllpFramer:
    """Cuts the bytes of one direction of one connection into events."""

    __slots__ = ("_at", "_buffer", "_candidate", "_inside", "_is_dead", "_scanned", "frame_bytes_max", "has_more")

    def __init__(self, frame_bytes_max: int) -> None:
        """Begin outside a frame; a payload may be `frame_bytes_max` bytes long."""
        self.frame_bytes_max = frame_bytes_max
        self.has_more = False
        """Whether bytes wait that nobody has looked at, for their caller wanted no more events."""
        self._buffer = bytearray()
        self._at = 0
        """Where in the buffer what is not yet taken begins; 0 between two calls."""
        self._inside = False
        self._scanned = 0
        self._candidate = -1
        self._is_dead = False

    @property
    def is_inside(self) -> bool:
        """Tell whether a frame has begun and not ended."""
        return self._inside

    @property
    def awaits_carriage_return(self) -> bool:
        """Tell whether an end byte was seen whose 0x0D is missing: the time for a short grace (MLLP-2)."""
        return self._inside and not self.has_more and (self._candidate >= 0 or (len(self._buffer) > 0 and self._buffer[-1] == _END_BYTE))

    @property
    def is_dead(self) -> bool:
        """Tell whether an over-long frame has ended the use of this framer."""
        return self._is_dead

    @property
    def held_bytes(self) -> int:
        """What it keeps of a frame, or of bytes that nobody has looked at."""
        return len(self._buffer)

    def head(self) -> bytes:
        """Give the beginning of what it keeps."""
        return bytes(self._buffer[:_HEAD_BYTES_MAX])

    def give_up(self) -> None:
        """Let go of everything; nothing more is taken."""
        self._buffer, self._at = bytearray(), 0
        self._inside = self.has_more = False
        self._is_dead = True

    def feed(self, data: bytes, events_max: int | None = None) -> list[Event]:
        """Take the next bytes and give what they complete, so many events at most (a frame may bring two more): the rest `has_more`."""
        if self._is_dead:
            return []
        # A chunk that is exactly one frame is by far the commonest case.
        is_fresh = not self._inside and not self._buffer
        if is_fresh and data[:1] == START and data.find(b"\x1c") == len(data) - 2 and data[-1] == _CARRIAGE_RETURN:
            payload = data[1:-2]
            if len(payload) <= self.frame_bytes_max and _START_BYTE not in payload:
                return [Frame(payload)]
        events: list[Event] = []
        self._buffer += data
        self._advance(events, events_max)
        if self._inside and not self.has_more and len(self._buffer) > self.frame_bytes_max + len(END):
            self._die(events, len(self._buffer))
        return events

    def end_of_grace(self) -> list[Event]:
        """Give up waiting for a 0x0D: the frame ended at its 0x1C. Called by the owner of the clock, and at end of stream."""
        if not self.awaits_carriage_return:
            return []
        events: list[Event] = []
        candidate = self._candidate if self._candidate >= 0 else len(self._buffer) - 1
        self._close_at(candidate, candidate + 1, events, is_terminated=False)
        self._advance(events, None)
        return events

    def _advance(self, events: list[Event], events_max: int | None) -> None:
        """Go through what is at hand, and let go of it once: a stream of tiny frames costs no more for coming in one piece."""
        self.has_more = False
        while not self._is_dead and (self._step_inside(events) if self._inside else self._step_outside(events)):
            if events_max is not None and len(events) >= events_max:
                self.has_more = len(self._buffer) > self._at
                break
        at = self._at
        if at:
            del self._buffer[:at]
            self._at = 0
            self._scanned = max(0, self._scanned - at)
            if self._candidate >= 0:
                self._candidate -= at

    def _step_outside(self, events: list[Event]) -> bool:
        """Find the next start; False when more bytes are needed."""
        buffer, at = self._buffer, self._at
        start = buffer.find(START, at)
        end = len(buffer) if start < 0 else start
        if end > at:
            events.append(Garbage(end - at, bytes(buffer[at : min(end, at + _HEAD_BYTES_MAX)])))
        if start < 0:
            self._at = end
            return False
        self._at = self._scanned = start + 1
        self._inside, self._candidate = True, -1
        return True

    def _step_inside(self, events: list[Event]) -> bool:
        """Find the end. A 0x1C without 0x0D is a candidate only: it was the end if a new 0x0B comes first, else it is text."""
        buffer = self._buffer
        end = buffer.find(b"\x1c", self._scanned)
        if self._candidate >= 0:
            start = buffer.find(START, self._scanned, len(buffer) if end < 0 else end)
            if start - self._at > self.frame_bytes_max + len(END):
                # As if it had come in pieces: what follows the candidate is text until another frame says that it is not.
                self._die(events, start - self._at)
                return False
            if start >= 0:
                self._close_at(self._candidate, start, events, is_terminated=False)
                return True
        if end < 0:
            self._scanned = len(buffer)
            return False
        if end + 1 == len(buffer):
            self._scanned = end
            return False
        if buffer[end + 1] == _CARRIAGE_RETURN:
            self._close_at(end, end + 2, events, is_terminated=True)
            return True
        self._candidate, self._scanned = end, end + 1
        return True

    def _close_at(self, end: int, consumed: int, events: list[Event], *, is_terminated: bool) -> None:
        buffer, at = self._buffer, self._at
        if end - at > self.frame_bytes_max:
            self._die(events, end - at)
            return
        payload = bytes(buffer[at:end])
        self._at = consumed
        self._inside = False
        restart = max(map(payload.rfind, _HEADERS)) if _START_BYTE in payload else -1
        if restart >= 0:
            # A header after a start byte inside a frame: the sender began anew. A lone 0x0B is only text (a pasted line break).
            events.append(Aborted(restart))
            payload = payload[restart + 1 :]
        events.append(Frame(payload, is_terminated))
        junk = consumed - end - (2 if is_terminated else 1)
        if junk > 0:
            events.append(Garbage(junk, b""))

    def _die(self, events: list[Event], size: int) -> None:
        events.append(TooLong(size, bytes(self._buffer[self._at : self._at + _HEAD_BYTES_MAX])))
        self.give_up()

"""The frames of one connection that are being answered: concurrently, up to a window, and said in the order in which they came.

When the application fails, a negative answer stands in its place; where nothing can be said, nothing after it is said either, or the
sender would take it for the missing one. The answers also tell what to think of the peer. Not here: sockets, turns (`connection`).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from adapters.hl7v2.framing import COMMIT_ACK, COMMIT_NAK, wrap
from adapters.hl7v2.peers import Answer, Counters, Failure, Limits, Peer, Refuse, Reply, Said, Unwelcome
from adapters.hl7v2.room import Room

STANDING_MAX: Final = 64
REFUSAL_COSTS: Final = 4
"""Of the standing: an engine of which one message in five is not for us keeps it."""


class Answering(Protocol):
    """Who answers."""

    limits: Limits
    room: Room
    answer: Answer
    refuse: Refuse
    loop: asyncio.AbstractEventLoop

    def is_welcome(self) -> None:
        """Hear that a frame of a stranger was welcome."""
        ...


class _Slot:
    """The place of one frame in the order of answers."""

    __slots__ = ("future", "is_of_stranger", "must_be_said", "payload", "reply", "since", "was_refused")

    def __init__(self, payload: bytes, since: float, *, is_of_stranger: bool) -> None:
        self.payload = payload
        self.since = since
        self.is_of_stranger = is_of_stranger
        self.future: asyncio.Future[Reply] | None = None
        self.reply: Reply = None
        self.was_refused = False
        self.must_be_said = False
        """Whether the sender waits for this: an answer was due and failed."""


class Window:
    """See the module. `on_answered` is called when there may be something to say."""

    __slots__ = ("_counters", "_on_answered", "_owner", "_slots", "held_bytes", "is_mute", "standing")

    def __init__(self, owner: Answering, counters: Counters, on_answered: Callable[[], None]) -> None:
        """Begin with nothing, for a stranger."""
        self._owner, self._counters, self._on_answered = owner, counters, on_answered
        self._slots: deque[_Slot] = deque()
        self.held_bytes = 0
        self.standing = 0
        """How welcome the peer has been so far; at 0 it is a stranger."""
        self.is_mute = False
        """An answer was due and nothing could be said: the connection has to end."""

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def is_full(self) -> bool:
        """Tell whether the next frame has to wait, for their number or for what they hold; one may always be answered."""
        limits = self._owner.limits
        return len(self._slots) >= limits.in_flight_max or (bool(self._slots) and self.held_bytes >= limits.in_flight_bytes_max)

    def begin(self, payload: bytes, peer: Peer, *, is_of_stranger: bool) -> None:
        """Have the application answer a frame."""
        slot = self._append(payload, is_of_stranger=is_of_stranger)
        try:
            future = asyncio.ensure_future(self._owner.answer(payload, peer), loop=self._owner.loop)
        except Exception as error:  # noqa: BLE001 -- whatever the application raises, the sender must hear something
            self._refuse(slot, peer, Failure.ANSWER_FAILED, error)
            self._owner.loop.call_soon(self._on_answered)
            return
        slot.future = future
        future.add_done_callback(self._answered)

    def refuse(self, head: bytes, peer: Peer, failure: Failure) -> None:
        """Answer what never was a frame."""
        self.standing = max(0, self.standing - REFUSAL_COSTS)
        self._refuse(self._append(head, is_of_stranger=False), peer, failure, None)

    def give_up(self, peer: Peer, now: float) -> bool:
        """Answer the first in the application's place if it took too long; tell whether it did."""
        slot = self._slots[0]
        if now - slot.since <= self._owner.limits.answer_timeout_s:
            return False
        future = slot.future
        self._refuse(slot, peer, Failure.ANSWER_TIMED_OUT, None)
        if future is not None:
            future.remove_done_callback(self._answered)
            future.add_done_callback(_retrieve)
            if isinstance(future, asyncio.Task):
                # A bare future belongs to somebody who will still want to set it.
                future.cancel()
        return True

    def ready(self, peer: Peer) -> bytes:
        """Give what can be said by now, in order."""
        output: list[bytes] = []
        while self._slots and not self.is_mute:
            slot = self._slots[0]
            if not slot.was_refused:
                future = slot.future
                if future is None or not future.done():
                    break
                error = asyncio.CancelledError() if future.cancelled() else future.exception()
                if error is not None:
                    self._refuse(slot, peer, Failure.ANSWER_FAILED, error)
                else:
                    slot.reply = future.result()
            self._slots.popleft()
            self.held_bytes -= len(slot.payload)
            self._regard(slot)
            self._frame(slot, output)
        if self.is_mute:
            self.clear()
        return b"".join(output)

    def clear(self) -> None:
        """Forget everything. Answers under way are left to finish, and hold what they answer until then."""
        room = self._owner.room
        for slot in self._slots:
            if slot.future is not None and not slot.future.done():
                room.lend(len(slot.payload))
                slot.future.add_done_callback(partial(_pay_back, room, len(slot.payload)))
        self._slots.clear()
        self.held_bytes = 0

    def _append(self, payload: bytes, *, is_of_stranger: bool) -> _Slot:
        slot = _Slot(payload, self._owner.loop.time(), is_of_stranger=is_of_stranger)
        self._slots.append(slot)
        self.held_bytes += len(payload)
        return slot

    def _answered(self, _: "asyncio.Future[Reply]") -> None:
        self._on_answered()

    def _refuse(self, slot: _Slot, peer: Peer, failure: Failure, error: BaseException | None) -> None:
        """Build the negative answer in place of the application's; without one the connection ends after what came before."""
        slot.was_refused, slot.future = True, None
        if error is not None or failure is Failure.ANSWER_TIMED_OUT:
            self._counters.failures += 1
            self._counters.last_failure = type(error).__name__ if error is not None else failure.value
        try:
            slot.reply = self._owner.refuse(slot.payload, peer, failure)
        except Exception as second:  # noqa: BLE001 -- then the connection is closed, which the sender understands
            self._counters.last_failure = type(second).__name__
        slot.must_be_said = failure in {Failure.ANSWER_FAILED, Failure.ANSWER_TIMED_OUT}

    def _regard(self, slot: _Slot) -> None:
        """Think of the peer as its answers say."""
        if isinstance(slot.reply, Unwelcome):
            self.standing = max(0, self.standing - REFUSAL_COSTS)
            return
        if slot.is_of_stranger:
            self._owner.is_welcome()
        if not slot.was_refused:
            self.standing = min(STANDING_MAX, self.standing + 1)

    def _frame(self, slot: _Slot, output: list[bytes]) -> None:
        said = slot.reply if isinstance(slot.reply, Said) else None
        if self._owner.limits.is_release_2 or (said is not None and said.is_release_2):
            is_stored = not slot.was_refused and (said is None or said.is_stored)
            output.append(wrap(COMMIT_ACK if is_stored else COMMIT_NAK))
        reply = slot.reply.acks if isinstance(slot.reply, Said) else slot.reply
        if isinstance(reply, bytes):
            self._counters.replies += 1
            output.append(wrap(reply))
        elif reply is not None:
            self._counters.replies += len(reply)
            output.extend(map(wrap, reply))
        elif slot.must_be_said:
            self.is_mute = True


def _pay_back(room: Room, size: int, _: "asyncio.Future[Reply]") -> None:
    room.lend(-size)


def _retrieve(future: "asyncio.Future[Reply]") -> None:
    """Look at the outcome of an abandoned answer, so that asyncio does not complain of an exception nobody saw."""
    if not future.cancelled():
        future.exception()

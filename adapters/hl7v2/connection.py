"""One MLLP connection on the listening side: frames in, answers out in order, everything bounded.

A sender that pipelines has its frames answered concurrently, up to a window, and hears the answers in the order of its
frames. A sender that does not read its answers is not read either, and dropped after a while. Not here: accepting
connections (`listener`), the framing itself (`framing`), and what an answer says (the callables that are handed in).
"""

import asyncio
from collections import deque
from typing import Final, Protocol, cast

from adapters.hl7v2.framing import COMMIT_ACK, COMMIT_NAK, Aborted, Event, Frame, Garbage, MllpFramer, TooLong, wrap
from adapters.hl7v2.peers import Answer, CloseReason, ConnectionReport, Counters, Failure, Limits, Peer, Refuse, Reply

_WRITE_BUFFER_BYTES: Final = 131_072
_LINGER_S: Final = 0.5
"""How long a closing connection still reads and discards, so that the last answer is not lost to a reset."""


class Owner(Protocol):
    """What a connection needs of its listener."""

    limits: Limits
    answer: Answer
    refuse: Refuse
    loop: asyncio.AbstractEventLoop

    def opened(self, connection: "MllpConnection") -> Peer | None:
        """Admit the connection and name its peer, or None when there are too many."""
        ...

    def closed(self, connection: "MllpConnection") -> None:
        """Forget the connection."""
        ...


class _Slot:
    """The place of one frame in the order of answers."""

    __slots__ = ("future", "payload", "reply", "since", "was_refused")

    def __init__(self, payload: bytes, since: float) -> None:
        self.payload = payload
        self.since = since
        self.future: asyncio.Future[Reply] | None = None
        self.reply: Reply = None
        self.was_refused = False


class MllpConnection(asyncio.Protocol):
    """See the module."""

    __slots__ = (
        "_backlog",
        "_closing",
        "_discards",
        "_frame_since",
        "_framer",
        "_grace",
        "_is_draining",
        "_is_reading",
        "_owner",
        "_slots",
        "_told_unframed",
        "_transport",
        "_write_paused_since",
        "active_at",
        "counters",
        "opened_at",
        "peer",
        "reason",
    )

    def __init__(self, owner: Owner) -> None:
        """Belong to a listener; nothing happens before `connection_made`."""
        self._owner = owner
        self._framer = MllpFramer(owner.limits.frame_bytes_max)
        self._slots: deque[_Slot] = deque()
        self._backlog: deque[bytes] = deque()
        self._transport: asyncio.Transport | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._frame_since: float | None = None
        self._write_paused_since: float | None = None
        self._discards = False
        self._closing: CloseReason | None = None
        self._is_reading = True
        self._is_draining = False
        self._told_unframed = False
        self.counters = Counters()
        self.peer: Peer | None = None
        self.reason: CloseReason | None = None
        self.opened_at = self.active_at = owner.loop.time()

    @property
    def transport(self) -> asyncio.Transport:
        """The transport, once connected."""
        if self._transport is None:
            message = "The connection has no transport yet; wait for connection_made."
            raise RuntimeError(message)
        return self._transport

    def report(self) -> ConnectionReport | None:
        """Say how the connection is doing; None when it was never admitted."""
        if self.peer is None:
            return None
        return ConnectionReport(self.peer, self._owner.loop.time() - self.opened_at, self.counters, self.reason)

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many connections already."""
        # A cast, because uvloop's transports are no subclasses of asyncio's.
        self._transport = connected = cast("asyncio.Transport", transport)
        self.peer = self._owner.opened(self)
        if self.peer is None:
            self.reason = CloseReason.TOO_MANY
            connected.abort()
            return
        connected.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        """Take bytes: answer the frames they complete."""
        self.counters.bytes_in += len(data)
        if self._framer.is_dead or self._discards:
            return
        self.active_at = self._owner.loop.time()
        events = self._framer.feed(data)
        self._take(events)
        self._after_bytes(has_events=bool(events))

    def eof_received(self) -> bool:
        """Answer what has come, then close. TLS cannot stay half open; there only what is already answered arrives."""
        self._take(self._framer.end_of_grace())
        if self._closing is None:
            self._closing = CloseReason.PEER_CLOSED
        if self._slots or self._backlog:
            return self.peer is not None and not self.peer.is_tls
        self.reason = self.reason or self._closing
        return False

    def pause_writing(self) -> None:
        """Read nothing more from a peer that does not read its answers."""
        self._write_paused_since = self._owner.loop.time()
        self._set_reading()

    def resume_writing(self) -> None:
        """Go on, for the peer reads again."""
        self._write_paused_since = None
        self._proceed()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything. Answers under way are left to finish: what they store is stored, and the sender will ask again."""
        self._cancel_grace()
        self.reason = self.reason or (CloseReason.PEER_RESET if exc is not None else self._closing or CloseReason.PEER_CLOSED)
        self._slots.clear()
        self._backlog.clear()
        if self.peer is not None:
            self._owner.closed(self)

    # What the listener calls.

    def check(self, now: float) -> None:
        """Enforce the time limits; called every so often."""
        limits = self._owner.limits
        if self._write_paused_since is not None and now - self._write_paused_since > limits.write_timeout_s:
            self.abort(CloseReason.ANSWERS_NOT_READ)
        elif self._slots:
            if now - self._slots[0].since > limits.answer_timeout_s:
                self._give_up(self._slots[0])
        elif self._frame_since is not None:
            if now - self._frame_since > limits.frame_timeout_s:
                self.finish(CloseReason.FRAME_TIMED_OUT)
        elif now - self.active_at > limits.idle_timeout_s:
            self.finish(CloseReason.IDLE)

    def drain(self) -> None:
        """Finish the frame that has begun, answer what is in flight, then close."""
        self._is_draining = True
        self._proceed()

    def finish(self, reason: CloseReason) -> None:
        """Close when everything in flight is answered."""
        if self._closing is None:
            self._closing = reason
        self._proceed()

    def abort(self, reason: CloseReason) -> None:
        """Close now, whatever is in flight."""
        self.reason = self.reason or reason
        self.transport.abort()

    # The road of a frame.

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Frame):
                self._take_frame(event)
            elif isinstance(event, Garbage):
                self._take_garbage(event)
            elif isinstance(event, Aborted):
                self.counters.frames_aborted += 1
            else:
                self._take_too_long(event)

    def _take_frame(self, frame: Frame) -> None:
        self.counters.frames += 1
        self.counters.frames_unterminated += not frame.is_terminated
        if frame.payload in {COMMIT_ACK, COMMIT_NAK}:
            return
        if self._backlog or len(self._slots) >= self._owner.limits.in_flight_max or self._write_paused_since is not None:
            self._backlog.append(frame.payload)
        else:
            self._start(frame.payload)

    def _take_garbage(self, garbage: Garbage) -> None:
        self.counters.garbage_bytes += garbage.size
        if not self._told_unframed and garbage.head.lstrip()[:3] == b"MSH":
            # Once a connection is enough: it is a person with a new interface who reads this.
            self._told_unframed = True
            self._refuse_now(garbage.head, Failure.UNFRAMED)

    def _take_too_long(self, event: TooLong) -> None:
        self.counters.failures += 1
        self._refuse_now(event.head, Failure.TOO_LONG)
        self._closing = self._closing or CloseReason.FRAME_TOO_LONG

    def _start(self, payload: bytes) -> None:
        slot = _Slot(payload, self._owner.loop.time())
        self._slots.append(slot)
        try:
            assert self.peer is not None  # noqa: S101 -- set before any byte can arrive
            future = asyncio.ensure_future(self._owner.answer(payload, self.peer), loop=self._owner.loop)
        except Exception as error:  # noqa: BLE001 -- whatever the application raises, the sender must hear something
            self._refuse(slot, Failure.ANSWER_FAILED, error)
            self._owner.loop.call_soon(self._proceed)
            return
        slot.future = future
        future.add_done_callback(self._answered)

    def _answered(self, _: "asyncio.Future[Reply]") -> None:
        self._proceed()

    def _refuse_now(self, head: bytes, failure: Failure) -> None:
        slot = _Slot(head, self._owner.loop.time())
        self._slots.append(slot)
        self._refuse(slot, failure, None)

    def _refuse(self, slot: _Slot, failure: Failure, error: BaseException | None) -> None:
        """Build the negative answer in place of the application's; without one the connection ends after what came before."""
        slot.was_refused, slot.future = True, None
        if error is not None or failure is Failure.ANSWER_TIMED_OUT:
            self.counters.failures += 1
            self.counters.last_failure = type(error).__name__ if error is not None else failure.value
        try:
            assert self.peer is not None  # noqa: S101 -- set before any byte can arrive
            slot.reply = self._owner.refuse(slot.payload, self.peer, failure)
        except Exception as second:  # noqa: BLE001 -- then the connection is closed, which the sender understands
            self.counters.last_failure = type(second).__name__
        if slot.reply is None and failure in {Failure.ANSWER_FAILED, Failure.ANSWER_TIMED_OUT}:
            self._closing = self._closing or CloseReason.NO_ANSWER

    def _give_up(self, slot: _Slot) -> None:
        future = slot.future
        self._refuse(slot, Failure.ANSWER_TIMED_OUT, None)
        if future is not None:
            future.remove_done_callback(self._answered)
            future.add_done_callback(_retrieve)
            if isinstance(future, asyncio.Task):
                # A bare future belongs to somebody who will still want to set it.
                future.cancel()
        self._proceed()

    def _proceed(self) -> None:
        """Write the answers that are next in order, begin what waits, and close if that was the last."""
        if self._transport is None or self._transport.is_closing():
            return
        self._write_ready()
        limits = self._owner.limits
        while self._backlog and len(self._slots) < limits.in_flight_max and self._write_paused_since is None:
            self._start(self._backlog.popleft())
        if self._is_draining and not self._framer.is_inside:
            self._closing = self._closing or CloseReason.SHUTDOWN
        self._set_reading()
        if self._closing is not None and not self._slots and not self._backlog:
            self._close()

    def _write_ready(self) -> None:
        output: list[bytes] = []
        while self._slots:
            slot = self._slots[0]
            if not slot.was_refused:
                future = slot.future
                if future is None or not future.done():
                    break
                error = asyncio.CancelledError() if future.cancelled() else future.exception()
                if error is not None:
                    self._refuse(slot, Failure.ANSWER_FAILED, error)
                else:
                    slot.reply = future.result()
            self._slots.popleft()
            self._frame_reply(slot, output)
            if slot.was_refused and slot.reply is None and self._closing is CloseReason.NO_ANSWER:
                # Nothing after a missing answer may be sent, or the sender would take it for the missing one.
                self._slots.clear()
                self._backlog.clear()
        if output:
            joined = b"".join(output)
            self.counters.bytes_out += len(joined)
            self.active_at = self._owner.loop.time()
            self.transport.write(joined)

    def _frame_reply(self, slot: _Slot, output: list[bytes]) -> None:
        if self._owner.limits.is_release_2:
            output.append(wrap(COMMIT_NAK if slot.was_refused else COMMIT_ACK))
        reply = slot.reply
        if isinstance(reply, bytes):
            self.counters.replies += 1
            output.append(wrap(reply))
        elif reply is not None:
            self.counters.replies += len(reply)
            output.extend(map(wrap, reply))

    def _close(self) -> None:
        """Say goodbye: half-close and discard for a moment where the peer may still be sending, so that no reset eats the answer."""
        if self._discards:
            return
        self.reason = self.reason or self._closing
        transport = self.transport
        if self._closing in {CloseReason.FRAME_TOO_LONG, CloseReason.SHUTDOWN, CloseReason.NO_ANSWER} and transport.can_write_eof():
            self._discards = True
            transport.write_eof()
            self._set_reading()
            self._owner.loop.call_later(_LINGER_S, transport.abort)
        else:
            transport.close()

    # Reading and its clocks.

    def _after_bytes(self, *, has_events: bool) -> None:
        framer = self._framer
        if framer.is_inside:
            if self._frame_since is None or has_events:
                self._frame_since = self.active_at
        else:
            self._frame_since = None
        self._cancel_grace()
        if framer.awaits_carriage_return:
            self._grace = self._owner.loop.call_later(self._owner.limits.end_grace_s, self._grace_is_over)
        if has_events or self._is_draining:
            self._proceed()

    def _grace_is_over(self) -> None:
        self._grace = None
        self._take(self._framer.end_of_grace())
        self._after_bytes(has_events=True)

    def _cancel_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    def _set_reading(self) -> None:
        """Read only while there is room for answers; a closing connection reads to discard."""
        has_room = not self._backlog and len(self._slots) < self._owner.limits.in_flight_max and self._write_paused_since is None
        wanted = self._discards or (self._closing is None and has_room)
        if wanted != self._is_reading and not self.transport.is_closing():
            self._is_reading = wanted
            if wanted:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()


def _retrieve(future: "asyncio.Future[Reply]") -> None:
    """Look at the outcome of an abandoned answer, so that asyncio does not complain of an exception nobody saw."""
    if not future.cancelled():
        future.exception()

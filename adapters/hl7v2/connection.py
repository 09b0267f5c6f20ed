"""One MLLP connection on the listening side: frames in, answers out in order, everything bounded.

A sender that pipelines has its frames answered concurrently (`window`) and hears the answers in the order of its
frames. A sender that does not read its answers is not read either, and dropped after a while. Whatever it sends, it has
its turn and no more of one turn of the loop (`fairness`), and no more than there is room for (`room`). Not here: accepting
connections (`listener`), cutting bytes into frames (`arriving`), and what an answer says (the callables that are handed in).
"""

import asyncio
from typing import Final, cast

from adapters.hl7v2.arriving import Arriving
from adapters.hl7v2.fairness import Pace
from adapters.hl7v2.owner import Owner
from adapters.hl7v2.peers import CloseReason, ConnectionReport, Counters, Peer
from adapters.hl7v2.window import Window

_WRITE_BUFFER_BYTES: Final = 32_768
_TLS_HELLO: Final = b"\x16\x03"
_TLS_REFUSAL: Final = b"\x15\x03\x01\x00\x02\x02\x28"
"""A fatal alert, handshake_failure (RFC 5246, 7.2): what a TLS client understands of a door that has no TLS."""
_LINGER_S: Final = 0.5
"""How long a closing connection still reads and discards, so that the last answer is not lost to a reset."""

_LINGERS: Final = frozenset(
    {CloseReason.FRAME_TOO_LONG, CloseReason.TLS_ON_PLAIN, CloseReason.SHUTDOWN, CloseReason.NO_ANSWER, CloseReason.NO_ROOM}
)


class MllpConnection(asyncio.Protocol):
    """See the module."""

    __slots__ = (
        "_arriving",
        "_closing",
        "_discards",
        "_frame_since",
        "_grace",
        "_had_no_room",
        "_has_entered",
        "_held_bytes",
        "_is_at_end",
        "_is_draining",
        "_is_reading",
        "_is_resting",
        "_owner",
        "_pace",
        "_transport",
        "_window",
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
        self._held_bytes = 0
        self._transport: asyncio.Transport | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._frame_since: float | None = None
        self._write_paused_since: float | None = None
        self._discards = False
        self._closing: CloseReason | None = None
        self._is_reading = True
        self._is_draining = False
        self._is_resting = False
        self._had_no_room = False
        self._pace = Pace()
        self._is_at_end = False
        self._has_entered = False
        self.counters = Counters()
        self._arriving = Arriving(owner.limits.frame_bytes_max, self.counters)
        self._window = Window(owner, self.counters, self.proceed)
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
        self._owner.room.enter(self)
        connected.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        """Take bytes: answer the frames they complete."""
        is_first = not self.counters.bytes_in
        self.counters.bytes_in += len(data)
        if self._arriving.framer.is_dead or self._discards:
            self._rest(self._pace.discarding(len(data)))
            return
        self.active_at = self._owner.loop.time()
        if is_first and data.startswith(_TLS_HELLO):
            self._refuse_tls()
            return
        has_events = self._arriving.feed(data)
        self._rest(self._pace.after(len(data), is_fruitful=has_events))
        self._after_bytes(has_events=has_events)
        self._note_held()

    def eof_received(self) -> bool:
        """Answer what has come, then close. TLS cannot stay half open; there only what is already answered arrives."""
        self._is_at_end = True
        if self._closing is None:
            self._closing = CloseReason.PEER_CLOSED
        self.proceed()
        if self._has_work:
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
        self.proceed()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything. Answers under way are left to finish: what they store is stored, and the sender will ask again."""
        self._cancel_grace()
        self.reason = self.reason or (CloseReason.PEER_RESET if exc is not None else self._closing or CloseReason.PEER_CLOSED)
        self._window.clear()
        self._arriving.clear()
        self._owner.room.leave(self)
        if self.peer is not None:
            self._owner.closed(self)

    # What the listener and the room call.

    @property
    def is_known(self) -> bool:
        """Tell whether something of it was welcome."""
        return self._window.standing > 0

    @property
    def is_owed(self) -> bool:
        """Tell whether something has begun that is not answered."""
        return bool(self._window)

    @property
    def unbegun_bytes(self) -> int:
        """What it holds of messages that have not begun."""
        return self._arriving.held_bytes

    def standing_of(self, now: float) -> tuple[bool, float]:
        """Tell whether it was welcome before, and for how long it has held something unbegun, as far as that is known."""
        return self.is_known, now - (self._frame_since if self._frame_since is not None else self.active_at)

    def turn_out(self) -> None:
        """Let go of what has not begun, say no to the first of it, and close after what has: the room is full."""
        self._arriving.turn_out()
        self._frame_since = None
        self._cancel_grace()
        self.proceed()

    def mind_room(self) -> None:
        """Read only while there is room."""
        if self._transport is not None and not self._transport.is_closing():
            self._set_reading()

    def read_later(self) -> None:
        """Read again when it is its turn: all at once would fill the room that was just made."""
        self._owner.rest(self)

    def check(self, now: float) -> None:
        """Enforce the time limits; called every so often."""
        limits = self._owner.limits
        if self._write_paused_since is not None and now - self._write_paused_since > limits.write_timeout_s:
            self.abort(CloseReason.ANSWERS_NOT_READ)
        elif self._has_work:
            # What waits for its turn, or for its welcome, is our doing and no silence of the peer.
            if self._window and self.peer is not None and self._window.give_up(self.peer, now):
                self.proceed()
        elif self._frame_since is not None:
            if now - self._frame_since > limits.frame_timeout_s:
                self.finish(CloseReason.FRAME_TIMED_OUT)
        elif now - self.active_at > limits.idle_timeout_s:
            self.finish(CloseReason.IDLE)

    def drain(self) -> None:
        """Finish the frame that has begun, answer what is in flight, then close."""
        self._is_draining = True
        self.proceed()

    def finish(self, reason: CloseReason) -> None:
        """Close when everything in flight is answered."""
        if self._closing is None:
            self._closing = reason
        self.proceed()

    def abort(self, reason: CloseReason) -> None:
        """Close now, whatever is in flight."""
        self.reason = self.reason or reason
        self.transport.abort()

    def read_on(self) -> None:
        """Read again, for the others had their turn."""
        self._is_resting = False
        if self._transport is not None and not self._transport.is_closing():
            self._set_reading()

    # The road of a frame.

    @property
    def _has_work(self) -> bool:
        return bool(self._window or self._arriving) or (self._arriving.framer.has_more and not self._window.is_mute)

    def _note_held(self) -> None:
        """Tell the room what this connection holds, which may turn somebody out for it."""
        held_bytes = self._arriving.held_bytes + self._window.held_bytes
        if held_bytes != self._held_bytes:
            self._held_bytes = held_bytes
            self._owner.room.hold(self, held_bytes)

    def _refuse_tls(self) -> None:
        """Say no in the peer's own language. Its bytes may look like a frame to us, and would be a message a handshake."""
        self.counters.failures += 1
        self._closing = self._closing or CloseReason.TLS_ON_PLAIN
        self.counters.bytes_out += len(_TLS_REFUSAL)
        self.transport.write(_TLS_REFUSAL)
        self.proceed()

    def _begin(self) -> None:
        """Begin what waits, as far as the window, the turn and the patience with strangers go."""
        owner, peer, window = self._owner, self.peer, self._window
        while peer is not None and self._write_paused_since is None and not (window.is_full or window.is_mute):
            if not self._arriving and not self._cut():
                return
            if not self._arriving:
                continue
            payload, failure = self._arriving.first
            if failure is None and window.standing <= 0 and not self._has_entered:
                if not owner.may_enter(self, peer.host):
                    return
                self._has_entered = True
            if not owner.may_begin(self):
                return
            self._arriving.take_first()
            if failure is not None:
                window.refuse(payload, peer, failure)
            else:
                is_of_stranger, self._has_entered = self._has_entered, False
                window.begin(payload, peer, is_of_stranger=is_of_stranger)

    def _cut(self) -> bool:
        """Cut more of the bytes that are at hand; False when there is nothing to cut, or it is another's turn."""
        if self._arriving.framer.has_more:
            if not self._owner.may_begin(self):
                return False
            self._arriving.feed(b"")
        elif self._is_at_end:
            self._arriving.end_of_grace()
        return bool(self._arriving) or self._arriving.framer.has_more

    def _say(self) -> bool:
        """Write the answers that are next in order; tell whether there were any."""
        waiting = len(self._window)
        if not waiting or self.peer is None:
            return False
        said = self._window.ready(self.peer)
        if self._window.is_mute:
            self._closing = self._closing or CloseReason.NO_ANSWER
            self._arriving.clear()
        if said:
            self.counters.bytes_out += len(said)
            self.active_at = self._owner.loop.time()
            self.transport.write(said)
        return len(self._window) < waiting

    def proceed(self) -> None:
        """Write the answers that are next in order, begin what waits, and close if that was the last."""
        if self._transport is None or self._transport.is_closing():
            return
        self._say()
        self._begin()
        while self._say():
            # A refusal is ready as soon as it has its place.
            self._begin()
        self._closing = self._closing or self._arriving.closing
        if self._is_draining and not self._arriving.framer.is_inside:
            self._closing = self._closing or CloseReason.SHUTDOWN
        self._note_held()
        self._set_reading()
        if self._closing is not None and not self._has_work:
            self._close()

    def _close(self) -> None:
        """Say goodbye: half-close and discard for a moment where the peer may still be sending, so that no reset eats the answer."""
        if self._discards:
            return
        self.reason = self.reason or self._closing
        transport = self.transport
        if self._closing in _LINGERS and transport.can_write_eof():
            self._discards = True
            transport.write_eof()
            self._set_reading()
            self._owner.loop.call_later(_LINGER_S, transport.abort)
        else:
            transport.close()

    # Reading and its clocks.

    def _after_bytes(self, *, has_events: bool) -> None:
        framer = self._arriving.framer
        if framer.is_inside:
            if self._frame_since is None or has_events:
                self._frame_since = self.active_at
        else:
            self._frame_since = None
        self._cancel_grace()
        if framer.awaits_carriage_return:
            self._grace = self._owner.loop.call_later(self._owner.limits.end_grace_s, self._grace_is_over)
        if has_events or self._is_draining:
            self.proceed()

    def _grace_is_over(self) -> None:
        self._grace = None
        self._arriving.end_of_grace()
        self._after_bytes(has_events=True)

    def _cancel_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    def _rest(self, for_s: float | None) -> None:
        """Leave what still comes where it is for a while; 0 is until the others had their turn."""
        if for_s is None or self._is_resting:
            return
        self._is_resting = True
        if for_s:
            self._owner.loop.call_later(for_s, self.read_on)
        else:
            self._owner.rest(self)
        if not self.transport.is_closing():
            self._set_reading()

    def _set_reading(self) -> None:
        """Read only while there is room for answers; a closing connection reads to discard."""
        has_room = not self._arriving and not self._arriving.framer.has_more and self._write_paused_since is None
        has_room = has_room and not self._window.is_full and not self._owner.room.is_full
        wanted = not self._is_resting and (self._discards or (self._closing is None and has_room))
        self._had_no_room = self._had_no_room or not has_room
        if wanted != self._is_reading and not self.transport.is_closing():
            self._is_reading = wanted
            if wanted:
                if self._frame_since is not None and self._had_no_room:
                    # The time in which nothing was read for want of room is not the peer's.
                    self._frame_since = self._owner.loop.time()
                self._had_no_room = False
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

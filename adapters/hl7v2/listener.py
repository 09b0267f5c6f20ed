"""The MLLP server: accepts connections, plain or TLS, and keeps the time limits and the count. One listener is one port.

Frames are answered by a callable that is handed in; when it fails, a second one builds the negative answer, so that no
peer is left waiting. It gives the turns, too (`fairness`): no connection has more of a turn of the loop than its share.
Nothing is logged here: what happens on a connection is counted and offered to two hooks. Not here: one connection
(`connection`), certificates (`tls`), and anything about what a message means.
"""

import asyncio
import contextlib
import hashlib
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from adapters.hl7v2.connection import MllpConnection
from adapters.hl7v2.fairness import Allowance, Doorstep, Rounds
from adapters.hl7v2.peers import Answer, CloseReason, ConnectionReport, Limits, Peer, Refuse
from adapters.hl7v2.room import Room

_BACKLOG: Final = 512
_SWEEP_S_MAX: Final = 1.0
_HANDSHAKE_TIMEOUT_S: Final = 10.0
_KEEP_ALIVE_IDLE_S: Final = 60
_KEEP_ALIVE_PROBES: Final = 4
_SEND_BUFFER_BYTES: Final = 65_536
"""What the operating system keeps of answers nobody reads; by itself it would let a connection grow to megabytes."""
_NEWCOMERS_LOOKED_AT_MAX: Final = 64
ROOM_BYTES: Final = 268_435_456
_READERS_A_TURN: Final = 4
"""Connections with much to read that are read again in one turn of the loop: about a megabyte."""


class MllpListener:
    """Listens on one address. `answer` may give a coroutine or a future (which saves a task a frame)."""

    def __init__(
        self,
        answer: Answer,
        refuse: Refuse,
        *,
        host: str = "127.0.0.1",
        port: int = 2575,
        name: str = "mllp",
        limits: Limits | None = None,
        room: Room | None = None,
        tls: ssl.SSLContext | None = None,
        reuse_port: bool = False,
        sock: socket.socket | None = None,
        on_opened: Callable[[Peer], None] | None = None,
        on_closed: Callable[[ConnectionReport], None] | None = None,
    ) -> None:
        """Take what to answer with; nothing listens before `start`. `sock` is bound already and takes the place of host and port.

        All listeners of a process are given one `room`; without one it has its own.
        """
        self.answer = answer
        self.refuse = refuse
        self.limits = limits or Limits()
        self.room = room or Room(ROOM_BYTES, time.monotonic)
        self.name = name
        self.turned_away = 0
        """Connections refused because there were too many."""
        self.displaced = 0
        """Connections that had shown nothing welcome and made place for a new one."""
        self._host, self._port = host, port
        self._tls = tls
        self._reuse_port = reuse_port
        self._sock = sock
        self._on_opened, self._on_closed = on_opened, on_closed
        self._rounds: Rounds[MllpConnection] = Rounds(self.limits.frames_a_turn)
        self._doorstep: Doorstep[MllpConnection] = Doorstep(Allowance(self.limits.strangers_at_once, self.limits.strangers_per_s))
        self._resting: deque[MllpConnection] = deque()
        self._has_turn = False
        self._letting_in: asyncio.TimerHandle | None = None
        self._connections: set[MllpConnection] = set()
        self._newcomers: dict[MllpConnection, None] = {}
        """In the order in which they came, those of whom nothing welcome is known; who has become known is taken out when met."""
        self._next_id = 0
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._all_closed = asyncio.Event()
        self._all_closed.set()

    async def start(self) -> None:
        """Bind and accept. Raises OSError when the address is taken."""
        self.loop = asyncio.get_running_loop()
        place: dict[str, Any] = {"host": self._host, "port": self._port, "reuse_port": self._reuse_port or None}
        self._server = await self.loop.create_server(
            lambda: MllpConnection(self),
            ssl=self._tls,
            ssl_handshake_timeout=_HANDSHAKE_TIMEOUT_S if self._tls is not None else None,
            backlog=_BACKLOG,
            **({"sock": self._sock} if self._sock is not None else place),
        )
        for listening in self._server.sockets:
            _inherited(listening)
        self._sweep()

    @property
    def port(self) -> int:
        """The port that is listened on, also when 0 was asked for."""
        if self._server is None or not self._server.sockets:
            return self._port
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def is_serving(self) -> bool:
        """Tell whether connections are accepted."""
        return self._server is not None and self._server.is_serving()

    def reports(self) -> list[ConnectionReport]:
        """Say how every open connection is doing."""
        return [report for connection in self._connections if (report := connection.report()) is not None]

    async def close(self, grace_s: float = 20.0) -> int:
        """Stop accepting, finish and answer what is in flight, close. Gives the number of connections cut off after the grace."""
        if self._server is None:
            return 0
        self._server.close()
        for connection in list(self._connections):
            connection.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_closed.wait(), grace_s)
        cut_off = list(self._connections)
        for connection in cut_off:
            connection.abort(CloseReason.SHUTDOWN_FORCED)
        await self._all_closed.wait()
        for timer in (self._sweeper, self._letting_in):
            if timer is not None:
                timer.cancel()
        await self._server.wait_closed()
        return len(cut_off)

    # What a connection calls.

    def opened(self, connection: MllpConnection) -> Peer | None:
        """Admit a connection and name its peer, or None when there are too many whose place cannot be had."""
        if not self.is_serving or (len(self._connections) >= self.limits.connections_max and not self._displace()):
            self.turned_away += 1
            return None
        self._next_id += 1
        peer = _peer(connection.transport, self._next_id, self.name)
        self._connections.add(connection)
        self._newcomers[connection] = None
        self._all_closed.clear()
        if self._on_opened is not None:
            self._on_opened(peer)
        return peer

    def closed(self, connection: MllpConnection) -> None:
        """Forget a connection and report it."""
        self._connections.discard(connection)
        self._newcomers.pop(connection, None)
        self._rounds.leave(connection)
        self._doorstep.leave(connection)
        if not self._connections:
            self._all_closed.set()
        report = connection.report()
        if report is not None and self._on_closed is not None:
            self._on_closed(report)

    def _displace(self) -> bool:
        """Close the connection that has been there the longest with nothing welcome, and nothing begun; False when there is none."""
        for _ in range(min(_NEWCOMERS_LOOKED_AT_MAX, len(self._newcomers))):
            oldest = next(iter(self._newcomers))
            del self._newcomers[oldest]
            if oldest.is_owed:
                self._newcomers[oldest] = None
            elif not oldest.is_known:
                self.displaced += 1
                self._connections.discard(oldest)
                oldest.abort(CloseReason.DISPLACED)
                return True
        return False

    def may_begin(self, connection: MllpConnection) -> bool:
        """Give the connection a frame of this turn, or a place in the line of the next ones."""
        self._need_turn()
        return self._rounds.take(connection)

    def may_enter(self, connection: MllpConnection, host: str) -> bool:
        """Let a frame of a stranger in, or have the stranger wait."""
        if self._doorstep.admit(connection, host, self.loop.time()):
            return True
        self._let_in_later()
        return False

    def is_welcome(self) -> None:
        """Hear that a frame of a stranger was welcome."""
        self._doorstep.welcome()
        if self._letting_in is not None:
            self._letting_in.cancel()
            self._letting_in = self.loop.call_later(0, self._let_in)

    def rest(self, connection: MllpConnection) -> None:
        """Read a connection again when it is its turn."""
        self._resting.append(connection)
        self._need_turn()

    def _need_turn(self) -> None:
        if not self._has_turn:
            self._has_turn = True
            self.loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._has_turn = False
        for connection in self._rounds.turn():
            connection.proceed()
        for _ in range(min(_READERS_A_TURN, len(self._resting))):
            self._resting.popleft().read_on()
        if self._resting or not self._rounds.is_idle:
            self._need_turn()

    def _let_in(self) -> None:
        self._letting_in = None
        for connection in self._doorstep.next(self.loop.time()):
            connection.proceed()
        self._let_in_later()

    def _let_in_later(self) -> None:
        wait_s = self._doorstep.wait_s(self.loop.time())
        if wait_s is not None and self._letting_in is None:
            self._letting_in = self.loop.call_later(wait_s, self._let_in)

    def _sweep(self) -> None:
        """Check the time limits of all connections: one timer for all, because a timer a frame costs more than the frame."""
        now = self.loop.time()
        for connection in list(self._connections):
            connection.check(now)
        limits = self.limits
        shortest = min(limits.idle_timeout_s, limits.frame_timeout_s, limits.answer_timeout_s, limits.write_timeout_s)
        self._sweeper = self.loop.call_later(min(_SWEEP_S_MAX, shortest / 4), self._sweep)


def _inherited(listening: socket.socket) -> None:
    """Set what every connection inherits: nothing has to be asked of the operating system when one comes.

    It notices when the other end dies silently, and it does not keep megabytes for who reads no answers.
    """
    with contextlib.suppress(OSError):
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEP_ALIVE_IDLE_S)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEP_ALIVE_IDLE_S // _KEEP_ALIVE_PROBES)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEP_ALIVE_PROBES)


def _peer(transport: asyncio.Transport, connection_id: int, listener: str) -> Peer:
    """Name the other end."""
    name = transport.get_extra_info("peername")
    host, port = (str(name[0]), int(name[1])) if isinstance(name, tuple) else ("", 0)
    secured = transport.get_extra_info("ssl_object")
    if secured is None:
        return Peer(connection_id, host, port, listener)
    certificate = secured.getpeercert(binary_form=True)
    if certificate is None:
        return Peer(connection_id, host, port, listener, is_tls=True)
    described = secured.getpeercert() or {}
    names = [value for _, value in described.get("subjectAltName", ())]
    names += [value for part in described.get("subject", ()) for key, value in part if key == "commonName"]
    return Peer(
        connection_id,
        host,
        port,
        listener,
        is_tls=True,
        certificate_sha256=hashlib.sha256(certificate).hexdigest(),
        certificate_names=tuple(dict.fromkeys(names)),
    )

"""The MLLP server: accepts connections, plain or TLS, and keeps the time limits and the count. One listener is one port.

Frames are answered by a callable that is handed in; when it fails, a second one builds the negative answer, so that no
peer is left waiting. Nothing is logged here: what happens on a connection is counted and offered to two hooks. Not
here: one connection (`connection`), certificates (`tls`), and anything about what a message means.
"""

import asyncio
import contextlib
import hashlib
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from adapters.hl7v2.connection import MllpConnection
from adapters.hl7v2.peers import Answer, CloseReason, ConnectionReport, Limits, Peer, Refuse

_BACKLOG: Final = 512
_SWEEP_S_MAX: Final = 1.0
_HANDSHAKE_TIMEOUT_S: Final = 10.0
_KEEP_ALIVE_IDLE_S: Final = 60
_KEEP_ALIVE_PROBES: Final = 4


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
        tls: ssl.SSLContext | None = None,
        reuse_port: bool = False,
        sock: socket.socket | None = None,
        on_opened: Callable[[Peer], None] | None = None,
        on_closed: Callable[[ConnectionReport], None] | None = None,
    ) -> None:
        """Take what to answer with; nothing listens before `start`. `sock` is bound already and takes the place of host and port."""
        self.answer = answer
        self.refuse = refuse
        self.limits = limits or Limits()
        self.name = name
        self.turned_away = 0
        """Connections refused because there were too many."""
        self._host, self._port = host, port
        self._tls = tls
        self._reuse_port = reuse_port
        self._sock = sock
        self._on_opened, self._on_closed = on_opened, on_closed
        self._connections: set[MllpConnection] = set()
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
        if self._sweeper is not None:
            self._sweeper.cancel()
        await self._server.wait_closed()
        return len(cut_off)

    # What a connection calls.

    def opened(self, connection: MllpConnection) -> Peer | None:
        """Admit a connection and name its peer, or None when there are too many."""
        if len(self._connections) >= self.limits.connections_max or not self.is_serving:
            self.turned_away += 1
            return None
        self._next_id += 1
        peer = _peer(connection.transport, self._next_id, self.name)
        self._connections.add(connection)
        self._all_closed.clear()
        if self._on_opened is not None:
            self._on_opened(peer)
        return peer

    def closed(self, connection: MllpConnection) -> None:
        """Forget a connection and report it."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()
        report = connection.report()
        if report is not None and self._on_closed is not None:
            self._on_closed(report)

    def _sweep(self) -> None:
        """Check the time limits of all connections: one timer for all, because a timer a frame costs more than the frame."""
        now = self.loop.time()
        for connection in list(self._connections):
            connection.check(now)
        limits = self.limits
        shortest = min(limits.idle_timeout_s, limits.frame_timeout_s, limits.answer_timeout_s, limits.write_timeout_s)
        self._sweeper = self.loop.call_later(min(_SWEEP_S_MAX, shortest / 4), self._sweep)


def _peer(transport: asyncio.Transport, connection_id: int, listener: str) -> Peer:
    """Name the other end, and have the operating system notice when it dies silently."""
    name = transport.get_extra_info("peername")
    host, port = (str(name[0]), int(name[1])) if isinstance(name, tuple) else ("", 0)
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_KEEPIDLE"):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEP_ALIVE_IDLE_S)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEP_ALIVE_IDLE_S // _KEEP_ALIVE_PROBES)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEP_ALIVE_PROBES)
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

"""A real webhook receiver on a real socket, which can be made to behave badly in every way that receivers do.

It speaks just enough HTTP/1.1 to be trusted by a test, and records what arrived. Not a test double of ours: bytes on the wire.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

LARGE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came: header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """Which connection, counted from 1: to see connections being kept or not."""


Behaviour = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]
"""Writes the answer to one request. Raising ConnectionError ends the connection without another octet."""


def answer(status: int = 200, body: bytes = b"", reason: str = "", **headers: str) -> Behaviour:
    """Answer properly; `retry_after="5"` becomes the header Retry-After."""

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        del received
        lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    return behave


def raw(octets: bytes, *, then_close: bool = True) -> Behaviour:
    """Write exactly these octets; then close, or leave the connection hanging."""

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        del received
        writer.write(octets)
        await writer.drain()
        if then_close:
            raise ConnectionError

    return behave


def endless(beginning: bytes, piece: bytes) -> Behaviour:
    """Write without end, as fast as the other side reads; ends when it hangs up."""

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        del received
        writer.write(beginning)
        while True:
            writer.write(piece)
            await writer.drain()

    return behave


def trickle(beginning: bytes, piece: bytes, every_s: float) -> Behaviour:
    """Write a piece now and then without end: each read succeeds, and the answer is never there."""

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        del received
        writer.write(beginning)
        while True:
            await asyncio.sleep(every_s)  # the receiver's slowness is what is tested
            writer.write(piece)
            await writer.drain()

    return behave


async def reset(received: Received, writer: asyncio.StreamWriter) -> None:
    """Send RST instead of an answer."""
    del received
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionError


async def half_close(received: Received, writer: asyncio.StreamWriter) -> None:
    """Say FIN in the middle of an answer and go on reading."""
    del received
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    writer.write_eof()


async def never(received: Received, writer: asyncio.StreamWriter) -> None:
    """Read the request and say nothing."""
    del received, writer
    await asyncio.Event().wait()


def after(event: asyncio.Event, behaviour: Behaviour) -> Behaviour:
    """Behave so once the event is set."""

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        await event.wait()
        await behaviour(received, writer)

    return behave


@dataclass
class Receiver:
    """The server. Change `behaviour` at any time, or queue one for each of the next requests in `script`."""

    behaviour: Behaviour = field(default_factory=answer)
    script: list[Behaviour] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    scheme: str = "http"
    host: str = "127.0.0.1"
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, path: str = "/hook", host: str | None = None) -> str:
        """Give the address of a path here, by another name if wanted."""
        return f"{self.scheme}://{host or self.host}:{self.port}{path}"

    async def wait_for(self, count: int) -> list[Received]:
        """Wait until that many requests have come, and give all."""
        async with self._arrived, asyncio.timeout(30):
            await self._arrived.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        number = self.connections
        try:
            while (received := await _read(reader, number)) is not None:
                self.requests.append(received)
                async with self._arrived:
                    self._arrived.notify_all()
                behave = self.script.pop(0) if self.script else self.behaviour
                await behave(received, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if self.scheme == "https" else writer.close()


async def _read(reader: asyncio.StreamReader, number: int) -> Received | None:
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, target, headers, body, number)


@asynccontextmanager
async def receiving(
    behaviour: Behaviour | None = None, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port of this machine."""
    receiver = Receiver(behaviour or answer(), scheme="https" if tls else "http", host=f"[{host}]" if ":" in host else host)
    # As long a queue as a real receiver has: a connection that waits for its second SYN looks like a slow endpoint.
    server = await asyncio.start_server(receiver._serve, host, 0, ssl=tls, limit=LARGE, backlog=1024)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(receiver._tasks):
            task.cancel()
        await asyncio.gather(*receiver._tasks, return_exceptions=True)
        await server.wait_closed()

"""Real listeners and real sockets for the tests of MLLP: a listener that says what it did, and a peer that sends raw bytes."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import wraps
from inspect import Parameter, signature
from typing import Any

import pytest
import uvloop

from adapters.hl7v2.framing import Frame, MllpFramer, wrap
from adapters.hl7v2.listener import MllpListener
from adapters.hl7v2.peers import Answer, ConnectionReport, Failure, Limits, Peer

PATIENCE_S = 20.0


def on_both_loops(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on asyncio's loop and on uvloop: their transports differ in what they call, and when."""

    @wraps(test)
    def run(*args: object, make_loop: Callable[[], asyncio.AbstractEventLoop], **kwargs: object) -> None:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(test(*args, **kwargs))

    of_test = signature(test)
    added = Parameter("make_loop", Parameter.KEYWORD_ONLY)
    run.__signature__ = of_test.replace(parameters=[*of_test.parameters.values(), added], return_annotation=None)  # type: ignore[attr-defined]
    loops = [pytest.param(asyncio.new_event_loop, id="asyncio"), pytest.param(uvloop.new_event_loop, id="uvloop")]
    return pytest.mark.parametrize("make_loop", loops)(run)


async def echo(payload: bytes, _: Peer) -> bytes:
    return b"ACK " + payload


@dataclass
class House:
    """A running listener and what its hooks heard."""

    listener: MllpListener
    opened: list[Peer] = field(default_factory=list)
    closed: "asyncio.Queue[ConnectionReport]" = field(default_factory=asyncio.Queue)
    refused: list[tuple[bytes, Failure]] = field(default_factory=list)

    async def report(self) -> ConnectionReport:
        """The next connection that ended."""
        return await asyncio.wait_for(self.closed.get(), PATIENCE_S)


@asynccontextmanager
async def house(
    answer: Answer = echo,
    *,
    refusal: Callable[[bytes, Failure], bytes | None] = lambda _, failure: b"NAK " + failure.encode(),
    tls: ssl.SSLContext | None = None,
    **limits: float | bool,
) -> AsyncIterator[House]:
    def refuse(payload: bytes, _: Peer, failure: Failure) -> bytes | None:
        made.refused.append((payload, failure))
        return refusal(payload, failure)

    listener = MllpListener(
        answer,
        refuse,
        port=0,
        limits=Limits(**limits),  # type: ignore[arg-type]  # whole numbers and seconds, by name
        tls=tls,
        on_opened=lambda peer: made.opened.append(peer),  # noqa: PLW0108 -- `made` is made after the listener
        on_closed=lambda report: made.closed.put_nowait(report),  # noqa: PLW0108 -- as above
    )
    made = House(listener)
    await listener.start()
    try:
        yield made
    finally:
        await listener.close(0.5)


class Wire:
    """The sending side of one connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._framer = MllpFramer(10_000_000)
        self._frames: list[bytes] = []

    async def send(self, *chunks: bytes) -> None:
        """Each chunk in a packet of its own, as far as the network lets them be."""
        for chunk in chunks:
            self.writer.write(chunk)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def frame(self) -> bytes:
        """The next frame that comes."""
        while not self._frames:
            data = await asyncio.wait_for(self.reader.read(65_536), PATIENCE_S)
            assert data, "the connection was closed"
            self._frames += [event.payload for event in self._framer.feed(data) if isinstance(event, Frame)]
        return self._frames.pop(0)

    async def ask(self, payload: bytes) -> bytes:
        await self.send(wrap(payload))
        return await self.frame()

    async def closed(self) -> bytes:
        """What still comes until the other side closes."""
        try:
            return await asyncio.wait_for(self.reader.read(), PATIENCE_S)
        except ConnectionError:
            return b""


@asynccontextmanager
async def wire(to: House, tls: ssl.SSLContext | None = None, limit: int = 65_536) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", to.listener.port, ssl=tls, server_hostname="localhost" if tls else None, limit=limit
    )
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()
        with_reset = asyncio.gather(writer.wait_closed(), return_exceptions=True)
        await asyncio.wait_for(with_reset, PATIENCE_S)

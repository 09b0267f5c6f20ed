"""Hostile and broken MLLP peers, in a process of their own: `python -m tests.load.hostile KIND PORT SECONDS`.

Each kind opens its connections, says so on the standard output, does what it does until its time is over, and ends. Everything is
bounded, in connections, in bytes a second and in time, and goes to the loopback address only.
"""

import asyncio
import contextlib
import itertools
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

MESSAGE: Final = b"\x0bMSH|^~\\&|NOBODY|NOWHERE|||20260302100000||ADT^A01|Z%d|P|2.5.1\rPID|1||Z%d^^^Z^MR||Zz^Zz\r\x1c\r"
_HELLO_TLS: Final = bytes.fromhex("16030100c8010000c40303") + bytes(range(180))
"""The beginning of a ClientHello."""
_RESET: Final = struct.pack("ii", 1, 0)
_numbers = itertools.count()


def own_address() -> str:
    """Give an address that is not that of the good peers, where the loopback network has more than one (not on macOS).

    Strangers of one host stand in one line, and so does the first frame of whoever connects from there.
    """
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.2", 0))
        except OSError:
            return "127.0.0.1"
    return "127.0.0.2"


OWN_ADDRESS: Final = own_address()


def message() -> bytes:
    """Write a message of a sender that nobody knows; every one is another."""
    number = next(_numbers)
    return MESSAGE % (number, number)


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "Line":
        """Connect, each packet by itself."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(OWN_ADDRESS, 0))
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(reader, writer)

    async def send(self, data: bytes) -> None:
        """Send, as far as the other side takes it."""
        self._writer.write(data)
        await self._writer.drain()

    def reset(self) -> None:
        """Break off without a goodbye."""
        with contextlib.suppress(OSError):
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer.transport.abort()


async def nothing(line: Line) -> None:
    """Hold the connection."""
    await line.reader.read()


async def half_a_frame(line: Line) -> None:
    """Begin a frame and say no more."""
    await line.send(message()[:-20])
    await nothing(line)


async def drip(line: Line) -> None:
    """Send a byte now and then (slowloris)."""
    for byte in message() * 100:
        await line.send(bytes([byte]))
        await asyncio.sleep(0.2)


async def bytes_by_themselves(line: Line) -> None:
    """Send whole messages in packets of one byte."""
    for byte in message():
        await line.send(bytes([byte]))
        await asyncio.sleep(0)
    await line.reader.readuntil(b"\x1c\r")


async def no_last_byte(line: Line) -> None:
    """Leave the last 0x0D out and wait."""
    await line.send(message()[:-1])
    await line.reader.readuntil(b"\x1c\r")


async def no_first_byte(line: Line) -> None:
    """Send text without any framing."""
    await line.send(message().strip(b"\x0b\x1c") * 300)
    await asyncio.sleep(0.05)


async def too_long(line: Line) -> None:
    """Send 64 MB in one frame, as far as they are taken."""
    await line.send(b"\x0b" + message()[1:60])
    for _ in range(64):
        await line.send(b"A" * 1_048_576)
    await line.reader.read()


async def empty_frames(line: Line) -> None:
    """Send hundreds of frames with nothing in them at once, and read what is said to them."""
    await line.send(b"\x0b\x1c\r" * 100)
    for _ in range(100):
        await line.reader.readuntil(b"\x1c\r")


async def answers_unread(line: Line) -> None:
    """Send and send, and read no answer."""
    line._writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    line.reader._transport.pause_reading()  # type: ignore[attr-defined]  # the stream's own, which no method of it gives
    while True:
        await line.send(message() * 5)
        await asyncio.sleep(0.05)


async def reset_in_a_frame(line: Line) -> None:
    """Break off in the middle of a frame."""
    await line.send(message()[:-20])
    line.reset()
    await asyncio.sleep(0.05)


async def come_and_go(line: Line) -> None:
    """Connect and leave, as a monitor does, but all the time."""
    line.reset()
    await asyncio.sleep(0.02)


async def hello_tls(line: Line) -> None:
    """Speak TLS to a plain door."""
    await line.send(_HELLO_TLS)
    await asyncio.sleep(0.2)


async def odd(line: Line) -> None:
    """Send wrong character sets and delimiters, one refused message after the other."""
    for body in (
        message().replace(b"|2.5.1\r", b"|2.5.1||||||UNICODE UTF-16\r"),
        message().replace(b"Zz^Zz", b"\xff\xfe\x00Z\x81"),
        message().replace(b"|", b"\x07"),
        message().replace(b"|", b"A"),
        message().replace(b"^~\\&", b"||||"),
        message().replace(b"MSH", b"\x00M\x00S\x00H"),
    ):
        await line.send(body)
        await line.reader.readuntil(b"\x1c\r")
    await asyncio.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of peer: how many there are, and what each does again and again, on a new connection where it lost the last."""

    says: str
    act: Callable[[Line], Awaitable[None]]
    peers: int


KINDS: Final = {
    "idle": Kind("1,000 idle peers", nothing, 1_000),
    "half-open": Kind("300 frames begun and never ended", half_a_frame, 300),
    "slowloris": Kind("200 peers that send a byte in 0.2 s", drip, 200),
    "one-byte": Kind("10 peers with packets of one byte", bytes_by_themselves, 10),
    "no-end": Kind("50 peers that leave the last byte out", no_last_byte, 50),
    "unframed": Kind("10 peers without framing, 10 MB/s", no_first_byte, 10),
    "too-long": Kind("4 peers with frames of 64 MB", too_long, 4),
    "empty": Kind("4 peers with empty frames, 100 at once", empty_frames, 4),
    "unread": Kind("50 peers that read no answer", answers_unread, 50),
    "reset": Kind("20 peers that break off in a frame", reset_in_a_frame, 20),
    "churn": Kind("10 peers that come and go", come_and_go, 10),
    "tls": Kind("20 peers that speak TLS to the plain door", hello_tls, 20),
    "odd": Kind("10 peers with wrong character sets and delimiters", odd, 10),
}


async def _peer(kind: Kind, port: int, opened: asyncio.Event, waiting: list[int]) -> None:
    while True:
        line = None
        try:
            line = await Line.open(port)
            waiting[0] -= 1
            if waiting[0] == 0:
                opened.set()
            while True:
                await kind.act(line)
        except (OSError, asyncio.IncompleteReadError):
            # Turned away, dropped or reset: what a peer like this deserves. It tries again.
            await asyncio.sleep(0.02)
        finally:
            if line is not None:
                line.reset()


async def run(kind: Kind, port: int, seconds: float) -> None:
    """Be hostile for a while."""
    opened, waiting = asyncio.Event(), [kind.peers]
    peers = [asyncio.create_task(_peer(kind, port, opened, waiting)) for _ in range(kind.peers)]
    await opened.wait()
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    await asyncio.sleep(seconds)
    for peer in peers:
        peer.cancel()
    await asyncio.gather(*peers, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(run(KINDS[sys.argv[1]], int(sys.argv[2]), float(sys.argv[3])))

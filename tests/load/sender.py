"""A load generator in a process of its own: senders on MLLP connections, each with one message in flight, as hospitals send.

    python -m tests.load.sender PORT CONNECTIONS RATE < messages > answers

Reads MLLP frames from the standard input; RATE is messages a second over all connections, 0 as fast as answers come. Writes one
line for each answered message: its place in the input, when it was sent and when it was acknowledged (monotonic seconds).
"""

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvloop

ROOT = Path(__file__).parents[2]
START, END = b"\x0b", b"\x1c\x0d"


class Sender(asyncio.Protocol):
    """One connection. Checks that each answer is positive and counts nothing else: it must cost less than what it measures."""

    def __init__(self, work: Iterator[tuple[int, bytes]], began_s: float, rate: float, answers: list[str]) -> None:
        self._work, self._began_s, self._rate, self._answers = work, began_s, rate, answers
        self._buffer = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        for number, frame in self._work:
            self._number, self._frame = number, frame
            wait_s = self._began_s + number / self._rate - time.monotonic() if self._rate else 0
            if wait_s > 0:
                asyncio.get_running_loop().call_later(wait_s, self._send)
            else:
                self._send()
            return
        self._transport.close()
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        self._sent_s = time.monotonic()
        self._transport.write(self._frame)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(END)) >= 0:
            answer, self._buffer = self._buffer[:end], self._buffer[end + len(END) :]
            if b"\rMSA|AA" not in answer and b"\rMSA|CA" not in answer:
                message = f"message {self._number} was not accepted"
                raise RuntimeError(message)
            self._answers.append(f"{self._number} {self._sent_s:.6f} {time.monotonic():.6f}")
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or RuntimeError("the connection was closed"))


async def run(port: int, connections: int, rate: float, frames: list[bytes]) -> list[str]:
    """Send everything; give the lines."""
    answers: list[str] = []
    work = iter(zip(itertools.count(), frames, strict=False))
    loop = asyncio.get_running_loop()
    began_s = time.monotonic()
    senders = [
        (await loop.create_connection(lambda: Sender(work, began_s, rate, answers), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    await asyncio.gather(*(sender.done for sender in senders))
    return answers


async def send(port: int, connections: int, rate: float, batch: Sequence[bytes]) -> list[tuple[float, float]]:
    """Let a process of its own send; give when each message was sent and acknowledged, in their order."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.sender", str(port), str(connections), str(rate),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    out, _ = await process.communicate(b"".join(START + message + END for message in batch))
    assert process.returncode == 0
    lines = sorted(
        (int(number), float(began), float(ended)) for number, began, ended in (line.split() for line in out.decode().splitlines())
    )
    assert len(lines) == len(batch)
    return [(began, ended) for _, began, ended in lines]


def main() -> None:
    """Be the process."""
    port, connections, rate = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    frames = [START + rest for rest in sys.stdin.buffer.read().split(START) if rest]
    answers = uvloop.run(run(port, connections, rate, frames))
    sys.stdout.write("\n".join(answers) + "\n")


if __name__ == "__main__":
    main()

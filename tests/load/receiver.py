"""A receiver of webhooks in a process of its own: answers 200 at once and writes down when each request came, and which it was.

    python -m tests.load.receiver FILE

Prints its port; appends one line for each request to FILE: the webhook-id and when it came (monotonic nanoseconds).
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import httptools
import uvloop

from tests.support.service import ROOT


class Receiving(asyncio.Protocol):
    """One connection."""

    def __init__(self, log: int) -> None:
        self._log = log
        self._id = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"webhook-id":
            self._id = value

    def on_message_complete(self) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        os.write(self._log, b"%b %d\n" % (self._id, time.monotonic_ns()))


@contextmanager
def receiver_process(arrived: Path) -> Iterator[int]:
    """Run the receiver, which writes to `arrived`; give its port."""
    process = subprocess.Popen([sys.executable, "-m", "tests.load.receiver", str(arrived)], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate()


async def serve(path: Path) -> None:
    """Be the process."""
    log = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    server = await asyncio.get_running_loop().create_server(lambda: Receiving(log), sock=listening)
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))

"""Measures HTTP clients for webhooks: requests a second and CPU a request, against a receiver in its own process.

    python -m tests.adapters.webhook.bench_clients [requests]

The figures of app/decisions/0002-http-client-for-webhooks.md come from here. CPU is that of the sending process alone; it is
steadier than the rate, because sender and receiver share the machine. A client that is not installed is passed over.
"""

import asyncio
import contextlib
import importlib
import json
import os
import platform
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import cast
from uuid import UUID

import aiohttp
import httptools
import uvloop

from adapters.webhook.guard import Allowance, Guard
from adapters.webhook.sender import WebhookSender
from app.domain.delivery import AttemptOutcome, WebhookRequest

BODY = json.dumps({"type": "encounter.discharged", "timestamp": "2026-03-02T15:00:00Z", "data": {"synthetic": "x" * 1800}}).encode()
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HEADERS = {
    "content-type": "application/json",
    "webhook-id": "ntf_1",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
SHAPES = ((64, 1), (16, 4), (1, 64))
"""Endpoints, and attempts at once to each: 64 in all."""
Send = Callable[[], Awaitable[int]]


class _Receiver(asyncio.Protocol):
    """The cheapest receiver that is still HTTP: parses the request, gives one fixed answer, keeps the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}')


async def _receive(listening: socket.socket) -> None:
    server = await asyncio.get_running_loop().create_server(_Receiver, sock=listening)
    await server.serve_forever()


@asynccontextmanager
async def small_httpx(module_name: str, url: str, at_once: int) -> AsyncIterator[Send]:
    module = importlib.import_module(module_name)
    limits = module.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    async with module.AsyncClient(trust_env=False, timeout=20, limits=limits) as client:

        async def send() -> int:
            async with client.stream("POST", url, content=BODY, headers=HEADERS) as response:
                async for _ in response.aiter_raw():
                    pass
                return int(response.status_code)

        yield send


@asynccontextmanager
async def httpx_on_aiohttp(url: str, at_once: int) -> AsyncIterator[Send]:
    httpx, httpx_aiohttp = importlib.import_module("httpx"), importlib.import_module("httpx_aiohttp")
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    async with httpx_aiohttp.HttpxAiohttpClient(trust_env=False, timeout=20, limits=limits) as client:

        async def send() -> int:
            async with client.stream("POST", url, content=BODY, headers=HEADERS) as response:
                async for _ in response.aiter_raw():
                    pass
                return int(response.status_code)

        yield send


@asynccontextmanager
async def small_aiohttp(url: str, at_once: int) -> AsyncIterator[Send]:
    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False) as client:

        async def send() -> int:
            async with client.post(url, data=BODY, headers=HEADERS, allow_redirects=False) as response:
                await response.content.read(16384)
                return response.status

        yield send


@asynccontextmanager
async def our_sender(url: str, at_once: int) -> AsyncIterator[Send]:
    """All of it: signature of each attempt, guard, deadline, capped answer."""
    sender = WebhookSender(Guard([Allowance.parse("http://127.0.0.0/8")]), connections_per_endpoint=at_once)

    async def send() -> int:
        result = await sender.send(WebhookRequest(UUID(int=1), url, "ntf_1", datetime.now(tz=UTC), BODY, (SECRET,)))
        return 200 if result.outcome is AttemptOutcome.DELIVERED else 0

    yield send
    await sender.close()


CLIENTS: dict[str, tuple[str, Callable[[str, int], contextlib.AbstractAsyncContextManager[Send]]]] = {
    "httpx": ("httpx", lambda url, at_once: small_httpx("httpx", url, at_once)),
    "httpx2": ("httpx2", lambda url, at_once: small_httpx("httpx2", url, at_once)),
    "httpx-aiohttp": ("httpx_aiohttp", httpx_on_aiohttp),
    "aiohttp": ("aiohttp", small_aiohttp),
    "WebhookSender": ("aiohttp", our_sender),
}


async def measure(name: str, port: int, endpoints: int, at_once: int, requests: int) -> str:
    """Give one line of figures."""
    async with contextlib.AsyncExitStack() as stack:
        sends = [
            await stack.enter_async_context(CLIENTS[name][1](f"http://127.0.0.1:{port}/hook/{number}", at_once))
            for number in range(endpoints)
        ]
        took: list[float] = []

        async def work(send: Send, count: int) -> None:
            for _ in range(count):
                started = time.perf_counter()
                assert await send() == 200
                took.append(time.perf_counter() - started)

        workers = [send for send in sends for _ in range(at_once)]
        await asyncio.gather(*(work(send, 2) for send in workers))
        took.clear()
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work(send, max(1, requests // len(workers))) for send in workers))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    took.sort()
    middle, late = took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000
    rates = f"{len(took) / wall:9.0f}/s {len(took) / cpu:9.0f}/s a core {cpu / len(took) * 1000:7.3f} ms CPU"
    return f"{name:14} {endpoints:3} x {at_once:<3}{rates}   p50 {middle:6.1f} ms  p99 {late:7.1f} ms"


async def measure_all(port: int, requests: int) -> None:
    """Print the machine, the versions and a line for each client and shape."""
    loop = type(asyncio.get_running_loop()).__module__
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {loop}")
    for name, (module_name, _) in CLIENTS.items():
        try:
            importlib.import_module(module_name)
        except ImportError:
            print(f"{name}: not installed")
            continue
        if name != "WebhookSender":
            print(f"{name} {version(name)}")
        for endpoints, at_once in SHAPES:
            print(await measure(name, port, endpoints, at_once, requests if "aiohttp" in module_name else requests // 4), flush=True)


def main(requests: int) -> None:
    """Run the receiver in a process of its own, and measure."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    receiver = os.fork()
    if receiver == 0:
        uvloop.run(_receive(listening))
    try:
        uvloop.run(measure_all(listening.getsockname()[1], requests))
    finally:
        os.kill(receiver, signal.SIGTERM)
        os.waitpid(receiver, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12_000)

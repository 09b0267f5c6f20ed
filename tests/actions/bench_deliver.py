"""Measures room 8 whole: fan out, claim, ask again, sign, send, record; real PostgreSQL that flushes, a receiver in its own process.

    python -m tests.actions.bench_deliver [notifications] [endpoints]

Prints the machine and its flush rate, then the drain of a backlog with the CPU of worker and PostgreSQL apart, then the time from
the commit of a notification to its arrival at 100 a second. Targets: performance P5. Not here: clients compared (bench_clients).
"""

import asyncio
import os
import platform
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import asyncpg
import httptools
import uvloop

from adapters.postgresql.embedded import EmbeddedPostgres
from adapters.webhook.guard import Allowance, Guard
from adapters.webhook.sender import WebhookSender
from app.actions.deliver import Delivered, Deliverer
from app.store.engine import make_engine, plain_url
from app.store.roles import Network, Role
from migrations.run import migrate_up
from tests.actions.delivery_world import DeliveryWorld

NETWORK = Network("handoff")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
STEADY_PER_S, STEADY_S = 100, 10


class Receiving(asyncio.Protocol):
    """Answers 200 at once and writes, for each request, when it came and which notification it was."""

    def __init__(self, log: int) -> None:
        self._log = log
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"webhook-id":
            self._head = value

    def on_message_complete(self) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        os.write(self._log, b"%b %d\n" % (self._head, time.monotonic_ns()))


async def serve(listening: socket.socket, log: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Receiving(log), sock=listening)
    await server.serve_forever()


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(tz=UTC)


def cpu_of(postmaster: int) -> float:
    """Give the CPU seconds of PostgreSQL: the postmaster, its children, and those that have ended."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(entry.name) == postmaster:
            total += sum(int(field) for field in fields[11:15])
        elif int(fields[1]) == postmaster:
            total += sum(int(field) for field in fields[11:13])
    return total * TICK_S


async def flushes_per_s(url: str) -> float:
    """Say how fast this disk makes one small commit durable."""
    connection = await asyncpg.connect(plain_url(url))
    await connection.execute("create table if not exists flush_probe (n int)")
    started, count = time.perf_counter(), 300
    for _ in range(count):
        await connection.execute("insert into flush_probe values (1)")
    rate = count / (time.perf_counter() - started)
    await connection.execute("drop table flush_probe")
    await connection.close()
    return rate


@contextmanager
def receiver_process() -> Iterator[tuple[int, Path]]:
    """Run the receiver; give its port and the file it writes."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arrived"
        log = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        child = os.fork()
        if child == 0:
            uvloop.run(serve(listening, log))
        try:
            yield listening.getsockname()[1], path
        finally:
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)


async def drain(world: DeliveryWorld, worker: Deliverer, notifications: int, endpoints: int, postmaster: int) -> None:
    """Deliver a backlog to all endpoints."""
    total, recorded, done, stop = notifications * endpoints, 0, asyncio.Event(), asyncio.Event()

    def count(delivered: Delivered) -> None:
        nonlocal recorded
        recorded += delivered.recorded
        if recorded >= total:
            done.set()

    worker._on_recorded = count
    letters = [f"{number:05d}" for number in range(max(1, notifications // 4))]
    for start in range(0, notifications, 500):
        people = [letters[number % len(letters)] for number in range(start, min(start + 500, notifications))]
        await world.notify(people)  # type: ignore[arg-type]  # names of more than one letter
    wall, own, database = time.perf_counter(), time.process_time(), cpu_of(postmaster)
    running = asyncio.create_task(worker.run(stop))
    await done.wait()
    wall, own, database = time.perf_counter() - wall, time.process_time() - own, cpu_of(postmaster) - database
    stop.set()
    await running
    each = 1000 / total
    print(
        f"backlog of {notifications} x {endpoints} endpoints: {total / wall:.0f} deliveries/s; CPU each: worker {own * each:.3f} ms, "
        f"PostgreSQL {database * each:.3f} ms; a worker's core: {total / own:.0f}/s, both together: {total / (own + database):.0f}/s"
    )


async def steady(world: DeliveryWorld, worker: Deliverer, arrived: Path) -> None:
    """Number notifications at a steady rate and see when they arrive."""
    stop, committed = asyncio.Event(), dict[str, int]()
    running = asyncio.create_task(worker.run(stop))
    seen = len(arrived.read_bytes())
    began = time.monotonic()
    for number in range(STEADY_PER_S * STEADY_S):
        await asyncio.sleep(max(0.0, began + number / STEADY_PER_S - time.monotonic()))
        (id_,) = await world.notify([f"{number % 997:05d}"])  # type: ignore[arg-type]
        committed[f"ntf_{id_.hex}"] = time.monotonic_ns()
        worker.wake()
    await asyncio.sleep(1)
    stop.set()
    await running
    first: dict[str, int] = {}
    for line in arrived.read_bytes()[seen:].decode().splitlines():
        id_text, at = line.split()
        first.setdefault(id_text, int(at))
    waits = sorted((first[id_text] - at) / 1e6 for id_text, at in committed.items())
    print(
        f"{STEADY_PER_S}/s for {STEADY_S} s, commit to arrival: p50 {waits[len(waits) // 2]:.1f} ms, "
        f"p99 {waits[int(len(waits) * 0.99)]:.1f} ms, most {waits[-1]:.1f} ms"
    )


async def measure(url: str, port: int, arrived: Path, notifications: int, endpoints: int, postmaster: int) -> None:
    loop = type(asyncio.get_running_loop()).__module__
    flushes = await flushes_per_s(url)
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {loop}, {flushes:.0f} flushes/s")
    await migrate_up(url, NETWORK)
    engine = make_engine(url, NETWORK, Role.WORK, name="bench")
    world = DeliveryWorld(engine, clock=SystemClock())  # type: ignore[arg-type]
    await world.add_organization(world.home)
    sender = WebhookSender(Guard([Allowance.parse("http://127.0.0.0/8")]))
    world.senders.append(sender)
    for number in range(endpoints):
        await world.subscribe(f"http://127.0.0.1:{port}/{number}")
    worker = world.deliverer(sender)
    await drain(world, worker, notifications, endpoints, postmaster)
    async with world.transaction() as raw:
        await raw.execute("update subscription set status = 'paused' where id <> (select min(id::text)::uuid from subscription)")
    await steady(world, world.deliverer(sender), arrived)
    if world.defects:
        print("defects:", {type(error).__name__ for error in world.defects})
    await sender.close()
    await engine.dispose()


def main(notifications: int, endpoints: int) -> None:
    """Start database and receiver, and measure."""
    with tempfile.TemporaryDirectory(prefix="handoff-bench-") as folder, receiver_process() as (port, arrived):
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "data") as server:
            postmaster = server.server_pid()
            assert postmaster is not None
            uvloop.run(measure(server.url, port, arrived, notifications, endpoints, postmaster))


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(given[0] if given else 2000, given[1] if len(given) > 1 else 16)

"""Room 8 whole: fan out, claim, ask again, sign, send, record. PostgreSQL that flushes, and a receiver in its own process (P5).

Not here: HTTP clients compared (tests/adapters/webhook/bench_clients.py, decision 0002).
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from adapters.postgresql.embedded import EmbeddedPostgres
from app.actions.deliver import Delivered
from app.store.engine import make_engine
from app.store.roles import Network, Role
from migrations.run import migrate_up
from tests.actions.delivery_world import DeliveryWorld, delivery_world
from tests.load.limits import Say
from tests.load.machine import percentile, processor_s
from tests.load.receiver import receiver_process

NETWORK = Network("handoff")
ENDPOINTS = 16
PER_PERSON = 4
STEADY_PER_S, STEADY_S = 100, 10
AT_ONCE = 64
BODY = b'{"type": "encounter.discharged"}'.ljust(2_000)


class _SystemClock:
    def now(self) -> datetime:
        return datetime.now(tz=UTC)


async def measure(say: Say, title: Callable[[str], None], folder: Path, notifications: int) -> None:
    """Deliver a backlog to all endpoints, then single notifications at a steady rate, beside a bare client's rate."""
    title(f"Webhooks: {notifications:,} notifications to {ENDPOINTS} endpoints each, one delivering process")
    folder.mkdir()
    with EmbeddedPostgres(folder / "data") as server, receiver_process(folder / "arrived") as port:
        server_pid = server.server_pid()
        assert server_pid is not None
        await migrate_up(server.url, NETWORK)
        engine = make_engine(server.url, NETWORK, Role.WORK, name="bench")
        async with delivery_world(engine) as world:
            world.clock = _SystemClock()  # type: ignore[assignment]
            url = f"http://127.0.0.1:{port}"
            for number in range(ENDPOINTS):
                await world.subscribe(f"{url}/{number}")
            raw = await _bare_rate(url, notifications * 4)
            say("raw requests of a bare client, nothing signed or recorded", raw, "requests/s", f"{AT_ONCE} at once")
            await _drain(say, world, notifications, server_pid, raw)
            async with world.transaction() as raw_connection:
                await raw_connection.execute(
                    "update subscription set status = 'paused' where id <> (select min(id::text)::uuid from subscription)"
                )
            await _steady(say, world, folder / "arrived")
            assert world.defects == []
        await engine.dispose()


async def _bare_rate(url: str, requests: int) -> float:
    """Post as many bodies as fast as one client can."""
    left = iter(range(requests))

    async def post(session: aiohttp.ClientSession) -> None:
        for _ in left:
            async with session.post(url, data=BODY) as answer:
                await answer.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:
        started_s = time.perf_counter()
        await asyncio.gather(*(post(session) for _ in range(AT_ONCE)))
        return requests / (time.perf_counter() - started_s)


async def _drain(say: Say, world: DeliveryWorld, notifications: int, server_pid: int, raw: float) -> None:
    total, recorded, done, stop = notifications * ENDPOINTS, 0, asyncio.Event(), asyncio.Event()

    def count(delivered: Delivered) -> None:
        nonlocal recorded
        recorded += delivered.recorded
        if recorded >= total:
            done.set()

    people = [f"{number // PER_PERSON:05d}" for number in range(notifications)]
    for start in range(0, notifications, 500):
        await world.notify(people[start : start + 500])  # type: ignore[arg-type]  # names of more than one letter
    worker = world.deliverer()
    worker._on_recorded = count
    started_s, own_s, database_s = time.perf_counter(), time.process_time(), processor_s([server_pid])
    running = asyncio.create_task(worker.run(stop))
    await done.wait()
    took_s, own_s, database_s = time.perf_counter() - started_s, time.process_time() - own_s, processor_s([server_pid]) - database_s
    stop.set()
    await running
    say("P5 delivered, signed and recorded", total / took_s, "deliveries/s", f"{total / took_s / raw:.2f} of the bare client")
    say("P5 deliveries a core of the delivering process", total / own_s, "/s", "must 1,000, aim 3,000")
    say("processor time a delivery, PostgreSQL", database_s / total * 1000, "ms")


async def _steady(say: Say, world: DeliveryWorld, arrived: Path) -> None:
    stop, committed = asyncio.Event(), dict[str, int]()
    worker = world.deliverer()
    running = asyncio.create_task(worker.run(stop))
    seen = arrived.stat().st_size
    began_s = time.monotonic()
    for number in range(STEADY_PER_S * STEADY_S):
        await asyncio.sleep(max(0.0, began_s + number / STEADY_PER_S - time.monotonic()))
        (id_,) = await world.notify([f"{number % 997:05d}"])  # type: ignore[arg-type]
        committed[f"ntf_{id_.hex}"] = time.monotonic_ns()
        worker.wake()
    await asyncio.sleep(1)
    stop.set()
    await running
    first: dict[str, int] = {}
    for line in arrived.read_bytes()[seen:].decode().splitlines():
        notification, at = line.split()
        first.setdefault(notification, int(at))
    waits = sorted((first[notification] - at) / 1e6 for notification, at in committed.items())
    say(f"P5 commit to POST at {STEADY_PER_S}/s, p50", percentile(waits, 50), "ms")
    say(f"P5 commit to POST at {STEADY_PER_S}/s, p99", percentile(waits, 99), "ms", "aim 250")

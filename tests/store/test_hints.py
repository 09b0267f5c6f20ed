"""Hints between processes: heard by everybody of the network, gathered, never needed, and restored when the database comes back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.store.hints import SEND_INTERVAL_S, Hints, Place, channel_of, hint_once, payloads
from app.store.roles import Network
from tests.support.databases import Database


class Heard:
    """What one process heard."""

    def __init__(self) -> None:
        self.topics: list[str] = []
        self.places: list[Place] = []
        self.lost: list[BaseException] = []
        self.restored = 0
        self._news = asyncio.Event()

    def hear(self, topic: str) -> None:
        self.topics.append(topic)
        self._news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await self._news.wait()


@asynccontextmanager
async def line(database: Database, network: Network | None = None, name: str = "tests") -> AsyncIterator[tuple[Hints, Heard]]:
    """A line that is up."""
    heard = Heard()

    def restored() -> None:
        heard.restored += 1

    hints = Hints(
        database.url,
        network or database.network,
        name=name,
        on_hint=heard.hear,
        on_lost=heard.lost.append,
        on_restored=restored,
        on_place=heard.places.append,
    )
    task = asyncio.create_task(hints.run())
    try:
        # The empty topic: the line is up, and anything may have happened before.
        await heard.until(lambda: "" in heard.topics)
        yield hints, heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_hint_is_heard_by_every_process_of_the_network_and_no_other(database: Database) -> None:
    async with line(database) as (mine, heard), line(database) as (_, neighbour), line(database, Network("elsewhere")) as (_, stranger):
        mine.wake("inbound")
        mine.wake("notification:0199a4c0-7c5d-7e0f-b1d2-c3a4e5f60718")
        await neighbour.until(lambda: len(neighbour.topics) >= 3)
        await heard.until(lambda: len(heard.topics) >= 3)
        assert set(neighbour.topics) == set(heard.topics) == {"", "inbound", "notification:0199a4c0-7c5d-7e0f-b1d2-c3a4e5f60718"}
        assert stranger.topics == [""]


async def test_hints_are_gathered_and_the_first_one_does_not_wait(database: Database) -> None:
    async with line(database) as (mine, heard):
        began = asyncio.get_running_loop().time()
        for number in range(500):
            mine.wake("inbound")
            mine.wake(f"notification:{UUID(int=number % 5)}")
            if number % 10 == 0:
                await asyncio.sleep(0)
        await heard.until(lambda: len(set(heard.topics)) == 7)
        took = asyncio.get_running_loop().time() - began
        assert mine.sent <= took / SEND_INTERVAL_S + 2
        assert heard.topics.count("inbound") <= mine.sent


async def test_a_process_knows_its_place_among_its_like(database: Database) -> None:
    async with line(database, name="worker a") as (_, first), line(database, name="worker b") as (_, other):
        async with line(database, name="worker a") as (_, second):
            await second.until(lambda: bool(second.places) and second.places[-1].of == 2)
            assert {second.places[-1].index} <= {0, 1}
        assert first.places[0].index == 0
        await other.until(lambda: bool(other.places))
        assert other.places[-1] == Place(index=0, of=1)


async def test_a_line_that_is_cut_is_put_up_again(database: Database) -> None:
    async with line(database) as (mine, heard):
        admin = await asyncpg.connect(database.url)
        try:
            await admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid() and application_name like 'tests%'"
            )
        finally:
            await admin.close()
        await heard.until(lambda: heard.restored == 1)
        assert len(heard.lost) == 1
        # Said again: anything may have been missed meanwhile.
        assert heard.topics.count("") == 2
        mine.wake("delivery")
        await heard.until(lambda: "delivery" in heard.topics)


async def test_without_a_line_the_own_process_hears_at_once() -> None:
    heard = Heard()
    hints = Hints("postgresql://nobody@127.0.0.1:1/none", Network("handoff"), name="tests", on_hint=heard.hear, on_lost=heard.lost.append)
    hints.wake("inbound")
    assert heard.topics == ["inbound"]
    task = asyncio.create_task(hints.run())
    await heard.until(lambda: bool(heard.lost))
    hints.wake("delivery")
    assert heard.topics == ["inbound", "delivery"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_command_sends_one_hint_and_misses_nothing_when_it_cannot(database: Database) -> None:
    async with line(database) as (_, heard):
        await hint_once(database.url, database.network, "inbound")
        await heard.until(lambda: "inbound" in heard.topics)
    await hint_once("postgresql://nobody@127.0.0.1:1/none", database.network, "inbound")


@given(st.sets(st.from_regex(r"[a-z]{1,12}(:[0-9a-f-]{36})?", fullmatch=True), max_size=600))
def test_payloads_hold_every_topic_once_and_fit(topics: set[str]) -> None:
    packed = list(payloads(topics))
    assert sorted(topic for payload in packed for topic in payload.split("\n")) == sorted(topics)
    assert all(len(payload.encode()) < 8000 for payload in packed)


@pytest.mark.parametrize("name", ["handoff", "a" * 41])
def test_a_channel_is_a_name_that_postgresql_takes(name: str) -> None:
    assert len(channel_of(Network(name))) < 64

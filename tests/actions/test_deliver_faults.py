"""Delivery when the database fails at every statement in turn, and when a worker dies between any two: nothing lost, nothing out of order.

After each fault the worker is gone: what it leased comes back when the lease ends, and another goes on. Allowed: that something
arrives twice under the same webhook-id. Never: that it does not arrive, or a person's later notification before an earlier one.
"""

import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.actions.deliver import Deliverer
from app.store.raw import Raw
from tests.actions.delivery_world import DeliveryWorld, delivery_world
from tests.adapters.webhook.receiver import Receiver, answer, receiving

PEOPLE = "pqpqrp"


@pytest.fixture
async def world(engine_work: AsyncEngine) -> AsyncIterator[DeliveryWorld]:
    async with delivery_world(engine_work) as made:
        yield made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


class Faulty:
    """A connection that passes statements on until it is told to fail, before or after the database has done its part."""

    def __init__(self, raw: Raw, counter: list[int], *, lost_answer: bool) -> None:
        self._raw = raw
        self._counter = counter
        self._lost_answer = lost_answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    async def _run(self, name: str, *arguments: Any) -> Any:
        self._counter[0] -= 1
        if self._counter[0] == 0 and not self._lost_answer:
            raise asyncpg.ConnectionDoesNotExistError
        answered = await getattr(self._raw, name)(*arguments)
        if self._counter[0] == 0:
            raise asyncpg.ConnectionDoesNotExistError
        return answered

    async def fetch(self, *arguments: Any) -> Any:
        return await self._run("fetch", *arguments)

    async def execute(self, *arguments: Any) -> Any:
        return await self._run("execute", *arguments)


def failing_worker(world: DeliveryWorld, counter: list[int], *, lost_answer: bool) -> Deliverer:
    """Give a worker whose N-th statement fails."""

    @asynccontextmanager
    async def transaction() -> AsyncIterator[Any]:
        async with world.transaction() as raw:
            yield Faulty(raw, counter, lost_answer=lost_answer)

    worker = world.deliverer()
    worker._transaction = transaction
    return worker


def assert_everything_arrived_in_order(receiver: Receiver, expected: int) -> None:
    first_of: dict[str, list[int]] = defaultdict(list)
    ids: dict[int, set[str]] = defaultdict(set)
    bodies: dict[int, set[bytes]] = defaultdict(set)
    for request in receiver.requests:
        data = json.loads(request.body)["data"]
        if data["sequence"] not in first_of[data["person"]["id"]]:
            first_of[data["person"]["id"]].append(data["sequence"])
        ids[data["sequence"]].add(request.headers["webhook-id"])
        bodies[data["sequence"]].add(request.body)
    assert sorted(ids) == list(range(1, expected + 1))
    assert all(line == sorted(line) for line in first_of.values())
    assert all(len(one) == 1 for one in ids.values()), "the same notification has one id"
    assert all(len(one) == 1 for one in bodies.values()), "and one body"


@pytest.mark.parametrize("lost_answer", [False, True], ids=["refused", "answer lost"])
async def test_a_fault_at_every_statement(world: DeliveryWorld, receiver: Receiver, lost_answer: bool) -> None:
    shown = await world.subscribe(receiver.url())
    notified, survived = 0, False
    for statement in range(1, 40):
        await world.notify(PEOPLE)
        notified += len(PEOPLE)
        counter = [statement]
        try:
            for _ in range(3):
                await failing_worker(world, counter, lost_answer=lost_answer).deliver_once()
        except asyncpg.ConnectionDoesNotExistError:
            pass
        else:
            survived = True
        await world.leases_run_out()
        if survived:
            break
    assert survived, "the fault moved through every statement of three rounds"
    await world.drain(world.deliverer())
    assert_everything_arrived_in_order(receiver, notified)
    assert set((await world.states(shown.subscription.id)).values()) == {"delivered"}
    assert len(receiver.requests) <= notified + statement * len(set(PEOPLE)), "at most what one worker had in its hands arrives twice"


async def test_a_worker_that_dies_between_any_two_steps(world: DeliveryWorld, receiver: Receiver) -> None:
    """After claiming; after sending some; after sending all; with the receiver failing now and then."""
    shown = await world.subscribe(receiver.url())
    for sent_before_death in (0, 1, 2, 3):
        receiver.script = [answer(500)]
        await world.notify(PEOPLE)
        doomed = world.deliverer()
        assignments, _ = await doomed._claim()
        for assignment in assignments[:sent_before_death]:
            await doomed._send(assignment)
        await world.leases_run_out()
        await world.drain(world.deliverer())
        world.later(minutes=10)
    await world.drain(world.deliverer())
    assert_everything_arrived_in_order(receiver, 4 * len(PEOPLE))
    assert set((await world.states(shown.subscription.id)).values()) == {"delivered"}

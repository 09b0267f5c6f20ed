"""Any order, repetition, batch size and number of workers ends in the same truth (DESIGN section 2.4; reliability.md R7, R8).

The real door and the real rooms on a real database. `TEST_PROPERTIES=deep` looks for minutes instead of seconds.
"""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.properties.messages import Story, stamp, stories
from tests.properties.world import Claimed, World, drain, outcomes, send, truth
from tests.support import databases
from tests.support.databases import Database
from tests.support.messages import adt

DEEP = os.environ.get("TEST_PROPERTIES") == "deep"
QUIETLY = {
    "deadline": None,
    "derandomize": not DEEP,
    "database": None,
    "phases": (Phase.generate, Phase.shrink) if DEEP else (Phase.generate,),
    "suppress_health_check": list(HealthCheck),
}
Step = bytes | Claimed


@pytest.fixture(scope="module")
def own_database(server_url: str, template: str, worker_database_name: str) -> Database:
    """A database for the examples of this module, which run in event loops of their own."""

    async def make() -> Database:
        name = f"{worker_database_name}_any_order"
        await databases.make_template(server_url, template)
        await databases.drop(server_url, name)
        return await databases.clone(server_url, template, name)

    return asyncio.run(make())


async def in_a_world(database: Database, folder: Path, work: Callable[[World], Awaitable[Any]]) -> Any:
    world = World(database, folder)
    try:
        await (await world.open()).close()
        world.engines.clear()
        return await work(world)
    finally:
        await world.close()
        await databases.empty(database)


async def one_by_one(world: World, steps: Sequence[Step], *, with_states: bool = True) -> dict[str, Any]:
    """The plain run: one message at a time, one worker."""
    intake, pipeline = world.intake(), world.pipeline()
    for step in steps:
        await (world.claim(step) if isinstance(step, Claimed) else send(intake, step))
        await drain(world, [pipeline], random.Random(0), 1)
    await intake.close()
    return await truth(world, with_states=with_states)


async def all_at_once(
    world: World, steps: Sequence[Step], chance: random.Random, workers: int, most: int, *, with_states: bool = True
) -> dict[str, Any]:
    """The rough run: workers drain while messages come in."""
    intake = world.intake()
    pipelines = [world.pipeline() for _ in range(workers)]

    async def arrive() -> None:
        for step in steps:
            await (world.claim(step) if isinstance(step, Claimed) else send(intake, step))

    await asyncio.gather(arrive(), drain(world, pipelines, chance, most))
    await drain(world, pipelines, chance, most)
    await intake.close()
    sent = {step for step in steps if isinstance(step, bytes)}
    assert await outcomes(world) == {"processed": len(sent)}
    return await truth(world, with_states=with_states)


def compare(plain: dict[str, Any], rough: dict[str, Any]) -> None:
    for part, said in plain.items():
        assert rough[part] == said, part


@settings(max_examples=400 if DEEP else 14, **QUIETLY)  # type: ignore[arg-type]
@given(stories(), st.integers(0, 1 << 32), st.integers(1, 3), st.integers(1, 16))
def test_any_order_and_repetition_with_any_workers_ends_in_one_truth(
    own_database: Database, tmp_path_factory: pytest.TempPathFactory, story: Story, seed: int, workers: int, most: int
) -> None:
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("world")
    steps: list[Step] = [*story.claims, *(message.bytes() for message in story.messages)]
    rough = [*steps, *(chance.choice(story.messages).bytes() for _ in range(3))]
    chance.shuffle(rough)
    note(f"{[(one.trigger, dict(one.fields)) for one in story.messages]} {story.claims}")

    async def both() -> None:
        expected = await in_a_world(own_database, folder, lambda world: one_by_one(world, steps))
        found = await in_a_world(own_database, folder, lambda world: all_at_once(world, rough, chance, workers, most))
        compare(expected, found)

    asyncio.run(both())


@settings(max_examples=150 if DEEP else 5, **QUIETLY)  # type: ignore[arg-type]
@given(stories(), st.integers(0, 1 << 32))
def test_the_same_events_sent_again_under_other_control_ids_change_nothing(
    own_database: Database, tmp_path_factory: pytest.TempPathFactory, story: Story, seed: int
) -> None:
    """Domain section 5: a repeated A03 is the same discharge. The bytes differ, so each is a message and an event of its own."""
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("world")
    steps: list[Step] = [*story.claims, *(message.bytes() for message in story.messages)]
    rough = [*steps, *(message.again().bytes() for message in story.messages)]
    chance.shuffle(rough)
    note(f"{[(one.trigger, dict(one.fields)) for one in story.messages]} {story.claims}")

    async def both() -> None:
        expected = await in_a_world(own_database, folder, lambda world: one_by_one(world, steps, with_states=False))
        found = await in_a_world(own_database, folder, lambda world: all_at_once(world, rough, chance, 2, 16, with_states=False))
        compare(expected, found)

    asyncio.run(both())


def life(number: int) -> list[bytes]:
    """A stay with its cancels, and the merge of the record it was written under; one of many alike."""
    letters = "".join(chr(ord("a") + int(digit)) for digit in str(number))
    about: dict[str, Any] = {"name": f"Alder{letters}^Ann", "medicaid": f"MC{number}", "visit": f"V{number}", "mrn": f"M{number}"}
    merge: dict[str, Any] = {**about, "mrn": f"N{number}", "merged": f"M{number}", "patient_class": None}
    events = [
        ("A01", 0, {}),
        ("A08", 1, {"diagnoses": (("F32.2", "W"),)}),
        ("A03", 2, {"disposition": "01"}),
        ("A13", 3, {}),
        ("A11", 4, {}),
    ]
    sent = [adt(trigger, stamp(hour), control=f"{trigger}{number}", **about, **fields) for trigger, hour, fields in events]
    return [*sent, adt("A40", stamp(5), control=f"A40{number}", **merge)]


def test_all_orders_of_a_stay_with_its_cancels_and_a_merge_converge(own_database: Database, tmp_path: Path) -> None:
    """R8: the orders of {A01, A08, A03, A13, A11, A40}, each with a duplicate, each of its own patient; two workers, big batches."""
    chance = random.Random(8)
    orders = list(permutations(range(6)))
    orders = orders if DEEP else [*orders[:2], *chance.sample(orders, 98)]
    waves: list[list[bytes]] = [[] for _ in range(7)]
    for number, order in enumerate(orders):
        messages = life(number)
        for wave, position in enumerate(order):
            waves[wave].append(messages[position])
        waves[6].append(chance.choice(messages))

    async def run(world: World) -> None:
        intake, pipelines = world.intake(), [world.pipeline(), world.pipeline()]
        await asyncio.gather(*(world.claim(Claimed("Home H", medicaid=f"MC{number}")) for number in range(0, len(orders), 2)))
        for wave in waves:
            await asyncio.gather(*(send(intake, message) for message in wave))
            await drain(world, pipelines, chance, 256)
        await intake.close()
        found = await truth(world)
        stays = {tuple(sorted((name, repr(value)) for name, value in said.items() if name in KEPT)) for said in found["stays"].values()}
        assert len(found["stays"]) == len(orders)
        assert stays == {(("class", "'inpatient'"), ("discharged_at", "None"), ("disposition", "None"), ("status", "'cancelled'"))}
        assert found["told"] == {}
        assert found["follow_ups"] == {}
        assert all("|M" in person and "|N" in person for person in found["people"])

    asyncio.run(in_a_world(own_database, tmp_path, run))


KEPT = ("status", "class", "discharged_at", "disposition")

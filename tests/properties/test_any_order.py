"""Any order, repetition, batch size and number of workers ends in the same truth (DESIGN section 2.4, ADT-4; reliability.md R7, R8).

The real door and the real rooms on a real database. `TEST_PROPERTIES=deep` looks for minutes instead of seconds.
"""

import asyncio
import os
import random
import re
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
from tests.support.messages import adt, patient

DEEP = os.environ.get("TEST_PROPERTIES") == "deep"
QUIETLY = {
    "deadline": None,
    "derandomize": not DEEP,
    "database": None,
    "phases": (Phase.explicit, Phase.generate, Phase.shrink) if DEEP else (Phase.explicit, Phase.generate),
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


Life = Callable[[int], list[bytes]]


def about(number: int, **more: Any) -> dict[str, Any]:
    """Words of which only these know: what one order of a life does must not meet what another does."""
    letters = "".join(chr(ord("a") + int(digit)) for digit in str(number))
    return {"name": f"Alder{letters}^Ann", "medicaid": f"MC{number}", "visit": f"V{number}", "mrn": f"M{number}"} | more


def cancelled_and_merged(number: int) -> list[bytes]:
    """R8: {A01, A08, A03, A13, A11, A40}."""
    merge: dict[str, Any] = about(number, mrn=f"N{number}", merged=f"M{number}", patient_class=None)
    events = [
        ("A01", 0, {}),
        ("A08", 1, {"diagnoses": (("F32.2", "W"),)}),
        ("A03", 2, {"disposition": "01"}),
        ("A13", 3, {}),
        ("A11", 4, {}),
    ]
    sent = [adt(trigger, stamp(hour), control=f"{trigger}{number}", **about(number), **fields) for trigger, hour, fields in events]
    return [*sent, adt("A40", stamp(5), control=f"A40{number}", **merge)]


def under_another_patients_number(number: int) -> list[bytes]:
    """A readmission is entered under the wrong patient and corrected to the right one: then the wrong one's earlier stay had none."""
    wrong = about(number)
    right = about(number, mrn=f"N{number}", name=wrong["name"].replace("Ann", "Beth"), medicaid=f"MD{number}")
    return [
        adt("A01", stamp(0), control=f"1{number}", **wrong),
        adt("A03", stamp(2), control=f"2{number}", disposition="01", **wrong),
        adt("A08", stamp(3), control=f"3{number}", **right),
        adt("A04", stamp(10), control=f"4{number}", **{**right, "visit": f"W{number}", "patient_class": "E"}),
        adt("A03", stamp(-30), control=f"5{number}", disposition="01", **{**wrong, "visit": f"Y{number}"}),
    ]


def merged_into_one_and_then_into_another(number: int) -> list[bytes]:
    """The later merge of a record counts; the people who lost it and got it are told so."""
    other = about(number, name=about(number)["name"].replace("Ann", "Beth"), medicaid=f"MD{number}")
    return [
        adt("A01", stamp(0), control=f"1{number}", **{**about(number), "medicaid": None}),
        adt("A40", stamp(4), control=f"2{number}", **about(number, mrn=f"N{number}", merged=f"M{number}", patient_class=None)),
        adt("A40", stamp(5), control=f"3{number}", **{**other, "mrn": f"P{number}", "merged": f"M{number}", "patient_class": None}),
        adt("A03", stamp(9), control=f"4{number}", disposition="01", **{**about(number), "medicaid": None}),
        adt("A04", stamp(20), control=f"5{number}", **{**other, "mrn": f"P{number}", "visit": f"W{number}", "patient_class": "E"}),
    ]


def namesakes_until_one_name_is_corrected(number: int) -> list[bytes]:
    """Two hospitals have the same name and birth date; a third record keeps them apart until its name is corrected."""
    alone = about(number, medicaid=None)
    elsewhere = {**alone, "facility": "HOSPB", "application": "CERNER", "mrn": f"X{number}"}
    return [
        adt("A01", stamp(0), control=f"1{number}", **{**alone, "medicaid": f"MC{number}"}),
        adt("A01", stamp(30), control=f"2{number}", **elsewhere),
        adt("A03", stamp(40), control=f"3{number}", disposition="01", **elsewhere),
        adt("A28", stamp(1), control=f"4{number}", **{**alone, "mrn": f"N{number}", "patient_class": None}),
        adt("A31", stamp(2), control=f"5{number}", **{**alone, "mrn": f"N{number}", "name": "Other^Olga", "patient_class": None}),
    ]


def two_visit_numbers_that_were_one_stay(number: int) -> list[bytes]:
    """A42, and messages under either number; both were told and followed up."""
    one, other = about(number), about(number, visit=f"W{number}")
    return [
        adt("A01", stamp(0), control=f"1{number}", **one),
        adt("A01", stamp(2), control=f"2{number}", **other),
        adt("A42", stamp(3), control=f"3{number}", mrg={5: f"W{number}^^^HOSPA^VN"}, **one),
        adt("A03", stamp(20), control=f"4{number}", disposition="01", **other),
        adt("A08", stamp(21), control=f"5{number}", diagnoses=(("F32.2", "F"),), **one),
    ]


def a_visit_number_that_changes_twice(number: int) -> list[bytes]:
    """A50 to one number, and then the same number to another: the later one counts."""
    return [
        adt("A01", stamp(0), control=f"1{number}", **about(number)),
        adt("A50", stamp(3), control=f"2{number}", mrg={5: f"V{number}^^^HOSPA^VN"}, **about(number, visit=f"W{number}")),
        adt("A50", stamp(4), control=f"3{number}", mrg={5: f"V{number}^^^HOSPA^VN"}, **about(number, visit=f"Y{number}")),
        adt("A03", stamp(20), control=f"4{number}", disposition="01", **about(number, visit=f"Y{number}")),
        adt("A04", stamp(30), control=f"5{number}", **about(number, visit=f"W{number}", patient_class="E")),
    ]


def visit_numbers_retired_into_each_other(number: int) -> list[bytes]:
    """Two A42 that contradict each other, the second backwards: the later one counts, and nothing is lost."""
    one, other = about(number), about(number, visit=f"W{number}")
    return [
        adt("A01", stamp(0), control=f"1{number}", **one),
        adt("A03", stamp(20), control=f"2{number}", disposition="01", **other),
        adt("A42", stamp(3), control=f"3{number}", mrg={5: f"W{number}^^^HOSPA^VN"}, **one),
        adt("A42", stamp(4), control=f"4{number}", mrg={5: f"V{number}^^^HOSPA^VN"}, **other),
    ]


def an_account_that_was_somebody_elses(number: int) -> list[bytes]:
    """A44: the account goes to the right patient with the stays that are on it; the wrong one's home is told that it was not theirs."""
    wrong = about(number, account=f"X{number}")
    right = about(number, mrn=f"N{number}", name=wrong["name"].replace("Ann", "Beth"), medicaid=f"MD{number}", account=f"X{number}")
    return [
        adt("A01", stamp(0), control=f"1{number}", **wrong),
        adt("A03", stamp(2), control=f"2{number}", disposition="01", **wrong),
        adt("A44", stamp(3), control=f"3{number}", mrg={1: f"M{number}^^^HOSPA^MR"}, **{**right, "patient_class": None}),
        adt("A03", stamp(-30), control=f"4{number}", disposition="01", **{**wrong, "visit": f"Y{number}", "account": None}),
        adt("A03", stamp(-90), control=f"5{number}", disposition="01", **{**right, "visit": f"W{number}", "account": None}),
    ]


def a_visit_that_was_somebody_elses(number: int) -> list[bytes]:
    """A45: only the visit moves."""
    wrong = about(number)
    right = about(number, mrn=f"N{number}", name=wrong["name"].replace("Ann", "Beth"), medicaid=f"MD{number}")
    return [
        adt("A01", stamp(0), control=f"1{number}", **wrong),
        adt("A03", stamp(2), control=f"2{number}", disposition="01", **wrong),
        adt("A45", stamp(3), control=f"3{number}", mrg={1: f"M{number}^^^HOSPA^MR", 5: f"V{number}^^^HOSPA^VN"}, **right),
        adt("A03", stamp(-30), control=f"4{number}", disposition="01", **{**wrong, "visit": f"Y{number}"}),
    ]


def linked_and_parted(number: int) -> list[bytes]:
    """A24, A37 and A24 again: the latest counts, and what an A40 joined besides stays joined."""
    alone = {**about(number), "medicaid": None, "patient_class": None}
    other = patient(f"N{number}", name=about(number)["name"].replace("Ann", "Beth"))
    return [
        adt("A01", stamp(0), control=f"1{number}", **about(number)),
        adt("A03", stamp(9), control=f"2{number}", disposition="01", **{**about(number), "medicaid": None, "mrn": f"N{number}"}),
        adt("A24", stamp(2), control=f"3{number}", extra=(other,), **alone),
        adt("A37", stamp(3), control=f"4{number}", extra=(other,), **alone),
        adt("A24", stamp(4), control=f"5{number}", extra=(other,), **alone),
    ]


def a_record_that_moves(number: int) -> list[bytes]:
    """A43: a record was merged into one patient and moved to another."""
    alone = {**about(number), "medicaid": None}
    other = about(number, mrn=f"P{number}", name=about(number)["name"].replace("Ann", "Cleo"), medicaid=f"MD{number}", patient_class=None)
    away = {1: f"M{number}^^^HOSPA^MR", 4: f"N{number}^^^HOSPA^MR"}
    return [
        adt("A01", stamp(0), control=f"1{number}", **alone),
        adt("A40", stamp(1), control=f"2{number}", **{**alone, "mrn": f"N{number}", "merged": f"M{number}", "patient_class": None}),
        adt("A43", stamp(2), control=f"3{number}", moved_to=f"P{number}", mrg=away, **{**alone, "patient_class": None}),
        adt("A31", stamp(3), control=f"4{number}", **other),
        adt("A03", stamp(9), control=f"5{number}", disposition="01", **alone),
    ]


def two_who_swap_beds(number: int) -> list[bytes]:
    """A17: two patients in one message, each with a stay of their own."""
    one = about(number)
    other = about(number, mrn=f"N{number}", name=one["name"].replace("Ann", "Beth"), medicaid=f"MD{number}", visit=f"W{number}")
    second = (
        patient(f"N{number}", name=str(other["name"]), medicaid=f"MD{number}"),
        f"PV1|1|I|MED^101^1^HOSPA||||||||||||||||W{number}^^^HOSPA^VN",
    )
    return [
        adt("A01", stamp(0), control=f"1{number}", unit="MED", **one),
        adt("A01", stamp(1), control=f"2{number}", **other),
        adt("A17", stamp(2), control=f"3{number}", extra=second, **one),
        adt("A21", stamp(3), control=f"4{number}", **one),
        adt("A03", stamp(9), control=f"5{number}", disposition="01", **{name: value for name, value in other.items() if name != "unit"}),
    ]


LIVES_OF_ONE = (
    two_visit_numbers_that_were_one_stay,
    a_visit_number_that_changes_twice,
    visit_numbers_retired_into_each_other,
    an_account_that_was_somebody_elses,
    a_visit_that_was_somebody_elses,
    linked_and_parted,
    a_record_that_moves,
    two_who_swap_beds,
    cancelled_and_merged,
    under_another_patients_number,
    merged_into_one_and_then_into_another,
    namesakes_until_one_name_is_corrected,
)
FIRST = 100
"""Numbers of three digits: none is a part of another."""


@pytest.mark.parametrize("at_once", [False, True], ids=["one-after-the-other", "all-at-once"])
@pytest.mark.parametrize("life", LIVES_OF_ONE, ids=[one.__name__ for one in LIVES_OF_ONE])
def test_all_orders_of_a_life_converge(own_database: Database, tmp_path: Path, life: Life, at_once: bool) -> None:
    """The orders of the messages of one life, each with a repetition and each of its own people; two workers, big batches."""
    chance = random.Random(8)
    orders = list(permutations(range(len(life(FIRST)))))
    kept = 40 if not DEEP else len(orders)
    orders = orders if len(orders) <= kept else [*orders[:2], *chance.sample(orders, kept - 2)]
    waves: list[list[bytes]] = [[] for _ in range(len(orders[0]) + 1)]
    for number, order in enumerate(orders, start=FIRST):
        messages = life(number)
        for wave, position in enumerate(order):
            waves[wave].append(messages[position])
        waves[-1].append(chance.choice(messages))

    async def run(world: World) -> None:
        intake, pipelines = world.intake(), [world.pipeline(), world.pipeline()]
        numbers = range(FIRST, FIRST + len(orders))
        await asyncio.gather(*(world.claim(Claimed("Home H", medicaid=f"MC{number}")) for number in numbers))
        await asyncio.gather(*(world.claim(Claimed("Plan P", medicaid=f"MD{number}")) for number in numbers))
        for wave in waves:
            sending = asyncio.gather(*(send(intake, message) for message in wave))
            await (asyncio.gather(sending, drain(world, pipelines, chance, 16)) if at_once else sending)
            await (asyncio.sleep(0) if at_once else drain(world, pipelines, chance, 256))
        await drain(world, pipelines, chance, 256)
        await intake.close()
        # The states hold hashes of the bytes, in which the numbers are.
        found = await truth(world, with_states=False)
        came_to = {number: in_other_words(found, number) for number in numbers}
        assert all(came_to[FIRST].values()) or life is cancelled_and_merged
        for said in came_to.values():
            compare(came_to[FIRST], said)

    asyncio.run(in_a_world(own_database, tmp_path, run))


def in_other_words(found: dict[str, Any], number: int) -> dict[str, Any]:
    """Give what one order came to, without the words that only it knows."""
    letters = "".join(chr(ord("a") + int(digit)) for digit in str(number))
    mine = re.compile(rf"(?<=[MNPVWXYCD]){number}(?!\d)")
    said: dict[str, Any] = {}
    for part, entries in found.items():
        lines = [repr(entry) for entry in (entries.items() if isinstance(entries, dict) else entries)]
        said[part] = sorted(mine.sub("#", line).replace(f"Alder{letters}", "Alder") for line in lines if mine.search(line))
    return said

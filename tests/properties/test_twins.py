"""The same stays sent as HL7 v2, as FHIR, or message by message as either end in one truth: people, stays, follow-ups, notifications.

`TEST_PROPERTIES=deep` looks for minutes instead of seconds.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from app.domain.inbound import AckCode, Door, Envelope, Format
from app.intake import Intake
from tests.properties.messages import CLAIMS, CLASSES, CODES, LIVES, stamp
from tests.properties.test_any_order import DEEP, QUIETLY
from tests.properties.world import NOW, Claimed, World, drain, outcomes, truth
from tests.support import databases
from tests.support.bundles import ACT, EVENTS, bundle, resource, written
from tests.support.bundles import CLASSES as FHIR_CLASSES
from tests.support.databases import Database
from tests.support.messages import adt

Event = tuple[str, dict[str, Any]]
TWIN_LIVES = [life for life in LIVES if EVENTS.keys() >= set(life)]
"""Leaves, plans and positions come by HL7 v2 alone."""


@pytest.fixture(scope="module")
def own_database(server_url: str, template: str, worker_database_name: str) -> Database:
    """A database for the examples of this module, which run in event loops of their own."""

    async def make() -> Database:
        name = f"{worker_database_name}_twins"
        await databases.make_template(server_url, template)
        await databases.drop(server_url, name)
        return await databases.clone(server_url, template, name)

    return asyncio.run(make())


@st.composite
def lives(draw: st.DrawFn) -> list[Event]:
    """Draw one to three stays of Ann, their events at instants of their own: what ties is decided by the bytes, which differ."""
    events: list[Event] = []
    for visit in range(draw(st.integers(1, 3))):
        hour = began = draw(st.integers(0, 300)) + visit / 7
        patient_class, changed = "I", began
        says_times = draw(st.booleans())
        for trigger in draw(st.sampled_from(TWIN_LIVES)):
            if CLASSES.get(trigger, patient_class) != patient_class or trigger == "A01":
                changed = hour
            patient_class = CLASSES.get(trigger, patient_class)
            fields: dict[str, Any] = {
                "at": stamp(hour),
                "visit": f"V{visit}",
                "patient_class": patient_class,
                "medicaid": draw(st.sampled_from(["MC1", None])),
                "diagnoses": tuple(draw(st.lists(st.sampled_from(CODES), max_size=2, unique=True))),
                "admitted": stamp(began) if says_times and trigger != "A05" else "",
                "changed": stamp(changed),
            }
            if trigger == "A03":
                fields |= {"disposition": draw(st.sampled_from(["01", "65", "20", ""])), "discharged": stamp(hour) if says_times else ""}
            if trigger == "A08" and draw(st.integers(0, 3)) == 0:
                fields["discharged"] = stamp(hour - 0.5)
            events.append((trigger, fields))
            hour += draw(st.sampled_from([0.25, 1, 24]))
    return events


def in_er7(number: int, event: Event) -> Envelope:
    trigger, fields = event
    given_fields = {name: value for name, value in fields.items() if name != "changed"}
    return Envelope(adt(trigger, control=f"C{number}", **given_fields), Door.MLLP, NOW)


def in_fhir(number: int, event: Event) -> Envelope:
    trigger, fields = event
    given_fields = {name: value for name, value in fields.items() if name != "changed"}
    if trigger == "A08" and fields.get("discharged"):
        given_fields["status"] = "finished"
    document = bundle(trigger, control=f"C{number}", **given_fields)
    # An admission keeps the period of the visit that it came of; since when it is one stands in classHistory.
    code = FHIR_CLASSES[fields["patient_class"]]
    history = {"class": {"system": ACT, "code": code}, "period": {"start": bundle_time(fields["changed"])}}
    resource(document, "Encounter")["classHistory"] = [history]
    return Envelope(written(document), Door.FHIR, NOW, format=Format.FHIR)


def bundle_time(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}+00:00"


async def in_a_world(database: Database, folder: Path, work: Callable[[World], Awaitable[Any]]) -> Any:
    world = World(database, folder)
    try:
        await (await world.open()).close()
        world.engines.clear()
        return await work(world)
    finally:
        await world.close()
        await databases.empty(database)


async def send(intake: Intake, envelope: Envelope) -> None:
    received = await intake.receive(envelope)
    assert received.answer.code is AckCode.AA, received.answer


async def run(world: World, envelopes: list[Envelope], claims: list[Claimed], *, all_at_once: bool = False) -> dict[str, Any]:
    intake, pipelines = world.intake(), [world.pipeline()]
    for claim in claims:
        await world.claim(claim)
    for envelope in envelopes:
        await send(intake, envelope)
        if not all_at_once:
            await drain(world, pipelines, random.Random(0), 1)
    await drain(world, pipelines, random.Random(0), 64)
    await intake.close()
    assert await outcomes(world) == {"processed": len(envelopes)}
    return await truth(world, with_states=False)


@settings(max_examples=150 if DEEP else 6, **QUIETLY)  # type: ignore[arg-type]
@given(lives(), st.lists(st.sampled_from(CLAIMS[:3]), min_size=1, max_size=3, unique=True), st.integers(0, 1 << 32))
def test_either_format_and_any_mixture_end_in_one_truth(
    own_database: Database, tmp_path_factory: pytest.TempPathFactory, events: list[Event], claims: list[Claimed], seed: int
) -> None:
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("world")
    note(f"{events} {claims}")
    er7 = [in_er7(number, event) for number, event in enumerate(events)]
    fhir = [in_fhir(number, event) for number, event in enumerate(events)]
    mixed = [chance.choice(pair) for pair in zip(er7, fhir, strict=True)]
    chance.shuffle(mixed)

    async def all_three() -> None:
        expected = await in_a_world(own_database, folder, lambda world: run(world, er7, claims))
        found = await in_a_world(own_database, folder, lambda world: run(world, fhir, claims))
        assert found == expected
        found = await in_a_world(own_database, folder, lambda world: run(world, mixed, claims, all_at_once=True))
        assert found == expected

    asyncio.run(all_three())

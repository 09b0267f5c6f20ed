"""One bad message: it is found and set aside, and the others are told as if it had never come (DESIGN section 2.3)."""

import asyncio
from dataclasses import replace

import pytest

from app import wiring
from app.domain.inbound import Format
from app.pipeline import BatchFailedError, Pipeline
from tests.chaos.conftest import outcome_of, waiting, worker
from tests.chaos.traps import EXIT_CODE, KILLS, RAISES, TrapError, TrappedReader
from tests.properties.world import World, send, truth
from tests.support.messages import adt

GOOD = 30


def visit(number: int) -> bytes:
    return adt("A01", "20260302150000+0000", control=f"C{number}", visit=f"V{number}", mrn=f"M{number % 7}")


def trap(kind: str) -> bytes:
    return adt("A01", "20260302150000+0000", control=kind, visit=kind, mrn=kind, extra=(f"ZTR|1|{kind}",))


async def drained_by(pipeline: Pipeline, batch: int) -> list[int]:
    """Work as the worker does: half as many after a failure. Give the sizes that failed."""
    most, failed = batch, []
    while True:
        try:
            worked = await pipeline.work_once(0, most)
        except BatchFailedError as error:
            failed.append(error.messages)
            most = max(1, error.messages // 2)
            continue
        if worked.idle:
            return failed
        most = min(batch, most * 2)


async def test_a_message_that_raises_is_set_aside_alone_and_its_reason_quotes_nothing(world: World) -> None:
    intake = world.intake()
    for number in range(GOOD):
        await send(intake, visit(number))
        if number == GOOD // 2:
            await send(intake, trap(RAISES))
    await intake.close()
    built = world.pipeline()
    pipeline = replace(built, rooms=replace(built.rooms, readers={Format.ER7: TrappedReader()}))
    failed = await drained_by(pipeline, 64)
    assert failed, "the batch never failed: the trap was not in it"
    assert len(failed) <= 6, "halving finds one of 31 in a few steps"
    assert {type(error) for error in world.defects} == {TrapError}
    async with wiring.open_transaction(world.engine())() as raw:
        rows = await raw.fetch(
            "select m.control_id, o.outcome, o.problems::text from inbound_outcome o join inbound_message m on m.id = o.message_id"
        )
    outcomes = {row["control_id"]: row["outcome"] for row in rows}
    assert outcomes == {RAISES: "set_aside", **{f"C{number}": "processed" for number in range(GOOD)}}
    (problems,) = (row["problems"] for row in rows if row["outcome"] == "set_aside")
    assert "TrapError at traps.py" in problems
    assert "Alder" not in problems
    told = (await truth(world))["told"]
    assert len(told) == GOOD
    # Replayed after the fault was mended, it is told like any other.
    async with wiring.open_transaction(world.engine())() as raw:
        await raw.execute("insert into inbound_queue (message_id, lane) select id, 0 from inbound_message where control_id = $1", RAISES)
    await drained_by(built, 64)
    assert await outcome_of(world, RAISES) == "processed"
    assert len((await truth(world))["told"]) == GOOD + 1


async def test_every_batch_size_isolates_several_bad_messages(world: World) -> None:
    intake = world.intake()
    for number in range(12):
        await send(intake, visit(number))
        if number % 4 == 0:
            await send(intake, adt("A01", "20260302150000+0000", control=f"X{number}", visit=f"X{number}", extra=(f"ZTR|1|{RAISES}",)))
    await intake.close()
    built = world.pipeline()
    await drained_by(replace(built, rooms=replace(built.rooms, readers={Format.ER7: TrappedReader()})), 5)
    async with wiring.open_transaction(world.engine())() as raw:
        rows = await raw.fetch("select outcome, count(*) as messages from inbound_outcome group by 1")
    assert {row["outcome"]: row["messages"] for row in rows} == {"processed": 12, "set_aside": 3}


@pytest.mark.timeout(90)
async def test_a_message_that_kills_its_worker_is_set_aside_after_three_attempts_and_nobody_else_is(world: World) -> None:
    """Attempts are counted when work is taken up (reliability.md, Poison)."""
    intake = world.intake()
    for number in range(GOOD):
        await send(intake, visit(number))
        if number == GOOD // 2:
            await send(intake, trap(KILLS))
    await intake.close()
    deaths = 0
    while await waiting(world):
        async with worker(world) as process:
            while process.returncode is None and await waiting(world):
                await asyncio.sleep(0.02)
            if process.returncode is not None:
                assert process.returncode == EXIT_CODE
                deaths += 1
                assert deaths <= 3, "the message that kills is taken up again and again"
    assert deaths == 3
    assert await outcome_of(world, KILLS) == "set_aside"
    assert {await outcome_of(world, f"C{number}") for number in range(GOOD)} == {"processed"}

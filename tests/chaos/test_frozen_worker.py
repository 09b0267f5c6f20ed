"""A worker that is killed or frozen in the middle of a batch: others take over, and when it wakes it does no harm."""

import asyncio
import os
import signal

import pytest

from tests.chaos.conftest import outcome_of, until, waiting, worker
from tests.chaos.traps import WAITS
from tests.properties.world import World, outcomes, send, truth
from tests.support.messages import adt

VISITS = 20
IDLE_MS = 1_500


def visit(number: int) -> bytes:
    return adt("A01", "20260302150000+0000", control=f"C{number}", visit=f"V{number}", mrn=f"M{number % 7}")


async def fill(world: World) -> None:
    """Queue stays, one of which holds its worker up in the middle of a batch."""
    intake = world.intake()
    await send(intake, adt("A01", "20260302150000+0000", control=WAITS, visit=WAITS, mrn="M0", extra=(f"ZTR|1|{WAITS}",)))
    for number in range(VISITS):
        await send(intake, visit(number))
    await intake.close()


@pytest.mark.timeout(90)
async def test_a_frozen_worker_loses_its_lanes_and_does_no_harm_when_it_wakes(world: World) -> None:
    """idle_in_transaction_session_timeout lets its locks go (DESIGN section 4)."""
    await fill(world)
    async with worker(world, idle_ms=IDLE_MS) as frozen:
        assert await asyncio.wait_for(frozen.stdout.readline(), 30) == b"waiting\n"  # type: ignore[union-attr]
        os.kill(frozen.pid, signal.SIGSTOP)
        assert await waiting(world) == VISITS + 1
        pipeline = world.pipeline()

        async def all_done() -> bool:
            await pipeline.work_once(0, 50)
            await pipeline.work_once(0, suspects=True)
            await pipeline.reconsider_once()
            return not await waiting(world)

        await until(all_done, "the take-over of what the frozen worker held", IDLE_MS / 1000 + 15)
        before = await truth(world)
        assert len(before["told"]) == VISITS + 1
        os.kill(frozen.pid, signal.SIGCONT)
        frozen.stdin.write(b"\n")  # type: ignore[union-attr]
        assert await asyncio.wait_for(frozen.stdout.readline(), 20) == b"unavailable\n", "its transaction must be gone"  # type: ignore[union-attr]
        # Awake, it works on as if nothing had been.
        intake = world.intake()
        await send(intake, visit(VISITS))
        await intake.close()

        async def told_by_the_woken() -> bool:
            return await outcome_of(world, f"C{VISITS}") == "processed"

        await until(told_by_the_woken, "work of the woken worker")
    after = await truth(world)
    assert {key: said for key, said in after["told"].items() if key in before["told"]} == before["told"]
    assert len(after["told"]) == VISITS + 2
    assert await outcomes(world) == {"processed": VISITS + 2}
    assert world.defects == []


@pytest.mark.timeout(90)
async def test_a_worker_killed_in_the_middle_of_a_batch_leaves_nothing_half_done(world: World) -> None:
    await fill(world)
    async with worker(world) as killed:
        assert await asyncio.wait_for(killed.stdout.readline(), 30) == b"waiting\n"  # type: ignore[union-attr]
        killed.kill()
        await killed.wait()
        assert await outcomes(world) == {}
        async with worker(world) as other:
            assert await asyncio.wait_for(other.stdout.readline(), 30) == b"waiting\n"  # type: ignore[union-attr]
            other.stdin.write(b"\n")  # type: ignore[union-attr]

            async def all_done() -> bool:
                return not await waiting(world)

            await until(all_done, "the take-over of what the dead worker held", 11)
    assert await outcomes(world) == {"processed": VISITS + 1}
    assert len((await truth(world))["told"]) == VISITS + 1

"""What good peers feel of hostile ones: their acknowledgements before and during each kind, and what the door holds (R14).

The good peers and the hostile ones are processes of their own; on two cores they all share the machine with the service, so the figures
during a flood are those of the whole machine and not of the door alone.
"""

import asyncio
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from tests.load.hostile import KINDS
from tests.load.machine import memory_megabytes, percentile
from tests.load.sender import send
from tests.support.service import ROOT

GOOD_PEERS = 8


@dataclass(frozen=True, slots=True)
class Felt:
    """What the good peers had, and what the process tree below `root` held."""

    kind: str
    answered: int
    p50_ms: float
    p99_ms: float
    held_megabytes: float
    """At the end, with the hostile peers still there."""


async def undisturbed(port: int, root: int, good: Iterator[bytes], seconds: float, rate: int) -> Felt:
    """Send without anybody else: what the rest is compared with."""
    return await _felt("none", port, root, good, seconds, rate)


async def beside(kind: str, port: int, root: int, good: Iterator[bytes], seconds: float, rate: int) -> Felt:
    """Let the good peers send while hostile ones of a kind are there. Every message must be accepted, or this raises."""
    hostile = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.hostile", kind, str(port), str(seconds + 60), cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert hostile.stdout is not None
        assert await asyncio.wait_for(hostile.stdout.readline(), 60) == b"begun\n", f"{kind} did not begin"
        felt = await _felt(kind, port, root, good, seconds, rate)
        assert hostile.returncode is None, f"{kind} ended before the good peers did"
        return felt
    finally:
        if hostile.returncode is None:
            hostile.kill()
        await hostile.wait()


async def _felt(kind: str, port: int, root: int, good: Iterator[bytes], seconds: float, rate: int) -> Felt:
    answers = await send(port, GOOD_PEERS, rate, list(islice(good, max(1, int(seconds * rate)))))
    waits = sorted((ended - began) * 1_000 for began, ended in answers)
    return Felt(kind, len(answers), percentile(waits, 50), percentile(waits, 99), memory_megabytes(root))


async def measure(
    say: Callable[..., None], title: Callable[[str], None], port: int, root: int, good: Iterator[bytes], seconds: float, rate: int
) -> list[Felt]:
    """Go through every kind and print what it did."""
    title(f"Adversaries at the MLLP door: {GOOD_PEERS} good peers at {rate} messages/s beside each, pipeline running")
    await undisturbed(port, root, good, min(1.0, seconds), rate)
    before = [await undisturbed(port, root, good, seconds, rate)]
    felt = []
    for name, kind in KINDS.items():
        felt.append(await beside(name, port, root, good, seconds, rate))
        beside_it = f"p50 {felt[-1].p50_ms:.1f} ms, the service holds {felt[-1].held_megabytes:,.0f} MB; {kind.says}"
        say(f"acknowledged p99 beside {name}", felt[-1].p99_ms, "ms", beside_it)
    before.append(await undisturbed(port, root, good, seconds, rate))
    say("acknowledged p50 without them, before and after", statistics.mean(one.p50_ms for one in before), "ms")
    say("acknowledged p99 without them, before and after", statistics.mean(one.p99_ms for one in before), "ms")
    idle = next(one for one in felt if one.kind == "idle")
    kilobytes = max(0.0, idle.held_megabytes - before[0].held_megabytes) * 1_024 / KINDS["idle"].peers
    say("R14 memory of the service for an idle peer", kilobytes, "kB", "at most 100")
    return [before[0], *felt, before[1]]

"""What good peers feel of hostile ones: their acknowledgements with and without each kind, and what the door holds (R14).

Twice each: at a steady rate, for how long an acknowledgement takes; and as fast as answers come, for how many there are, a stretch without
the hostile peers before each stretch beside them, so that whatever else the machine does is in both. The good peers and the hostile ones
are processes of their own, with addresses of their own; on two cores they all share the machine with the service, so a rate beside a
flood is that of the whole machine. What the door itself spends on a good message, hostile peers included, stands beside it, and what the
hostile process took for itself.

No kind sends anything that a feed is known for: that would be work, which is shared among feeds (`app/intake.py`), and no hostility.
"""

import asyncio
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice

from tests.load.hostile import KINDS
from tests.load.machine import door_of, memory_megabytes, percentile, processor_s
from tests.load.sender import send
from tests.support.service import ROOT

GOOD_PEERS = 8
SLOW_KINDS = ("idle", "slowloris")
"""Of which R14 speaks: 1,000 idle and 200 slow peers."""


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
    async with _hostile(kind, port, seconds):
        return await _felt(kind, port, root, good, seconds, rate)


@asynccontextmanager
async def _hostile(kind: str, port: int, seconds: float) -> AsyncIterator[int]:
    """Let hostile peers of a kind be there; gives their process."""
    hostile = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.hostile", kind, str(port), str(seconds + 60), cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert hostile.stdout is not None
        assert await asyncio.wait_for(hostile.stdout.readline(), 60) == b"begun\n", f"{kind} did not begin"
        yield hostile.pid
        assert hostile.returncode is None, f"{kind} ended before the good peers did"
    finally:
        if hostile.returncode is None:
            hostile.kill()
        await hostile.wait()


async def _felt(kind: str, port: int, root: int, good: Iterator[bytes], seconds: float, rate: int) -> Felt:
    answers = await send(port, GOOD_PEERS, rate, list(islice(good, max(1, int(seconds * rate)))))
    waits = sorted((ended - began) * 1_000 for began, ended in answers)
    return Felt(kind, len(answers), percentile(waits, 50), percentile(waits, 99), memory_megabytes(root))


@dataclass(slots=True)
class Stretches:
    """What came of sending as fast as answers come, over several stretches."""

    messages: int = 0
    took_s: float = 0.0
    door_s: float = 0.0
    hostile_s: float = 0.0

    @property
    def per_s(self) -> float:
        """Give the messages a second."""
        return self.messages / self.took_s

    async def run(self, port: int, root: int, batch: list[bytes], hostile: int | None) -> None:
        """Add a stretch."""
        door = door_of(root)
        door_s, hostile_s = processor_s([door]), processor_s([hostile] if hostile else [])
        answers = await send(port, GOOD_PEERS, 0, batch)
        self.door_s += processor_s([door]) - door_s
        self.hostile_s += processor_s([hostile] if hostile else []) - hostile_s
        self.messages += len(batch)
        self.took_s += max(ended for _, ended in answers) - min(began for began, _ in answers)


async def full_rate(
    kind: str, port: int, root: int, good: Iterator[bytes], count: int, rounds: int, settled: Callable[[], Awaitable[None]]
) -> tuple[Stretches, Stretches]:
    """Send as fast as answers come, without and beside a kind in turns; `settled` waits until the pipeline has nothing to do."""
    alone, beside_it = Stretches(), Stretches()
    for _ in range(rounds):
        await settled()
        await alone.run(port, root, list(islice(good, count)), None)
        await settled()
        async with _hostile(kind, port, 600) as hostile:
            await beside_it.run(port, root, list(islice(good, count)), hostile)
    return alone, beside_it


async def measure_rates(
    say: Callable[..., None],
    title: Callable[[str], None],
    port: int,
    root: int,
    good: Iterator[bytes],
    count: int,
    rounds: int,
    settled: Callable[[], Awaitable[None]],
) -> None:
    """Print what is left of the throughput of good peers beside each kind (R14)."""
    title(f"The same, as fast as answers come: {count} messages a stretch, {rounds} without and {rounds} beside each kind in turns")
    for name in KINDS:
        alone, beside_it = await full_rate(name, port, root, good, count, rounds, settled)
        share = beside_it.per_s / alone.per_s * 100
        costs = f"{alone.door_s / alone.messages * 1_000:.2f} and {beside_it.door_s / beside_it.messages * 1_000:.2f} ms of the door"
        theirs = f"{beside_it.hostile_s / beside_it.took_s * 100:.0f} % of a core theirs"
        target = "R14: at least 95; " if name in SLOW_KINDS else ""
        say(f"throughput beside {name}, of that without", share, "%", f"{target}{alone.per_s:,.0f}/s without; {costs} a message; {theirs}")


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

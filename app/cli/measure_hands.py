"""The processes that compute a measurement year anew: how the command starts them and gives them people, and what each of them does.

A hand reads one JSON line for each share of people and answers with one line; it ends with the command, whatever ends that. What it was
at is then rolled back by the database and computed again by the next run. Not here: the computation (pipeline/remeasure).
"""

import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.process.lifeline import NoParentError, assignment_line, die_with_parent, lower_priority, read_assignment
from app import wiring
from app.cli.environment import child_environment
from app.cli.exits import CommandError, ExitCode
from app.cli.failing import command_error_of
from app.pipeline.remeasure import PEOPLE_AT_ONCE, Hand, Remeasured, Remeasuring
from app.ports import Clock
from app.settings import load_settings
from app.store.directory import RegistryReader
from app.store.roles import Role

NICENESS: Final = 5
"""Our policy: as the workers. The door goes first on a full machine; and who holds locks that a worker waits for must not wait longer."""
_IDLE_MS_MIN: Final = 60_000
"""Our policy: on a full machine the share of people may take long to be computed, and none of it is lost by waiting."""
_ANSWER_BYTES_MAX: Final = 16_777_216
_ENDED: Final = CommandError(
    ExitCode.UNAVAILABLE,
    "A process that was computing ended.",
    "What it was at is not written; run the command again, with fewer `--jobs` if memory is short.",
)


def remeasuring(engine: AsyncEngine, clock: Clock, standards_dir: Path | None = None) -> Remeasuring:
    """Build the job."""
    rules = wiring.rulebook(standards_dir)
    return Remeasuring(wiring.open_transaction(engine), RegistryReader(), rules, wiring.read_stay(rules, clock), clock)


@dataclass(frozen=True, slots=True)
class Hands:
    """Who computes: this process, or others that it started."""

    here: Remeasuring
    processes: Sequence[asyncio.subprocess.Process] = field(default=())

    def of(self, *, change: bool) -> list[Hand]:
        """Give the hands for one way through the year."""
        return [partial(_asked, one, change=change) for one in self.processes] or [partial(self.here.some, change=change)]


@asynccontextmanager
async def open_hands(here: Remeasuring, database_url: str, jobs: int, people: int) -> AsyncIterator[Hands]:
    """Start as many processes as are wanted, and no more than have something to do; a single one is this process."""
    wanted = min(jobs, -(-people // PEOPLE_AT_ONCE))
    async with AsyncExitStack() as stack:
        yield Hands(here, [await stack.enter_async_context(_process(database_url)) for _ in range(wanted)] if wanted > 1 else ())


@asynccontextmanager
async def _process(database_url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # our modules, not those of the folder that we happen to be in
        "-m",
        "app.cli.measure_hands",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=child_environment({}),
        limit=_ANSWER_BYTES_MAX,
    )
    try:
        await _say(process, {"parent_pid": os.getpid(), "database_url": database_url})
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            # Between two transactions, or in one that is rolled back.
            process.kill()
        await process.wait()


async def _say(process: asyncio.subprocess.Process, said: dict[str, Any]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(ConnectionError):
            process.stdin.write(assignment_line(said))
            await process.stdin.drain()


async def _asked(process: asyncio.subprocess.Process, persons: Sequence[UUID], *, change: bool) -> Remeasured:
    """Let a process compute some people."""
    await _say(process, {"change": change, "people": [str(person) for person in persons]})
    line = await process.stdout.readline() if process.stdout is not None else b""
    if not line.endswith(b"\n"):
        raise _ENDED
    answer = json.loads(line)
    if "failed" in answer:
        code, text, remedy = answer["failed"]
        raise CommandError(ExitCode(code), text, remedy)
    changed: Counter[tuple[str, str, str]] = Counter()
    changed.update({(measure, before, after): lines for measure, before, after, lines in answer["changed"]})
    return Remeasured(answer["people"], answer["lines"], changed)


async def _work(database_url: str) -> None:
    """Compute what is asked for until nobody asks any more."""
    settings = load_settings()
    patience_ms = max(settings.idle_in_transaction_timeout_ms, _IDLE_MS_MIN)
    settings = settings.model_copy(update={"idle_in_transaction_timeout_ms": patience_ms})
    engine = wiring.engine_of(settings, database_url, Role.WORK, name="handoff command")
    job = remeasuring(engine, wiring.SystemClock(), settings.standards_dir)
    # What lives from here on is garbage for nobody: not looked at by the collector again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(wiring.GARBAGE_AFTER)
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        asked = json.loads(line)
        found = await job.some([UUID(person) for person in asked["people"]], change=asked["change"])
        _answer({"people": found.people, "lines": found.lines, "changed": [[*key, lines] for key, lines in found.changed.items()]})


def _answer(said: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(said).encode() + b"\n")
    sys.stdout.buffer.flush()


def main() -> int:
    """Be a hand of the command that started this one."""
    # Ctrl-C reaches us too; the command decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assignment = read_assignment()
        die_with_parent(assignment["parent_pid"])
    except NoParentError as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.USAGE
    lower_priority(NICENESS)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_work(assignment["database_url"]))
    except Exception as error:  # noqa: BLE001 - said by the command, which ends
        failed = command_error_of(error)
        _answer({"failed": [failed.code.value, failed.text, failed.remedy]})
        return failed.code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())

"""A network, a door that is always open, and workers in processes of their own that die and freeze."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app import wiring
from tests.properties.world import Claimed, World
from tests.support.databases import Database
from tests.support.service import ROOT, command_environment

LONG = os.environ.get("TEST_CHAOS") == "long"


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    """A network in which the home claims Ann, whom every message of these tests is about."""
    made = await World(database, tmp_path).open()
    await made.claim(Claimed("Home H", medicaid="MC1"))
    yield made
    await made.close()


WorkerProcess = asyncio.subprocess.Process


@asynccontextmanager
async def worker(world: World, *, idle_ms: int = 60_000) -> AsyncIterator[WorkerProcess]:
    """Run a worker process; at the end it is told to stop, and killed if it does not."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.worker_process", world.database.url, str(world.folder), str(idle_ms),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=command_environment({}),
    )  # fmt: skip
    try:
        yield process
        if process.returncode is None:
            process.stdin.close()  # type: ignore[union-attr]
            await asyncio.wait_for(process.wait(), 20)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        # What it still had to say is read, so that its pipe is closed here.
        await process.stdout.read()  # type: ignore[union-attr]


async def until(holds: Callable[[], Awaitable[bool]], what: str, timeout_s: float = 30.0) -> None:
    """Wait until something holds."""
    ends_s = time.monotonic() + timeout_s
    while not await holds():
        assert time.monotonic() < ends_s, f"{what} did not come about"
        await asyncio.sleep(0.02)


async def outcome_of(world: World, control: str) -> str | None:
    """Give what became of a message."""
    async with wiring.open_transaction(world.engines[0])() as raw:
        found: str | None = await raw.fetchval(
            "select o.outcome from inbound_message m join inbound_outcome o on o.message_id = m.id where m.control_id = $1", control
        )
    return found


async def waiting(world: World) -> int:
    """Count what is on the queue."""
    async with wiring.open_transaction(world.engines[0])() as raw:
        return int(await raw.fetchval("select count(*) from inbound_queue"))

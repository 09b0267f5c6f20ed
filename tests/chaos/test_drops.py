"""The real process tree with drops: workers are killed again and again, and every file ends up once, with every message and row in it.

They are killed at any time, and then, however fast the machine, while a file is being taken, until the result of one says so.
`TEST_CHAOS=long` kills more often and for longer.
"""

import asyncio
import json
import os
import random
import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from adapters.postgresql.embedded import EmbeddedPostgres
from app.store.engine import PoolLimits, connection_settings
from app.store.roles import Network, Role
from tests.chaos.conftest import LONG
from tests.drop.conftest import batch, roster
from tests.support.service import Service, make_exchange, running_service

KILLS = 120 if LONG else 8
"""At any time."""
AIMING_S = 120
"""Until a file is interrupted. One in two or three of the aimed kills does it, and each takes the time in which a worker starts."""
NAMED = "alder-ann"
"""People are named in names of files; no log may repeat one."""
MESSAGES = 150
"""Of a file: long enough to be killed in the middle of."""
WAITING_MAX = 16
"""So many files wait in the drop on a machine that cannot keep up: two rounds of them."""
SENT_TWICE = 4
"""Every so-manieth batch is."""


class Sender:
    """Puts files down as careless senders do: slowly, under the final name, one after the other; the same batch now and then again."""

    def __init__(self, folder: Path) -> None:
        self._batches, self._rosters = folder / "batches", folder / "rosters"
        self.batches = self.rosters = 0
        self.stopping = asyncio.Event()

    async def send(self) -> None:
        while not self.stopping.is_set():
            if len(list(self._batches.glob("*.hl7"))) >= WAITING_MAX:
                await asyncio.sleep(0.1)
                continue
            self.batches += 1
            number = self.batches
            content = batch(range(number * MESSAGES, (number + 1) * MESSAGES))
            with (self._batches / f"{NAMED} {number}.hl7").open("wb") as file:
                for start in range(0, len(content), 40_000):
                    file.write(content[start : start + 40_000])
                    file.flush()
                    await asyncio.sleep(0.02)
            if number % SENT_TWICE == 0:
                (self._batches / f"{NAMED} {number} again.hl7").write_bytes(content)
            if number % 2 == 0:
                self.rosters += 1
                (self._rosters / f"{self.rosters}.csv").write_bytes(roster(range(30 + self.rosters), bad=1))
            await asyncio.sleep(0.4)


@pytest.mark.timeout(1_800 if LONG else 360)
async def test_every_file_ends_up_once_however_often_workers_are_killed() -> None:
    chance = random.Random(1)
    with TemporaryDirectory(prefix="hd-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        for drop in ("batches", "rosters"):
            (folder / drop).mkdir()
        variables = {"HANDOFF_FILE_SOURCES": json.dumps([{"name": "batches", "folder": str(folder / "batches"), "quiet_s": 0.2}])}
        async with running_service(folder / "first", variables={**variables, "HANDOFF_DATA_DIR": str(folder / "data")}) as service:
            await make_exchange(service)
            home = await home_of(service)
        more = [
            {"name": "batches", "folder": str(folder / "batches"), "quiet_s": 0.2},
            {"name": "rosters", "folder": str(folder / "rosters"), "quiet_s": 0.2, "panel_of": home, "mode": "replace"},
            {"name": "broken", "folder": str(folder / "missing")},
        ]
        variables = {"HANDOFF_FILE_SOURCES": json.dumps(more), "HANDOFF_DATA_DIR": str(folder / "data")}
        async with running_service(folder / "second", variables=variables) as service:
            sender = Sender(folder)
            sending = asyncio.create_task(sender.send())
            for _ in range(KILLS):
                await asyncio.sleep(0.4 * (0.5 + chance.random()))
                victims = await service.until(lambda: service.children("work"), "a worker")
                os.kill(chance.choice(victims), signal.SIGKILL)
            await until_interrupted(service, folder, chance)
            sender.stopping.set()
            await sending
            await until_taken(service, folder)
            await service.until_ready()
            assert [event["reason"] for event in service.events("source.paused") if event["source"] == "broken"]
            assert NAMED not in service.log()
            metrics = await page(service)
            assert 'handoff_messages_received_total{answer="AA",door="file"}' in metrics
            assert 'handoff_files_finished_total{outcome="taken",source="batches"}' in metrics
            await check(folder, sender)
            assert service.events("defect.found") == []


async def home_of(service: Service) -> str:
    async with service.client() as operator:
        items = (await operator.get("/v1/organizations")).json()["items"]
    return next(str(item["id"]) for item in items if item["kind"] == "behavioral_health_home")


async def page(service: Service) -> str:
    async with service.client() as operator:
        return (await operator.get("/metrics")).text


async def until_interrupted(service: Service, folder: Path, chance: random.Random) -> None:
    """Kill the workers a moment after a batch was claimed, until one was taken up again in the middle."""
    ends_s = time.monotonic() + AIMING_S
    while not interrupted(folder):
        claimed = await service.until(lambda: list((folder / "batches/taking").glob("*.hl7")), "a claim", 60)
        took_ms = [event["duration_ms"] for event in service.events("file.taken") if event["source"] == "batches"][-1:] or [100]
        await asyncio.sleep(took_ms[0] / 1000 * chance.random())
        # All of them, for only one takes batches.
        for victim in service.children("work"):
            os.kill(victim, signal.SIGKILL)
        # Whoever takes it up changes its name.
        owners = {path.name.partition("-")[0] for path in claimed}
        await service.until(lambda of=owners: not any(left(folder, owner) for owner in of), "the end of what was interrupted", 60)
        assert time.monotonic() < ends_s, f"no file was interrupted in {AIMING_S} s of kills that were aimed at it: this shows nothing"


def left(folder: Path, owner: str) -> list[Path]:
    """Give what is left of a claimed file."""
    return list((folder / "batches/taking").glob(f"{owner}-*.hl7"))


def interrupted(folder: Path) -> list[str]:
    """Name the batches of which some messages had been taken when they were read. Not those that were sent twice: either may come first."""
    found = []
    for path in (folder / "batches/done").glob(f"{NAMED} *.hl7.result.json"):
        number = path.name.removeprefix(f"{NAMED} ").removesuffix(".hl7.result.json")
        if number.isdecimal() and int(number) % SENT_TWICE and json.loads(path.read_text())["repeated"]:
            found.append(path.name)
    return found


async def until_taken(service: Service, folder: Path) -> None:
    """Wait until nothing lies in a drop any more."""
    ends_s = time.monotonic() + 90
    while left := [
        path for drop in ("batches", "rosters") for path in (*(folder / drop).glob("*.*"), *(folder / drop / "taking").glob("*"))
    ]:
        assert time.monotonic() < ends_s, f"{len(left)} files are left; the log: {service.last_words()}"
        await asyncio.sleep(0.1)


async def check(folder: Path, sender: Sender) -> None:
    """Every message is there once; every roster was uploaded once; every file has its result."""
    assert list((folder / "batches/failed").iterdir()) == []
    assert list((folder / "rosters/failed").iterdir()) == []
    done = sorted(path.name for path in (folder / "batches/done").glob("*.hl7"))
    assert len(done) == sender.batches + sender.batches // SENT_TWICE
    for name in done:
        said = json.loads((folder / f"batches/done/{name}.result.json").read_text())
        assert (said["messages"], said["accepted"]) == (MESSAGES, MESSAGES), name
        assert (folder / f"batches/done/{name}.ack").read_bytes().count(b"MSA|AA|") == MESSAGES
    server = EmbeddedPostgres(folder / "data")
    try:
        settings = connection_settings(Network("handoff"), Role.OWNER, PoolLimits(), name="chaos")
        connection = await asyncpg.connect(server.start(), server_settings=settings)
        stored = await connection.fetch("select control_id, count(*) as many from inbound_message where door = 'file' group by control_id")
        uploads = await connection.fetch("select file_name, count(*) as many from panel_upload where file_name <> '' group by file_name")
        await connection.close()
    finally:
        server.release()
    assert {row["many"] for row in stored} == {1}
    assert len(stored) == sender.batches * MESSAGES
    assert {row["file_name"]: row["many"] for row in uploads} == {f"{number + 1}.csv": 1 for number in range(sender.rosters)}

"""A network with drops, and files to put into them. Real folders, real PostgreSQL; who dies where is planted."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapters.files.local_folder import LocalFolder
from app import wiring
from app.domain.drop import DropSource, Sighting, Taken
from app.domain.panel import UploadMode
from app.drop.report import FileReport
from app.drop.watch import DropServices, Watch
from app.intake import Received
from app.ports import DropFolder
from app.settings import load_settings
from app.wiring.drops import Drops, build_drops
from tests.properties.world import NoWaker, World
from tests.support.databases import Database
from tests.support.messages import adt

QUIET_S = 0.05


class Died(BaseException):
    """The process was killed here."""


@dataclass
class Heard:
    """What an observer was told."""

    reports: list[tuple[Taken, FileReport]] = field(default_factory=list)
    pauses: list[str] = field(default_factory=list)
    resumed_after: int = 0
    files: int = 0
    defects: list[Exception] = field(default_factory=list)

    def finished(self, _source: str, taken: Taken, report: FileReport, _duration_s: float) -> None:
        self.reports.append((taken, report))

    def waiting(self, _source: str, files: int) -> None:
        self.files = files

    def paused(self, _source: str, reason: str, _pause_s: float) -> None:
        self.pauses.append(reason)

    def resumed(self, _source: str, _away_s: float) -> None:
        self.resumed_after += 1

    def defect(self, error: Exception) -> None:
        self.defects.append(error)


class Dying:
    """A folder whose process is killed at its so-manieth call: before it, or when it was done and nobody learned of it."""

    def __init__(self, folder: DropFolder, at: int, *, after: bool) -> None:
        self._folder, self._at, self._after = folder, at, after
        self.calls = 0
        self.is_dead = False

    async def _step(self, call: Callable[[], Awaitable[Any]]) -> Any:
        if self.is_dead:
            raise Died
        self.calls += 1
        if self.calls == self._at and not self._after:
            self.is_dead = True
            raise Died
        done = await call()
        if self.calls == self._at:
            self.is_dead = True
            raise Died
        return done

    async def open(self) -> None:
        await self._step(self._folder.open)

    async def close(self) -> None:
        if not self.is_dead:
            await self._folder.close()

    async def files(self, folder: str) -> Sequence[Sighting]:
        found: Sequence[Sighting] = await self._step(lambda: self._folder.files(folder))
        return found

    async def look(self, path: str) -> Sighting | None:
        found: Sighting | None = await self._step(lambda: self._folder.look(path))
        return found

    async def ends(self, path: str, octets: int) -> tuple[bytes, bytes]:
        found: tuple[bytes, bytes] = await self._step(lambda: self._folder.ends(path, octets))
        return found

    async def is_being_written(self, path: str) -> bool:
        return bool(await self._step(lambda: self._folder.is_being_written(path)))

    async def read(self, path: str) -> AsyncIterator[bytes]:
        async for piece in self._folder.read(path):
            yield await self._step(lambda found=piece: _given(found))  # type: ignore[misc]

    def write(self, path: str) -> AbstractAsyncContextManager[Callable[[bytes], Awaitable[None]]]:
        return self._write(path)

    @asynccontextmanager
    async def _write(self, path: str) -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
        async with self._folder.write(path) as write:
            yield lambda data: self._step(lambda: write(data))

    async def move(self, path: str, to: str) -> bool:
        return bool(await self._step(lambda: self._folder.move(path, to)))

    async def remove(self, path: str) -> None:
        await self._step(lambda: self._folder.remove(path))


async def _given(value: Any) -> Any:
    return value


@dataclass
class Yard:
    """A folder that is watched, and the network behind it."""

    world: World
    folder: Path
    drops: list[Drops] = field(default_factory=list)
    heard: Heard = field(default_factory=Heard)
    is_stopping: bool = False

    def services(self, **variables: str) -> DropServices:
        """Build what a process has."""
        settings = load_settings({"HANDOFF_DATA_DIR": str(self.world.folder), **variables})
        built = build_drops(
            settings,
            self.world.database.url,
            self.world.engine(),
            self.world.keys,
            clock=self.world.clock,
            ids=self.world.ids,
            waker=NoWaker(),
            observer=self.heard,
            on_received=_ignored,
            is_stopping=lambda: self.is_stopping,
        )
        self.drops.append(built)
        return built.services

    def source(self, *, rosters: bool = False, mode: UploadMode = UploadMode.DELTA, feed: str | None = None) -> DropSource:
        """Say what comes there."""
        panel_of = self.world.organizations["Home H"] if rosters else None
        return DropSource("yard", feed, panel_of, mode, every_s=0.02, quiet_s=QUIET_S)

    def watch(self, source: DropSource | None = None, folder: DropFolder | None = None, services: DropServices | None = None) -> Watch:
        """Watch as a new process does."""
        return Watch(source or self.source(), folder or LocalFolder(self.folder), services or self.services())

    async def die(self) -> None:
        """Let go of what every process of this test held, as the system does for a dead one."""
        for built in self.drops:
            await built.close()
        self.drops.clear()

    async def close(self) -> None:
        await self.die()

    def put(self, name: str, content: bytes) -> Path:
        """Put a file down whole."""
        path = self.folder / name
        hidden = self.folder / f".{name}.part"
        hidden.write_bytes(content)
        hidden.rename(path)
        return path

    def names(self, box: str) -> list[str]:
        return sorted(path.name for path in (self.folder / box).iterdir())

    def result(self, path: str) -> Any:
        return json.loads((self.folder / f"{path}.result.json").read_text())

    def left(self) -> list[str]:
        """What has not ended up anywhere."""
        found = [path.name for path in self.folder.iterdir() if path.is_file()]
        taking = self.folder / "taking"
        return found + [path.name for path in taking.iterdir()] if taking.exists() else found

    async def until_settled(self, watch: Watch, rounds: int = 200) -> None:
        """Look again and again until nothing is left."""
        for _ in range(rounds):
            await watch.once()
            if not self.left():
                return
            await asyncio.sleep(QUIET_S / 2)
        raise AssertionError(f"left: {self.left()}, defects: {self.heard.defects}")

    async def messages(self) -> dict[str, int]:
        """Control id -> how many messages are stored."""
        async with wiring.open_transaction(self.world.engines[0])() as raw:
            rows = await raw.fetch("select control_id, count(*) as many from inbound_message where door = 'file' group by control_id")
        return {row["control_id"]: row["many"] for row in rows}

    async def scalar(self, statement: str) -> Any:
        async with wiring.open_transaction(self.world.engines[0])() as raw:
            return await raw.fetchval(statement)


def _ignored(_received: Received, _took_s: float) -> None:
    return


def message(number: int, *, facility: str = "HOSPA") -> bytes:
    """An admission of somebody of their own."""
    at = "20260302100000-0500"
    about = {"mrn": f"M{number}", "medicaid": f"MD{number}", "name": f"Alder{number}^Ann", "visit": f"V{number}", "admitted": at}
    return adt("A01", at, control=f"C{number}", **about).replace(b"|HOSPA|", f"|{facility}|".encode(), 1)


def batch(numbers: Sequence[int], *, facility: str = "HOSPA") -> bytes:
    """A file with both envelopes."""
    parts = [b"FHS|^~\\&|EPIC|HOSPA|HANDOFF|HIE|20260302||||F1", b"BHS|^~\\&|EPIC|HOSPA|HANDOFF|HIE|20260302||||B1"]
    parts += [message(number, facility=facility).rstrip(b"\r") for number in numbers]
    return b"\r".join([*parts, b"BTS|%d" % len(numbers), b"FTS|1"]) + b"\r"


def roster(numbers: Sequence[int], *, bad: int = 0) -> bytes:
    """A panel; the bad rows have no date of birth that can be read."""
    rows = [f"MC{number},Ann,Alder{number},1980-01-02,F,BHH,2026-01-01" for number in numbers]
    rows += [f"MB{number},Bea,Birch{number},someday,F,BHH,2026-01-01" for number in range(bad)]
    return "\n".join(["medicaid_id,first_name,last_name,birth_date,sex,program,effective_from", *rows, ""]).encode()


@pytest.fixture
async def yard(database: Database, tmp_path: Path) -> AsyncIterator[Yard]:
    """A network and an empty drop."""
    world = await World(database, tmp_path / "data").open()
    folder = tmp_path / "drop"
    folder.mkdir()
    made = Yard(world, folder)
    yield made
    await made.close()
    await world.close()

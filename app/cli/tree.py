"""The supervisor: starts the processes of a tree, keeps them and the embedded PostgreSQL running, and ends them in order.

Nothing here is needed for safety: every process may be killed at any moment, this one included, and several trees may work on one
database. Not here: what the processes do (app/main.py, app/worker.py) and which are asked for (serve.py).
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from adapters.postgresql.embedded import EmbeddedPostgres
from adapters.process.board import Board, RowState
from adapters.process.child import Assignment
from adapters.process.lifeline import assignment_line
from adapters.process.vigil import Vigil, processor_s
from app.cli.exits import CommandError, ExitCode
from app.settings import Settings
from app.telemetry.events import ChildEnded, ChildKilled, DatabaseRestarted, ServiceStarted, ServiceStopped
from app.telemetry.log import EventLog
from app.telemetry.metrics import forget_process
from app.telemetry.words import Part

DATABASE_LOOKED_AT_EVERY_S: Final = 0.3
CHILDREN_LOOKED_AT_EVERY_S: Final = 1.0
SILENT_S_MAX: Final = 60.0
"""A process without a sign of life for longer is killed, so that another takes its place, unless it gets on: on a full machine a batch
may take longer. One that had as much of the processor since its last sign runs in a circle and is killed too."""
PAUSES_S: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
HEALTHY_AFTER_S: Final = 30.0
"""Who lived this long is started again at once."""
FROZEN_AFTER_S: Final = 5.0


@dataclass(slots=True)
class Kind:
    """One process of the tree, whichever program runs it just now."""

    module: str
    number: int
    of: int
    rows: Mapping[str, int]
    sockets: Mapping[str, socket.socket] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    started_at_s: float = 0.0
    endings: int = 0
    """In a row, without a healthy while between."""
    vigil: Vigil = field(default_factory=Vigil)

    @property
    def part(self) -> Part:
        """The part under which the process is named in events."""
        return Part(next(iter(self.rows)))


@dataclass(frozen=True, slots=True)
class Sockets:
    """The listening sockets of a tree, bound before anything is started and kept over every restart."""

    http: socket.socket | None
    mllp: Mapping[int, socket.socket]
    """By the position of the listener in the settings."""

    def ports(self) -> tuple[int, tuple[int, ...]]:
        """Give the ports: HTTP (0: none), and MLLP."""
        return (_port(self.http) if self.http is not None else 0), tuple(_port(sock) for sock in self.mllp.values())

    def close(self) -> None:
        """Let go of all of them."""
        for sock in (self.http, *self.mllp.values()):
            if sock is not None:
                sock.close()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a tree consists of."""

    sockets: Sockets
    workers: int
    environment: Mapping[str, str]
    """Of every child."""
    metrics_folder: Path


@dataclass(frozen=True, slots=True)
class Ground:
    """What the tree stands on, once it is there."""

    database_url: str
    server: EmbeddedPostgres | None
    """The embedded database; None: somebody else's."""


class Tree:
    """One process tree, from its start to its end."""

    def __init__(self, settings: Settings, plan: Plan, log: EventLog) -> None:
        """Lay out who is to run; nothing runs before `run`."""
        self._settings, self._plan, self._log = settings, plan, log
        self._sockets = plan.sockets
        self._kinds = _layout(plan.sockets, plan.workers)
        self._board = Board.make(sum(len(kind.rows) for kind in self._kinds))
        self._ground: asyncio.Future[Ground] = asyncio.get_running_loop().create_future()
        self._stopping = asyncio.Event()
        self._given_up: BaseException | None = None

    async def run(
        self, prepare: Callable[[], Awaitable[Ground]], *, watch: int | None, on_started: Callable[[int, tuple[int, ...]], None]
    ) -> None:
        """Run until a signal says stop, or until the other end of the descriptor `watch` is closed.

        The processes are started at once and load their code while the ground is prepared; then they are told what to do.
        """
        started_s = time.monotonic()
        self._listen_for_the_end(watch)
        keepers = [asyncio.create_task(self._keep(kind)) for kind in self._kinds]
        watchers = [
            asyncio.create_task(self._prepare(prepare)),
            asyncio.create_task(self._announce(started_s, on_started)),
            asyncio.create_task(self._watch_children()),
            asyncio.create_task(self._watch_database()),
        ]
        try:
            await self._stopping.wait()
        finally:
            for task in watchers:
                task.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
            await self._stop(keepers)
        if self._given_up is not None:
            raise self._given_up

    async def _prepare(self, prepare: Callable[[], Awaitable[Ground]]) -> None:
        try:
            self._ground.set_result(await prepare())
        except Exception as error:  # noqa: BLE001 - whatever it is, there is nothing to stand on
            self._given_up = error
            self._stopping.set()

    # The beginning and the end.

    def _listen_for_the_end(self, watch: int | None) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # What nohup set to be ignored stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._told_to_stop)
        if watch is not None:
            loop.add_reader(watch, self._input_ended, watch)

    def _told_to_stop(self) -> None:
        if self._stopping.is_set():
            # Asked twice: whoever asks has no time for what is under way. Nothing acknowledged is lost.
            for kind in self._kinds:
                self._signal(kind, signal.SIGKILL)
        self._stopping.set()

    def _input_ended(self, descriptor: int) -> None:
        if not os.read(descriptor, 4096):
            asyncio.get_running_loop().remove_reader(descriptor)
            self._stopping.set()

    async def _announce(self, started_s: float, on_started: Callable[[int, tuple[int, ...]], None]) -> None:
        while not all(  # noqa: ASYNC110 - shared memory cannot be awaited
            self._board.read(row).state is RowState.SERVING for kind in self._kinds for row in kind.rows.values()
        ):
            await asyncio.sleep(0.02)
        http_port, mllp_ports = self._sockets.ports()
        self._log.emit(ServiceStarted(http_port, mllp_ports, self._plan.workers, int((time.monotonic() - started_s) * 1000)))
        try:
            on_started(http_port, mllp_ports)
        except Exception as error:  # noqa: BLE001 - whoever waits for the announcement would wait for ever
            self._given_up = error
            self._stopping.set()

    async def _stop(self, keepers: Sequence["asyncio.Task[None]"]) -> None:
        began_s = time.monotonic()
        # From here on a new connection is refused, not left waiting.
        self._sockets.close()
        for kind in self._kinds:
            # A frozen process finishes nothing, however long it is waited for.
            self._signal(kind, signal.SIGKILL if kind.vigil.is_frozen(FROZEN_AFTER_S) else signal.SIGTERM)
        _, late = await asyncio.wait(keepers, timeout=self._settings.shutdown_grace_s)
        for kind in self._kinds:
            self._signal(kind, signal.SIGKILL)
        await asyncio.gather(*keepers, return_exceptions=True)
        self._board.close()
        self._log.emit(ServiceStopped(int((time.monotonic() - began_s) * 1000), len(late)))

    # The children.

    async def _keep(self, kind: Kind) -> None:
        """Start the process, and again whenever it ends."""
        while not self._stopping.is_set():
            try:
                process = await self._start(kind)
            except OSError as error:
                # No more processes or memory just now.
                self._log.defect(error)
                await asyncio.sleep(PAUSES_S[-1])
                continue
            if self._stopping.is_set():
                self._signal(kind, signal.SIGTERM)
            assigning = asyncio.create_task(self._assign(kind, process))
            code = await process.wait()
            assigning.cancel()
            kind.process = None
            forget_process(self._plan.metrics_folder, process.pid)
            has_served = any(self._board.read(row).state is not RowState.STARTING for row in kind.rows.values())
            for row in kind.rows.values():
                self._board.clear(row)
            if self._stopping.is_set():
                return
            lived_s = time.monotonic() - kind.started_at_s
            kind.endings = 1 if lived_s >= HEALTHY_AFTER_S else kind.endings + 1
            pause_s = PAUSES_S[min(kind.endings, len(PAUSES_S)) - 1]
            self._board.process_restarts += 1
            self._log.emit(ChildEnded(kind.part, kind.number, process.pid, code, self._board.process_restarts, int(pause_s * 1000)))
            if not has_served and kind.endings >= len(PAUSES_S):
                self._give_up(kind, code)
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()

    def _give_up(self, kind: Kind, code: int) -> None:
        self._given_up = CommandError(
            ExitCode.DEFECT,
            f"The {kind.part.value} process does not start (it ended {kind.endings} times, last with code {code}).",
            "The log lines above name the class and place of the error; `handoff doctor` checks what the service needs.",
        )
        self._stopping.set()

    async def _start(self, kind: Kind) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # our modules, not those of the folder that we happen to be in
            "-m",
            kind.module,
            stdin=asyncio.subprocess.PIPE,
            pass_fds=(self._board.descriptor, *(sock.fileno() for sock in kind.sockets.values())),
            env=self._plan.environment,
        )
        kind.process, kind.started_at_s = process, time.monotonic()
        for row in kind.rows.values():
            self._board.expect(row, process.pid)
        return process

    async def _assign(self, kind: Kind, process: asyncio.subprocess.Process) -> None:
        """Tell a process what to do, when there is a ground to stand on."""
        ground = await asyncio.shield(self._ground)
        assignment = Assignment(
            number=kind.number,
            of=kind.of,
            parent_pid=os.getpid(),
            board=self._board.descriptor,
            board_rows=self._board.rows,
            rows=kind.rows,
            all_rows=self._all_rows(),
            database_url=ground.database_url,
            is_embedded=ground.server is not None,
            sockets={name: sock.fileno() for name, sock in kind.sockets.items()},
        )
        if process.stdin is not None:
            with contextlib.suppress(ConnectionError):
                process.stdin.write(assignment_line(assignment.document()))
                await process.stdin.drain()

    def _all_rows(self) -> dict[str, tuple[int, ...]]:
        rows: dict[str, tuple[int, ...]] = {}
        for kind in self._kinds:
            for part, row in kind.rows.items():
                rows[part] = (*rows.get(part, ()), row)
        return rows

    def _signal(self, kind: Kind, number: signal.Signals) -> None:
        if kind.process is not None and kind.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                kind.process.send_signal(number)

    def _silent_for_s(self, kind: Kind) -> float:
        return min((self._board.read(row).silent_for_s for row in kind.rows.values()), default=0.0)

    async def _watch_children(self) -> None:
        # Until there is a database they wait for their assignment in silence, however long it takes to be made.
        await asyncio.wait({asyncio.ensure_future(asyncio.shield(self._ground))})
        from_s = time.monotonic()
        while True:
            await asyncio.sleep(CHILDREN_LOOKED_AT_EVERY_S)
            for kind in self._kinds:
                if kind.process is not None:
                    self._look_after(kind, kind.process.pid, from_s)

    def _look_after(self, kind: Kind, pid: int, from_s: float) -> None:
        now_s = time.monotonic()
        kind.vigil.look(pid, min(self._silent_for_s(kind), now_s - from_s), processor_s(pid), now_s)
        if kind.vigil.moved_at_s == now_s:
            for row in kind.rows.values():
                self._board.moved(row)
        if kind.vigil.is_dead(SILENT_S_MAX):
            self._log.emit(ChildKilled(kind.part, kind.number, pid, int(kind.vigil.silent_s)))
            self._signal(kind, signal.SIGKILL)

    # The database.

    async def _watch_database(self) -> None:
        server = (await asyncio.shield(self._ground)).server
        while server is not None:
            await asyncio.sleep(DATABASE_LOOKED_AT_EVERY_S)
            began_s = time.monotonic()
            try:
                was_started = await asyncio.to_thread(server.ensure_running)
            except Exception as error:  # noqa: BLE001 - it is tried again as long as the service runs
                self._log.defect(error)
                await asyncio.sleep(PAUSES_S[-1])
                continue
            if was_started:
                self._board.database_restarts += 1
                self._log.emit(DatabaseRestarted(self._board.database_restarts, int((time.monotonic() - began_s) * 1000)))


def _layout(sockets: Sockets, workers: int) -> list[Kind]:
    """Say who runs: one front for the doors that are asked for, and the workers."""
    kinds: list[Kind] = []
    doors: dict[str, socket.socket] = {}
    if sockets.http is not None:
        doors[Part.HTTP.value] = sockets.http
    doors |= {f"{Part.MLLP.value}/{index}": sock for index, sock in sockets.mllp.items()}
    parts = list(dict.fromkeys(name.partition("/")[0] for name in doors))
    if parts:
        kinds.append(Kind("app.main", 0, 1, {part: row for row, part in enumerate(parts)}, doors))
    first = len(parts)
    kinds.extend(Kind("app.worker", number, workers, {Part.WORK.value: first + number}) for number in range(workers))
    return kinds


def _port(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])

"""`/readyz` by the board: a busy process serves, a frozen one does not, and one whose step waits for a mute database does not get on."""

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from adapters.process.board import Board, RowState
from adapters.process.child import Assignment, Child
from app import readiness
from app.cli.tree import Kind, Tree
from app.readiness import Readyz, SchemaCheck
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.words import Loop, Part
from app.worker import Worker
from tests.support.databases import Database
from tests.support.mute import way_to


class Current:
    """A schema that is as it should be."""

    async def state(self) -> str:
        return "ok"


def asked(board: Board, **rows: tuple[int, ...]) -> Readyz:
    return Readyz(board, rows, cast("SchemaCheck", Current()))


class Log:
    """Takes every event and every defect."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def emit(self, event: object) -> None:
        self.events.append(event)

    def defect(self, error: Exception) -> None:
        self.events.append(error)

    def takes(self, _: object) -> bool:
        return True


async def test_a_worker_whose_step_waits_for_a_mute_database_is_not_ready_long_before_it_gives_up(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement is given up after 120 s; whoever sends here meanwhile waits for nobody."""
    monkeypatch.setattr(readiness, "STEP_S_MAX", 2.0)
    with TemporaryDirectory(prefix="hw-") as folder:
        async with way_to(fresh_database.url, Path(folder)) as way:
            board = Board.make(1)
            assignment = Assignment(
                number=0, of=1, parent_pid=0, board=board.descriptor, board_rows=1, rows={"work": 0}, all_rows={"work": (0,)},
                database_url=way.url, is_embedded=False,
            )  # fmt: skip
            child = Child(assignment, board)
            settings = Settings(data_dir=Path(folder), secret_key="s" * 40, network=fresh_database.network.name)
            worker = Worker(child, settings, cast("Any", Log()), Metrics(CollectorRegistry()))
            child.say(Part.WORK, RowState.SERVING)
            readyz = asked(board, work=(0,))
            ended = []

            async def work() -> bool:
                has_more = await worker._work()
                ended.append(has_more)
                return has_more

            beating = asyncio.create_task(child.beat(worker._show_step))
            working = asyncio.create_task(worker._rounds(Loop.PIPELINE, work, idle_s=0.01))
            try:
                async with asyncio.timeout(60):
                    while len(ended) < 5 or not (await readyz()).ready:
                        await asyncio.sleep(0.05)
                way.go_mute()
                async with asyncio.timeout(30):
                    while (said := await readyz()).ready:
                        await asyncio.sleep(0.05)
                assert said.parts["work"] == "1 of 1 processes do not get on: a step of the work has not ended for 2 s"
                assert readyz.serving() == {"work": 0}
                assert readyz.step_oldest_s() > 2
            finally:
                for task in (beating, working):
                    task.cancel()
                await asyncio.gather(beating, working, return_exceptions=True)
                await worker._engine.dispose()
                await worker._sender.close()
            worker._show_step()
            assert board.read(0).step_for_s == 0, "a step that was broken off has ended"


def test_a_process_without_a_sign_serves_as_long_as_its_supervisor_sees_it_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full machine a batch of a worker, which gives way to the doors, may take longer than the three seconds of silence."""
    board = Board.make(3)
    monkeypatch.setattr(readiness, "SILENT_S_MAX", 0.05)
    for row in range(3):
        board.beat(row, RowState.SERVING)
    time.sleep(0.06)
    board.moved(1)
    readyz = asked(board, work=(0, 1), mllp=(2,))
    assert readyz.serving() == {"work": 1, "mllp": 0}
    monkeypatch.setattr(readiness, "STEP_S_MAX", 0.05)
    assert readyz.serving() == {"work": 0, "mllp": 0}, "not for ever: it may run in a circle"


class Busy:
    """A process of the tree that is killed by nobody, as far as it is told."""

    returncode = None

    def __init__(self) -> None:
        self.pid, self.signals = 4711, []

    def send_signal(self, number: int) -> None:
        self.signals.append(number)


@pytest.mark.parametrize(("moves", "kills"), [(True, False), (False, True)])
def test_the_supervisor_kills_a_silent_process_only_when_it_does_not_get_on(
    moves: bool, kills: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers were replaced once a minute on a full machine: each in its first batch, or still loading its code."""
    now_s, used_s = time.monotonic() - 1_000, 1.0
    monkeypatch.setattr("app.cli.tree.time.monotonic", lambda: now_s)
    monkeypatch.setattr("app.cli.tree.processor_s", lambda _: used_s)
    tree = Tree.__new__(Tree)
    tree._board, tree._log = Board.make(1), cast("Any", Log())
    kind = Kind("app.worker", 0, 1, {Part.WORK.value: 0})
    kind.process = cast("Any", Busy())
    began_s = now_s
    monkeypatch.setattr(Tree, "_silent_for_s", lambda _self, _kind: now_s - began_s)
    for _ in range(90):
        now_s += 1.0
        used_s += 0.02 if moves else 0.0
        tree._look_after(kind, 4711, began_s)
    assert bool(kind.process.signals) is kills
    assert [event.name for event in tree._log.events[:1]] == (["child.killed"] if kills else [])
    assert (tree._board.read(0).still_for_s > 0) is True

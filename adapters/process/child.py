"""One process of a tree, seen from inside: what it was asked, how it shows that it lives, and when it has to stop.

Not here: what the process does, and the supervisor's side (app/cli/tree.py).
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from adapters.process.board import Board, RowState
from adapters.process.lifeline import die_with_parent, read_assignment, watch_parent

BEAT_INTERVAL_S: Final = 0.5
GRACE_MARGIN_S: Final = 2.0
"""A child is done this much before its supervisor ends it."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the supervisor asks of a child."""

    number: int
    """Which of the processes of its kind, from 0."""
    of: int
    """How many of its kind this tree has."""
    parent_pid: int
    board: int
    """Descriptor of the board."""
    board_rows: int
    rows: Mapping[str, int]
    """Part -> its row on the board."""
    all_rows: Mapping[str, tuple[int, ...]]
    """Part -> the rows of the whole tree, for whoever answers whether all of it serves."""
    database_url: str = field(repr=False)
    is_embedded: bool
    """The database is the private one; its address is no secret and ends with this tree."""
    sockets: Mapping[str, int] = field(default_factory=dict)
    """Name -> descriptor of a bound socket. The supervisor keeps them, so a restart refuses nobody."""

    def document(self) -> dict[str, Any]:
        """Give the JSON that travels."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what travelled."""
        values = dict(document)
        values["all_rows"] = {part: tuple(rows) for part, rows in values["all_rows"].items()}
        return cls(**values)


class Child:
    """This process as a child."""

    def __init__(self, assignment: Assignment, board: Board) -> None:
        """Say nothing yet."""
        self.assignment = assignment
        self.board = board
        self._states = dict.fromkeys(assignment.rows, RowState.STARTING)
        self.stopping = asyncio.Event()

    @classmethod
    def join(cls) -> Self:
        """Take the assignment from the standard input and tie this process to its parent."""
        assignment = Assignment.of_document(read_assignment())
        die_with_parent(assignment.parent_pid)
        # Ctrl-C reaches the whole foreground group; the supervisor alone decides what follows from it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        child = cls(assignment, Board(assignment.board, assignment.board_rows))
        for part in assignment.rows:
            # Loading our code took its time; what comes now has its own.
            child.say(part, RowState.STARTING)
        return child

    def say(self, part: str, state: RowState, *, detail: int | None = None) -> None:
        """Show a new state at once."""
        self._states[part] = state
        self.board.beat(self.assignment.rows[part], state, detail=detail)

    def show_step(self, part: str, began_ns: int) -> None:
        """Show when the oldest step of the work that has not ended began; 0: none is under way."""
        self.board.step(self.assignment.rows[part], began_ns)

    def listen_for_the_end(self) -> None:
        """Set `stopping` on SIGTERM, or when the parent is gone."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        watch_parent(loop, self.stop)

    def stop(self) -> None:
        """Begin to stop."""
        for part in self._states:
            self.say(part, RowState.STOPPING)
        self.stopping.set()

    async def beat(self, on_beat: Callable[[], None] = lambda: None) -> None:
        """Show that the process lives, for as long as its event loop turns; until cancelled."""
        while True:
            for part, state in self._states.items():
                self.board.beat(self.assignment.rows[part], state)
            on_beat()
            await asyncio.sleep(BEAT_INTERVAL_S)


def own_grace_s(shutdown_grace_s: float) -> float:
    """Give how long a child may take to finish, out of what the whole tree has."""
    return max(0.0, shutdown_grace_s - GRACE_MARGIN_S)


async def finish(tasks: "set[asyncio.Task[Any]]", grace_s: float) -> int:
    """Wait for tasks that are about to end by themselves; cancel and count those that are not done within the grace."""
    if not tasks:
        return 0
    _, late = await asyncio.wait(tasks, timeout=max(0.0, grace_s))
    for task in late:
        task.cancel()
    for task in late:
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
    return len(late)

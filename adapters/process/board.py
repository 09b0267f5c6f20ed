"""The board on which the processes of a tree show that they live: a little shared memory, one row a part and process.

Everybody reads, each value has one writer (the process; of `moved` its supervisor), and every value is one aligned machine word, so
no lock is needed and a process that is killed or frozen in the middle of a write harms nobody. The file has no name, so nothing is left
behind. Not here: what follows from a silent row (the supervisor, `/readyz`).
"""

import mmap
import os
import tempfile
import time
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

_WORD_BYTES: Final = 8
_ROW_WORDS: Final = 6
_HEAD_WORDS: Final = 4
_STATE, _PID, _BEAT, _DETAIL, _STEP, _MOVED = range(_ROW_WORDS)
_PROCESS_RESTARTS, _DATABASE_RESTARTS, _STOPPING = range(3)


class RowState(IntEnum):
    """What a process says of itself."""

    EMPTY = 0
    """Not started, or ended."""
    STARTING = 1
    SERVING = 2
    IMPAIRED = 3
    """It runs, and cannot do its work: the database is away."""
    STOPPING = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was read."""

    state: RowState
    pid: int
    silent_for_s: float
    """Since the last sign of life."""
    detail: int
    """What the process has to say in one number: the port it listens on."""
    step_for_s: float = 0.0
    """Age of the oldest step of its work that has not ended; 0: none is under way."""
    still_for_s: float = 0.0
    """Since its supervisor last saw it use the processor; 0: nobody has looked."""


class Board:
    """The board. The supervisor makes it and hands its descriptor to the children."""

    def __init__(self, descriptor: int, rows: int) -> None:
        """Open the board behind a descriptor, which stays the caller's."""
        self.descriptor = descriptor
        self.rows = rows
        self._memory = mmap.mmap(descriptor, self._bytes(rows))
        self._words = memoryview(self._memory).cast("q")

    @classmethod
    def make(cls, rows: int) -> Self:
        """Make an empty board."""
        descriptor, path = tempfile.mkstemp(prefix="handoff-board-")
        os.unlink(path)  # noqa: PTH108 - a name that was just made; the file lives on in its descriptors
        os.ftruncate(descriptor, cls._bytes(rows))
        return cls(descriptor, rows)

    @staticmethod
    def _bytes(rows: int) -> int:
        return (_HEAD_WORDS + rows * _ROW_WORDS) * _WORD_BYTES

    def beat(self, row: int, state: RowState, *, detail: int | None = None) -> None:
        """Write a sign of life; the writer is this process."""
        start = self._start(row)
        self._words[start + _PID] = os.getpid()
        if detail is not None:
            self._words[start + _DETAIL] = detail
        self._words[start + _STATE] = state
        self._words[start + _BEAT] = time.monotonic_ns()

    def step(self, row: int, began_ns: int) -> None:
        """Write when the oldest step that has not ended began, on the monotonic clock; 0: none is under way."""
        self._words[self._start(row) + _STEP] = began_ns

    def moved(self, row: int) -> None:
        """Write, as the supervisor, that the process was seen to use the processor."""
        self._words[self._start(row) + _MOVED] = time.monotonic_ns()

    def read(self, row: int) -> Row:
        """Read one row."""
        start = self._start(row)
        state, pid, beat, detail, step, moved = self._words[start : start + _ROW_WORDS]
        now_ns = time.monotonic_ns()
        silent_for_s, step_for_s, still_for_s = (max(0.0, (now_ns - then) / 1e9) if then else 0.0 for then in (beat, step, moved))
        return Row(RowState(state), pid, silent_for_s, detail, step_for_s, still_for_s)

    def clear(self, row: int) -> None:
        """Forget a process that has ended."""
        start = self._start(row)
        self._words[start + _STATE] = RowState.EMPTY
        for word in (_PID, _BEAT, _STEP, _MOVED):
            self._words[start + word] = 0

    def expect(self, row: int, pid: int) -> None:
        """Note that a process was started for the row, so that its silence is measured from now on."""
        start = self._start(row)
        self._words[start + _PID] = pid
        self._words[start + _STEP] = self._words[start + _MOVED] = 0
        self._words[start + _BEAT] = time.monotonic_ns()
        self._words[start + _STATE] = RowState.STARTING

    @property
    def process_restarts(self) -> int:
        """How often a process was started again."""
        return self._words[_PROCESS_RESTARTS]

    @process_restarts.setter
    def process_restarts(self, count: int) -> None:
        self._words[_PROCESS_RESTARTS] = count

    @property
    def database_restarts(self) -> int:
        """How often the embedded database was started again."""
        return self._words[_DATABASE_RESTARTS]

    @database_restarts.setter
    def database_restarts(self, count: int) -> None:
        self._words[_DATABASE_RESTARTS] = count

    def close(self) -> None:
        """Let go of the memory."""
        self._words.release()
        self._memory.close()

    def _start(self, row: int) -> int:
        if not 0 <= row < self.rows:
            raise IndexError(f"the board has rows 0 to {self.rows - 1}, not {row}")
        return _HEAD_WORDS + row * _ROW_WORDS

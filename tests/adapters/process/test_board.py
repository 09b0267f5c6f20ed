"""The board of signs of life: what one process writes, all others read."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.process.board import Board, RowState
from tests.support.service import ROOT, command_environment


def test_a_row_says_state_process_and_silence() -> None:
    board = Board.make(2)
    assert board.read(1).state is RowState.EMPTY
    assert board.read(1).silent_for_s == 0
    board.beat(0, RowState.SERVING, detail=8080)
    row = board.read(0)
    assert (row.state, row.pid, row.detail) == (RowState.SERVING, os.getpid(), 8080)
    assert row.silent_for_s < 5
    time.sleep(0.02)
    assert board.read(0).silent_for_s >= 0.02
    board.beat(0, RowState.IMPAIRED)
    assert (board.read(0).state, board.read(0).detail) == (RowState.IMPAIRED, 8080)
    assert board.read(1).state is RowState.EMPTY
    board.close()


def test_a_process_that_was_started_and_says_nothing_grows_silent_from_then_on() -> None:
    board = Board.make(1)
    board.expect(0, 4711)
    assert board.read(0).state is RowState.STARTING
    assert board.read(0).pid == 4711
    time.sleep(0.02)
    assert board.read(0).silent_for_s >= 0.02
    board.clear(0)
    assert (board.read(0).state, board.read(0).pid, board.read(0).silent_for_s) == (RowState.EMPTY, 0, 0)
    board.close()


def test_counts_are_kept_beside_the_rows() -> None:
    board = Board.make(1)
    board.process_restarts += 1
    board.database_restarts = 3
    board.beat(0, RowState.SERVING)
    assert (board.process_restarts, board.database_restarts) == (1, 3)
    board.close()


@pytest.mark.parametrize("row", [-1, 2])
def test_there_are_no_other_rows(row: int) -> None:
    board = Board.make(2)
    with pytest.raises(IndexError, match="rows 0 to 1"):
        board.beat(row, RowState.SERVING)
    board.close()


_WRITER = """
import sys
from adapters.process.board import Board, RowState
board = Board(int(sys.argv[1]), 2)
board.beat(1, RowState.SERVING, detail=2575)
"""


def test_another_process_writes_and_we_read() -> None:
    board = Board.make(2)
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(board.descriptor)], pass_fds=[board.descriptor], env=command_environment({}), cwd=ROOT
    )
    assert writer.wait(30) == 0
    row = board.read(1)
    assert (row.state, row.pid, row.detail) == (RowState.SERVING, writer.pid, 2575)
    board.close()


def test_nothing_is_left_in_the_folder_of_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    board = Board.make(1)
    assert list(tmp_path.iterdir()) == []
    board.close()

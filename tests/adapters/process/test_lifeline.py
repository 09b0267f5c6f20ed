"""A parent and its child: the word that the child gets, and its end when the parent ends. Real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.process.child import Assignment
from adapters.process.lifeline import NoParentError, assignment_line, read_assignment
from tests.support.service import ROOT, command_environment, is_alive


def _pipe_with(data: bytes) -> int:
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return reading


def test_an_assignment_travels_on_one_line_and_the_rest_is_left() -> None:
    descriptor = _pipe_with(assignment_line({"number": 1, "name": "wörk"}) + b"rest")
    assert read_assignment(descriptor) == {"number": 1, "name": "wörk"}
    assert os.read(descriptor, 100) == b"rest"
    os.close(descriptor)


@pytest.mark.parametrize("data", [b"", b"\n", b"hello\n", b"[1]\n", b'{"number": 1'])
def test_what_is_no_assignment_says_how_the_program_is_started(data: bytes) -> None:
    descriptor = _pipe_with(data)
    with pytest.raises(NoParentError, match="handoff serve"):
        read_assignment(descriptor)
    os.close(descriptor)


def test_an_assignment_comes_back_as_it_was_and_shows_no_address() -> None:
    assignment = Assignment(
        number=1,
        of=2,
        parent_pid=7,
        board=3,
        board_rows=4,
        rows={"work": 3},
        all_rows={"http": (0,), "work": (2, 3)},
        database_url="postgresql://handoff:secret@db/handoff",
        is_embedded=False,
        sockets={"http": 5},
    )
    assert Assignment.of_document(json.loads(json.dumps(assignment.document()))) == assignment
    assert "secret" not in repr(assignment)


_CHILD = """
import asyncio, os, sys
from adapters.process.lifeline import die_with_parent, watch_parent

async def main():
    ended = asyncio.Event()
    watch_parent(asyncio.get_running_loop(), ended.set)
    open(sys.argv[1], "w").write(str(os.getpid()))
    await ended.wait()
    open(sys.argv[1] + ".ended", "w").close()

if sys.argv[2] == "dies":
    die_with_parent(os.getppid())
asyncio.run(main())
"""
_PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2], sys.argv[3]], stdin=subprocess.PIPE)
time.sleep(600)
"""


def _family(folder: Path, how: str) -> tuple["subprocess.Popen[bytes]", int]:
    """A parent and its child; the child's process number once it watches."""
    told = folder / "child"
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, _CHILD, str(told), how], cwd=ROOT, env=command_environment({}))
    ends_at = time.monotonic() + 30
    while not (told.exists() and told.read_text()):
        assert time.monotonic() < ends_at
        time.sleep(0.02)
    return parent, int(told.read_text())


def _wait_for_the_end(pid: int) -> None:
    ends_at = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < ends_at, "the child outlives its parent"
        time.sleep(0.02)


def test_a_child_sees_the_end_of_its_parent(tmp_path: Path) -> None:
    parent, child = _family(tmp_path, "watches")
    parent.kill()
    parent.wait()
    _wait_for_the_end(child)
    assert (tmp_path / "child.ended").exists(), "it ended by itself"


@pytest.mark.skipif(sys.platform != "linux", reason="a kernel's service that only Linux has")
def test_a_frozen_child_dies_with_its_parent(tmp_path: Path) -> None:
    parent, child = _family(tmp_path, "dies")
    os.kill(child, signal.SIGSTOP)
    parent.kill()
    parent.wait()
    _wait_for_the_end(child)

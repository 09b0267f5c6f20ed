"""The line between a parent process and its children: what they are to do, and that they end when it ends. Not here: signals in order.

A child reads one JSON line from its standard input, which then stays open for as long as the parent lives. Linux kills it when the
parent dies, even while it is frozen; elsewhere it sees the end of the line. Nothing that it acknowledged is lost by that: an
acknowledgement leaves only after its commit.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

_PR_SET_PDEATHSIG: Final = 1
_LINE_BYTES_MAX: Final = 1_048_576


class NoParentError(RuntimeError):
    """This program is started by `handoff serve`, not by hand."""


def read_assignment(descriptor: int = 0) -> dict[str, Any]:
    """Read what the parent asks of this child: one JSON object on one line."""
    data = b""
    while not data.endswith(b"\n") and len(data) < _LINE_BYTES_MAX:
        # One octet at a time: what follows the line is the lifeline, not ours to read.
        octet = os.read(descriptor, 1)
        if not octet:
            break
        data += octet
    try:
        assignment = json.loads(data)
    except ValueError:
        assignment = None
    if not isinstance(assignment, dict):
        raise NoParentError("No assignment on the standard input: this program is started by `handoff serve`.")
    return assignment


def assignment_line(assignment: Mapping[str, Any]) -> bytes:
    """Write an assignment as the child reads it."""
    return json.dumps(assignment).encode() + b"\n"


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent dies. Linux only; elsewhere `watch_parent` alone has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        # It died before we asked.
        raise NoParentError("The parent process has ended.")


def watch_parent(loop: asyncio.AbstractEventLoop, on_end: Callable[[], None], descriptor: int = 0) -> None:
    """Call back once when the parent is gone."""
    os.set_blocking(descriptor, False)

    def readable() -> None:
        try:
            data = os.read(descriptor, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            loop.remove_reader(descriptor)
            on_end()

    loop.add_reader(descriptor, readable)


def lower_priority(by: int) -> None:
    """Let processes of higher priority go first on a full machine."""
    os.nice(by)

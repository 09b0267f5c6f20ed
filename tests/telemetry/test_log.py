"""A line of the log: what is written, what is replaced, and that nothing else finds a way into it."""

import asyncio
import io
import json
import logging
import subprocess
import sys
import warnings
from typing import Any
from uuid import UUID

import pytest

from app.telemetry.event_table import events_table_markdown
from app.telemetry.events import (
    BatchWorked,
    ConnectionClosed,
    DefectFound,
    Event,
    MessageReceived,
    MessageRefused,
    RequestAnswered,
)
from app.telemetry.fields import WITHHELD, class_of, place_of
from app.telemetry.log import EventLog, close_other_ways, watch_loop
from app.telemetry.words import DoorName, Level, Loop
from tests.support.service import ROOT, command_environment

MARKER = "Alder^Ann 19800102 MC1"
ID = UUID("0199a4c0-7c5d-7e0f-b1d2-c3a4e5f60718")


def lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def written(event: Event, *, level: Level = Level.DEBUG) -> list[dict[str, Any]]:
    stream = io.BytesIO()
    EventLog(stream, is_json=True, level=level, part="work", number=1, pid=7).emit(event)
    return lines(stream)


def test_an_event_is_one_line_of_json_with_its_name_level_and_fields() -> None:
    (line,) = written(MessageRefused(ID, DoorName.MLLP, "AE", ("101", "207")))
    assert line.pop("at").endswith("Z")
    assert line == {
        "event": "message.refused",
        "level": "warning",
        "part": "work",
        "number": 1,
        "pid": 7,
        "message_id": str(ID),
        "door": "mllp",
        "answer": "AE",
        "problems": ["101", "207"],
    }


def test_console_lines_say_the_same_for_people() -> None:
    stream = io.BytesIO()
    EventLog(stream, is_json=False, level=Level.INFO, part="work").emit(BatchWorked(Loop.PIPELINE, 3, 0, 2, 0, 1, 200, 12))
    (line,) = stream.getvalue().decode().splitlines()
    assert "batch.worked" in line
    assert "notifications=2" in line


def test_what_is_below_the_level_is_not_written() -> None:
    received = MessageReceived(ID, DoorName.HTTP, "AA", duplicate=False)
    assert written(received, level=Level.INFO) == []
    assert [line["event"] for line in written(received, level=Level.DEBUG)] == ["message.received"]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (RequestAnswered("a" * 32, "GET", f"/v1/members?identifier={MARKER}", 200, 1.0, None, None, None), "route"),
        (RequestAnswered(MARKER, "GET", "/readyz", 200, 1.0, None, None, None), "trace_id"),
        (RequestAnswered("a" * 32, "ANN", "/readyz", 200, 1.0, None, None, None), "method"),
        (RequestAnswered("a" * 32, "GET", "/readyz", 500, 1.0, None, None, f"ValueError: {MARKER}"), "failure"),
        (DefectFound(MARKER, "app/pipeline/work.py:8"), "error"),
        (DefectFound("ValueError", MARKER), "place"),
        (MessageRefused(ID, DoorName.MLLP, MARKER, ()), "answer"),
        (ConnectionClosed(MARKER, 1, "idle", 1, 1, 1, 0, 0), "listener"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_text_that_does_not_fit_is_replaced(event: Event, field: str) -> None:
    (line,) = written(event)
    assert line[field] == WITHHELD
    assert "Alder" not in json.dumps(line)


def test_every_item_of_a_list_is_looked_at() -> None:
    (line,) = written(MessageRefused(ID, DoorName.MLLP, "AE", ("101", MARKER)))
    assert line["problems"] == ["101", WITHHELD]


class _Gone(io.BytesIO):
    def write(self, _data: object) -> int:
        raise BrokenPipeError


def test_an_output_that_is_gone_does_not_stop_the_work() -> None:
    EventLog(_Gone(), is_json=True, level=Level.DEBUG).emit(DefectFound("ValueError", "app/main.py:1"))


def test_an_error_is_named_by_class_and_place_and_never_by_its_text() -> None:
    with pytest.raises(ValueError, match="Expecting value") as raised:
        json.loads(f"{MARKER} is no JSON")
    error = raised.value
    assert class_of(error) == "JSONDecodeError"
    # Raised deep inside a library; the innermost line of ours is this one.
    assert place_of(error).startswith("tests/telemetry/test_log.py:")
    stream = io.BytesIO()
    EventLog(stream, is_json=True, level=Level.INFO).defect(error)
    assert "Alder" not in stream.getvalue().decode()


async def test_the_loop_reports_what_nobody_waited_for() -> None:
    stream = io.BytesIO()
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    watch_loop(loop, EventLog(stream, is_json=True, level=Level.INFO))
    try:
        loop.call_exception_handler({"message": MARKER, "exception": KeyError(MARKER)})
        loop.call_exception_handler({"message": MARKER})
    finally:
        loop.set_exception_handler(before)
    assert [line["error"] for line in lines(stream)] == ["KeyError"]
    assert "Alder" not in stream.getvalue().decode()


_PROGRAM = f"""
import io, logging, sys, threading, warnings
from app.telemetry.words import Part
from app.telemetry.log import process_log

log = process_log(Part.WORK, 0, is_json=True, level="info")
logging.getLogger("uvicorn.error").error("%s", "{MARKER}", exc_info=ValueError("{MARKER}"))
logging.getLogger("sqlalchemy.pool").warning("{MARKER}")
logging.getLogger("{MARKER}").warning("{MARKER}")
warnings.warn("{MARKER}")
thread = threading.Thread(target=lambda: {{}}["{MARKER}"])
thread.start()
thread.join()
class Sad:
    def __del__(self):
        raise RuntimeError("{MARKER}")
Sad()
raise ValueError("{MARKER}")
"""


def test_no_other_way_to_the_log_is_left_open() -> None:
    """Library logs, warnings, threads, destructors and the last traceback: in a process of its own, which they are set for."""
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=command_environment({}), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "Alder" not in ended.stdout + ended.stderr
    said = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["event"] for line in said] == ["library.logged"] * 4 + ["defect.found"] * 3
    assert [line["library"] for line in said[:4]] == ["uvicorn.error", "sqlalchemy.pool", WITHHELD, "py.warnings"]
    assert said[0]["error"] == "ValueError"
    assert [line["error"] for line in said[4:]] == ["KeyError", "RuntimeError", "ValueError"]


def test_closing_the_other_ways_is_undone_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process of a test sets its own; the handler that was there is gone, not doubled."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions
    for name in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setattr("threading.excepthook", None)
    stream = io.BytesIO()
    try:
        close_other_ways(EventLog(io.BytesIO(), is_json=True, level=Level.INFO))
        close_other_ways(EventLog(stream, is_json=True, level=Level.INFO))
        logging.getLogger("asyncio").warning(MARKER)
        logging.getLogger("asyncio").info(MARKER)
        assert [line["library"] for line in lines(stream)] == ["asyncio"]
    finally:
        logging.captureWarnings(capture=False)
        warnings.resetwarnings()
        warnings.simplefilter("error")
        root.handlers[:], root.level, logging.raiseExceptions = before


def test_the_readme_lists_every_event() -> None:
    readme = (ROOT / "app/telemetry/README.md").read_text()
    assert readme.endswith(events_table_markdown()), "put the output of events_table_markdown() at its end"

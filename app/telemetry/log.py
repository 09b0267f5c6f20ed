"""Writes events, one line each, and closes every other way to the log: libraries, warnings, uncaught errors.

A text that does not fit the pattern of its field is replaced, and there is no switch that turns this off. Lines are written with one
call each, so that the processes of a tree can share one output. Not here: which events there are (events.py).
"""

import dataclasses
import logging
import os
import sys
import threading
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from types import TracebackType
from typing import Any, BinaryIO, Final, get_args, get_type_hints
from uuid import UUID

import orjson

from app.telemetry.event import Event
from app.telemetry.events import DefectFound, LibraryLogged
from app.telemetry.fields import WITHHELD, Form, class_of, place_of
from app.telemetry.sparing import Sparing
from app.telemetry.words import Level, Part

_ORDER: Final = {level: place for place, level in enumerate(Level)}
_LIBRARY_LEVELS: Final = ((logging.ERROR, Level.ERROR), (logging.WARNING, Level.WARNING), (logging.INFO, Level.INFO))


class EventLog:
    """Where events go. One a process."""

    def __init__(self, stream: BinaryIO, *, is_json: bool, level: Level, **about: int | str) -> None:
        """Write to the stream what is at least of the level; `about` stands in every line and is ours (part, number, pid)."""
        self._threshold = _ORDER[level]
        self._sparing = Sparing(time.monotonic)
        self._about = about
        self._stream = stream
        self._one_at_a_time = threading.RLock()
        self._line = _json_line if is_json else _console(stream)

    def takes(self, level: Level) -> bool:
        """Tell whether events of the level are written, where making one would cost too much."""
        return _ORDER[level] >= self._threshold

    def emit(self, event: Event) -> None:
        """Write one event. Never raises: a log that cannot be written must not stop the work."""
        if _ORDER[event.level] < self._threshold or not self._sparing.takes(type(event)):
            return
        try:
            at = datetime.now(UTC).isoformat().replace("+00:00", "Z")  # noqa: TID251 - when a line was written decides nothing
            line = self._line({**self._about, "level": event.level.value, **shown(event), "event": event.name, "at": at})
            with self._one_at_a_time:
                self._stream.write(line)
                self._stream.flush()
        except (OSError, ValueError):
            # The reader of our output is gone. There is nobody to tell.
            return

    def say_spared(self) -> None:
        """Write how many lines a flood was not given; called every so often."""
        spared = self._sparing.said()
        if spared is not None:
            self.emit(spared)

    def defect(self, error: BaseException) -> None:
        """Write that an error was caught which no rule expects."""
        self.emit(DefectFound(class_of(error), place_of(error)))


def _json_line(said: dict[str, Any]) -> bytes:
    return orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)


def _console(stream: BinaryIO) -> Callable[[dict[str, Any]], bytes]:
    """Give what writes lines for people."""
    import structlog.dev  # noqa: PLC0415 - it loads a library for terminals, which the processes of a service never need

    render = structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="at", event_key="event")
    return lambda said: f"{render(None, '', said)}\n".encode()


_known: dict[type[Event], Mapping[str, Callable[[Any], Any]]] = {}


def _writers(kind: type[Event]) -> Mapping[str, Callable[[Any], Any]]:
    """Give for each field how its value is written; worked out once a class."""
    found = _known.get(kind)
    if found is None:
        hints = get_type_hints(kind, include_extras=True)
        found = _known[kind] = {field.name: partial(_written, _form_of(hints[field.name])) for field in dataclasses.fields(kind)}
    return found


def _form_of(hint: Any) -> Form | None:  # noqa: ANN401 - a type expression
    for part in (hint, *get_args(hint)):
        for extra in getattr(part, "__metadata__", ()):
            if isinstance(extra, Form):
                return extra
    return None


def _written(form: Form | None, value: Any) -> Any:  # noqa: ANN401 - what a field may hold is checked here
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_written(form, item) for item in value]
    if isinstance(value, str) and form is not None and form.fits(value):
        return value
    return WITHHELD


def shown(event: Event) -> dict[str, Any]:
    """Give the fields as they are written."""
    return {name: write(getattr(event, name)) for name, write in _writers(type(event)).items()}


class _LibraryHandler(logging.Handler):
    """Turns a library's log record into an event without its text."""

    def __init__(self, log: EventLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on who said something, and about which error."""
        level = next((ours for theirs, ours in _LIBRARY_LEVELS if record.levelno >= theirs), Level.DEBUG)
        error = record.exc_info[1] if record.exc_info else None
        self._log.emit(
            LibraryLogged(
                record.name, level, class_of(error) if error is not None else None, place_of(error) if error is not None else None
            )
        )


def close_other_ways(log: EventLog) -> None:
    """Take over what would be printed by others: library logs, warnings, and the tracebacks of uncaught errors.

    A traceback ends with the text of its error, and a database's text can quote a row. For the service's processes only.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(_LibraryHandler(log))
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False

    def uncaught(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        log.defect(error)

    def uncaught_in_thread(found: threading.ExceptHookArgs) -> None:
        if found.exc_value is not None:
            log.defect(found.exc_value)

    def unraisable(found: Any) -> None:  # noqa: ANN401 - sys.UnraisableHookArgs exists for the type checker only
        if found.exc_value is not None:
            log.defect(found.exc_value)

    sys.excepthook = uncaught
    threading.excepthook = uncaught_in_thread
    sys.unraisablehook = unraisable


def process_log(part: Part, number: int, *, is_json: bool, level: str) -> EventLog:
    """Open the log of one process of the service on its standard output, and close every other way to it."""
    log = EventLog(sys.stdout.buffer, is_json=is_json, level=Level(level), part=part.value, number=number, pid=os.getpid())
    close_other_ways(log)
    return log


def watch_loop(loop: AbstractEventLoop, log: EventLog) -> None:
    """Take over what the event loop says of errors in callbacks and of tasks that nobody waited for."""

    def found(_loop: AbstractEventLoop, context: Mapping[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            log.defect(error)

    loop.set_exception_handler(found)

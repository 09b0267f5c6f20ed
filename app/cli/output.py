"""What a command prints: tables and sentences for people, or JSON for programs. Nothing else prints.

Standard output has the result, standard error everything about getting there. Not here: what is printed.
"""

import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.exits import CommandError, ExitCode, usage

JsonFlag: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Row: TypeAlias = Mapping[str, Any]

_PIPE_WIDTH = 1000


class Output:
    """Where one command prints."""

    def __init__(self, *, as_json: bool) -> None:
        """Print for people or for programs."""
        self.as_json = as_json
        # A pipe has no width: whoever reads it wants whole lines.
        self._console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
        self._error_console = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Tell a person something about the way; programs are not told."""
        if not self.as_json:
            self._error_console.print(text, markup=False)

    def result(self, value: Any, text: str | None = None) -> None:  # noqa: ANN401 - any JSON value
        """Print one result: the value as JSON, or a sentence."""
        if self.as_json:
            print_json(value)
        elif text is not None:
            self._console.print(text, markup=False)
        else:
            self.fields(value)

    def fields(self, value: Row) -> None:
        """Print one thing, a field a line. Nothing is wrapped: ids and keys are there to be copied."""
        if self.as_json:
            print_json(value)
            return
        width = max((len(name) for name in value), default=0)
        for name, item in value.items():
            line = Text(f"{name.ljust(width)}  ", style="bold")
            line.append(cell(item), style="not bold")
            self._console.print(line)

    def table(self, rows: Sequence[Row], columns: Sequence[str], *, none: str) -> None:
        """Print a list; `none` says what an empty one means."""
        if self.as_json:
            print_json({"items": list(rows)})
            return
        if not rows:
            self.say(none)
            return
        table = Table(box=None, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column == "id" or column.endswith("_id"))
        for row in rows:
            table.add_row(*(Text(cell(row.get(column))) for column in columns))
        self._console.print(table)

    def text(self, text: str) -> None:
        """Print a text as it is."""
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")

    def failed(self, error: CommandError, cause: BaseException | None = None) -> None:
        """Print why the command ended, and what to do next."""
        place = _place(cause) if error.code is ExitCode.DEFECT and cause is not None else None
        if self.as_json:
            said = {"error": error.text, "remedy": error.remedy, "kind": error.code.name.lower(), "exit_code": int(error.code)}
            print_json(said | ({"place": place} if place else {}), stream=sys.stderr)
            return
        self._error_console.print(f"handoff: {error.text}", markup=False, style="bold red" if self._error_console.is_terminal else "")
        self._error_console.print(error.remedy, markup=False)
        if place:
            self._error_console.print(f"Place: {place}", markup=False)


def invalid(error: ValidationError) -> CommandError:
    """Turn a library's objections to what was typed into ours: option and reason, without repeating the value."""
    lines = []
    for found in error.errors(include_url=False, include_input=False, include_context=False):
        option = "--" + "-".join(str(part) for part in found["loc"]).replace("_", "-")
        lines.append(f"{option}: {found['msg'].removeprefix('Value error, ')}")
    return usage("\n".join(lines), "Correct it and try again; --help describes every option.")


def print_json(value: Any, stream: Any = None) -> None:  # noqa: ANN401 - any JSON value, any text stream
    """Print one JSON document on one line."""
    (stream or sys.stdout).write(json.dumps(value, default=_plain, ensure_ascii=False) + "\n")


def cell(value: Any) -> str:  # noqa: ANN401 - any value of a row
    """Give the text of a value in a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Mapping):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return ", ".join(cell(item) for item in value) or "-"
    return str(value)


def _plain(value: Any) -> Any:  # noqa: ANN401 - what JSON does not know by itself
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID | Path):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not printed")


def _place(error: BaseException) -> str | None:
    """Name the line of code, never the error's text: it may quote a message."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return None
    ours = [frame for frame in frames if "/app/" in frame.filename or "/adapters/" in frame.filename] or frames
    path = Path(ours[-1].filename)
    return f"{type(error).__name__} at {path.parent.name}/{path.name}:{ours[-1].lineno}"

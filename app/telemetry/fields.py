"""The kinds of value that may stand in a log line: numbers, ids, and text of a closed form. Free text is not one of them.

A patient's data cannot be spelled in these kinds: every text is a member of an enumeration or fits a pattern of ours, and what does
not fit is replaced, not passed on (tests/house/test_telemetry.py keeps the list closed). Not here: the events themselves.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAlias

WITHHELD: Final = "?"
"""Stands for a text that does not fit its pattern."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form that a text must have to be written."""

    pattern: re.Pattern[str]

    def fits(self, text: str) -> bool:
        """Tell whether the whole text has the form."""
        return self.pattern.fullmatch(text) is not None


def _form(pattern: str) -> Form:
    return Form(re.compile(pattern))


ClassName: TypeAlias = Annotated[str, _form(r"[A-Z][A-Za-z0-9]{0,63}")]
"""The class of an error: `ConnectionDoesNotExistError`. Never its text."""
Place: TypeAlias = Annotated[str, _form(r"[a-z0-9_]{1,40}(/[a-z0-9_]{1,40}){0,6}\.py:[0-9]{1,6}")]
"""A line of our code: `app/pipeline/work.py:88`."""
Failure: TypeAlias = Annotated[str, _form(r"[A-Z][A-Za-z0-9]{0,63}( at [a-z0-9_]{1,40}(/[a-z0-9_]{1,40}){0,6}\.py:[0-9]{1,6})?")]
"""A class and a place in one text, as the API observes them."""
LibraryName: TypeAlias = Annotated[
    str, _form(r"(asyncio|asyncpg|asyncssh|aiohttp|alembic|concurrent|fastapi|httpx|py|sqlalchemy|uvicorn)(\.[a-z_]{1,30}){0,4}")
]
"""The logger of a library that we use."""
TraceId: TypeAlias = Annotated[str, _form(r"[0-9a-f]{32}")]
Route: TypeAlias = Annotated[str, _form(r"unmatched|(/[a-z0-9_$.-]{0,40}|/\{[a-z_]{1,40}\}|\.[a-z]{1,8}){1,8}")]
"""A path template, as it stands in the code."""
Method: TypeAlias = Annotated[str, _form(r"GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS")]
Code: TypeAlias = Annotated[str, _form(r"[A-Z]{2}|[0-9]{1,3}|[a-z][a-z_]{0,30}")]
"""An acknowledgement code, an error condition code of HL7 table 0357, or a word of one of our enumerations."""
Listener: TypeAlias = Annotated[str, _form(r"[a-z0-9_.:\[\]-]{1,80}")]
"""A listener's name as configured: an address, or a word of the operator's."""
Source: TypeAlias = Annotated[str, _form(r"[a-z0-9][a-z0-9_.-]{0,59}")]
"""The name of a drop as configured."""
Revision: TypeAlias = Annotated[str, _form(r"[0-9a-z_]{1,40}")]

_ROOT: Final = Path(__file__).resolve().parents[2]


def class_of(error: BaseException) -> str:
    """Give the class of an error."""
    return type(error).__name__


def place_of(error: BaseException) -> str:
    """Give the innermost line of ours that an error went through, else the file and line of the library that raised it."""
    inner = library = ""
    trace = error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(_ROOT) and ".venv" not in path.parts:
            inner = f"{path.relative_to(_ROOT).as_posix()}:{trace.tb_lineno}"
        library = f"{path.parent.name}/{path.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return inner or library

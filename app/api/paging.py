"""Keyset pages: opaque cursors, limits, and the shape of every list.

A cursor is the sort key of the last row, so a page costs the same at any depth and rows that arrive meanwhile shift nothing.
It is opaque on purpose; it carries the name of its list, so that one of another list is refused instead of misread.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import orjson
from fastapi import Depends, Query

from app.api.problems import ProblemError, invalid

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000
_CURSOR_LENGTH_MAX: Final = 512

Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many items at most.", examples=[100])]
_Cursor = Annotated[
    str | None,
    Query(max_length=_CURSOR_LENGTH_MAX, description="The `next` of the page before; leave out for the first page.", examples=[None]),
]


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for."""

    cursor: str | None
    limit: int


async def page_of_query(after: _Cursor = None, cursor: _Cursor = None, limit: Limit = LIMIT_DEFAULT) -> Page:
    """Read the three parameters of every list; `cursor` is another name of `after`."""
    return Page(cursor=after if after is not None else cursor, limit=limit)


PageOfQuery = Annotated[Page, Depends(page_of_query)]


def spell_cursor(list_name: str, *key: object) -> str:
    """Give the cursor for a sort key."""
    return urlsafe_b64encode(orjson.dumps([list_name, *key], default=str)).rstrip(b"=").decode()


def read_cursor(list_name: str, cursor: str | None, *readers: Callable[[Any], Any]) -> tuple[Any, ...] | None:
    """Give the sort key behind a cursor, or None for the first page. Anything else than a cursor of this list is refused."""
    if cursor is None:
        return None
    try:
        parts = orjson.loads(urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
        name, *key = parts
        if name != list_name or len(key) != len(readers):
            raise _wrong_cursor()
        return tuple(reader(value) for reader, value in zip(readers, key, strict=True))
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise _wrong_cursor() from None


def _wrong_cursor() -> ProblemError:
    return invalid("/after", "is not a cursor of this list; pass the `next` of a page of the same list, or leave it out", where="query")


def read_uuid(value: Any) -> UUID:  # noqa: ANN401 - whatever the cursor held
    """Read a UUID part of a cursor."""
    return UUID(value)


def read_instant(value: Any) -> datetime:  # noqa: ANN401 - whatever the cursor held
    """Read an instant part of a cursor."""
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise _wrong_cursor()
    return instant


def read_number(value: Any) -> int:  # noqa: ANN401 - whatever the cursor held
    """Read a part of a cursor that is a bigint."""
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise _wrong_cursor()
    return value


def listing(items: Sequence[Any], cursor: str | None) -> dict[str, Any]:
    """Give the body of every list."""
    return {"items": items, "next": cursor}


def cut(rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], bool]:
    """Cut a read of `limit + 1` rows to the page, and tell whether there is another."""
    return rows[:limit], len(rows) > limit

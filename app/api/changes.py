"""Polling for what changed without missing any: every answer to such a question says where the order of commits was, and takes it back.

A list is asked `changed_after` a place that an answer gave as `changes`, page by page; all its pages show what was committed by the place
of the first, so what is committed meanwhile is the next question's. Not here: what a place is (domain/commit_order).
"""

from typing import Annotated, Any, Final

from fastapi import Query

from app.api.paging import listing, read_cursor, spell_cursor
from app.api.problems import ProblemError, invalid
from app.domain.commit_order import Between, Position
from app.store import commits
from app.store.raw import Raw

_NAME: Final = "changes"
_WRONG: Final = "is not a place in the order of commits; pass the `changes` of an answer, or ask by `changed_since` and begin anew"

ChangedAfter = Annotated[
    str | None,
    Query(
        max_length=512,
        description="Only what was committed after the answer that gave this as `changes`, however late: nothing is missed, and nothing "
        "comes twice that did not change twice. Not with `changed_since`.",
        examples=[None],
    ),
]


def read_place(changed_after: str | None, *others: object) -> Position | None:
    """Read `changed_after`; `others` are what it cannot be asked together with."""
    if changed_after is None:
        return None
    if any(other is not None for other in others):
        raise invalid("/changed_after", "is asked alone: without changed_since and as_of", where="query")
    try:
        key = read_cursor(_NAME, changed_after, Position.read)
    except ProblemError:
        key = None
    if key is None:
        raise invalid("/changed_after", _WRONG, where="query")
    place: Position = key[0]
    return place


async def place_now(raw: Raw, after: Position | None, until: Position | None) -> Position:
    """Give the place that the answer is of: that of the first page, else where the order is now. 422 for one after a restored database."""
    until = until or await commits.position(raw)
    if after is not None and after.next > until.next:
        # Numbers begin anew in a database that was restored: what it says now cannot be told from what it said then.
        raise invalid("/changed_after", _WRONG, where="query")
    return until


def committed(after: Position | None, until: Position | None) -> Between | None:
    """Give what is asked for, if it is asked by place."""
    return Between(after, until) if after is not None and until is not None else None


def changes_listing(items: list[Any], cursor: str | None, until: Position | None) -> dict[str, Any]:
    """Give the body of a list that can be polled."""
    return {**listing(items, cursor), "changes": spell_cursor(_NAME, until.spelled()) if until is not None else None}

"""What a row of a delta says is to happen: somebody comes, changes or goes (ATR-2; the change types of Da Vinci ATR).

A row without the word comes or changes, whichever it is. A row that says `remove` names claims rather than making one: by the person,
and by program, role and first day where it gives them. Not here: reading a row (roster_row), ending the claims (store/panel_removals).
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

from app.domain.roster import RowErrorCode, column_name

CHANGE_COLUMN: Final = "change_type"


class ChangeType(StrEnum):
    """What a row says is to happen."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"
    UNCHANGED = "unchanged"
    """Said of somebody who stays as they are; read like a row without a word."""


CHANGE_WORDS: Final[Mapping[str, ChangeType]] = {
    **{change.value: change for change in ChangeType},
    "a": ChangeType.ADD,
    "added": ChangeType.ADD,
    "new": ChangeType.ADD,
    "insert": ChangeType.ADD,
    "c": ChangeType.CHANGE,
    "u": ChangeType.CHANGE,
    "changed": ChangeType.CHANGE,
    "update": ChangeType.CHANGE,
    "updated": ChangeType.CHANGE,
    "d": ChangeType.REMOVE,
    "r": ChangeType.REMOVE,
    "removed": ChangeType.REMOVE,
    "drop": ChangeType.REMOVE,
    "dropped": ChangeType.REMOVE,
    "delete": ChangeType.REMOVE,
    "deleted": ChangeType.REMOVE,
    "term": ChangeType.REMOVE,
    "nochange": ChangeType.UNCHANGED,
    "no_change": ChangeType.UNCHANGED,
    # X12 834, maintenance type code (INS03).
    "001": ChangeType.CHANGE,
    "021": ChangeType.ADD,
    "024": ChangeType.REMOVE,
    "030": ChangeType.UNCHANGED,
}
"""`new`, `changed`, `nochange` and `dropped` are Da Vinci ATR's; the numbers are those of enrolment files."""


def read_change(text: str) -> ChangeType | None:
    """Read a change type; None when it is none."""
    return CHANGE_WORDS.get(column_name(text))


class Removal(NamedTuple):
    """A row that ends claims. What it does not say narrows nothing."""

    number: int
    authority: str
    type: str
    value: str
    """By what it names the person (`roster_row.own_id`)."""
    program: str | None
    """Its key (`roster.program_key`)."""
    role: str | None
    effective_from: date | None
    ends_on: date
    """The first day on which the claims no longer hold. On or before their first day: they never held."""
    birth_date: str | None
    """ISO. One that is another's than that of the claims stops the removal: a mistyped number must not end somebody else's."""
    cells: list[str]
    """As sent."""


REMOVAL_PROBLEMS: Final = (
    RowErrorCode.NOT_ON_PANEL,
    RowErrorCode.OTHER_PERSON,
    RowErrorCode.SEVERAL_PEOPLE,
    RowErrorCode.CONTRADICTED,
)
"""What only the panel can tell about a removal; such a row ends nothing and is refused."""

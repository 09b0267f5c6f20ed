"""The columns of a roster that say how somebody is reached: second number, whose it is, what to mind, and the guardian.

A cell that cannot be what its column says refuses the row: a misread guardian or a lost "no voicemail" harms, and the row comes back in
the file of refused rows. `none` in a cell takes back what an earlier file said. Not here: the columns of a claim (roster_row), what a
recipient reads of it (contact_sheet).
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from app.domain.roster import RowErrorCode
from app.domain.telephone import has_number

PHONE_COLUMNS: Final = ("phone2", "guardian_phone")
TEXT_COLUMNS: Final = ("phone_owner", "safe_contact", "guardian_name", "guardian_relation")
CONTACT_COLUMNS: Final = (*PHONE_COLUMNS, *TEXT_COLUMNS, "no_voicemail", "interpreter")
_COLUMNS: Final = frozenset(CONTACT_COLUMNS)
_GUARDIAN: Final = ("guardian_name", "guardian_relation", "guardian_phone")

TEXT_CHARACTERS_MAX: Final = 200
"""Our policy: a name, a relation or "text only, after five" is shorter; what is longer belongs into another column."""

_YES: Final = frozenset({"Y", "YES", "TRUE", "T", "1", "X"})
_NO: Final = frozenset({"N", "NO", "FALSE", "F", "0"})
_NONE: Final = frozenset({"NONE", "N/A", "NA", "N.A.", "NULL", "-", "--", '""'})


def check_contact(cells: dict[str, str], present: Collection[str], faults: list[tuple[str, RowErrorCode]]) -> None:
    """Check the cells of those of our columns that the file has, and bring the yes and no into one form."""
    for column in present:
        text = cells.get(column)
        if text is None or text.upper() in _NONE:
            continue
        if len(text) > TEXT_CHARACTERS_MAX or not text.isprintable():
            faults.append((column, RowErrorCode.BAD_TEXT))
        elif column in PHONE_COLUMNS:
            if not has_number(text):
                faults.append((column, RowErrorCode.NOT_A_PHONE))
        elif column == "no_voicemail" or (column == "interpreter" and len(text) == 1):
            word = _yes_or_no(text)
            if word is None:
                faults.append((column, RowErrorCode.NOT_YES_OR_NO))
            else:
                cells[column] = word
        elif column == "interpreter":
            # Or the language, which says that one is needed.
            cells[column] = _yes_or_no(text) or text


def contact_facts(cells: Mapping[str, str]) -> dict[str, Any]:
    """Give what an accepted row says, as facts about the person; None takes back.

    An empty cell says nothing, as in the other columns. A guardian is stated as a whole: half of an earlier one is nobody.
    """
    if _COLUMNS.isdisjoint(cells):
        return {}
    facts: dict[str, Any] = {column: _stated(cells[column]) for column in CONTACT_COLUMNS if column in cells}
    if any(column in cells for column in _GUARDIAN):
        named = facts.get("guardian_name") or facts.get("guardian_relation") or facts.get("guardian_phone")
        facts |= {column: facts.get(column) if named else None for column in _GUARDIAN}
    return facts


def _stated(text: str) -> str | None:
    return None if text.upper() in _NONE else text


def _yes_or_no(text: str) -> str | None:
    word = text.upper()
    return "yes" if word in _YES else "no" if word in _NO else None

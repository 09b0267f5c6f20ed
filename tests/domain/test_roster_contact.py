"""The roster's columns on how to reach somebody: what is taken, what refuses the row and where, what takes back. Table in, table out."""

from datetime import date
from typing import Any

import pytest

from app.domain.latest import known, learn
from app.domain.roster import RawRow, layout_of
from app.domain.roster_row import RefusedRow, RosterRow, RowReader, claim_of_row
from tests.support.rosters import make_organization

HOME = make_organization()
PERSON = {"member_id": "M1", "last_name": "Sample", "birth_date": "2012-02-29", "program": "BHH", "effective_from": "2026-01-01"}


def _read(cells: dict[str, str]) -> RosterRow | RefusedRow:
    row = PERSON | cells
    return RowReader(layout_of([*row]), HOME, date(2026, 3, 2)).read(RawRow(2, [*row.values()]))


def _facts(cells: dict[str, str]) -> dict[str, Any]:
    row = _read(cells)
    assert isinstance(row, RosterRow), row
    return {name: value for name, value in claim_of_row(row.cells, HOME.id, "1").facts.items() if name not in PERSON}


@pytest.mark.parametrize(
    ("cells", "facts"),
    [
        ({"phone2": "(207) 555-0102"}, {"phone2": "(207) 555-0102"}),
        ({"phone_owner": "Grandmother"}, {"phone_owner": "Grandmother"}),
        ({"safe_contact": "text only, after five"}, {"safe_contact": "text only, after five"}),
        ({"no_voicemail": "Y"}, {"no_voicemail": "yes"}),
        ({"no_voicemail": "false"}, {"no_voicemail": "no"}),
        ({"interpreter": "1"}, {"interpreter": "yes"}),
        ({"interpreter": "Somali"}, {"interpreter": "Somali"}),
        ({"no_voicemail": "", "phone2": ""}, {}),
        ({"phone2": "none", "safe_contact": "N/A"}, {"phone2": None, "safe_contact": None}),
        (
            {"guardian_name": "Zz Office", "guardian_relation": "state custody"},
            {"guardian_name": "Zz Office", "guardian_relation": "state custody", "guardian_phone": None},
        ),
        ({"guardian_name": "none"}, {"guardian_name": None, "guardian_relation": None, "guardian_phone": None}),
    ],
)
def test_what_a_row_says(cells: dict[str, str], facts: dict[str, Any]) -> None:
    assert _facts(cells) == facts


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("phone2", "call mother", "not_a_phone"),
        ("guardian_phone", "12", "not_a_phone"),
        ("no_voicemail", "maybe", "not_yes_or_no"),
        ("interpreter", "?", "not_yes_or_no"),
        ("safe_contact", "x" * 201, "bad_text"),
        ("guardian_name", "Zz\x07", "bad_text"),
        ("guardian_relation", "x" * 201, "bad_text"),
        ("phone_owner", "x" * 201, "bad_text"),
    ],
)
def test_what_refuses_a_row_and_where(column: str, cell: str, code: str) -> None:
    row = _read({column: cell})
    assert isinstance(row, RefusedRow)
    (error,) = row.errors
    assert (error.row, error.column, error.code.value) == (2, column, code)
    assert cell not in error.message


def test_a_later_file_takes_back_and_an_empty_cell_does_not() -> None:
    said = learn({}, "1", _facts({"guardian_name": "Zz Office", "guardian_phone": "2075550104", "no_voicemail": "yes"}))
    said = learn(said, "2", _facts({"guardian_name": "", "guardian_phone": "", "no_voicemail": ""}))
    assert known(said) == {"guardian_name": "Zz Office", "guardian_phone": "2075550104", "no_voicemail": "yes"}
    said = learn(said, "3", _facts({"guardian_name": "Other", "no_voicemail": "no"}))
    assert known(said) == {"guardian_name": "Other", "no_voicemail": "no"}
    assert known(learn(said, "4", _facts({"guardian_name": "none"}))) == {"no_voicemail": "no"}

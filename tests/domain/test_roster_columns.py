"""Rows that are read column by column are exactly what reading them one by one makes of them, warnings included."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.organization import OrganizationKind
from app.domain.roster import RawRow, RowErrorCode, layout_of
from app.domain.roster_columns import RosterReader
from app.domain.roster_row import RosterRow, RowReader
from tests.support.rosters import make_organization

TODAY = date(2026, 3, 2)
# The first of each is what a row has mostly.
CELLS = {
    "member_id": ["M1", "", "N/A", "000000", "x" * 101, "a\tb"],
    "member_id_system": ["home", "", "Home", "s" * 101, "a\tb"],
    "medicaid_id": ["8001", "", " 8001 ", "99999999", "UNKNOWN"],
    "mrn": ["", "77", "-"],
    "mrn_system": ["", "Hosp"],
    "first_name": ["Ann", "", "Bo "],
    "last_name": ["Alder", "", "  "],
    "birth_date": ["1980-01-02", "", "01/02/1980", "19800102", "1780-01-01", "2027-01-01", "soon"],
    "sex": ["F", "", "female", "m", "?"],
    "phone": ["207-555-0100", ""],
    "hospice_from": ["", "2026-01-05", "01/05/2026", "soon"],
    "phone2": ["", "207-555-0101", "none", "call"],
    "no_voicemail": ["", "y", "maybe"],
    "consent_type": ["", "tpo", "perhaps"],
    "consent_signed_on": ["", "2026-01-05", "soon"],
    "program": ["BHH", "", "tcm", "Nobody's"],
    "role": ["", "bhh", "PCP", "chief"],
    "effective_from": ["2026-01-01", "1/1/2026", "", "1700-01-01", "soon"],
    "effective_to": ["", "2026-05-01", "2025-01-01", "9999-12-31", "soon"],
    "coordinator": ["", "Cy"],
    "errors": ["", "as we said"],
    "colour": ["", "red"],
    "change_type": ["", "add", "remove", "other"],
}
REQUIRED = {"last_name", "birth_date", "program", "effective_from", "medicaid_id"}


def _cell(column: str) -> st.SearchStrategy[str]:
    usual, *_ = CELLS[column]
    return st.one_of(*[st.just(usual)] * 5, st.sampled_from(CELLS[column]))


@st.composite
def _file(draw: Any) -> tuple[list[str], list[list[str]]]:
    names = draw(st.permutations([*REQUIRED, *draw(st.sets(st.sampled_from(sorted({*CELLS} - REQUIRED))))]))
    rows = draw(st.lists(st.tuples(*map(_cell, names)).map(list), max_size=12))
    for row in rows:
        if draw(st.integers(0, 9)) == 0:
            row.append("one more")
    return names, rows


def _read_twice(names: list[str], raws: list[RawRow]) -> None:
    layout, home = layout_of(names), make_organization(7, OrganizationKind.HEALTH_HOME)
    knows = {"BHH", "tcm"}.__contains__
    one_by_one, together = RowReader(layout, home, TODAY, knows), RosterReader(layout, home, TODAY, knows)
    half = len(raws) // 2
    expected = [one_by_one.read(raw) for raw in raws]
    found = together.read(raws[:half]) + together.read(raws[half:])
    assert found == expected
    # The order of the cells is that of the stored JSON.
    assert [[*row.cells] for row in found if isinstance(row, RosterRow)] == [[*row.cells] for row in expected if isinstance(row, RosterRow)]
    assert together.warnings() == one_by_one.warnings()


@settings(max_examples=250, deadline=None)
@given(_file())
def test_they_come_to_the_same(file: tuple[list[str], list[list[str]]]) -> None:
    names, rows = file
    _read_twice(
        names, [RawRow(number, row, RowErrorCode.CELL_COUNT if len(row) != len(names) else None) for number, row in enumerate(rows, 2)]
    )


@pytest.mark.parametrize("column", CELLS)
def test_every_odd_cell_alone_among_usual_rows(column: str) -> None:
    """Every text of every column once, between rows of which nothing is odd."""
    names = [*CELLS]
    usual = [CELLS[name][0] for name in names]
    rows = []
    for text in CELLS[column]:
        rows += [[*usual], [text if name == column else CELLS[name][0] for name in names]]
    _read_twice(names, [RawRow(number, row) for number, row in enumerate(rows, 2)])


def test_a_usual_row_needs_no_second_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [*CELLS]
    reader = RosterReader(layout_of(names), make_organization(7), TODAY)
    monkeypatch.setattr(RowReader, "read", None)
    taken = reader.read([RawRow(number, [CELLS[name][0] for name in names]) for number in range(2, 5)])
    assert [row.number for row in taken] == [2, 3, 4]


def test_a_file_of_removals_without_the_usual_columns() -> None:
    _read_twice(["medicaid_id", "change_type"], [RawRow(2, ["8001", "remove"]), RawRow(3, ["8002", ""]), RawRow(4, ["", "remove"])])

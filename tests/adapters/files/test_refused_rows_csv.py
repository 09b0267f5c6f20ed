"""The file of refused rows: the header as sent, the reasons, nothing a spreadsheet would compute, and nothing lost."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.formulas import TRIGGERS, neutralised, restored
from adapters.files.refused_rows_csv import RefusedRowsCsv
from app.domain.roster import RowError, RowErrorCode

ERRORS = (RowError(2, "birth_date", RowErrorCode.NOT_A_DATE, "Why."), RowError(2, "", RowErrorCode.CELL_COUNT, "Because."))


def written(header: list[str], rows: list[list[str]]) -> list[list[str]]:
    """Write a file and read it as a spreadsheet would."""
    writer = RefusedRowsCsv(header)
    data = writer.begin() + writer.rows((row, ERRORS) for row in rows)
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))


def test_the_header_as_sent_and_the_reasons() -> None:
    assert written(["Member ID", "DOB"], [["M1", "soon"]]) == [
        ["Member ID", "DOB", "errors"],
        ["M1", "soon", "birth_date: Why. | Because."],
    ]


def test_reasons_of_an_earlier_round_are_replaced() -> None:
    assert written(["member_id", "Errors", "dob"], [["M1", "old reasons", "soon"]]) == [
        ["member_id", "dob", "errors"],
        ["M1", "soon", "birth_date: Why. | Because."],
    ]


def test_rows_with_too_few_or_too_many_cells_keep_them_all() -> None:
    assert written(["a", "b"], [["1"], ["1", "2", "3", "4"]])[1:] == [
        ["1", "", "birth_date: Why. | Because."],
        ["1", "2", "birth_date: Why. | Because.", "3", "4"],
    ]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\uff1d1+1", " =1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    (_, (first, _)) = written(["a"], [[cell]])
    assert first == "'" + cell.strip()


@given(st.text(max_size=10))
def test_neutralising_can_be_taken_back(cell: str) -> None:
    assert neutralised(cell)[:1] not in set(TRIGGERS)
    if not cell.startswith("'"):
        assert restored(neutralised(cell)) == cell
    assert restored(restored(neutralised(cell))) == restored(cell)

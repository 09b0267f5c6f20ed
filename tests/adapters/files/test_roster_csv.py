"""Cutting a roster into rows: quoting, delimiters, line ends, pieces of any size, and damage that must cost one row and no more."""

import csv
import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.refused_rows_csv import RefusedRowsCsv
from adapters.files.roster_csv import CELL_CHARACTERS_MAX, DELIMITERS, LINE_CHARACTERS_MAX, RosterCsv
from app.domain.roster import RawRow, RosterRefusedError, RowErrorCode
from tests.support.rosters import HEADER, member, roster_bytes

NAMES = ("member_id", "last_name", "city")
HEAD = b"member_id,last_name,city\n"


def read(data: bytes, cuts: list[int] | None = None) -> list[RawRow]:
    """Read a file in pieces."""
    reader = RosterCsv()
    places = [0, *sorted(min(cut, len(data)) for cut in cuts or []), len(data)]
    rows = [row for start, end in pairwise(places) for row in reader.feed(data[start:end])]
    return rows + reader.close()


def outcome(data: bytes, cuts: list[int]) -> object:
    """The rows, or why there are none."""
    try:
        return read(data, cuts)
    except RosterRefusedError as refused:
        return refused.errors


CUTS = st.lists(st.integers(0, 400), max_size=5)
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufffd"), max_size=12).map(str.strip)
TABLE = st.lists(st.tuples(CELL, CELL, CELL), max_size=8)


@given(TABLE, st.sampled_from(DELIMITERS), st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]), CUTS)
def test_what_a_csv_writer_writes_is_read_back(
    table: list[tuple[str, ...]], delimiter: str, ending: str, quoting: int, cuts: list[int]
) -> None:
    if any(mark in cell for row in table for cell in row for mark in "\r\n"):
        # Python's writer quotes of the line ends only those it writes itself.
        quoting = csv.QUOTE_ALL
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator=ending, quoting=quoting).writerows([NAMES, *table])  # type: ignore[arg-type]
    # An apostrophe before a formula is a neutralised cell and is taken back; such cells are tested below.
    expected = [list(row) for row in table if any(row)]
    rows = read(b"\xef\xbb\xbf" + buffer.getvalue().encode(), cuts)
    if not any(cell.startswith("'") for row in table for cell in row):
        assert [row.cells for row in rows] == expected
        assert {row.problem for row in rows} <= {None}


@given(st.text("ab,;\t|\"'=\n\r\0é\ufffd ", max_size=200), CUTS)
def test_how_the_bytes_are_cut_changes_nothing(text: str, cuts: list[int]) -> None:
    data = HEAD + text.encode()
    assert outcome(data, cuts) == outcome(data, [])


@given(st.binary(max_size=300), CUTS)
def test_no_bytes_make_the_reader_fail(data: bytes, cuts: list[int]) -> None:
    assert outcome(data, cuts) == outcome(data, [])
    assert outcome(HEAD + data, cuts) == outcome(HEAD + data, [])


@given(st.integers(1, 5), st.integers(0, 3000), st.integers(0, 70))
def test_long_records_are_judged_alike_however_the_bytes_are_cut(lines: int, length: int, piece_kib: int) -> None:
    record = b'M1,"' + b"\n".join([b"x" * length * 8] * lines) + b'",A\nM2,b,c\n'
    data = HEAD + record * 2
    cuts = list(range(0, len(data), piece_kib * 1024)) if piece_kib else []
    assert outcome(data, cuts) == outcome(data, [])


def test_numbers_are_lines_of_the_file() -> None:
    rows = read(b'\n\nmember_id,last_name,city\nM1,a,b\n\n,,\nM2,"two\nlines",c\nM3,d,e')
    assert [(row.number, row.cells) for row in rows] == [(4, ["M1", "a", "b"]), (7, ["M2", "two\nlines", "c"]), (9, ["M3", "d", "e"])]


def test_the_header_is_there_as_soon_as_its_line_was_fed() -> None:
    reader = RosterCsv()
    reader.feed(b"\nmember_id|last_na")
    assert reader.header is None
    reader.feed(b"me|city\r")
    reader.feed(b"\n")
    assert reader.header == NAMES
    assert reader.header_row == 2


@pytest.mark.parametrize("delimiter", list(DELIMITERS))
def test_the_delimiter_is_the_one_that_makes_the_header_known(delimiter: str) -> None:
    rows = [member(1, coordinator='Doe, Sample; "x" | y\tz')]
    (row,) = read(roster_bytes(rows, delimiter=delimiter))
    assert dict(zip(HEADER, row.cells, strict=True))["coordinator"] == 'Doe, Sample; "x" | y\tz'


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b"M1,a\nM2,a,b\n", [(2, "cell_count"), (3, None)]),
        (b"M1,a,b,c\nM2,a,b\n", [(2, "cell_count"), (3, None)]),
        (b"M1,a\0,b\nM2,a,b\n", [(2, "nul_byte"), (3, None)]),
        (b"M1,\xc3\xa9,b\nM2,\xe9,b\nM3,a,b\n", [(2, None), (3, "encoding"), (4, None)]),
        (b'M1,"a,b\nM2,a,b\nM3,a,b\n', [(2, "quote_not_closed"), (3, None), (4, None)]),
        (b'M1,"a,b\nM2,a,b\nM3,"a",b\nM4,a,b\n', [(2, "quote_not_closed"), (3, None), (4, None), (5, None)]),
        (b'M1,a"b,c\nM2,"a""b",c\nM3,"a"b,c\n', [(2, None), (3, None), (4, None)]),
        (b"M1," + b"a" * (CELL_CHARACTERS_MAX + 1) + b",b\nM2,a,b\n", [(2, "cell_too_long"), (3, None)]),
        (b"M1," + b"a" * (LINE_CHARACTERS_MAX + 1) + b",b\nM2,a,b\n", [(2, "cell_too_long"), (3, None)]),
        (b"M1," + b"a" * 300_000 + b",b\r\nM2,a,b", [(2, "cell_too_long"), (3, None)]),
        (b"M1," + b"a" * 300_000, [(2, "cell_too_long")]),
        (b'M1,"a\n' + b"M2,a,b\n" * 30_000, [(2, "quote_not_closed"), *((number, None) for number in range(3, 30_003))]),
        (b'M1,"' + b"x" * 300 + b"\n" + b"y" * 300 + b'",b\nM2,a,b\n', [(2, None), (4, None)]),
    ],
)
def test_damage_costs_its_own_row_and_reading_goes_on(body: bytes, rows: list[tuple[int, str | None]]) -> None:
    for piece in (None, 1000, 65_536):
        cuts = list(range(0, len(HEAD + body), piece)) if piece else []
        assert [(row.number, row.problem) for row in read(HEAD + body, cuts)] == rows


def test_a_row_that_could_not_be_cut_keeps_what_can_be_seen() -> None:
    (row, _) = read(HEAD + b'M1,"Sample,Augusta\nM2,a,b\n')
    assert row.cells == ["M1", '"Sample', "Augusta"]
    (row, _) = read(HEAD + b"M1," + b"a" * 100_000 + b"\nM2,a,b\n")
    assert [len(cell) for cell in row.cells] == [2000]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "no_header"),
        (b"\xef\xbb\xbf", "no_header"),
        (b"\n\n , ,\n", "no_header"),
        (b"M1,Sample,Augusta\nM2,Sample,Augusta\n", "no_header"),
        (b"a" * 100_000, "no_header"),
        (b"PK\x03\x04 a workbook", "not_csv"),
        (b"%PDF-1.7", "not_csv"),
        (b"\x1f\x8b\x08 zipped", "not_csv"),
    ],
)
def test_what_is_no_roster_is_refused_with_the_remedy(data: bytes, code: str) -> None:
    for cut in range(min(8, len(data)) + 1):
        with pytest.raises(RosterRefusedError) as refused:
            read(data, [cut])
        assert [error.code.value for error in refused.value.errors] == [code]


def test_a_neutralised_cell_is_taken_back() -> None:
    (row,) = read(HEAD + b"'+1 207 555 0100,O'Sample,'=SUM(A1)\n")
    assert row.cells == ["+1 207 555 0100", "O'Sample", "=SUM(A1)"]


@given(TABLE, CUTS)
def test_refused_rows_can_be_sent_again_as_they_are(table: list[tuple[str, ...]], cuts: list[int]) -> None:
    """What is written neutralised and read again is what was there, and no cell of the file is a formula."""
    writer = RefusedRowsCsv(NAMES)
    restored = [list(row) for row in table if any(row)]
    data = writer.begin() + writer.rows((row, ()) for row in restored)
    for cells in csv.reader(io.StringIO(data.decode(), newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    rows = read(data, cuts)
    assert [row.cells[:3] for row in rows] == restored
    assert {row.problem for row in rows} <= {None}
    assert {tuple(row.cells[3:]) for row in rows} <= {("",)}


def test_a_million_rows_are_not_held() -> None:
    """Whatever was cut is given away: between two pieces the reader keeps less than a piece."""
    reader = RosterCsv()
    reader.feed(HEAD)
    for _ in range(50):
        given_rows = reader.feed(b"M1,Sample,Augusta\n" * 5000)
        assert len(given_rows) == 5000
        assert sum(map(len, reader._lines)) + len(reader._unended) < 100


def test_problems_have_their_codes() -> None:
    assert {row.problem for row in read(HEAD + b"M1,a\n")} == {RowErrorCode.CELL_COUNT}

"""Rosters as delimited text (ATR-2): bytes in, rows out, in pieces of any size. Without I/O.

RFC 4180 quoting; comma, tab, semicolon or pipe, whichever makes the header known; any line end. A row that cannot be cut into as
many cells as the header is given with the reason, and reading goes on at the next line: a quotation mark that does not close costs
one row, never the rest of the file. Not here: what a cell means (app/domain/roster, roster_row).
"""

import csv
import io
from collections.abc import Callable, Sequence
from itertools import chain, groupby, islice
from typing import Final

from adapters.files.formulas import MARKED, restored
from adapters.files.roster_text import LOST, TextDecoder
from app.domain.roster import COLUMNS, REQUIRED_COLUMNS, RawRow, RosterRefusedError, RowError, RowErrorCode, recognised_columns

DELIMITERS: Final = ",\t;|"
LINE_CHARACTERS_MAX: Final = 65_536
"""Our policy: a row is no longer than this, its line ends included. It is less than the csv module's own limit for one field."""
CELL_CHARACTERS_MAX: Final = 2_000
SHOWN_CHARACTERS_MAX: Final = 2_000
"""Of a line that is far too long, this much is kept for the file of refused rows."""

# A line of its own unless an open quotation mark swallows it. No text contains it: a lone surrogate is never decoded.
_END: Final = "\udcff"
_NUL: Final = "\0"
_BINARY: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF", b"\x1f\x8b")
_MAGIC_BYTES: Final = 4


class RosterCsv:
    """Reads one file: `feed` its bytes, then `close`. `header` is there as soon as its line was fed."""

    def __init__(self, recognise: Callable[[Sequence[str]], int] = recognised_columns, remedy: str = "") -> None:
        """Begin a file; another kind of table says which header cells it knows, and which columns a file should begin with."""
        self._recognise, self._remedy = recognise, remedy
        self.header: tuple[str, ...] | None = None
        self.header_row = 0
        """The line of the header; blank ones may stand before it."""
        self._decoder = TextDecoder()
        self._beginning: bytes | None = b""
        self._unended = ""
        self._is_skipping = False
        self._lines: list[str] = []
        self._line_number = 1
        self._delimiter = ","
        self._needs_care = False

    def feed(self, data: bytes) -> list[RawRow]:
        """Give the rows that are complete. Raises `RosterRefusedError` when the file is no roster."""
        if self._beginning is not None:
            data = self._beginning + data
            if len(data) < _MAGIC_BYTES:
                self._beginning = data
                return []
            self._beginning = None
            if data.startswith(_BINARY):
                message = "The file is a workbook, an archive or a document, not text. Save it as CSV (UTF-8) and send that."
                raise RosterRefusedError([RowError(1, "", RowErrorCode.NOT_CSV, message)])
        return self._take(self._decoder.feed(data), final=False)

    def close(self) -> list[RawRow]:
        """Give the last rows. Raises `RosterRefusedError` when there was no header."""
        rows = self._take(self._decoder.feed(self._beginning or b"", final=True), final=True)
        if self.header is None:
            raise RosterRefusedError(_no_header("The file is empty.", self._remedy))
        return rows

    def _take(self, text: str, *, final: bool) -> list[RawRow]:
        rows: list[RawRow] = []
        for is_overlong, lines in groupby(self._split(text, final=final), lambda line: len(line) > LINE_CHARACTERS_MAX):
            if is_overlong:
                rows += self._cut(final=True)
                rows += [self._overlong(line) for line in lines]
            else:
                self._lines += lines
                rows += self._cut(final=False)
        if len(self._unended) > LINE_CHARACTERS_MAX:
            rows += self._cut(final=True)
            if not self._is_skipping:
                rows.append(self._overlong(self._unended))
            self._is_skipping = True
            self._unended = self._unended[-1:] if self._unended.endswith("\r") else ""
        if final:
            rows += self._cut(final=True)
        return rows

    def _split(self, text: str, *, final: bool) -> list[str]:
        """Give the lines that are complete, with their ends; keep the rest."""
        text = self._unended + text
        lines = list(io.StringIO(text, newline=""))
        # A carriage return at the very end may be the first half of a line end.
        self._unended = lines.pop() if lines and not final and not lines[-1].endswith("\n") else ""
        if self._is_skipping and lines:
            del lines[0]
            self._is_skipping = False
        self._needs_care = _needs_care(text) or (self._needs_care and bool(self._lines))
        return lines

    def _overlong(self, line: str) -> RawRow:
        if self.header is None:
            raise RosterRefusedError(_no_header("The first line is too long to be one.", self._remedy))
        number = self._line_number
        self._line_number += 1
        return RawRow(number, [line[:SHOWN_CHARACTERS_MAX]], RowErrorCode.CELL_TOO_LONG)

    def _cut(self, *, final: bool) -> list[RawRow]:
        """Cut the waiting lines into rows; what an open quotation mark may continue waits on, unless this is the end."""
        self._find_header()
        rows: list[RawRow] = []
        start = 0
        while start < len(self._lines):
            start, is_stuck = self._cut_from(start, rows, final=final)
            if not is_stuck:
                break
            rows.append(self._stuck(start))
            start += 1
        del self._lines[:start]
        self._line_number += start
        return rows

    def _cut_from(self, start: int, rows: list[RawRow], *, final: bool) -> tuple[int, bool]:
        """Cut from a line on. Give the first line that was not cut, and whether it is one that opens a quotation and never closes it."""
        lines, first_line, width, is_plain = self._lines, self._line_number, len(self.header or ()), not self._needs_care
        done = start
        reader = csv.reader(chain(islice(lines, start, None), (_END,)), delimiter=self._delimiter, skipinitialspace=True)
        try:
            for cells in reader:
                ended = start + reader.line_num
                if ended > len(lines):
                    if cells == [_END]:
                        return len(lines), False
                    return done, final or sum(map(len, lines[done:])) > LINE_CHARACTERS_MAX
                if ended - done == 1 and is_plain and len(cells) == width and len(lines[done]) <= CELL_CHARACTERS_MAX:
                    # Nearly every row; the million of them is why this is here.
                    if any(cells):
                        rows.append(RawRow(first_line + done, cells))
                elif any(cells):
                    checked, problem = self._checked(cells, lines[done:ended])
                    if problem is not None and ended - done > 1:
                        return done, True
                    rows.append(RawRow(first_line + done, checked, problem))
                done = ended
        except csv.Error:
            # A field longer than the module allows: a quotation mark that does not close.
            return done, True
        return done, False

    def _checked(self, cells: list[str], lines: Sequence[str]) -> tuple[list[str], RowErrorCode | None]:
        if self._needs_care:
            cells = [restored(cell) for cell in cells]
            text = "".join(cells)
            if _NUL in text:
                return [cell.replace(_NUL, LOST) for cell in cells], RowErrorCode.NUL_BYTE
            if LOST in text:
                return cells, RowErrorCode.ENCODING
        if self.header is None or len(cells) != len(self.header):
            return cells, RowErrorCode.CELL_COUNT
        if len(lines) > 1 and not self._is_one_row(lines):
            return cells, RowErrorCode.QUOTE_NOT_CLOSED
        if (len(lines) > 1 or len(lines[0]) > CELL_CHARACTERS_MAX) and max(map(len, cells)) > CELL_CHARACTERS_MAX:
            return cells, RowErrorCode.CELL_TOO_LONG
        return cells, None

    def _is_one_row(self, lines: Sequence[str]) -> bool:
        """Tell whether lines in one quotation are strictly quoted: a stray mark ends at the next one, in the middle of a cell."""
        if sum(map(len, lines)) > LINE_CHARACTERS_MAX:
            return False
        try:
            next(csv.reader(lines, delimiter=self._delimiter, skipinitialspace=True, strict=True))
        except csv.Error:
            return False
        return True

    def _stuck(self, place: int) -> RawRow:
        """Give one line as a row that is refused, cut without regard to quotation marks."""
        line = self._lines[place].rstrip("\r\n").replace(_NUL, LOST)
        cells = next(csv.reader([line], delimiter=self._delimiter, quoting=csv.QUOTE_NONE), [])
        return RawRow(self._line_number + place, cells, RowErrorCode.QUOTE_NOT_CLOSED)

    def _find_header(self) -> None:
        while self.header is None and self._lines:
            line = self._lines.pop(0)
            self._line_number += 1
            if not line.strip(f'{DELIMITERS}" \r\n'):
                continue
            self._delimiter = max(DELIMITERS, key=lambda delimiter: self._recognise(_cells(line, delimiter)))
            cells = _cells(line, self._delimiter)
            if not self._recognise(cells):
                raise RosterRefusedError(_no_header("The first line names no column that we know.", self._remedy))
            self.header = tuple(restored(cell.replace(_NUL, LOST)) for cell in cells)
            self.header_row = self._line_number - 1


def _needs_care(text: str) -> bool:
    """Tell whether any cell of this text could need more than a count. Substring searches, because this sees every byte of a file."""
    return _NUL in text or LOST in text or ("'" in text and any(mark in text for mark in MARKED))


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _no_header(what: str, remedy: str) -> list[RowError]:
    message = (
        f"{what} {remedy}"
        if remedy
        else f"{what} Begin the file with a header of column names: {', '.join(REQUIRED_COLUMNS)} and others of the {len(COLUMNS)} we know."
    )
    return [RowError(1, "", RowErrorCode.NO_HEADER, message)]

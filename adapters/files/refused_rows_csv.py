"""The refused rows of an upload as a file that can be mended and sent again: the header as sent, and a column that says why.

UTF-8 without a mark, comma, RFC 4180 line ends. What a spreadsheet would compute is made harmless (formulas). Without I/O.
Not here: reading it back, which is reading a roster.
"""

import csv
import io
from collections.abc import Iterable, Sequence

from adapters.files.formulas import neutralised
from app.domain.roster import IGNORED_COLUMN, RowError, column_name

MEDIA_TYPE = "text/csv; charset=utf-8"


class RefusedRowsCsv:
    """Writes one file: `begin`, then `rows` as often as there are pages of them."""

    def __init__(self, header: Sequence[str]) -> None:
        """Take the header as sent. A column of errors that came back with mended rows is replaced, not repeated."""
        self._kept = [place for place, name in enumerate(header) if column_name(name) != IGNORED_COLUMN]
        self._header = [header[place] for place in self._kept]
        self._width = len(header)

    def begin(self) -> bytes:
        """Give the header line."""
        return _lines([[*self._header, IGNORED_COLUMN]])

    def rows(self, refused: Iterable[tuple[Sequence[str], Sequence[RowError]]]) -> bytes:
        """Give a line for each (cells as sent, errors). Cells beyond the header come after the errors, so that nothing is lost."""
        return _lines(self._row(cells, errors) for cells, errors in refused)

    def _row(self, cells: Sequence[str], errors: Sequence[RowError]) -> list[str]:
        padded = [*cells, *[""] * (self._width - len(cells))]
        return [*(padded[place] for place in self._kept), _explained(errors), *cells[self._width :]]


def _explained(errors: Sequence[RowError]) -> str:
    return " | ".join(f"{error.column}: {error.message}" if error.column else error.message for error in errors)


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows([neutralised(cell.strip()) for cell in row] for row in rows)
    return buffer.getvalue().encode()

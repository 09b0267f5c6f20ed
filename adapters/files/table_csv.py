"""A small table as a CSV file: UTF-8, comma, RFC 4180 line ends, and nothing that a spreadsheet would compute. Without I/O."""

import csv
import io
from collections.abc import Iterable, Sequence

from adapters.files.formulas import neutralised


def table_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """Write the rows, the header among them."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows([neutralised(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode()

"""A file of claims in Parquet, with the columns of the CSV form: bytes in, rows of a table out. On pyarrow, the extra `parquet`.

The table of contents of a Parquet file stands at its end, so the file is kept until it is whole; its rows are given in pieces. Not here:
what a row means (app/domain/claim_row).
"""

import io
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from app.domain.roster import RawRow, RosterRefusedError, RowError, RowErrorCode

MAGIC: Final = b"PAR1"
ROWS_A_PIECE: Final = 10_000
COLUMNS_MAX: Final = 250
ROWS_MAX: Final = 20_000_000
"""Our policy: repeated rows take next to no bytes in this form, so the size of the file alone limits nothing."""


class ClaimsParquet:
    """Reads one file: `feed` its bytes, then `close`. Raises `RosterRefusedError` where it is none at all."""

    header_row = 0
    """There is none. Rows are counted from 1."""

    def __init__(self) -> None:
        """Begin a file."""
        self.header: tuple[str, ...] | None = None
        self._file = io.BytesIO()

    def feed(self, data: bytes) -> list[RawRow]:
        """Keep what comes."""
        self._file.write(data)
        return []

    def close(self) -> Iterator[RawRow]:
        """Give the rows, a piece of the file at a time; what is no Parquet is known before the first."""
        try:
            table = pq.ParquetFile(self._file)
            names = list(table.schema_arrow.names)
        except (pa.ArrowException, OSError, ValueError):
            raise _refused("The file ends early or is no Parquet. Export it again.") from None
        if not names or len(names) > COLUMNS_MAX or table.metadata.num_rows > ROWS_MAX:
            raise _refused(f"A file of claims has 1 to {COLUMNS_MAX} columns and at most {ROWS_MAX} rows. Split it.")
        self.header = tuple(names)
        return self._rows(table)

    def _rows(self, table: Any) -> Iterator[RawRow]:  # noqa: ANN401 - pyarrow publishes no types
        number = 0
        try:
            for batch in table.iter_batches(batch_size=ROWS_A_PIECE):
                columns = [column.to_pylist() for column in batch.columns]
                for row in range(batch.num_rows):
                    number += 1
                    yield RawRow(number, [_text(column[row]) for column in columns])
        except (pa.ArrowException, OSError, ValueError):
            raise _refused("A part of the file cannot be read. Export it again.") from None


def _text(value: object) -> str:
    """Write a value as it stands in CSV. A column of numbers with gaps is one of fractions to whoever wrote it: a whole one has none."""
    if value is None or value != value:  # noqa: PLR0124 - not a number
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _refused(message: str) -> RosterRefusedError:
    return RosterRefusedError([RowError(1, "", RowErrorCode.NOT_PARQUET, message)])

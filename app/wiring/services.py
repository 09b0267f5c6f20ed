"""What encounter and pharmacy files are loaded with, by whichever way they come: HTTP, a command. What a file is, its first bytes say."""

from collections.abc import Iterable
from functools import partial
from importlib.util import find_spec
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.fhir.claims import ClaimsFhir
from adapters.files.roster_csv import RosterCsv
from app.actions.load_services import ServiceLoading, TableReader
from app.api.strict_json import read_strict_json
from app.domain.claim_row import recognised
from app.domain.roster import RawRow, RosterRefusedError, RowError, RowErrorCode
from app.ports import Ids
from app.settings import Settings
from app.store.service_stage import open_service_stage

_REMEDY: Final = "Begin the file with a header of column names: member_id, claim_id, service_date, procedure_code and others."


_BYTES_NEEDED: Final = 64
"""Blank space, or a byte order mark, may stand before the first that says something."""
_PARQUET: Final = b"PAR1"
_NO_PARQUET: Final = "Parquet is read with the extra `parquet` of the distribution, which is not installed here. Send CSV or FHIR."


class ClaimFile:
    """A file of claims in whichever form it comes: CSV, FHIR as NDJSON or a Bundle, Parquet."""

    def __init__(self) -> None:
        """Wait for the first bytes."""
        self._reader: TableReader | None = None
        self._first = b""

    @property
    def header(self) -> tuple[str, ...] | None:
        """The names of the columns, once they are known."""
        return None if self._reader is None else self._reader.header

    @property
    def header_row(self) -> int:
        """The line of the header."""
        return 0 if self._reader is None else self._reader.header_row

    def feed(self, data: bytes) -> list[RawRow]:
        """Give the rows that are complete."""
        if self._reader is not None:
            return self._reader.feed(data)
        self._first += data
        if len(self._first) < _BYTES_NEEDED:
            return []
        self._reader = _reader_of(self._first)
        return self._reader.feed(self._first)

    def close(self) -> Iterable[RawRow]:
        """Give the last rows."""
        if self._reader is not None:
            return self._reader.close()
        self._reader = _reader_of(self._first)
        return [*self._reader.feed(self._first), *self._reader.close()]


def _reader_of(first: bytes) -> TableReader:
    if first.startswith(_PARQUET):
        if find_spec("pyarrow") is None:
            raise RosterRefusedError([RowError(1, "", RowErrorCode.NOT_PARQUET, _NO_PARQUET)])
        # Half a second and its memory only where somebody sends one; the extra need not be installed.
        from adapters.files.claims_parquet import ClaimsParquet  # noqa: PLC0415 - see above

        return ClaimsParquet()
    if first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"[")):
        return ClaimsFhir(read_strict_json)
    return RosterCsv(recognised, _REMEDY)


def service_loading(settings: Settings, engine: AsyncEngine, ids: Ids) -> ServiceLoading:
    """Give what loads services, with the engine of the work role."""
    return ServiceLoading(
        open_stage=partial(open_service_stage, engine),
        open_reader=ClaimFile,
        ids=ids,
        file_bytes_max=settings.roster_bytes_max,
    )

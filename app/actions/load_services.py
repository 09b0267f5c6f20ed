"""Takes an encounter or pharmacy file: reads it as it comes, finds the members, and adds what is new in one transaction.

Good rows are taken although others are bad. The same file again changes nothing. A dry run stops before anything is added and gives
the same answer. Not here: what a row means (domain/claim_row), which versions stand (domain/claim), the statements (store/service_stage).
"""

import asyncio
import hashlib
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import Any, Final, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.adt_event import IdentifierType
from app.domain.calendar import local_date
from app.domain.claim_row import ClaimFileReader, ClaimRow, row_error
from app.domain.organization import Organization
from app.domain.panel import ERRORS_SHOWN_MAX, RosterTooLargeError, error_document
from app.domain.public_id import Kind, public_id
from app.domain.roster import RawRow, RowError, RowErrorCode
from app.ports import Ids
from app.store.service_stage import OpenServiceStage

ROWS_A_PIECE: Final = 10_000
"""So many rows that come with the end of a file are held at once."""


class TableReader(Protocol):
    """Reads one table, in pieces."""

    @property
    def header(self) -> tuple[str, ...] | None:
        """The names of the columns, once they are known."""
        ...

    @property
    def header_row(self) -> int:
        """The line of the header; 0 where the form has none."""
        ...

    def feed(self, data: bytes) -> list[RawRow]:
        """Give the rows that are complete."""
        ...

    def close(self) -> Iterable[RawRow]:
        """Give the last rows, of some forms all of them."""
        ...


@dataclass(frozen=True, slots=True)
class ServiceLoading:
    """What loading needs from the wiring."""

    open_stage: OpenServiceStage
    """As the work role."""
    open_reader: Callable[[], TableReader]
    ids: Ids
    file_bytes_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceUpload:
    """What became of a file."""

    id: UUID
    organization_id: UUID
    dry_run: bool
    file_name: str
    file_hash: bytes
    uploaded_at: datetime
    counts: dict[str, int]
    unknown_columns: Sequence[str]
    errors: Sequence[RowError]

    def document(self) -> dict[str, Any]:
        """Give the JSON of the answer."""
        return {
            "id": public_id(Kind.UPLOAD, self.id),
            "organization_id": public_id(Kind.ORGANIZATION, self.organization_id),
            "dry_run": self.dry_run,
            "uploaded_at": self.uploaded_at.isoformat(),
            "file_name": self.file_name,
            "file_hash": self.file_hash.hex(),
            **self.counts,
            "unknown_columns": list(self.unknown_columns),
            "errors": [error_document(error) for error in self.errors],
        }


@dataclass(slots=True)
class _Intake:
    """A file as far as it has been read. Used by one thread at a time."""

    reader: TableReader
    today: date
    rows: int = 0
    refused: int = 0
    errors: list[RowError] = field(default_factory=list)
    table: ClaimFileReader | None = None
    last: Iterator[RawRow] | None = None

    def feed(self, data: bytes) -> list[ClaimRow]:
        return self._take(self.reader.feed(data))

    def close(self) -> list[ClaimRow] | None:
        """Give the next of the last rows; None when there are no more."""
        if self.last is None:
            self.last = iter(self.reader.close())
        piece = list(islice(self.last, ROWS_A_PIECE))
        return self._take(piece) if piece or self.table is None else None

    def _take(self, raw_rows: Sequence[RawRow]) -> list[ClaimRow]:
        if self.table is None and self.reader.header is not None:
            self.table = ClaimFileReader(self.reader.header, self.reader.header_row, self.today)
        taken: list[ClaimRow] = []
        for raw in raw_rows if self.table is not None else ():
            self.rows += 1
            read = self.table.read(raw) if self.table is not None else []
            if isinstance(read, ClaimRow):
                taken.append(read)
            else:
                self.refused += 1
                self.errors += read[: max(0, ERRORS_SHOWN_MAX - len(self.errors))]
        return taken


async def load_services(
    loading: ServiceLoading,
    organization: Organization,
    file: AsyncIterable[bytes],
    *,
    file_name: str,
    dry_run: bool,
    now: datetime,
) -> ServiceUpload:
    """Load a file of services that an organization vouches for.

    Raises `RosterRefusedError` (no such file) or `RosterTooLargeError`; then nothing was changed or recorded.
    """
    intake = _Intake(loading.open_reader(), local_date(now, ZoneInfo(organization.time_zone)))
    digest, size = hashlib.sha256(), 0
    async with loading.open_stage(organization.id) as stage:
        async for data in file:
            size += len(data)
            if size > loading.file_bytes_max:
                raise RosterTooLargeError(loading.file_bytes_max)
            digest.update(data)
            await stage.add(await asyncio.to_thread(intake.feed, data))
        while (rows := await asyncio.to_thread(intake.close)) is not None:
            await stage.add(rows)
        async with stage.alone():
            fates, refused = await stage.decide(IdentifierType.MEDICAID.value, IdentifierType.MEDICAL_RECORD.value, ERRORS_SHOWN_MAX)
            errors = intake.errors + [_error(one.row, RowErrorCode(one.fate)) for one in refused]
            kept = {name: fates.get(name, 0) for name in ("added", "unchanged", "repeated")}
            counts = {"rows": intake.rows, "rejected": intake.rows - sum(kept.values()), **kept}
            upload = ServiceUpload(
                id=loading.ids.new(),
                organization_id=organization.id,
                dry_run=dry_run,
                file_name=file_name,
                file_hash=digest.digest(),
                uploaded_at=now,
                counts=counts,
                unknown_columns=intake.table.unknown if intake.table is not None else (),
                errors=sorted(errors, key=lambda error: error.row)[:ERRORS_SHOWN_MAX],
            )
            if not dry_run:
                await stage.apply(upload.id, file_name, upload.file_hash, counts, now)
    return upload


def _error(row: int, code: RowErrorCode) -> RowError:
    return row_error(row, "adjustment" if code is RowErrorCode.VERSION_TAKEN else "member_id", code)

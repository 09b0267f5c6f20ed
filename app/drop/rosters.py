"""Takes a roster for the panel of one organization, exactly once, and lays the upload's report and its refused rows beside it.

The upload has the id that the file was claimed under and is committed with the panel's change, so after a crash it is there or nothing
happened. The same bytes again, under whatever name, are not taken again. Not here: loading (actions/load_panel).
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from app.actions.load_panel import PanelServices, Upload, load_panel
from app.domain.drop import REJECTED, DropSource, FileOutcome, Taken
from app.domain.organization import Organization
from app.domain.panel import (
    ERRORS_SHOWN_MAX,
    EarlierUpload,
    PanelWouldShrinkError,
    RosterTakenBeforeError,
    RosterTooLargeError,
    error_document,
)
from app.domain.public_id import Kind, public_id
from app.domain.roster import RosterRefusedError, RowError
from app.domain.viewer import OPERATOR
from app.drop.report import FileReport, nothing_taken
from app.ports import Clock, DropFolder, Waker
from app.store.connection import OpenUnitOfWork
from app.store.panels import PastRefusal, PastUpload, find_upload, refusals

_ROWS_A_READ: Final = 1000
_MEND: Final = "Mend the rows of the file .rejected.csv beside this one and put it into the drop; rows that were taken need not come again."


class RefusedRowsWriter(Protocol):
    """Writes the refused rows as a file that can be mended and sent again."""

    def begin(self) -> bytes:
        """Give the header line."""
        ...

    def rows(self, refused: Iterable[tuple[Sequence[str], Sequence[RowError]]]) -> bytes:
        """Give a line for each."""
        ...


@dataclass(frozen=True, slots=True)
class RosterServices:
    """What taking rosters needs from the wiring."""

    panels: PanelServices
    unit_of_work: OpenUnitOfWork
    write_refused: Callable[[Sequence[str]], RefusedRowsWriter]
    clock: Clock
    waker: Waker


async def take_roster(
    services: RosterServices, folder: DropFolder, source: DropSource, organization: Organization, taken: Taken
) -> FileReport:
    """Load the file. Raises what a database that is away raises."""
    upload = Upload(source.mode, file_name=taken.name, id=taken.id, once=True)
    size = _Size()
    try:
        await load_panel(services.panels, organization, size.counted(folder.read(taken.path)), upload, now=services.clock.now())
    except RosterRefusedError as refusal:
        return _refused(refusal.errors, size.octets)
    except RosterTooLargeError as error:
        return nothing_taken(
            "too_large", str(error), "Split the file, each part with the header, or raise HANDOFF_ROSTER_BYTES_MAX.", octets=size.octets
        )
    except PanelWouldShrinkError as error:
        remedy = "If the file is right, load it with `handoff panel load FILE --mode replace --force`; if not, put the right one here."
        return nothing_taken("would_shrink", str(error), remedy, octets=size.octets)
    except RosterTakenBeforeError as again:
        if again.earlier.id != taken.id:
            return _repeated(again.earlier, size.octets)
    services.waker.wake("inbound")
    return await _loaded(services, folder, taken, size.octets)


class _Size:
    """Counts what is read."""

    octets = 0

    async def counted(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass the pieces on."""
        async for piece in pieces:
            self.octets += len(piece)
            yield piece


async def _loaded(services: RosterServices, folder: DropFolder, taken: Taken, octets: int) -> FileReport:
    """Report the upload as it was recorded, whether just now or before a crash."""
    async with services.unit_of_work(OPERATOR) as connection:
        upload = await find_upload(connection, OPERATOR, taken.id)
    if upload is None:
        raise LookupError("the upload that was just committed is not there")
    errors: list[RowError] = []
    results: tuple[str, ...] = ()
    if upload.summary["rejected"]:
        results = (REJECTED,)
        async with folder.write(taken.growing(REJECTED)) as write:
            writer = services.write_refused(upload.header)
            await write(writer.begin())
            async for page in _refusals(services, taken.id):
                await write(writer.rows((row.cells, row.errors) for row in page))
                errors += [error for row in page for error in row.errors][: ERRORS_SHOWN_MAX - len(errors)]
    summary = upload.summary
    accepted, rejected = summary["accepted"], summary["rejected"]
    outcome, reason, remedy = FileOutcome.TAKEN, "taken", ""
    if rejected:
        outcome, reason, remedy = FileOutcome.PARTLY, "some_refused", _MEND
    if not accepted and rejected:
        outcome, reason = FileOutcome.REFUSED, "all_refused"
    return FileReport(
        outcome,
        reason,
        remedy,
        octets,
        summary["rows"],
        accepted,
        rejected,
        summary["repeated"],
        results,
        {"sha256": upload.file_hash.hex(), "upload": _document(upload, errors)},
    )


async def _refusals(services: RosterServices, upload_id: UUID) -> AsyncIterator[Sequence[PastRefusal]]:
    after_row = 0
    while True:
        async with services.unit_of_work(OPERATOR) as connection:
            page = await refusals(connection, OPERATOR, upload_id, after_row=after_row, limit=_ROWS_A_READ)
        if not page:
            return
        after_row = page[-1].row
        yield page


def _document(upload: PastUpload, errors: Sequence[RowError]) -> dict[str, Any]:
    return {
        "id": public_id(Kind.UPLOAD, upload.id),
        "organization_id": public_id(Kind.ORGANIZATION, upload.organization_id),
        "mode": upload.mode,
        "uploaded_at": upload.uploaded_at.isoformat(),
        **upload.summary,
        "errors": [error_document(error) for error in errors],
    }


def _refused(errors: Sequence[RowError], octets: int) -> FileReport:
    remedy = "Correct the file and put it into the drop again; adapters/files/README.md has the columns."
    return FileReport(FileOutcome.REFUSED, "no_roster", remedy, octets, document={"problems": [error_document(error) for error in errors]})


def _repeated(earlier: EarlierUpload, octets: int) -> FileReport:
    said = {
        "id": public_id(Kind.UPLOAD, earlier.id),
        "file_name": earlier.file_name,
        "uploaded_at": earlier.uploaded_at.isoformat(),
    }
    if earlier.is_latest:
        remedy = "The panel is as this file says; nothing was done twice."
        return FileReport(FileOutcome.REPEATED, "repeated", remedy, octets, document={"same_as": said})
    return FileReport(
        FileOutcome.REFUSED,
        "superseded",
        "If the panel is to be so again, load it with `handoff panel load FILE`. If an old file came again by mistake, delete it.",
        octets,
        document={
            "same_as": said,
            "problems": [{"location": None, "message": "This very file was taken before, and the panel was changed since by another."}],
        },
    )

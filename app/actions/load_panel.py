"""Takes a roster: reads it as it comes, says what it changes, finds the people, and changes the panel in one short transaction.

Stage, compare, guard, identify in chunks, apply. Good rows are taken although others are bad. A dry run gives the same answer, and
whose the rows would be (foresee_people). Not here: what a row means (domain/roster_row), which claims change (domain/panel), the
statements (store/panel_stage), who may upload for whom (api).
"""

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final, NamedTuple, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.calendar import local_date
from app.domain.newcomer import newcomers_among
from app.domain.organization import Organization
from app.domain.panel import (
    ERRORS_SHOWN_MAX,
    EarlierUpload,
    Foreseen,
    PanelDifference,
    PanelWouldShrinkError,
    RosterTakenBeforeError,
    RosterTooLargeError,
    ShrinkGuard,
    UploadLimits,
    UploadMode,
    UploadResult,
    first_errors,
    roster_sort_keys,
)
from app.domain.person import RecordClaim, Resolved
from app.domain.roster import Layout, RawRow, RowError, RowErrorCode, layout_of
from app.domain.roster_change import Removal
from app.domain.roster_columns import RosterReader
from app.domain.roster_row import KnowsProgram, RefusedRow, RosterRow, claim_of_row
from app.ports import Ids
from app.store.newcomers import Admission, admission
from app.store.panel_doubts import error_of, mrns_of_others, refuse
from app.store.panel_stage import OpenStage, Stage, StagedRow
from app.store.raw import Raw
from app.store.roster_silence import signed_alike

PIECE_BYTES: Final = 256 * 1024
"""Read at a time: some 1,500 rows, 15 ms of a thread, so that other tasks of the process are not held up."""

SETTLE_PAUSE_S: Final = 0.005
SETTLE_PAUSE_S_MAX: Final = 0.25


class PanelReader(Protocol):
    """Reads one roster, in pieces."""

    header: tuple[str, ...] | None
    """As sent; there as soon as its line was fed."""
    header_row: int

    def feed(self, data: bytes) -> list[RawRow]:
        """Give the rows that are complete. Raises `RosterRefusedError` when the file is no roster."""
        ...

    def close(self) -> list[RawRow]:
        """Give the last rows."""
        ...


class Identify(Protocol):
    """Resolves claims to records and people, inside the caller's transaction (actions/identify)."""

    def __call__(self, raw: Raw, claims: Sequence[RecordClaim], *, ids: Ids, now: datetime) -> Awaitable[list[Resolved]]:
        """Give a result for each claim, in order."""
        ...


Foresee = Callable[[Stage, UUID, int, datetime, bool], Awaitable[Foreseen]]
"""Says whose the rows that a dry run would assert, so many, would be (actions/foresee_people); the last: whether a row may be refused."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What is asked for."""

    mode: UploadMode
    dry_run: bool = False
    force: bool = False
    """Let a replace end more claims than the shrink guard allows, and take rows that give a known number to somebody else."""
    file_name: str = ""
    id: UUID | None = None
    """Given by a caller that must be able to tell, after a crash, whether this very upload was committed."""
    reader_id: UUID | None = None
    """Of a dry run: by whose papers it says who would be silent; None: by all, for the operator."""
    once: bool = False
    """Take a file with these bytes only once: raises `RosterTakenBeforeError` the second time."""


@dataclass(frozen=True, slots=True)
class PanelServices:
    """What loading needs from the wiring."""

    open_stage: OpenStage
    """As the work role."""
    open_reader: Callable[[], PanelReader]
    identify: Identify
    redo_on: tuple[type[Exception], ...]
    """What `identify` raises when it met another transaction and the chunk must be done again."""
    ids: Ids
    foresee: Foresee
    limits: UploadLimits = field(default_factory=UploadLimits)
    knows_program: KnowsProgram | None = None
    """Tells which names of programs are known, for a warning; None takes every name."""


async def load_panel(
    services: PanelServices, organization: Organization, roster: AsyncIterable[bytes] | bytes, upload: Upload, *, now: datetime
) -> UploadResult:
    """Load a roster onto the organization's panel.

    Raises `RosterRefusedError` (no roster), `RosterTooLargeError`, `PanelWouldShrinkError`, `RosterTakenBeforeError`; then nothing was
    changed or recorded.
    """
    today = local_date(now, ZoneInfo(organization.time_zone))
    limits = services.limits
    async with services.open_stage(organization.id) as stage:
        intake = _Intake(services, organization, today)
        await _stage_rows(stage, intake, _pieces(roster, limits.file_bytes_max))
        intake.repeated, repetitions = await stage.drop_repetitions(ERRORS_SHOWN_MAX)
        intake.warnings += [repetition.warning() for repetition in repetitions]
        while True:
            difference = await stage.compare(upload.mode, today)
            # After the comparison: whoever takes the same file from now on makes `_apply` come back here.
            if upload.once and (earlier := await stage.same_file(intake.file_hash, upload.id)) is not None:
                await _finish(stage, earlier, limits)
                raise RosterTakenBeforeError(earlier)
            found = await stage.changes_found(ERRORS_SHOWN_MAX)
            result = intake.result(upload.id or services.ids.new(), organization.id, upload, difference, found, limits.guard, now)
            if upload.dry_run:
                asserting = difference.added + difference.changed
                foreseen = await services.foresee(stage, organization.id, asserting, now, not upload.force)
                ask = partial(signed_alike, owner_id=organization.id, day=today, reader_id=upload.reader_id, waits=stage.reviews_consents)
                result = replace(result, foreseen=foreseen, signed=await stage.in_transaction(ask))
                await stage.in_transaction(partial(stage.save_upload, result=result))
                return result
            if result.needs_force and not upload.force:
                raise PanelWouldShrinkError(difference, limits.guard)
            refused = await _identify_rows(services, stage, organization.id, now, is_doubted=not upload.force)
            result = await _doubted(stage, result, refused, has_mrns=intake.has_mrns)
            if await _apply(stage, result, limits):
                return result


async def _stage_rows(stage: Stage, intake: "_Intake", pieces: AsyncIterator[bytes]) -> None:
    """Read and copy at the same time: while the database takes one piece, a thread reads the next."""
    waiting: _Read = ([], [], [])
    async for piece in pieces:
        # Both end before either error is raised, so nothing uses the connection any more when it is given up.
        read, copied = await asyncio.gather(asyncio.to_thread(intake.feed, piece), stage.add(*waiting), return_exceptions=True)
        if isinstance(copied, BaseException):
            raise copied
        if isinstance(read, BaseException):
            raise read
        waiting = read
    await stage.add(*waiting)
    await stage.add(*await asyncio.to_thread(intake.close))


async def _pieces(roster: AsyncIterable[bytes] | bytes, bytes_max: int) -> AsyncIterator[bytes]:
    """Cut the file into pieces of one size, however it comes."""
    size = 0
    waiting = bytearray()
    async for data in _stream(roster):
        size += len(data)
        if size > bytes_max:
            raise RosterTooLargeError(bytes_max)
        waiting += data
        while len(waiting) >= PIECE_BYTES:
            yield bytes(waiting[:PIECE_BYTES])
            del waiting[:PIECE_BYTES]
    if waiting:
        yield bytes(waiting)


async def _stream(roster: AsyncIterable[bytes] | bytes) -> AsyncIterator[bytes]:
    if isinstance(roster, bytes):
        for start in range(0, len(roster), PIECE_BYTES):
            yield roster[start : start + PIECE_BYTES]
    else:
        async for data in roster:
            yield data


async def _identify_rows(services: PanelServices, stage: Stage, organization_id: UUID, now: datetime, *, is_doubted: bool) -> list[int]:
    """Find the people of the rows that are to be asserted, each chunk in its own transactions, so that the feed goes on meanwhile.

    While the database takes one chunk, a thread prepares the next. Give the rows that name somebody by the number of somebody else.
    """
    sort_key, limits = roster_sort_keys(now), services.limits
    seeds = services.ids.new(), services.ids.new()

    def prepare(rows: Sequence[StagedRow]) -> _Chunk:
        claims = {row.number: claim_of_row(row.cells(), organization_id, sort_key(row.number), is_doubted=is_doubted) for row in rows}
        unknown = [(row.number, claims[row.number]) for row in rows if not row.is_known]
        return _Chunk(claims, admission(newcomers_among(unknown) if len(unknown) >= limits.newcomers_min else []))

    async def admit_chunk(raw: Raw, chunk: _Chunk) -> set[int]:
        return await stage.admit(raw, chunk.admission, seeds, now)

    async def identify_chunk(raw: Raw, claims: Mapping[int, RecordClaim]) -> list[int]:
        found = dict(zip(claims, await services.identify(raw, list(claims.values()), ids=services.ids, now=now), strict=True))
        await stage.save_records(raw, ((number, one.record_id) for number, one in found.items() if not one.is_refused))
        return [number for number, one in found.items() if one.is_refused]

    async def take(chunk: _Chunk) -> list[int]:
        rest = chunk.claims
        # Not lasting: people whom nobody claims yet are found, or made, by the next upload too.
        in_transaction = partial(stage.in_transaction, redo_on=services.redo_on, is_lasting=False)
        if chunk.admission.numbers:
            rest = chunk.without_admitted(await in_transaction(partial(admit_chunk, chunk=chunk)))
        return await in_transaction(partial(identify_chunk, claims=rest)) if rest else []

    chunk, refused, after = _Chunk({}, admission([])), list[int](), 0
    while rows := await stage.unidentified(after, limits.chunk_claims):
        after = rows[-1].number
        # Both end before either error is raised, as above.
        prepared, taken = await asyncio.gather(asyncio.to_thread(prepare, rows), take(chunk), return_exceptions=True)
        if isinstance(taken, BaseException):
            raise taken
        if isinstance(prepared, BaseException):
            raise prepared
        chunk, refused = prepared, [*refused, *taken]
        await stage.make_room()
    return [*refused, *await take(chunk)]


async def _doubted(stage: Stage, result: UploadResult, refused: Sequence[int], *, has_mrns: bool) -> UploadResult:
    """Say which rows are not taken after all, and whose mrn is somebody else's."""
    errors = [error_of(row, RowErrorCode.NUMBER_OF_ANOTHER) for row in refused]
    added, changed = await stage.in_transaction(partial(refuse, rows=refused)) if refused else (0, 0)
    warnings = await stage.in_transaction(partial(mrns_of_others, limit=ERRORS_SHOWN_MAX)) if has_mrns else ()
    return result.without(errors, added, changed, warnings)


async def _apply(stage: Stage, result: UploadResult, limits: UploadLimits) -> bool:
    """Change the panel; False when another upload came first and the comparison has to be made again."""
    since = result.uploaded_at - timedelta(days=limits.reconsider_days)

    async def change(raw: Raw) -> bool:
        if not await stage.lock_panel(raw):
            return False
        await stage.save_upload(raw, result)
        await stage.apply(raw, result, since)
        return True

    if not await stage.in_transaction(change):
        return False
    await _settle(stage, limits.settle_timeout_s)
    await stage.in_transaction(partial(stage.catch_up, upload_id=result.id, uploaded_at=result.uploaded_at, reconsider_since=since))
    return True


async def _finish(stage: Stage, earlier: EarlierUpload, limits: UploadLimits) -> None:
    """Catch up for an upload whose process may have died between its commit and this. Doing it again changes nothing."""
    since = earlier.uploaded_at - timedelta(days=limits.reconsider_days)
    await _settle(stage, limits.settle_timeout_s)
    await stage.in_transaction(partial(stage.recall, upload_id=earlier.id, uploaded_at=earlier.uploaded_at))
    await stage.in_transaction(partial(stage.catch_up, upload_id=earlier.id, uploaded_at=earlier.uploaded_at, reconsider_since=since))


async def _settle(stage: Stage, timeout_s: float) -> None:
    """Wait for the transactions that read the panel as it was. One that hangs is not waited for for ever."""
    waited_for = set(await stage.readers())
    pause_s = SETTLE_PAUSE_S
    try:
        async with asyncio.timeout(timeout_s):
            while waited_for:
                await asyncio.sleep(pause_s)
                pause_s = min(SETTLE_PAUSE_S_MAX, pause_s * 2)
                waited_for.intersection_update(await stage.readers())
    except TimeoutError:
        return


_Read = tuple[list[RosterRow], list[RefusedRow], list[Removal]]
"""Rows that say who is on the panel, rows that are refused, rows that say who no longer is."""


class _Chunk(NamedTuple):
    """Rows whose people are to be found."""

    claims: Mapping[int, RecordClaim]
    """By the number of the row, in the order of the file."""
    admission: Admission
    """Of those who may be newcomers."""

    def without_admitted(self, met: Collection[int]) -> dict[int, RecordClaim]:
        """Give the claims that are left when all the newcomers but these were admitted."""
        admitted = self.admission.numbers.difference(met)
        return {number: claim for number, claim in self.claims.items() if number not in admitted}


class _Intake:
    """What is counted and remembered while a file is read."""

    def __init__(self, services: PanelServices, organization: Organization, today: date) -> None:
        self._reader = services.open_reader()
        self._knows_program = services.knows_program
        self._organization = organization
        self._today = today
        self._hash = hashlib.sha256()
        self._layout: Layout | None = None
        self._rows: RosterReader | None = None
        self._taken = 0
        self._refused = 0
        self._errors: list[RowError] = []
        self.repeated = 0
        self.warnings: list[RowError] = []

    @property
    def file_hash(self) -> bytes:
        """SHA-256 of what was read."""
        return self._hash.digest()

    @property
    def has_mrns(self) -> bool:
        """Tell whether the roster has a column of hospitals' numbers."""
        return self._layout is not None and "mrn" in self._layout.names

    def feed(self, piece: bytes) -> _Read:
        """Read a piece of the file. In a thread; raises `RosterRefusedError`."""
        self._hash.update(piece)
        return self._sorted(self._reader.feed(piece))

    def close(self) -> _Read:
        """Read what is left."""
        rows = self._sorted(self._reader.close())
        if self._rows is not None:
            self.warnings += self._rows.warnings()
        return rows

    def _sorted(self, raws: Sequence[RawRow]) -> _Read:
        if self._rows is None:
            if self._reader.header is None:
                return [], [], []
            self._layout = layout_of(self._reader.header, row=self._reader.header_row)
            self._rows = RosterReader(self._layout, self._organization, self._today, self._knows_program)
        taken: list[RosterRow] = []
        refused: list[RefusedRow] = []
        removals: list[Removal] = []
        for row in self._rows.read(raws):
            if isinstance(row, RosterRow):
                taken.append(row)
            elif isinstance(row, Removal):
                removals.append(row)
            else:
                refused.append(row)
                if len(self._errors) < ERRORS_SHOWN_MAX:
                    self._errors += row.errors
        self._taken += len(taken) + len(removals)
        self._refused += len(refused)
        return taken, refused, removals

    def result(
        self,
        upload_id: UUID,
        organization_id: UUID,
        upload: Upload,
        difference: PanelDifference,
        found: tuple[int, list[RowError], list[RowError]],
        guard: ShrinkGuard,
        now: datetime,
    ) -> UploadResult:
        """Put together what is told of the upload. `found` is what only the comparison could tell (`Stage.changes_found`)."""
        ended_nothing, removal_errors, odd = found
        accepted = self._taken - self.repeated - ended_nothing
        layout = self._layout or Layout((), (), ())
        return UploadResult(
            id=upload_id,
            organization_id=organization_id,
            mode=upload.mode,
            dry_run=upload.dry_run,
            uploaded_at=now,
            # The one character that no text of the database can hold.
            file_name=upload.file_name.replace("\0", ""),
            file_hash=self.file_hash,
            header=layout.header,
            unknown_columns=layout.unknown,
            rows=self._taken + self._refused,
            accepted=accepted,
            rejected=self._refused + ended_nothing,
            repeated=self.repeated,
            difference=difference,
            errors=first_errors([*self._errors, *removal_errors]),
            warnings=first_errors([*self.warnings, *odd]),
            needs_force=guard.refuses(ending=difference.removed, in_force=difference.in_force, accepted=accepted),
        )

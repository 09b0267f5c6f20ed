"""Takes a roster: reads it as it comes, says what it changes, finds the people, and changes the panel in one short transaction.

Stage, compare, guard, identify in chunks, apply. Good rows are taken although others are bad. A dry run gives the same answer, and
whose the rows would be (foresee_people). Not here: what a row means (domain/roster_row), which claims change (domain/panel), the
statements (store/panel_stage), who may upload for whom (api).
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.calendar import local_date
from app.domain.newcomer import ClaimsOfRows, newcomers_among
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
from app.domain.roster import RowError, RowErrorCode
from app.domain.roster_intake import PanelReader, RosterIntake, RosterPiece
from app.domain.roster_row import KnowsProgram, claim_of_row
from app.ports import Ids
from app.store.newcomers import Admission, StagedChunk, StagedClaims, admission, staged_claims
from app.store.panel_doubts import error_of, mrns_of_others, refuse
from app.store.panel_stage import OpenStage, Stage, StagedRow
from app.store.raw import Raw
from app.store.roster_silence import signed_alike

PIECE_BYTES: Final = 256 * 1024
"""Read at a time: some 1,500 rows, 15 ms of a thread, so that other tasks of the process are not held up."""

SETTLE_PAUSE_S: Final = 0.005
SETTLE_PAUSE_S_MAX: Final = 0.25


class Identify(Protocol):
    """Resolves claims to records and people, inside the caller's transaction (actions/identify)."""

    def __call__(self, raw: Raw, claims: Sequence[RecordClaim], *, ids: Ids, now: datetime) -> Awaitable[list[Resolved]]:
        """Give a result for each claim, in order."""
        ...


ClaimsOf = Callable[..., ClaimsOfRows]
"""Makes the claims of a file with these `columns`: of a first roster while it is read, because all of them will be needed."""

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
        intake = RosterIntake(services.open_reader(), organization, today, services.knows_program)
        claims_of = partial(ClaimsOfRows, organization.id, now, is_doubted=not upload.force)
        are_all_new = not upload.dry_run and await stage.is_first()
        await _stage_rows(stage, intake, _pieces(roster, limits.file_bytes_max), claims_of if are_all_new else None)
        intake.repeated, repetitions = await stage.drop_repetitions(ERRORS_SHOWN_MAX)
        intake.warnings += [repetition.warning() for repetition in repetitions]
        while True:
            difference = await stage.compare(upload.mode, today)
            # After the comparison: whoever takes the same file from now on makes `_apply` come back here.
            if upload.once and (earlier := await stage.same_file(intake.file_hash, upload.id)) is not None:
                await _finish(stage, earlier, limits)
                raise RosterTakenBeforeError(earlier)
            found = await stage.changes_found(ERRORS_SHOWN_MAX)
            result = _result(intake, upload.id or services.ids.new(), organization.id, upload, difference, found, limits.guard, now)
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


async def _stage_rows(stage: Stage, intake: RosterIntake, pieces: AsyncIterator[bytes], claims_of: ClaimsOf | None) -> None:
    """Read and copy at the same time: while the database takes one piece, a thread reads the next."""

    def read(take: Callable[[], RosterPiece]) -> tuple[RosterPiece, StagedClaims | None]:
        rows = take()
        return rows, staged_claims(rows.taken, claims_of(columns=intake.layout.names)) if claims_of else None

    waiting, claims = RosterPiece((), (), ()), None
    async for piece in pieces:
        # Both end before either error is raised, so nothing uses the connection any more when it is given up.
        found, copied = await asyncio.gather(
            asyncio.to_thread(read, partial(intake.feed, piece)), stage.add(*waiting, claims), return_exceptions=True
        )
        if isinstance(copied, BaseException):
            raise copied
        if isinstance(found, BaseException):
            raise found
        waiting, claims = found
    await stage.add(*waiting, claims)
    waiting, claims = await asyncio.to_thread(read, intake.close)
    await stage.add(*waiting, claims)


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
    # Not lasting: people whom nobody claims yet are found, or made, by the next upload too.
    in_transaction = partial(stage.in_transaction, redo_on=services.redo_on, is_lasting=False)

    def prepare(rows: Sequence[StagedRow], *, is_tried: bool = False) -> _Chunk:
        claims = {row.number: claim_of_row(row.cells(), organization_id, sort_key(row.number), is_doubted=is_doubted) for row in rows}
        unknown = [(row.number, claims[row.number]) for row in rows if not row.is_known and not is_tried]
        return _Chunk(claims, admission(newcomers_among(unknown) if len(unknown) >= limits.newcomers_min else []))

    async def admit(raw: Raw, wanted: Admission | StagedChunk) -> set[int]:
        return await stage.admit(raw, wanted, seeds, now)

    async def identify_chunk(raw: Raw, claims: Mapping[int, RecordClaim]) -> list[int]:
        found = dict(zip(claims, await services.identify(raw, list(claims.values()), ids=services.ids, now=now), strict=True))
        await stage.save_records(raw, ((number, one.record_id) for number, one in found.items() if not one.is_refused))
        return [number for number, one in found.items() if one.is_refused]

    async def take(chunk: _Chunk) -> list[int]:
        rest = chunk.claims
        if chunk.admission.numbers:
            rest = chunk.without_admitted(await in_transaction(partial(admit, wanted=chunk.admission)))
        return await in_transaction(partial(identify_chunk, claims=rest)) if rest else []

    chunk, refused, after = _Chunk({}, admission([])), list[int](), 0
    # Of a first roster nothing is left to prepare but for those who meet somebody.
    while stage.has_claims and (staged := await stage.staged_chunk(after, limits.chunk_claims)).rows >= limits.newcomers_min:
        left = await in_transaction(partial(admit, wanted=staged))
        refused += await take(await asyncio.to_thread(prepare, await stage.rows([*left]), is_tried=True))
        after = staged.last
        await stage.make_room()
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


def _result(
    intake: RosterIntake,
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
    accepted = intake.taken - intake.repeated - ended_nothing
    return UploadResult(
        id=upload_id,
        organization_id=organization_id,
        mode=upload.mode,
        dry_run=upload.dry_run,
        uploaded_at=now,
        # The one character that no text of the database can hold.
        file_name=upload.file_name.replace("\0", ""),
        file_hash=intake.file_hash,
        header=intake.layout.header,
        unknown_columns=intake.layout.unknown,
        rows=intake.taken + intake.refused,
        accepted=accepted,
        rejected=intake.refused + ended_nothing,
        repeated=intake.repeated,
        difference=difference,
        errors=first_errors([*intake.errors, *removal_errors]),
        warnings=first_errors([*intake.warnings, *odd]),
        needs_force=guard.refuses(ending=difference.removed, in_force=difference.in_force, accepted=accepted),
    )

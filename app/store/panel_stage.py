"""An upload on its way to the panel: rows are copied into temporary tables, compared there, and applied by a few statements.

One connection for the whole upload, because temporary tables belong to it; between the statements it is outside any transaction, so
a slow sender holds nothing open. COPY is refused under row-level security, hence the stage (DESIGN 2.10). The rules are those of
app/domain/panel. Not here: reading the panel (panels), who the people are (the caller identifies them chunk by chunk).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date, datetime
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.panel import CLAIM_ID_DIGITS, EarlierUpload, PanelDifference, Repetition, UploadMode, UploadResult, claim_id_prefix
from app.domain.roster import RowError
from app.domain.roster_change import Removal
from app.domain.roster_row import RefusedRow, RosterRow
from app.store import newcomers, panel_changes, panel_removals
from app.store.engine import raw_connection
from app.store.newcomers import Admission, StagedChunk, StagedClaims
from app.store.panel_followers import FIND_STAYS, FOLLOW_RECORDS, READERS, RECALL, RECONSIDER
from app.store.raw import Raw
from app.store.retried import NOT_LASTING, retried

T = TypeVar("T")

_TABLES: Final = f"""
{panel_removals.TABLES}
{newcomers.TABLES}
create temporary table roster_row (
    row int, row_key bytea, row_hash bytea, program text, role text, effective_from date, effective_to date,
    coordinator text, plan_id text, cells text, change text);
create temporary table roster_refused (row int, errors text, cells text);
create temporary table roster_kept (authority text, type text, value text);
create temporary table roster_change (row int primary key, current_id uuid, is_identified boolean);
create temporary table roster_end (id uuid primary key, ends_on date, row int);
create temporary table roster_record (row int, record_id uuid);
create temporary table roster_person (person_id uuid);
create temporary table roster_stay (encounter_id uuid primary key);
"""
# A sample of 3,000 rows tells enough of these tables, and 30,000 are as many as a roster of a town has.
_BEGIN: Final = f"set statement_timeout = 0; set default_statistics_target = 10; {_TABLES}"
_END: Final = f"""
drop table {panel_removals.NAMES}, {newcomers.NAMES}, roster_row, roster_refused, roster_kept, roster_change, roster_end, roster_record,
    roster_person, roster_stay;
reset default_statistics_target;
reset statement_timeout
"""


QUEUE_DEEP: Final = 100
"""Our policy: where more messages wait the pipeline is behind, by a tenth of a second or more."""
REST_S: Final = 0.05
"""Our policy: as long as a chunk takes, so that messages have half of the time."""


class StagedRow(NamedTuple):
    """An accepted row whose person is to be found. A tuple, because a roster has a million."""

    number: int
    written: str
    """Its cells, as JSON."""
    is_known: bool
    """The panel has the claim already, so the source's record is there."""

    def cells(self) -> dict[str, str]:
        """Read the cells: not at once, but in the thread that makes claims of them."""
        read: dict[str, str] = orjson.loads(self.written)
        return read


class Stage:
    """The staged rows of one upload, and the statements on them."""

    def __init__(self, raw: Raw, organization_id: UUID, *, reviews_consents: bool = True) -> None:
        """Begin with empty tables. Use `open_stage`."""
        self._raw = raw
        self._organization_id = organization_id
        self.reviews_consents = reviews_consents
        self._version = -1
        self._has_removals = self._has_changes = False
        self.has_claims = False
        """Whether the claims of all rows were copied with them."""

    async def is_first(self) -> bool:
        """Tell whether the panel claims nobody yet, so that every row of the file will be new (ix_panel_member_current)."""
        return bool(await self._raw.fetchval(_IS_FIRST, self._organization_id))

    async def add(
        self,
        taken: Sequence[RosterRow],
        refused: Sequence[RefusedRow],
        removals: Sequence[Removal] = (),
        claims: StagedClaims | None = None,
    ) -> None:
        """Copy rows into the stage."""
        if claims is not None:
            await newcomers.stage(self._raw, claims)
            self.has_claims = True
        if taken:
            self._has_changes = self._has_changes or any(row.change for row in taken)
            rows = ((*row[:-2], orjson.dumps(row.cells).decode(), row.change) for row in taken)
            await self._raw.copy_records_to_table("roster_row", records=rows)
        if refused:
            refusals = ((row.number, _errors_json(row), orjson.dumps(row.cells).decode()) for row in refused)
            await self._raw.copy_records_to_table("roster_refused", records=refusals)
            await self._raw.copy_records_to_table("roster_kept", records=[row.own for row in refused if row.own is not None])
        if removals:
            await panel_removals.add(self._raw, removals)
            self._has_removals = True

    async def drop_repetitions(self, limit: int) -> tuple[int, list[Repetition]]:
        """Leave the last row of each key; give how many were dropped, and the first of them."""
        # Only what is joined by: looking at every column takes seconds of a large file.
        await self._raw.execute("analyze roster_row (row, row_key); analyze roster_kept")
        await self._raw.execute(_FIND_REPETITIONS)
        shown = await self._raw.fetch("select row, counting_row, is_identical from roster_repetition order by row limit $1", limit)
        status = await self._raw.execute("delete from roster_row s using roster_repetition r where s.row = r.row")
        await self._raw.execute("drop table roster_repetition; create index on roster_row (row)")
        if self.has_claims:
            await newcomers.all_staged(self._raw)
        return _count(status), [Repetition(*row.values()) for row in shown]

    async def compare(self, mode: UploadMode, today: date) -> PanelDifference:
        """Find what the upload changes on the panel as it stands now."""
        return await self.in_transaction(partial(self._compare, mode=mode, today=today))

    async def same_file(self, file_hash: bytes, upload_id: UUID | None) -> EarlierUpload | None:
        """Find an upload of the same bytes that put rows on the panel: the one with this id first, else the latest."""
        row = await self._raw.fetchrow(_SAME_FILE, self._organization_id, file_hash, upload_id)
        return None if row is None else EarlierUpload(row["id"], row["uploaded_at"], row["file_name"], row["is_latest"])

    async def _compare(self, raw: Raw, mode: UploadMode, today: date) -> PanelDifference:
        owner = self._organization_id
        # Before anything is read of the panel, so that a change in between is noticed rather than missed.
        self._version = await raw.fetchval(_VERSION, owner)
        await raw.execute("truncate roster_change; truncate roster_end")
        kept = 0
        # Both sides are read whole. Without statistics of a panel just loaded the planner takes it for one row, which makes any index of
        # the organization as good as the one of the row key, and pairs every row with every row.
        await raw.execute("set local enable_nestloop = off")
        await raw.execute(_FIND_CHANGES, owner)
        if self._has_removals:
            await raw.execute("set local enable_nestloop = on")
            await panel_removals.find(raw, owner)
            await raw.execute("set local enable_nestloop = off")
        if mode is UploadMode.REPLACE:
            await raw.execute(_FIND_ENDINGS, owner, today)
        await raw.execute("set local enable_nestloop = on")
        await raw.execute("analyze roster_change (row)")
        added, changed, staged = await raw.fetchrow(_COUNT_CHANGES)
        in_force = await raw.fetchval(_COUNT_IN_FORCE, owner, today)
        if mode is UploadMode.REPLACE:
            kept = _count(await raw.execute(_KEEP, str(owner)))
        await raw.execute("analyze roster_end")
        removed = await raw.fetchval("select count(*) from roster_end")
        return PanelDifference(added, changed, staged - added - changed, removed, kept, in_force)

    async def changes_found(self, limit: int) -> tuple[int, list[RowError], list[RowError]]:
        """Give how many removals `compare` refused, the first of them, and what is odd about the other rows that name their change."""
        refused, shown = await panel_removals.problems(self._raw, limit) if self._has_removals else (0, [])
        return refused, shown, await panel_removals.odd_changes(self._raw) if self._has_changes else []

    async def unidentified(self, after: int, limit: int) -> list[StagedRow]:
        """Give the next rows of the file that are to be asserted and whose record is not known yet."""
        return [StagedRow(*row) for row in await self._raw.fetch(_UNIDENTIFIED, after, limit)]

    async def staged_chunk(self, after: int, limit: int) -> StagedChunk:
        """Give the next of those rows as a chunk of staged claims."""
        last, count = await self._raw.fetchrow(_CHUNK, after, limit)
        return StagedChunk(after, last or after, count)

    async def rows(self, numbers: Sequence[int]) -> list[StagedRow]:
        """Give these rows, in the order of the file."""
        return [StagedRow(*row) for row in await self._raw.fetch(_ROWS, numbers)] if numbers else []

    async def in_transaction(
        self,
        work: Callable[[Raw], Awaitable[T]],
        *,
        redo_on: tuple[type[Exception], ...] = (),
        ends: str = "commit",
        is_lasting: bool = True,
    ) -> T:
        """Do the work in one transaction; again where it met another one (a deadlock, a moved identity), a few times.

        Unless it is `is_lasting`, its commit does not wait for the disk: it lasts as soon as any later commit does, and may be lost before.
        """
        return await retried(self._raw, work, redo_on=redo_on, begins="begin" if is_lasting else f"begin; {NOT_LASTING}", ends=ends)

    async def unidentified_count(self) -> int:
        """Count those rows."""
        return int(await self._raw.fetchval("select count(*) from roster_change where not is_identified"))

    async def save_records(self, raw: Raw, records: Iterable[tuple[int, UUID]]) -> None:
        """Remember whose record each row is. Inside `in_transaction`."""
        await raw.copy_records_to_table("roster_record", records=list(records))

    async def admit(self, raw: Raw, wanted: Admission | StagedChunk, seeds: tuple[UUID, UUID], now: datetime) -> set[int]:
        """Make records of those whom nobody knows; give the numbers of the other rows. Inside `in_transaction`."""
        if isinstance(wanted, Admission):
            return await newcomers.admit(raw, wanted, seeds, now)
        return await newcomers.admit_staged(raw, wanted, str(self._organization_id), seeds, now)

    async def make_room(self) -> None:
        """Rest a moment where messages wait. Between transactions; for no longer, so that a roster is loaded however long they do."""
        if await self._raw.fetchval(_IS_DEEP):
            await asyncio.sleep(REST_S)

    async def lock_panel(self, raw: Raw) -> bool:
        """Wait for other uploads of this panel to commit; False when one has changed it since `compare`. Inside `in_transaction`.

        Whoever writes claims takes this lock and leaves a row in panel_upload.
        """
        await raw.execute(
            "select pg_advisory_xact_lock(hashtextextended(current_schema() || '/panel/' || $1, 0))", str(self._organization_id)
        )
        return bool(await raw.fetchval(_VERSION, self._organization_id) == self._version)

    async def save_upload(self, raw: Raw, result: UploadResult) -> None:
        """Record the upload and its refused rows. Inside `in_transaction`."""
        await panel_changes.save_upload(raw, result)
        if self._has_removals:
            await panel_removals.save_refused(raw, result.id)

    async def apply(self, raw: Raw, result: UploadResult, reconsider_since: datetime) -> None:
        """Change the panel and queue the recent stays of the people concerned. Inside `in_transaction`."""
        await panel_changes.apply(raw, result, reconsider_since, reviews_consents=self.reviews_consents)

    async def readers(self) -> list[str]:
        """Name the transactions that have read or changed panels and may write: asked right after the commit, they saw the old panel."""
        rows = await self._raw.fetch(READERS)
        return [row["virtualtransaction"] for row in rows]

    async def recall(self, raw: Raw, upload_id: UUID, uploaded_at: datetime) -> None:
        """Find again the people of an upload that was committed, for `catch_up`. Inside `in_transaction`."""
        await raw.execute("truncate roster_person; truncate roster_stay")
        await raw.execute(RECALL, self._organization_id, upload_id, uploaded_at)
        await raw.execute("analyze roster_person")

    async def catch_up(self, raw: Raw, upload_id: UUID, uploaded_at: datetime, reconsider_since: datetime) -> None:
        """See to what was under way while the upload committed. Inside `in_transaction`, when those `readers` have ended.

        New stays whose attribution read the old panel are queued; claims follow records that moved before they were visible.
        """
        await raw.execute(FOLLOW_RECORDS, self._organization_id, upload_id, *_claim_id_range(upload_id))
        await raw.execute("create temporary table roster_stay_before on commit drop as select encounter_id from roster_stay")
        await raw.execute("truncate roster_stay")
        await raw.execute(FIND_STAYS, reconsider_since)
        await raw.execute("delete from roster_stay s using roster_stay_before b where s.encounter_id = b.encounter_id")
        await raw.execute(RECONSIDER, uploaded_at)


_IS_DEEP = f"select count(*) > {QUEUE_DEEP} from (select from inbound_queue limit {QUEUE_DEEP + 1}) as waiting"

_FIND_REPETITIONS = """
create temporary table roster_repetition as
select s.row, k.counting_row, s.row_hash = c.row_hash and s.effective_to is not distinct from c.effective_to as is_identical
from (select row_key, max(row) as counting_row from roster_row group by row_key having count(*) > 1) as k
join roster_row s on s.row_key = k.row_key and s.row < k.counting_row
join roster_row c on c.row_key = k.row_key and c.row = k.counting_row
"""

# Claims change only with an upload, so their number tells whether somebody was here in between (ix_panel_upload_organization).
_VERSION = "select count(*) from panel_upload where organization_id = $1 and not dry_run"

# ix_panel_upload_organization. One whose every row was refused took nothing, so its file may come again.
_SAME_FILE = """
select u.id, u.uploaded_at, u.file_name, not exists (
    select from panel_upload n where n.organization_id = u.organization_id and not n.dry_run and n.uploaded_at > u.uploaded_at
) as is_latest
from panel_upload u
where u.organization_id = $1 and u.file_hash = $2 and not u.dry_run and u.summary ->> 'accepted' <> '0'
order by u.id is not distinct from $3::uuid desc, u.uploaded_at desc limit 1
"""

# One pass over the panel. Whose record is known already is so only when this is compared again because another upload came first.
_FIND_CHANGES = """
insert into roster_change (row, current_id, is_identified)
select s.row, m.id, f.row is not null
from roster_row s
left join panel_member m on m.organization_id = $1 and m.row_key = s.row_key and m.retracted_at is null
left join roster_record f on f.row = s.row
where m.id is null or m.row_hash <> s.row_hash or m.effective_to is distinct from s.effective_to
order by s.row
"""

_COUNT_CHANGES = """
select count(*) filter (where current_id is null), count(current_id), (select count(*) from roster_row) from roster_change
"""

_IN_FORCE = "m.organization_id = $1 and m.retracted_at is null and (m.effective_to is null or m.effective_to > $2)"

_IS_FIRST = "select not exists (select from panel_member where organization_id = $1 and retracted_at is null)"

_COUNT_IN_FORCE = f"select count(*) from panel_member m where {_IN_FORCE}"

_FIND_ENDINGS = f"""
insert into roster_end (id, ends_on)
select m.id, $2 from panel_member m where {_IN_FORCE} and not exists (select from roster_row s where s.row_key = m.row_key)
    and not exists (
        select from roster_removal f where f.id = m.id and f.is_fit and not f.is_upheld
            and not exists (select from roster_removal_problem p where p.row = f.row))
"""

_KEEP = """
delete from roster_end e
using (
    select authority, type, value from roster_kept
    union all
    select s.authority, s.type, s.value from roster_removal_problem p join roster_remove s on s.row = p.row
) as k, patient_record r, panel_member m
where e.row is null and r.source = $1
    and r.authority = k.authority and r.type = k.type and r.value = k.value and m.record_id = r.id and m.id = e.id
"""

# The bound is said twice: a merge join would otherwise pass over the whole beginning of the stage at every chunk.
_UNIDENTIFIED = """
select s.row, s.cells, c.current_id is not null as is_known
from roster_change c join roster_row s on s.row = c.row
where c.row > $1 and s.row > $1 and not c.is_identified
order by c.row limit $2
"""

_CHUNK = """
select max(row) as last, count(*) as rows
from (select c.row from roster_change c where c.row > $1 and not c.is_identified order by c.row limit $2) as next
"""

_ROWS = """
select s.row, s.cells, c.current_id is not null as is_known
from roster_change c join roster_row s on s.row = c.row
where c.row = any($1::int[]) and s.row = any($1::int[]) order by c.row
"""

OpenStage: TypeAlias = Callable[[UUID], AbstractAsyncContextManager[Stage]]
"""Opens the stage for an upload of this organization."""


@asynccontextmanager
async def open_stage(engine: AsyncEngine, organization_id: UUID, *, reviews_consents: bool = True) -> AsyncIterator[Stage]:
    """Take a connection of the work role for one upload and give it back empty; after an error or a refusal it is thrown away.

    `reviews_consents`: what a roster asserts of consents waits until a person of the exchange has looked; a refusal never does.
    """
    async with engine.connect() as connection:
        raw = await raw_connection(connection)
        try:
            await raw.execute(_BEGIN)
            yield Stage(raw, organization_id, reviews_consents=reviews_consents)
            await raw.execute(_END)
        except BaseException:
            # Closing the session rolls back and removes the temporary tables, whatever state it was in.
            raw.terminate()
            await connection.invalidate()
            raise


def _errors_json(row: RefusedRow) -> str:
    return orjson.dumps([{"column": error.column, "code": error.code.value, "message": error.message} for error in row.errors]).decode()


def _claim_id_range(upload_id: UUID) -> tuple[UUID, UUID]:
    prefix = claim_id_prefix(upload_id)
    return UUID(prefix + "0" * CLAIM_ID_DIGITS), UUID(prefix + "f" * CLAIM_ID_DIGITS)


def _count(status: Any) -> int:  # noqa: ANN401 - asyncpg's command tag
    return int(str(status).rsplit(" ", 1)[-1])

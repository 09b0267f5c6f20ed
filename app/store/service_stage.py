"""An encounter or pharmacy file on its way into the store: rows are copied into a temporary table, matched there, and added at once.

Members are found by the identifiers of the owner's own panel. Not here: what a row means (domain/claim_row).
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.claim_row import ADJUSTMENT_MAX, REVERSAL_HASH, WHOLE_CLAIM, ClaimRow
from app.store.asked_again import ASKED_AGAIN
from app.store.engine import raw_connection
from app.store.raw import Raw

_BEGIN: Final = """
set statement_timeout = 0;
create temporary table service_row (
    row int, member_id text, medicaid_id text, mrn text, claim_id text, line text, adjustment int, is_reversal boolean,
    replaces text, service_on date, visit_codes text[], diagnoses text[], place_of_service text, npi text, taxonomies text[], ndc text,
    days_supply int, admitted_on date, discharged_on date, row_hash bytea);
create temporary table service_match (row int primary key, record_id uuid, person_id uuid, people int);
create temporary table service_fate (row int primary key, fate text);
create temporary table service_touched (claim_id text);
"""
_END: Final = "drop table service_row, service_match, service_fate, service_touched; reset statement_timeout"

# A member is found by any of the identifiers that stand in the row, on the records of this owner alone. By pk_record_identifier.
_MATCH: Final = """
insert into service_match (row, record_id, person_id, people)
select n.row, (array_agg(r.id order by r.id))[1], (array_agg(r.person_id order by r.id))[1], count(distinct r.person_id)
from (
    select row, 'member' as what, member_id as value from service_row where member_id is not null
    union all select row, 'medicaid', medicaid_id from service_row where medicaid_id is not null
    union all select row, 'mrn', mrn from service_row where mrn is not null
) as n
join record_identifier i on i.value = n.value
    and case n.what when 'medicaid' then i.type = $2 when 'mrn' then i.type = $3 else i.type not in ($2, $3) end
join patient_record r on r.id = i.record_id and r.source = $1
group by n.row
"""
_FATES: Final = """
insert into service_fate (row, fate)
select s.row, case
    when m.row is null then 'not_a_member'
    when m.people > 1 then 'several_people'
    when f.row_hash <> s.row_hash then 'version_taken'
    when f.row < s.row then 'repeated'
    when e.row_hash = s.row_hash then 'unchanged'
    when e.row_hash is not null then 'version_taken'
    else 'added' end
from (
    select *, first_value(row) over v as first_row, first_value(row_hash) over v as first_hash from service_row
    window v as (partition by claim_id, line, adjustment, is_reversal order by row)
) as s
cross join lateral (select s.first_row as row, s.first_hash as row_hash) as f
left join service_match m on m.row = s.row
left join service e on e.organization_id = $1 and e.claim_id = s.claim_id and e.line = s.line and e.adjustment = s.adjustment
    and e.is_reversal = s.is_reversal
"""
# Files of one owner are decided and added one after the other: each then sees all versions of the claims that it touches.
_LOCK: Final = "select pg_advisory_xact_lock(hashtextextended(current_schema() || '/services/' || $1, 0))"
_ADD: Final = """
with made as (
    insert into service (organization_id, claim_id, line, adjustment, is_reversal, person_id, record_id, service_on, visit_codes, diagnoses,
        place_of_service, npi, taxonomies, ndc, days_supply, admitted_on, discharged_on, row_hash, upload_id, row, known_from)
    select $1, s.claim_id, s.line, s.adjustment, s.is_reversal, r.person_id, r.id, s.service_on, s.visit_codes, s.diagnoses,
        s.place_of_service, s.npi, s.taxonomies, s.ndc, s.days_supply, s.admitted_on, s.discharged_on, s.row_hash, $2, s.row, $3
    from service_fate t join service_row s on s.row = t.row join service_match m on m.row = t.row
    join patient_record r on r.id = m.record_id
    where t.fate = 'added'
    order by s.claim_id, s.line, s.adjustment, s.is_reversal
    for share of r
    on conflict do nothing
    returning claim_id
)
insert into service_touched select distinct claim_id from made
"""
# The claim that another number replaces or voids is taken back for good, whether it is here yet or comes later. A row that was here
# before may say it for the first time.
_CLOSE: Final = """
with made as (
    insert into service (organization_id, claim_id, line, adjustment, is_reversal, person_id, record_id, visit_codes, diagnoses, taxonomies,
        row_hash, upload_id, row, known_from)
    select $1, s.replaces, $4, $5, true, r.person_id, r.id, '{}', '{}', '{}', $6, $2, s.row, $3
    from service_fate t join service_row s on s.row = t.row join service_match m on m.row = t.row
    join patient_record r on r.id = m.record_id
    where t.fate in ('added', 'unchanged', 'repeated') and s.replaces is not null
    order by s.replaces, s.row
    for share of r
    on conflict do nothing
    returning claim_id
)
insert into service_touched select distinct claim_id from made
"""
# Whoever has a line of a claim of which something new is known, in whichever version: a corrected one may be somebody else's. One stay of
# each is enough, for measures look at the whole person. By pk_service.
_RECONSIDER: Final = (
    """
insert into reconsideration (encounter_id, asked_at, cause)
select id, $2, 'services' from (
    select distinct on (e.person_id) e.id from encounter e
    where e.person_id in (
        select s.person_id from service s where s.organization_id = $1 and s.claim_id in (select claim_id from service_touched)
    ) and e.folded_into is null
    order by e.person_id, e.id desc
) as one order by id
"""
    + ASKED_AGAIN
)


class Fate(NamedTuple):
    """A row that is not taken."""

    row: int
    fate: str


class ServiceStage:
    """The staged rows of one file, and the statements on them."""

    def __init__(self, raw: Raw, organization_id: UUID) -> None:
        """Begin with empty tables. Use `open_service_stage`."""
        self._raw = raw
        self._organization_id = organization_id

    async def add(self, rows: Sequence[ClaimRow]) -> None:
        """Copy rows into the stage."""
        if rows:
            await self._raw.copy_records_to_table("service_row", records=rows)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Open the transaction in which the rows are decided and added; other files of this owner wait."""
        async with self._raw.transaction():
            await self._raw.execute(_LOCK, str(self._organization_id))
            yield

    async def decide(self, medicaid: str, mrn: str, shown_max: int) -> tuple[dict[str, int], list[Fate]]:
        """Find the members, and say what becomes of the rows: how many of each kind, and the first that are refused. Inside `alone`."""
        raw = self._raw
        await raw.execute("analyze service_row; truncate service_match; truncate service_fate")
        await raw.execute(_MATCH, str(self._organization_id), medicaid, mrn)
        await raw.execute("analyze service_match")
        await raw.execute(_FATES, self._organization_id)
        counts = await raw.fetch("select fate, count(*) from service_fate group by fate")
        refused = await raw.fetch(
            "select row, fate from service_fate where fate not in ('added', 'unchanged', 'repeated') order by row limit $1", shown_max
        )
        return {row["fate"]: row["count"] for row in counts}, [Fate(row["row"], row["fate"]) for row in refused]

    async def apply(self, upload_id: UUID, file_name: str, file_hash: bytes, summary: dict[str, Any], now: datetime) -> None:
        """Add what is new, and ask that the people be measured anew. Inside `alone`, after `decide`."""
        raw = self._raw
        await raw.execute(
            "insert into service_upload (id, organization_id, file_name, file_hash, uploaded_at, summary)"
            " values ($1, $2, $3, $4, $5, $6::text::jsonb)",
            upload_id, self._organization_id, file_name, file_hash, now, orjson.dumps(summary).decode(),
        )  # fmt: skip
        await raw.execute(_ADD, self._organization_id, upload_id, now)
        await raw.execute(_CLOSE, self._organization_id, upload_id, now, WHOLE_CLAIM, ADJUSTMENT_MAX, REVERSAL_HASH)
        await raw.execute("analyze service_touched")
        await raw.execute(_RECONSIDER, self._organization_id, now)


OpenServiceStage: TypeAlias = Callable[[UUID], AbstractAsyncContextManager[ServiceStage]]
"""Opens the stage for a file of this organization."""


@asynccontextmanager
async def open_service_stage(engine: AsyncEngine, organization_id: UUID) -> AsyncIterator[ServiceStage]:
    """Take a connection of the work role for one file and give it back empty; after an error it is thrown away."""
    async with engine.connect() as connection:
        raw = await raw_connection(connection)
        try:
            await raw.execute(_BEGIN)
            yield ServiceStage(raw, organization_id)
            await raw.execute(_END)
        except BaseException:
            # Closing the session rolls back and removes the temporary tables, whatever state it was in.
            raw.terminate()
            await connection.invalidate()
            raise

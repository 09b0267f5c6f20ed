"""The rows of an upload that say `remove`: which claims they end, and which of them end nothing and why. A part of the stage.

Compared set-wise, however many there are: the person by what the roster names them by, else by another of their numbers; then program,
role and first day where the row gives them. Not here: what such a row means (domain/roster_change), applying it (panel_stage).
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import orjson

from app.domain.roster import MESSAGES, RowError, RowErrorCode
from app.domain.roster_change import CHANGE_COLUMN, REMOVAL_PROBLEMS, ChangeType, Removal
from app.store.raw import Raw

TABLES: Final = """
create temporary table roster_remove (
    row int, authority text, type text, value text, program text, role text, effective_from date, ends_on date,
    birth_date text, cells text);
create temporary table roster_removal (row int, id uuid, person_id uuid, is_fit boolean, is_upheld boolean, is_over boolean);
create temporary table roster_removal_problem (row int primary key, code text);
"""
NAMES: Final = "roster_remove, roster_removal, roster_removal_problem"

# By the name of the record first (uq_patient_record_source): a member number is nobody else's. By another number only who has none of it.
# `row_key` of the stage: what another row of the file asserts is not ended by this one.
_FIND = """
insert into roster_removal
with named as (
    select s.row, r.id as record_id
    from roster_remove s join patient_record r on r.source = $2 and r.authority = s.authority and r.type = s.type and r.value = s.value
), meant as (
    select row, record_id from named
    union all
    select s.row, i.record_id
    from roster_remove s
    join record_identifier i on i.authority = s.authority and i.value = s.value and i.type = s.type
    join patient_record r on r.id = i.record_id and r.source = $2
    where not exists (select from named n where n.row = s.row)
)
select s.row, m.id, m.person_id,
    s.birth_date is null or coalesce(m.row ->> 'birth_date' = s.birth_date, true),
    exists (select from roster_row a where a.row_key = m.row_key),
    m.effective_to is not null and m.effective_to <= s.ends_on
from meant n
join roster_remove s on s.row = n.row
join panel_member m on m.record_id = n.record_id and m.organization_id = $1 and m.retracted_at is null
where (s.role is null or m.role = s.role)
    and (s.effective_from is null or m.effective_from = s.effective_from)
    and (s.program is null
        or s.program = coalesce(nullif(trim(both '_' from regexp_replace(upper(m.program), '[^0-9A-Z]+', '_', 'g')), ''), upper(m.program)))
"""

_FIND_PROBLEMS = """
insert into roster_removal_problem (row, code)
select row, code from (
    select s.row, case
        when count(f.id) = 0 then 'not_on_panel'
        when not bool_or(f.is_fit) then 'other_person'
        when count(distinct f.person_id) > 1 then 'several_people'
        when bool_and(f.is_upheld) then 'contradicted'
    end as code
    from roster_remove s left join roster_removal f on f.row = s.row
    group by s.row
) as judged
where code is not null
"""

# Two rows about one claim: the later one counts, as everywhere in a file.
_END = """
insert into roster_end (id, ends_on, row)
select distinct on (f.id) f.id, s.ends_on, s.row
from roster_removal f join roster_remove s on s.row = f.row
where f.is_fit and not f.is_upheld and not f.is_over and not exists (select from roster_removal_problem p where p.row = f.row)
order by f.id, f.row desc
"""

_PROBLEMS = "select row, code from roster_removal_problem order by row limit $1"

_INSERT_REFUSED = """
insert into panel_upload_rejection (upload_id, row, errors, cells)
select $1, p.row, k.errors::jsonb, s.cells::json
from roster_removal_problem p
join roster_remove s on s.row = p.row
join unnest($2::text[], $3::text[]) as k(code, errors) on k.code = p.code
"""

# One warning a kind, at the first such row.
_ODD = """
select s.change, min(s.row) as first, count(*) as rows
from roster_change c join roster_row s on s.row = c.row
where s.change = case when c.current_id is null then 'change' else 'add' end
group by s.change
"""


async def add(raw: Raw, removals: Sequence[Removal]) -> None:
    """Copy rows into the stage."""
    records = ((*row[:-1], orjson.dumps(row.cells).decode()) for row in removals)
    await raw.copy_records_to_table("roster_remove", records=records)


async def find(raw: Raw, organization_id: UUID) -> None:
    """Find what the rows end, and those that end nothing, on the panel as it stands."""
    await raw.execute("truncate roster_removal; truncate roster_removal_problem; analyze roster_remove")
    await raw.execute(_FIND, organization_id, str(organization_id))
    await raw.execute("analyze roster_removal")
    await raw.execute(_FIND_PROBLEMS)
    await raw.execute(_END)


async def problems(raw: Raw, limit: int) -> tuple[int, list[RowError]]:
    """Give how many rows end nothing, and the first of them."""
    count = await raw.fetchval("select count(*) from roster_removal_problem")
    shown = [
        RowError(row["row"], CHANGE_COLUMN, code := RowErrorCode(row["code"]), MESSAGES[code]) for row in await raw.fetch(_PROBLEMS, limit)
    ]
    return count, shown


async def odd_changes(raw: Raw) -> list[RowError]:
    """Give a warning for rows that add who is there, and one for rows that change who is not."""
    codes = {ChangeType.ADD.value: RowErrorCode.ADDED_BEFORE, ChangeType.CHANGE.value: RowErrorCode.NOT_YET_ADDED}
    return [
        RowError(row["first"], CHANGE_COLUMN, code := codes[row["change"]], f"{MESSAGES[code]} Rows: {row['rows']}; the first is named.")
        for row in await raw.fetch(_ODD)
    ]


async def save_refused(raw: Raw, upload_id: UUID) -> None:
    """Record the rows that end nothing with the other refused rows of the upload."""
    said = [[{"column": CHANGE_COLUMN, "code": code.value, "message": MESSAGES[code]}] for code in REMOVAL_PROBLEMS]
    errors = [orjson.dumps(one).decode() for one in said]
    await raw.execute(_INSERT_REFUSED, upload_id, [code.value for code in REMOVAL_PROBLEMS], errors)

"""The rows of an upload whose number is somebody else's: those that are refused, and those whose mrn joins nobody. A part of the stage.

Known only once the people of the rows were looked for. Not here: who is somebody else (domain/number_reuse, domain/matching).
"""

from collections.abc import Sequence
from typing import Final

import orjson

from app.domain.roster import MESSAGES, RowError, RowErrorCode
from app.store.raw import Raw

_REFUSE: Final = """
with refused as (
    delete from roster_change c using roster_row s where c.row = any($1::int[]) and s.row = c.row returning c.row, c.current_id, s.cells
), noted as (
    insert into roster_refused (row, errors, cells)
    select r.row, $2, r.cells from refused r where not exists (select from roster_refused f where f.row = r.row)
)
select count(*) filter (where current_id is null) as added, count(current_id) as changed from refused
"""

# ix_record_identifier_record_id, then the primary key of record_identifier.
_MRN_OF_ANOTHER: Final = """
select c.row
from roster_change c
join roster_record f on f.row = c.row
join patient_record p on p.id = f.record_id
join record_identifier i on i.record_id = p.id and i.type = 'MR'
join record_identifier o on o.authority = i.authority and o.value = i.value and o.type = 'MR' and o.record_id <> i.record_id
join patient_record q on q.id = o.record_id and q.source = 'adt' and q.person_id <> p.person_id
group by c.row order by c.row limit $1
"""


def error_of(row: int, code: RowErrorCode, column: str = "") -> RowError:
    """Say what is wrong with a row whose number is somebody else's."""
    return RowError(row, column, code, MESSAGES[code])


async def refuse(raw: Raw, rows: Sequence[int]) -> tuple[int, int]:
    """Take rows out of what changes the panel; give how many would have been added and changed. Their claims stay as they are."""
    said = [{"column": "", "code": (code := RowErrorCode.NUMBER_OF_ANOTHER).value, "message": MESSAGES[code]}]
    row = await raw.fetchrow(_REFUSE, list(rows), orjson.dumps(said).decode())
    return row["added"], row["changed"]


async def mrns_of_others(raw: Raw, limit: int) -> Sequence[RowError]:
    """Give a warning for each row whose mrn a hospital knows as that of another person."""
    await raw.execute("analyze roster_record")
    return [error_of(row["row"], RowErrorCode.MRN_OF_ANOTHER, "mrn") for row in await raw.fetch(_MRN_OF_ANOTHER, limit)]

"""Segments: what the measure ledger says and said, once more, as columns of numbers (decision 0013).

A segment is a month of one measure for one organization, or a piece of it: a `bytea` for each column, two or eight bytes for each line.
What stands, or stood, is the segments and the changes that are not folded into them yet, read in one statement; versions that `ended`
are apart, and a segment that is `negative` takes its lines away. Not here: the changes, which a trigger on the ledger notes, and what a
rate is asked by (measure_rates).
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from asyncpg import Record

from app.store.raw import Raw

WORDED: Final = ("outcome", "facility_id", "home_id", "sex", "race", "ethnicity", "language", "dual_status", "geography")
"""Columns whose numbers are those of words (`measure_word`); 0 is no word."""
TIMES: Final = ("known_from", "known_to")
"""In microseconds since 1970, as exact as the ledger. 0: it stands."""
COLUMNS: Final = ("day", "age", *WORDED, *TIMES)
"""`day`: of the month, from 1. `age`: in full years, and one more; 0 is no age."""

FOLD_AT: Final = 10_000
"""Our policy: a rate adds so many changes in some milliseconds, and the more are folded at once the fewer segments are written."""
FOLDED_MAX: Final = 50_000
"""In one transaction."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
CODE_MOST: Final = 0xFFFF
"""What more words there are of a column count as no word."""

_TAKE: Final = """
delete from measure_change where id <= (select max(id) from (select id from measure_change order by id limit $1) as first) returning *
"""
_NUMBER: Final = """
with given as (
    select facet, word from unnest($1::text[], $2::text[]) as one(facet, word)
), added as (
    insert into measure_word (facet, word, code)
    select n.facet, n.word, coalesce((select max(w.code) from measure_word w where w.facet = n.facet), 0)
        + row_number() over (partition by n.facet order by n.word)
    from given n where not exists (select from measure_word w where w.facet = n.facet and w.word = n.word)
    returning facet, word, code
)
select facet, word, code from added union all select w.facet, w.word, w.code from given join measure_word w using (facet, word)
"""
# Of a month the small pieces go into the new one, and what is at most twice as large as all before it: so a line is written anew only as
# often as its segment can double. Rows without an organization are asked for apart, because an index does not know nothing from nothing.
_TAKE_PIECES: Final = f"""
with given as (
    select * from unnest($1::uuid[], $2::text[], $3::date[], $4::boolean[], $5::bigint[]) with ordinality
        as one(organization_id, measure, anchor_on, ended, lines, n)
), piece as (
    select s.id, s.lines, g.n, g.lines as added from given g
    join measure_segment s on s.organization_id = g.organization_id and s.measure = g.measure
        and s.anchor_on = g.anchor_on and s.ended = g.ended
    union all
    select s.id, s.lines, g.n, g.lines from given g
    join measure_segment s on s.organization_id is null and s.measure = g.measure and s.anchor_on = g.anchor_on and s.ended = g.ended
    where g.organization_id is null
), measured as (
    select id, n, lines, added + coalesce(sum(lines) over (smaller rows between unbounded preceding and 1 preceding), 0) as before
    from piece window smaller as (partition by n order by lines, id)
), fitting as (
    select id, n, bool_and(lines <= 2 * before) over (partition by n order by lines, id) as fits from measured
)
delete from measure_segment s using fitting f where s.id = f.id and f.fits
returning f.n::integer - 1 as month, s.lines, s.negative, array[{", ".join(f"s.{name}" for name in COLUMNS)}] as columns
"""
_ADD: Final = f"""
insert into measure_segment (organization_id, measure, anchor_on, ended, lines, negative, {", ".join(COLUMNS)})
select * from unnest($1::uuid[], $2::text[], $3::date[], $4::boolean[], $5::integer[], $6::boolean[], {
    ", ".join(f"${number}::bytea[]" for number in range(7, 7 + len(COLUMNS)))
})
"""


async def fold(raw: Raw, least: int = FOLD_AT) -> bool:
    """Fold the changes that wait into segments, where there are about so many at `least`; tell whether there were.

    What is not committed yet is left for another time: changes commute. One at a time: words are numbered by whoever folds.
    """
    waiting = await raw.fetchval("select (select max(id) from measure_change) - (select min(id) from measure_change) + 1")
    if waiting is None or waiting < least:
        return False
    changes = await raw.fetch(_TAKE, FOLDED_MAX)
    months: dict[tuple[Any, ...], int] = {}
    month_of = [months.setdefault(_month(one), len(months)) for one in changes]
    added = [0] * len(months)
    for month, one in zip(month_of, changes, strict=True):
        added[month] += abs(one["lines"])
    codes = await _codes(raw, changes)
    pieces = await raw.fetch(_TAKE_PIECES, *_turned(months), added)
    # A worker has others to tell meanwhile.
    made = await asyncio.to_thread(_merged, changes, codes, list(months), month_of, pieces)
    if made:
        await raw.execute(_ADD, *_turned(made))
    return True


def _merged(
    changes: Sequence[Record],
    codes: dict[str, dict[Any, int]],
    months: Sequence[tuple[Any, ...]],
    month_of: Sequence[int],
    pieces: Sequence[Record],
) -> list[tuple[Any, ...]]:
    """Give the new segments: of changes, and of the pieces of their months that go into them."""
    from app.store import measure_columns  # noqa: PLC0415 - it loads numpy

    columns = [
        [one["anchor_on"].day for one in changes],
        # Who is said to be born later is below every band.
        [0 if one["age"] is None else max(one["age"], 0) + 1 for one in changes],
        *([codes[name][one[name]] for one in changes] for name in WORDED),
        *([0 if one[name] is None else time_code(one[name]) for one in changes] for name in TIMES),
    ]
    stored = [measure_columns.WIDE if name in TIMES else measure_columns.NARROW for name in COLUMNS]
    old = [measure_columns.Segment(*row.values()) for row in pieces]
    made = measure_columns.segments(month_of, columns, stored, [one["lines"] for one in changes], old)
    return [(*months[one.month], one.lines, one.negative, *one.columns) for one in made]


def _month(change: Record) -> tuple[Any, ...]:
    anchor_on: date = change["anchor_on"]
    return change["organization_id"], change["measure"], anchor_on.replace(day=1), change["known_to"] is not None


def time_code(at: datetime) -> int:
    """Give an instant as columns have it."""
    return (at - _EPOCH) // _MICROSECOND


async def _codes(raw: Raw, changes: Sequence[Record]) -> dict[str, dict[Any, int]]:
    """Give the numbers of the words of each column; new ones are numbered."""
    spelled = {(name, str(word)): word for name in WORDED for word in {one[name] for one in changes} if word is not None}
    codes: dict[str, dict[Any, int]] = {name: {None: 0} for name in WORDED}
    for name, word, code in await raw.fetch(_NUMBER, *_turned(sorted(spelled))):
        codes[name][spelled[name, word]] = code if code <= CODE_MOST else 0
    return codes


def _turned(rows: Iterable[tuple[Any, ...]]) -> Iterable[list[Any]]:
    return map(list, zip(*rows, strict=True))

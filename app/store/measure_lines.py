"""The measure ledger as the pipeline keeps it: which lines stand for these people, and new versions in the place of old ones.

Not here: sums and lists over it (measure_reads). Every statement takes a whole batch.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

from app.domain.measure_line import MeasureLine
from app.store.raw import Raw

_COLUMNS = MeasureLine._fields
_TYPES = (
    "uuid", "uuid", "uuid", "uuid", "bool", "bool", "uuid", "text", "uuid", "uuid", "int2", "date", "date", "date",
    "text", "text", "text", "uuid", "date", "date",
    "text", "date", "date", "date", "date", "int2", "text", "text", "text", "text",
    "text", "text", "bool", "text", "text", "timestamptz",
)  # fmt: skip
_JOINT = "\x1f"
"""Between reasons on their way into the database: a list of lists has no rectangle."""

_STANDING = f"""
select id, {", ".join(_COLUMNS)} from measure_line where known_to is null and person_id = any($1::uuid[])
union
select id, {", ".join(_COLUMNS)} from measure_line where known_to is null and encounter_id = any($2::uuid[])
"""


async def standing(raw: Raw, people: Collection[UUID], stays: Iterable[UUID]) -> dict[int, MeasureLine]:
    """Give the lines that stand for these people, or for these stays while they were somebody else's, by their id.

    By ix_measure_line_person and uq_measure_line_standing.
    """
    rows = await raw.fetch(_STANDING, list(people), list(stays))
    return {number: MeasureLine._make((*said, tuple(reasons), at)) for number, *said, reasons, at in rows}


async def with_lines(raw: Raw, people: Collection[UUID]) -> set[UUID]:
    """Give those of these people who count in a measure (ix_measure_line_person)."""
    rows = await raw.fetch(
        "select distinct person_id from measure_line where known_to is null and person_id = any($1::uuid[])", list(people)
    )
    return {row["person_id"] for row in rows}


async def end(raw: Raw, lines: Collection[int], now: datetime, dropped: Collection[int]) -> None:
    """Let versions end. `dropped`: those of them in whose place no other stands from now on."""
    if lines:
        await raw.execute(
            "update measure_line set known_to = $2, dropped = id = any($3::bigint[]), xid = default where id = any($1::bigint[])",
            list(lines),
            now,
            list(dropped),
        )


_ADD = f"""
insert into measure_line ({", ".join(_COLUMNS)}, known_from)
select {", ".join(f"string_to_array({name}, '{_JOINT}')" if name == "reasons" else name for name in _COLUMNS)}, ${len(_COLUMNS) + 1}
from unnest({", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_TYPES, 1))}) as n({", ".join(_COLUMNS)})
"""


async def add(raw: Raw, lines: Sequence[MeasureLine], now: datetime) -> None:
    """Add versions that stand from now on."""
    if not lines:
        return
    columns = [[getattr(line, name) for line in lines] for name in _COLUMNS]
    reasons = _COLUMNS.index("reasons")
    columns[reasons] = [_JOINT.join(said) for said in columns[reasons]]
    await raw.execute(_ADD, *columns, now)


async def due_for_change(raw: Raw, now: datetime, stays_max: int) -> list[UUID]:
    """Give the stays whose status the passing of days changes, earliest first (ix_measure_line_timer)."""
    rows = await raw.fetch(
        "select encounter_id from measure_line where known_to is null and next_change_at <= $1 order by next_change_at limit $2",
        now,
        stays_max,
    )
    return sorted({row["encounter_id"] for row in rows})


async def put_off(raw: Raw, stay: UUID, until: datetime) -> None:
    """Look at the lines of a stay later: looking at them now fails, and the others must not wait for them."""
    await raw.execute(
        "update measure_line set next_change_at = $2 where encounter_id = $1 and known_to is null and next_change_at < $2", stay, until
    )


async def people_count(raw: Raw, first_on: date, last_on: date) -> int:
    """Count the people with a stay that ended in these days. Reads every stay once: for an operator's command."""
    found: int = await raw.fetchval(
        "select count(distinct person_id) from encounter where discharged_on between $1 and $2", first_on, last_on
    )
    return found


async def people_after(raw: Raw, first_on: date, last_on: date, after: UUID | None, most: int) -> list[UUID]:
    """Give the next people with a stay that ended in these days, in the order of their ids (ix_encounter_person)."""
    rows = await raw.fetch(
        "select distinct person_id from encounter where person_id > $3 and discharged_on between $1 and $2 order by person_id limit $4",
        first_on,
        last_on,
        after or UUID(int=0),
        most,
    )
    return [row["person_id"] for row in rows]


_SAMPLE_PAGES = 2000
_RULES_IN_FORCE = f"""
with share as (
    select least(100, 100.0 * {_SAMPLE_PAGES} / greatest(relpages, 1))::real as percent from pg_class where oid = 'measure_line'::regclass
)
select extract(year from anchor_on)::int as year, measure, rule_version
from measure_line tablesample system ((select percent from share)) where known_to is null group by 1, 2, 3
"""


async def rules_of_the_newest_year(raw: Raw) -> tuple[int, set[tuple[str, str]]]:
    """Give the newest year with lines, and by which (measure, rule version) they stand. Of many lines, those of some thousand pages."""
    rows = await raw.fetch(_RULES_IN_FORCE)
    newest = max((row["year"] for row in rows), default=0)
    return newest, {(row["measure"], row["rule_version"]) for row in rows if row["year"] == newest}

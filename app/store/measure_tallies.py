"""Tallies of the measure ledger: how many lines stand, counted before anybody asks (decision 0011).

A tally tells apart the days, or the months and a few columns more. What stands is a tally and the changes that are not folded into it yet,
read in one statement. Not here: the changes, which a trigger on the ledger notes, and what a rate is asked by (measure_reads).
"""

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Final

from app.store import measure_cube
from app.store.raw import Raw

TALLIES: Final[Mapping[str, frozenset[str]]] = {
    "day": frozenset(),
    "facility": frozenset({"facility_id"}),
    "home": frozenset({"home_id"}),
    "geography": frozenset({"geography"}),
    "age": frozenset({"age"}),
    "strata": frozenset({"sex", "race", "ethnicity", "language", "dual_status"}),
    "place": frozenset({"home_id", "facility_id"}),
}
"""Tally -> the columns that it tells apart beside the months; a rate takes the first that has what it asks by. Those of `day` are days."""
BY_DAY: Final = "day"
FOLD_AT: Final = 10_000
"""Our policy: a rate adds so many changes in some milliseconds, and the more are folded at once the fewer counts are written."""
FOLDED_MAX: Final = 50_000
"""In one transaction."""

_KEPT: Final = ("facility_id", "home_id", "age", "sex", "race", "ethnicity", "language", "dual_status", "geography")
_TYPES: Final = {"facility_id": "uuid", "home_id": "uuid", "age": "int2"}
_KEY: Final = ("tally", "organization_id", "measure", "anchor_on", *_KEPT, "outcome")


def _kind(tally: str) -> str:
    """Give the row of a change in a tally."""
    on = "c.anchor_on" if tally == BY_DAY else "date_trunc('month', c.anchor_on::timestamp)::date"
    told = (f"c.{name}" if name in TALLIES[tally] else f"null::{_TYPES.get(name, 'text')}" for name in _KEPT)
    return f"('{tally}', {on}, {', '.join(told)})"


_FOLD: Final = f"""
with taken as (
    delete from measure_change where id <= (select max(id) from (select id from measure_change order by id limit $1) as first)
    returning *
), tallied as (
    insert into measure_tally ({", ".join(_KEY)}, lines)
    select {", ".join("c." + name if name in {"organization_id", "measure", "outcome"} else "k." + name for name in _KEY)}, sum(c.lines)
    from taken c cross join lateral (values {", ".join(map(_kind, TALLIES))}) as k(tally, anchor_on, {", ".join(_KEPT)})
    group by {", ".join(str(number) for number in range(1, len(_KEY) + 1))} having sum(c.lines) <> 0
    on conflict ({", ".join(_KEY)}) do update set lines = measure_tally.lines + excluded.lines
), {measure_cube.FOLD}
"""


async def fold(raw: Raw, least: int = FOLD_AT) -> bool:
    """Fold the changes that wait into the tallies, where there are about so many at `least`; tell whether there were.

    What is not committed yet is left for another time: changes commute.
    """
    waiting = await raw.fetchval("select (select max(id) from measure_change) - (select min(id) from measure_change) + 1")
    if waiting is None or waiting < least:
        return False
    await raw.execute(_FOLD, FOLDED_MAX)
    return True


def tally_of(columns: Collection[str]) -> str | None:
    """Give the tally that tells these columns apart, if one does."""
    return next((tally for tally, told in TALLIES.items() if told.issuperset(columns)), None)


def whole_until(tally: str | None, from_on: date, to_on: date, *boundaries: date) -> date:
    """Give the day before which a tally answers for a period: each boundary falls between its kinds of days, not into one.

    For what is counted by month, months that a boundary cuts are counted from the ledger.
    """
    until = min(to_on + timedelta(days=1), *boundaries) if boundaries else to_on + timedelta(days=1)
    if tally == BY_DAY:
        return until
    return max(until.replace(day=1), from_on) if from_on.day == 1 else from_on

"""The tally that tells everything apart: each month's lines by all that rates are asked by, with words as numbers (decision 0011).

It has nearly as many rows as the ledger has lines; but a row is four numbers, in an index that has nothing else, and a sum over it costs
half of one over words. What it is asked for comes out in words again. Not here: the tallies that tell less apart (measure_tallies).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID


@dataclass(frozen=True, slots=True)
class _Part:
    """Where the number of a word lies."""

    column: str
    shift: int
    bits: int

    @property
    def most(self) -> int:
        """Give the largest number that it can hold; 0 is no word."""
        return (1 << self.bits) - 1

    @property
    def mask(self) -> int:
        """Give the bits of the column that are its own."""
        return self.most << self.shift


_PARTS: Final = {
    "outcome": _Part("what", 0, 16),
    "language": _Part("what", 16, 14),
    "geography": _Part("what", 30, 18),
    "dual_status": _Part("who", 0, 12),
    "ethnicity": _Part("who", 12, 8),
    "race": _Part("who", 20, 12),
    "sex": _Part("who", 32, 8),
    "home_id": _Part("place", 0, 24),
    "facility_id": _Part("place", 24, 24),
}
"""Our policy: so many words of a kind are told apart as there is room for; what more there are count as no word."""
_IDS: Final = frozenset({"home_id", "facility_id"})
_AGE: Final = _Part("who", 40, 8)
"""The age itself, in the highest bits: ages are compared without being taken out."""

_WORDS: Final = ", ".join(f"('{name}', c.{name}{'::text' if name in _IDS else ''})" for name in _PARTS)
_KEY: Final = "organization_id, measure, anchor_on, what, who, place"


def _packed(column: str) -> str:
    parts = [
        f"case when {name}.code <= {part.most} then {name}.code::int8 << {part.shift} else 0 end"
        for name, part in _PARTS.items()
        if part.column == column
    ]
    if column == _AGE.column:
        parts.append(f"least(coalesce(c.age, {_AGE.most}), {_AGE.most})::int8 << {_AGE.shift}")
    return " | ".join(f"({one})" for one in parts)


FOLD: Final = f"""
named as (
    select distinct k.facet, k.word from taken c cross join lateral (values {_WORDS}) as k(facet, word) where k.word is not null
), new as (
    insert into measure_word (facet, word, code)
    select n.facet, n.word, coalesce((select max(w.code) from measure_word w where w.facet = n.facet), 0)
        + row_number() over (partition by n.facet order by n.word)
    from named n where not exists (select from measure_word w where w.facet = n.facet and w.word = n.word)
    returning facet, word, code
), word as materialized (
    select w.facet, w.word, w.code from named n join measure_word w on w.facet = n.facet and w.word = n.word
    union all select facet, word, code from new
)
insert into measure_cube ({_KEY}, lines)
select c.organization_id, c.measure, date_trunc('month', c.anchor_on::timestamp)::date, {", ".join(map(_packed, ("what", "who", "place")))},
    sum(c.lines)
from taken c
{
    " ".join(
        f"left join word {name} on {name}.facet = '{name}' and {name}.word = c.{name}{'::text' if name in _IDS else ''}" for name in _PARTS
    )
}
group by 1, 2, 3, 4, 5, 6 having sum(c.lines) <> 0
on conflict ({_KEY}) do update set lines = measure_cube.lines + excluded.lines
"""
"""The end of the statement that folds `taken` changes. Words are numbered by it alone, one worker at a time."""


def counting(
    listed: Sequence[str],
    asked: Collection[str],
    condition: str,
    values: list[Any],
    *,
    bands: Sequence[int],
    starts: Sequence[date],
    home_id: UUID | None,
    facility_id: UUID | None,
    but_homes: Collection[UUID],
) -> str:
    """Give the statement that sums the rows of a condition by what is `asked`, and no finer: in words, as `listed` (uq_measure_cube).

    What is listed and not asked is null. Of an age it tells the first of its band, of a month the last of `starts` before it, where there
    are any; `but_homes` are left out. Values are added to those of the statement.
    """
    where = [condition]

    def number_of(name: str, value: UUID) -> str:
        values.append(str(value))
        return f"(select w.code from measure_word w where w.facet = '{name}' and w.word = ${len(values)})"

    for name, value in (("home_id", home_id), ("facility_id", facility_id)):
        if value is not None:
            where.append(f"{_number('l', _PARTS[name])} = {number_of(name, value)}")
    if but_homes:
        values.append([str(one) for one in sorted(but_homes)])
        hidden = f"select w.code from measure_word w where w.facet = 'home_id' and w.word = any(${len(values)}::text[])"
        where.append(f"{_number('l', _PARTS['home_id'])} <> all(array({hidden}))")
    words = sorted(name for name in asked if name in _PARTS)
    keys = {
        column: f"l.{column} & {sum(part.mask for name in words if (part := _PARTS[name]).column == column)}"
        for column in ("what", "who", "place")
        if any(_PARTS[name].column == column for name in words)
    }
    if "age" in asked:
        keys["age"] = _band(bands)
    keys["anchor_on"] = _span(starts) if starts else "l.anchor_on"
    if "organization_id" in asked:
        keys["organization_id"] = "l.organization_id"
    inner = (
        f"select {', '.join(f'{key} as {name}' for name, key in keys.items())}, sum(l.lines) as lines from measure_cube l "
        f"where {' and '.join(where)} group by {', '.join(map(str, range(1, len(keys) + 1)))}"
    )
    shown = [_shown(name, words, keys) for name in listed]
    joins = " ".join(
        f"left join measure_word {name} on {name}.facet = '{name}' and {name}.code = {_number('g', _PARTS[name])}" for name in words
    )
    return f"select {', '.join(shown)}, g.lines from ({inner}) as g {joins}"


def _number(alias: str, part: _Part) -> str:
    return f"(({alias}.{part.column} >> {part.shift}) & {part.most})"


def _band(bands: Sequence[int]) -> str:
    """Give the first age of the band; -1 below all of them. Compared from the highest, as most are grown up."""
    known = " ".join(f"when l.who >= {start << _AGE.shift} then {start}" for start in sorted(bands, reverse=True))
    return f"(case when l.who >= {_AGE.most << _AGE.shift} then null {known} else -1 end)"


def _span(starts: Sequence[date]) -> str:
    """Give the last of the first days before a month; compared as constants, for it is done for each row."""
    known = " ".join(f"when l.anchor_on >= date '{start}' then date '{start}'" for start in sorted(starts[1:], reverse=True))
    return f"(case {known} else date '{starts[0]}' end)" if known else f"date '{starts[0]}'"


def _shown(name: str, words: Collection[str], keys: Collection[str]) -> str:
    if name in words:
        return f"{name}.word::uuid as {name}" if name in _IDS else f"{name}.word as {name}"
    if name in keys:
        return f"g.{name}"
    return f"null::uuid as {name}"

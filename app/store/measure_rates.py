"""Rates: what the lines of the ledger come to by what is asked, from columns of numbers that are kept beside it (decision 0013).

One statement gives the segments of the period, of each the columns that are asked by alone; and as words whatever else counts: changes
that no segment has yet, what may not be told, homes that not everybody may know of, and what moved to another home. Row-level security
asks again who may see which. Loads numpy: import it where it is used. Not here: how segments are kept (measure_segments), and the lines
behind a rate (measure_reads).
"""

import asyncio
from bisect import bisect
from calendar import monthrange
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import numpy as np
from asyncpg import Record
from numpy.typing import NDArray

from app.domain.measure import LONG_DAYS
from app.domain.rate import Kind, Rate, as_source_tells, rate_of_one
from app.store import measure_columns
from app.store.measure_columns import NARROW, WIDE, Dimension, Group, Mask, Ranks
from app.store.measure_reads import GROUPS, LineFilter, Told
from app.store.measure_segments import TIMES, WORDED, time_code
from app.store.raw import Raw

_MONTHS: Final = {"month": 1, "quarter": 3}
_IDS: Final = frozenset({"home_id", "facility_id"})
_WORDS: Final = "select facet, code, word from measure_word where facet = any($1::text[])"
SUMMING: Final = ThreadPoolExecutor(2, "rates")
"""Where answers are put together, two at once: more would not be sooner, and each holds some tens of megabytes."""
_OPEN_ANY: Final = 4
"""Whether each of two windows is open: so many cases."""


async def rates(
    raw: Raw, wanted: LineFilter, group_by: Sequence[str], bands: Sequence[int], told: Told | None = None
) -> tuple[Rate, Mapping[Group, Rate]]:
    """Give what all the lines come to, and each group, in the order of its words: what is unknown last.

    In a group an age band is its number, from 1, and 0 below the first. Groups without lines are left out.
    """
    if wanted.mature_before is not None:
        # The 30 days of a line begin with its anchor.
        over_on = wanted.mature_before - timedelta(days=LONG_DAYS + 1)
        wanted = replace(wanted, to_on=min(wanted.to_on, over_on), mature_before=None)
    asked = _Asked(wanted, tuple(group_by), tuple(sorted(bands)), told)
    values: list[Any] = []
    rows = await raw.fetch(asked.query(values), *values)
    words = await raw.fetch(_WORDS, [name for name in asked.read if name in WORDED])
    # A million lines take some hundredths of a second, in which others want to be answered.
    return await asyncio.get_running_loop().run_in_executor(SUMMING, lambda: _Answer(asked, rows, words).rates())


@dataclass(frozen=True)
class _Asked:
    """The statement of a question."""

    wanted: LineFilter
    group_by: Sequence[str]
    bands: Sequence[int]
    told: Told | None

    @cached_property
    def named(self) -> list[str]:
        """The columns by which lines are grouped, the outcome first."""
        own = (GROUPS[name] for name in self.group_by)
        return ["outcome", *dict.fromkeys(name for name in own if name not in {"anchor_on", "organization_id"})]

    @cached_property
    def narrowed(self) -> list[str]:
        """The columns by which lines are left out."""
        return [name for name in ("home_id", "facility_id") if getattr(self.wanted, name) is not None]

    @cached_property
    def reserved(self) -> frozenset[UUID]:
        """Homes whose lines are counted one by one, where it matters whose they are."""
        return self.wanted.reserved if "home_id" in (*self.named, *self.narrowed) else frozenset()

    @cached_property
    def read(self) -> list[str]:
        """The columns that are read of segments."""
        times = TIMES if self.wanted.known_at else ()
        return [*dict.fromkeys([*self.named, *self.narrowed]), *(["day"] if self.needs_days else []), *times]

    @cached_property
    def needs_days(self) -> bool:
        """Whether months are not enough."""
        from_on, to_on = self.wanted.from_on, self.wanted.to_on
        return self.told is not None or from_on.day > 1 or to_on.day < monthrange(to_on.year, to_on.month)[1]

    @property
    def of_lines(self) -> bool:
        """Whether lines have to be looked at: no segment has people, and when what was learned."""
        return bool(self.wanted.changed_since or self.wanted.person_id or self.wanted.status)

    def query(self, values: list[Any]) -> str:
        """Give the statement, and add its values. By the home of a later day what moved is taken away, and added where it went."""
        if self.of_lines:
            return self._in_words([self._of_ledger(self.wanted, values)], values)
        wanted = replace(self.wanted, home_days=0)
        folded = replace(wanted, without=())
        parts = [self._select("measure_change", "l.lines", folded.where("l", values, of_lines=False) + self._not_reserved(values))]
        if wanted.without:
            values.append(sorted(wanted.without))
            taken = f"l.id = any(${len(values)}::bigint[]) and {folded.where('l', values)}{self._not_reserved(values)}"
            parts.append(self._select("measure_line", "-1", taken))
        if self.reserved:
            parts.append(self._of_ledger(wanted, values, only_reserved=True))
        if self.wanted.home_days:
            parts += [self._of_ledger(wanted, values, moved=-1), self._of_ledger(self.wanted, values, moved=1)]
        months = replace(folded, from_on=wanted.from_on.replace(day=1), home_id=None, facility_id=None)
        versions = "" if wanted.known_at else " and not s.ended"
        codes = ", ".join(f"s.{name}" for name in self.read)
        return (
            f"select s.organization_id, s.anchor_on, s.lines::bigint as lines, s.negative, array[{codes}] as codes, 0 as opens, "
            f"null::text[] as words from measure_segment s where {months.whose('s', values)}{versions} "
            f"union all {self._in_words(parts, values)}"
        )

    def _in_words(self, parts: Sequence[str], values: list[Any]) -> str:
        """Sum lines, by months where months are asked for and by the bands of ages."""
        opens = "0"
        if self.told is not None:
            values += self.told.opens_on
            opens = f"(l.anchor_on >= ${len(values) - 1})::int + 2 * (l.anchor_on >= ${len(values)})::int"
        month = "date_trunc('month', l.anchor_on::timestamp)::date" if _MONTHS.keys() & set(self.group_by) else "null::date"
        payer = "l.organization_id" if "payer" in self.group_by else "null::uuid"
        keys = [f"{payer} as organization_id", f"{month} as anchor_on", f"{opens} as opens"]
        keys += [f"{self._band()} as age" if name == "age" else f"l.{name}" for name in self.named]
        words = ", ".join(f"{name}::text" for name in self.named)
        # Materialized: what the rights of a line seem to cost would hide from the planner that sorting costs more than hashing.
        return (
            f"select organization_id, anchor_on, lines, false as negative, null::bytea[] as codes, opens, array[{words}] as words "
            f"from (with counted as materialized ({' union all '.join(parts)}) "
            f"select {', '.join(keys)}, sum(l.lines)::bigint as lines from counted l "
            f"group by {', '.join(str(number + 1) for number in range(len(keys)))} having sum(l.lines) <> 0) as l"
        )

    def _band(self) -> str:
        """Give the number of the band of an age: compared from the highest, as most people are grown up."""
        known = " ".join(f"when l.age >= {start} then {number}" for number, start in reversed(list(enumerate(self.bands, 1))))
        return f"(case when l.age is null then null {known} else 0 end)"

    def _of_ledger(self, wanted: LineFilter, values: list[Any], *, only_reserved: bool = False, moved: int | None = None) -> str:
        """Count lines one by one; or those that `moved` alone, each as so many (ix_measure_line_moved)."""
        source = wanted.source(values, only_reserved=only_reserved)
        return self._select(source, str(moved or 1), wanted.where("l", values) + (" and l.moved" if moved else ""))

    def _not_reserved(self, values: list[Any]) -> str:
        if not self.reserved:
            return ""
        values.append(list(self.reserved))
        return f" and (l.home_id is null or l.home_id <> all(${len(values)}::uuid[]))"

    def _select(self, source: str, lines: str, condition: str) -> str:
        columns = ", ".join(f"l.{name}" for name in ("organization_id", "anchor_on", *self.named))
        return f"select {columns}, {lines} as lines from {source} l where {condition}"


class _Answer:
    """What a statement answered, as columns of numbers: segments first, less those that take away, and last what came as words."""

    def __init__(self, asked: _Asked, rows: Sequence[Record], words: Sequence[Record]) -> None:
        self.asked = asked
        self.segments = sorted((row for row in rows if row["codes"] is not None), key=lambda row: row["negative"])
        self.worded = [row for row in rows if row["codes"] is None]
        self.words: dict[str, dict[int, Hashable]] = {name: {} for name in WORDED}
        for row in words:
            self.words[row["facet"]][row["code"]] = UUID(row["word"]) if row["facet"] in _IDS else row["word"]
        self.codes = {
            name: measure_columns.read((row["codes"][place] for row in self.segments), WIDE if name in TIMES else NARROW)
            for place, name in enumerate(asked.read)
        }
        self.lengths = np.array([row["lines"] for row in self.segments], np.int32)
        self.kept = self._kept()

    def rates(self) -> tuple[Rate, Mapping[Group, Rate]]:
        """Sum it up."""
        told_apart = [self._dimension(name) for name in self.asked.group_by]
        outcomes = self._of_words("outcome")
        kinds, units = outcomes.ranks, [self._unit(str(outcome), 0) for outcome in outcomes.labels]
        if self.asked.told is not None:
            units = [self._unit(str(outcome), opens) for outcome in outcomes.labels for opens in range(_OPEN_ANY)]
            kinds = kinds * _OPEN_ANY + self._opens(self.asked.told)
        taken_away = np.count_nonzero(self._kept_of(np.repeat([row["negative"] for row in self.segments], self.lengths)))
        weights = np.concatenate((np.full(taken_away, -1), np.fromiter((row["lines"] for row in self.worded), np.int64)))
        return measure_columns.rates_by(told_apart, units, kinds, weights)

    @cached_property
    def days(self) -> Ranks:
        """The day of each line of the segments, counted as Python does."""
        before = _numbers(row["anchor_on"].toordinal() - 1 for row in self.segments)
        days: Ranks = np.repeat(before, self.lengths) + self.codes["day"]
        return days

    def _kept(self) -> Mask | None:
        """Tell which lines of the segments are asked for; None: all."""
        wanted = self.asked.wanted
        masks = [self.codes[name] == self._code(name, getattr(wanted, name)) for name in self.asked.narrowed]
        if self.asked.reserved:
            masks.append(np.isin(self.codes["home_id"], [self._code("home_id", one) for one in self.asked.reserved], invert=True))
        if self.asked.needs_days:
            masks.append((self.days >= wanted.from_on.toordinal()) & (self.days <= wanted.to_on.toordinal()))
        if wanted.known_at is not None:
            known_from, known_to = (self.codes[name] for name in TIMES)
            at = time_code(wanted.known_at)
            masks.append((known_from <= at) & ((known_to == 0) | (known_to > at)))
        return np.logical_and.reduce(masks) if masks else None

    def _kept_of(self, column: NDArray[Any]) -> NDArray[Any]:
        return column if self.kept is None else column[self.kept]

    def _code(self, name: str, word: UUID) -> int:
        """Give the number of a word, or one that no line has."""
        return next((code for code, own in self.words[name].items() if own == word), -1)

    def _opens(self, told: Told) -> Ranks:
        """Tell of each line which windows are open: 1 the first, 2 the second."""
        first, second = (on.toordinal() for on in told.opens_on)
        days = self._kept_of(self.days)
        opens = (days >= first).astype(np.int32) + 2 * (days >= second).astype(np.int32)
        return np.concatenate((opens, _numbers(row["opens"] for row in self.worded)))

    def _unit(self, outcome: str, opens: int) -> Rate:
        """Say what a line comes to: read as the column is put together, no part of which has a blank in it."""
        status_7, status_30, reason, *more = outcome.split(" ")
        told = self.asked.told
        if told is not None:
            met_by = next((one.removeprefix("by") for one in more if one.startswith("by")), None)
            is_open_7, is_open_30 = bool(opens & 1), bool(opens & 2)
            status_7, status_30 = as_source_tells(
                told.source, met_by, status_7, status_30, is_open_7=is_open_7, is_open_30=is_open_30, single=bool(told.window_days)
            )
        return rate_of_one(Kind(status_7, status_30, reason, "provisional" in more))

    def _dimension(self, group: str) -> Dimension:
        if group in _MONTHS:
            return self._of_months(group)
        if group == "payer":
            payers: list[UUID | None] = sorted(self.asked.wanted.organizations, key=str) or [None]
            return self._by_segment(payers, payers.index, "organization_id")
        return self._of_ages() if group == "age_band" else self._of_words(GROUPS[group])

    def _of_months(self, group: str) -> Dimension:
        starts = _starts(self.asked.wanted.from_on, self.asked.wanted.to_on, _MONTHS[group])
        names = [f"{on:%Y-%m}" if group == "month" else f"{on.year}-Q{(on.month + 2) // 3}" for on in starts]
        return self._by_segment(names, lambda on: bisect(starts, on) - 1, "anchor_on")

    def _by_segment(self, labels: Sequence[Hashable], rank_of: Callable[[Any], int], column: str) -> Dimension:
        own = np.repeat(_numbers(rank_of(row[column]) for row in self.segments), self.lengths)
        return Dimension(labels, np.concatenate((self._kept_of(own), _numbers(rank_of(row[column]) for row in self.worded))))

    def _of_ages(self) -> Dimension:
        """Give the bands: their numbers, and none last."""
        labels = [*range(len(self.asked.bands) + 1), None]
        ages = np.arange(int(self.codes["age"].max(initial=0)))
        rank_of = np.concatenate(([len(labels) - 1], np.searchsorted(self.asked.bands, ages, side="right"))).astype(np.int32)
        place = self.asked.named.index("age")
        others = (len(labels) - 1 if row["words"][place] is None else int(row["words"][place]) for row in self.worded)
        return Dimension(labels, np.concatenate((rank_of[self._kept_of(self.codes["age"])], _numbers(others))))

    def _of_words(self, name: str) -> Dimension:
        """Give the words, and none last; every line has an outcome."""
        words, place = self.words[name], self.asked.named.index(name)
        others = [UUID(word) if name in _IDS and word is not None else word for word in (row["words"][place] for row in self.worded)]
        labels = [*sorted({*words.values(), *others} - {None}, key=str), *([None] if name != "outcome" else [])]
        ranks = {label: rank for rank, label in enumerate(labels)}
        rank_of = np.full(max(words, default=0) + 1, ranks.get(None, -1), np.int32)
        rank_of[list(words)] = [ranks[word] for word in words.values()]
        return Dimension(labels, np.concatenate((rank_of[self._kept_of(self.codes[name])], _numbers(ranks[word] for word in others))))


def _numbers(each: Iterable[int]) -> Ranks:
    return np.fromiter(each, np.int32)


def _starts(from_on: date, to_on: date, months: int) -> list[date]:
    """Give the first days of the months or quarters of a period, the one in which it begins too."""
    first = from_on.year * 12 + (from_on.month - 1) // months * months
    last = to_on.year * 12 + to_on.month - 1
    return [date(number // 12, number % 12 + 1, 1) for number in range(first, last + 1, months)]

"""Lines as columns of numbers: what many of them come to by group, and how they are merged. Decision 0013.

Loads numpy, which most processes never need: whoever does imports this where it is used. Not here: where the numbers come from
(measure_rates) and where they are kept (measure_segments).
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.domain.rate import Rate

Numbers: TypeAlias = NDArray[np.int64]
Ranks: TypeAlias = NDArray[np.int32]
Mask: TypeAlias = NDArray[np.bool_]
Group: TypeAlias = tuple[Hashable, ...]

NARROW: Final = np.dtype("<u2")
"""Two bytes for each number, the lower first."""
WIDE: Final = np.dtype("<i8")
"""Eight."""
_DENSE: Final = 1 << 22
"""Up to so many combinations are counted in place, which is faster than sorting what occurs; 32 MB."""
_SPARSE: Final = 1 << 12
"""So few combinations need no counting through."""
_KEY_MOST: Final = 1 << 62
_NUMBERS: Final = ("denominator", "numerator_7", "numerator_30", "pending_7", "pending_30", "superseded", "lines", "provisional")
_WORDED: Final = ("excluded", "undecided")


@dataclass(frozen=True, slots=True)
class Dimension:
    """What lines are told apart by."""

    labels: Sequence[Hashable]
    """In the order in which groups are shown."""
    ranks: Ranks
    """Of each line: which label."""


def read(parts: Iterable[bytes], stored: np.dtype[Any] = NARROW) -> NDArray[Any]:
    """Read a column, in however many pieces it is kept."""
    return np.frombuffer(b"".join(parts), stored)


@dataclass(frozen=True, slots=True)
class Segment:
    """Lines of a month, kept."""

    month: int
    lines: int
    negative: bool
    columns: Sequence[bytes]


def segments(
    months: Sequence[int], columns: Sequence[Sequence[int]], stored: Sequence[np.dtype[Any]], lines: Sequence[int], old: Sequence[Segment]
) -> list[Segment]:
    """Merge changes with the segments that they go into: of each month one of what is there, and one of what is taken away from others.

    `months`, `columns` and `lines` are of the changes; `stored` says how wide each column is. A line may be there several times.
    """
    all_months = [np.array(months), *(np.full(one.lines, one.month) for one in old)]
    weights = [np.array(lines), *(np.full(one.lines, -1 if one.negative else 1) for one in old)]
    of_old = list(zip(*(one.columns for one in old), strict=True)) or [()] * len(columns)
    coded = [np.concatenate((np.array(own, wide), read(pieces, wide))) for own, pieces, wide in zip(columns, of_old, stored, strict=True)]
    (group, *coded), sums = merged([np.concatenate(all_months), *coded], np.concatenate(weights))
    made: list[Segment] = []
    for negative in (False, True):
        mine = (sums < 0) == negative
        times = np.abs(sums[mine])
        month_of = np.repeat(group[mine], times)
        repeated = [np.repeat(column[mine], times) for column in coded]
        bounds = [*np.flatnonzero(np.diff(month_of, prepend=-1)).tolist(), len(month_of)]
        for start, end in pairwise(bounds):
            pieces = [column[start:end].tobytes() for column in repeated]
            made.append(Segment(int(month_of[start]), end - start, negative, pieces))
    return made


def merged(columns: Sequence[NDArray[Any]], weights: Numbers) -> tuple[list[NDArray[Any]], Numbers]:
    """Give each row that occurs, in order, with the sum of its weights; what comes to nothing is left out."""
    order = np.lexsort(columns[::-1])
    columns = [column[order] for column in columns]
    differs = np.ones(len(order), np.bool_)
    differs[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    starts = np.flatnonzero(differs)
    sums = np.add.reduceat(weights[order], starts)
    kept = sums != 0
    return [column[starts[kept]] for column in columns], sums[kept]


def rates_by(told_apart: Sequence[Dimension], units: Sequence[Rate], kinds: Ranks, weights: Numbers) -> tuple[Rate, dict[Group, Rate]]:
    """Sum what lines come to: all of them, and each group in the order of its labels; groups of no lines are left out.

    `units`: what one line of a kind comes to; `kinds`: of each line. `weights`: of the last lines, how many each stands for, less than 0
    to take so many away; each before them stands for one.
    """
    keys, steps = _keys([*((len(one.labels), one.ranks) for one in told_apart), (len(units), kinds)])
    found, counts = _counted(keys, weights)
    groups, kind_of = np.divmod(found, len(units))
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    if not len(starts):
        return Rate(), {}
    sums = _sums(_parts(units), kind_of, counts, starts)
    (total,) = _rates(units, sums.sum(axis=0, keepdims=True))
    return total, dict(zip(_labels(told_apart, groups[starts], steps[:-1]), _rates(units, sums), strict=True))


def _keys(parts: Sequence[tuple[int, Ranks]]) -> tuple[Numbers, list[int | Numbers]]:
    """Give one number for a combination of ranks, of which each part has so many; and the steps by which it was made.

    A step is how many ranks there were; or the numbers that occur, by which they are counted through where most do not, so that what is
    counted in the end is counted in place, and before they would outgrow 64 bits.
    """
    keys, size, steps = np.zeros(len(parts[0][1]), np.int64), 1, list[int | Numbers]()
    for ranks_size, ranks in parts:
        if size * ranks_size > _KEY_MOST:
            occurring, keys = np.unique(keys, return_inverse=True)
            size = len(occurring)
            steps.append(occurring)
        elif _SPARSE < size <= _DENSE:
            occurs = np.bincount(keys, minlength=size) > 0
            keys = (np.cumsum(occurs) - 1)[keys]
            occurring = np.flatnonzero(occurs)
            size = len(occurring)
            steps.append(occurring)
        keys *= ranks_size
        keys += ranks
        size *= ranks_size
        steps.append(ranks_size)
    return keys, steps


def _labels(told_apart: Sequence[Dimension], keys: Numbers, steps: Sequence[int | Numbers]) -> Iterable[Group]:
    """Undo the steps."""
    columns: list[list[Hashable]] = []
    dimensions = iter(reversed(told_apart))
    for step in reversed(steps):
        if isinstance(step, int):
            labels = next(dimensions).labels
            keys, ranks = np.divmod(keys, step)
            columns.append([labels[rank] for rank in ranks.tolist()])
        else:
            keys = step[keys]
    return zip(*reversed(columns), strict=True) if columns else [()]


def _counted(keys: Numbers, weights: Numbers) -> tuple[Numbers, Numbers]:
    """Give each number that occurs, in order, with how many lines have it; what comes to none is left out."""
    plain, others = np.split(keys, [len(keys) - len(weights)])
    size = int(keys.max(initial=0)) + 1
    if size <= _DENSE:
        counts = np.bincount(plain, minlength=size)
        np.add.at(counts, others, weights)
        found = np.flatnonzero(counts)
        return found, counts[found]
    # Half as wide is sorted in half the time.
    plain = plain.astype(np.uint32) if size <= 1 << 32 else plain
    found, counts = np.unique(plain, return_counts=True)
    if len(others):
        (found,), counts = merged([np.concatenate((found, others))], np.concatenate((counts, weights)))
    return found, counts


def _words(units: Sequence[Rate], name: str) -> list[str]:
    """Give what numbers of a rate are told apart by: reasons, or statuses."""
    return sorted({word for unit in units for word in getattr(unit, name)})


def _parts(units: Sequence[Rate]) -> Numbers:
    """Give every number of each unit: those that have a name, then those that have words."""
    named = [[getattr(unit, name) for unit in units] for name in _NUMBERS]
    worded = [[getattr(unit, name).get(word, 0) for unit in units] for name in _WORDED for word in _words(units, name)]
    return np.array(named + worded)


def _sums(parts: Numbers, kinds: Numbers, counts: Numbers, starts: Numbers) -> Numbers:
    """Sum the parts of so many lines of each kind, anew from each start: a row for each."""
    group_of = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(kinds)))
    sums = np.empty((len(starts), len(parts)), np.int64)
    at_once = max(_DENSE // parts.shape[1], 1)
    for first in range(0, len(starts), at_once):
        last = min(first + at_once, len(starts))
        mine = slice(*np.searchsorted(group_of, (first, last)))
        table = np.zeros((last - first, parts.shape[1]))
        table[group_of[mine] - first, kinds[mine]] = counts[mine]
        # Whole numbers below 2^53, which floats multiply faster and exactly.
        sums[first:last] = table @ parts.T
    return sums


def _rates(units: Sequence[Rate], sums: Numbers) -> Iterable[Rate]:
    """Read rates from their numbers, as the parts of the units are."""
    columns = sums.T.tolist()
    worded: list[list[dict[str, int]]] = []
    place = len(_NUMBERS)
    for name in _WORDED:
        words = _words(units, name)
        own: list[dict[str, int]] = [{} for _ in range(len(sums))]
        for word, column in zip(words, columns[place : place + len(words)], strict=True):
            for at in np.flatnonzero(column).tolist():
                own[at][word] = column[at]
        worded.append(own)
        place += len(words)
    return map(Rate, *columns[: len(_NUMBERS)], *worded)

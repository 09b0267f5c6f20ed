"""Columns of numbers say what their lines say: sums by group, and segments however they are merged."""

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import product
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.measure import MeasureState as M
from app.domain.rate import Kind, Rate, rate_of_one
from app.store import measure_columns
from app.store.measure_columns import Dimension, Segment, merged, rates_by, segments
from tests.support.service import ROOT

_POSSIBLE = [
    (M.MET, M.MET), (M.NOT_MET, M.MET), (M.NOT_MET, M.NOT_MET), (M.PENDING, M.PENDING), (M.NOT_MET, M.PENDING),
    *[(one, one) for one in (M.EXCLUDED, M.SUPERSEDED, M.SUSPENDED, M.INDETERMINATE)],
]  # fmt: skip
"""What can stand in the two windows at once."""
KINDS = [Kind(seven.value, thirty.value, reason, late) for (seven, thirty), reason, late in product(_POSSIBLE, "ab", (False, True))]
UNITS = [rate_of_one(kind) for kind in KINDS]
HOMES, MONTHS = ("east", "west", None), ("2026-01", "2026-02")
_LINES = st.lists(st.tuples(st.sampled_from(HOMES), st.sampled_from(MONTHS), st.integers(0, len(KINDS) - 1)), max_size=40)
NUMBERS = ("denominator", "numerator_7", "numerator_30", "pending_7", "pending_30", "superseded", "lines", "provisional")


def added(rates: Sequence[Rate]) -> Rate:
    """Add rates one by one."""
    excluded, undecided = Counter[str](), Counter[str]()
    for rate in rates:
        excluded.update(rate.excluded)
        undecided.update(rate.undecided)
    return Rate(
        **{name: sum(getattr(rate, name) for rate in rates) for name in NUMBERS}, excluded=dict(excluded), undecided=dict(undecided)
    )


def summed(lines: Sequence[tuple[str | None, str, int]], weights: Sequence[int] = ()) -> tuple[Rate, dict[tuple[object, ...], Rate]]:
    """Sum lines by home and month."""
    homes = Dimension(HOMES, np.array([HOMES.index(home) for home, _, _ in lines], np.int32))
    months = Dimension(MONTHS, np.array([MONTHS.index(month) for _, month, _ in lines], np.int32))
    return rates_by([homes, months], UNITS, np.array([kind for *_, kind in lines], np.int32), np.array(weights, np.int64))


@given(_LINES)
def test_each_group_comes_to_what_its_lines_come_to(lines: list[tuple[str | None, str, int]]) -> None:
    total, groups = summed(lines)
    assert total == added([UNITS[kind] for *_, kind in lines])
    assert list(groups) == [group for group in product(HOMES, MONTHS) if any(one[:2] == group for one in lines)]
    for group, rate in groups.items():
        assert rate == added([UNITS[kind] for home, month, kind in lines if (home, month) == group])


@given(_LINES)
def test_what_holds_of_every_rate(lines: list[tuple[str | None, str, int]]) -> None:
    """CMS Core Set reporting: the relations that its own app checks."""
    total, groups = summed(lines)
    for rate in (total, *groups.values()):
        assert 0 <= rate.numerator_7 <= rate.numerator_30 <= rate.denominator
        assert rate.pending_7 <= rate.pending_30 <= rate.denominator - rate.numerator_30
        assert (rate.rate_30 is None) == (rate.denominator == 0)
    for name in ("denominator", "numerator_7", "numerator_30", "initial_population", "superseded"):
        assert sum(getattr(rate, name) for rate in groups.values()) == getattr(total, name)
    assert total.initial_population + total.superseded == len(lines)


@pytest.mark.parametrize(
    ("sparse", "dense", "most"),
    [(1 << 12, 1 << 22, 1 << 62), (1, 1 << 22, 1 << 62), (1, 0, 1 << 62), (1, 0, 2 * len(UNITS)), (1, 7, 1 << 62)],
)
@given(lines=_LINES, taken=st.data())
def test_what_is_taken_away_was_never_there(
    sparse: int, dense: int, most: int, lines: list[tuple[str | None, str, int]], taken: st.DataObject
) -> None:
    """However few combinations are counted in place, and however little one number can tell apart."""
    chosen = taken.draw(st.lists(st.sampled_from(range(len(lines))), unique=True) if lines else st.just([]))
    more = taken.draw(_LINES)
    with patch.multiple(measure_columns, _SPARSE=sparse, _DENSE=dense, _KEY_MOST=most):
        found = summed([*lines, *(lines[one] for one in chosen), *more], [-1] * len(chosen) + [3] * len(more))
    assert found == summed([one for place, one in enumerate(lines) if place not in chosen] + more * 3)


def test_more_than_64_bits_are_told_apart() -> None:
    """Twelve dimensions of sixty thousand labels: each combination is a group of its own, and keeps its labels."""
    labels, size = range(60_000), 500
    chance = random.Random(5)
    ranks = [[chance.choice((0, 1, 59_999)) for _ in range(size)] for _ in range(12)]
    dimensions = [Dimension(labels, np.array(one, np.int32)) for one in ranks]
    _, groups = rates_by(dimensions, UNITS, np.zeros(size, np.int32), np.array([], np.int64))
    assert {group: rate.lines for group, rate in groups.items()} == Counter(zip(*ranks, strict=True))
    assert list(groups) == sorted(groups)


def test_what_nobody_asks_for_is_not_loaded() -> None:
    """Numpy costs a process 25 MB and a tenth of a second: few doors are asked for rates, few workers fold."""
    script = "import sys, app.api.measures, app.api.fhir_measures, app.pipeline.work; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


_ROWS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 65_535]), st.sampled_from([0, 1, 2**53 + 1])), max_size=30)
STORED = (measure_columns.NARROW, measure_columns.WIDE)


@given(_ROWS, st.data())
def test_rows_that_are_alike_are_one(rows: list[tuple[int, int, int]], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(-2, 2), min_size=len(rows), max_size=len(rows)))
    columns, sums = merged(
        [np.array(column, np.int64) for column in zip(*rows, strict=True)] or [np.array([], np.int64)] * 3, np.array(weights, np.int64)
    )
    expected = Counter[tuple[int, ...]]()
    for row, weight in zip(rows, weights, strict=True):
        expected[row] += weight
    assert list(zip(*(column.tolist() for column in columns), sums.tolist(), strict=True)) == sorted(
        (*row, weight) for row, weight in expected.items() if weight
    )


@given(st.lists(st.tuples(_ROWS, st.booleans()), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_segments_have_the_sum_of_what_went_into_them(
    batches: list[tuple[list[tuple[int, int, int]], bool]], chance: random.Random
) -> None:
    """Batch after batch, each merged with some of the segments that are there: month, and two columns of a line."""
    kept: list[Segment] = []
    expected = Counter[tuple[int, ...]]()
    for rows, away in batches:
        if not rows:
            continue
        weight = -1 if away else 1
        for row in rows:
            expected[row] += weight
        merging = [one for one in kept if chance.random() < 0.6]
        months, *columns = zip(*rows, strict=True)
        made = segments(months, columns, STORED, [weight] * len(rows), merging)
        assert len({(one.month, one.negative) for one in made}) == len(made), "one of a month, and one that takes away"
        kept = [one for one in kept if not any(one is other for other in merging)] + made
    found = Counter[tuple[int, ...]]()
    for one in kept:
        columns = [measure_columns.read([piece], wide).tolist() for piece, wide in zip(one.columns, STORED, strict=True)]
        assert {len(column) for column in columns} == {one.lines}
        for row in zip(*columns, strict=True):
            found[one.month, *row] += -1 if one.negative else 1
    assert {row: number for row, number in found.items() if number} == {row: number for row, number in expected.items() if number}

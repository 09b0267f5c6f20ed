"""The order in which a run begins its tests (tests/support/order.py)."""

import random
from pathlib import Path

from tests.support.order import LONG, long_ones_early


def test_every_long_one_is_there(root: Path) -> None:
    assert [name for name in LONG if not (root / name).exists()] == []


def test_long_ones_are_spread_over_the_first_half_and_nothing_is_lost_or_taken_apart() -> None:
    for seed in range(50):
        chance = random.Random(seed)
        names = [f"{'long' if number < 6 else 'short'}/{number}" for number in range(chance.choice((6, 7, 40)))]
        chance.shuffle(names)
        items = [(name, number) for name in names for number in range(chance.randint(1, 9))]
        ordered = long_ones_early(items, lambda item: item[0], ("long/",))
        assert sorted(ordered) == sorted(items)
        files = list(dict.fromkeys(name for name, _ in ordered))
        # Each file is whole and in its own order, and the others are in the order they had.
        assert ordered == [item for name in files for item in items if item[0] == name]
        short = [name for name in names if name.startswith("short/")]
        assert [name for name in files if name.startswith("short/")] == short
        others = [item for item in ordered if item[0].startswith("short/")]
        before = [sum(item in others for item in ordered[: ordered.index((name, 0))]) for name in files if name.startswith("long/")]
        assert before[0] == 0
        assert all(2 * count <= len(others) + 2 * 9 for count in before)
        if len(others) > 60:
            assert len(set(before)) > 3

"""In which order a run begins its tests: shuffled, but none that takes long is left for the end, where one worker would sit on it alone."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TypeVar

Item = TypeVar("Item")

LONG = (
    "tests/adapters/postgresql/test_embedded.py",
    "tests/api/test_contract_statuses.py",
    "tests/chaos/",
    "tests/cli/test_demo.py",
    "tests/drop/test_serve.py",
    "tests/fuzz/test_fuzz.py",
    "tests/load/",
    "tests/outside/",
    "tests/properties/test_any_order.py",
    "tests/test_processes.py",
)
"""Files and folders with a test of ten seconds or more, or as much together."""


def long_ones_early(items: Sequence[Item], file_of: Callable[[Item], str], long: tuple[str, ...] = LONG) -> list[Item]:
    """Spread the files that take long over the first half, evenly, because each worker begins with a piece of it; else keep the order."""
    files = [list(of_one) for _, of_one in groupby(items, file_of)]
    early = [one for one in files if file_of(one[0]).startswith(long)]
    rest = [one for one in files if not file_of(one[0]).startswith(long)]
    others = sum(map(len, rest))
    ordered: list[Item] = []
    passed = 0
    begun = 0
    for one in rest:
        while begun < len(early) and passed * 2 * len(early) >= begun * others:
            ordered += early[begun]
            begun += 1
        ordered += one
        passed += len(one)
    return [*ordered, *(item for one in early[begun:] for item in one)]

"""How much processor time an input may cost: one second a megabyte; inputs that are too small to tell are swollen first.

A small input hides what is quadratic in it. So one input in `SWOLLEN_ONE_IN` is also read with a part of it repeated to some hundred
kilobytes, where a cost that does not grow in proportion stands out. Instrumented code takes two to four times as long as it does at the
door: an input that seems dear is measured again by `python -m tests.fuzz.budget TARGET FILE`, a process without instruments.
"""

import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

SECONDS_A_MEGABYTE: Final = 1.0
FLOOR_S: Final = 0.25
"""What any input may cost, however small: below it the clock and the collector of garbage say more than the input does."""
SWOLLEN_ONE_IN: Final = 128
SWOLLEN_BYTES: Final = 600_000
_TRIES = 3
_ROOT = Path(__file__).parents[2]


class TooDearError(AssertionError):
    """An input costs more than it may. The message has figures only; the input itself is kept by whoever catches it."""

    def __init__(self, data: bytes, spent_s: float) -> None:
        super().__init__(f"{len(data):,} bytes took {spent_s:.2f} s of processor time; {allowed_s(data):.2f} s is what they may")
        self.data = data


def allowed_s(data: bytes) -> float:
    """Give what an input may cost."""
    return max(FLOOR_S, len(data) / 1_000_000 * SECONDS_A_MEGABYTE)


def within_budget(spend: Callable[[bytes], object], swell: Callable[[bytes], bytes], data: bytes, name: str) -> None:
    """Have an input read in time, and sometimes a swollen one."""
    _timed(spend, data, name)
    if data and zlib.crc32(data) % SWOLLEN_ONE_IN == 0:
        _timed(spend, swell(data), name)


def swollen(data: bytes) -> bytes:
    """Repeat the middle third until the input is large: its head and its tail stay what they are."""
    third = max(1, len(data) // 3)
    head, middle, tail = data[:third], data[third : 2 * third] or data, data[2 * third :]
    return head + middle * max(1, (SWOLLEN_BYTES - len(head) - len(tail)) // len(middle)) + tail


def spent_s(spend: Callable[[bytes], object], data: bytes) -> float:
    """Measure once."""
    started_s = time.process_time()
    spend(data)
    return time.process_time() - started_s


def _timed(spend: Callable[[bytes], object], data: bytes, name: str) -> None:
    if spent_s(spend, data) > allowed_s(data) and (again_s := _without_instruments_s(data, name)) > allowed_s(data):
        raise TooDearError(data, again_s)


def _without_instruments_s(data: bytes, name: str) -> float:
    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        answer = subprocess.run([sys.executable, "-m", "tests.fuzz.budget", name, file.name], cwd=_ROOT, stdout=subprocess.PIPE, check=True)
    return float(answer.stdout)


def main() -> None:
    """Print what a file costs a target, the least of a few tries: a collection, or what is loaded once, is not the input's doing."""
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 -- the targets know this module

    name, path = sys.argv[1:]
    data = Path(path).read_bytes()
    sys.stdout.write(f"{min(spent_s(TARGETS[name].spend, data) for _ in range(_TRIES)):.3f}\n")


if __name__ == "__main__":
    main()

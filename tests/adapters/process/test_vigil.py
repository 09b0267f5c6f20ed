"""The watch over a process that gives no sign: busy is not dead, whatever its share of a core; frozen and running in a circle are."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from adapters.process.vigil import Vigil, processor_s

LONG_S = 60.0


def watched(seen: list[tuple[float, float | None]]) -> Vigil:
    """Look once a second at one process: (since when it is silent, what it has used)."""
    vigil = Vigil()
    for second, (silent_s, used_s) in enumerate(seen):
        vigil.look(7, silent_s, used_s, 1_000.0 + second)
    return vigil


def test_a_process_with_a_hundredth_of_a_core_is_busy_however_long_it_is_silent() -> None:
    """A batch on a full machine: 3 % of a core, and ten minutes without a turn of its event loop."""
    vigil = watched([(float(second), 3.0 + second * 0.03) for second in range(600)])
    assert not vigil.is_dead(LONG_S)
    assert not vigil.is_frozen(5.0)


def test_a_process_that_gets_its_tick_seldom_is_busy() -> None:
    assert not watched([(float(second), 3.0 + second // 40 * 0.01) for second in range(300)]).is_dead(LONG_S)


def test_a_process_that_uses_nothing_is_frozen_at_once_and_dead_after_its_time() -> None:
    """Stopped, or waiting for a lock that nobody gives back."""
    assert watched([(float(second), 3.0) for second in range(8)]).is_frozen(5.0)
    assert not watched([(float(second), 3.0) for second in range(60)]).is_dead(LONG_S)
    assert watched([(float(second), 3.0) for second in range(63)]).is_dead(LONG_S)


def test_a_process_that_had_its_time_and_gave_no_sign_runs_in_a_circle() -> None:
    assert not watched([(float(second), 100.0 + second * 0.9) for second in range(66)]).is_dead(LONG_S)
    assert watched([(float(second), 100.0 + second * 0.9) for second in range(70)]).is_dead(LONG_S)


def test_a_sign_of_life_and_another_process_begin_anew() -> None:
    beating = watched([(0.3, 3.0 + second) for second in range(300)])
    assert not beating.is_dead(LONG_S)
    vigil = watched([(float(second), 3.0) for second in range(63)])
    vigil.look(8, 0.0, 0.0, 1_063.0)
    assert not vigil.is_dead(LONG_S)
    assert not vigil.is_frozen(5.0)


def test_where_the_system_does_not_tell_what_is_used_silence_decides() -> None:
    assert not watched([(float(second), None) for second in range(59)]).is_dead(LONG_S)
    assert watched([(float(second), None) for second in range(63)]).is_dead(LONG_S)


@pytest.fixture
def busy() -> Iterator[int]:
    """A process that does nothing but work."""
    process = subprocess.Popen([sys.executable, "-c", "print(1, flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read(2) == b"1\n"
    yield process.pid
    process.kill()
    process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it in a file")
def test_what_a_real_process_uses_grows_while_it_works_and_stands_while_it_is_stopped(busy: int) -> None:
    def moves() -> bool:
        before, ends_at = processor_s(busy), time.monotonic() + 20
        while processor_s(busy) == before and time.monotonic() < ends_at:
            time.sleep(0.01)
        return processor_s(busy) != before

    assert moves()
    os.kill(busy, signal.SIGSTOP)
    time.sleep(0.05)
    stopped = processor_s(busy)
    time.sleep(0.3)
    assert processor_s(busy) == stopped
    os.kill(busy, signal.SIGCONT)
    assert moves()


def test_a_process_that_is_gone_uses_nothing_that_can_be_told() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert processor_s(process.pid) is None

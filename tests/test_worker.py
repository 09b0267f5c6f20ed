"""What a worker decides by itself: how large a batch may be, how long to pause, where to begin."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from app.actions.receive import LANES
from app.pipeline.pace import LONG_S, PAUSES_S, SHORT_S, Pace, pause_s, start_lane_of
from app.pipeline.rooms import Worked
from app.pipeline.work import BatchFailedError
from app.store.hints import Place
from app.worker import TOPICS


def test_a_batch_that_fails_is_halved_until_the_bad_message_stands_alone() -> None:
    pace = Pace(200)
    sizes = []
    while pace.size > 1:
        pace.failed(pace.size)
        sizes.append(pace.size)
    assert sizes == [100, 50, 25, 12, 6, 3, 1]
    pace.failed(1)
    assert pace.size == 1


def test_what_failed_is_halved_not_what_was_allowed() -> None:
    pace = Pace(200)
    pace.failed(8)
    assert pace.size == 4


def test_success_doubles_up_to_the_most() -> None:
    pace = Pace(200, size=3)
    sizes = []
    for _ in range(8):
        pace.worked(0.1)
        sizes.append(pace.size)
    assert sizes == [6, 12, 24, 48, 96, 192, 200, 200]


@given(st.lists(st.one_of(st.none(), st.floats(0, 60), st.integers(1, 500))), st.integers(1, 500))
def test_a_batch_always_has_a_size(rounds: list[int | float | None], most: int) -> None:
    pace = Pace(most)
    for one in rounds:
        if one is None:
            pace.cut_off()
        elif isinstance(one, float):
            pace.worked(one)
        else:
            pace.failed(one)
        assert 1 <= pace.size <= most


@given(st.integers(1, 500), st.floats(0.001, 1.5))
def test_rounds_become_as_small_as_their_stays_are_costly(most: int, stay_s: float) -> None:
    """So no round comes near what the database and the supervisor wait for, and none stays small for nothing."""
    pace = Pace(most)
    took = []
    for _ in range(30):
        took.append(pace.size * stay_s)
        pace.worked(took[-1])
    assert took[-1] <= LONG_S
    assert pace.size == most or took[-1] >= SHORT_S / 2


async def test_a_round_that_the_database_does_not_wait_for_is_tried_smaller() -> None:
    pace = Pace(200)
    asked: list[int] = []

    async def work(size: int) -> Worked:
        asked.append(size)
        if size > 40:
            raise ConnectionResetError
        if size > 20:
            raise BatchFailedError(size)
        return Worked(messages=size)

    while not asked or asked[-1] > 20:
        with contextlib.suppress(ConnectionResetError, BatchFailedError):
            await pace.round(work)
    assert asked == [200, 100, 50, 25, 12]
    assert pace.size == 24


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_pause_grows_to_a_second_and_no_further(failures: int, fraction: float) -> None:
    wait = pause_s(failures, fraction)
    assert 0 < wait <= 1
    assert wait >= PAUSES_S[min(failures, len(PAUSES_S)) - 1] / 2


@given(st.integers(1, 300))
def test_workers_begin_in_different_lanes_as_long_as_there_are_lanes(workers: int) -> None:
    starts = [start_lane_of(Place(index, workers)) for index in range(workers)]
    assert all(0 <= lane < LANES for lane in starts)
    assert len(set(starts)) == min(workers, LANES)
    assert starts == sorted(starts)
    assert starts[0] == 0


def test_a_hint_that_may_have_been_missed_wakes_everybody() -> None:
    assert set(TOPICS[""]) >= {loop for loops in TOPICS.values() for loop in loops}

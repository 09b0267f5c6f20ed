"""How comparing makes room for messages: bounded rounds, rests while messages are worked on, and a share that is never taken away."""

from hypothesis import given
from hypothesis import strategies as st

from app.pipeline.match_pace import BUSY_FOR_S, BUSY_RECORDS, IDLE_RECORDS, REST_S_MAX, SHARE, MatchPace


def test_without_messages_it_compares_without_a_rest() -> None:
    pace = MatchPace()
    assert pace.records_max(1.0) == IDLE_RECORDS
    assert pace.rest_s(1.0, 1.2) == 0


def test_beside_messages_it_compares_few_and_rests_three_times_as_long() -> None:
    pace = MatchPace()
    pace.messages_worked(10.0)
    assert pace.records_max(10.1) == BUSY_RECORDS < IDLE_RECORDS
    assert pace.rest_s(10.0, 10.125) == 0.375 == 0.125 * (1 / SHARE - 1)


def test_messages_that_come_during_a_round_are_made_room_for() -> None:
    pace = MatchPace()
    began_s = 5.0
    pace.messages_worked(5.05)
    assert pace.rest_s(began_s, 5.1) > 0


def test_it_goes_on_at_once_when_messages_stop() -> None:
    pace = MatchPace()
    pace.messages_worked(10.0)
    assert pace.records_max(10.0 + BUSY_FOR_S) == IDLE_RECORDS
    assert pace.rest_s(10.2, 10.0 + BUSY_FOR_S) == 0


@given(st.lists(st.integers(1, 192).map(lambda parts: parts / 64), min_size=1, max_size=40))
def test_however_long_messages_come_comparing_goes_on(rounds: list[float]) -> None:
    """A worker on a clock of its own: messages never stop, and rounds take as long as the machine makes them."""
    pace, now_s, compared = MatchPace(), 0.0, 0
    for took_s in rounds:
        pace.messages_worked(now_s)
        began_s, most = now_s, pace.records_max(now_s)
        now_s += took_s
        pace.messages_worked(now_s)
        rest_s = pace.rest_s(began_s, now_s)
        assert 0 < rest_s <= REST_S_MAX
        now_s += rest_s
        compared += most
    assert compared == BUSY_RECORDS * len(rounds)
    assert now_s <= sum(rounds) + REST_S_MAX * len(rounds)
    if max(rounds) * (1 / SHARE - 1) <= REST_S_MAX:
        assert sum(rounds) / now_s <= SHARE

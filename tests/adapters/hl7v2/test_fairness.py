"""Turns, allowance and doorstep by themselves: nobody has more than a share, nobody waits for ever, and refusals are bounded."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2.fairness import DRIP_EVERY_S, LARGE_CHUNK_BYTES, SMALL_CHUNKS_MAX, Allowance, Doorstep, Pace, Rounds
from adapters.hl7v2.framing import Event, MllpFramer, TooLong
from tests.adapters.hl7v2.test_framing import LIMIT, PIECES, events, merged

WHO = st.sampled_from("abcdefghij")


@given(size=st.integers(1, 8), turns=st.lists(st.lists(WHO, max_size=40), max_size=12))
def test_a_turn_begins_no_more_than_its_size(size: int, turns: list[list[str]]) -> None:
    rounds: Rounds[str] = Rounds(size)
    for wanted in turns:
        served = set(rounds.turn())
        begun = [who for who in wanted if rounds.take(who)]
        assert len(begun) <= size
        for who in served & {*wanted}:
            assert who in begun, "whose turn it is may begin"


@given(size=st.integers(1, 8), wants=st.dictionaries(WHO, st.integers(1, 60), min_size=1))
def test_everybody_who_stands_in_the_line_is_served_in_one_round_of_it(size: int, wants: dict[str, int]) -> None:
    rounds: Rounds[str] = Rounds(size)
    left, since = dict(wants), dict.fromkeys(wants, 0)
    turn = 0
    while left:
        turn += 1
        assert turn <= sum(wants.values()), "every turn begins something"
        for who in (rounds.turn() or list(left)) if turn > 1 else list(left):
            while left.get(who) and rounds.take(who):
                left[who] -= 1
                since[who] = turn
            if not left.get(who):
                left.pop(who, None)
        for who in left:
            assert turn - since[who] <= math.ceil(len(wants) / size) + 1
    for _ in range(len(wants) + 2):
        # Whose frames began in another way than by the line still has a place in it, and uses none of it.
        rounds.turn()
    assert rounds.is_idle


def test_who_is_alone_has_the_whole_turn_and_a_crowd_equal_shares() -> None:
    rounds: Rounds[str] = Rounds(8)
    assert [rounds.take("a") for _ in range(9)] == [True] * 8 + [False]
    rounds.take("b")
    assert rounds.turn() == ["a", "b"]
    assert [rounds.take("a") for _ in range(5)] == [True] * 4 + [False]
    assert [rounds.take("b") for _ in range(4)] == [True] * 4
    rounds.leave("a")
    assert rounds.turn() == []
    assert rounds.take("b")


def test_an_honest_sender_is_read_at_once_a_flood_in_turns_and_a_drip_in_sips() -> None:
    pace = Pace()
    for _ in range(50):
        # A start byte, six segments and the end bytes by themselves, again and again.
        assert {pace.after(size, is_fruitful=size == 2) for size in (1, 60, 40, 64, 9, 30, 12, 2)} == {None}
        assert pace.after(2_300, is_fruitful=True) is None
    assert pace.after(LARGE_CHUNK_BYTES, is_fruitful=True) == 0.0
    assert pace.after(LARGE_CHUNK_BYTES, is_fruitful=False) == 0.0
    sips = [pace.after(1, is_fruitful=False) for _ in range(100)]
    assert sips == [None] * SMALL_CHUNKS_MAX + [DRIP_EVERY_S] * (100 - SMALL_CHUNKS_MAX)
    assert pace.after(1, is_fruitful=True) is None
    assert pace.after(1, is_fruitful=False) is None


MOMENTS = st.lists(st.floats(0, 100), max_size=200).map(sorted)


@given(burst=st.integers(1, 20), per_s=st.floats(0.1, 50), moments=MOMENTS)
def test_an_allowance_gives_a_burst_and_its_rate_and_no_more(burst: int, per_s: float, moments: list[float]) -> None:
    allowance = Allowance(burst, per_s)
    taken = sum(allowance.take(at) for at in moments)
    passed_s = moments[-1] - moments[0] if moments else 0.0
    assert min(burst, len(moments)) <= taken <= burst + passed_s * per_s + 1e-6


@given(burst=st.integers(1, 5), per_s=st.floats(0.1, 50), moments=MOMENTS)
def test_after_the_wait_there_is_one(burst: int, per_s: float, moments: list[float]) -> None:
    allowance = Allowance(burst, per_s)
    for at, then in pairwise(moments):
        if not allowance.take(at):
            wait_s = allowance.wait_s(at)
            assert wait_s > 0
            assert allowance.take(at + wait_s + 1e-6)
            assert allowance.wait_s(then) >= 0


@given(arrivals=st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["h1", "h2", "h3"])), max_size=60), burst=st.integers(1, 5))
def test_strangers_enter_once_each_and_no_more_of_them_than_allowed(arrivals: list[tuple[int, str]], burst: int) -> None:
    doorstep: Doorstep[tuple[int, str]] = Doorstep(Allowance(burst, 1.0))
    waiting, entered = [], 0
    for who in arrivals:
        if who in waiting:
            continue
        if doorstep.admit(who, who[1], 0.0):
            entered += 1
        else:
            waiting.append(who)
    assert entered <= burst
    now_s = 0.0
    while (wait_s := doorstep.wait_s(now_s)) is not None:
        now_s += wait_s + 1e-6
        for who in doorstep.next(now_s):
            waiting.remove(who)
            assert doorstep.admit(who, who[1], now_s), "who was named enters"
            entered += 1
        assert entered <= burst + now_s + 1e-3
    assert waiting == []


def test_a_crowd_of_one_host_makes_another_host_wait_for_one_of_it() -> None:
    doorstep: Doorstep[str] = Doorstep(Allowance(1, 1.0))
    assert doorstep.admit("first", "crowd", 0.0)
    for number in range(100):
        assert not doorstep.admit(f"crowd {number}", "crowd", 0.0)
    assert not doorstep.admit("other", "elsewhere", 0.0)
    assert [who for at in range(1, 4) for who in doorstep.next(float(at))] == ["crowd 0", "other", "crowd 1"]


def test_what_is_welcome_costs_nothing_and_who_leaves_holds_nobody_up() -> None:
    doorstep: Doorstep[str] = Doorstep(Allowance(1, 0.001))
    for _ in range(50):
        assert doorstep.admit("good", "here", 0.0)
        doorstep.welcome()
    assert doorstep.admit("bad", "there", 0.0)
    assert not doorstep.admit("gone", "there", 0.0)
    assert not doorstep.admit("good", "here", 0.0)
    doorstep.leave("gone")
    doorstep.leave("gone")
    doorstep.welcome()
    assert doorstep.next(0.0) == ["good"]
    assert doorstep.wait_s(0.0) is None


@pytest.mark.parametrize("events_max", [1, 2, 7])
@given(pieces=st.lists(PIECES, max_size=12), every=st.integers(1, 60))
def test_asking_for_few_events_at_once_changes_none(events_max: int, pieces: list[bytes], every: int) -> None:
    """MLLP-1, and no call gives more than was asked for and the two that one frame may bring."""
    stream = b"".join(pieces)
    framer = MllpFramer(LIMIT)
    found: list[Event] = []
    for at in range(0, len(stream), every):
        data = stream[at : at + every]
        while True:
            some = framer.feed(data, events_max)
            assert len(some) <= events_max + 2
            found += some
            data = b""
            if not framer.has_more:
                break
    found += framer.end_of_grace()
    whole = events(stream, grace=True)
    if any(isinstance(event, TooLong) for event in whole):
        whole = [event for event in whole if not isinstance(event, TooLong)]
        found = [event for event in found if not isinstance(event, TooLong)]
    assert merged(found) == merged(whole)

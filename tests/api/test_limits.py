"""Rate and size limits: never less than promised, never more than allowed, and no memory without bound."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.limits import ApiLimits, BodyKind, TokenBuckets, limited
from app.api.problems import ProblemError


class Stopwatch:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_promise_holds_by_default() -> None:
    limits = ApiLimits()
    assert limits.requests_per_s >= 500
    assert limits.requests_burst > limits.requests_per_s
    assert limits.key_cache_s <= 5
    assert {kind: limits.octets_max(kind) for kind in BodyKind}[BodyKind.JSON] == 1024 * 1024


@given(st.lists(st.floats(0, 2), min_size=1, max_size=200), st.floats(0.5, 50), st.integers(1, 20))
def test_never_more_than_the_burst_and_the_rate_allow(pauses: list[float], rate: float, burst: int) -> None:
    watch = Stopwatch()
    buckets = TokenBuckets(rate, burst, watch)
    passed = 0
    for pause in pauses:
        watch.now_s += pause
        wait_s = buckets.wait_s("client")
        passed += wait_s == 0
        assert passed <= burst + rate * watch.now_s + 1e-6
        assert wait_s >= 0


@given(st.floats(1, 100), st.integers(1, 50))
def test_a_client_that_keeps_to_the_rate_is_never_refused(rate: float, burst: int) -> None:
    watch = Stopwatch()
    buckets = TokenBuckets(rate, burst, watch)
    for _ in range(200):
        watch.now_s += 1.0001 / rate
        assert buckets.wait_s("client") == 0


def test_waiting_as_long_as_told_is_enough_and_clients_do_not_meet() -> None:
    watch = Stopwatch()
    buckets = TokenBuckets(2, 1, watch)
    assert buckets.wait_s("one") == 0
    wait_s = buckets.wait_s("one")
    assert wait_s == pytest.approx(0.5)
    assert buckets.wait_s("other") == 0
    watch.now_s += wait_s
    assert buckets.wait_s("one") == 0


def test_what_is_given_back_can_be_taken_again_but_not_more() -> None:
    buckets = TokenBuckets(1, 2, Stopwatch())
    buckets.give_back("nobody")
    assert [buckets.wait_s("one") for _ in range(2)] == [0, 0]
    buckets.give_back("one", 50)
    assert [buckets.wait_s("one") == 0 for _ in range(3)] == [True, True, False]


def test_memory_stays_bounded() -> None:
    watch = Stopwatch()
    buckets = TokenBuckets(1000, 1000, watch)
    for number in range(25_000):
        buckets.wait_s(number)
    assert len(buckets._buckets) <= 10_000
    watch.now_s += 10
    buckets.wait_s("next")
    for number in range(9_999):
        buckets.wait_s(f"again {number}")
    assert len(buckets._buckets) <= 10_000


async def _pieces(pieces: list[bytes], octets_max: int, declared: str | None = None) -> list[bytes]:
    waiting = list(pieces)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    counted = limited(receive, octets_max, declared, ApiLimits())
    return [(await counted())["body"] for _ in pieces]


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=10), st.integers(0, 100))
async def test_a_body_is_cut_off_exactly_at_its_cap(pieces: list[bytes], octets_max: int) -> None:
    if sum(map(len, pieces)) <= octets_max:
        assert await _pieces(pieces, octets_max) == pieces
    else:
        with pytest.raises(ProblemError, match="413"):
            await _pieces(pieces, octets_max)


async def test_a_declared_length_over_the_cap_is_refused_before_reading() -> None:
    with pytest.raises(ProblemError, match="413"):
        await _pieces([b""], 10, declared="11")
    assert await _pieces([b"x"], 10, declared="not a number") == [b"x"]


async def _dripping(pauses: list[float], limits: ApiLimits) -> int:
    """Read a body of one octet after each pause; give how many came."""
    read = 0

    async def receive() -> dict[str, object]:
        await asyncio.sleep(pauses[read])
        return {"type": "http.request", "body": b"x", "more_body": read + 1 < len(pauses)}

    counted = limited(receive, 100, None, limits)
    while read < len(pauses):
        await counted()
        read += 1
    return read


async def test_a_body_that_drips_is_given_up_however_short_its_pauses_are() -> None:
    with pytest.raises(ProblemError, match="408"):
        await _dripping([0.01] * 100, ApiLimits(body_wait_s_max=0.2, body_octets_per_s_min=10_000))


async def test_a_body_on_a_slow_line_has_the_time_that_its_octets_allow() -> None:
    assert await _dripping([0.02] * 20, ApiLimits(body_wait_s_max=0.1, body_octets_per_s_min=20)) == 20


async def test_waiting_for_a_client_to_go_away_is_not_limited() -> None:
    async def receive() -> dict[str, object]:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": False}

    counted = limited(receive, 10, None, ApiLimits(body_wait_s_max=0.08))
    assert [(await counted())["body"] for _ in range(5)] == [b"x"] * 5

"""What a worker may take up: never more than it can hold, little from endpoints that fail, nothing sent to one that has just failed."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.delivery import AttemptOutcome, AttemptResult, TransportFault
from app.domain.endpoint import BreakerPhase, EndpointHealth, after_claim
from app.domain.hand import Hand, after_result

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
ONE, TWO = UUID(int=1), UUID(int=2)
GOOD = AttemptResult(AttemptOutcome.DELIVERED, 0.1, status_code=200)
DEAD = AttemptResult(AttemptOutcome.UNAVAILABLE, 0.1, fault=TransportFault.CONNECTION_FAILED)
NEW = EndpointHealth()


def hand(deliveries_max: int = 100) -> Hand:
    return Hand(deliveries_max=deliveries_max, share_first=4, share_most=32)


@pytest.mark.parametrize(
    ("rounds", "share"),
    [([], 4), ([True], 8), ([True] * 3, 32), ([True] * 9, 32), ([False], 4), ([True, True, False], 4), ([True, False, True], 8)],
)
def test_a_share_grows_with_success_and_falls_back(rounds: list[bool], share: int) -> None:
    it = hand()
    for is_delivered in rounds:
        it.take(ONE, NEW)
        it.take(ONE, NEW)
        it.put_down([(ONE, True), (ONE, is_delivered)])
    assert it.room_of(ONE) == share
    assert it.room_of(TWO) == 4


def test_what_is_in_hand_is_counted() -> None:
    it = hand(deliveries_max=6)
    for _ in range(4):
        it.take(ONE, NEW)
    it.take(TWO, NEW)
    assert (it.room(), it.room_of(ONE), it.room_of(TWO), it.full()) == (1, 0, 3, [ONE])
    it.put_down([(ONE, False)])
    assert (it.room(), it.full()) == (2, [])


def test_results_count_before_they_are_recorded() -> None:
    it = hand()
    for _ in range(6):
        it.take(ONE, NEW)
    for _ in range(4):
        it.note(ONE, DEAD, NOW)
        assert it.may_send(ONE)
    it.note(ONE, DEAD, NOW)
    assert not it.may_send(ONE)
    it.take(ONE, NEW)
    assert not it.may_send(ONE), "the stored health is older than what is known here"


def test_a_probe_is_sent() -> None:
    it, health = hand(), NEW
    for _ in range(5):
        health = after_result(health, DEAD, NOW)
    assert health.phase is BreakerPhase.OPEN
    it.take(ONE, after_claim(health, NOW + timedelta(minutes=2)))
    assert it.may_send(ONE)
    it.note(ONE, DEAD, NOW)
    assert not it.may_send(ONE)


def test_an_endpoint_that_is_gone_gets_nothing_more() -> None:
    it = hand()
    it.take(ONE, NEW)
    it.note(ONE, AttemptResult(AttemptOutcome.GONE, 0.1, status_code=410), NOW)
    assert not it.may_send(ONE)


@given(st.lists(st.tuples(st.sampled_from([ONE, TWO]), st.sampled_from(["take", "good", "bad"]))))
def test_counts_and_shares_stay_in_their_bounds(steps: list[tuple[UUID, str]]) -> None:
    it, counts = hand(deliveries_max=20), {ONE: 0, TWO: 0}
    for endpoint, step in steps:
        if step == "take" and it.room() > 0 and it.room_of(endpoint) > 0:
            it.take(endpoint, NEW)
            counts[endpoint] += 1
        elif step != "take" and counts[endpoint]:
            it.note(endpoint, GOOD if step == "good" else DEAD, NOW)
            it.put_down([(endpoint, step == "good")])
            counts[endpoint] -= 1
        assert it.room() == 20 - sum(counts.values())
        assert 4 <= it.room_of(endpoint) + counts[endpoint] <= 32

"""Rules of an endpoint's health: when the breaker opens and closes, what holds an endpoint, and when it is given up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.delivery import AttemptOutcome
from app.domain.endpoint import (
    OPEN_LONGEST,
    BreakerPhase,
    DisabledReason,
    EndpointHealth,
    after_attempt,
    after_claim,
    allowance,
    permitted_from,
)

NOW = datetime(2026, 3, 8, 6, 59, 30, tzinfo=UTC)
NEW = EndpointHealth()
OUTCOME: dict[str, tuple[AttemptOutcome, bool]] = {
    "+": (AttemptOutcome.DELIVERED, False),
    "-": (AttemptOutcome.UNAVAILABLE, False),
    "c": (AttemptOutcome.UNAVAILABLE, True),
    "r": (AttemptOutcome.REFUSED, False),
    "t": (AttemptOutcome.THROTTLED, False),
    "?": (AttemptOutcome.UNKNOWN, False),
}


def after(signs: str, start: EndpointHealth = NEW, *, at: datetime = NOW, apart_s: float = 1) -> EndpointHealth:
    """Health after attempts written as signs: + success, - 5xx, c no connection, r refused, t throttled, ? unknown."""
    health = start
    for index, sign in enumerate(signs):
        outcome, is_connection_fault = OUTCOME[sign]
        health = after_attempt(health, outcome, at + timedelta(seconds=index * apart_s), is_connection_fault=is_connection_fault)
    return health


@pytest.mark.parametrize(
    ("signs", "apart_s", "phase"),
    [
        ("", 1, "closed"),
        ("-" * 9, 1, "closed"),
        ("-" * 10, 1, "open"),
        ("?" * 10, 1, "open"),
        ("r" * 10, 1, "open"),
        ("t" * 10, 1, "open"),
        ("+++-------", 1, "open"),
        ("++++------", 1, "closed"),
        ("++++---------", 1, "closed"),
        ("++++----------", 1, "open"),
        ("+" * 100 + "-" * 9, 0.1, "closed"),
        ("cccc", 1, "closed"),
        ("ccccc", 1, "open"),
        ("ccccc", 3600, "open"),
        ("cccc+cccc", 1, "closed"),
        ("cccc-cccc", 1, "closed"),
        ("c-c-c-c-c", 1, "closed"),
        ("-" * 30, 61, "closed"),
        ("-" * 10, 33, "open"),
        ("-" * 10, 41, "closed"),
    ],
)
def test_when_the_breaker_opens(signs: str, apart_s: float, phase: str) -> None:
    assert after(signs, apart_s=apart_s).phase == BreakerPhase(phase)


def test_a_row_of_connection_faults_is_broken_by_any_answer() -> None:
    assert after("ccccrc").connection_faults == 1


OPENED = after("ccccc")
OPENED_AT = NOW + timedelta(seconds=4)


def test_while_open_nothing_may_be_spent_and_then_one_probe() -> None:
    retry_at = OPENED_AT + timedelta(seconds=30)
    assert OPENED.retry_at == retry_at
    assert allowance(OPENED, retry_at - timedelta(microseconds=1), 50) == 0
    assert allowance(OPENED, retry_at, 50) == 1
    assert allowance(OPENED, retry_at, 0) == 0
    probing = after_claim(OPENED, retry_at + timedelta(seconds=30))
    assert probing.phase is BreakerPhase.HALF_OPEN
    assert allowance(probing, retry_at + timedelta(seconds=29), 50) == 0
    assert allowance(probing, retry_at + timedelta(seconds=30), 50) == 1, "a lost probe must not shut the endpoint for ever"


def test_a_successful_probe_closes_and_forgets() -> None:
    closed = after("+", after_claim(OPENED, NOW + timedelta(hours=1)), at=NOW + timedelta(minutes=1))
    assert (closed.phase, closed.retry_at, closed.openings, closed.tallies, closed.failing_since) == (
        BreakerPhase.CLOSED,
        None,
        0,
        (),
        None,
    )
    assert allowance(closed, NOW + timedelta(minutes=1), 50) == 50


def test_each_failed_probe_doubles_the_pause_up_to_an_hour() -> None:
    health, at, pauses = OPENED, OPENED_AT, []
    for _ in range(10):
        assert health.retry_at is not None
        pauses.append((health.retry_at - at).total_seconds())
        at = health.retry_at
        health = after("c", after_claim(health, at + timedelta(minutes=1)), at=at)
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_the_pause_never_overflows() -> None:
    worn = replace(OPENED, phase=BreakerPhase.HALF_OPEN, openings=100_000)
    assert after("c", worn).retry_at == NOW + OPEN_LONGEST


@pytest.mark.parametrize("straggler", ["-", "c", "+", "?"])
def test_stragglers_neither_lengthen_nor_end_the_pause(straggler: str) -> None:
    later = after(straggler * 20, OPENED, at=OPENED_AT)
    assert (later.phase, later.retry_at, later.openings) == (OPENED.phase, OPENED.retry_at, OPENED.openings)


def test_after_claim_leaves_a_closed_breaker_alone() -> None:
    assert after_claim(NEW, NOW) == NEW


@pytest.mark.parametrize(("asked_s", "held_s"), [(None, None), (0, None), (-1, None), (60, 60), (24 * 3600, 24 * 3600), (1e9, 24 * 3600)])
def test_retry_after_holds_the_whole_endpoint(asked_s: float | None, held_s: float | None) -> None:
    health = after_attempt(NEW, AttemptOutcome.THROTTLED, NOW, retry_after_s=asked_s)
    if held_s is None:
        assert health.held_until is None
        assert allowance(health, NOW, 7) == 7
    else:
        until = NOW + timedelta(seconds=held_s)
        assert health.held_until == until
        assert allowance(health, until - timedelta(seconds=1), 7) == 0
        assert allowance(health, until, 7) == 7


def test_the_longer_hold_wins_and_a_success_asks_for_none() -> None:
    long_hold = after_attempt(NEW, AttemptOutcome.THROTTLED, NOW, retry_after_s=600)
    assert after_attempt(long_hold, AttemptOutcome.UNAVAILABLE, NOW, retry_after_s=10).held_until == long_hold.held_until
    assert after_attempt(NEW, AttemptOutcome.DELIVERED, NOW, retry_after_s=600).held_until is None


def test_gone_disables_at_once() -> None:
    health = after_attempt(NEW, AttemptOutcome.GONE, NOW)
    assert health.disabled is DisabledReason.GONE
    assert permitted_from(health) is None
    assert allowance(health, NOW + timedelta(days=365), 7) == 0


@pytest.mark.parametrize(
    ("first", "then_after", "disabled"),
    [
        ("-", timedelta(days=4, hours=23, minutes=59), None),
        ("-", timedelta(days=5), DisabledReason.NO_SUCCESS),
        ("-+", timedelta(days=6), None),
        ("", timedelta(days=60), None),
    ],
)
def test_five_days_without_a_success_disable(first: str, then_after: timedelta, disabled: DisabledReason | None) -> None:
    assert after("-", after(first), at=NOW + then_after).disabled is disabled


def test_a_success_after_five_days_of_failures_saves_the_endpoint() -> None:
    assert after("+", after("-"), at=NOW + timedelta(days=5)).disabled is None


def test_permitted_from_is_the_later_of_hold_and_pause() -> None:
    held = replace(OPENED, held_until=OPENED_AT + timedelta(hours=2))
    assert permitted_from(held) == held.held_until
    assert permitted_from(OPENED) == OPENED.retry_at
    always = permitted_from(NEW)
    assert always is not None
    assert always < NOW


@given(
    st.lists(st.tuples(st.sampled_from("+-cr?t"), st.floats(-2, 400), st.none() | st.floats(0, 1e6)), max_size=60),
    st.integers(0, 100),
)
def test_whatever_happens_the_health_stays_small_and_makes_sense(steps: list[tuple[str, float, float | None]], wanted: int) -> None:
    """Play claims and results as a worker would, results a little out of order included."""
    health, at = NEW, NOW
    for sign, apart_s, retry_after_s in steps:
        at += timedelta(seconds=apart_s)
        allowed = allowance(health, at, wanted)
        assert 0 <= allowed <= wanted
        if health.phase is not BreakerPhase.CLOSED:
            assert allowed <= 1
        if allowed:
            health = after_claim(health, at + timedelta(seconds=60))
            assert health.phase is not BreakerPhase.OPEN
        outcome, is_connection_fault = OUTCOME[sign]
        health = after_attempt(health, outcome, at, is_connection_fault=is_connection_fault, retry_after_s=retry_after_s)
        assert len(health.tallies) <= 7
        assert all(0 <= tally.failures <= tally.attempts for tally in health.tallies)
        assert (health.retry_at is None) == (health.phase is BreakerPhase.CLOSED)
        assert (health.openings == 0) == (health.phase is BreakerPhase.CLOSED)
        assert (health.failing_since is None) == (sign == "+")
        if health.disabled is None and allowance(health, at, 1) == 0:
            opens_at = permitted_from(health)
            assert opens_at is not None
            assert at < opens_at <= at + timedelta(hours=24, minutes=1), "an endpoint always comes back by itself"


@given(st.integers(1, 400), st.integers(0, 400))
def test_a_healthy_endpoint_never_opens(successes: int, failures: int) -> None:
    """Fewer than seven failures in ten, evenly mixed, leave the breaker closed."""
    failures = min(failures, successes * 2)
    health, owed = NEW, 0.0
    for index in range(successes):
        health = after_attempt(health, AttemptOutcome.DELIVERED, NOW + timedelta(seconds=index))
        owed += failures / successes
        while owed >= 1:
            owed -= 1
            health = after_attempt(health, AttemptOutcome.UNAVAILABLE, NOW + timedelta(seconds=index))
        assert health.phase is BreakerPhase.CLOSED

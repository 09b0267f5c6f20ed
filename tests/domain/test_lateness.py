"""By whose doing a clock is late: a table of what came when."""

from dataclasses import replace

import pytest

from app.domain.calendar import ClockUnit
from app.domain.clock import ClockState, clock_window, evaluate_clock, idle_clock
from app.domain.lateness import LateBy, Times, late_by
from app.domain.program import ClockDefinition, Satisfaction
from app.domain.stay import StayClass
from tests.domain.follow_up_builders import EASTERN, local, make_contact

HUNDRED = clock_window(
    ClockDefinition(id="x.h", title="x", unit=ClockUnit.HOURS, count=100, satisfied_by=Satisfaction()),
    local("2026-03-02 00:00"),
    EASTERN,
    StayClass.INPATIENT,
)
OVER = "2026-03-06 05:00"
"""A hundred hours are over on Friday at four."""


@pytest.mark.parametrize(
    ("received", "told", "expected"),
    [
        ("2026-03-02 00:10", "2026-03-02 00:11", LateBy.HOME),
        ("2026-03-04 01:59", "2026-03-04 02:00", LateBy.HOME),
        ("2026-03-05 00:00", "2026-03-05 00:01", LateBy.FEED),
        ("2026-03-02 00:10", "2026-03-05 00:00", LateBy.US),
        ("2026-03-03 00:00", "2026-03-05 12:00", LateBy.US),
        ("2026-03-04 12:00", "2026-03-05 12:00", LateBy.FEED),
        ("2026-03-06 04:30", "2026-03-06 04:31", LateBy.FEED),
        ("2026-03-02 00:10", None, LateBy.US),
        (None, None, LateBy.US),
    ],
)
def test_who_took_the_time_of_the_home(received: str | None, told: str | None, expected: LateBy) -> None:
    times = Times(HUNDRED.anchor_at, local(received) if received else None, local(told) if told else None)
    assert late_by(HUNDRED, evaluate_clock(HUNDRED, [], local(OVER)), times) is expected


@pytest.mark.parametrize(
    ("received", "claimed", "told", "expected"),
    [
        ("2026-03-02 00:10", "2026-03-05 00:00", "2026-03-05 00:01", LateBy.HOME),
        ("2026-03-02 00:10", "2026-02-01 00:00", "2026-03-05 00:01", LateBy.US),
        ("2026-03-02 00:10", "2026-03-02 12:00", "2026-03-05 00:01", LateBy.US),
        ("2026-03-04 00:10", "2026-03-05 00:00", "2026-03-05 00:01", LateBy.FEED),
        ("2026-03-02 00:10", "2026-03-06 12:00", "2026-03-06 12:01", LateBy.HOME),
        ("2026-03-06 04:30", "2026-03-10 00:00", "2026-03-10 00:01", LateBy.FEED),
    ],
)
def test_a_roster_that_came_late_is_the_homes_doing(received: str, claimed: str, told: str, expected: LateBy) -> None:
    times = Times(HUNDRED.anchor_at, local(received), local(told), local(claimed))
    assert late_by(HUNDRED, evaluate_clock(HUNDRED, [], local(OVER)), times) is expected


@pytest.mark.parametrize(
    ("received", "claimed", "expected"),
    [
        ("2026-03-02 00:10", None, LateBy.HOME),
        ("2026-03-05 00:00", None, LateBy.FEED),
        ("2026-03-02 00:10", "2026-03-05 00:00", LateBy.HOME),
    ],
)
def test_who_knows_itself_knows_when_we_do(received: str, claimed: str | None, expected: LateBy) -> None:
    times = Times(HUNDRED.anchor_at, local(received), None, local(claimed) if claimed else None, knows_itself=True)
    assert late_by(HUNDRED, evaluate_clock(HUNDRED, [], local(OVER)), times) is expected


@pytest.mark.parametrize(("heard", "expected"), [("2026-03-03 00:00", LateBy.HOME), ("2026-03-05 00:00", LateBy.FEED)])
def test_a_clock_that_was_heard_of_later_came_when_it_came(heard: str, expected: LateBy) -> None:
    """As was told of the discharge at once."""
    times = Times(HUNDRED.anchor_at, HUNDRED.anchor_at, HUNDRED.anchor_at).of_clock(local(heard))
    assert (times.received_at, times.told_at) == (local(heard), local(heard))
    assert late_by(HUNDRED, evaluate_clock(HUNDRED, [], local(OVER)), times) is expected


def test_what_is_not_late_is_nobodys_doing() -> None:
    times = Times(HUNDRED.anchor_at, HUNDRED.anchor_at, HUNDRED.anchor_at)
    done = make_contact("2026-03-03")
    assert late_by(HUNDRED, evaluate_clock(HUNDRED, [done], local(OVER)), times) is None
    assert late_by(HUNDRED, evaluate_clock(HUNDRED, [], local("2026-03-03")), times) is None
    assert late_by(HUNDRED, idle_clock(HUNDRED, ClockState.MISSED, "closed_by_home: completed"), times) is None
    late = evaluate_clock(HUNDRED, [make_contact("2026-03-06 04:30")], local(OVER))
    assert late_by(HUNDRED, replace(late), times) is LateBy.HOME

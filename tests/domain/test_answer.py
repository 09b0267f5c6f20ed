"""What an answer makes of a follow-up: running clocks stop, what was met or missed stays, the standing answer does not depend on order."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest

from app.domain.answer import Answer, AnswerKind, ReviewState, answered, denied_of, standing_answer
from app.domain.clock import Clock, ClockState
from app.domain.follow_up import FollowUpState, FollowUpView

AT = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
DAY = date(2026, 3, 6)


def said(kind: AnswerKind = AnswerKind.NOT_OURS, review: ReviewState = ReviewState.OPEN, on: date | None = None, hours: int = 0) -> Answer:
    return Answer(kind, AT + timedelta(hours=hours), review, on)


def view(state: FollowUpState, *clocks: ClockState) -> FollowUpView:
    return FollowUpView(
        state=state,
        reasons=("discharged: to home",),
        clocks=tuple(Clock(f"c{at}", AT, clock, None, None, ("so",), 1) for at, clock in enumerate(clocks)),
        next_change_at=AT,
    )


@pytest.mark.parametrize(
    ("review", "state", "clocks"),
    [
        (ReviewState.OPEN, FollowUpState.SUSPENDED, ["suspended", "suspended", "suspended", "met", "missed", "void"]),
        (ReviewState.UPHELD, FollowUpState.CLOSED, ["void", "void", "void", "met", "missed", "void"]),
    ],
)
def test_running_clocks_stop_and_the_others_stay(review: ReviewState, state: FollowUpState, clocks: list[str]) -> None:
    states = [ClockState.PENDING, ClockState.OVERDUE, ClockState.SUSPENDED, ClockState.MET, ClockState.MISSED, ClockState.VOID]
    stopped = answered(view(FollowUpState.OPEN, *states), said(review=review))
    assert stopped.state is state
    assert [clock.state.value for clock in stopped.clocks] == clocks
    assert stopped.reasons[0].startswith("answered: not_ours")
    assert stopped.next_change_at is None


@pytest.mark.parametrize("state", [FollowUpState.CLOSED, FollowUpState.SUPERSEDED, FollowUpState.VOID])
def test_what_is_over_is_not_stopped(state: FollowUpState) -> None:
    before = view(state, ClockState.MISSED)
    assert answered(before, said()) == before
    assert answered(before, None) == before


@pytest.mark.parametrize(
    ("answer", "denies"),
    [
        (said(), False),
        (said(review=ReviewState.DISMISSED), False),
        (said(review=ReviewState.UPHELD), True),
        (said(AnswerKind.WRONG_PERSON, ReviewState.UPHELD), True),
        (said(AnswerKind.DECEASED, ReviewState.UPHELD, DAY), False),
        (said(AnswerKind.DUPLICATE, ReviewState.UPHELD), False),
        (said(AnswerKind.LEFT_PROGRAM_ON, ReviewState.UPHELD, DAY), True),
        (said(AnswerKind.LEFT_PROGRAM_ON, ReviewState.UPHELD, DAY + timedelta(days=1)), False),
    ],
)
def test_only_who_was_never_responsible_on_the_day_is_denied(answer: Answer, denies: bool) -> None:
    stay, home = UUID(int=1), UUID(int=2)
    assert answer.denies(DAY) is denies
    assert denied_of(stay, DAY, {(stay, home): answer}) == (frozenset({home}) if denies else frozenset())
    assert denied_of(UUID(int=9), DAY, {(stay, home): answer}) == frozenset()


def test_the_answer_that_counts_does_not_depend_on_order() -> None:
    answers = [
        said(AnswerKind.DUPLICATE, ReviewState.DISMISSED, hours=9),
        said(AnswerKind.NOT_OURS, hours=1),
        said(AnswerKind.DECEASED, ReviewState.UPHELD),
        said(AnswerKind.DUPLICATE, hours=2),
    ]
    assert {standing_answer(order) for order in permutations(answers)} == {answers[2]}
    assert {standing_answer(order) for order in permutations([answers[0], answers[1], answers[3]])} == {answers[3]}
    assert standing_answer([answers[0]]) is None

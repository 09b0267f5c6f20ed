"""What a recipient answers to a notification or a follow-up: that it is not theirs, not this person, over, or a second one. Pure.

The answer stops that recipient's clocks at once and visibly, and asks a person to look (a review). It never touches the discharge, a
measure, or what another is told. Not here: who may answer, and who decides the review (actions/answer_back).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from app.domain.clock import Clock, ClockState
from app.domain.follow_up import FollowUpState, FollowUpView


class AnswerKind(StrEnum):
    """What is wrong with having been told."""

    NOT_OURS = "not_ours"
    WRONG_PERSON = "wrong_person"
    LEFT_PROGRAM_ON = "left_program_on"
    DECEASED = "deceased"
    DUPLICATE = "duplicate"


class ReviewKind(StrEnum):
    """What a person has to look at."""

    ATTRIBUTION = "attribution"
    IDENTITY = "identity"
    DEATH = "death"
    """A recipient says that they died; or they are said to have died, and were admitted on a later day: no answer, but what we met."""
    DUPLICATE = "duplicate"
    ATTRIBUTION_CONFLICT = "attribution_conflict"
    """Two homes claim one program of one person: no answer, but what the rules met."""


class ReviewState(StrEnum):
    """Where a review stands."""

    OPEN = "open"
    UPHELD = "upheld"
    """The answer is right: what it stopped stays stopped."""
    DISMISSED = "dismissed"
    """It is not: clocks run on, with the due times that they had."""


REVIEWS: Final[Mapping[AnswerKind, ReviewKind]] = {
    AnswerKind.NOT_OURS: ReviewKind.ATTRIBUTION,
    AnswerKind.WRONG_PERSON: ReviewKind.IDENTITY,
    AnswerKind.LEFT_PROGRAM_ON: ReviewKind.ATTRIBUTION,
    AnswerKind.DECEASED: ReviewKind.DEATH,
    AnswerKind.DUPLICATE: ReviewKind.DUPLICATE,
}
NEVER_THEIRS: Final = frozenset({AnswerKind.NOT_OURS, AnswerKind.WRONG_PERSON})
_RUNNING: Final = frozenset({ClockState.PENDING, ClockState.OVERDUE, ClockState.SUSPENDED})
_GOING_ON: Final = frozenset({FollowUpState.OPEN, FollowUpState.SUSPENDED, FollowUpState.INPATIENT})


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a recipient about one stay, and what became of its review."""

    kind: AnswerKind
    answered_at: datetime
    review: ReviewState
    said_on: date | None = None
    """Since when: the last day's end in the program, or the day of death."""

    def denies(self, day: date | None) -> bool:
        """Tell whether it was found right that the recipient was not responsible on the day of the stay."""
        if self.review is not ReviewState.UPHELD:
            return False
        if self.kind is AnswerKind.LEFT_PROGRAM_ON:
            return self.said_on is not None and day is not None and self.said_on <= day
        return self.kind in NEVER_THEIRS


def standing_answer(answers: Iterable[Answer]) -> Answer | None:
    """Give the answer that counts: one that was found right, else the latest that is looked at; dismissed ones count for nothing."""
    ranked = [one for one in answers if one.review is not ReviewState.DISMISSED]
    return max(ranked, key=lambda one: (one.review is ReviewState.UPHELD, one.answered_at, one.kind), default=None)


def answered(view: FollowUpView, answer: Answer | None) -> FollowUpView:
    """Stop what still goes on in a follow-up because of the answer. What was met or missed before it stays so."""
    if answer is None or view.state not in _GOING_ON:
        return view
    is_upheld = answer.review is ReviewState.UPHELD
    what = "found right" if is_upheld else "a person looks at it"
    why = f"answered: {answer.kind.value}, {what}"
    clocks = tuple(_stopped(clock, ClockState.VOID if is_upheld else ClockState.SUSPENDED, why) for clock in view.clocks)
    state = FollowUpState.CLOSED if is_upheld else FollowUpState.SUSPENDED
    return replace(view, state=state, reasons=(why, *view.reasons), clocks=clocks, next_change_at=None)


def _stopped(clock: Clock, state: ClockState, why: str) -> Clock:
    return replace(clock, state=state, reasons=(why,)) if clock.state in _RUNNING else clock


def denied_of(stay_id: UUID, day: date | None, answers: Mapping[tuple[UUID, UUID], Answer]) -> frozenset[UUID]:
    """Give the recipients of whom it was found right that they were not responsible for a stay."""
    return frozenset(recipient for (stay, recipient), answer in answers.items() if stay == stay_id and answer.denies(day))

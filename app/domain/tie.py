"""What ties two records beside what they say themselves: a score, or a question about them, and what an operator answered.

A tie is of a pair of records, whoever their people are at the moment, so that an answer outlives every merge. Not here: how a
score comes about (comparison), what ties do to who is one person (matching), the statements (store/matches).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from uuid import UUID


class TieKind(StrEnum):
    """What the question is. The value is in the contract."""

    SCORE = "possible_match"
    """Two records that are alike, and no harder ground says whether they are one person."""
    MERGE = "held_merge"
    """A merge (A40, A43) into a record that was itself retired into this one before: it waits for an answer."""
    DISAGREEMENT = "merge_disagreement"
    """A hospital merged or linked whom an operator had told apart, or two whose first names and birth dates differ: it is followed."""
    INDEX = "index_disagreement"
    """The exchange's person index and our own grounds say different things."""


class TieLevel(StrEnum):
    """How alike two records are."""

    CERTAIN = "certain"
    POSSIBLE = "possible"
    NO = "no"


class TieOutcome(StrEnum):
    """What an operator answered."""

    SAME = "same"
    DIFFERENT = "different"
    LATER = "later"


class TieState(StrEnum):
    """Where a question stands."""

    OPEN = "open"
    RESOLVED = "resolved"
    JOINED = "joined"
    """The two are one person."""
    OBSOLETE = "obsolete"
    """Nothing is asked any more: they are not alike now, or another question asks the same of the same two people."""


Pair = tuple[UUID, UUID]
"""Two records, the smaller id first."""


def pair_of(one: UUID, other: UUID) -> Pair:
    """Give a pair in its one order."""
    return (one, other) if one < other else (other, one)


@dataclass(frozen=True, slots=True)
class Tie:
    """A pair of records and what is asked and answered about it."""

    left: UUID
    right: UUID
    kind: TieKind
    level: TieLevel = TieLevel.NO
    """Of the score; NO for other kinds, or when the two are not alike any more."""
    weight: float = 0.0
    grounds: tuple[dict[str, Any], ...] = ()
    weights_version: str = ""
    outcome: TieOutcome | None = None
    state: TieState = TieState.OPEN
    id: UUID | None = None

    @property
    def pair(self) -> Pair:
        """The two records."""
        return self.left, self.right

    @property
    def binds(self) -> bool:
        """Whether it can join: whoever looks at one of the two must look at the other."""
        return self.level is TieLevel.CERTAIN or self.outcome is TieOutcome.SAME or self.kind in (TieKind.MERGE, TieKind.DISAGREEMENT)


@dataclass(frozen=True, slots=True)
class Question:
    """Something for people to decide that a division of records came upon."""

    left: UUID
    right: UUID
    kind: TieKind
    grounds: tuple[str, ...]

    @property
    def pair(self) -> Pair:
        """The two records."""
        return self.left, self.right


@dataclass(frozen=True, slots=True)
class Answers:
    """What operators answered, as a division needs it."""

    same: frozenset[Pair] = frozenset()
    different: frozenset[Pair] = frozenset()
    merge_stands: frozenset[Pair] = frozenset()
    """A held merge that is to be applied."""
    merge_falls: frozenset[Pair] = frozenset()
    """A merge or a link that is not to be applied."""

    @classmethod
    def of(cls, ties: Iterable[Tie]) -> "Answers":
        """Sort the answers."""
        told = [tie for tie in ties if tie.outcome in (TieOutcome.SAME, TieOutcome.DIFFERENT)]
        about_merges = (TieKind.MERGE, TieKind.DISAGREEMENT)
        overruled = {tie.pair for tie in told if tie.kind is TieKind.DISAGREEMENT and tie.outcome is TieOutcome.SAME}
        different = {tie.pair for tie in told if tie.outcome is TieOutcome.DIFFERENT}
        return cls(
            same=frozenset(tie.pair for tie in told if tie.outcome is TieOutcome.SAME and tie.kind not in about_merges),
            different=frozenset(different - overruled),
            merge_stands=frozenset(tie.pair for tie in told if tie.outcome is TieOutcome.SAME and tie.kind is TieKind.MERGE),
            merge_falls=frozenset(tie.pair for tie in told if tie.outcome is TieOutcome.DIFFERENT and tie.kind in about_merges),
        )


@dataclass(frozen=True, slots=True)
class Review:
    """What is to be stored of the questions around some records."""

    changed: tuple[Tie, ...] = ()
    """Stored ties whose state changes."""
    asked: tuple[Question, ...] = field(default=())
    """Questions that are new."""


def review(ties: Sequence[Tie], questions: Sequence[Question], people: Mapping[UUID, UUID], looked_at: Iterable[UUID]) -> Review:
    """Say how every question stands, given who everybody is now.

    `ties` are all that touch a record of `looked_at`, `people` tells whose each record of a tie is. Of several pairs of records of the
    same two people the most alike asks; the answer "different" about one pair silences the others.
    """
    fresh = set(looked_at)
    asked = {(question.pair, question.kind) for question in questions}
    index = {_people(question.pair, people) for question in questions if question.kind is TieKind.INDEX}
    parted = {_people(tie.pair, people) for tie in ties if tie.outcome is TieOutcome.DIFFERENT}
    best: dict[Pair, tuple[float, Pair]] = {}
    for tie in ties:
        if tie.kind is TieKind.SCORE and tie.level is not TieLevel.NO and tie.outcome not in (TieOutcome.SAME, TieOutcome.DIFFERENT):
            whose = _people(tie.pair, people)
            best[whose] = max(best.get(whose, (float("-inf"), tie.pair)), (tie.weight, tie.pair))
    changed = []
    for tie in ties:
        whose = _people(tie.pair, people)
        if tie.outcome in (TieOutcome.SAME, TieOutcome.DIFFERENT):
            state = TieState.RESOLVED
        elif tie.kind is not TieKind.SCORE:
            state = TieState.OPEN if (tie.pair, tie.kind) in asked else TieState.OBSOLETE
            if not fresh.issuperset(tie.pair):
                # Asked of two of whom one was not loaded: whoever changes that one looks at it.
                state = tie.state
        elif tie.level is TieLevel.NO:
            state = TieState.OBSOLETE
        elif whose[0] == whose[1]:
            state = TieState.JOINED
        elif whose in parted or whose in index or best[whose][1] != tie.pair:
            state = TieState.OBSOLETE
        else:
            state = TieState.OPEN
        if state is not tie.state:
            changed.append(replace(tie, state=state))
    stored = {(tie.pair, tie.kind) for tie in ties}
    return Review(tuple(changed), tuple(question for question in questions if (question.pair, question.kind) not in stored))


def _people(pair: Pair, people: Mapping[UUID, UUID]) -> Pair:
    return pair_of(people[pair[0]], people[pair[1]])

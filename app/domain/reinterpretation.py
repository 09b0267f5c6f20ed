"""What would become of stored messages if they were read again now. Not here: reading them (pipeline/reinterpret)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.domain.inbound import Outcome, Problem, Severity


@dataclass(frozen=True, slots=True)
class Reread:
    """One message as it would be read."""

    message_id: UUID
    feed_id: UUID
    outcome: Outcome
    problems: Sequence[Problem] = ()
    trigger: str | None = None
    """Of the event that it would become."""

    @property
    def reason(self) -> Problem | None:
        """The first problem that stops it."""
        return next((problem for problem in self.problems if problem.severity is Severity.ERROR), None)


@dataclass(frozen=True, slots=True)
class Reinterpretation:
    """What would become of them all, in their order."""

    messages: Sequence[Reread] = ()

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How many would be what."""
        return Counter(one.outcome for one in self.messages)

    @property
    def triggers(self) -> Counter[str]:
        """How many events of each kind there would be."""
        return Counter(one.trigger for one in self.messages if one.trigger is not None)

    @property
    def reasons(self) -> Counter[Problem]:
        """Why the others would be set aside again, and how many."""
        return Counter(one.reason for one in self.messages if one.outcome is Outcome.SET_ASIDE and one.reason is not None)

"""What the demo counts, for its table. Not here: drawing it (screen.py)."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

WARNED: Final = "follow_up.due"
OVER: Final = "follow_up.overdue"


@dataclass(slots=True)
class Numbers:
    """Everything that is shown."""

    sent: Counter[str] = field(default_factory=Counter)
    """Hospital -> messages."""
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(hospital, code) -> messages."""
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(recipient, type) -> notifications."""
    decisions: Counter[str] = field(default_factory=Counter)
    """Decision -> tellings that stand so now."""
    follow_ups: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(home, state) -> follow-ups."""
    clocks: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(home, `due` within two days, `overdue`, `met`) -> clocks."""
    contacts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(home, outcome) -> contacts that the coordinator recorded."""
    webhooks: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(recipient, `verified` | `refused` | `repeated` | `turned_away`) -> deliveries."""
    questions: int = 0
    """The plan's, about single members."""
    answered: int = 0
    """Follow-ups that the plan saw."""
    clock: str = ""
    """What the last clock did that warned, was over or was met."""
    first_told_after_s: float | None = None
    """From the first message to the first notification."""
    last: str = ""
    """What the last message showed."""

    def told_to(self, recipient: str) -> int:
        """Count a recipient's notifications."""
        return sum(count for (who, _), count in self.told.items() if who == recipient)

    def told_of(self, kind: str, recipient: str | None = None) -> int:
        """Count the notifications of a type, of all recipients or of one."""
        return sum(count for (who, of), count in self.told.items() if of == kind and recipient in (None, who))

    def warned(self, recipient: str) -> int:
        """Count how often clocks told a recipient that a share of their time is over, or all of it."""
        return sum(self.told_of(kind, recipient) for kind in (WARNED, OVER))

    @property
    def met(self) -> int:
        """Count the clocks that are met as far as homes know."""
        return sum(count for (_, state), count in self.clocks.items() if state == "met")

    def answered_with(self, hospital: str, code: str) -> int:
        """Count a hospital's answers of a code."""
        return self.answers[hospital, code]

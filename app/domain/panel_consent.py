"""What the owner of a panel asserts of many members at once, by one form that all of them signed, and what became of it.

The same as the consent columns of a roster say row by row (roster_consent). Not here: what a consent lets go (consent, privacy), or that
an assertion of others' records waits for review (consent_form).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeVar

from app.domain.consent import ConsentKind
from app.domain.consent_form import Fault
from app.domain.privacy_law import MinorRules

OF_PANELS: Final = frozenset({ConsentKind.TPO, ConsentKind.NAMED, ConsentKind.REFUSAL})
"""What is signed on a form at enrolment. A designation, an emergency and a broken glass are each one person's."""
MEMBERS_A_STEP: Final = 1_000
"""So many members are locked and written in one transaction, so that the feed goes on meanwhile. Our policy."""
One = TypeVar("One")


def steps(found: Sequence[One]) -> Iterator[Sequence[One]]:
    """Cut what is to be done into transactions."""
    for start in range(0, len(found), MEMBERS_A_STEP):
        yield found[start : start + MEMBERS_A_STEP]


@dataclass(frozen=True, slots=True)
class PanelPaper:
    """One form that many members signed on the same day."""

    kind: ConsentKind
    signed_on: date
    expires_on: date | None = None
    scope: str = ""
    document_id: str | None = None

    @property
    def is_refusal(self) -> bool:
        """Whether it says no: that counts at once, whoever asserts it."""
        return self.kind is ConsentKind.REFUSAL

    def faults(self, today: date) -> list[Fault]:
        """List what keeps it from being asserted; the same rules as of a roster's row."""
        found: list[Fault] = []
        if self.kind not in OF_PANELS:
            found.append(("kind", f"is one of {', '.join(sorted(OF_PANELS))}: of others, each is one person's"))
        if self.signed_on > today:
            found.append(("signed_on", "is in the future: a paper counts from the day it is signed (42 CFR 2.31(a)(9))"))
        if self.expires_on is not None and self.expires_on < max(self.signed_on, today):
            found.append(("expires_on", "is past: this paper no longer counts"))
        if not self.is_refusal and not self.scope.strip():
            found.append(("scope", "is needed: a specific and meaningful description of the information (42 CFR 2.31(a)(3))"))
        return found

    def may_sign(self, birth_on: date | None, minors: MinorRules) -> bool:
        """Tell whether the member signed for themselves. Who signed for a child is on each paper, so a child's is recorded alone."""
        if self.is_refusal or birth_on is None:
            return True
        age = self.signed_on.year - birth_on.year - ((self.signed_on.month, self.signed_on.day) < (birth_on.month, birth_on.day))
        return age >= minors.self_from_years


@dataclass(frozen=True, slots=True)
class PaperFilter:
    """Which of a panel's papers that wait are meant. None: every one."""

    kind: ConsentKind | None = None
    signed_on: date | None = None
    document_id: str | None = None
    asserted_until: datetime | None = None
    """What came after it was not seen by whoever decides."""


@dataclass(slots=True)
class PapersAsserted:
    """What asserting came to, in members."""

    asked: int = 0
    proposed: int = 0
    """Wait for review before they count."""
    active: int = 0
    already: int = 0
    """Of whom the very same paper is on file."""
    minors: int = 0
    """Too young to have signed: theirs is recorded alone."""
    unknown: tuple[str, ...] = ()
    """Named, and not on the panel."""

    def document(self) -> dict[str, Any]:
        """Give the JSON."""
        return {
            "members": self.asked,
            "proposed": self.proposed,
            "active": self.active,
            "already": self.already,
            "minors": self.minors,
            "unknown": list(self.unknown),
        }

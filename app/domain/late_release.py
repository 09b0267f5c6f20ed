"""What waited for a person and is told at last: how many minutes that cost, and why. Pure.

A queue is patients nobody was told of (domain section 3.4), so whoever is told late learns it with the notification. Not here: a claim that
became known late (precedence), or messages that a sender sent late: nobody here kept those.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from app.domain.inbound import ProblemCode

MATCH_ANSWERED: Final = "match"
"""The cause of looking again at stays because an operator said who is one person."""


class LateCause(StrEnum):
    """What it waited for."""

    SET_ASIDE = "set_aside"
    UNMAPPED_FACILITY = "unmapped_facility"
    REVIEW = "review"
    """Whether two are one person, or 42 CFR Part 2. Not told apart: that somebody looked at the second tells what the stay is about."""

    AGREEMENT = "agreement"
    """An agreement of the recipient with the exchange."""


_TEXTS: Final = {
    LateCause.SET_ASIDE: "the message could not be used until somebody had looked at it",
    LateCause.UNMAPPED_FACILITY: "the message named a facility that nobody had mapped",
    LateCause.REVIEW: "a person had to decide something first",
    LateCause.AGREEMENT: "no agreement with the organization was in force",
}


@dataclass(frozen=True, slots=True)
class Release:
    """What let something be told that had waited."""

    cause: LateCause
    since: datetime | None = None
    """Since when it waited; None: since each event of the stay was heard."""

    def late(self, heard_at: datetime | None, now: datetime) -> "Late | None":
        """Say how late an event is told now; None where it was not known before."""
        since = self.since or heard_at
        return None if since is None or since >= now else Late(self.cause, int((now - since).total_seconds()) // 60)


@dataclass(frozen=True, slots=True)
class Late:
    """How late something is told."""

    cause: LateCause
    minutes: int

    @property
    def reason(self) -> str:
        """Say it in a sentence, for the ledger."""
        return f"late_release: told {self.minutes} minutes late, because {_TEXTS[self.cause]}"

    def notice(self) -> dict[str, Any]:
        """Give what travels with the notification."""
        return {"code": "late_release", "text": f"Told {self.minutes} minutes late, because {_TEXTS[self.cause]}."}

    def document(self) -> dict[str, Any]:
        """Give the JSON."""
        return {"minutes": self.minutes, "cause": self.cause.value}


def release_of(problem: str, received_at: datetime) -> Release:
    """Give what releases a message that was set aside, by the code of its first problem."""
    is_unmapped = problem == ProblemCode.UNKNOWN_KEY
    return Release(LateCause.UNMAPPED_FACILITY if is_unmapped else LateCause.SET_ASIDE, received_at)

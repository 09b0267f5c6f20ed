"""What somebody decided of deaths that were doubtful, by the days on which they are said to have been.

Not here: when a death is doubtful, and what follows (``death``); where decisions are kept (store/death_doubts).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

_KEY: Final = "died "
DEATH_UNDER_REVIEW: Final = "death_under_review"
"""The code of the reason where a death is doubtful and nobody has decided it."""


def key_of_day(on: date) -> str:
    """Give by what a death is asked about, once."""
    return f"{_KEY}{on.isoformat()}"


@dataclass(frozen=True, slots=True)
class DeathsJudged:
    """Local days of deaths. Of those in neither nobody has decided anything."""

    upheld: frozenset[date] = frozenset()
    dismissed: frozenset[date] = frozenset()
    """These count as though they had never been said."""


NOTHING_JUDGED: Final = DeathsJudged()


def is_doubted(reasons: Iterable[str]) -> bool:
    """Tell from its reasons whether a status waits for the decision of a doubtful death."""
    return any(reason.partition(":")[0] == DEATH_UNDER_REVIEW for reason in reasons)


def deaths_judged(decisions: Iterable[tuple[str, str]]) -> DeathsJudged:
    """Read decisions: (by what was asked, `upheld` or `dismissed`)."""
    days: dict[str, set[date]] = {"upheld": set(), "dismissed": set()}
    for key, state in decisions:
        days[state].add(date.fromisoformat(key.removeprefix(_KEY)))
    return DeathsJudged(frozenset(days["upheld"]), frozenset(days["dismissed"]))

"""Which of several claims on a person counts first, who leads a program, and whether a claim became known too late to be told.

Roles are not exclusive: a behavioral health home, a primary care practice and a plan are all told. But one home leads each program,
and follows up under it; two that claim the same program are a conflict that the operator hears of. Pure; the order is data (domain
section 3.4). Not here: whether a claim holds on a day (attribution), or whether its holder may be told (privacy).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.attribution import Attribution, Role

_NOT_WORD = re.compile(r"[\W_]+")
NAMED = "named_in_message"
"""The basis of a claim that nobody made: the hospital's message names a practitioner of the organization."""


class PrecedenceError(ValueError):
    """An order of precedence contradicts itself."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a claim rests on."""

    basis: str
    title: str
    words: tuple[str, ...] = ()
    """How rosters write it, beside the basis itself."""
    roles: frozenset[Role] = frozenset()
    """Claims of these roles that say no basis rest on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Precedence:
    """The grounds from the strongest to the weakest."""

    version: str
    grounds: tuple[Ground, ...]
    named: Mapping[str, Role] = field(default_factory=dict)
    """Place in a message where a practitioner is named -> as what their organization is told."""
    catch_up_days: int = 30
    """A claim that becomes known so many days after the discharge is still told, as a catch-up; a later one is recorded."""

    def __post_init__(self) -> None:
        without = set(Role) - {role for ground in self.grounds for role in ground.roles}
        if without:
            message = f"no ground has the roles {', '.join(sorted(without))}: every claim needs one"
            raise PrecedenceError(message)
        if not self.grounds or self.grounds[-1].basis != NAMED:
            message = f"the last ground must be {NAMED}: what a message says is weaker than any claim"
            raise PrecedenceError(message)

    def basis_of(self, claim: Attribution) -> Ground:
        """Say what a claim rests on: as its roster says it, else by its role."""
        said = _plain(claim.basis) if claim.basis else ""
        by_word = (ground for ground in self.grounds if said in {_plain(word) for word in (ground.basis, *ground.words)})
        by_role = (ground for ground in self.grounds if claim.role in ground.roles)
        return (next(by_word, None) if said else None) or next(by_role, self.grounds[-1])

    def rank(self, claim: Attribution) -> int:
        """Give the place of a claim in the order; 0 is the strongest."""
        return self.grounds.index(self.basis_of(claim))

    def order(self, claim: Attribution) -> tuple[int, int, UUID, str, str]:
        """Sort claims: the stronger ground, then the later beginning, for people move to their new home; then a fixed order."""
        return (self.rank(claim), -claim.effective_from.toordinal(), claim.organization_id, claim.role, claim.program)


@dataclass(frozen=True, slots=True)
class Led:
    """Who leads one program of a person on a day, and who claims it too."""

    program: str
    lead: Attribution
    others: tuple[Attribution, ...] = ()

    def why_not(self, claim: Attribution, precedence: Precedence) -> str:
        """Say why another claim does not lead."""
        mine, first = precedence.basis_of(claim), precedence.basis_of(self.lead)
        if mine.basis != first.basis:
            return f"not_lead: another home leads {self.program}: {first.title} counts before {mine.title} ({precedence.version})"
        if claim.effective_from != self.lead.effective_from:
            return f"not_lead: another home leads {self.program}: of two claims on one ground the later counts ({precedence.version})"
        return f"not_lead: another home leads {self.program}: two equal claims, the operator is asked ({precedence.version})"


def leads(claims: Iterable[tuple[Attribution, Iterable[str]]], precedence: Precedence) -> dict[str, Led]:
    """Give who leads each program, of claims that hold on the day with the programs they are for. Any order gives the same."""
    by_program: dict[str, dict[UUID, Attribution]] = {}
    for claim, programs in sorted(claims, key=lambda item: precedence.order(item[0])):
        for program in programs:
            by_program.setdefault(program, {}).setdefault(claim.organization_id, claim)
    return {program: Led(program, *_first(found.values())) for program, found in sorted(by_program.items())}


def _first(claims: Iterable[Attribution]) -> tuple[Attribution, tuple[Attribution, ...]]:
    first, *others = claims
    return first, tuple(others)


class Lateness(StrEnum):
    """When a claim became known, seen from an event."""

    IN_TIME = "in_time"
    CATCH_UP = "catch_up"
    """After the event was heard, and soon enough: it is told and marked."""
    TOO_LATE = "too_late"
    """Recorded, and not told."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An event of a stay as lateness sees it."""

    occurred_at: datetime
    heard_at: datetime | None
    """When the service first knew that the event stands; None while it is being told for the first time."""
    ended_at: datetime | None
    """When the stay ended; None while it lasts: nothing about it is old."""

    @property
    def known_at(self) -> datetime:
        """When whoever was responsible could be told: a claim that was said then is in time."""
        return max(self.occurred_at, self.heard_at or self.occurred_at)


def lateness(known_since: datetime | None, event: Heard, zone: ZoneInfo, precedence: Precedence) -> tuple[Lateness, str]:
    """Judge a claim that became known at `known_since`, with the reason. An old message is told like one of today: only claims are late."""
    if known_since is None or event.heard_at is None or known_since <= event.known_at:
        return Lateness.IN_TIME, ""
    days = 0 if event.ended_at is None else (_day(known_since, zone) - _day(event.ended_at, zone)).days
    most = precedence.catch_up_days
    if days > most:
        return Lateness.TOO_LATE, f"late_attribution: the claim became known {days} days after the stay ended; up to {most} it is told"
    return Lateness.CATCH_UP, f"late_attribution: the claim became known after the event, {max(days, 0)} days after the stay ended"


def _day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def _plain(text: str) -> str:
    return _NOT_WORD.sub(" ", text.casefold()).strip()

"""Who is responsible for a person on a day: the claims of panels, each by its own right. Roles are not exclusive.

Source: domain section 3.4; Da Vinci Member Attribution for the words. Not here: how a claim is loaded (panel), or whether its
holder may be told (privacy).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """As what an organization claims a person."""

    HEALTH_HOME = "health_home"
    BEHAVIORAL_HEALTH_HOME = "behavioral_health_home"
    PLAN = "plan"
    PCP = "pcp"
    CARE_TEAM = "care_team"


HOME_ROLES = frozenset({Role.HEALTH_HOME, Role.BEHAVIORAL_HEALTH_HOME})
"""Roles that are responsible for follow-up: each gets a follow-up of its own."""


@dataclass(frozen=True, slots=True)
class Learned:
    """One version of what an organization claimed about the person, and from when to when that was said."""

    asserted_at: datetime
    effective_from: date
    effective_to: date | None
    retracted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attribution:
    """One claim: this organization, this person, this program, from a day to before a day."""

    id: UUID
    organization_id: UUID
    person_id: UUID
    program: str
    role: str
    effective_from: date
    effective_to: date | None = None
    """The first day on which the claim no longer holds; None is open."""
    coordinator: str | None = None
    basis: str | None = None
    """What the claim rests on, as its roster says it; None: what claims of its role rest on (precedence)."""
    learned: tuple[Learned, ...] = ()
    """Everything that the organization ever claimed about the person, what it took back included."""

    def holds_on(self, day: date) -> bool:
        """Tell whether the claim holds on the day."""
        return _covers(self, day)

    def known_since(self, day: date, at: datetime) -> datetime | None:
        """Give when it was first said that the organization is responsible on the day, of what was still, or not yet, said at an instant.

        A claim that is only said anew is not new; one that was taken back before that instant and comes back after it is.
        """
        said = (one for one in self.learned if _covers(one, day) and (one.retracted_at is None or one.retracted_at > at))
        return min((one.asserted_at for one in said), default=None)


def _covers(span: Attribution | Learned, day: date) -> bool:
    return span.effective_from <= day and (span.effective_to is None or day < span.effective_to)


def is_claimed_by(organization_id: UUID, claims: Iterable[Attribution], day: date) -> bool:
    """Tell whether the organization claims the person on a day, as whatever."""
    return any(claim.organization_id == organization_id and claim.holds_on(day) for claim in claims)


def responsible_on(claims: Iterable[Attribution], day: date) -> dict[UUID, list[Attribution]]:
    """Give the claims that hold on a day by organization, each organization's in a fixed order."""
    by_organization: dict[UUID, list[Attribution]] = {}
    for claim in sorted(claims, key=lambda item: (item.organization_id, item.role, item.program, item.id)):
        if claim.holds_on(day):
            by_organization.setdefault(claim.organization_id, []).append(claim)
    return by_organization

"""Two organizations claim one person in one role at one time: nobody can say whose the follow-up is.

Roles are not exclusive among each other: a home, a PCP and a plan may all claim a person (domain section 3.4). Of the roles below
a person has one at a time. A conflict is told to both and changes nothing by itself: each is notified by its own claim, and the
operator asks the two. Not here: how conflicts are found (store/panel_conflicts).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from app.domain.attribution import Role
from app.domain.public_id import Kind, public_id

EXCLUSIVE_ROLES: Final = (Role.BEHAVIORAL_HEALTH_HOME, Role.HEALTH_HOME, Role.PCP)
"""Our policy. Two plans may cover one person (dual eligibility), and several care teams may look after one."""


@dataclass(frozen=True, slots=True)
class ConflictingClaim:
    """One claim of a conflict."""

    id: UUID
    organization_id: UUID
    program: str
    effective_from: date
    effective_to: date | None
    asserted_at: datetime


@dataclass(frozen=True, slots=True)
class PanelConflict:
    """A person and a role that more than one organization claims."""

    person_id: UUID
    role: str
    since: date
    """The first day on which more than one of the present claims holds."""
    found_at: datetime
    claims: Sequence[ConflictingClaim]
    """Those that the viewer may see: the operator all, a home its own."""

    def document(self) -> dict[str, Any]:
        """Give the JSON."""
        return {
            "person_id": public_id(Kind.PERSON, self.person_id),
            "role": self.role,
            "since": self.since,
            "found_at": self.found_at,
            "claims": [
                {
                    "id": public_id(Kind.ATTRIBUTION, claim.id),
                    "organization_id": public_id(Kind.ORGANIZATION, claim.organization_id),
                    "program": claim.program,
                    "effective_from": claim.effective_from,
                    "effective_to": claim.effective_to,
                    "asserted_at": claim.asserted_at,
                }
                for claim in self.claims
            ],
        }

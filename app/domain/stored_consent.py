"""A consent as it is on file: the form that was asserted, and what became of it. What readers of every format are shown.

Not here: what it lets go (consent), or what a form must contain (consent_form).
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.consent_form import ConsentForm


@dataclass(frozen=True, slots=True)
class StoredConsent:
    """One consent. `state` is proposed, active, refused, revoked or expired."""

    id: UUID
    person_id: UUID
    form: ConsentForm
    state: str
    in_force: bool
    asserted_at: datetime
    ends_at: datetime | None = None
    """Of an emergency or a broken glass, which is sent with `minutes`."""
    reviewed_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AssertedConsent:
    """A consent as somebody sends it: of whom, and the form."""

    person_id: UUID
    form: ConsentForm

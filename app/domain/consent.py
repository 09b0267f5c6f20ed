"""What a patient allowed or refused, in writing: whom it lets which information go to, for what, from when to when.

One noun for the consents of 42 CFR 2.31, for state forms, for refusals and for the record of a medical emergency, because the
decision (`privacy`) asks all of them the same: does it hold today, and does it reach this recipient for this purpose? Not here: what
follows from it (privacy), or what a form must contain (consent_form).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from app.domain.organization import OrganizationKind


class ConsentKind(StrEnum):
    """What sort of paper, or of fact, it is."""

    TPO = "tpo"
    """One consent for all future treatment, payment and operations (42 CFR 2.31(a)(4)(i), 2.33)."""
    NAMED = "named"
    """Names its recipients (42 CFR 2.31(a)(4)); also the form of states that do not know a general consent."""
    INTERMEDIARY = "intermediary"
    """A general designation that an intermediary passes on, to treating providers only (42 CFR 2.31(a)(4)(ii), 2.24)."""
    REFUSAL = "refusal"
    """The patient said no: opted out of the exchange (no recipients named), or restricted some (45 CFR 164.522(a))."""
    EMERGENCY = "emergency"
    """A bona fide medical emergency in which consent could not be had (42 CFR 2.51). Allows medical personnel, and never for long."""
    BREAK_GLASS = "break_glass"
    """Somebody opened a record for a stated reason. Overrides a missing opt-in; never the protection of 42 CFR part 2."""


class Category(StrEnum):
    """Which information a consent speaks of."""

    ALL = "all"
    SUBSTANCE_USE = "substance_use"
    MENTAL_HEALTH = "mental_health"
    HIV = "hiv"


class Purpose(StrEnum):
    """For what it may be used. `viewing`, apart from treatment, because some state forms allow one without the other."""

    TREATMENT = "treatment"
    PAYMENT = "payment"
    OPERATIONS = "operations"
    VIEWING = "viewing"
    """Looked up in the exchange by who was not told."""


class RecipientClass(StrEnum):
    """Recipients whom a consent names by what they are (42 CFR 2.31(a)(4)(i))."""

    TREATING_PROVIDERS = "treating_providers"
    HEALTH_PLANS = "health_plans"
    PROGRAM_HELPERS = "program_helpers"
    """People who help to operate the program."""


CLASS_KINDS: Final[Mapping[RecipientClass, frozenset[OrganizationKind]]] = {
    RecipientClass.TREATING_PROVIDERS: frozenset(
        {OrganizationKind.HOSPITAL, OrganizationKind.HEALTH_HOME, OrganizationKind.BEHAVIORAL_HEALTH_HOME}
    ),
    RecipientClass.HEALTH_PLANS: frozenset({OrganizationKind.PLAN, OrganizationKind.AGENCY}),
    RecipientClass.PROGRAM_HELPERS: frozenset({OrganizationKind.HIE}),
}

OVERRIDING: Final = frozenset({ConsentKind.EMERGENCY, ConsentKind.BREAK_GLASS})


@dataclass(frozen=True, slots=True)
class Consent:
    """One paper in force as it stands now: neither revoked, nor waiting to be reviewed."""

    id: UUID
    kind: ConsentKind
    categories: frozenset[Category]
    purposes: frozenset[Purpose]
    signed_on: date
    discloser_id: UUID | None = None
    """Who may disclose; None: whoever holds such records of the patient."""
    recipients: frozenset[UUID] = frozenset()
    recipient_classes: frozenset[RecipientClass] = frozenset()
    expires_on: date | None = None
    """The last day on which it holds."""
    ends_at: datetime | None = None
    """For an emergency or a broken glass, which last minutes."""
    scope: str = ""
    """What it lets go, in its own words: travels with what is disclosed (42 CFR 2.32(b))."""

    def holds(self, day: date, now: datetime) -> bool:
        """Tell whether it is in force."""
        return (
            self.signed_on <= day and (self.expires_on is None or day <= self.expires_on) and (self.ends_at is None or now < self.ends_at)
        )

    def speaks_of(self, category: Category) -> bool:
        """Tell whether this information is in it."""
        return Category.ALL in self.categories or category in self.categories

    def reaches(self, organization_id: UUID | None, kind: OrganizationKind) -> bool:
        """Tell whether it names this recipient, by name or by what it is. A designation through an intermediary reaches providers only."""
        if self.kind is ConsentKind.INTERMEDIARY:
            return kind in CLASS_KINDS[RecipientClass.TREATING_PROVIDERS]
        named = organization_id is not None and organization_id in self.recipients
        return named or any(kind in CLASS_KINDS[one] for one in self.recipient_classes)

    def is_of(self, facility_id: UUID | None) -> bool:
        """Tell whether it lets this place disclose."""
        return self.discloser_id is None or self.discloser_id == facility_id


NO_ID: Final = UUID(int=0)
"""Of a paper of which only what it lets go is asked, not which it is."""


def consent_of(stored: Mapping[str, Any]) -> Consent:
    """Read a paper as it is kept as JSON: names of codes, ids and days as text. What does not ask which it is leaves out `id`."""
    expires_on, ends_at, discloser_id = stored.get("expires_on"), stored.get("ends_at"), stored.get("discloser_id")
    return Consent(
        id=UUID(stored["id"]) if "id" in stored else NO_ID,
        kind=ConsentKind(stored["kind"]),
        categories=frozenset(map(Category, stored["categories"])),
        purposes=frozenset(map(Purpose, stored["purposes"])),
        signed_on=date.fromisoformat(stored["signed_on"]),
        discloser_id=UUID(discloser_id) if discloser_id else None,
        recipients=frozenset(map(UUID, stored["recipients"])),
        recipient_classes=frozenset(map(RecipientClass, stored["recipient_classes"])),
        expires_on=date.fromisoformat(expires_on) if expires_on else None,
        ends_at=datetime.fromisoformat(ends_at) if ends_at else None,
        scope=stored.get("scope", ""),
    )

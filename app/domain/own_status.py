"""A recipient's own status is sensitive too: that somebody is with a home that is a Part 2 program tells that they are its patient.

What comes of such a home (its name, programs, clocks, contacts, what its work met) has the home for its origin, as a stay has its
hospital, and passes the same decision before any other organization sees it. Not here: the decision (privacy), or the reads that ask.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.domain.consent import Consent
from app.domain.contact import Contact
from app.domain.directory import Directory
from app.domain.home_origin import origin_of_home
from app.domain.organization import Organization, OrganizationKind
from app.domain.privacy import Recipient, may_be_told, recipient_of
from app.domain.privacy_law import PrivacyLaw
from app.domain.stay_in_hand import StayInHand
from app.domain.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Asking:
    """By what it is judged who may know whose patient somebody is. Answers are kept: a page asks of one person many times."""

    directory: Directory
    law: PrivacyLaw
    now: datetime
    _known: dict[tuple[UUID, UUID | None, OrganizationKind, tuple[Consent, ...]], bool] = field(default_factory=dict)

    def may_name(self, home_id: UUID | None, reader: Recipient, consents: tuple[Consent, ...]) -> bool:
        """Tell whether the reader may know that a person, who signed this, is with a home."""
        if home_id is None or home_id not in self.directory.reserved or home_id == reader.id:
            return True
        key = (home_id, reader.id, reader.kind, consents)
        found = self._known.get(key)
        if found is None:
            home, registered = self.directory.organizations[home_id], self.directory.registrations.get(home_id, ())
            decision = may_be_told(origin_of_home(home, registered, consents, self.law, self.now), reader)
            found = self._known[key] = decision.tier.tells and not decision.conceals
        return found

    def contacts_for(self, reader: Recipient, said: Iterable[Contact], consents: tuple[Consent, ...]) -> list[Contact]:
        """Give the contacts that may show in what the reader is told: a measure that another's work met tells that there was work."""
        return [one for one in said if self.may_name(one.organization_id, reader, consents)]


def may_name(home_id: UUID | None, reader: Organization, stay: StayInHand, directory: Directory) -> bool:
    """Tell whether the reader may know that the person of a stay is with a home, by the rules by which the stay is judged."""
    if home_id is None or home_id not in directory.reserved:
        return True
    return Asking(directory, stay.law, stay.asked_at).may_name(home_id, recipient_of(reader), stay.consents)


def may_meet(left_id: UUID | None, right_id: UUID | None, stay: StayInHand, directory: Directory) -> bool:
    """Tell whether two homes may know of each other that the person is theirs: a hand-over tells both."""
    left, right = (directory.organizations.get(one) if one else None for one in (left_id, right_id))
    return (
        left is not None and right is not None and may_name(left.id, right, stay, directory) and may_name(right.id, left, stay, directory)
    )


def hidden_from(viewer: Viewer, directory: Directory) -> frozenset[UUID]:
    """Give the homes of which it has to be asked whether the viewer may know: none for the operator, and never itself."""
    return frozenset() if viewer.is_operator else directory.reserved - {viewer.organization_id}

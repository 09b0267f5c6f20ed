"""Whose records an emergency or a broken glass opens: the owner is told, by whom, for whom and until when, and never the words of why.

42 CFR 2.51(c) has the program itself record to whom it was disclosed, so who opened it is named to the owner whoever that is. Each owner is
told once of an exception: when it is recorded, or when the first stay of that owner comes while it is open. Not here: what an exception
lets go (privacy), or who looks at it afterwards (consent_form).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from app.domain.consent import OVERRIDING, Consent, ConsentKind
from app.domain.organization import Organization
from app.domain.privacy import Recipient, may_be_told, recipient_of
from app.domain.stay_in_hand import StayInHand

OPENED_MODES = frozenset({"live", "shadow", "backfill", "reported"})
"""Of a test's stays nobody is told, and so nobody of their being opened."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What one owner is told of: the stays of it that show by the exception, the newest first."""

    owner_id: UUID
    stays: tuple[StayInHand, ...]


def opened_by(exception: Consent, by: UUID | None, stays: Iterable[StayInHand], organizations: Mapping[UUID, Organization]) -> list[Opened]:
    """Give the owners of whose stays more is told with the exception than without; who recorded it itself knows."""
    found: dict[UUID, list[StayInHand]] = {}
    readers = [recipient_of(organizations[one]) for one in sorted(exception.recipients) if one in organizations]
    for stay in stays:
        owner = stay.reported_by or (stay.facility.id if stay.facility else None)
        if owner is not None and owner != by and stay.mode in OPENED_MODES and _is_opened(exception, stay, readers):
            found.setdefault(owner, []).append(stay)
    return [Opened(owner, tuple(sorted(mine, key=lambda one: one.id, reverse=True))) for owner, mine in sorted(found.items())]


def _is_opened(exception: Consent, stay: StayInHand, readers: Sequence[Recipient]) -> bool:
    """Tell whether the exception opens the stay beside those that were recorded before it: of two that both do, the first is told of."""
    earlier = tuple(one for one in stay.consents if one.kind not in OVERRIDING or one.id < exception.id)
    before, after = replace(stay, consents=earlier).origin, replace(stay, consents=(*earlier, exception)).origin
    return any(may_be_told(after, one).tier is not may_be_told(before, one).tier for one in readers)


def exceptions_of(stays: Iterable[StayInHand]) -> list[Consent]:
    """Give the emergencies and broken glasses that these stays are judged by, each once, the first recorded first."""
    found = {one.id: one for stay in stays for one in stay.consents if one.kind in OVERRIDING}
    return [found[id_] for id_ in sorted(found)]


def sentence(kind: ConsentKind) -> str:
    """Say what happened, without the words of who says so."""
    if kind is ConsentKind.EMERGENCY:
        return "a medical emergency was recorded (42 CFR 2.51): it lets these records be read without consent until it ends; it is reviewed"
    return "somebody broke the glass: it lets these records be read without the patient's opting in until it ends; it is reviewed"

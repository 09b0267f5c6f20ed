"""How much of a stay a viewer may see: all of it where it is its own, else what it may be told.

And which stays may show in what somebody reads of another stay: a clock, a measure, a rate.
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from app.domain.attribution import Attribution, is_claimed_by
from app.domain.consent import Purpose
from app.domain.directory import Directory
from app.domain.organization import OrganizationKind
from app.domain.privacy import Decision, Recipient, Tier, may_be_told, recipient_of
from app.domain.stay_in_hand import StayInHand
from app.domain.viewer import Viewer

ITS_OWN: Final = Decision(Tier.FULL, ("its own",))
_NOBODY: Final = Decision(Tier.SUPPRESS, ("nobody asks",))
_EVERYBODY: Final = Decision(Tier.FULL, ("asked for everybody",))
_OF_REPORTER_ALONE: Final = Decision(Tier.SUPPRESS, ("the news of who reported it alone",))


def seen_by(viewer: Viewer, facility_id: UUID | None, reported_by: UUID | None, stay: StayInHand, directory: Directory) -> Decision:
    """Decide what is seen: all of it by the operator, the facility and the reporter, what the rule lets see by everybody else."""
    if viewer.is_operator or viewer.organization_id in (facility_id, reported_by):
        return ITS_OWN
    organization = directory.organizations.get(viewer.organization_id) if viewer.organization_id else None
    return may_be_told(stay.origin, recipient_of(organization), Purpose.VIEWING) if organization else _NOBODY


def tier_of(viewer: Viewer, facility_id: UUID | None, reported_by: UUID | None, stay: StayInHand, directory: Directory) -> Tier:
    """Give the tier of what is seen."""
    return seen_by(viewer, facility_id, reported_by, stay, directory).tier


def is_of_reporter_alone(stay: StayInHand, claimed: Collection[Attribution]) -> bool:
    """Tell whether a stay was reported by somebody who does not claim the person: it is nobody else's news."""
    begun_at = stay.view.admitted_at or stay.view.discharged_at
    if stay.reported_by is None or begun_at is None:
        return False
    times = (begun_at, stay.view.discharged_at or begun_at)
    return not any(is_claimed_by(stay.reported_by, claimed, stay.day_of(at)) for at in times)


def may_know(reader_id: UUID | None, kind: OrganizationKind | None, stay: StayInHand, claimed: Collection[Attribution]) -> bool:
    """Tell whether a stay may show in what a reader of this kind is told of others; no reader is nobody in particular, no kind everybody.

    A stay that the reader may not be told of must not show either (42 CFR 2.13(c)). `claimed` are all claims on the person: a reader
    who sees only their own cannot judge (`follow_up.of_reporter_alone` keeps the answer for them).
    """
    return _telling(reader_id, kind, stay, claimed).tier.tells


def may_count(reader_id: UUID | None, kind: OrganizationKind | None, stay: StayInHand, claimed: Collection[Attribution]) -> bool:
    """Tell whether a stay may have a line in a measure that the reader sees: a measure's name gives away what a minimal telling hides."""
    telling = _telling(reader_id, kind, stay, claimed)
    return telling.tier.tells and not telling.conceals


def _telling(reader_id: UUID | None, kind: OrganizationKind | None, stay: StayInHand, claimed: Collection[Attribution]) -> Decision:
    if stay.reported_by not in (None, reader_id) and is_of_reporter_alone(stay, claimed):
        return _OF_REPORTER_ALONE
    return _EVERYBODY if kind is None else may_be_told(stay.origin, Recipient(kind, reader_id))

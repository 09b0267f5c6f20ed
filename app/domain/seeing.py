"""How much of a stay a viewer may see: all of it where it is its own, else what it may be told."""

from uuid import UUID

from app.domain.directory import Directory
from app.domain.privacy import Tier, may_be_told
from app.domain.stay_in_hand import StayInHand
from app.domain.viewer import Viewer


def tier_of(viewer: Viewer, facility_id: UUID | None, reported_by: UUID | None, stay: StayInHand, directory: Directory) -> Tier:
    """Give the tier: whole for the operator, the facility and the reporter, by the rule for everybody else."""
    if viewer.is_operator or viewer.organization_id in (facility_id, reported_by):
        return Tier.FULL
    organization = directory.organizations.get(viewer.organization_id) if viewer.organization_id else None
    return may_be_told(stay.origin, organization.kind).tier if organization else Tier.SUPPRESS

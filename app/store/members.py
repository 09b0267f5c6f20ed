"""Who of a panel a person is: the claims of one organization on one person. Not here: whole panels and look-ups by identifier (panels)."""

from uuid import UUID

from app.domain.viewer import Viewer
from app.store.raw import Raw


async def is_member(raw: Raw, viewer: Viewer, organization_id: UUID, person_id: UUID) -> bool:
    """Tell whether the organization's panel, as it stands, claims the person, on whatever day (ix_panel_member_person)."""
    if not viewer.is_operator and viewer.organization_id != organization_id:
        return False
    found = await raw.fetchval(
        "select exists (select 1 from panel_member where person_id = $1 and organization_id = $2 and retracted_at is null)",
        person_id,
        organization_id,
    )
    return bool(found)

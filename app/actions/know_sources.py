"""Find which hospitals' records of a person a viewer may not know of: of their stays nothing may be told, so neither may their number.

Called as the operator: a stay that the viewer's own rows do not lead to is judged like any other. Not here: the decision (domain/seeing).
"""

from uuid import UUID

from app.domain.directory import Directory
from app.domain.privacy import may_be_told, recipient_of
from app.domain.seeing import ITS_OWN, seen_by
from app.domain.viewer import Viewer
from app.store import encounters
from app.store.encounter_reads import ReadStay
from app.store.raw import Raw


async def untold_sources(raw: Raw, viewer: Viewer, person_id: UUID, *, directory: Directory, read_stay: ReadStay) -> frozenset[UUID]:
    """Give the patient records that have stays, none of which the viewer may be told of and see. One statement; none for the operator."""
    reader = directory.organizations.get(viewer.organization_id) if viewer.organization_id else None
    if viewer.is_operator or reader is None:
        return frozenset()
    tells: dict[UUID, bool] = {}
    for row in await encounters.of_people(raw, [person_id]):
        stay = read_stay(row, directory)
        seen = seen_by(viewer, stay.facility.id if stay.facility else None, stay.reported_by, stay, directory)
        # Who may look for one purpose and not be told for its own (45 CFR 164.522(a)(1)(vi)) sees no stay, and so no number of it.
        may_see = seen is ITS_OWN or (seen.tier.tells and may_be_told(stay.origin, recipient_of(reader)).tier.tells)
        tells[row.record_id] = tells.get(row.record_id, False) or may_see
    return frozenset(record for record, may_see in tells.items() if not may_see)

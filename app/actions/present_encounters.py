"""Stays as a viewer may see them now: whole for the facility, the reporter and the operator, by tier for everybody else.

Not here: finding the stays (store/encounter_reads), or the rule itself (domain/privacy).
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.domain.directory import Directory
from app.domain.privacy import Tier, may_be_told
from app.domain.public_id import Kind, public_id_or_none
from app.domain.stay_in_hand import StayInHand
from app.domain.telling import encounter_content, person_content
from app.domain.viewer import Viewer
from app.store import people
from app.store.encounter_reads import ReadStay, find_encounter
from app.store.encounters import EncounterRow
from app.store.raw import Raw


async def present_encounters(
    raw: Raw, viewer: Viewer, rows: Sequence[EncounterRow], *, directory: Directory, read_stay: ReadStay
) -> list[dict[str, Any]]:
    """Give each stay that may be seen; those that may not are left out. One statement for all of them."""
    stays = [read_stay(row, directory) for row in rows]
    seen = [(row, stay, tier) for row, stay in zip(rows, stays, strict=True) if (tier := _tier(viewer, row, stay, directory)).tells]
    records = await people.describe(raw, {row.person_id for row, _, _ in seen}) if seen else {}
    into = await _seen_targets(raw, viewer, [row for row, _, _ in seen], directory, read_stay)
    return [
        encounter_content(stay, tier)
        | {
            "source": row.source,
            "person": person_content(row.person_id, records.get(row.person_id, ()), viewer.organization_id, tier, directory),
            "reported_by": public_id_or_none(Kind.ORGANIZATION, row.reported_by),
            "folded_into": public_id_or_none(Kind.ENCOUNTER, row.folded_into if row.folded_into in into else None),
        }
        for row, stay, tier in seen
    ]


async def _seen_targets(raw: Raw, viewer: Viewer, rows: Sequence[EncounterRow], directory: Directory, read_stay: ReadStay) -> set[UUID]:
    """Give the stays that reports became part of and that the viewer may see: the id of another would tell that there is one."""
    seen = set()
    for target in {row.folded_into for row in rows if row.folded_into is not None}:
        found = await find_encounter(raw, viewer, target)
        if found is not None and _tier(viewer, found, read_stay(found, directory), directory).tells:
            seen.add(target)
    return seen


def _tier(viewer: Viewer, row: EncounterRow, stay: StayInHand, directory: Directory) -> Tier:
    if viewer.is_operator or viewer.organization_id in (row.facility_id, row.reported_by):
        return Tier.FULL
    organization = directory.organizations.get(viewer.organization_id) if viewer.organization_id else None
    return may_be_told(stay.origin, organization.kind).tier if organization else Tier.SUPPRESS

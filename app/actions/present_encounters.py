"""Stays as a viewer may see them now: whole for the facility, the reporter and the operator, by tier for everybody else.

Not here: finding the stays (store/encounter_reads), or the rule itself (domain/privacy).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from app.domain.directory import Directory
from app.domain.filed_document import SHOWN_MAX, Filed, documents_content
from app.domain.privacy import Decision, Tier, travelling
from app.domain.public_id import Kind, public_id_or_none
from app.domain.seeing import seen_by, tier_of
from app.domain.stay_in_hand import StayInHand
from app.domain.telling import encounter_content, person_content
from app.domain.viewer import Viewer
from app.store import documents, people
from app.store.audit import saw
from app.store.encounter_reads import ReadStay, find_encounter
from app.store.encounters import EncounterRow
from app.store.raw import Raw
from app.store.sources import know_sources


async def present_encounters(
    raw: Raw, viewer: Viewer, rows: Sequence[EncounterRow], *, directory: Directory, read_stay: ReadStay, with_documents: bool = False
) -> list[dict[str, Any]]:
    """Give each stay that may be seen; those that may not are left out. A fixed number of statements for all of them.

    `with_documents` adds the pointers to those that are seen whole, and whether there is a discharge summary.
    """
    stays = [read_stay(row, directory) for row in rows]
    seen = [
        (row, stay, decision)
        for row, stay in zip(rows, stays, strict=True)
        if (decision := seen_by(viewer, row.facility_id, row.reported_by, stay, directory)).tier.tells
    ]
    saw(row.person_id for row, _, _ in seen)
    records = await people.describe(raw, {row.person_id for row, _, _ in seen}) if seen else {}
    told_of = [(row.person_id, row.record_id) for row, _, _ in seen]
    sources = await know_sources(raw, records, told_of, directory=directory, read_stay=read_stay)
    into = await _seen_targets(raw, viewer, [row for row, _, _ in seen], directory, read_stay)
    whole = [row.id for row, _, decision in seen if decision.tier is Tier.FULL]
    is_own = viewer.is_operator or all(row.facility_id == viewer.organization_id for row, _, _ in seen)
    filed = await documents.of_stays(raw, whole, most=SHOWN_MAX, with_restricted=is_own) if with_documents and whole else {}
    return [
        _content(stay, decision, filed.get(row.id, Filed()) if with_documents else None)
        | {
            "source": row.source,
            "person": person_content(row.person_id, sources.seen(row.person_id, viewer), viewer.organization_id, decision.tier, directory),
            "reported_by": public_id_or_none(Kind.ORGANIZATION, row.reported_by),
            "folded_into": public_id_or_none(Kind.ENCOUNTER, row.folded_into if row.folded_into in into else None),
        }
        for row, stay, decision in seen
    ]


def _content(stay: StayInHand, decision: Decision, filed: Filed | None) -> dict[str, Any]:
    """Give a stay with its documents; a list, which has not looked for any, does not say whether there is a summary either."""
    return _stay_content(stay, decision.tier, filed) | travelling(decision)


def _stay_content(stay: StayInHand, tier: Tier, filed: Filed | None) -> dict[str, Any]:
    if filed is None or tier is not Tier.FULL:
        content = encounter_content(stay, tier)
        content.pop("has_discharge_summary", None)
        return content
    papers = {"documents": documents_content(filed), "documents_total": filed.total}
    return encounter_content(replace(stay, has_summary=bool(filed.facts)), tier) | papers


async def _seen_targets(raw: Raw, viewer: Viewer, rows: Sequence[EncounterRow], directory: Directory, read_stay: ReadStay) -> set[UUID]:
    """Give the stays that reports became part of and that the viewer may see: the id of another would tell that there is one."""
    seen = set()
    for target in {row.folded_into for row in rows if row.folded_into is not None}:
        found = await find_encounter(raw, viewer, target)
        if found is not None and tier_of(viewer, found.facility_id, found.reported_by, read_stay(found, directory), directory).tells:
            seen.add(target)
    return seen

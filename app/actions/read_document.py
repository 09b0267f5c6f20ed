"""The bytes of a document for whoever may see the whole of its stay: the hospital, the operator, and who is told of it in full.

Asked at every read, as everything else is. Who may not see it is told nothing, not even that it is there. Not here: HTTP, and reading
the message (the reader of its format).
"""

from dataclasses import dataclass
from uuid import UUID

from app.domain.directory import Directory
from app.domain.document import ContentPlace, DocumentView, view
from app.domain.organization import COVERING_KINDS
from app.domain.privacy import Decision, Tier, may_be_told, recipient_of
from app.domain.seeing import ITS_OWN, seen_by
from app.domain.viewer import Viewer
from app.store import documents
from app.store.audit import saw
from app.store.documents import DocumentRow
from app.store.encounter_reads import ReadStay, find_encounter, rows_behind
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class Located:
    """Where the bytes are that may be read."""

    message_id: UUID
    content: ContentPlace
    decision: Decision
    """By which it is read: its labels, notices and scope travel with the bytes (42 CFR 2.32)."""


async def locate_document(raw: Raw, viewer: Viewer, document_id: UUID, *, directory: Directory, read_stay: ReadStay) -> Located | None:
    """Find the bytes of a document, if there are any and the viewer may read them."""
    row = await documents.one(raw, document_id)
    seen = view(row.said) if row is not None else None
    if row is None or seen is None or seen.content is None or seen.content_message is None or not seen.has_content:
        return None
    decision = await _decision(raw, viewer, row, seen, directory, read_stay)
    if decision is None:
        return None
    saw([] if row.person_id is None else [row.person_id])
    return Located(seen.content_message, seen.content, decision)


async def _decision(
    raw: Raw, viewer: Viewer, row: DocumentRow, seen: DocumentView, directory: Directory, read_stay: ReadStay
) -> Decision | None:
    """Give the decision that lets the viewer read it; None where none does."""
    if viewer.is_operator or (viewer.organization_id is not None and viewer.organization_id == row.facility_id):
        return ITS_OWN
    if seen.is_restricted or seen.visit is None:
        return None
    stays = await documents.stays_of(raw, row, seen.visit)
    for stay_id in stays:
        found = await find_encounter(raw, viewer, stay_id)
        decision = seen_by(viewer, None, None, read_stay(found, directory), directory) if found is not None else None
        if decision is not None and decision.tier is Tier.FULL:
            return decision
    return await _follows_up(raw, viewer, stays, directory, read_stay)


async def _follows_up(raw: Raw, viewer: Viewer, stays: list[UUID], directory: Directory, read_stay: ReadStay) -> Decision | None:
    """Give the decision on one of the stays whose home is told of it in full, where the viewer works on its follow-up.

    A plan or an agency reads the status of others' follow-ups alone, also of those that it was granted (present_follow_ups).
    """
    own = directory.organizations.get(viewer.organization_id) if viewer.organization_id is not None else None
    is_status_only = own is not None and own.kind in COVERING_KINDS
    homes = await documents.followed_up_by(raw, stays, viewer.organization_id) if stays else {}
    rows = await rows_behind(raw, viewer, homes) if homes else {}
    decisions = (
        may_be_told(read_stay(row, directory).origin, recipient_of(directory.organizations[home]))
        for stay_id, row in rows.items()
        for home in homes[stay_id]
        if home in directory.organizations and not (is_status_only and home != viewer.organization_id)
    )
    return next((one for one in decisions if one.tier is Tier.FULL), None)

"""Find which follow-ups of protected homes a payer may read: asked of the decision at every read, for the people who signed something.

Whoever may not know of a home reads the follow-up of nobody in its place, which is stored like any other: the same fields, the same
counts, the same pages. Not here: the rule (domain/own_status).
"""

from datetime import datetime
from uuid import UUID

from app.domain.directory import Directory
from app.domain.organization import COVERING_KINDS
from app.domain.own_status import Asking, hidden_from
from app.domain.privacy import recipient_of
from app.domain.rulebook import Rulebook
from app.domain.viewer import Viewer
from app.store.follow_up_reads import EVERY_HOME, KnownHomes
from app.store.known_homes import reserved_follow_ups
from app.store.raw import Raw


async def know_homes(
    raw: Raw, viewer: Viewer, directory: Directory, rulebook: Rulebook, now: datetime, *, person_id: UUID | None = None
) -> KnownHomes:
    """Give what narrows the follow-ups that a viewer reads. No statement where no home is protected, or the viewer covers nobody."""
    if viewer.is_operator:
        return KnownHomes(directory.reserved, frozenset())
    reader = directory.organizations.get(viewer.organization_id) if viewer.organization_id else None
    reserved = hidden_from(viewer, directory)
    if reader is None or reader.kind not in COVERING_KINDS or not reserved:
        return EVERY_HOME
    known, recipient = Asking(directory, rulebook.privacy, now), recipient_of(reader)
    found = await reserved_follow_ups(raw, viewer, reserved, person_id)
    return KnownHomes(reserved, frozenset(one.id for one in found if known.may_name(one.home_id, recipient, one.consents)))

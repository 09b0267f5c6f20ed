"""Follow-ups of homes whose own status is protected, of people who signed something: of these alone it is asked who may know.

Not here: the answer (actions/know_homes), or how a page is narrowed by it (follow_up_reads).
"""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from app.domain.consent import Consent
from app.domain.viewer import Viewer
from app.store.consents import signed_of, signed_papers
from app.store.raw import Raw


class ReservedFollowUp(NamedTuple):
    """One that the viewer may read if the person's papers let it know of the home."""

    id: UUID
    home_id: UUID
    consents: tuple[Consent, ...]


_RESERVED = f"""
select f.id, f.home_id, {signed_papers("f")}
from follow_up f
where f.home_id = any($2::uuid[]) and ($3::uuid is null or f.person_id = $3)
    and exists (select 1 from panel_member m where m.person_id = f.person_id and m.organization_id = $1 and m.retracted_at is null)
    and exists (select 1 from consent c where c.person_id = f.person_id and c.state = 'active')
"""


async def reserved_follow_ups(raw: Raw, viewer: Viewer, homes: Collection[UUID], person_id: UUID | None) -> list[ReservedFollowUp]:
    """Give those of these homes about people of the viewer's panel who signed something (ix_follow_up_worklist, ix_follow_up_person)."""
    rows = await raw.fetch(_RESERVED, viewer.organization_id, list(homes), person_id)
    return [ReservedFollowUp(row["id"], row["home_id"], signed_of(row["consents"])) for row in rows]

"""Documents that found no stay: nobody sees them with one. For who sends them, and for the operator; what they say is not shown here.

They are joined where they are read (documents), so a document leaves this list when its stay comes. Not here: what a document is.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from app.domain.document import view
from app.domain.viewer import Viewer
from app.store.raw import Raw

LOOKED_AT_MAX = 10_000
"""Our policy: of so many documents, the newest, those without a stay are looked for. Each costs a look at the stays of one person."""

# `offset 0` keeps the look at each document one by the person's stays (ix_encounter_person); documents come by pk_document.
_UNFILED = f"""
select d.id, d.facility_id, d.received_at, d.mode, d.visit_key is not null as is_named, d.said
from (
    select * from document where ($1::uuid is null or facility_id = $1) order by id desc limit {LOOKED_AT_MAX}
) d
where d.mode <> 'test' and not exists (
    select 1 from (select * from encounter e where e.person_id = d.person_id offset 0) s
    where s.facility_id = d.facility_id and s.source = 'adt' and (
        s.visit_authority || '|' || s.visit_number = d.visit_key
        or (s.account = d.visit_key and s.folded_into is null and not exists (
            select 1 from encounter o
            where o.facility_id = s.facility_id and o.account = s.account and o.id <> s.id and o.folded_into is null)))
)
order by d.id desc limit $2
"""


@dataclass(frozen=True, slots=True)
class UnfiledDocument:
    """A document without a stay."""

    id: UUID
    facility_id: UUID
    message_id: UUID | None
    """The message that has its bytes, where there are any."""
    received_at: datetime
    type_code: str | None
    reason: str
    """`no_number`: the message names no stay; `no_stay`: this person has no stay of that number, or several share it."""


async def unfiled_documents(raw: Raw, viewer: Viewer, *, limit: int) -> list[UnfiledDocument]:
    """Give the newest documents of the viewer's facility that found no stay; the operator's are all."""
    if not viewer.is_operator and viewer.organization_id is None:
        return []
    found = []
    for row in await raw.fetch(_UNFILED, None if viewer.is_operator else viewer.organization_id, limit):
        seen = view(orjson.loads(row["said"]) if isinstance(row["said"], str) else row["said"])
        if seen is not None:
            reason = "no_stay" if row["is_named"] else "no_number"
            message = seen.content_message
            found.append(UnfiledDocument(row["id"], row["facility_id"], message, row["received_at"], seen.type_code, reason))
    return found

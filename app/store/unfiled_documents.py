"""Documents that found no stay: nobody sees them with one. For who sends them, and for the operator; what they say is not shown here.

They are joined where they are read (documents), so a document leaves this list when its stay comes. Not here: what a document is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from app.domain.document import view
from app.domain.viewer import Viewer
from app.store.raw import Raw

LOOKED_AT_MAX = 10_000
"""Our policy: of so many documents a page looks for those without a stay; the next page goes on below. Each costs a look at the stays
of one person."""
_NEWEST = UUID(int=2**128 - 1)

# `offset 0` keeps the look at each document one by the person's stays (ix_encounter_person); documents come in the order of their ids,
# of one facility by ix_document_facility, of all by pk_document. The line without a document says how far the page looked.
_UNFILED = """
with looked as materialized (
    select id, facility_id, person_id, visit_key, mode from document where id < $1 {of_facility} order by id desc limit {most}
), unfiled as (
    select d.id from looked d
    where d.mode <> 'test' and not exists (
        select 1 from (select * from encounter e where e.person_id = d.person_id offset 0) s
        where s.facility_id = d.facility_id and s.source = 'adt' and (
            s.visit_authority || '|' || s.visit_number = d.visit_key
            or (s.account = d.visit_key and s.folded_into is null and not exists (
                select 1 from encounter o
                where o.facility_id = s.facility_id and o.account = s.account and o.id <> s.id and o.folded_into is null)))
    )
    order by d.id desc limit $2
)
select d.id, d.facility_id, d.received_at, d.visit_key is not null as is_named, d.said
from unfiled u join document d on d.id = u.id
union all
select (select id from looked order by id limit 1), null, null, (select count(*) = {most} from looked), null
order by id desc
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


@dataclass(frozen=True, slots=True)
class UnfiledPage:
    """Some of them, the newest first."""

    documents: Sequence[UnfiledDocument] = ()
    below: UUID | None = None
    """Where the next page goes on; None: every document was looked at."""


async def unfiled_documents(raw: Raw, viewer: Viewer, *, after: UUID | None, limit: int) -> UnfiledPage:
    """Give documents of the viewer's facility that found no stay; the operator's are all. A page may be empty and have a next one."""
    if not viewer.is_operator and viewer.organization_id is None:
        return UnfiledPage()
    values = [after or _NEWEST, limit + 1] + ([] if viewer.is_operator else [viewer.organization_id])
    of_facility = "" if viewer.is_operator else "and facility_id = $3"
    found: list[UnfiledDocument] = []
    below = None
    for row in await raw.fetch(_UNFILED.format(of_facility=of_facility, most=LOOKED_AT_MAX), *values):
        if row["facility_id"] is None:
            below = row["id"] if row["is_named"] else None
            continue
        seen = view(orjson.loads(row["said"]) if isinstance(row["said"], str) else row["said"])
        if seen is not None:
            reason = "no_stay" if row["is_named"] else "no_number"
            message = seen.content_message
            found.append(UnfiledDocument(row["id"], row["facility_id"], message, row["received_at"], seen.type_code, reason))
    shown = found[:limit]
    return UnfiledPage(shown, shown[-1].id if len(found) > limit else below)

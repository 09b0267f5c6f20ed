"""Panels as groups: which there are, a page of their members, and what a panel says of one member. As the viewer, under the policy.

Not here: what a member's change is (domain/panel_group), loading (panel_stage).
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import orjson

from app.domain.adt_event import Identifier
from app.domain.panel_group import DROPPED_SHOWN, GroupMember, PanelGroup
from app.domain.person import NO_AUTHORITY
from app.domain.viewer import Viewer
from app.store.panel_standings import LAST, VISIBLE
from app.store.raw import Raw

_GROUPS: Final = """
select o.id, o.name, o.npi, l.id as upload_id, l.uploaded_at, (s.figures ->> 'members')::int as members
from organization o {last}
where {visible} and o.id > $2 and ($3::uuid[] is null or o.id = any($3)) and ($4::text is null or o.npi = $4)
    and ($5::text is null or starts_with(lower(o.name), lower($5)))
order by o.id limit $6
"""

# In the order of ix_panel_member_current; what came before is found by the person (ix_panel_member_person).
_MEMBER: Final = """
select m.id, m.person_id, m.program, m.role, m.effective_from, m.effective_to, m.plan_id, m.row, m.upload_id, exists (
    select from panel_member o where o.person_id = m.person_id and o.organization_id = m.organization_id
        and o.row_key = m.row_key and o.retracted_at is not null) as has_past
from panel_member m
"""
_MEMBERS: Final = f"""
{_MEMBER}
where m.organization_id = $1 and m.retracted_at is null and m.id > $2
    and (m.effective_to is null or (m.effective_to > $3 and m.effective_to > m.effective_from))
order by m.id limit $4
"""
_OF_PERSON: Final = f"""
{_MEMBER}
where m.organization_id = $1 and m.person_id = $2 and m.retracted_at is null order by m.effective_from, m.id
"""
# Only by what this panel's own records say: a number that a hospital gave names nobody here. Null: under whichever system.
_BY_NUMBER: Final = f"""
{_MEMBER}
where m.organization_id = $1 and m.retracted_at is null and m.record_id in (
    select i.record_id from record_identifier i join patient_record r on r.id = i.record_id
    where i.value = $2 and ($3::text[] is null or i.authority = any($3)) and r.source = $1::text
)
order by m.effective_from, m.id
"""


async def read_groups(
    raw: Raw,
    viewer: Viewer,
    *,
    ids: Sequence[UUID] | None = None,
    npi: str | None = None,
    name: str | None = None,
    after: UUID | None = None,
    limit: int = 100,
) -> list[PanelGroup]:
    """Give a page of the panels that the viewer may see and that fit; `name` is a beginning, in any case."""
    query = _GROUPS.format(last=LAST, visible="$1::uuid is null" if viewer.is_operator else VISIBLE)
    wanted = None if ids is None else list(ids)
    rows = await raw.fetch(query, viewer.organization_id, after or UUID(int=0), wanted, npi, name, limit)
    return [PanelGroup(*row.values()) for row in rows]


async def read_members(raw: Raw, organization_id: UUID, today: date, *, after: UUID | None = None, limit: int = 100) -> list[GroupMember]:
    """Give a page of a panel's members, with those who left not long ago. The policy says whose panels are seen."""
    rows = await raw.fetch(_MEMBERS, organization_id, after or UUID(int=0), today - DROPPED_SHOWN, limit)
    return [_member(row) for row in rows]


async def held_of(raw: Raw, organization_id: UUID, member: Identifier | None, person_id: UUID | None) -> list[GroupMember]:
    """Give what a panel says of the one who is named so, oldest first; what is over too.

    A number without its system is the panel's own, or else that of whichever system: then it may be that of several people.
    """
    if member is None:
        return [_member(row) for row in await raw.fetch(_OF_PERSON, organization_id, person_id)]
    own = [member.authority.upper()] if member.authority else [NO_AUTHORITY, str(organization_id).upper()]
    rows = await raw.fetch(_BY_NUMBER, organization_id, member.value, own)
    if not rows and not member.authority:
        rows = await raw.fetch(_BY_NUMBER, organization_id, member.value, None)
    return [_member(row) for row in rows]


def _member(row: Any) -> GroupMember:  # noqa: ANN401 - a row of _MEMBER
    cells = row["row"]
    return GroupMember(
        row["id"],
        row["person_id"],
        row["program"],
        row["role"],
        row["effective_from"],
        row["effective_to"],
        row["plan_id"],
        orjson.loads(cells) if isinstance(cells, str) else cells,
        row["upload_id"],
        row["has_past"],
    )

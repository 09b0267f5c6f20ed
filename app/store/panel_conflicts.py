"""Who is claimed by two organizations of one role: found in the background, one row an organization, read page by page.

Stored, because an organization may see its own claims only: the row tells it that its member is claimed by another too, and row-level
security keeps from it by whom; the operator sees the rows of all. Not here: which roles a person has one of (domain/panel_conflict).
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from app.domain.panel_conflict import ConflictingClaim, PanelConflict
from app.domain.viewer import Viewer
from app.store.raw import Raw


async def found_for(raw: Raw) -> bytes | None:
    """Give the mark of the state of all panels for which conflicts were last found."""
    mark: bytes | None = await raw.fetchval("select conflicts_of from panel_watch where id = 1")
    return mark


# In the order of people (ix_panel_member_person), so that the panels of a million are grouped without being sorted.
_FIND: Final = """
with claimed as (
    select person_id, role, organization_id, min(effective_from) as since
    from panel_member
    where retracted_at is null and effective_from <= $1 and (effective_to is null or effective_to > $1) and role = any($2::text[])
    group by person_id, organization_id, role
), doubled as (
    select person_id, role, (array_agg(since order by since))[2] as since from claimed group by person_id, role having count(*) > 1
), found as (
    select c.person_id, c.role, c.organization_id, d.since, exists (
        select from claimed o where o.person_id = c.person_id and o.role = c.role and o.organization_id <> c.organization_id
            and o.organization_id <> all($4::uuid[])) as is_told
    from doubled d join claimed c on c.person_id = d.person_id and c.role = d.role
), over as (
    delete from panel_conflict p
    where not exists (select from found f where f.person_id = p.person_id and f.role = p.role and f.organization_id = p.organization_id)
)
insert into panel_conflict as p (person_id, role, organization_id, since, found_at, is_told)
select person_id, role, organization_id, since, $3, is_told from found order by person_id, role, organization_id
on conflict (person_id, role, organization_id) do update set since = excluded.since, is_told = excluded.is_told
where (p.since, p.is_told) <> (excluded.since, excluded.is_told)
"""


async def find_conflicts(raw: Raw, day: date, roles: Sequence[str], mark: bytes, now: datetime, reserved: Collection[UUID] = ()) -> None:
    """Bring the conflicts up to date for the panels as they are on a day, and keep the mark.

    `reserved` are the homes whose own status is protected: that one of them claims the person too is told to nobody but the operator.
    """
    await raw.execute(_FIND, day, list(roles), now, list(reserved))
    await raw.execute(
        "insert into panel_watch (id, conflicts_of, conflicts_at) values (1, $1, $2) "
        "on conflict (id) do update set conflicts_of = excluded.conflicts_of, conflicts_at = excluded.conflicts_at",
        mark,
        now,
    )


# Of one organization by ix_panel_conflict_organization, of all by the primary key.
_PAGE: Final = """
select c.person_id, c.role, max(c.since) as since, min(c.found_at) as found_at
from panel_conflict c
where {whose} and ($2::text is null or c.role = $2) and c.person_id >= $3 and (c.person_id > $3 or c.role > $4)
group by c.person_id, c.role order by c.person_id, c.role limit $5
"""

# The claims of those who are in conflict, as far as they may be seen (ix_panel_member_person).
_CLAIMS: Final = """
select m.person_id, m.role, m.id, m.organization_id, m.program, m.effective_from, m.effective_to, m.asserted_at
from panel_conflict c
join panel_member m on m.person_id = c.person_id and m.organization_id = c.organization_id and m.role = c.role
where c.person_id = any($1::uuid[]) and m.person_id = any($1::uuid[])
    and m.retracted_at is null and m.effective_from <= $2 and (m.effective_to is null or m.effective_to > $2)
    and {whose}
"""
_ITS_OWN: Final = (
    "c.is_told and (c.organization_id = {viewer} or exists (select from organization_grant g "
    "where g.organization_id = c.organization_id and g.grantee_id = {viewer}))"
)


async def read_conflicts(
    raw: Raw,
    viewer: Viewer,
    day: date,
    *,
    organization_id: UUID | None = None,
    role: str | None = None,
    after: tuple[UUID, str] | None = None,
    limit: int = 100,
) -> list[PanelConflict]:
    """Give a page of people and roles in conflict, of everybody or of one organization, with the claims that the viewer may see."""
    whose = "c.organization_id = $1" if organization_id is not None else "$1::uuid is null"
    if not viewer.is_operator:
        whose = f"{whose} and {_ITS_OWN.format(viewer='$6')}"
    values: list[object] = [organization_id, role, *(after or (UUID(int=0), "")), limit]
    rows = await raw.fetch(_PAGE.format(whose=whose), *values, *([] if viewer.is_operator else [viewer.organization_id]))
    if not rows:
        return []
    claims: dict[tuple[UUID, str], list[ConflictingClaim]] = {(row["person_id"], row["role"]): [] for row in rows}
    seen_by = "true" if viewer.is_operator else _ITS_OWN.format(viewer="$3")
    people = list({row["person_id"] for row in rows})
    of_people = await raw.fetch(
        _CLAIMS.format(whose=seen_by), people, day, *([] if viewer.is_operator else [viewer.organization_id])
    )  # fmt: skip
    for claim in sorted(of_people, key=lambda row: (row["organization_id"], row["effective_from"], row["id"])):
        person_id, its_role, *rest = claim.values()
        if (person_id, its_role) in claims:
            claims[person_id, its_role].append(ConflictingClaim(*rest))
    return [
        PanelConflict(row["person_id"], row["role"], row["since"], row["found_at"], claims[row["person_id"], row["role"]]) for row in rows
    ]


async def counted(raw: Raw) -> dict[str, int]:
    """Count the people in conflict by role, for the metrics."""
    rows = await raw.fetch("select role, count(distinct person_id) from panel_conflict group by role")
    return {row[0]: row[1] for row in rows}

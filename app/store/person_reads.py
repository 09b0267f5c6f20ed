"""One person, for whoever may look: history and claims, each narrowed to what the viewer may see. Row-level security asks again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from app.domain.viewer import Viewer
from app.store.matches import grounds_of
from app.store.raw import Raw

_CHAIN_MAX = 20
"""Longer chains of people who became one another are a defect, and end here."""

_LAST = f"""
with recursive chain(id, merged_into, step) as (
    select id, merged_into, 1 from person where id = $1
    union all select p.id, p.merged_into, step + 1 from chain c join person p on p.id = c.merged_into
    where step < {_CHAIN_MAX} and not exists (select 1 from patient_record r where r.person_id = c.id)
)
select id from chain order by step desc limit 1
"""


async def present_person(raw: Raw, person_id: UUID) -> UUID | None:
    """Give whose records those of this person are now; None when there never was such a person."""
    found = await raw.fetchval(_LAST, person_id)
    return UUID(str(found)) if found is not None else None


async def former_ids(raw: Raw, person_id: UUID) -> list[UUID]:
    """Give the people who became this one (ix_record_move_to_person_id), as far as they have no records of their own again."""
    rows = await raw.fetch(
        "select distinct v.from_person_id as id from record_move v where v.to_person_id = $1"
        " and not exists (select 1 from patient_record r where r.person_id = v.from_person_id) order by 1",
        person_id,
    )
    return [row["id"] for row in rows]


_RECORDS_THEN = """
select r.id from patient_record r
where r.id in (select id from patient_record where person_id = $1
               union select record_id from record_move where from_person_id = $1 and moved_at > $2)
and coalesce(
    (select v.from_person_id from record_move v where v.record_id = r.id and v.moved_at > $2 order by v.id limit 1), r.person_id
) = $1
"""
_BECAME = "select to_person_id from record_move where from_person_id = $1 and moved_at <= $2 order by id desc limit 1"


async def records_then(raw: Raw, person_id: UUID, known_at: datetime) -> list[UUID]:
    """Give the records that were held to be of this person at an instant, or of whom that person had become by then. As the operator.

    By ix_record_move_from_person_id and ix_record_move_record_id.
    """
    asked: UUID | None = person_id
    for _ in range(_CHAIN_MAX):
        rows = await raw.fetch(_RECORDS_THEN, asked, known_at)
        if rows:
            return [row["id"] for row in rows]
        asked = await raw.fetchval(_BECAME, asked, known_at)
        if asked is None:
            break
    return []


@dataclass(frozen=True, slots=True)
class Move:
    """A record that went from one person to another."""

    record_id: UUID
    from_person_id: UUID
    to_person_id: UUID
    moved_at: datetime
    reasons: tuple[str, ...]


async def moves_of(raw: Raw, person_id: UUID, records: Sequence[UUID], limit: int) -> list[Move]:
    """Give the newest moves to, from or of (ix_record_move_to_person_id, _from_person_id, _record_id). The operator's view only."""
    rows = await raw.fetch(
        "select * from (select * from record_move where to_person_id = $1 union select * from record_move where from_person_id = $1"
        " union select * from record_move where record_id = any($2::uuid[])) as m order by id desc limit $3",
        person_id,
        list(records),
        limit,
    )
    return [
        Move(row["record_id"], row["from_person_id"], row["to_person_id"], row["moved_at"], tuple(map(str, grounds_of(row["reasons"]))))
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of an organization's panel on the person."""

    id: UUID
    organization_id: UUID
    program: str
    role: str
    effective_from: date
    effective_to: date | None
    coordinator: str | None
    plan_id: str | None
    asserted_at: datetime
    retracted_at: datetime | None


async def claims_on(
    raw: Raw,
    viewer: Viewer,
    person_id: UUID,
    as_of: date | None,
    known_at: datetime | None,
    limit: int,
    *,
    records: Sequence[UUID] | None = None,
) -> list[Claim]:
    """Give the viewer's own claims on the person, everybody's for the operator, newest first (ix_panel_member_person).

    On a day: those that hold then; as known at an instant: those that stood then, on the `records` that were the person's then, whoever
    has them now. Without either: every claim there ever was.
    """
    rows = await raw.fetch(
        "select id, organization_id, program, role, effective_from, effective_to, coordinator, plan_id, asserted_at, retracted_at"
        f" from panel_member where {'person_id = $1' if records is None else 'record_id = any($1::uuid[])'}"
        " and ($2::uuid is null or organization_id = $2)"
        " and ($3::date is null or (effective_from <= $3 and (effective_to is null or effective_to > $3)))"
        " and case when $4::timestamptz is not null then asserted_at <= $4 and (retracted_at is null or retracted_at > $4)"
        " else $3::date is null or retracted_at is null end"
        " order by id desc limit $5",
        person_id if records is None else list(records),
        None if viewer.is_operator else viewer.organization_id,
        as_of,
        known_at,
        limit,
    )
    return [Claim(**row) for row in rows]

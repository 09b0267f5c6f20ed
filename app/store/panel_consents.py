"""Consents of a whole panel: whom they would be of, asserting and deciding them step by step, and what is on file. No statement a member.

Each step is one statement over a thousand members. Not here: consents one by one (consent_records), those of a roster's rows
(roster_consents).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from app.domain.panel import CLAIM_ID_DIGITS, claim_id_prefix
from app.domain.panel_consent import PanelPaper, PaperFilter
from app.store.audit import saw
from app.store.raw import Raw

OpenTransaction = Callable[[], AbstractAsyncContextManager[Raw]]
"""Opens a transaction as the operator: papers of others decide too."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member as its panel's owner names them."""

    record_id: UUID
    person_id: UUID
    number: str
    birth_date: str | None


_NOT_OVER = "m.organization_id = $1 and m.retracted_at is null and (m.effective_to is null or m.effective_to > $2)"
_MEMBERS = f"""
select distinct on (r.person_id, r.id) r.id as record_id, r.person_id, r.value, m.row ->> 'birth_date' as birth_date
from panel_member m join patient_record r on r.id = m.record_id
where {_NOT_OVER} and ($3::text[] is null or r.value = any($3))
order by r.person_id, r.id
"""


async def members(raw: Raw, organization_id: UUID, day: date, numbers: Sequence[str] | None) -> list[Member]:
    """Give whom the panel claims today or from a later day on: all, or those whom its roster names by these numbers.

    One pass over the panel (ix_panel_member_current).
    """
    rows = await raw.fetch(_MEMBERS, organization_id, day, None if numbers is None else list(numbers))
    return [Member(*row.values()) for row in rows]


# The same paper asserted again is there, as in roster_consents. Whose the record is by now is read under the lock of the caller.
_NEW = """
from unnest($1::uuid[]) as k(id) join patient_record r on r.id = k.id
where not exists (select from consent c where c.record_id = r.id and c.recorded_by = $2 and c.kind = $3 and c.signed_on = $4
    and c.expires_on is not distinct from $5 and c.document_id is not distinct from $6)
"""
_COUNT = f"select count(*) {_NEW}"
_ASSERT = f"""
insert into consent (id, person_id, record_id, recorded_by, kind, categories, purposes, recipients, recipient_classes, scope, signed_on,
    signed_by, signature, expires_on, expires_upon, statements, document_id, source, state, asserted_at)
select ($7 || lpad(to_hex(row_number() over (order by r.id)), {CLAIM_ID_DIGITS}, '0'))::uuid, r.person_id, r.id, $2, $3, '{{all}}',
    case when $3 = 'refusal' then '{{}}'::text[] else '{{treatment,payment,operations,viewing}}' end,
    case when $3 = 'refusal' then '{{}}'::uuid[] else array[$2::uuid] end,
    case when $3 = 'tpo' then '{{treating_providers}}'::text[] else '{{}}' end, $8, $4, 'patient', 'written', $5,
    case when $5::date is null then 'none' end, '{{}}', $6, 'panel', $9, $10
{_NEW}
returning person_id
"""


async def count_new(raw: Raw, records: Sequence[UUID], owner_id: UUID, paper: PanelPaper) -> int:
    """Count of how many of these records the paper is not on file (ix_consent_record)."""
    found: int = await raw.fetchval(_COUNT, list(records), *_key(owner_id, paper))
    return found


async def assert_of(
    raw: Raw, records: Sequence[UUID], owner_id: UUID, paper: PanelPaper, *, state: str, id_: UUID, now: datetime
) -> tuple[int, list[UUID]]:
    """Record the paper of these records, as its owner asserts it; how many it was new to, and whose (ix_consent_record). One statement."""
    rows = await raw.fetch(_ASSERT, list(records), *_key(owner_id, paper), claim_id_prefix(id_), paper.scope, state, now)
    return _counted(rows)


def _key(owner_id: UUID, paper: PanelPaper) -> tuple[Any, ...]:
    return owner_id, paper.kind.value, paper.signed_on, paper.expires_on, paper.document_id


@dataclass(frozen=True, slots=True)
class Waiting:
    """A paper that waits to be reviewed."""

    id: UUID
    person_id: UUID


_WAITING = """
select c.id, c.person_id from consent c
where c.recorded_by = $1 and c.state = 'proposed' and ($2::text is null or c.kind = $2) and ($3::date is null or c.signed_on = $3)
    and ($4::text is null or c.document_id = $4) and ($5::timestamptz is null or c.asserted_at <= $5)
order by c.person_id, c.id
"""


async def waiting(raw: Raw, owner_id: UUID, wanted: PaperFilter) -> list[Waiting]:
    """Give the papers of a panel's owner that wait, in the order of the people's locks (ix_consent_proposed)."""
    rows = await raw.fetch(
        _WAITING, owner_id, wanted.kind.value if wanted.kind else None, wanted.signed_on, wanted.document_id, wanted.asserted_until
    )
    return [Waiting(*row.values()) for row in rows]


async def review(raw: Raw, consents: Sequence[UUID], *, accept: bool, note: str | None, now: datetime) -> tuple[int, list[UUID]]:
    """Decide papers that wait, once each; give how many, and whose they were by the time of it (pk_consent). One statement."""
    rows = await raw.fetch(
        "update consent set state = $2, reviewed_at = $3, review_note = $4 where id = any($1::uuid[]) and state = 'proposed' "
        "returning person_id",
        list(consents),
        "active" if accept else "refused",
        now,
        note,
    )
    return _counted(rows)


def _counted(rows: Sequence[Any]) -> tuple[int, list[UUID]]:
    people = sorted({row["person_id"] for row in rows})
    saw(people)
    return len(rows), people


# Who has signed the same by the same papers is decided once. An emergency lasts minutes and says nothing of a panel.
_SIGNED = f"""
with member as (
    select distinct m.person_id from panel_member m where {_NOT_OVER}
), paper as (
    select c.* from member p join consent c on c.person_id = p.person_id and c.state = 'active'
    union all
    select c.* from consent c join member p on p.person_id = c.person_id where c.recorded_by = $1 and c.state = 'proposed'
), signed as (
    select c.person_id, jsonb_agg(jsonb_build_object('kind', c.kind, 'state', c.state, 'categories', c.categories, 'purposes', c.purposes,
        'signed_on', c.signed_on, 'discloser_id', c.discloser_id, 'recipients', c.recipients, 'recipient_classes', c.recipient_classes,
        'expires_on', c.expires_on) order by c.state, c.kind, c.signed_on, c.id) as papers
    from paper c
    where c.kind not in ('emergency', 'break_glass')
        and ($3::uuid is null or c.recorded_by = $3 or c.discloser_id = $3 or (c.state = 'active' and $3 = any(c.recipients)))
    group by c.person_id
)
select s.papers::text as papers, count(*) as members from member m left join signed s on s.person_id = m.person_id group by s.papers
"""


async def signed_alike(raw: Raw, organization_id: UUID, day: date, reader_id: UUID | None) -> list[tuple[list[dict[str, Any]], int]]:
    """Give what the members of a panel have signed, and how many have signed just that. One pass over the panel.

    `reader_id`: only papers that this organization may
    read; None: the operator's, who reads every one.
    """
    rows = await raw.fetch(_SIGNED, organization_id, day, reader_id)
    return [(orjson.loads(row["papers"]) if row["papers"] else [], row["members"]) for row in rows]

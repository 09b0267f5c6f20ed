"""To whom a person's events were told, and for a hospital what became of its events: read off what the pipeline and delivery wrote.

A disclosure is a notification: from its number on its recipient may read it. A person is found by the stays that are the person's now,
so what was told under a number that was merged is found, and what was taken apart again is not. Statements take a page.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from app.domain.audit import PURPOSES, Disclosed
from app.domain.organization import OrganizationKind
from app.domain.viewer import Viewer
from app.store.raw import Raw

_SENT: Final = """
left join lateral (
    select s.channel, min(a.started_at + a.duration_ms * interval '1 millisecond') filter (where a.outcome = 'delivered') as sent_at,
           count(a.id) as attempts
    from subscription s join delivery d on d.subscription_id = s.id and d.sequence = n.sequence
    left join attempt a on a.subscription_id = s.id and a.sequence = n.sequence
    where s.organization_id = n.recipient_id group by s.channel order by 2 nulls last limit 1
) sent on true
left join notification_acknowledgement k on k.notification_id = n.id
"""
"""When it left (ix_subscription_organization_id, pk_delivery, ix_attempt_delivery), and when it was taken note of."""

_DISCLOSED: Final = f"""
select n.id, n.created_at, n.recipient_id, n.encounter_id, n.type, n.tier, n.version, e.facility_id, e.person_id, sent.channel,
       sent.sent_at, sent.attempts, k.acknowledged_at,
       (select d.reasons from disclosure d where d.encounter_id = n.encounter_id and d.notification_id = n.id
        order by d.id limit 1) as reasons
from encounter e join notification n on n.encounter_id = e.id
{_SENT}
where e.person_id = any($1::uuid[]) and n.created_at >= $2 and ($3::uuid is null or n.id > $3) and n.type <> 'record.opened'
order by n.id limit $4
"""
"""That an owner is told that its own records were opened discloses nothing to it."""


async def disclosures_of(raw: Raw, people: Sequence[UUID], since: datetime, *, after: UUID | None, limit: int) -> list[Mapping[str, Any]]:
    """Give what was told of these people, oldest first (ix_encounter_person, ix_notification_encounter, ix_disclosure_encounter)."""
    rows = await raw.fetch(_DISCLOSED, list(people), since, after, limit)
    return [dict(row) | {"reasons": _read(row["reasons"])} for row in rows]


_DELIVERED: Final = """
select a.id, a.started_at + a.duration_ms * interval '1 millisecond' as recorded_at, n.id as notification_id, n.person_id,
       n.recipient_id, o.kind, s.channel
"""
_OF_PEOPLE: Final = f"""
{_DELIVERED}
from encounter e join notification n on n.encounter_id = e.id
join organization o on o.id = n.recipient_id
join subscription s on s.organization_id = n.recipient_id
join attempt a on a.subscription_id = s.id and a.sequence = n.sequence and a.outcome = 'delivered'
where e.person_id = any($1::uuid[]) and ($2::uuid is null or (n.recipient_id = $2 and n.person_id = any($1::uuid[])))
  and ($3::uuid is null or n.recipient_id = $3) and ($4::timestamptz is null or a.started_at >= $4)
  and ($5::timestamptz is null or a.started_at < $5) and ($6::uuid is null or a.id < $6)
order by a.id desc limit $7
"""
_OF_ATTEMPT: Final = f"""
{_DELIVERED}
from attempt a join subscription s on s.id = a.subscription_id
join notification n on n.recipient_id = s.organization_id and n.sequence = a.sequence
join organization o on o.id = n.recipient_id
where a.id = $1 and a.outcome = 'delivered' and ($2::uuid is null or n.recipient_id = $2)
"""


async def delivered_of(
    raw: Raw,
    viewer: Viewer,
    people: Sequence[UUID],
    *,
    recipient_id: UUID | None,
    since: datetime | None,
    until: datetime | None,
    before: UUID | None,
    limit: int,
) -> list[Disclosed]:
    """Give what of these people was sent to recipients and answered, newest first; of all for the operator, else to the viewer itself.

    Found like the accounting (ix_encounter_person, ix_notification_encounter, ix_subscription_organization_id, ix_attempt_delivery). Who is
    no operator finds it under the person of whom it was told, and not under whose the stay became.
    """
    if not viewer.is_operator and viewer.organization_id is None:
        return []
    rows = await raw.fetch(_OF_PEOPLE, list(people), viewer.organization_id, recipient_id, since, until, before, limit)
    return [_disclosed(row) for row in rows]


async def delivered_by(raw: Raw, viewer: Viewer, attempt_id: UUID) -> Disclosed | None:
    """Give one (pk_attempt, uq_notification_sequence)."""
    if not viewer.is_operator and viewer.organization_id is None:
        return None
    row = await raw.fetchrow(_OF_ATTEMPT, attempt_id, viewer.organization_id)
    return None if row is None else _disclosed(row)


def _disclosed(row: Mapping[str, Any]) -> Disclosed:
    purpose = PURPOSES[OrganizationKind(row["kind"])]
    return Disclosed(
        row["id"], row["recorded_at"], row["notification_id"], row["person_id"], row["recipient_id"], purpose, row["channel"]
    )  # fmt: skip


async def people_with(raw: Raw, authority: str, value: str) -> list[UUID]:
    """Give the people for whom any source gave this identifier (pk_record_identifier)."""
    rows = await raw.fetch(
        "select distinct r.person_id from record_identifier i join patient_record r on r.id = i.record_id "
        "where i.authority = $1 and i.value = $2",
        authority,
        value,
    )
    return [row["person_id"] for row in rows]


_STAYS: Final = """
select e.id, e.person_id, e.class, e.visit_number, e.admitted_at, e.discharged_at, e.created_at
from encounter e
where e.facility_id = $1 and e.id > $2 and e.mode = 'live' and e.folded_into is null and e.source = 'adt' and e.status <> 'cancelled'
  and (e.admitted_at >= $3 and e.admitted_at < $4 or e.discharged_at >= $3 and e.discharged_at < $4)
order by e.id limit $5
"""
_TOLD: Final = f"""
select t.encounter_id, t.kind, t.recipient_id, t.decision, t.reasons, t.notification_id, t.decided_at, n.created_at,
       n.tier, sent.channel, sent.sent_at, sent.attempts, k.acknowledged_at, coalesce(p.basis = 'named_in_message', false) as is_named
from telling t
left join notification n on n.id = t.notification_id
left join lateral (select n.payload -> 'attribution' ->> 'basis' as basis) p on true
{_SENT}
where t.encounter_id = any($1::uuid[])
order by t.encounter_id, t.kind, t.recipient_id
"""


async def stays_of(raw: Raw, facility_id: UUID, since: datetime, until: datetime, *, after: UUID, limit: int) -> list[Mapping[str, Any]]:
    """Give a hospital's stays that began or ended in a period, in the order of their ids after one (ix_encounter_facility)."""
    return [dict(row) for row in await raw.fetch(_STAYS, facility_id, after, since, until, limit)]


async def told_of_stays(raw: Raw, stays: Sequence[UUID]) -> list[Mapping[str, Any]]:
    """Give what stands with every candidate recipient about these stays (pk_telling, pk_notification). One statement."""
    return [dict(row) | {"reasons": _read(row["reasons"])} for row in await raw.fetch(_TOLD, list(stays))]


def _read(reasons: Any) -> list[str]:  # noqa: ANN401 - text or what the driver made of it
    return [] if reasons is None else orjson.loads(reasons) if isinstance(reasons, str) else list(reasons)

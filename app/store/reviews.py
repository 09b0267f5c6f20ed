"""Reviews as queues: listed, decided once, counted per panel. Written as the viewer, so that row-level security asks too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from asyncpg import Record

from app.domain.viewer import Viewer
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A review with the answer that opened it, if one did."""

    id: UUID
    kind: str
    state: str
    opened_at: datetime
    person_id: UUID
    encounter_id: UUID | None
    organization_id: UUID | None
    subject: Mapping[str, Any]
    resolved_at: datetime | None
    resolution: str | None
    answer_id: UUID | None
    answer: str | None
    said_on: date | None
    note: str | None
    notification_id: UUID | None
    follow_up_id: UUID | None


# Whose the stay is by now: people are joined and parted while somebody decides.
_COLUMNS = """r.id, r.kind, r.state, r.opened_at, coalesce(e.person_id, r.person_id) as person_id, r.encounter_id, r.organization_id,
r.subject, r.resolved_at, r.resolution, a.id as answer_id, a.answer, a.said_on, a.note, a.notification_id, a.follow_up_id"""
_FROM = "from review r left join recipient_answer a on a.review_id = r.id left join encounter e on e.id = r.encounter_id"
_MINE = (
    "(r.organization_id = $1 or exists (select 1 from organization_grant g where g.organization_id = r.organization_id "
    "and g.grantee_id = $1))"
)


def _visible(viewer: Viewer) -> str:
    return "($1::uuid is null or $1::uuid is not null)" if viewer.is_operator else _MINE


def _row(record: Record) -> ReviewRow:
    values = dict(record)
    subject = values["subject"]
    return ReviewRow(**{**values, "subject": orjson.loads(subject) if isinstance(subject, str) else subject})


async def page(
    raw: Raw, viewer: Viewer, *, kind: str | None, state: str | None, organization_id: UUID | None, after: UUID | None, limit: int
) -> Sequence[ReviewRow]:
    """Give a page of reviews, the longest waiting first (ix_review_organization, ix_review_state, pk_review)."""
    values: list[Any] = [viewer.organization_id]
    parts = [_visible(viewer)]
    for condition, value in (
        ("r.kind = {}", kind),
        ("r.state = {}", state),
        ("r.organization_id = {}", organization_id),
        ("r.id > {}", after),
    ):
        if value is not None:
            values.append(value)
            parts.append(condition.format(f"${len(values)}"))
    values.append(limit)
    rows = await raw.fetch(f"select {_COLUMNS} {_FROM} where {' and '.join(parts)} order by r.id limit ${len(values)}", *values)
    return [_row(row) for row in rows]


async def one(raw: Raw, viewer: Viewer, review_id: UUID) -> ReviewRow | None:
    """Give one that the viewer may see."""
    row = await raw.fetchrow(f"select {_COLUMNS} {_FROM} where {_visible(viewer)} and r.id = $2", viewer.organization_id, review_id)
    return None if row is None else _row(row)


async def of_answer(raw: Raw, viewer: Viewer, answer_id: UUID) -> ReviewRow | None:
    """Give the review that an answer opened."""
    row = await raw.fetchrow(f"select {_COLUMNS} {_FROM} where {_visible(viewer)} and a.id = $2", viewer.organization_id, answer_id)
    return None if row is None else _row(row)


async def resolve(raw: Raw, review_id: UUID, state: str, note: str | None, by: Mapping[str, Any], now: datetime) -> bool:
    """Decide a review that is open; False when it was decided before."""
    done = await raw.fetchval(
        "update review set state = $2, resolution = $3, resolved_by = $4::text::jsonb, resolved_at = $5 where id = $1 and state = 'open' "
        "returning true",
        review_id,
        state,
        note,
        orjson.dumps(dict(by)).decode(),
        now,
    )
    return bool(done)


@dataclass(frozen=True, slots=True)
class PanelQuality:
    """How often what a panel's owner was told turned out not to be theirs."""

    stays_told: int
    stays_disputed: int
    """Of these, those with an answer that was not dismissed: a stay counts once, however much was answered of it."""
    answers: Mapping[str, Mapping[str, int]]
    """Answer -> state of its review -> how many stays."""


async def quality(raw: Raw, organization_id: UUID, *, since: datetime, until: datetime) -> PanelQuality:
    """Count a period's stays of which the organization was told, and its answers (ix_recipient_answer_organization)."""
    told = await raw.fetchrow(
        "with told as (select distinct n.encounter_id from notification n "
        "where n.recipient_id = $1 and n.created_at >= $2 and n.created_at < $3) "
        "select count(*) as stays, count(*) filter (where exists (select from recipient_answer a join review r on r.id = a.review_id "
        "where a.encounter_id = t.encounter_id and a.organization_id = $1 and r.state <> 'dismissed')) as disputed from told t",
        organization_id,
        since,
        until,
    )
    rows = await raw.fetch(
        "select a.answer, r.state, count(distinct a.encounter_id) as stays from recipient_answer a join review r on r.id = a.review_id "
        "where a.organization_id = $1 and a.answered_at >= $2 and a.answered_at < $3 group by a.answer, r.state",
        organization_id,
        since,
        until,
    )
    answers: dict[str, dict[str, int]] = {}
    for row in rows:
        answers.setdefault(row["answer"], {})[row["state"]] = row["stays"]
    return PanelQuality(told["stays"] if told else 0, told["disputed"] if told else 0, answers)

"""What recipients answered, and the reviews that their answers open."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from app.domain.answer import Answer, AnswerKind, ReviewKind, ReviewState, standing_answer
from app.domain.precedence import Led
from app.store.raw import Raw

Answers = Mapping[tuple[UUID, UUID], Answer]
"""(stay, recipient) -> the answer that counts."""


async def of_people(raw: Raw, people: Iterable[UUID]) -> Answers:
    """Give the answers that count about the stays of these people (ix_encounter_person, ix_recipient_answer_encounter)."""
    rows = await raw.fetch(
        "select a.encounter_id, a.organization_id, a.answer, a.answered_at, r.state, a.said_on "
        "from encounter e join recipient_answer a on a.encounter_id = e.id join review r on r.id = a.review_id "
        "where e.person_id = any($1::uuid[])",
        list(people),
    )
    said: dict[tuple[UUID, UUID], list[Answer]] = defaultdict(list)
    for row in rows:
        one = Answer(AnswerKind(row["answer"]), row["answered_at"], ReviewState(row["state"]), row["said_on"])
        said[row["encounter_id"], row["organization_id"]].append(one)
    return {key: standing for key, answers in said.items() if (standing := standing_answer(answers)) is not None}


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """An answer to be stored, with the review that it opens."""

    id: UUID
    review_id: UUID
    organization_id: UUID
    encounter_id: UUID
    person_id: UUID
    notification_id: UUID | None
    follow_up_id: UUID | None
    answer: AnswerKind
    said_on: date | None
    note: str | None
    author: Mapping[str, Any]
    answered_at: datetime


async def same_open(raw: Raw, new: NewAnswer) -> UUID | None:
    """Give the answer that says the same of the stay and is still looked at: saying it twice, also at once, opens one review."""
    await raw.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"answer {new.encounter_id} {new.organization_id}")
    found: UUID | None = await raw.fetchval(
        "select a.id from recipient_answer a join review r on r.id = a.review_id where a.encounter_id = $1 and a.organization_id = $2 "
        "and a.answer = $3 and a.said_on is not distinct from $4 and r.state = 'open' order by a.id limit 1",
        new.encounter_id,
        new.organization_id,
        new.answer.value,
        new.said_on,
    )
    return found


async def insert(raw: Raw, new: NewAnswer, kind: ReviewKind) -> None:
    """Store an answer and open its review."""
    await raw.execute(
        "insert into review (id, kind, state, opened_at, person_id, encounter_id, organization_id, subject) "
        "values ($1, $2, 'open', $3, $4, $5, $6, $7::text::jsonb)",
        new.review_id,
        kind.value,
        new.answered_at,
        new.person_id,
        new.encounter_id,
        new.organization_id,
        orjson.dumps({"answer": new.answer.value, "answer_id": str(new.id)}).decode(),
    )
    await raw.execute(
        "insert into recipient_answer (id, organization_id, encounter_id, notification_id, follow_up_id, answer, said_on, note, author, "
        "answered_at, review_id) values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10, $11)",
        new.id,
        new.organization_id,
        new.encounter_id,
        new.notification_id,
        new.follow_up_id,
        new.answer.value,
        new.said_on,
        new.note,
        orjson.dumps(dict(new.author)).decode(),
        new.answered_at,
        new.review_id,
    )


_OPEN_CONFLICTS = """
insert into review (id, kind, state, opened_at, person_id, encounter_id, conflict_key, subject)
select id, 'attribution_conflict', 'open', $6, person_id, encounter_id, conflict_key, subject::jsonb
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[]) as n(id, person_id, encounter_id, conflict_key, subject)
on conflict (person_id, conflict_key) where conflict_key is not null
do update set state = 'open', opened_at = excluded.opened_at, resolved_at = null, resolution = null
where review.state = 'dismissed' and review.resolved_by is null
"""
_CLOSE_CONFLICTS = """
update review r set state = 'dismissed', resolution = $4, resolved_at = $5
from encounter e
where e.id = r.encounter_id and r.encounter_id = any($1::uuid[]) and r.state = 'open' and r.kind = 'attribution_conflict'
    and not exists (select from unnest($2::uuid[], $3::text[]) as n(person_id, conflict_key)
        where n.person_id = e.person_id and n.conflict_key = r.conflict_key)
"""
AGREED = "the rosters agree by now"


async def open_conflicts(raw: Raw, conflicts: Sequence[tuple[UUID, UUID, Led]], ids: Sequence[UUID], now: datetime) -> None:
    """Ask the operator, once, about homes that claim the same program of a person: (person, stay, who leads and who does not).

    What closed by itself is asked again; what a person decided is not.
    """
    rows: dict[tuple[UUID, str], tuple[UUID, UUID, UUID, str, str]] = {}
    for id_, (person_id, encounter_id, led) in zip(ids, conflicts, strict=True):
        homes = _homes(led)
        subject = {"program": led.program, "lead": str(led.lead.organization_id), "homes": [str(home) for home in homes]}
        # Two stays of one person, looked at together, are one question.
        rows.setdefault((person_id, _conflict_key(led)), (id_, person_id, encounter_id, _conflict_key(led), orjson.dumps(subject).decode()))
    if rows:
        await raw.execute(_OPEN_CONFLICTS, *(list(column) for column in zip(*rows.values(), strict=True)), now)


async def close_conflicts(raw: Raw, looked_at: Sequence[UUID], conflicts: Sequence[tuple[UUID, UUID, Led]], now: datetime) -> None:
    """Close what is asked about these stays and is no conflict any more: nobody has to decide it (ix_review_encounter_id)."""
    people, keys = [person_id for person_id, _, _ in conflicts], [_conflict_key(led) for _, _, led in conflicts]
    await raw.execute(_CLOSE_CONFLICTS, list(looked_at), people, keys, AGREED, now)


def _homes(led: Led) -> list[UUID]:
    return sorted({led.lead.organization_id, *(one.organization_id for one in led.others)})


def _conflict_key(led: Led) -> str:
    return " ".join([led.program, *(home.hex for home in _homes(led))])

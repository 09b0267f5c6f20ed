"""Answers a question about who is one person, and lets it count at once: people are divided again in the same transaction.

The stays of both are looked at again by the pipeline, so recipients get what they were missing, or a retraction. An answer is added,
never changed: another one, or asking again, takes it back. Not here: who may answer (api).
"""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.domain.late_release import MATCH_ANSWERED
from app.domain.tie import TieKind, TieOutcome, pair_of
from app.ports import Ids
from app.store import match_reads, matches, people
from app.store.raw import Raw


class Rematch(Protocol):
    """Divides the people of records again (actions/identify)."""

    def __call__(self, raw: Raw, records: Iterable[UUID], *, ids: Ids, now: datetime) -> Awaitable[frozenset[UUID]]:
        """Give the people whose records went elsewhere."""
        ...


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What somebody decided; `outcome` None asks again."""

    outcome: TieOutcome | None
    by: str
    reason: str


async def answer_match(raw: Raw, match_id: UUID, answer: GivenAnswer, *, rematch: Rematch, ids: Ids, now: datetime) -> bool:
    """Record the answer and apply it; False when there is no such question."""
    await matches.lock_ties(raw)
    pair = await match_reads.decide(raw, match_id, answer.outcome, answer.by, answer.reason, now)
    if pair is None:
        return False
    # What comes of it had waited for the answer, and is told as late.
    await people.reconsider_people(raw, await rematch(raw, pair, ids=ids, now=now), now, MATCH_ANSWERED)
    return True


async def answer_unasked(
    raw: Raw, one: UUID, other: UUID, answer: GivenAnswer, *, rematch: Rematch, ids: Ids, now: datetime
) -> UUID | None:
    """Decide about two records that nothing was asked about; None when one is not there.

    "Different" about two whom their hospital merged or linked itself overrules the hospital: an unmerge.
    """
    await matches.lock_ties(raw)
    records = {record.id: record for record in await people.by_id(raw, (one, other))}
    if one == other or len(records) < 2:  # noqa: PLR2004 - two sides
        return None
    left, right = (records[end] for end in pair_of(one, other))
    told = right.id in left.others or left.id in right.others
    kind = TieKind.DISAGREEMENT if told else TieKind.SCORE
    match_id = await match_reads.open_match(raw, ids.new(), (left.id, right.id), kind, now)
    await answer_match(raw, match_id, answer, rematch=rematch, ids=ids, now=now)
    return match_id

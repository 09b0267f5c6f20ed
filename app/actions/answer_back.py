"""A recipient answers a notification or a follow-up: the answer is kept, a review is opened, and the stay is asked to be looked at again.

As the viewer, in the caller's transaction. Deciding a review is the operator's: a home that upheld its own answers would stop its own
clocks. Not here: what an answer means for clocks and tellings (domain/answer).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.domain.answer import REVIEWS, AnswerKind, ReviewKind, ReviewState
from app.domain.viewer import Viewer
from app.ports import Ids
from app.store import answers, encounters, people, reviews
from app.store.answers import NewAnswer
from app.store.raw import Raw
from app.store.reviews import ReviewRow


class NoSuchReviewError(Exception):
    """There is no such review for this viewer."""


class AlreadyDecidedError(Exception):
    """The review was decided before, otherwise."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What is answered, and about what."""

    recipient_id: UUID
    encounter_id: UUID
    person_id: UUID
    notification_id: UUID | None
    follow_up_id: UUID | None


async def answer_back(  # what an answer is made of
    raw: Raw,
    viewer: Viewer,
    about: Answered,
    answer: AnswerKind,
    *,
    said_on: date | None,
    note: str | None,
    author: Mapping[str, Any],
    ids: Ids,
    now: datetime,
) -> ReviewRow:
    """Keep the answer and open its review; the same answer while it is looked at changes nothing."""
    new = NewAnswer(
        id=ids.new(),
        review_id=ids.new(),
        organization_id=about.recipient_id,
        encounter_id=about.encounter_id,
        person_id=about.person_id,
        notification_id=about.notification_id,
        follow_up_id=about.follow_up_id,
        answer=answer,
        said_on=said_on,
        note=note,
        author=author,
        answered_at=now,
    )
    kept = await answers.same_open(raw, new)
    if kept is None:
        await answers.insert(raw, new, REVIEWS[answer])
        await encounters.reconsider(raw, [about.encounter_id], now, "answer")
    found = await reviews.of_answer(raw, viewer, kept or new.id)
    if found is None:
        raise NoSuchReviewError
    return found


async def resolve_review(
    raw: Raw, viewer: Viewer, review_id: UUID, decision: ReviewState, *, note: str | None, author: Mapping[str, Any], now: datetime
) -> ReviewRow:
    """Decide a review, once: the same decision again changes nothing, another is refused."""
    if await reviews.resolve(raw, review_id, decision.value, note, author, now):
        found = await reviews.one(raw, viewer, review_id)
        if found is not None and found.encounter_id is not None:
            await encounters.reconsider(raw, [found.encounter_id], now, "review")
            if found.kind == ReviewKind.DEATH:
                # A death is the person's: it is said by other stays than the one that made it doubtful.
                await people.reconsider_people(raw, [found.person_id], now, "review")
    found = await reviews.one(raw, viewer, review_id)
    if found is None:
        raise NoSuchReviewError
    if found.state != decision:
        raise AlreadyDecidedError
    return found

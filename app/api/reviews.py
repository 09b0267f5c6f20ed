"""Answers to notifications and follow-ups, `/v1/reviews` that they open, and how good a panel is by them."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response

from app.actions.answer_back import AlreadyDecidedError, Answered, NoSuchReviewError, answer_back, resolve_review
from app.api.answers import JsonResponse, created, ok, refused
from app.api.auth import Access, Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.outbox import opened_notification
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemError, ProblemType, invalid, not_found
from app.api.schemas.common import FollowUpId, InstantOfQuery, NotificationId, OrganizationId, ReviewId
from app.api.schemas.reviews import (
    AnswerRequest,
    PanelQualityDocument,
    ResolveRequest,
    ReviewDocument,
    ReviewPage,
    quality_json,
    review_json,
)
from app.api.services import Services
from app.api.tellable import tellable
from app.domain.answer import ReviewKind, ReviewState
from app.domain.viewer import Scope, Viewer
from app.store import follow_up_reads, reviews
from app.store.audit import saw
from app.store.engine import raw_connection
from app.store.notification_reads import find_follow_up_of, may_read_outbox
from app.store.raw import Raw

router = APIRouter(route_class=GuardedRoute, tags=["follow-ups"])

_LIST: Final = "reviews"
_PERIOD: Final = timedelta(days=90)
Worker = Annotated[Viewer, Depends(Access(Scope.FOLLOW_UPS_WRITE))]
Reader = Annotated[Viewer, Depends(Access(Scope.FOLLOW_UPS_READ, Scope.PANELS_WRITE))]


@router.post(
    "/v1/notifications/{notification_id}/answer", status_code=201, responses=ok(ReviewDocument, "The review that it opened", status=201)
)
async def answer_notification(notification_id: NotificationId, body: AnswerRequest, viewer: Worker, services: FromServices) -> Response:
    """Answer that a notification should not have come: the recipient's clocks for that stay stop, and a person looks at it.

    The discharge, its measures and what others were told stay as they are. The same answer twice opens one review.
    """
    async with opened_notification(services, viewer, notification_id) as opened:
        person_id, follow_up_id = await find_follow_up_of(opened.raw, opened.found)
        about = Answered(opened.found.recipient_id, opened.found.encounter_id, person_id, opened.found.id, follow_up_id)
        review = await _answer(opened.raw, opened.viewer, about, body, services, viewer)
    await services.evaluate(about.encounter_id, None)
    return created(review, f"/v1/reviews/{review['id']}")


@router.post("/v1/follow-ups/{follow_up_id}/answer", status_code=201, responses=ok(ReviewDocument, "The review that it opened", status=201))
async def answer_follow_up(follow_up_id: FollowUpId, body: AnswerRequest, viewer: Worker, services: FromServices) -> Response:
    """Answer that a follow-up is not this home's to do: its clocks stop, and a person looks at it. Nothing is erased."""
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        found = await follow_up_reads.one(raw, viewer, follow_up_id, covers=False)
        if found is None or found.home_id is None:
            raise not_found("follow-up")
        about = Answered(found.home_id, found.encounter_id, found.person_id, None, found.id)
        review = await _answer(raw, viewer, about, body, services, viewer)
    await services.evaluate(about.encounter_id, None)
    return created(review, f"/v1/reviews/{review['id']}")


async def _answer(raw: Raw, reader: Viewer, about: Answered, body: AnswerRequest, services: Services, viewer: Viewer) -> dict[str, Any]:
    now = services.clock.now()
    if body.on is not None and body.on > now.date() + timedelta(days=1):
        raise invalid("/on", "is in the future")
    said = {"key_id": str(viewer.key_id) if viewer.key_id else None, "name": body.author or ""}
    return review_json(
        await answer_back(raw, reader, about, body.answer, said_on=body.on, note=body.note, author=said, ids=services.ids, now=now)
    )


@router.get("/v1/reviews", responses=ok(ReviewPage, "A page of reviews, the longest waiting first"))
async def list_reviews(
    viewer: Reader,
    services: FromServices,
    page: PageOfQuery,
    state: Annotated[ReviewState | None, Query(description="Only in this state.", examples=["open"])] = None,
    kind: Annotated[ReviewKind | None, Query(description="Only of this kind.", examples=["attribution"])] = None,
    panel: Annotated[OrganizationId | None, Query(description="Only of this organization's panel.")] = None,
) -> Response:
    """List what a person has to look at, the longest waiting first: the operator all, the owner of a panel its own."""
    key = read_cursor(_LIST, page.cursor, read_uuid)
    async with services.unit_of_work(viewer) as connection:
        found = await reviews.page(
            await raw_connection(connection),
            viewer,
            kind=kind.value if kind else None,
            state=state.value if state else None,
            organization_id=panel,
            after=key[0] if key else None,
            limit=page.limit + 1,
        )
    shown, more = cut(found, page.limit)
    about = {one.id: (one.encounter_id, one.organization_id) for one in shown if one.encounter_id and one.organization_id}
    known = about.values() if viewer.is_operator else await tellable(services, list(about.values()))
    told = [one for one in shown if one.id not in about or about[one.id] in known]
    saw(one.person_id for one in told)
    return JsonResponse(listing([review_json(one) for one in told], spell_cursor(_LIST, shown[-1].id) if more else None))


@router.post(
    "/v1/reviews/{review_id}/resolve",
    responses=ok(ReviewDocument, "The review as it was decided"),
    openapi_extra=refused(ProblemType.NOT_PERMITTED, ProblemType.CONFLICT),
)
async def resolve_one_review(review_id: ReviewId, body: ResolveRequest, viewer: Administrator, services: FromServices) -> Response:
    """Decide a review, once.

    Upheld: what the answer stopped stays stopped, and who was never responsible is told no more. Dismissed: clocks run on with the due
    times that they had. Only the operator may: a home that upheld its own answers would stop its own clocks.
    """
    said = {"key_id": str(viewer.key_id) if viewer.key_id else None, "name": body.author or ""}
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        if await reviews.one(raw, viewer, review_id) is None:
            raise not_found("review")
        if not viewer.is_operator:
            raise ProblemError(ProblemType.NOT_PERMITTED, "Only the operator of the exchange decides reviews.")
        try:
            found = await resolve_review(
                raw, viewer, review_id, ReviewState(body.decision), note=body.note, author=said, now=services.clock.now()
            )
        except NoSuchReviewError:
            raise not_found("review") from None
        except AlreadyDecidedError:
            raise ProblemError(ProblemType.CONFLICT, "The review was decided otherwise before; a decision stands.") from None
    if found.encounter_id is not None:
        await services.evaluate(found.encounter_id, None)
    return JsonResponse(review_json(found))


@router.get("/v1/panels/{organization_id}/quality", responses=ok(PanelQualityDocument, "What recipients answered, counted"))
async def show_panel_quality(
    organization_id: OrganizationId,
    viewer: Reader,
    services: FromServices,
    since: Annotated[InstantOfQuery | None, Query(description="From; default 90 days ago.")] = None,
    until: Annotated[InstantOfQuery | None, Query(description="Before; default now.")] = None,
) -> Response:
    """Count how often what the owner of a panel was told turned out not to be theirs: a figure of the panel's quality."""
    ends_at: datetime = until or services.clock.now()
    begins_at = since or ends_at - _PERIOD
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        directory = await services.registry.current(raw)
        if organization_id not in directory.organizations or not await may_read_outbox(raw, viewer, organization_id):
            raise not_found("organization")
        found = await reviews.quality(raw, organization_id, since=begins_at, until=ends_at)
    return JsonResponse(quality_json(organization_id, found, begins_at, ends_at))

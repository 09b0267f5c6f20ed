"""`/v1/follow-ups/{id}/summary`: that a discharge summary was requested, received, reviewed. Not here: the summaries themselves."""

from uuid import UUID

from fastapi import APIRouter, Response

from app.actions.follow_up_work import Author, NoSuchContactError, NoSuchFollowUpError, record_summary_fact, void_summary_fact
from app.api.answers import JsonResponse, ok, refused
from app.api.auth import FromServices
from app.api.follow_ups import IdempotencyKey, Worker, claim_key, shown_follow_up
from app.api.guard import GuardedRoute
from app.api.problems import ProblemType, invalid, not_found
from app.api.schemas.common import FollowUpId, SummaryFactId
from app.api.schemas.follow_ups import RecordedSummaryFactDocument, VoidRequest
from app.api.schemas.summary_facts import NewSummaryFact
from app.domain.public_id import Kind, public_id
from app.domain.summary_fact import SummaryFact, is_yet_to_come
from app.store.engine import raw_connection
from app.store.summary_facts import fact_of

router = APIRouter(route_class=GuardedRoute, tags=["follow-ups"])


@router.post(
    "/v1/follow-ups/{follow_up_id}/summary",
    status_code=201,
    responses=ok(RecordedSummaryFactDocument, "The fact, and the follow-up as it stands now", status=201),
    openapi_extra=refused(ProblemType.IDEMPOTENCY_CONFLICT),
)
async def add_summary_fact(
    follow_up_id: FollowUpId, body: NewSummaryFact, viewer: Worker, services: FromServices, idempotency_key: IdempotencyKey = None
) -> Response:
    """Record that the discharge summary was requested, received or reviewed.

    It satisfies no clock. A discharge summary that comes in a message of the hospital is received by that, without this.
    Send an `Idempotency-Key` so that a repetition after a lost answer records it once.
    """
    now = services.clock.now()
    if is_yet_to_come(body.at, now):
        raise invalid("/at", "is in the future; record it once it has happened")
    fact = SummaryFact(services.ids.new(), body.fact, body.at, now, body.via, body.author or "", body.note)
    is_new, fact_id, of = True, fact.id, follow_up_id
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        if idempotency_key is not None:
            claim = await claim_key(connection, viewer, follow_up_id, body, idempotency_key, fact.id, now)
            is_new, fact_id = claim.is_new, claim.resource_id
        if is_new:
            try:
                await record_summary_fact(raw, viewer, follow_up_id, fact, author=Author(viewer.key_id, body.author or ""), now=now)
            except NoSuchFollowUpError:
                raise not_found("follow-up") from None
        else:
            # Where the fact is now: its follow-up may have become part of another meanwhile.
            recorded = await fact_of(raw, fact_id)
            if recorded is None:
                raise not_found("follow-up")
            of = recorded.follow_up_id
    headers = {"Location": f"/v1/follow-ups/{public_id(Kind.FOLLOW_UP, of)}"} | ({} if is_new else {"Idempotency-Replayed": "true"})
    return await _answer(services, viewer, of, fact_id, status=201, headers=headers)


@router.post("/v1/summary-facts/{fact_id}/void", responses=ok(RecordedSummaryFactDocument, "The fact, taken back"))
async def void_one_summary_fact(fact_id: SummaryFactId, body: VoidRequest, viewer: Worker, services: FromServices) -> Response:
    """Take a fact back. It stays to be seen and counts no more. Twice changes nothing."""
    author = Author(viewer.key_id, body.author or "")
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        try:
            owner = await void_summary_fact(raw, viewer, fact_id, body.reason, author=author, now=services.clock.now())
        except (NoSuchContactError, NoSuchFollowUpError):
            raise not_found("fact") from None
    return await _answer(services, viewer, owner.id, fact_id, status=200, headers={})


async def _answer(
    services: FromServices, viewer: Worker, follow_up_id: UUID, fact_id: UUID, *, status: int, headers: dict[str, str]
) -> Response:
    follow_up = await shown_follow_up(services, viewer, follow_up_id)
    wanted = public_id(Kind.SUMMARY_FACT, fact_id)
    fact = next(one for one in follow_up["summary"]["facts"] if one["id"] == wanted)
    shown = {**fact, "follow_up_id": follow_up["id"], "follow_up": follow_up}
    return JsonResponse(shown, status_code=status, headers=headers)

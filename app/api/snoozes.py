"""`/v1/follow-ups/{id}/snooze` and `/wake`: letting a follow-up rest for a while, seen by everybody of the home.

A snooze mutes warnings and nothing else: it cannot outlast a clock that is pending, and a breach is told whatever rests.
"""

from fastapi import APIRouter, Response

from app.actions.follow_up_work import Author, NoSuchFollowUpError, SnoozedPastDueError, snooze, wake
from app.api.answers import JsonResponse, ok
from app.api.auth import FromServices
from app.api.follow_ups import Worker, shown_follow_up
from app.api.guard import GuardedRoute
from app.api.problems import invalid, not_found
from app.api.schemas.common import FollowUpId
from app.api.schemas.follow_ups import FollowUpDocument, SnoozeRequest, WakeRequest
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute, tags=["follow-ups"])


@router.post("/v1/follow-ups/{follow_up_id}/snooze", responses=ok(FollowUpDocument, "The follow-up as it stands now"))
async def snooze_follow_up(follow_up_id: FollowUpId, body: SnoozeRequest, viewer: Worker, services: FromServices) -> Response:
    """Let a follow-up rest until a time, with a reason: its warnings are mute until then, and what they would have said is told after."""
    now = services.clock.now()
    if body.until <= now:
        raise invalid("/until", "is over; give a time that is to come")
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        try:
            author = Author(viewer.key_id, body.author or "")
            owner = await snooze(raw, viewer, follow_up_id, body.until, body.reason, author=author, log_id=services.ids.new(), now=now)
        except NoSuchFollowUpError:
            raise not_found("follow-up") from None
        except SnoozedPastDueError as past:
            due = past.due_at.isoformat()
            raise invalid("/until", f"is after the clock {past.clock_id} is due; give {due} at the latest") from None
    await services.evaluate(owner.encounter_id, None)
    return JsonResponse(await shown_follow_up(services, viewer, follow_up_id))


@router.post("/v1/follow-ups/{follow_up_id}/wake", responses=ok(FollowUpDocument, "The follow-up as it stands now"))
async def wake_follow_up(follow_up_id: FollowUpId, body: WakeRequest, viewer: Worker, services: FromServices) -> Response:
    """End a snooze before its time. Twice changes nothing."""
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        try:
            author = Author(viewer.key_id, body.author or "")
            owner = await wake(raw, viewer, follow_up_id, author=author, log_id=services.ids.new(), now=services.clock.now())
        except NoSuchFollowUpError:
            raise not_found("follow-up") from None
    await services.evaluate(owner.encounter_id, None)
    return JsonResponse(await shown_follow_up(services, viewer, follow_up_id))

"""`/v1/holds`: stays that are held because nobody has said whether their place is a Part 2 program, and the release of one.

Not here: registering the place, which decides all its stays (origins), or how many wait (queues).
"""

from typing import Final

from fastapi import APIRouter, Response

from app.actions.release_hold import NotReleased, release_hold
from app.api.answers import JsonResponse, ok, refused
from app.api.auth import Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemError, ProblemType, not_found
from app.api.schemas.common import EncounterId
from app.api.schemas.holds import HeldStayPage, HoldRelease, ReleasedDocument
from app.domain.viewer import OPERATOR
from app.store import holds
from app.store.encounter_reads import find_encounter
from app.store.engine import raw_connection

router = APIRouter(route_class=GuardedRoute, tags=["operations"])

_LIST: Final = "holds"


@router.get("/v1/holds", responses=ok(HeldStayPage, "A page of held stays"))
async def list_holds(viewer: Administrator, services: FromServices, page: PageOfQuery) -> Response:
    """List the stays that are held until a person has looked, and why; for the operator, others have none here."""
    if not viewer.is_operator:
        return JsonResponse(listing([], None))
    key, now = read_cursor(_LIST, page.cursor, read_uuid), services.clock.now()
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        found = await holds.held(raw, after=key[0] if key else None, limit=page.limit + 1)
    shown, more = cut(found, page.limit)
    return JsonResponse(listing([one.document(now) for one in shown], spell_cursor(_LIST, shown[-1].encounter_id) if more else None))


@router.post(
    "/v1/holds/{encounter_id}/release",
    responses=ok(ReleasedDocument, "What was decided, and what follows for whom"),
    openapi_extra=refused(ProblemType.NOT_PERMITTED, ProblemType.CONFLICT),
)
async def release_one_hold(encounter_id: EncounterId, body: HoldRelease, viewer: Administrator, services: FromServices) -> Response:
    """Say of one held stay what its place is, with the reason. It is decided again by that and by everything else as always.

    What may be told is told at once, as late, with the minutes it was held and why; what a consent, a refusal or a state's law withholds
    stays withheld. It holds for the units the stay had been in: moved to another one, it is held again. For the operator.
    """
    if not viewer.is_operator:
        async with services.unit_of_work(viewer) as connection:
            if await find_encounter(await raw_connection(connection), viewer, encounter_id) is None:
                raise not_found("stay")
        raise ProblemError(ProblemType.NOT_PERMITTED, "Only the operator of the exchange releases what is held.")
    now = services.clock.now()
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        done = await release_hold(
            raw,
            encounter_id,
            body.part2_status,
            body.reason,
            directory=await services.registry.current(raw),
            read_stay=services.read_stay,
            key_id=viewer.key_id,
            id_=services.ids.new(),
            now=now,
        )
    if done is NotReleased.NO_STAY:
        raise not_found("stay")
    if isinstance(done, NotReleased):
        raise ProblemError(ProblemType.CONFLICT, f"{done.value[0].upper()}{done.value[1:]}.")
    services.waker.wake("inbound")
    return JsonResponse(done.document(now))

"""`/v1/matches`: questions about who is one person, for the exchange's own people; and `/v1/person-index`, whose ids decide them.

Both sides of a question are shown whole, so no single organization may look, only the operator and an administrator's key of an
exchange (an organization of kind `hie`): for everybody else the lists are empty. Not here: what an answer does to people
(actions/answer_match).
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.actions.answer_match import GivenAnswer, answer_match, answer_unasked
from app.actions.identify import IdentityMovedError, rematch
from app.api.answers import JsonResponse, created, no_content, ok, refused
from app.api.auth import Administrator, FromServices
from app.api.guard import GuardedRoute
from app.api.paging import PageOfQuery, cut, listing, read_cursor, read_uuid, spell_cursor
from app.api.problems import ProblemError, ProblemType, not_found
from app.api.schemas.common import MatchId
from app.api.schemas.matches import (
    IndexAuthorityDocument,
    IndexPage,
    MatchAnswer,
    MatchDetailDocument,
    MatchPage,
    MatchReopening,
    NewIndexAuthority,
    NewMatchAnswer,
    match_detail_json,
    match_json,
)
from app.api.services import Services
from app.domain.organization import OrganizationKind
from app.domain.tie import TieKind, TieOutcome, TieState
from app.domain.viewer import OPERATOR, Viewer
from app.store import match_reads, people
from app.store.audit import saw
from app.store.engine import raw_connection
from app.store.raw import Raw

router = APIRouter(route_class=GuardedRoute, tags=["matches"])

_LIST: Final = "matches"
_TRIES_MAX: Final = 5
T = TypeVar("T")


@router.get("/v1/matches", responses=ok(MatchPage, "A page of questions, oldest first"))
async def list_matches(
    viewer: Administrator,
    services: FromServices,
    page: PageOfQuery,
    state: Annotated[TieState | None, Query(description="Only in this state.", examples=["open"])] = TieState.OPEN,
    kind: Annotated[TieKind | None, Query(description="Only of this kind.", examples=["possible_match"])] = None,
) -> Response:
    """List the questions about who is one person: open ones unless another state is asked for. Nobody is joined while one is open."""
    key = read_cursor(_LIST, page.cursor, read_uuid)
    if not await _is_exchange(services, viewer):
        return JsonResponse(listing([], None))
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        found = await match_reads.list_matches(raw, state, kind, after=key[0] if key else None, limit=page.limit + 1)
        shown, more = cut(found, page.limit)
        saw(person for row in shown for person in row.people)
    return JsonResponse(listing([match_json(row) for row in shown], spell_cursor(_LIST, shown[-1].id) if more else None))


@router.post(
    "/v1/matches",
    status_code=201,
    responses=ok(MatchDetailDocument, "The decision as it stands", status=201),
    openapi_extra=refused(ProblemType.NOT_FOUND),
)
async def decide_unasked(body: NewMatchAnswer, viewer: Administrator, services: FromServices) -> Response:
    """Decide about two records that nothing was asked about: link them, hold them apart, or undo a merge of their hospital."""
    await _require_exchange(services, viewer)
    answer = GivenAnswer(TieOutcome(body.outcome), _name(viewer), body.reason)
    match_id = await _applied(
        services,
        lambda raw: answer_unasked(
            raw, body.left_record_id, body.right_record_id, answer, rematch=rematch, ids=services.ids, now=services.clock.now()
        ),
    )
    if match_id is None:
        raise not_found("record")
    shown = await _detail(services, match_id)
    return created(shown, f"/v1/matches/{shown['id']}")


@router.get("/v1/matches/{match_id}", responses=ok(MatchDetailDocument, "The question with both sides"))
async def show_match(match_id: MatchId, viewer: Administrator, services: FromServices) -> Response:
    """Show a question: both sides, the difference field by field, and every answer it ever had."""
    await _require_seen(services, viewer, "match")
    return JsonResponse(await _detail(services, match_id))


@router.post("/v1/matches/{match_id}/resolve", responses=ok(MatchDetailDocument, "The question as it stands now"))
async def resolve_match(match_id: MatchId, body: MatchAnswer, viewer: Administrator, services: FromServices) -> Response:
    """Answer a question, or answer it otherwise than before. It counts at once; stays of both people are looked at again."""
    await _require_seen(services, viewer, "match")
    await _answer(services, match_id, GivenAnswer(TieOutcome(body.outcome), _name(viewer), body.reason))
    return JsonResponse(await _detail(services, match_id))


@router.post("/v1/matches/{match_id}/reopen", responses=ok(MatchDetailDocument, "The question as it stands now"))
async def reopen_match(match_id: MatchId, body: MatchReopening, viewer: Administrator, services: FromServices) -> Response:
    """Take an answer back: everything is as if it had not been given, and it is asked again where there is still something to ask."""
    await _require_seen(services, viewer, "match")
    await _answer(services, match_id, GivenAnswer(None, _name(viewer), body.reason))
    return JsonResponse(await _detail(services, match_id))


@router.get("/v1/person-index", responses=ok(IndexPage, "The authorities that are the exchange's person index"))
async def list_index(viewer: Administrator, services: FromServices) -> Response:
    """List the assigning authorities whose ids and links decide who is one person before our matcher."""
    if not await _is_exchange(services, viewer):
        return JsonResponse(listing([], None))
    async with services.unit_of_work(OPERATOR) as connection:
        return JsonResponse(listing(await match_reads.list_index(await raw_connection(connection)), None))


@router.post("/v1/person-index", responses=ok(IndexAuthorityDocument, "The authority is the exchange's person index"))
async def mark_index(body: NewIndexAuthority, viewer: Administrator, services: FromServices) -> Response:
    """Mark an authority as the exchange's person index; everybody with an id of it is looked at again.

    Two records with one id of it are one person, two ids are two; where our own grounds say otherwise, `/v1/matches` lists it.
    """
    await _require_exchange(services, viewer)
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        await match_reads.mark_index(raw, body.authority, services.clock.now())
        found = await match_reads.list_index(raw)
    services.waker.wake("inbound")
    return JsonResponse(next(row for row in found if row["authority"] == body.authority))


@router.delete("/v1/person-index/{authority}", status_code=204, responses={204: {"description": "An authority like others"}})
async def unmark_index(authority: str, viewer: Administrator, services: FromServices) -> Response:
    """Let an authority's ids be identifiers like others again."""
    await _require_seen(services, viewer, "authority")
    async with services.unit_of_work(OPERATOR) as connection:
        if not await match_reads.unmark_index(await raw_connection(connection), authority.strip().upper()):
            raise not_found("authority")
    services.waker.wake("inbound")
    return no_content()


async def _is_exchange(services: Services, viewer: Viewer) -> bool:
    if viewer.is_operator:
        return True
    async with services.unit_of_work(viewer) as connection:
        directory = await services.registry.current(await raw_connection(connection))
    organization = directory.organizations.get(viewer.organization_id) if viewer.organization_id else None
    return organization is not None and organization.kind is OrganizationKind.HIE


async def _require_exchange(services: Services, viewer: Viewer) -> None:
    if not await _is_exchange(services, viewer):
        raise ProblemError(ProblemType.NOT_PERMITTED, "Only the operator and the exchange's own organization may do this.")


async def _require_seen(services: Services, viewer: Viewer, what: str) -> None:
    """To everybody else there is no such thing, as everywhere."""
    if not await _is_exchange(services, viewer):
        raise not_found(what)


def _name(viewer: Viewer) -> str:
    return str(viewer.key_id) if viewer.key_id is not None else "operator"


async def _answer(services: Services, match_id: UUID, answer: GivenAnswer) -> None:
    if not await _applied(
        services, lambda raw: answer_match(raw, match_id, answer, rematch=rematch, ids=services.ids, now=services.clock.now())
    ):
        raise not_found("match")


async def _applied(services: Services, work: Callable[[Raw], Awaitable[T]]) -> T:
    """Do it in a transaction of its own; again when messages moved these people at the same moment."""
    for left in reversed(range(_TRIES_MAX)):
        try:
            async with services.unit_of_work(OPERATOR) as connection:
                done = await work(await raw_connection(connection))
        except IdentityMovedError:
            if not left:
                raise ProblemError(ProblemType.UNAVAILABLE, "These people change too fast just now; try again.") from None
            continue
        services.waker.wake("inbound")
        return done
    raise AssertionError


async def _detail(services: Services, match_id: UUID) -> dict[str, object]:
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        found = await match_reads.find_match(raw, match_id)
        if found is None:
            raise not_found("match")
        records = {record.id: record for record in await people.by_id(raw, found.tie.pair)}
        decisions = await match_reads.decisions_of(raw, [match_id])
        saw(found.people)
    return match_detail_json(found, records[found.tie.left], records[found.tie.right], decisions[match_id])

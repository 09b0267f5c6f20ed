"""`/v1/people/{person_id}`: one person as the viewer may see them: what each source calls them, how that came about, stays and claims.

Only for people on the panel of the key's organization, and for the operator. Not here: members by an identifier (members.py).
"""

from datetime import date, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from app.actions.present_encounters import present_encounters
from app.api.answers import JsonResponse, ok
from app.api.auth import Access, FromServices
from app.api.guard import GuardedRoute
from app.api.problems import not_found
from app.api.schemas.common import InstantOfQuery, PersonId
from app.api.schemas.people import PersonViewDocument, claim_json, links_json, may_see, sources_json
from app.api.services import Services
from app.domain.privacy import Tier
from app.domain.public_id import Kind, public_id
from app.domain.telling import person_content
from app.domain.viewer import OPERATOR, Scope, Viewer
from app.store import match_reads, people, person_reads
from app.store.audit import saw
from app.store.encounter_reads import EncounterFilter, list_encounters
from app.store.engine import raw_connection
from app.store.members import is_member
from app.store.sources import know_sources

router = APIRouter(route_class=GuardedRoute, tags=["members"])

SHOWN_MAX: Final = 100
"""Our policy: of each list the newest so many; the lists of their own are paged."""

Reader = Annotated[Viewer, Depends(Access(Scope.MEMBERS_READ, Scope.FOLLOW_UPS_READ))]


@router.get("/v1/people/{person_id}", responses=ok(PersonViewDocument, "The person"))
async def show_person(
    person_id: PersonId,
    viewer: Reader,
    services: FromServices,
    as_of: Annotated[date | None, Query(description="Only claims that hold on this day.")] = None,
    known_at: Annotated[InstantOfQuery | None, Query(description="Claims as known at this instant, of whom the id was then.")] = None,
) -> Response:
    """Show a person. One who became another answers with that other.

    A home or a plan sees people on its own panel, with what hospitals call them and its own rows; never what another's panel says, nor
    what a hospital says of whose stays they may be told nothing.
    """
    of_then = await _records_then(services, person_id, known_at) if known_at is not None else None
    async with services.unit_of_work(viewer) as connection:
        raw = await raw_connection(connection)
        now_id = await person_reads.present_person(raw, person_id)
        if now_id is None or not (
            viewer.is_operator or (viewer.organization_id is not None and await is_member(raw, viewer, viewer.organization_id, now_id))
        ):
            raise not_found("person")
        directory = await services.registry.current(raw)
        records = (await people.describe(raw, [now_id])).get(now_id, [])
        stays = await list_encounters(raw, viewer, EncounterFilter(person_id=now_id), after=None, limit=SHOWN_MAX)
        shown = await present_encounters(raw, viewer, stays, directory=directory, read_stay=services.read_stay)
        claims = await person_reads.claims_on(raw, viewer, now_id, as_of, known_at, SHOWN_MAX, records=of_then)
        saw([now_id])
    # The history belongs to no organization; what the viewer may see of it is picked out.
    async with services.unit_of_work(OPERATOR) as connection:
        raw = await raw_connection(connection)
        sources = await know_sources(raw, {now_id: records}, None, directory=directory, read_stay=services.read_stay)
        known = sources.seen(now_id, viewer)
        seen = frozenset(record.id for record in known if may_see(record, viewer, directory))
        former = await person_reads.former_ids(raw, now_id)
        moves = await person_reads.moves_of(raw, now_id, sorted(seen), SHOWN_MAX)
        asked = await match_reads.matches_among(raw, sorted(seen)) if viewer.is_operator else []
        decisions = await match_reads.decisions_of(raw, [row.id for row in asked])
    tier = Tier.FULL if viewer.is_operator else Tier.MINIMAL
    return JsonResponse(
        {
            "id": public_id(Kind.PERSON, now_id),
            "former_ids": [public_id(Kind.PERSON, one) for one in former],
            "person": person_content(now_id, known, viewer.organization_id, tier, directory),
            "sources": sources_json(known, viewer, directory),
            "links": links_json(moves, asked, decisions, viewer, seen),
            "encounters": shown,
            "attributions": [claim_json(claim) for claim in claims],
        }
    )


async def _records_then(services: Services, person_id: UUID, known_at: datetime) -> list[UUID]:
    """Whose a record was is nobody's to read; the claims on it are read as who asks."""
    async with services.unit_of_work(OPERATOR) as connection:
        return await person_reads.records_then(await raw_connection(connection), person_id, known_at)

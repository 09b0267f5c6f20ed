"""Everybody who could have been told of a stay, and why they are or are not: for the operator, by stay and by notification."""

from typing import Any
from uuid import UUID

from app.actions.attribute import attribute, claims_on
from app.actions.explain_attribution import explain_attribution
from app.api.schemas.attribution import candidate_json
from app.api.services import Services
from app.domain.directory import Directory
from app.store import answers
from app.store.encounters import EncounterRow
from app.store.raw import Raw


async def candidates_of(
    services: Services, raw: Raw, found: EncounterRow, directory: Directory, *, only: UUID | None
) -> list[dict[str, Any]]:
    """Give each candidate with what the rules say now and what was decided when; `only` one that is asked about, claimed or not."""
    rulebook = services.follow_ups.rulebook
    stay = services.read_stay(found, directory)
    claimed = (await claims_on(raw, [stay])).get(stay.person_id, [])
    answered = await answers.of_people(raw, [stay.person_id])
    desired = attribute(stay, claimed, directory, rulebook, answered)
    candidates = await explain_attribution(raw, stay, claimed, desired, answered, directory, rulebook, only=only)
    return [candidate_json(one) for one in candidates]

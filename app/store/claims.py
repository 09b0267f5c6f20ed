"""Who claims these people: the read of room 6."""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from app.domain.attribution import Attribution
from app.store.raw import Raw


async def of_people(raw: Raw, people: Iterable[UUID]) -> dict[UUID, list[Attribution]]:
    """Give every claim that its owner upholds now, by person (ix_panel_member_person); the day is judged by the rule."""
    rows = await raw.fetch(
        "select id, organization_id, person_id, program, role, effective_from, effective_to, coordinator from panel_member "
        "where person_id = any($1::uuid[]) and retracted_at is null",
        list(people),
    )
    claims: dict[UUID, list[Attribution]] = defaultdict(list)
    for row in rows:
        claims[row["person_id"]].append(Attribution(*row.values()))
    return claims

"""Who claims these people, and since when that is known: the read of room 6."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from app.domain.attribution import Attribution, Learned
from app.store.raw import Raw

_CLAIM_COLUMNS = 9
"""Those of the claim itself; after them its two times."""
_OF_PEOPLE = """
select id, organization_id, person_id, program, role, effective_from, effective_to, coordinator, row ->> 'basis' as basis,
    asserted_at, retracted_at
from panel_member where person_id = any($1::uuid[])
"""


async def of_people(raw: Raw, people: Iterable[UUID]) -> dict[UUID, list[Attribution]]:
    """Give every claim that its owner upholds now, by person (ix_panel_member_person); the day is judged by the rule.

    With each what its owner ever said of the person: a claim that was only said anew is not a late one.
    """
    rows = await raw.fetch(_OF_PEOPLE, list(people))
    learned: dict[tuple[UUID, UUID], list[Learned]] = defaultdict(list)
    for row in rows:
        said = Learned(row["asserted_at"], row["effective_from"], row["effective_to"], row["retracted_at"])
        learned[row["person_id"], row["organization_id"]].append(said)
    claims: dict[UUID, list[Attribution]] = defaultdict(list)
    for row in rows:
        if row["retracted_at"] is None:
            ever = tuple(learned[row["person_id"], row["organization_id"]])
            claims[row["person_id"]].append(replace(Attribution(*list(row.values())[:_CLAIM_COLUMNS]), learned=ever))
    return claims

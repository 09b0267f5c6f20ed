"""A dry run of a state pack on one facility: of the people of each home, how many would nobody tell it of, and why.

Nothing is changed. Looks at the facility's latest stays. Not here: the decision (domain/privacy).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from app.domain.attribution import responsible_on
from app.domain.directory import Directory
from app.domain.organization import Organization
from app.domain.privacy import PROTECTED, may_be_told, recipient_of
from app.domain.privacy_law import StatePack
from app.domain.viewer import OPERATOR
from app.store import claims
from app.store.encounter_reads import EncounterFilter, ReadStay, list_encounters
from app.store.raw import Raw

STAYS_MAX = 1_000
"""Our policy: so many of the latest stays say enough of what a rule would do."""


@dataclass(slots=True)
class Rehearsed:
    """What the pack would do to one recipient."""

    organization: Organization
    members: set[UUID] = field(default_factory=set)
    silent: set[UUID] = field(default_factory=set)
    """Of whom it would be told nothing of any of the stays."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why, by how many stays."""


async def rehearse_privacy(
    raw: Raw, facility_id: UUID, pack: StatePack | None, *, directory: Directory, read_stay: ReadStay
) -> tuple[int, Sequence[Rehearsed]]:
    """Give how many stays were looked at, and what would become of each recipient. Two statements."""
    rows = await list_encounters(raw, OPERATOR, EncounterFilter(facility_id=facility_id), after=None, limit=STAYS_MAX)
    claimed = await claims.of_people(raw, {row.person_id for row in rows})
    found: dict[UUID, Rehearsed] = {}
    told: set[tuple[UUID, UUID]] = set()
    for row in rows:
        stay = read_stay(row, directory)
        at = stay.view.discharged_at or stay.view.admitted_at
        if at is None or row.mode == "test":
            continue
        law = stay.law if pack is None else replace(stay.law, packs={**stay.law.packs, pack.id: pack})
        origin = replace(stay, law=law, place=stay.place._replace(privacy_pack=pack.id if pack else None)).origin
        for organization_id in responsible_on(claimed.get(row.person_id, ()), stay.day_of(at)):
            organization = directory.organizations.get(organization_id)
            if organization is None:
                continue
            one = found.setdefault(organization_id, Rehearsed(organization))
            one.members.add(row.person_id)
            decision = may_be_told(origin, recipient_of(organization))
            if decision.tier.tells:
                told.add((organization_id, row.person_id))
            else:
                one.reasons[decision.reasons[0].removeprefix(PROTECTED)] += 1
    for one in found.values():
        one.silent = {person for person in one.members if (one.organization.id, person) not in told}
    return len(rows), sorted(found.values(), key=lambda one: (-len(one.silent), one.organization.name))

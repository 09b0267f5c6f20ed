"""Decides one stay that is held for review: by what an operator says of its place, and by everything else as always.

What may be told now is told at once, as late (late_release): the stay is looked at again like one whose registry changed. Not here:
registering the place itself, which decides all its stays (the origin registry).
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.directory import Directory
from app.domain.held_stay import Redecided, Released, decide_place
from app.domain.organization import Part2Status
from app.domain.privacy import may_be_told, recipient_of
from app.store import consents, encounters, holds, people
from app.store.encounter_reads import ReadStay
from app.store.raw import Raw

CAUSE = "organization"
"""As of a registry that changed: what it withholds is left out of measures at once."""


class NotReleased(StrEnum):
    """Why there is nothing to decide."""

    NO_STAY = "there is no such stay"
    NOT_HELD = "nothing of this stay is held: there is nothing to release"
    REGISTERED = "the registry says what its place is, and decides it: correct it there"


async def release_hold(
    raw: Raw,
    encounter_id: UUID,
    status: Part2Status,
    reason: str,
    *,
    directory: Directory,
    read_stay: ReadStay,
    key_id: UUID | None,
    id_: UUID,
    now: datetime,
) -> Released | NotReleased:
    """Say what the place of a held stay is, and give what follows for each recipient it was held for. As the operator.

    What was said of a stay before can be said otherwise, held or not.
    """
    await people.lock_people(raw, await encounters.people_of(raw, [encounter_id]))
    found = await encounters.by_id(raw, [encounter_id])
    if not found:
        return NotReleased.NO_STAY
    (row,) = found
    held = await holds.recipients_of(raw, encounter_id)
    if not held and row.place_decided is None:
        return NotReleased.NOT_HELD
    row.consents = (await consents.of_people(raw, [row.person_id])).get(row.person_id, ())
    # As the registry has it, whatever was said of this stay before.
    row.place_decided = None
    before = read_stay(row, directory)
    if before.place.part2_status is not Part2Status.UNKNOWN:
        return NotReleased.REGISTERED
    row.place_decided = decide_place(status, before.view.facts)
    stay = read_stay(row, directory)
    decided = []
    for recipient_id, _ in held:
        if (organization := directory.organizations.get(recipient_id)) is not None:
            decision = may_be_told(stay.origin, recipient_of(organization))
            decided.append(Redecided(recipient_id, organization.name, decision.tier, decision.reasons))
    await holds.decide(raw, encounter_id, status, row.place_decided, reason=reason, id_=id_, key_id=key_id, now=now)
    await encounters.reconsider(raw, [encounter_id], now, CAUSE)
    return Released(encounter_id, status, min((since for _, since in held), default=now), decided)

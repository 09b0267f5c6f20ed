"""Everything that the measures ask of people, read for them alone: for computing the ledger anew, beside the rooms.

Not here: what room 7 has in hand anyway (keep_follow_ups), and the comparison with what stands (measure).
"""

from collections.abc import Callable, Collection, Mapping
from datetime import date
from uuid import UUID

from app.domain.answer import denied_of
from app.domain.measure_ledger import Measured
from app.domain.stay_in_hand import StayInHand
from app.store import answers, claims, encounters, follow_ups, people
from app.store.encounters import EncounterRow
from app.store.raw import Raw


async def gather_measured(raw: Raw, persons: Collection[UUID], read: Callable[[EncounterRow], StayInHand]) -> Mapping[UUID, Measured]:
    """Read it with five statements, however many people. Stays that became part of others are told by those."""
    stays: dict[UUID, list[StayInHand]] = {}
    for row in await encounters.of_people(raw, persons):
        if row.folded_into is None:
            stays.setdefault(row.person_id, []).append(read(row))
    contacts = await follow_ups.contacts_of_people(raw, persons)
    records = await people.describe(raw, persons)
    claimed = await claims.of_people(raw, persons)
    answered = await answers.of_people(raw, persons)
    return {
        person: Measured(
            stays=mine,
            contacts=[(stay_id, contact) for (stay_id, _), made in contacts.get(person, {}).items() for contact in made],
            records=records.get(person, ()),
            claims=claimed.get(person, ()),
            denied={stay.id: denied_of(stay.id, _day(stay), answered) for stay in mine},
        )
        for person, mine in stays.items()
    }


def _day(stay: StayInHand) -> date | None:
    at = stay.view.discharged_at or stay.view.admitted_at
    return None if at is None else stay.day_of(at)

"""When somebody died, as it is told of them; and what was heard of them later, which makes it doubtful.

A death that is wrong silences somebody who lives, and the records of two people taken for one bury the one with the other. So whoever
is admitted on a later day than the death is asked about, and nothing ends by that death until somebody has decided that it is right.
Not here: the review that asks (store/death_doubts), and what a death does to follow-ups and measures.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from app.domain.encounter import EncounterStatus
from app.domain.event_order import recorded_instant
from app.domain.happening import DEATH_DISPOSITIONS
from app.domain.latest import key_of, known
from app.domain.person import PatientRecord
from app.domain.stay_in_hand import StayInHand

_BEGUN = frozenset({EncounterStatus.IN_PROGRESS, EncounterStatus.FINISHED})


@dataclass(frozen=True, slots=True)
class DeathDoubt:
    """Somebody who is said to have died on a day, and the first stay that began on a later one."""

    person_id: UUID
    stay_id: UUID
    died_on: date

    @property
    def key(self) -> str:
        """By what it is asked once."""
        return f"died {self.died_on.isoformat()}"


Doubts = Mapping[UUID, DeathDoubt]
"""Person -> what is doubtful about their death."""


def died_at(stays: Sequence[StayInHand], records: Sequence[PatientRecord]) -> datetime | None:
    """Give when the person died, as any of the stays or a message about the person alone (A31) tells it.

    A stay repeats what its messages said of the patient: where the hospital's record says otherwise by now, it was taken back.
    """
    alive = {record.id for record in records if key_of(record.said, "deceased") and known(record.said).get("deceased") is not True}
    deaths = [stay.view.deceased_at for stay in stays if stay.view.deceased_at is not None and stay.record_id not in alive]
    deaths += [
        stay.view.discharged_at for stay in stays if stay.view.disposition in DEATH_DISPOSITIONS and stay.view.discharged_at is not None
    ]
    for record in records:
        facts = known(record.said)
        if facts.get("deceased") is True:
            on_record = facts.get("died_at")
            deaths.append(datetime.fromisoformat(on_record) if on_record else recorded_instant(key_of(record.said, "deceased")))
    return min(deaths, default=None)


def death_doubt(person_id: UUID, stays: Iterable[StayInHand], records: Sequence[PatientRecord]) -> DeathDoubt | None:
    """Say what makes the death doubtful: a stay that began on a later day. The same day is none: PID-29 is often a day alone."""
    stays = list(stays)
    died = died_at(stays, records)
    if died is None:
        return None
    later = [
        (at, stay)
        for stay in stays
        if (at := stay.view.admitted_at) is not None and stay.view.status in _BEGUN and stay.day_of(at) > stay.day_of(died)
    ]
    if not later:
        return None
    _, first = min(later, key=lambda one: (one[0], one[1].id))
    return DeathDoubt(person_id, first.id, first.day_of(died))

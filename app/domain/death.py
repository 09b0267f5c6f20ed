"""When somebody died, as it is told of them; and what was heard of them later, which makes it doubtful.

A death that is wrong silences somebody who lives, and the records of two people taken for one bury the one with the other. So whoever
is admitted on a later day than the death is asked about, and nothing ends by that death until somebody has decided that it is right.
Decided to be wrong, it counts as though it had never been said: a stay that "ended in death" ended to nobody knows where.
Not here: the review that asks (store/death_doubts), and what a death does to follow-ups and measures.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, tzinfo
from types import MappingProxyType
from uuid import UUID

from app.domain.calendar import local_date
from app.domain.death_judged import NOTHING_JUDGED, key_of_day
from app.domain.encounter import EncounterStatus
from app.domain.event_order import recorded_instant
from app.domain.happening import DEATH_DISPOSITIONS
from app.domain.latest import key_of, known
from app.domain.person import PatientRecord
from app.domain.stay import Disposition, Stay
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
        return key_of_day(self.died_on)


Doubts = Mapping[UUID, DeathDoubt]
"""Person -> what is doubtful about their death."""


@dataclass(frozen=True, slots=True)
class Death:
    """What is made of everything that says somebody has died."""

    at: datetime | None = None
    """The first death that nobody has to doubt."""
    on: date | None = None
    doubted: Mapping[date, StayInHand] = field(default_factory=lambda: MappingProxyType({}))
    """The other days, each with the first stay that began on a later one: they end nothing."""
    told_by: UUID | None = None
    """The stay that tells it; None where a message about the person alone or a roster does."""

    def doubt(self, person_id: UUID) -> DeathDoubt | None:
        """Give what is to be asked first."""
        first = min(self.doubted, default=None)
        return None if first is None else DeathDoubt(person_id, self.doubted[first].id, first)


def death_of(stays: Iterable[StayInHand], records: Sequence[PatientRecord], zone: tzinfo = UTC) -> Death:
    """Judge what stays and records say. `zone`: whose days those of a record are with which no stay came."""
    stays = tuple(stays)
    judged = next((one.deaths for one in stays), NOTHING_JUDGED)
    believed: list[_Told] = []
    doubted: dict[date, StayInHand] = {}
    for at, on, stay_id in _said(stays, records, zone):
        later = None if on in judged.dismissed else _first_after(on, stays)
        if later is not None and on not in judged.upheld:
            doubted[on] = later
        elif on not in judged.dismissed:
            believed.append((at, on, stay_id))
    if not believed:
        return Death(doubted=doubted)
    at, on, told_by = min(believed, key=lambda one: (one[0], one[1], str(one[2])))
    return Death(at, on, doubted, told_by)


_Told = tuple[datetime, date, UUID | None]
"""When, on which local day, and the stay that tells it, if one does."""


def _said(stays: Sequence[StayInHand], records: Sequence[PatientRecord], zone: tzinfo) -> list[_Told]:
    """Give every death that is told: by a stay, by a message about the person alone (A31), by a roster.

    A stay repeats what its messages said of the patient: where the hospital's record says otherwise by now, it was taken back.
    """
    alive = {record.id for record in records if key_of(record.said, "deceased") and known(record.said).get("deceased") is not True}
    at_stays = [(stay, stay.view.deceased_at) for stay in stays if stay.record_id not in alive]
    at_stays += [(stay, stay.view.discharged_at) for stay in stays if stay.view.disposition in DEATH_DISPOSITIONS and _stands(stay)]
    said: list[_Told] = [(at, stay.day_of(at), stay.id) for stay, at in at_stays if at is not None]
    zones: dict[UUID, tzinfo] = {stay.record_id: stay.zone for stay in stays}
    for record in records:
        facts = known(record.said)
        if facts.get("deceased") is True:
            on_record = facts.get("died_at")
            at = datetime.fromisoformat(on_record) if on_record else recorded_instant(key_of(record.said, "deceased"))
            said.append((at, local_date(at, zones.get(record.id, zone)), None))
        if facts.get("death_date"):
            on = date.fromisoformat(facts["death_date"])
            said.append((datetime.combine(on, time.min, zone), on, None))
    return said


def _stands(stay: StayInHand) -> bool:
    return stay.view.status is not EncounterStatus.CANCELLED


def _first_after(day: date, stays: Iterable[StayInHand]) -> StayInHand | None:
    """Find the first stay that began on a later day. The same day is no contradiction: PID-29 is often a day alone."""
    later = [
        (at, stay) for stay in stays if (at := stay.view.admitted_at) is not None and stay.view.status in _BEGUN and stay.day_of(at) > day
    ]
    return min(later, key=lambda one: (one[0], one[1].id))[1] if later else None


def as_judged(stay: StayInHand) -> StayInHand:
    """Give the stay without a death that somebody has found to be wrong."""
    view, dismissed = stay.view, stay.deaths.dismissed
    if not dismissed:
        return stay
    if view.deceased_at is not None and stay.day_of(view.deceased_at) in dismissed:
        view = replace(view, deceased_at=None)
    if view.disposition in DEATH_DISPOSITIONS and view.discharged_at is not None and stay.day_of(view.discharged_at) in dismissed:
        view = replace(view, disposition=None)
    return stay if view is stay.view else replace(stay, view=view)


def without_doubted(stay: Stay, doubted: AbstractSet[date]) -> Stay:
    """Give the stay as one that ended to nobody knows where, while it is doubtful that it ended in death."""
    is_doubtful = stay.disposition is Disposition.DIED and stay.discharged_on in doubted
    return replace(stay, disposition=Disposition.UNKNOWN) if is_doubtful else stay

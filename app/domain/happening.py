"""The events of a stay that somebody may be told of, read off what the stay is: a pure function of the fold, so arrival cannot matter.

Which events there are: standards C.6 (column "notify") and DV-7: a bed move inside a facility is nobody's news. Not here: who is
told (attribution, privacy, preference) and what has been told already (notification).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.domain.adt_event import DiagnosisUse, EncounterClass
from app.domain.diagnosis_set import Diagnosis
from app.domain.encounter import EncounterStatus, EncounterView
from app.domain.trigger import Trigger


class Kind(StrEnum):
    """One event of a stay. A stay has at most one of each that stands."""

    ADMITTED = "admitted"
    """The stay began: an emergency registration, an admission, an outpatient visit."""
    CONVERTED = "converted"
    """An emergency, observation-free or outpatient visit became a stay in the house under the same visit number."""
    DISCHARGED = "discharged"
    DIED = "died"


class NotificationType(StrEnum):
    """DESIGN section 6, Notification."""

    ADMITTED = "encounter.admitted"
    TRANSFERRED = "encounter.transferred"
    DISCHARGED = "encounter.discharged"
    UPDATED = "encounter.updated"
    CANCELLED = "encounter.cancelled"
    DIED = "person.died"
    FOLLOW_UP_DUE = "follow_up.due"
    FOLLOW_UP_OVERDUE = "follow_up.overdue"
    FOLLOW_UP_CONTACTED = "follow_up.contacted"
    FOLLOW_UP_CLOSED = "follow_up.closed"
    FOLLOW_UP_LOST = "follow_up.lost_in_transfer"
    FOLLOW_UP_READMITTED = "follow_up.readmitted"
    FOLLOW_UP_RESUMED = "follow_up.resumed"
    FOLLOW_UP_SAFETY = "follow_up.safety"
    FOLLOW_UP_UPDATED = "follow_up.updated"
    """A later version of one of these, or that it was taken back."""
    FOLLOW_UP_OFFERED = "follow_up.offered"
    FOLLOW_UP_TRANSFERRED = "follow_up.transferred"
    FOLLOW_UP_KEPT = "follow_up.kept"
    """An offer was declined or taken back: the follow-up stays where it is."""
    RECORD_OPENED = "record.opened"
    """To whose records they are: an emergency or a broken glass lets somebody read what they otherwise could not (42 CFR 2.51)."""
    WITHDRAWN = "notification.withdrawn"


DEATH_DISPOSITIONS = frozenset({"20", "40", "41", "42"})
"""UB-04 form locator 17: expired, in the house or in hospice."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a stay: what, when, in which class, and what about it is news when it changes."""

    kind: Kind
    type: NotificationType
    occurred_at: datetime
    encounter_class: EncounterClass
    news: Mapping[str, Any]
    """For those who may see everything: a change here is a new version of what was told."""

    @property
    def words(self) -> frozenset[str]:
        """Give what a recipient may call it: `admitted` where it is told as one, and `converted` for what it is beside that."""
        return frozenset({self.type.rpartition(".")[2], *((self.kind.value,) if self.kind is Kind.CONVERTED else ())})


def happenings(view: EncounterView, *, behavioral_kind: str, has_summary: bool = False) -> list[Happening]:
    """List the events of a stay that stand, in the order of a stay's life.

    Of documents only the discharge summary is news, and only once: that there is one. Results come by the dozen a day, and a later
    version of a summary is seen where it is read.
    """
    if view.status is EncounterStatus.CANCELLED:
        return []
    listed: list[Happening] = []
    # Whether a stay turned behavioral is news while it lasts; its diagnoses are told with the discharge, when they are coded.
    stay_news = {"behavioral_kind": behavioral_kind}
    if view.phases:
        first = view.phases[0]
        listed.append(Happening(Kind.ADMITTED, NotificationType.ADMITTED, first.starts_at, first.encounter_class, stay_news))
    if len(view.phases) > 1:
        second = view.phases[1]
        told_as = NotificationType.ADMITTED if second.trigger == Trigger.ADMIT else NotificationType.TRANSFERRED
        listed.append(Happening(Kind.CONVERTED, told_as, second.starts_at, second.encounter_class, stay_news))
    if view.discharged_at is not None:
        news = {
            **stay_news,
            "disposition": view.disposition,
            "diagnoses": _settled(view.diagnoses),
            **({"summary": True} if has_summary else {}),
        }
        listed.append(Happening(Kind.DISCHARGED, NotificationType.DISCHARGED, view.discharged_at, view.encounter_class, news))
    died_at = view.deceased_at or (view.discharged_at if view.disposition in DEATH_DISPOSITIONS else None)
    if died_at is not None:
        listed.append(Happening(Kind.DIED, NotificationType.DIED, died_at, view.encounter_class, {}))
    return listed


def _settled(diagnoses: Sequence[Diagnosis]) -> list[list[Any]]:
    """Give the final diagnoses, or while there are none all of them: a late admitting diagnosis is no news beside a final one."""
    final = [item for item in diagnoses if item.use == DiagnosisUse.FINAL]
    return sorted([item.code, item.use, item.rank or 0] for item in final or diagnoses)

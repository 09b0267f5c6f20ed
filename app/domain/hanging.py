"""Stays that nobody ended: the A03 was lost, and the patient is long at home. After a configured time they are presumed to have ended.

The presumption stands directly after the last event that was heard, so that whatever happened since takes it back, in whatever order
it arrives, and a real A03 gives the stay its real end. It is told to nobody and starts no clock: nobody knows when the patient left.
Not here: the fold that weighs it (`encounter`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.adt_event import AdtEvent, EncounterClass, Identifier, PersonFacts, ProcessingId, VisitFacts
from app.domain.encounter import IN_HOUSE
from app.domain.event_order import occurred_instant
from app.domain.trigger import Trigger

_NEXT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an open stay may be silent; None: for ever."""

    visit: timedelta | None
    """An emergency or outpatient visit."""
    stay: timedelta | None
    """A stay in a bed of the house."""

    def by_class(self) -> Mapping[str, timedelta]:
        """Give it for each class of stay that ends; a preadmission is none, and a recurring series has no end to miss."""
        visits = (EncounterClass.EMERGENCY, EncounterClass.OUTPATIENT)
        every = [(of, self.visit) for of in visits] + [(of, self.stay) for of in (*IN_HOUSE, EncounterClass.UNKNOWN)]
        return {of.value: limit for of, limit in every if limit is not None}


def presumption(last_key: str, record: Identifier, content_hash: bytes, now: datetime) -> AdtEvent:
    """Give the event that says so, directly after the last one that was heard."""
    at = occurred_instant(last_key) + _NEXT
    return AdtEvent(
        trigger=Trigger.PRESUMED_ENDED,
        occurred_at=at,
        recorded_at=now,
        sent_at=now,
        content_hash=content_hash,
        control_id="",
        processing_id=ProcessingId.PRODUCTION,
        identifiers=(record,),
        person=PersonFacts(),
        visit=VisitFacts(),
    )

"""By which number of which facility a message names its stay. Not here: numbers that are retired into others (stay_name)."""

from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.adt_event import AdtEvent
from app.domain.calendar import local_date
from app.domain.feed import Feed
from app.domain.known import stated
from app.domain.trigger import DOCUMENT_TRIGGERS, PERSON_TRIGGERS

VisitKey = tuple[UUID, str, str]
"""(facility, visit authority, visit number)."""


def visit_key(event: AdtEvent, feed: Feed) -> VisitKey | None:
    """Name the stay that an event makes or changes: by its visit number; without one, by the patient and the admission or the local day.

    A sender without visit numbers cannot tell two stays of one day apart, and neither can we.
    """
    if event.visit is None or event.trigger in PERSON_TRIGGERS or event.trigger in DOCUMENT_TRIGGERS:
        return None
    named = named_visit(event, feed)
    if named is not None:
        return named
    own = event.identifiers[0]
    began_at = stated(event.visit.admitted_at)
    moment = began_at.isoformat() if began_at is not None else local_date(event.occurred_at, ZoneInfo(feed.time_zone)).isoformat()
    return feed.organization_id, f"{own.authority}|{own.type}|{own.value}", moment


def named_visit(event: AdtEvent, feed: Feed) -> VisitKey | None:
    """Name the stay by the number that the message gives, if it gives one."""
    number = event.visit.visit_number if event.visit is not None else None
    return (feed.organization_id, number.authority, number.value) if number is not None and number.value else None

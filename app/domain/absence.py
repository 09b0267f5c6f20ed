"""What a team learned of a person: in a facility, in custody, or dead. It stops program clocks for a while, and never a measure. Pure.

From the contact that says so to its review date, or to the first thing that says otherwise: a contact that reached the person, another
stay in a hospital that begins or ends. While it lasts no clock runs that the program does not let run there; afterwards each has the
time left that it had. Of a death that only a contact tells nobody is sure: it has a review date like the others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from app.domain.calendar import ClockUnit, Holidays, add_business_days, end_of_day, is_business_day, local_date
from app.domain.contact import Contact, ContactOutcome, ContactType, ContactWith
from app.domain.stay import Stay, StayClass

AWAY: Final = frozenset({ContactOutcome.IN_FACILITY, ContactOutcome.INCARCERATED, ContactOutcome.DECEASED})
BACK: Final = frozenset({ContactOutcome.REACHED, ContactOutcome.ATTENDED})
REVIEW_AFTER: Final = timedelta(days=14)
"""Our policy: who says no review date is asked again after two weeks."""


@dataclass(frozen=True, slots=True)
class Absence:
    """A time in which the person is somewhere where the team cannot follow."""

    outcome: ContactOutcome
    starts_at: datetime
    ends_at: datetime
    place: str | None
    ended_by_team: bool
    """A contact ended it, so the team knows; not its review date, or another stay."""


def absences(contacts: Iterable[Contact], stay: Stay, stays: Iterable[Stay]) -> tuple[Absence, ...]:
    """Give the absences after a stay's discharge, in order and apart from each other."""
    anchor_at = stay.discharged_at
    if anchor_at is None:
        return ()
    standing = (one for one in contacts if one.voided_at is None and one.occurred_at >= anchor_at)
    told = sorted(standing, key=lambda one: (one.occurred_at, one.id))
    # A preadmission is planned for a day to come, and clinics see people from wherever they live: neither says where the person is.
    others = [other for other in stays if other.id != stay.id and not other.cancelled and other.stay_class is not StayClass.OTHER]
    heard = sorted(at for other in others for at in (other.admitted_at, other.discharged_at) if at is not None)
    found: list[Absence] = []
    for position, contact in enumerate(told):
        if contact.outcome not in AWAY:
            continue
        review_at = _review_at(contact, stay.zone)
        later = [one.occurred_at for one in told[position + 1 :] if _says_otherwise(one) and one.occurred_at > contact.occurred_at]
        ends_at = min([review_at, *later, *(at for at in heard if at > contact.occurred_at)])
        if ends_at > contact.occurred_at:
            found.append(Absence(contact.outcome, contact.occurred_at, ends_at, contact.place, ends_at in later))
    return tuple(found)


def _says_otherwise(contact: Contact) -> bool:
    """Whether it says anew where the person is.

    That the nurse of the jail was reached does not say that the person is back, and a visit at the bedside says that they are not.
    """
    is_elsewhere = contact.type.is_collateral or contact.type is ContactType.IN_PERSON_HOSPITAL
    reached = contact.outcome in BACK and contact.with_whom is ContactWith.PATIENT and not is_elsewhere
    return reached or contact.outcome in AWAY


def _review_at(contact: Contact, zone: tzinfo) -> datetime:
    on = local_date(contact.occurred_at, zone)
    day = max(contact.review_on or on + REVIEW_AFTER, on + timedelta(days=1))
    return datetime.combine(day, time(), zone).astimezone(UTC)


def due_after(due_at: datetime, unit: ClockUnit, away: Sequence[Absence], zone: tzinfo, holidays: Holidays) -> datetime:
    """Give the due time with as much time left after each absence as there was before it."""
    for one in away:
        if one.starts_at >= due_at:
            break
        due_at = _resumed(due_at, unit, one, zone, holidays)
    return due_at


def _resumed(due_at: datetime, unit: ClockUnit, away: Absence, zone: tzinfo, holidays: Holidays) -> datetime:
    if unit is ClockUnit.HOURS:
        return due_at + (away.ends_at - away.starts_at)
    due, left, back = local_date(due_at, zone), local_date(away.starts_at, zone), local_date(away.ends_at, zone)
    if unit is not ClockUnit.BUSINESS_DAYS:
        return end_of_day(due + (back - left), zone)
    if back <= left:
        return due_at
    # What was left of the due day itself is left of the first business day on which they are back.
    days = max(_business_days(left, due, holidays), 0 if is_business_day(back, holidays) else 1)
    return end_of_day(add_business_days(back, days, holidays), zone)


def _business_days(after: date, until: date, holidays: Holidays) -> int:
    days = (after + timedelta(days=number) for number in range(1, (until - after).days + 1))
    return sum(is_business_day(day, holidays) for day in days)

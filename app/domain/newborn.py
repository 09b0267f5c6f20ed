"""A newborn of whom a message says who the mother is (PID-21): the mother's number names the mother. Pure.

Not here: a newborn under the mother's number whose message does not say so (number_reuse).
"""

from datetime import timedelta
from typing import Final

from app.domain.adt_event import AdtEvent, Identifier
from app.domain.known import stated
from app.domain.stand_in import is_newborns

NEWLY_BORN: Final = timedelta(days=366)
"""Our policy: a record whose birth date lies no longer before the message may be that of a newborn under the mother's number."""


def is_under_mothers_number(event: AdtEvent) -> bool:
    """Tell whether the number by which the message names a newborn is the one that it gives the mother."""
    return _is_mothers(event.identifiers[0], event) and _is_newborn(event)


def identifiers_of(event: AdtEvent) -> tuple[Identifier, ...]:
    """Give a patient's identifiers: of a newborn without those that are the mother's, which a sender may repeat beside the own."""
    if not event.mothers or not _is_newborn(event):
        return event.identifiers
    first, *others = event.identifiers
    return (first, *(one for one in others if not _is_mothers(one, event)))


def _is_mothers(one: Identifier, event: AdtEvent) -> bool:
    return any((one.authority, one.value) == (mothers.authority, mothers.value) for mothers in event.mothers)


def _is_newborn(event: AdtEvent) -> bool:
    """By the birth date, else by the name: who fills PID-21 for everybody says nothing of a grown-up with it."""
    born = stated(event.person.birth_date)
    if born is not None:
        return event.occurred_at.date() - born <= NEWLY_BORN
    return is_newborns((stated(event.person.first_name) or "").upper())

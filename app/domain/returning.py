"""Coming back: observed 30-day readmissions and emergency revisits, unadjusted. Here the numerator is what should not have happened.

Readmissions are acute or observation stays admitted on day 1 to 30, by whatever cause; direct transfers are one stay, planned stays and
pregnancy do not count. Observed only: an expected rate needs claims (domain 1.7). Not here: the order in which a person's exclusions
are tested (``episode``).
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from app.domain.measure import MeasureEvent, MeasureState, Standing
from app.domain.stay import CareLevel, Disposition, Stay, StayClass

TRANSFER_DAYS: Final = 1
"""An admission by the day after a discharge goes on with the same episode (PCR: gap of at most one day)."""


def _fixed(status: MeasureState, reason: str, text: str) -> Standing:
    return Standing(status=status, reason=reason, text=text)


SAME_DAY_STAY: Final = _fixed(MeasureState.EXCLUDED, "same_day_stay", "admitted and discharged on one day")
NO_INDEX_CAUSE: Final = _fixed(MeasureState.NOT_ELIGIBLE, "pregnancy", "for pregnancy or birth, which is no event of this measure")
BECAME_ADMISSION: Final = _fixed(MeasureState.EXCLUDED, "admitted", "the visit ended in an admission")


def standing_of_return(event: MeasureEvent) -> Standing | None:
    """Say what of the stay itself, and of what went on with it, takes an event out."""
    stay, rules = event.stay, event.rules
    if stay.signal.principal & rules.no_index_principal:
        return NO_INDEX_CAUSE
    onward = _goes_on(event)
    if stay.stay_class is StayClass.EMERGENCY:
        if stay.disposition is Disposition.ADMITTED_HERE or (onward is not None and onward.is_admission):
            return BECAME_ADMISSION if onward is None else replace(BECAME_ADMISSION, superseded_by=onward.id)
    elif onward is None and stay.admitted_on == stay.discharged_on and _began_on(event) == stay.discharged_on:
        return SAME_DAY_STAY
    if onward is None:
        return None
    if onward.in_house:
        text = "the stay goes on in another one, which is not over"
        return Standing(status=MeasureState.SUSPENDED, reason="transferred", text=text, superseded_by=onward.id)
    text = "the stay goes on in another one; its end counts"
    return Standing(status=MeasureState.SUPERSEDED, reason="transferred", text=text, superseded_by=onward.id)


def returns_after(event: MeasureEvent) -> Iterator[tuple[date, Stay]]:
    """Give the stays with which the person came back, with the day."""
    for other in event.history.stays.begun_within(event.first_on, event.due_30_on):
        day = other.admitted_on
        if day is not None and _is_return(event, other, day):
            yield day, other


def _is_return(event: MeasureEvent, other: Stay, day: date) -> bool:
    if not _comes_after(event.stay, other) or not event.first_on <= day <= event.due_30_on:
        return False
    if event.stay.stay_class is StayClass.EMERGENCY:
        return other.stay_class is StayClass.EMERGENCY or other.through_emergency
    principal = other.signal.principal
    planned = other.planned or bool(principal & event.rules.planned_principal)
    return _counts(other, event) and not planned and not principal & event.rules.no_index_principal


def _counts(other: Stay, event: MeasureEvent) -> bool:
    return other.stay_class in event.rules.stay_classes and other.care_level is CareLevel.ACUTE


def _comes_after(stay: Stay, other: Stay) -> bool:
    """Whether another stay took place and began after this one, and not within it."""
    if other.id == stay.id or other.cancelled or other.admitted_at is None or other.order <= stay.order or stay.discharged_at is None:
        return False
    return other.admitted_at >= stay.discharged_at


def _began_on(event: MeasureEvent) -> date | None:
    """Give the day on which the person came, through the direct transfers that led here: transfers are merged before days are counted."""
    stay = event.stay
    before = (one for one in event.history.stays if _counts(one, event) and not one.cancelled and one.discharged_on is not None)
    for one in sorted((one for one in before if one.order < stay.order), key=lambda one: one.order, reverse=True):
        onward = _goes_on(replace(event, stay=one))
        if onward is not None and onward.id == stay.id:
            stay = one
    return stay.admitted_on


def _goes_on(event: MeasureEvent) -> Stay | None:
    """Find the stay that goes on with this one: of an emergency visit only where it was a transfer or an admission followed at once."""
    stay = event.stay
    moving = stay.disposition is Disposition.TRANSFER
    ended_on = stay.discharged_on or event.anchor_on
    onward = (
        other
        for other in event.history.stays.begun_within(ended_on, ended_on + timedelta(days=TRANSFER_DAYS))
        if not other.cancelled and other.id != stay.id and other.order > stay.order
        if (_counts(other, event) if stay.stay_class is not StayClass.EMERGENCY else other.is_admission)
        or (moving and other.stay_class is stay.stay_class)
    )
    return next(onward, None)

"""The events that move a stay through its life, and which of them stand: each cancel strikes what was recorded before it.

A mark is one such event as it is stored; the marks of a stay are a set, so the order of arrival cannot matter (decision 0001).
Sources: HL7 2.5.1 chapter 3, standards C.6 and ADT-1. Not here: what the stay is by them (`encounter`).
"""

from datetime import UTC, datetime
from typing import NamedTuple

from app.domain.adt_event import AdtEvent, EncounterClass, VisitFacts
from app.domain.trigger import Trigger


class Mark(NamedTuple):
    """One event that moves the stay. Stored as a JSON list."""

    key: str
    trigger: str
    occurred_at: str
    recorded_at: str
    encounter_class: str | None
    ends_at: str | None
    """PV1-45 of a discharge, or of an update that states one (an inferred discharge); PV2-9 of a pending discharge."""
    disposition: str | None


_ARRIVALS = frozenset({Trigger.REGISTER, Trigger.ADMIT, Trigger.TO_INPATIENT, Trigger.TO_OUTPATIENT})
PLANS = frozenset({Trigger.PRE_ADMIT, Trigger.PENDING_ADMIT})
"""They announce a stay and begin none."""
ADMISSIONS = frozenset({*_ARRIVALS, *PLANS, Trigger.REPORTED})
ADMISSION_CANCELS: dict[str, frozenset[str]] = {
    Trigger.CANCEL_ADMIT: ADMISSIONS,
    Trigger.CANCEL_PRE_ADMIT: frozenset({Trigger.PRE_ADMIT}),
    Trigger.CANCEL_PENDING_ADMIT: frozenset({Trigger.PENDING_ADMIT}),
}
"""What each cancel may strike. Some senders take a pre-admission back by an A11 too."""
REOPENING = frozenset({Trigger.ADMIT, Trigger.TO_INPATIENT, Trigger.TO_OUTPATIENT})
"""An admission after a discharge opens the stay again: an emergency visit that ends by being admitted (same number)."""
_INFERRING = frozenset(
    {
        Trigger.UPDATE,
        Trigger.TRANSFER,
        Trigger.CHANGE_ATTENDING,
        Trigger.CANCEL_ATTENDING,
        Trigger.CHANGE_CONSULTING,
        Trigger.CANCEL_CONSULTING,
    }
)
INTERLUDES = frozenset(
    {
        Trigger.LEAVE,
        Trigger.RETURN,
        Trigger.CANCEL_LEAVE,
        Trigger.CANCEL_RETURN,
        Trigger.PENDING_TRANSFER,
        Trigger.CANCEL_PENDING_TRANSFER,
        Trigger.PENDING_DISCHARGE,
        Trigger.CANCEL_PENDING_DISCHARGE,
    }
)
"""They happen while a stay lasts, and neither open nor close it: a leave of absence is no discharge."""
_MOVES = (
    ADMISSIONS
    | frozenset(ADMISSION_CANCELS)
    | INTERLUDES
    | {Trigger.DISCHARGE, Trigger.TRANSFER, Trigger.CANCEL_TRANSFER, Trigger.CANCEL_DISCHARGE, Trigger.PRESUMED_ENDED}
)
_IMPLIED_CLASSES: dict[str, str] = {
    Trigger.ADMIT: EncounterClass.INPATIENT.value,
    Trigger.TO_INPATIENT: EncounterClass.INPATIENT.value,
    Trigger.TO_OUTPATIENT: EncounterClass.OUTPATIENT.value,
}
"""What a move says of the class where PV1-2 says nothing: a patient who is admitted is in the house."""


def text_of(value: datetime) -> str:
    """Write an instant as it is stored and compared."""
    return value.astimezone(UTC).isoformat()


def mark_of(key: str, event: AdtEvent, visit: VisitFacts) -> Mark | None:
    """Give the mark that an event leaves, if it moves its stay. `key` is its sort key."""
    ends_at = visit.discharged_at if isinstance(visit.discharged_at, datetime) else None
    if event.trigger in INTERLUDES:
        # What is announced for later ends nothing, in whichever field it is written.
        ends_at = visit.expected_discharge_at if isinstance(visit.expected_discharge_at, datetime) else None
    elif event.trigger in _ARRIVALS and not _is_told_afterwards(event, visit, ends_at):
        ends_at = None
    infers = ends_at is not None and event.trigger in _INFERRING
    if event.trigger not in _MOVES and not infers:
        return None
    encounter_class = visit.encounter_class.value if isinstance(visit.encounter_class, EncounterClass) else None
    if encounter_class is None:
        encounter_class = _IMPLIED_CLASSES.get(event.trigger)
    disposition = visit.disposition if isinstance(visit.disposition, str) else None
    return Mark(
        key,
        event.trigger,
        text_of(event.occurred_at),
        text_of(event.recorded_at),
        encounter_class,
        text_of(ends_at) if ends_at else None,
        disposition,
    )


def _is_told_afterwards(event: AdtEvent, visit: VisitFacts, ends_at: datetime | None) -> bool:
    """Tell whether an admission also states its own end (ADT-1): a visit that was entered when it was over.

    An end before the beginning is left over from an earlier stay; one in the future is a plan.
    """
    begins_at = visit.admitted_at if isinstance(visit.admitted_at, datetime) else None
    return begins_at is not None and ends_at is not None and begins_at <= ends_at <= event.recorded_at


def with_mark(marks: list[Mark], mark: Mark | None) -> list[Mark]:
    """Add a mark; the same one twice is one, and a message that was read again, by another profile, is what it is read as now."""
    if mark is None or mark in marks:
        return marks
    return sorted([*(other for other in marks if other.key != mark.key), mark])


def standing_discharges(marks: list[Mark], admissions: list[Mark]) -> tuple[list[Mark], list[Mark]]:
    """Give the discharges that stand and those that were struck: a cancel strikes every one that was recorded before it.

    By recording time, not by event time: a discharge that is entered again with the old time after its cancel stands.
    An update that merely repeats the struck time does not discharge again, nor one that repeats the end of an emergency visit
    after its patient was admitted. An A11 that leaves no admission takes the discharges recorded before it along: the stay never was.
    """
    cancels = [mark.recorded_at for mark in marks if mark.trigger == Trigger.CANCEL_DISCHARGE]
    if not admissions:
        cancels += [mark.recorded_at for mark in marks if mark.trigger == Trigger.CANCEL_ADMIT]
    last_cancel = max(cancels, default="")
    inferring = _INFERRING | _ARRIVALS
    ends = [
        mark
        for mark in marks
        if mark.trigger == Trigger.DISCHARGE
        or (mark.ends_at and mark.trigger in inferring and (mark.trigger not in _ARRIVALS or mark in admissions))
    ]
    struck = [mark for mark in ends if mark.recorded_at <= last_cancel]
    stated = [mark for mark in ends if mark.recorded_at > last_cancel and mark.trigger == Trigger.DISCHARGE]
    struck_times = {end_of(mark) for mark in struck}
    standing = list(stated)
    for mark in ends:
        if mark.recorded_at <= last_cancel or mark.trigger == Trigger.DISCHARGE or end_of(mark) in struck_times:
            continue
        reopened_by = [other.key for other in admissions if other.trigger in REOPENING and other.key < mark.key]
        reopened = max(reopened_by, default="")
        if not any(end.key < reopened and end_of(end) == end_of(mark) for end in stated):
            standing.append(mark)
    return sorted(standing), struck


def end_of(mark: Mark) -> str:
    """Give when the stay ended by this discharge."""
    return mark.ends_at or mark.occurred_at


def standing_admissions(marks: list[Mark]) -> tuple[list[Mark], list[tuple[str, str]]]:
    """Give the admissions that stand, and the spans (struck admission, its cancel) by sort key.

    Each cancel strikes the last admission of its kind that was recorded before it: an A11 the A01 after an emergency visit, and only
    then the visit itself. An admission that was sent twice is struck as one, and two cancels of one recording time are one sent twice.
    """
    standing = [mark for mark in marks if mark.trigger in ADMISSIONS]
    cancels = sorted((mark for mark in marks if mark.trigger in ADMISSION_CANCELS), key=_recorded_order)
    if not cancels:
        return standing, []
    recorded = sorted((mark for mark in marks if mark.trigger in ADMISSIONS or mark.trigger == Trigger.DISCHARGE), key=_recorded_order)
    struck: list[tuple[str, str]] = []
    seen: set[tuple[str, str]] = set()
    for cancel in cancels:
        if (cancel.trigger, cancel.recorded_at) in seen:
            continue
        seen.add((cancel.trigger, cancel.recorded_at))
        kinds = ADMISSION_CANCELS[cancel.trigger]
        before = [
            mark
            for mark in recorded
            if mark.recorded_at <= cancel.recorded_at and (mark.trigger in kinds or mark.trigger == Trigger.DISCHARGE)
        ]
        if any(mark in standing and mark.trigger != Trigger.PENDING_ADMIT for mark in before):
            # An A11 takes back what has happened before it takes back what is only announced.
            before = [mark for mark in before if mark.trigger != Trigger.PENDING_ADMIT]
        for mark in _last_admission(before, standing):
            standing.remove(mark)
            struck.append((mark.key, cancel.key))
    return standing, struck


def _recorded_order(mark: Mark) -> tuple[str, str]:
    return mark.recorded_at, mark.key


def _last_admission(before: list[Mark], standing: list[Mark]) -> list[Mark]:
    """Give the last admission that stands with its repetitions: the same trigger again, with no discharge in between."""
    last: list[Mark] = []
    for mark in reversed(before):
        if mark.trigger == Trigger.DISCHARGE:
            if last:
                break
        elif mark in standing:
            if last and mark.trigger != last[0].trigger:
                break
            last.append(mark)
    return last


def standing_of(marks: list[Mark], trigger: Trigger, cancel: Trigger) -> list[Mark]:
    """Give the events of a kind that stand: each cancel strikes the last one that was recorded before it (C.6, A12)."""
    standing = sorted((mark for mark in marks if mark.trigger == trigger), key=_recorded_order)
    seen: set[str] = set()
    for taken_back in sorted((mark for mark in marks if mark.trigger == cancel), key=_recorded_order):
        before = [mark for mark in standing if mark.recorded_at <= taken_back.recorded_at]
        if before and taken_back.recorded_at not in seen:
            same = {(mark.occurred_at, mark.recorded_at) for mark in before[-1:]}
            standing = [mark for mark in standing if (mark.occurred_at, mark.recorded_at) not in same]
        seen.add(taken_back.recorded_at)
    return sorted(standing)


def leave_of(marks: list[Mark]) -> Mark | None:
    """Give the leave of absence from which the patient has not come back."""
    gone = standing_of(marks, Trigger.LEAVE, Trigger.CANCEL_LEAVE)
    back = standing_of(marks, Trigger.RETURN, Trigger.CANCEL_RETURN)
    last = gone[-1] if gone else None
    return None if last is None or (back and back[-1].key > last.key) else last


def pending_of(marks: list[Mark], trigger: Trigger, cancel: Trigger, done: Trigger) -> Mark | None:
    """Give what is announced and has not come since."""
    announced = standing_of(marks, trigger, cancel)
    last = announced[-1] if announced else None
    return None if last is None or any(mark.trigger == done and mark.key > last.key for mark in marks) else last

"""A stay as a fold over its events: the same events give the same stay, in whatever order and how often they arrive.

The state keeps two things. `said`: what messages state about the stay, the latest event winning field by field. `marks`: the
few events that move the stay through its life (admissions, discharges, cancels). Both are sets in disguise, so applying one
event, late or not, equals folding all of them again (decision 0001), and an A08, the most frequent event, costs no mark.
What the stay *is* (status, class, when) is read off the marks by `view`. Sources: HL7 2.5.1 chapter 3, standards ADT-1..4.
Not here: whose stay it is (`matching`), whether it is behavioral health (`diagnosis`), who is told (`happenings`).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from app.domain.adt_event import TRACKING, AdtEvent, EncounterClass, Practitioner, Trigger, VisitFacts
from app.domain.diagnosis_set import Diagnosis, joined_diagnoses, standing_diagnoses, with_diagnoses
from app.domain.event_order import recorded_instant, sort_key
from app.domain.known import ERASED, Erasure
from app.domain.latest import Said, key_of, known, learn, merged


class EncounterStatus(StrEnum):
    """FHIR R4 encounter-status as far as ADT tells it."""

    PLANNED = "planned"
    IN_PROGRESS = "in-progress"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """Only updates were seen: an A08 neither opens nor closes a stay."""


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
_PLANS = frozenset({Trigger.PRE_ADMIT, Trigger.PENDING_ADMIT})
"""They announce a stay and begin none."""
ADMISSIONS = frozenset({*_ARRIVALS, *_PLANS, Trigger.REPORTED})
_ADMISSION_CANCELS: dict[str, frozenset[str]] = {
    Trigger.CANCEL_ADMIT: ADMISSIONS,
    Trigger.CANCEL_PRE_ADMIT: frozenset({Trigger.PRE_ADMIT}),
    Trigger.CANCEL_PENDING_ADMIT: frozenset({Trigger.PENDING_ADMIT}),
}
"""What each cancel may strike. Some senders take a pre-admission back by an A11 too."""
_REOPENING = frozenset({Trigger.ADMIT, Trigger.TO_INPATIENT, Trigger.TO_OUTPATIENT})
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
_INTERLUDES = frozenset(
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
    | frozenset(_ADMISSION_CANCELS)
    | _INTERLUDES
    | {Trigger.DISCHARGE, Trigger.TRANSFER, Trigger.CANCEL_TRANSFER, Trigger.CANCEL_DISCHARGE}
)
IN_HOUSE = frozenset({EncounterClass.INPATIENT, EncounterClass.OBSERVATION, EncounterClass.OBSTETRICS})
"""The classes of a stay in a bed of the house."""


_IMPLIED_CLASSES: dict[str, str] = {
    Trigger.ADMIT: EncounterClass.INPATIENT.value,
    Trigger.TO_INPATIENT: EncounterClass.INPATIENT.value,
    Trigger.TO_OUTPATIENT: EncounterClass.OUTPATIENT.value,
}
"""What a move says of the class where PV1-2 says nothing: a patient who is admitted is in the house."""


@dataclass(slots=True)
class EncounterState:
    """The folded state as it is stored."""

    said: Said = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    diagnoses: dict[str, Any] = field(default_factory=dict)
    """See `diagnosis_set`."""
    last_key: str = ""
    dead_since: str | None = None
    """The earliest event that called the patient dead. Every later message repeats the flag, and few say when it was (PID-29)."""

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        marks = [list(mark) for mark in self.marks]
        stored = {"said": self.said, "marks": marks, "diagnoses": self.diagnoses, "last_key": self.last_key}
        return stored if self.dead_since is None else {**stored, "dead_since": self.dead_since}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "EncounterState":
        """Read the stored form."""
        marks = [Mark(*mark) for mark in stored["marks"]]
        return cls(stored["said"], marks, stored["diagnoses"], stored["last_key"], stored.get("dead_since"))


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a stay in one class: an emergency visit that became an inpatient stay has two."""

    encounter_class: EncounterClass
    starts_at: datetime
    trigger: str


@dataclass(frozen=True, slots=True)
class EncounterView:
    """What the stay is. Instants are aware UTC."""

    status: EncounterStatus
    encounter_class: EncounterClass
    phases: tuple[Phase, ...]
    admitted_at: datetime | None
    discharged_at: datetime | None
    disposition: str | None
    inferred_discharge: bool
    diagnoses: tuple[Diagnosis, ...]
    facts: dict[str, Any]
    """unit, room, bed, facility, hospital_service, attending, admit_reason ... as stated last."""
    deceased_at: datetime | None
    cancelled_discharge_at: datetime | None = None
    """The last discharge that was cancelled, while no other stands."""
    on_leave_since: datetime | None = None
    """The leave of absence from which the patient has not come back (A21): the stay goes on."""
    discharge_pending_since: datetime | None = None
    """When it was said that the stay will end (A16), until it does or that is taken back (A25)."""
    expected_discharge_at: datetime | None = None
    """PV2-9 of that pending discharge."""
    transfer_pending_since: datetime | None = None
    """A15, until the transfer or A26."""


def apply(state: EncounterState, event: AdtEvent, key: str = "") -> EncounterState:
    """Fold one event into the state. Any order of the same events gives the same state; a repetition changes nothing.

    `key` is its sort key, for a caller who has it.
    """
    key = key or sort_key(event)
    visit = event.visit or VisitFacts()
    return EncounterState(
        said=learn(state.said, key, _stated(event, visit)),
        marks=_with_mark(state.marks, _mark(key, event, visit)),
        diagnoses=with_diagnoses(state.diagnoses, key, event),
        last_key=max(state.last_key, key),
        dead_since=_earliest(state.dead_since, _text(event.occurred_at) if event.person.deceased is True else None),
    )


def joined(left: EncounterState, right: EncounterState) -> EncounterState:
    """Join the folds of two numbers that turned out to be one stay (A35, A41, A42): what folding the events of both gives."""
    held = {mark.key for mark in left.marks}
    return EncounterState(
        said=merged(left.said, right.said),
        marks=sorted([*left.marks, *(mark for mark in right.marks if mark.key not in held)]),
        diagnoses=joined_diagnoses(left.diagnoses, right.diagnoses),
        last_key=max(left.last_key, right.last_key),
        dead_since=_earliest(left.dead_since, right.dead_since),
    )


def account_of(state: EncounterState) -> tuple[str, str] | None:
    """Give the account that the stay is on: authority and number."""
    found = known(state.said).get("account")
    return (found[0], found[1]) if found else None


def _earliest(left: str | None, right: str | None) -> str | None:
    return min((text for text in (left, right) if text is not None), default=None)


def _text(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()


_TEXTS = (
    "class_code", "unit", "room", "bed", "facility", "admission_type", "hospital_service", "admit_source", "discharged_to", "admit_reason",
)  # fmt: skip


_UNSETTLED = frozenset({Trigger.PENDING_ADMIT, Trigger.CANCEL_PENDING_ADMIT})
"""They speak of a stay that may come, often while an emergency visit of the same number lasts: class and place are not those in force."""
_NO_DISPOSITION = frozenset(
    {Trigger.CANCEL_DISCHARGE, Trigger.CANCEL_ADMIT, Trigger.PENDING_DISCHARGE, Trigger.CANCEL_PENDING_DISCHARGE, *_UNSETTLED}
)
_NO_CLASS = frozenset({Trigger.CANCEL_ADMIT, Trigger.CANCEL_PRE_ADMIT, *_UNSETTLED})
"""A cancel names the class it cancels, not the one that remains: it says nothing about the class."""


def _stated(event: AdtEvent, visit: VisitFacts) -> dict[str, Any]:
    """List the facts a message states as JSON values; erased ones as None. Times and class live in the marks."""
    stated: dict[str, Any] = {}
    if event.person.deceased is not None:
        stated["deceased"] = True if event.person.deceased is True else None
    if event.person.died_at is not None:
        stated["died_at"] = _text(event.person.died_at) if isinstance(event.person.died_at, datetime) else None
    if event.trigger in TRACKING:
        # A position is not where the patient lies: it decides nothing about the stay.
        parts = [getattr(visit, name) for name in ("unit", "room", "bed", "facility")]
        return stated | ({"position": [part if isinstance(part, str) else "" for part in parts]} if any(parts) else {})
    if visit.account is not None:
        stated["account"] = [visit.account.authority, visit.account.value]
    if visit.expected_admit_at is not None:
        stated["expected_admit_at"] = None if visit.expected_admit_at is ERASED else _text(visit.expected_admit_at)
    if event.trigger not in _UNSETTLED:
        _state_visit(stated, event, visit)
    return stated


def _state_visit(stated: dict[str, Any], event: AdtEvent, visit: VisitFacts) -> None:
    for name in _TEXTS:
        value = getattr(visit, name)
        if value is not None:
            stated[name] = None if isinstance(value, Erasure) else value
    if isinstance(visit.attending, Practitioner):
        attending = visit.attending
        stated["attending"] = [attending.identifier, attending.family, attending.given, attending.npi]
    if visit.admitted_at is not None:
        stated["admitted_at"] = None if visit.admitted_at is ERASED else _text(visit.admitted_at)
    if visit.disposition is not None and event.trigger not in _NO_DISPOSITION:
        stated["disposition"] = None if isinstance(visit.disposition, Erasure) else visit.disposition
    if isinstance(visit.encounter_class, EncounterClass) and event.trigger not in _NO_CLASS:
        stated["class"] = visit.encounter_class.value


def _mark(key: str, event: AdtEvent, visit: VisitFacts) -> Mark | None:
    ends_at = visit.discharged_at if isinstance(visit.discharged_at, datetime) else None
    if event.trigger in _INTERLUDES:
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
        _text(event.occurred_at),
        _text(event.recorded_at),
        encounter_class,
        _text(ends_at) if ends_at else None,
        disposition,
    )


def _is_told_afterwards(event: AdtEvent, visit: VisitFacts, ends_at: datetime | None) -> bool:
    """Tell whether an admission also states its own end (ADT-1): a visit that was entered when it was over.

    An end before the beginning is left over from an earlier stay; one in the future is a plan.
    """
    begins_at = visit.admitted_at if isinstance(visit.admitted_at, datetime) else None
    return begins_at is not None and ends_at is not None and begins_at <= ends_at <= event.recorded_at


def _with_mark(marks: list[Mark], mark: Mark | None) -> list[Mark]:
    if mark is None or any(mark.key == other.key for other in marks):
        return marks
    return sorted([*marks, mark])


def _discharges(marks: list[Mark], standing_admissions: list[Mark]) -> tuple[list[Mark], list[Mark]]:
    """Give the discharges that stand and those that were struck: a cancel strikes every one that was recorded before it.

    By recording time, not by event time: a discharge that is entered again with the old time after its cancel stands.
    An update that merely repeats the struck time does not discharge again, nor one that repeats the end of an emergency visit
    after its patient was admitted. An A11 that leaves no admission takes the discharges recorded before it along: the stay never was.
    """
    cancels = [mark.recorded_at for mark in marks if mark.trigger == Trigger.CANCEL_DISCHARGE]
    if not standing_admissions:
        cancels += [mark.recorded_at for mark in marks if mark.trigger == Trigger.CANCEL_ADMIT]
    last_cancel = max(cancels, default="")
    inferring = _INFERRING | _ARRIVALS
    ends = [
        mark
        for mark in marks
        if mark.trigger == Trigger.DISCHARGE
        or (mark.ends_at and mark.trigger in inferring and (mark.trigger not in _ARRIVALS or mark in standing_admissions))
    ]
    struck = [mark for mark in ends if mark.recorded_at <= last_cancel]
    stated = [mark for mark in ends if mark.recorded_at > last_cancel and mark.trigger == Trigger.DISCHARGE]
    struck_times = {_end_of(mark) for mark in struck}
    standing = list(stated)
    for mark in ends:
        if mark.recorded_at <= last_cancel or mark.trigger == Trigger.DISCHARGE or _end_of(mark) in struck_times:
            continue
        reopened_by = [other.key for other in standing_admissions if other.trigger in _REOPENING and other.key < mark.key]
        reopened = max(reopened_by, default="")
        if not any(end.key < reopened and _end_of(end) == _end_of(mark) for end in stated):
            standing.append(mark)
    return sorted(standing), struck


def _end_of(mark: Mark) -> str:
    return mark.ends_at or mark.occurred_at


def _admissions(marks: list[Mark]) -> tuple[list[Mark], list[tuple[str, str]]]:
    """Give the admissions that stand, and the spans (struck admission, its cancel) by sort key.

    Each cancel strikes the last admission of its kind that was recorded before it: an A11 the A01 after an emergency visit, and only
    then the visit itself. An admission that was sent twice is struck as one, and two cancels of one recording time are one sent twice.
    """
    standing = [mark for mark in marks if mark.trigger in ADMISSIONS]
    cancels = sorted((mark for mark in marks if mark.trigger in _ADMISSION_CANCELS), key=_recorded_order)
    if not cancels:
        return standing, []
    recorded = sorted((mark for mark in marks if mark.trigger in ADMISSIONS or mark.trigger == Trigger.DISCHARGE), key=_recorded_order)
    struck: list[tuple[str, str]] = []
    seen: set[tuple[str, str]] = set()
    for cancel in cancels:
        if (cancel.trigger, cancel.recorded_at) in seen:
            continue
        seen.add((cancel.trigger, cancel.recorded_at))
        kinds = _ADMISSION_CANCELS[cancel.trigger]
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


def _standing(marks: list[Mark], trigger: Trigger, cancel: Trigger) -> list[Mark]:
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


def _leave(marks: list[Mark]) -> Mark | None:
    """Give the leave of absence from which the patient has not come back."""
    gone = _standing(marks, Trigger.LEAVE, Trigger.CANCEL_LEAVE)
    back = _standing(marks, Trigger.RETURN, Trigger.CANCEL_RETURN)
    last = gone[-1] if gone else None
    return None if last is None or (back and back[-1].key > last.key) else last


def _pending(marks: list[Mark], trigger: Trigger, cancel: Trigger, done: Trigger) -> Mark | None:
    """Give what is announced and has not come since."""
    announced = _standing(marks, trigger, cancel)
    last = announced[-1] if announced else None
    return None if last is None or any(mark.trigger == done and mark.key > last.key for mark in marks) else last


def _class_between(state: EncounterState, facts: dict[str, Any], standing: list[Mark], struck: list[tuple[str, str]]) -> EncounterClass:
    """Give the class in force: as stated last, unless it was stated during an admission that was struck."""
    stated = facts.get("class")
    stated_key = key_of(state.said, "class")
    # A pending admission names the class to come.
    begun = [mark for mark in standing if mark.trigger != Trigger.PENDING_ADMIT] or standing
    last = begun[-1] if begun else None
    is_newest = last is None or last.encounter_class is None or stated_key >= last.key
    if stated is not None and is_newest and not any(start <= stated_key <= end for start, end in struck):
        return EncounterClass(stated)
    if last is not None and last.encounter_class is not None:
        return EncounterClass(last.encounter_class)
    return EncounterClass(stated) if stated is not None else EncounterClass.UNKNOWN


def view(state: EncounterState) -> EncounterView:
    """Read off what the stay is."""
    standing, struck = _admissions(state.marks)
    discharges, struck_discharges = _discharges(state.marks, standing)
    facts = known(state.said)
    encounter_class = _class_between(state, facts, standing, struck)
    last = discharges[-1] if discharges else None
    if last is not None and any(mark.key > last.key and mark.trigger in _REOPENING for mark in standing):
        last = None
    phases = _phases(standing, _standing(state.marks, Trigger.TRANSFER, Trigger.CANCEL_TRANSFER), encounter_class)
    leave = _leave(state.marks) if last is None else None
    ending = _pending(state.marks, Trigger.PENDING_DISCHARGE, Trigger.CANCEL_PENDING_DISCHARGE, Trigger.DISCHARGE) if last is None else None
    moving = _pending(state.marks, Trigger.PENDING_TRANSFER, Trigger.CANCEL_PENDING_TRANSFER, Trigger.TRANSFER) if last is None else None
    admitted_at = _instant(facts["admitted_at"]) if "admitted_at" in facts else (phases[0].starts_at if phases else None)
    return EncounterView(
        status=_status(state.marks, standing, encounter_class, is_finished=last is not None),
        encounter_class=encounter_class,
        phases=phases,
        admitted_at=admitted_at,
        discharged_at=_instant(_end_of(last)) if last else None,
        disposition=_disposition(state, facts, last, standing) if last else None,
        inferred_discharge=last is not None and all(mark.trigger != Trigger.DISCHARGE for mark in discharges),
        diagnoses=tuple(diagnosis for use, held in sorted(state.diagnoses.items()) for diagnosis in standing_diagnoses(use, held)),
        facts=facts,
        deceased_at=_deceased_at(state, facts),
        cancelled_discharge_at=None if last or not struck_discharges else _instant(_end_of(struck_discharges[-1])),
        on_leave_since=_instant(leave.occurred_at) if leave else None,
        discharge_pending_since=_instant(ending.occurred_at) if ending else None,
        expected_discharge_at=_instant(ending.ends_at) if ending and ending.ends_at else None,
        transfer_pending_since=_instant(moving.occurred_at) if moving else None,
    )


def _disposition(state: EncounterState, facts: dict[str, Any], last: Mark, standing: list[Mark]) -> str | None:
    """Give the disposition of the discharge that stands: as an update said it since, else as the discharge itself says it.

    One that was recorded before a cancelled discharge, or stated before an admission that opened the stay again, went with that end.
    """
    said = facts.get("disposition")
    said_key = key_of(state.said, "disposition")
    cancelled = max((mark.recorded_at for mark in state.marks if mark.trigger == Trigger.CANCEL_DISCHARGE), default="")
    reopened = max((mark.key for mark in standing if mark.trigger in _REOPENING and mark.key < last.key), default="")
    holds = said_key > reopened and (not cancelled or recorded_instant(said_key) > _instant(cancelled))
    if holds and (said_key >= last.key or last.disposition is None):
        return said if isinstance(said, str) else None
    return last.disposition


def _deceased_at(state: EncounterState, facts: dict[str, Any]) -> datetime | None:
    """Give when the patient died: PID-29 as stated last, else the first event that called them dead, unless that was taken back."""
    if "deceased" not in facts:
        return None
    return _instant(facts["died_at"]) if "died_at" in facts else _instant(state.dead_since) if state.dead_since else None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _status(marks: list[Mark], standing: list[Mark], encounter_class: EncounterClass, *, is_finished: bool) -> EncounterStatus:
    triggers = {mark.trigger for mark in marks}
    if is_finished:
        return EncounterStatus.FINISHED
    if not standing and triggers & _ADMISSION_CANCELS.keys():
        return EncounterStatus.CANCELLED
    if standing and (encounter_class is EncounterClass.PREADMIT or all(mark.trigger in _PLANS for mark in standing)):
        return EncounterStatus.PLANNED
    begun = {Trigger.DISCHARGE, Trigger.CANCEL_DISCHARGE, Trigger.TRANSFER, Trigger.CANCEL_TRANSFER, *_INTERLUDES}
    if standing or triggers & begun:
        return EncounterStatus.IN_PROGRESS
    return EncounterStatus.UNKNOWN


def _phases(standing: list[Mark], transfers: list[Mark], encounter_class: EncounterClass) -> tuple[Phase, ...]:
    """Cut the stay where its class changes between out of the house and in the house, by admission or by transfer (DV-7).

    The last phase has the class in force, so that a corrected class corrects it and does not add one. A transfer alone begins nothing.
    """
    phases: list[Phase] = []
    for mark in sorted([*standing, *(mark for mark in transfers if mark.encounter_class)]):
        if mark.trigger in _PLANS or (mark.trigger == Trigger.TRANSFER and not phases):
            continue
        stated = EncounterClass(mark.encounter_class) if mark.encounter_class else encounter_class
        if not phases or (stated in IN_HOUSE) != (phases[-1].encounter_class in IN_HOUSE):
            phases.append(Phase(stated, _instant(mark.occurred_at), mark.trigger))
    if phases:
        phases[-1] = Phase(encounter_class, phases[-1].starts_at, phases[-1].trigger)
    return tuple(phases)

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

from app.domain.adt_event import AdtEvent, DiagnosisAction, DiagnosisFact, EncounterClass, Practitioner, Trigger, VisitFacts
from app.domain.event_order import sort_key
from app.domain.known import ERASED, Erasure
from app.domain.latest import Said, key_of, known, learn


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
    """PV1-45 of a discharge, or of an update that states one (an inferred discharge)."""
    disposition: str | None


ADMISSIONS = frozenset({Trigger.PRE_ADMIT, Trigger.REGISTER, Trigger.ADMIT, Trigger.TO_INPATIENT, Trigger.TO_OUTPATIENT, Trigger.REPORTED})
_MOVES = ADMISSIONS | {Trigger.DISCHARGE, Trigger.CANCEL_ADMIT, Trigger.CANCEL_DISCHARGE, Trigger.TRANSFER}
_IN_HOUSE = frozenset({EncounterClass.INPATIENT, EncounterClass.OBSERVATION, EncounterClass.OBSTETRICS})


@dataclass(slots=True)
class EncounterState:
    """The folded state as it is stored."""

    said: Said = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    diagnoses: dict[str, Any] = field(default_factory=dict)
    """Use -> {"key": of the snapshot, "set": [diagnosis...], "changes": [[key, action, diagnosis]...]}"""
    last_key: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        return {"said": self.said, "marks": [list(mark) for mark in self.marks], "diagnoses": self.diagnoses, "last_key": self.last_key}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "EncounterState":
        """Read the stored form."""
        marks = [Mark(*mark) for mark in stored["marks"]]
        return cls(stored["said"], marks, stored["diagnoses"], stored["last_key"])


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A diagnosis of the stay as it stands."""

    code: str
    system: str
    text: str
    use: str
    rank: int | None


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


def apply(state: EncounterState, event: AdtEvent) -> EncounterState:
    """Fold one event into the state. Any order of the same events gives the same state; a repetition changes nothing."""
    key = sort_key(event)
    visit = event.visit or VisitFacts()
    return EncounterState(
        said=learn(state.said, key, _stated(event, visit)),
        marks=_with_mark(state.marks, _mark(key, event, visit)),
        diagnoses=_with_diagnoses(state.diagnoses, key, event),
        last_key=max(state.last_key, key),
    )


def _text(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()


def _stated(event: AdtEvent, visit: VisitFacts) -> dict[str, Any]:
    """List the facts a message states as JSON values; erased ones as None. Times and class live in the marks."""
    stated: dict[str, Any] = {}
    for name in ("class_code", "unit", "room", "bed", "facility", "admission_type", "hospital_service", "admit_source", "discharged_to", "admit_reason"):
        value = getattr(visit, name)
        if value is not None:
            stated[name] = None if isinstance(value, Erasure) else value
    if isinstance(visit.attending, Practitioner):
        attending = visit.attending
        stated["attending"] = [attending.identifier, attending.family, attending.given, attending.npi]
    if visit.admitted_at is not None:
        stated["admitted_at"] = None if visit.admitted_at is ERASED else _text(visit.admitted_at)
    if visit.disposition is not None and event.trigger not in (Trigger.CANCEL_DISCHARGE, Trigger.CANCEL_ADMIT):
        stated["disposition"] = None if isinstance(visit.disposition, Erasure) else visit.disposition
    # A cancel names the class it cancels, not the one that remains: it says nothing about the class.
    if isinstance(visit.encounter_class, EncounterClass) and event.trigger != Trigger.CANCEL_ADMIT:
        stated["class"] = visit.encounter_class.value
    if event.person.deceased is True:
        died_at = event.person.died_at
        stated["deceased_at"] = _text(died_at if isinstance(died_at, datetime) else event.occurred_at)
    elif event.person.deceased is False:
        stated["deceased_at"] = None
    return stated


def _mark(key: str, event: AdtEvent, visit: VisitFacts) -> Mark | None:
    ends_at = visit.discharged_at if isinstance(visit.discharged_at, datetime) else None
    infers = ends_at is not None and event.trigger in (Trigger.UPDATE, Trigger.TRANSFER)
    if event.trigger not in _MOVES and not infers:
        return None
    encounter_class = visit.encounter_class.value if isinstance(visit.encounter_class, EncounterClass) else None
    if event.trigger == Trigger.TO_INPATIENT and encounter_class is None:
        encounter_class = EncounterClass.INPATIENT.value
    if event.trigger == Trigger.TO_OUTPATIENT and encounter_class is None:
        encounter_class = EncounterClass.OUTPATIENT.value
    disposition = visit.disposition if isinstance(visit.disposition, str) else None
    return Mark(key, event.trigger, _text(event.occurred_at), _text(event.recorded_at), encounter_class, _text(ends_at) if ends_at else None, disposition)


def _with_mark(marks: list[Mark], mark: Mark | None) -> list[Mark]:
    if mark is None or any(mark.key == other.key for other in marks):
        return marks
    return sorted([*marks, mark])


def _with_diagnoses(before: dict[str, Any], key: str, event: AdtEvent) -> dict[str, Any]:
    """Fold the DG1 set: a snapshot replaces the set of its use, an action code changes one diagnosis (ADT-2, DG1-21)."""
    if not event.diagnoses and not event.diagnoses_erased:
        return before
    after = dict(before)
    uses = {diagnosis.use.value for diagnosis in event.diagnoses} | {use.value for use in event.diagnoses_erased}
    for use in sorted(uses):
        facts = [diagnosis for diagnosis in event.diagnoses if diagnosis.use == use]
        held = after.get(use, {"key": "", "set": [], "changes": []})
        snapshot = [_listed(fact) for fact in facts if fact.action is DiagnosisAction.SNAPSHOT]
        changes = [[key, fact.action.value, _listed(fact)] for fact in facts if fact.action is not DiagnosisAction.SNAPSHOT]
        if (snapshot or not changes) and key >= held["key"]:
            held = {"key": key, "set": snapshot, "changes": [change for change in held["changes"] if change[0] > key]}
        kept = [change for change in held["changes"] if change[0] != key]
        fresh = [change for change in changes if change[0] >= held["key"]]
        after[use] = {**held, "changes": sorted([*kept, *fresh])}
    return after


def _listed(fact: DiagnosisFact) -> list[Any]:
    return [fact.code, fact.system, fact.text, fact.rank]


def _standing(use: str, held: dict[str, Any]) -> list[Diagnosis]:
    by_code = {entry[0]: entry for entry in held["set"]}
    for _, action, entry in held["changes"]:
        if action == DiagnosisAction.DELETE:
            by_code.pop(entry[0], None)
        else:
            by_code[entry[0]] = entry
    return [Diagnosis(code, system, text, use, rank) for code, system, text, rank in by_code.values()]


def _discharges(marks: list[Mark]) -> tuple[list[Mark], list[Mark]]:
    """Give the discharges that stand and those that were struck: a cancel strikes every one that was recorded before it.

    By recording time, not by event time: a discharge that is entered again with the old time after its cancel stands.
    An update that merely repeats the struck time does not discharge again.
    """
    cancels = [mark for mark in marks if mark.trigger == Trigger.CANCEL_DISCHARGE]
    standing: list[Mark] = []
    struck: list[Mark] = []
    for mark in marks:
        if mark.trigger != Trigger.DISCHARGE and not (mark.ends_at and mark.trigger in (Trigger.UPDATE, Trigger.TRANSFER)):
            continue
        if any(cancel.recorded_at >= mark.recorded_at for cancel in cancels):
            struck.append(mark)
        else:
            standing.append(mark)
    struck_times = {mark.ends_at or mark.occurred_at for mark in struck}
    return [mark for mark in standing if mark.trigger == Trigger.DISCHARGE or mark.ends_at not in struck_times], struck


def _admissions(marks: list[Mark]) -> tuple[list[Mark], list[tuple[str, str]]]:
    """Give the admissions that stand, and the spans (struck admission, its cancel) by sort key.

    Each A11 strikes the last admission that was recorded before it: an A01 after an emergency visit, and only then the visit
    itself. Two A11 of one recording time are one cancel sent twice.
    """
    standing = [mark for mark in marks if mark.trigger in ADMISSIONS]
    struck: list[tuple[str, str]] = []
    seen: set[str] = set()
    for cancel in sorted((mark for mark in marks if mark.trigger == Trigger.CANCEL_ADMIT), key=lambda mark: (mark.recorded_at, mark.key)):
        if cancel.recorded_at in seen:
            continue
        seen.add(cancel.recorded_at)
        before = [mark for mark in standing if mark.recorded_at <= cancel.recorded_at]
        if before:
            last = max(before, key=lambda mark: (mark.recorded_at, mark.key))
            standing.remove(last)
            struck.append((last.key, cancel.key))
    return standing, struck


def _class_between(state: EncounterState, standing: list[Mark], struck: list[tuple[str, str]]) -> EncounterClass:
    """Give the class in force: as stated last, unless it was stated during an admission that was struck."""
    stated = known(state.said).get("class")
    stated_key = key_of(state.said, "class")
    last = standing[-1] if standing else None
    if stated is not None and not any(start <= stated_key <= end for start, end in struck):
        if last is None or last.encounter_class is None or stated_key >= last.key:
            return EncounterClass(stated)
    if last is not None and last.encounter_class is not None:
        return EncounterClass(last.encounter_class)
    return EncounterClass(stated) if stated is not None else EncounterClass.UNKNOWN


def view(state: EncounterState) -> EncounterView:
    """Read off what the stay is."""
    standing, struck = _admissions(state.marks)
    discharges, struck_discharges = _discharges(state.marks)
    facts = known(state.said)
    encounter_class = _class_between(state, standing, struck)
    last_discharge = discharges[-1] if discharges else None
    # An admission after the discharge opens the stay again: an emergency visit that ends by being admitted (same number).
    reopened = last_discharge is not None and any(
        mark.key > last_discharge.key and mark.trigger in (Trigger.ADMIT, Trigger.TO_INPATIENT, Trigger.TO_OUTPATIENT) for mark in standing
    )
    finished = last_discharge is not None and not reopened
    discharged_at = _instant(last_discharge.ends_at or last_discharge.occurred_at) if finished and last_discharge else None
    disposition = facts.get("disposition") if finished and key_of(state.said, "disposition") > _last_cancelled(state.marks) else None
    phases = _phases(standing, encounter_class)
    admitted_at = _instant(facts["admitted_at"]) if "admitted_at" in facts else (phases[0].starts_at if phases else None)
    return EncounterView(
        status=_status(state.marks, standing, finished, encounter_class),
        encounter_class=encounter_class,
        phases=phases,
        admitted_at=admitted_at,
        discharged_at=discharged_at,
        disposition=disposition,
        inferred_discharge=finished and all(mark.trigger != Trigger.DISCHARGE for mark in discharges),
        diagnoses=tuple(diagnosis for use, held in sorted(state.diagnoses.items()) for diagnosis in _standing(use, held)),
        facts=facts,
        deceased_at=_instant(facts["deceased_at"]) if "deceased_at" in facts else None,
        cancelled_discharge_at=None if finished or not struck_discharges else _instant(struck_discharges[-1].ends_at or struck_discharges[-1].occurred_at),
    )


def _last_cancelled(marks: list[Mark]) -> str:
    """Give the key of the newest cancelled discharge: a disposition stated before it went with it."""
    return max((mark.key for mark in marks if mark.trigger == Trigger.CANCEL_DISCHARGE), default="")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _status(marks: list[Mark], standing: list[Mark], finished: bool, encounter_class: EncounterClass) -> EncounterStatus:  # noqa: FBT001  # one private reader
    triggers = {mark.trigger for mark in marks}
    if finished:
        return EncounterStatus.FINISHED
    if not standing and Trigger.CANCEL_ADMIT in triggers:
        return EncounterStatus.CANCELLED
    if standing and (encounter_class is EncounterClass.PREADMIT or all(mark.trigger == Trigger.PRE_ADMIT for mark in standing)):
        return EncounterStatus.PLANNED
    if standing or triggers & {Trigger.DISCHARGE, Trigger.CANCEL_DISCHARGE, Trigger.TRANSFER}:
        return EncounterStatus.IN_PROGRESS
    return EncounterStatus.UNKNOWN


def _phases(standing: list[Mark], encounter_class: EncounterClass) -> tuple[Phase, ...]:
    """Cut the stay where its class changes between out of the house and in the house.

    The last phase has the class in force, so that a corrected class corrects it and does not add one.
    """
    phases: list[Phase] = []
    for mark in standing:
        if mark.trigger == Trigger.PRE_ADMIT:
            continue
        stated = EncounterClass(mark.encounter_class) if mark.encounter_class else encounter_class
        if not phases or (stated in _IN_HOUSE) != (phases[-1].encounter_class in _IN_HOUSE):
            phases.append(Phase(stated, _instant(mark.occurred_at), mark.trigger))
    if phases:
        last = phases[-1]
        phases[-1] = Phase(encounter_class, last.starts_at, last.trigger)
    return tuple(phases)

"""A stay as a fold over its events: the same events give the same stay, in whatever order and how often they arrive.

The state keeps two things. `said`: what messages state about the stay, the latest event winning field by field. `marks`: the
few events that move the stay through its life (admissions, discharges, cancels). Both are sets in disguise, so applying one
event, late or not, equals folding all of them again (decision 0001), and an A08, the most frequent event, costs no mark.
What the stay *is* (status, class, when) is read off the marks by `view`. Sources: HL7 2.5.1 chapter 3, standards ADT-1..4.
Not here: which marks stand (`stay_marks`), whose stay it is (`matching`), whether it is behavioral health (`diagnosis`), who is
told (`happenings`).
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.domain.adt_event import AdtEvent, EncounterClass, Practitioner, VisitFacts
from app.domain.diagnosis_set import Diagnosis, joined_diagnoses, standing_diagnoses, with_diagnoses
from app.domain.event_order import recorded_instant, sort_key
from app.domain.known import ERASED, Erasure
from app.domain.latest import Said, key_of, known, learn, merged
from app.domain.stay_marks import (
    ADMISSION_CANCELS,
    INTERLUDES,
    PLANS,
    REOPENING,
    Mark,
    end_of,
    leave_of,
    mark_of,
    pending_of,
    standing_admissions,
    standing_discharges,
    standing_of,
    text_of,
    with_mark,
)
from app.domain.trigger import TRACKING, Trigger


class EncounterStatus(StrEnum):
    """FHIR R4 encounter-status as far as ADT tells it."""

    PLANNED = "planned"
    IN_PROGRESS = "in-progress"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """Only updates were seen: an A08 neither opens nor closes a stay."""


NAMED_PREFIX = "named."
"""Begins the facts that hold the NPIs named at a place: `named.PD1-4`."""
BEEN_PREFIX = "been."
"""Begins the facts that remember every unit and service of the stay, `been.unit.PSY`: who was moved out of a unit was in it."""
MOVED_PREFIX = "moved."
"""Begins those that a transfer alone says, with its key, `moved.unit.PSY.<key>`: while the transfer stands, the patient was there."""
IN_HOUSE = frozenset({EncounterClass.INPATIENT, EncounterClass.OBSERVATION, EncounterClass.OBSTETRICS})
"""The classes of a stay in a bed of the house."""


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
    presumed_ended: bool = False
    """No discharge came and nothing was heard for long: the stay is over as far as anybody can tell, and when is not known."""


def apply(state: EncounterState, event: AdtEvent, key: str = "") -> EncounterState:
    """Fold one event into the state. Any order of the same events gives the same state; a repetition changes nothing.

    `key` is its sort key, for a caller who has it.
    """
    key = key or sort_key(event)
    visit = event.visit or VisitFacts()
    return EncounterState(
        said=learn(state.said, key, _stated(event, visit, key)),
        marks=with_mark(state.marks, mark_of(key, event, visit)),
        diagnoses=with_diagnoses(state.diagnoses, key, event),
        last_key=max(state.last_key, key),
        dead_since=_earliest(state.dead_since, text_of(event.occurred_at) if event.person.deceased is True else None),
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


def _stated(event: AdtEvent, visit: VisitFacts, key: str) -> dict[str, Any]:
    """List the facts a message states as JSON values; erased ones as None. Times and class live in the marks."""
    stated: dict[str, Any] = {}
    if event.person.deceased is not None:
        stated["deceased"] = True if event.person.deceased is True else None
    if event.person.died_at is not None:
        stated["died_at"] = text_of(event.person.died_at) if isinstance(event.person.died_at, datetime) else None
    if event.trigger in TRACKING:
        # A position is not where the patient lies: it decides nothing about the stay.
        parts = [getattr(visit, name) for name in ("unit", "room", "bed", "facility")]
        return stated | ({"position": [part if isinstance(part, str) else "" for part in parts]} if any(parts) else {})
    for named in visit.named:
        stated[NAMED_PREFIX + named.place] = list(named.npis) or None
    if visit.account is not None:
        stated["account"] = [visit.account.authority, visit.account.value]
    if visit.expected_admit_at is not None:
        stated["expected_admit_at"] = None if visit.expected_admit_at is ERASED else text_of(visit.expected_admit_at)
    if event.trigger not in _UNSETTLED:
        _state_visit(stated, event, visit)
        _state_places(stated, event, visit, key)
    return stated


def _state_visit(stated: dict[str, Any], event: AdtEvent, visit: VisitFacts) -> None:
    for name in _TEXTS:
        value = getattr(visit, name)
        if value is not None:
            stated[name] = None if isinstance(value, Erasure) else value
    if visit.protected is not None:
        stated["protected"] = True if visit.protected is True else None
    if isinstance(visit.attending, Practitioner):
        attending = visit.attending
        stated["attending"] = [attending.identifier, attending.family, attending.given, attending.npi]
    if visit.admitted_at is not None:
        stated["admitted_at"] = None if visit.admitted_at is ERASED else text_of(visit.admitted_at)
    if visit.disposition is not None and event.trigger not in _NO_DISPOSITION:
        stated["disposition"] = None if isinstance(visit.disposition, Erasure) else visit.disposition
    # A code that nobody has mapped (PV1-2 U, or a slip in an A08) says nothing of a class that is known: clocks hang on it.
    said = visit.encounter_class
    if isinstance(said, EncounterClass) and said is not EncounterClass.UNKNOWN and event.trigger not in _NO_CLASS:
        stated["class"] = said.value


def _state_places(stated: dict[str, Any], event: AdtEvent, visit: VisitFacts, key: str) -> None:
    for place, code in (("unit", visit.unit), ("service", visit.hospital_service), *visit.places):
        if isinstance(code, str) and code.strip():
            name = f"{place}.{code.strip().upper()}"
            stated[f"{MOVED_PREFIX}{name}.{key}" if event.trigger == Trigger.TRANSFER else f"{BEEN_PREFIX}{name}"] = True


def _with_places(facts: dict[str, Any], said: Said, marks: list[Mark], transfers: list[Mark]) -> dict[str, Any]:
    """Give the facts with every place where the patient was: those of a transfer that was struck (A12) are none."""
    moved = [name for name in facts if name.startswith(MOVED_PREFIX)]
    if not moved:
        return facts
    struck = {mark.key for mark in marks if mark.trigger == Trigger.TRANSFER} - {mark.key for mark in transfers}
    found = {name: value for name, value in facts.items() if not name.startswith(MOVED_PREFIX)}
    for name in moved:
        key = key_of(said, name)
        if key not in struck:
            found[f"{BEEN_PREFIX}{name.removeprefix(MOVED_PREFIX).removesuffix(f'.{key}')}"] = True
    return found


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
    standing, struck = standing_admissions(state.marks)
    discharges, struck_discharges = standing_discharges(state.marks, standing)
    facts = known(state.said)
    encounter_class = _class_between(state, facts, standing, struck)
    last = discharges[-1] if discharges else None
    if last is not None and any(mark.key > last.key and mark.trigger in REOPENING for mark in standing):
        last = None
    transfers = standing_of(state.marks, Trigger.TRANSFER, Trigger.CANCEL_TRANSFER)
    phases = _phases(standing, transfers, encounter_class)
    facts = _with_places(facts, state.said, state.marks, transfers)
    leave = leave_of(state.marks) if last is None else None
    ending = (
        pending_of(state.marks, Trigger.PENDING_DISCHARGE, Trigger.CANCEL_PENDING_DISCHARGE, Trigger.DISCHARGE) if last is None else None
    )
    moving = pending_of(state.marks, Trigger.PENDING_TRANSFER, Trigger.CANCEL_PENDING_TRANSFER, Trigger.TRANSFER) if last is None else None
    admitted_at = _instant(facts["admitted_at"]) if "admitted_at" in facts else (phases[0].starts_at if phases else None)
    status = _status(state.marks, standing, encounter_class, is_finished=last is not None)
    presumed_ended = status is EncounterStatus.IN_PROGRESS and _is_presumed_ended(state)
    return EncounterView(
        status=EncounterStatus.FINISHED if presumed_ended else status,
        encounter_class=encounter_class,
        phases=phases,
        admitted_at=admitted_at,
        discharged_at=_instant(end_of(last)) if last else None,
        disposition=_disposition(state, facts, last, standing) if last else None,
        inferred_discharge=last is not None and all(mark.trigger != Trigger.DISCHARGE for mark in discharges),
        diagnoses=tuple(diagnosis for use, held in sorted(state.diagnoses.items()) for diagnosis in standing_diagnoses(use, held)),
        facts=facts,
        deceased_at=_deceased_at(state, facts),
        cancelled_discharge_at=None if last or not struck_discharges else _instant(end_of(struck_discharges[-1])),
        on_leave_since=_instant(leave.occurred_at) if leave else None,
        discharge_pending_since=_instant(ending.occurred_at) if ending else None,
        expected_discharge_at=_instant(ending.ends_at) if ending and ending.ends_at else None,
        transfer_pending_since=_instant(moving.occurred_at) if moving else None,
        presumed_ended=presumed_ended,
    )


def _is_presumed_ended(state: EncounterState) -> bool:
    """Tell whether the presumption is the last word: any event that happened after what was heard before it takes it back."""
    return any(mark.trigger == Trigger.PRESUMED_ENDED and mark.key == state.last_key for mark in state.marks)


def _disposition(state: EncounterState, facts: dict[str, Any], last: Mark, standing: list[Mark]) -> str | None:
    """Give the disposition of the discharge that stands: as an update said it since, else as the discharge itself says it.

    One that was recorded before a cancelled discharge, or stated before an admission that opened the stay again, went with that end.
    """
    said = facts.get("disposition")
    said_key = key_of(state.said, "disposition")
    cancelled = max((mark.recorded_at for mark in state.marks if mark.trigger == Trigger.CANCEL_DISCHARGE), default="")
    reopened = max((mark.key for mark in standing if mark.trigger in REOPENING and mark.key < last.key), default="")
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
    if not standing and triggers & ADMISSION_CANCELS.keys():
        return EncounterStatus.CANCELLED
    if standing and (encounter_class is EncounterClass.PREADMIT or all(mark.trigger in PLANS for mark in standing)):
        return EncounterStatus.PLANNED
    begun = {Trigger.DISCHARGE, Trigger.CANCEL_DISCHARGE, Trigger.TRANSFER, Trigger.CANCEL_TRANSFER, *INTERLUDES}
    if standing or triggers & begun:
        return EncounterStatus.IN_PROGRESS
    return EncounterStatus.UNKNOWN


def _phases(standing: list[Mark], transfers: list[Mark], encounter_class: EncounterClass) -> tuple[Phase, ...]:
    """Cut the stay where its class changes between out of the house and in the house, by admission or by transfer (DV-7).

    The last phase has the class in force, so that a corrected class corrects it and does not add one. A transfer alone begins nothing.
    """
    phases: list[Phase] = []
    for mark in sorted([*standing, *(mark for mark in transfers if mark.encounter_class not in {None, EncounterClass.UNKNOWN})]):
        if mark.trigger in PLANS or (mark.trigger == Trigger.TRANSFER and not phases):
            continue
        stated = EncounterClass(mark.encounter_class) if mark.encounter_class else encounter_class
        if not phases or (stated in IN_HOUSE) != (phases[-1].encounter_class in IN_HOUSE):
            phases.append(Phase(stated, _instant(mark.occurred_at), mark.trigger))
    if phases:
        phases[-1] = Phase(encounter_class, phases[-1].starts_at, phases[-1].trigger)
    return tuple(phases)

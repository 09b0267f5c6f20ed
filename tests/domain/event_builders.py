"""Builds ADT events and patient records for the tests of the core, one keyword for each thing that a test varies."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.domain.adt_event import (
    AdtEvent,
    DiagnosisAction,
    DiagnosisFact,
    DiagnosisUse,
    EncounterClass,
    Identifier,
    PersonFacts,
    ProcessingId,
    VisitFacts,
)
from app.domain.encounter import EncounterState, EncounterView, apply, view
from app.domain.known import Known
from app.domain.person import PatientRecord, demographic_key
from app.domain.trigger import Trigger

START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def at(hours: float) -> datetime:
    """Give an instant so many hours after the beginning of the tests' world."""
    return START + timedelta(hours=hours)


def event(
    trigger: str,
    occurred: float,
    *,
    recorded: float | None = None,
    sent: float | None = None,
    of_class: Known[EncounterClass] = None,
    admitted: Known[datetime] = None,
    discharged: Known[datetime] = None,
    disposition: Known[str] = None,
    unit: Known[str] = None,
    diagnoses: Sequence[DiagnosisFact] = (),
    erased: frozenset[DiagnosisUse] = frozenset(),
    deceased: Known[bool] = None,
    died: Known[datetime] = None,
    mrn: str = "M1",
    copy: int = 0,
) -> AdtEvent:
    """Build an event. Times are hours after START: EVN-6, then EVN-2 and MSH-7 (else the same). `copy` makes another message of it."""
    occurred_at = at(occurred)
    recorded_at = occurred_at if recorded is None else at(recorded)
    sent_at = recorded_at if sent is None else at(sent)
    said = (trigger, occurred_at, recorded_at, sent_at, of_class, admitted, discharged, disposition, unit, diagnoses, deceased, died, copy)
    return AdtEvent(
        trigger=trigger,
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        sent_at=sent_at,
        content_hash=hashlib.sha256(repr(said).encode()).digest(),
        control_id=f"C{copy}",
        processing_id=ProcessingId.PRODUCTION,
        identifiers=(Identifier("HOSPA", "MR", mrn),),
        person=PersonFacts(deceased=deceased, died_at=died),
        visit=VisitFacts(
            visit_number=Identifier("HOSPA", "VN", "V1"),
            encounter_class=of_class,
            admitted_at=admitted,
            discharged_at=discharged,
            disposition=disposition,
            unit=unit,
        ),
        diagnoses=tuple(diagnoses),
        diagnoses_erased=erased,
    )


def diagnosis(
    code: str,
    use: DiagnosisUse = DiagnosisUse.FINAL,
    action: DiagnosisAction = DiagnosisAction.SNAPSHOT,
    rank: int | None = None,
) -> DiagnosisFact:
    """Build one DG1."""
    return DiagnosisFact(code=code, use=use, action=action, rank=rank)


def fold(events: Sequence[AdtEvent]) -> EncounterState:
    """Fold events in the order given."""
    state = EncounterState()
    for one in events:
        state = EncounterState.from_json(apply(state, one).to_json())
    return state


def seen(*events: AdtEvent) -> EncounterView:
    """Read off what a stay of these events is."""
    return view(fold(events))


ADMIT, DISCHARGE, TRANSFER = Trigger.ADMIT, Trigger.DISCHARGE, Trigger.TRANSFER
INPATIENT, EMERGENCY, OUTPATIENT, PREADMIT = (
    EncounterClass.INPATIENT,
    EncounterClass.EMERGENCY,
    EncounterClass.OUTPATIENT,
    EncounterClass.PREADMIT,
)


def record(
    number: int,
    *identifiers: Identifier,
    first: str | None = None,
    last: str | None = None,
    born: str | None = None,
    sex: str | None = None,
    ssn4: str | None = None,
    suffix: str | None = None,
    retired_into: int | None = None,
    source: str = "adt",
) -> PatientRecord:
    """Build a stored record; `number` is its id, and its person is itself."""
    facts = {"first_name": first, "last_name": last, "birth_date": born, "sex": sex, "ssn4": ssn4, "suffix": suffix}
    stated = {name: value for name, value in facts.items() if value is not None}
    own = identifiers[0] if identifiers else Identifier("HOSPA", "MR", f"M{number}")
    return PatientRecord(
        id=UUID(int=number),
        source=source,
        own=own,
        person_id=UUID(int=number),
        identifiers=frozenset(identifiers),
        said={"k": stated} if stated else {},
        demographic_key=demographic_key(stated),
        retired_into=UUID(int=retired_into) if retired_into is not None else None,
    )

"""PV1, PV2 and DG1 as facts about a stay (ADT-1, ADT-2). Pure; doubts become warnings.

Not here: what they make of the stay (domain/encounter), who the person is (`people`).
"""

from datetime import datetime
from typing import Final

from adapters.hl7v2.codes import CLASSES, ICD_10_SYSTEMS
from adapters.hl7v2.er7 import Segment
from adapters.hl7v2.people import identifier
from adapters.hl7v2.practitioners import named_practitioners, practitioner
from adapters.hl7v2.protection import protected
from adapters.hl7v2.reading import NULL, Reading, sharpened
from adapters.hl7v2.timestamps import Timestamp
from app.domain.adt_event import DiagnosisAction, DiagnosisFact, DiagnosisUse, EncounterClass, Identifier, VisitFacts
from app.domain.field_place import field_place
from app.domain.inbound import ProblemCode
from app.domain.known import Erasure, Known
from app.domain.trigger import Trigger

_ADMITTING = frozenset({Trigger.ADMIT, Trigger.REGISTER, Trigger.TO_INPATIENT, Trigger.TO_OUTPATIENT})
ACCOUNT_NUMBER: Final = "PID-18"
_CLASS_NAMES = {one.value: one for one in EncounterClass}
_USES = {one.value: one for one in DiagnosisUse}
_ACTIONS = {one.value: one for one in DiagnosisAction}
_MAY_BE_OBSERVATION = frozenset({EncounterClass.OUTPATIENT, EncounterClass.INPATIENT, EncounterClass.EMERGENCY, EncounterClass.UNKNOWN})


def visit_facts(reading: Reading, pv1: Segment, trigger: str, occurred: Timestamp, pid: Segment) -> VisitFacts:
    """Read what PV1 and PV2 say about the stay."""
    pv2 = reading.message.first("PV2") if trigger != Trigger.SWAP else None
    admitted, discharged = reading.time(pv1, 44), reading.time(pv1, 45)
    if isinstance(admitted, Timestamp) and trigger in _ADMITTING:
        admitted = sharpened(admitted, occurred)
    if isinstance(discharged, Timestamp) and trigger == Trigger.DISCHARGE:
        discharged = sharpened(discharged, occurred)
    class_code = reading.fact("class", pv1, 2)
    number, account = _numbers(reading, pv1, pid)
    return VisitFacts(
        visit_number=number,
        account=account,
        encounter_class=_encounter_class(reading, pv1, class_code),
        class_code=class_code,
        unit=reading.fact("unit", pv1, 3, 1),
        room=reading.part(pv1, 3, 2),
        bed=reading.part(pv1, 3, 3),
        facility=reading.fact("facility", pv1, 3, 4),
        admission_type=reading.fact("admission_type", pv1, 4),
        hospital_service=reading.fact("hospital_service", pv1, 10),
        admit_source=reading.fact("admit_source", pv1, 14),
        attending=practitioner(reading, pv1, 7),
        admitted_at=admitted.at if isinstance(admitted, Timestamp) else admitted,
        discharged_at=discharged.at if isinstance(discharged, Timestamp) else discharged,
        disposition=_disposition(reading, pv1),
        discharged_to=reading.fact("discharged_to", pv1, 37),
        admit_reason=_admit_reason(reading, pv2),
        expected_admit_at=_time(reading, pv2, 8) if pv2 is not None else None,
        expected_discharge_at=_time(reading, pv2, 9) if pv2 is not None else None,
        named=named_practitioners(reading, pv1, is_of_one=trigger != Trigger.SWAP),
        places=_places(reading, pv1),
        protected=protected(reading) if trigger != Trigger.SWAP else None,
    )


def _places(reading: Reading, pv1: Segment) -> tuple[tuple[str, str], ...]:
    """Give the building (PL.7), which the registry of origins may know where it knows no unit."""
    building = reading.text(pv1, 3, 7)
    return (("building", building),) if building else ()


def visit_named(reading: Reading, pv1: Segment | None, pid: Segment) -> VisitFacts:
    """Read which stay a message names that states nothing about it."""
    number, account = _numbers(reading, pv1, pid)
    return VisitFacts(visit_number=number, account=account)


def _numbers(reading: Reading, pv1: Segment | None, pid: Segment) -> tuple[Identifier | None, Identifier | None]:
    """Give the number of the stay and the account beside it (PID-18): where the account is the number of the stay, it is not beside it.

    The number is at the first place of the profile that has one, with its authority: by default PV1-19, PV1-50, PID-18.
    """
    account = identifier(reading, pid, 18, pid.first(18), "AN")
    for text in reading.feed.profile.visit_number_places:
        place = field_place(text)
        segment = pv1 if place.segment == "PV1" else pid if place.segment == "PID" else reading.segment(place.segment)
        if segment is None:
            continue
        if text == ACCOUNT_NUMBER and account is not None:
            return account, None
        raw = segment.first(place.field) if place.component is None else segment.component(place.field, place.component)
        found = identifier(reading, segment, place.field, raw, "VN") if text != ACCOUNT_NUMBER else None
        if found is not None:
            return found, account
    return None, account


def _time(reading: Reading, segment: Segment, field: int) -> Known[datetime]:
    time = reading.time(segment, field)
    return time.at if isinstance(time, Timestamp) else time


def _encounter_class(reading: Reading, pv1: Segment, code: Known[str]) -> Known[EncounterClass]:
    """PV1-2 by the feed's map, then table 0004; PV1-18 or PV1-10 may make it an observation stay (ADT-1)."""
    if code is None or isinstance(code, Erasure):
        return code
    profile = reading.feed.profile
    mapped = profile.class_map.get(code.upper())
    found = CLASSES.get(code.upper())
    if mapped is not None:
        found = _CLASS_NAMES.get(mapped)
    if found is None:
        reading.note_unmapped(pv1.location(2), "Not in table 0004; map it in the feed's class map. Read as unknown.")
        found = EncounterClass.UNKNOWN
    if profile.observation_patient_types and found in _MAY_BE_OBSERVATION:
        kinds = {said.upper() for said in (reading.fact("patient_type", pv1, 18), reading.part(pv1, 10)) if isinstance(said, str)}
        if kinds & profile.observation_patient_types:
            return EncounterClass.OBSERVATION
    return found


def _disposition(reading: Reading, pv1: Segment) -> Known[str]:
    """PV1-36 by the feed's map as a UB-04 status of two digits; another code is kept as sent and noted."""
    code = reading.fact("disposition", pv1, 36)
    if code is None or isinstance(code, Erasure):
        return code
    mapped = reading.feed.profile.disposition_map.get(code.upper(), code)
    if mapped.isascii() and mapped.isdigit() and len(mapped) <= 2:  # noqa: PLR2004 -- UB-04
        return mapped.zfill(2)
    reading.note_unmapped(pv1.location(36), "Not a UB-04 status (table 0112); map it in the feed's disposition map.")
    return mapped


def _admit_reason(reading: Reading, pv2: Segment | None) -> Known[str]:
    """PV2-3: the text of the coded element, else its code."""
    own = reading.feed.profile.local_reads.get("admit_reason")
    said = reading.at(own) if own is not None else None
    if said is not None or pv2 is None:
        return said
    text, code = reading.part(pv2, 3, 2), reading.part(pv2, 3, 1)
    return text if text is not None else code


def diagnoses(reading: Reading) -> tuple[tuple[DiagnosisFact, ...], frozenset[DiagnosisUse]]:
    """Read every DG1, and the uses whose diagnoses a DG1-3 of "" erases."""
    facts: list[DiagnosisFact] = []
    erased: set[DiagnosisUse] = set()
    for dg1 in reading.message.all("DG1"):
        use = _use(reading, dg1)
        if dg1.first(3) == NULL:
            erased |= {use} if dg1.raw(6) not in {"", NULL} else set(DiagnosisUse)
            continue
        code, text, system = _coding(reading, dg1)
        if code or text:
            facts.append(DiagnosisFact(code, system, text, use, _rank(reading, dg1), _action(reading, dg1)))
    return tuple(facts), frozenset(erased)


def _coding(reading: Reading, dg1: Segment) -> tuple[str, str, str]:
    """DG1-3 (code, text, system): the ICD-10 coding of the two that may be there. DG1-2 and DG1-4 are the older places."""
    parts = [reading.stated(part) for part in dg1.components(3)] + [""] * 6
    main, alternate = parts[:3], parts[3:6]
    older_system, older_text = reading.text(dg1, 2), reading.text(dg1, 4)
    if alternate[0] and (not main[0] or (_is_icd_10(alternate[2]) and not _is_icd_10(main[2] or older_system))):
        return alternate[0], alternate[1] or main[1] or older_text, alternate[2]
    return main[0], main[1] or older_text, main[2] or older_system


def _is_icd_10(system: str) -> bool:
    return system.upper().replace("-", "").replace("_", "").replace(" ", "") in ICD_10_SYSTEMS


def _use(reading: Reading, dg1: Segment) -> DiagnosisUse:
    code = reading.text(dg1, 6).upper()
    if code in _USES:
        return _USES[code]
    if code:
        reading.note(ProblemCode.TABLE_VALUE, dg1.location(6), "Not in table 0052 (A, W, F); read as a working diagnosis.")
    return DiagnosisUse.WORKING


def _rank(reading: Reading, dg1: Segment) -> int | None:
    text = reading.text(dg1, 15)
    if text.isascii() and text.isdigit() and len(text) <= 4:  # noqa: PLR2004 -- more is no rank
        return int(text)
    if text:
        reading.note(ProblemCode.DATA_TYPE, dg1.location(15), "Expected a number (1 is the principal diagnosis).")
    return None


def _action(reading: Reading, dg1: Segment) -> DiagnosisAction:
    code = reading.text(dg1, 21).upper()
    if code in _ACTIONS:
        return _ACTIONS[code]
    reading.note(ProblemCode.TABLE_VALUE, dg1.location(21), "Not in table 0206 (A, D, U); read as part of a snapshot.")
    return DiagnosisAction.SNAPSHOT

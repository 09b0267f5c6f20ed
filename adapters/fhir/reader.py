"""The port `AdtReader` for FHIR: a Da Vinci notification bundle to the meaning of an ADT message. Pure, and nothing is raised.

`header` is the quick look of room 2, `problems` decides acceptance there, `read` interprets in room 3; what `problems` passes, `read`
can read. The field table is in README.md. Not here: what has to be there (`structure`), how an OperationOutcome is written (app/api).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import product

from adapters.fhir.bundle import Entry, MessageBundle, ReadJson, error, read_bundle
from adapters.fhir.codes import ADDS_DIAGNOSES, DOCUMENT_EVENTS, EVENTS, NPI, PROCESSING, SSN, STAY_EVENTS, SUPPORTED, TEST_LABEL, V2_EVENT
from adapters.fhir.documents import content_of, documents_of, visit_of_documents
from adapters.fhir.facilities import facility_codes, location_of
from adapters.fhir.models import models
from adapters.fhir.people import patient_identifiers, person_facts
from adapters.fhir.reading import Reading
from adapters.fhir.stays import class_began, diagnoses, encounter_class, period, place_began, visit_facts
from adapters.fhir.structure import encounter_of, event_of, patient_of, structure_problems, warnings
from adapters.fhir.times import Moment, read_instant, sharpened, zone_of
from adapters.fhir.values import member, objects, text
from app.domain.adt_event import AdtEvent, EncounterClass, ProcessingId, VisitFacts
from app.domain.feed import Feed
from app.domain.inbound import Header, Problem, ProblemCode, Severity
from app.domain.known import Known
from app.domain.trigger import CANCELS, Trigger

_EVENT_LENGTH_MAX = 64
_SENDER_NAMES_MAX = 20
"""An organization has a handful of identifiers; each is tried as the name of a feed."""
_NO_VISIT_NUMBER = (
    "No identifier names the visit; without one, two stays of a patient on one day cannot be told apart, and no document finds its stay."
)
_NEVER_WAS = frozenset({"cancelled", "entered-in-error"})
_REGISTERED = frozenset({EncounterClass.EMERGENCY, EncounterClass.OUTPATIENT, EncounterClass.RECURRING})
_BEGINNING = frozenset({Trigger.ADMIT, Trigger.REGISTER})
_CONVERTING = frozenset({Trigger.TO_INPATIENT, Trigger.TO_OUTPATIENT, Trigger.TRANSFER})


class FhirReader:
    """Reads FHIR R4 message bundles in JSON."""

    def __init__(self, read_json: ReadJson) -> None:
        """Take what reads strict JSON."""
        self._read_json = read_json
        self._latest: tuple[bytes, MessageBundle | Problem] = (b"", error(ProblemCode.DATA_TYPE, "Bundle", "There is nothing here."))
        """The bundle that was cut last: whoever asks for its header goes on to read that message."""

    def warm(self) -> None:
        """Load what the first message would otherwise wait for."""
        models()

    def _bundle(self, body: bytes) -> MessageBundle | Problem:
        latest_body, latest = self._latest
        if latest_body is body:
            return latest
        bundle = read_bundle(body, self._read_json)
        self._latest = body, bundle
        return bundle

    def header(self, body: bytes) -> Header:
        """Read what names the message: its id, its event, who sends it, whom it is about."""
        bundle = self._bundle(body)
        if isinstance(bundle, Problem):
            return Header(fault=bundle)
        _, code = event_of(bundle)
        applications, facilities = _senders(bundle)
        return Header(
            sending_application=applications[0] if applications else "",
            sending_facility=facilities[0] if facilities else "",
            other_senders=tuple(product(applications, facilities or [""])),
            message_code="FHIR",
            trigger=code[:_EVENT_LENGTH_MAX],
            control_id=text(bundle.document.get("id")),
            processing_id=_processing_id(bundle).value,
            lane_key=_lane_key(bundle),
        )

    def is_supported(self, trigger: str) -> bool:
        """Tell whether the event changes anything here (as ACK-4)."""
        return trigger in SUPPORTED

    def problems(self, body: bytes, header: Header, feed: Feed) -> Sequence[Problem]:
        """Check what decides acceptance, and give what is doubtful about the references as warnings."""
        bundle = self._bundle(body)
        if isinstance(bundle, Problem):
            return (bundle,)
        found = structure_problems(bundle)
        if not found and self.is_supported(header.trigger):
            reading = _begin(bundle, feed)
            if isinstance(reading, Problem):
                return (reading,)
            patient = patient_of(bundle)
            if patient is not None and not patient_identifiers(reading, patient):
                found = [_nobody(patient)]
        return (*found, *(warnings(bundle) if not found else ()))

    def facilities(self, body: bytes, feed: Feed) -> Mapping[str, tuple[str, ...]]:
        """Give, by place, the spellings of the code of the facility that the message comes from, where the feed's profile looks for it."""
        bundle = self._bundle(body)
        return {} if isinstance(bundle, Problem) else facility_codes(bundle, feed)

    def facility_location(self, body: bytes, place: str) -> str:
        """Give where a place of the profile is in this message."""
        bundle = self._bundle(body)
        return "Bundle" if isinstance(bundle, Problem) else location_of(bundle, place)

    def read(self, body: bytes, feed: Feed) -> AdtEvent | Sequence[Problem]:
        """Interpret the whole message, or give every problem that stands in the way. Ask `is_supported` first."""
        event, found = self._interpret(body, feed)
        return event if event is not None else [problem for problem in found if problem.severity is Severity.ERROR]

    def notes(self, body: bytes, feed: Feed) -> tuple[Problem, ...]:
        """Give every problem and every doubt of a full reading, for validation and for the quality of a source."""
        return tuple(self._interpret(body, feed)[1])

    def content(self, body: bytes, feed: Feed, place: str) -> bytes | None:  # noqa: ARG002 -- the port's
        """Give the bytes of an attachment at a place that a pointer of this message named."""
        bundle = self._bundle(body)
        return None if isinstance(bundle, Problem) else content_of(bundle, place)

    def _interpret(self, body: bytes, feed: Feed) -> tuple[AdtEvent | None, list[Problem]]:
        bundle = self._bundle(body)
        if isinstance(bundle, Problem):
            return None, [bundle]
        found = structure_problems(bundle)
        reading = _begin(bundle, feed)
        patient = patient_of(bundle)
        if found or isinstance(reading, Problem) or patient is None:
            return None, found or [reading if isinstance(reading, Problem) else _nobody(None)]
        identifiers = patient_identifiers(reading, patient)
        event = event_of(bundle)
        if not identifiers or event not in EVENTS:
            return None, [_nobody(patient)]
        encounter = encounter_of(bundle) if event in STAY_EVENTS else None
        trigger = EVENTS[event] if encounter is None else _trigger(EVENTS[event], event[0], reading, encounter)
        occurred_at, visit = _visit(reading, trigger, encounter, patient)
        person = person_facts(reading, patient)
        if event in DOCUMENT_EVENTS:
            # It names the stay and states nothing about it, nor whether somebody has died.
            visit, person = visit_of_documents(reading, patient), replace(person, died_at=None, deceased=None)
        facts, erased = diagnoses(reading, encounter, adds=event[1] in ADDS_DIAGNOSES) if encounter is not None else ((), frozenset())
        read = AdtEvent(
            trigger=trigger,
            occurred_at=occurred_at,
            recorded_at=reading.sent_at,
            sent_at=reading.sent_at,
            content_hash=hashlib.sha256(body).digest(),
            control_id=text(bundle.document.get("id")),
            processing_id=_processing_id(bundle),
            identifiers=identifiers,
            person=person,
            visit=visit,
            diagnoses=facts,
            diagnoses_erased=erased,
            documents=documents_of(reading, patient, encounter, trigger),
            sending_facility=next(iter(_senders(bundle)[1]), ""),
            unmapped=tuple(dict.fromkeys(reading.unmapped)),
        )
        if read.visit is not None and read.visit.visit_number is None:
            place = f"{encounter.path}.identifier" if encounter is not None else "Bundle.entry"
            reading.note(ProblemCode.REQUIRED_FIELD_MISSING, place, _NO_VISIT_NUMBER)
        # The class is looked at twice: for the event and for the stay.
        return read, list(dict.fromkeys([*reading.notes, *warnings(bundle)]))


def _begin(bundle: MessageBundle, feed: Feed) -> Reading | Problem:
    zone = zone_of(feed.time_zone)
    if zone is None:
        return error(ProblemCode.INTERNAL, "", "The feed's time zone is no IANA zone; the operator has to correct the feed.")
    sent_at = read_instant(bundle.document.get("timestamp"))
    if sent_at is None:
        return error(ProblemCode.REQUIRED_FIELD_MISSING, "Bundle.timestamp", "Expected an instant (DV-2).")
    return Reading(bundle, feed, zone, sent_at)


def _nobody(patient: Entry | None) -> Problem:
    place = f"{patient.path}.identifier" if patient is not None else "Bundle.entry"
    sentence = "The patient needs an identifier of the person; account and visit numbers do not name one."
    return error(ProblemCode.REQUIRED_FIELD_MISSING, place, sentence)


def _trigger(said: Trigger, system: str, reading: Reading, encounter: Entry) -> Trigger:
    """Sharpen what the event says by what the Encounter says: an admission to the emergency room is a registration (C.6, A04).

    A stay whose status says that it never was is a cancelled one, whatever the message calls itself. An HL7 v2 event is meant as it is.
    """
    status = text(encounter.resource.get("status"))
    if status in _NEVER_WAS and said not in CANCELS:
        return Trigger.CANCEL_ADMIT
    if said is not Trigger.ADMIT or system == V2_EVENT:
        return said
    kind = encounter_class(reading, encounter)
    if status == "planned" or kind is EncounterClass.PREADMIT:
        return Trigger.PRE_ADMIT
    return Trigger.REGISTER if kind in _REGISTERED else Trigger.ADMIT


def _visit(reading: Reading, trigger: Trigger, encounter: Entry | None, patient: Entry) -> tuple[datetime, VisitFacts | None]:
    """Give when it happened, and the stay. The end of a stay counts where the message tells it or calls the stay finished (ADT-1)."""
    if encounter is None:
        return reading.sent_at, None
    started, ended = period(reading, encounter, "start"), period(reading, encounter, "end")
    is_over = trigger is Trigger.DISCHARGE or text(encounter.resource.get("status")) == "finished"
    if isinstance(ended, Moment) and not is_over:
        ended = None
    if trigger in _BEGINNING:
        started = _exact(started, reading)
    if trigger is Trigger.DISCHARGE:
        ended = _exact(ended, reading)
    occurred: Known[Moment] = None
    if trigger in _BEGINNING:
        occurred = class_began(reading, encounter) or started
    elif trigger is Trigger.DISCHARGE:
        occurred = ended
    elif trigger in _CONVERTING:
        occurred = class_began(reading, encounter) or place_began(reading, encounter)
    at = occurred.at if isinstance(occurred, Moment) else reading.sent_at
    return at, visit_facts(reading, encounter, patient, started=started, ended=ended)


def _exact(moment: Known[Moment], reading: Reading) -> Known[Moment]:
    return sharpened(moment, reading.sent_at, reading.zone) if isinstance(moment, Moment) else moment


def _processing_id(bundle: MessageBundle) -> ProcessingId:
    """Tell test messages by MSH-11 as v2-to-FHIR carries it, or by the security label for test health data."""
    for resource in (bundle.document, *([bundle.header.resource] if bundle.header is not None else [])):
        for tag in objects(member(resource, "meta", "tag")):
            said = text(tag.get("code"))
            if text(tag.get("system")) == PROCESSING and said in ("T", "D"):
                return ProcessingId(said)
        if any(text(label.get("code")) == TEST_LABEL for label in objects(member(resource, "meta", "security"))):
            return ProcessingId.TRAINING
    return ProcessingId.PRODUCTION


def _senders(bundle: MessageBundle) -> tuple[list[str], list[str]]:
    """Give the names of the sending application and of the sending facility, the most exact first: they find the feed."""
    header = bundle.header
    if header is None:
        return [], []
    source = header.resource.get("source")
    applications = [text(member(source, name)) for name in ("endpoint", "name", "software")]
    facilities: list[str] = []
    for name in ("sender", "responsible"):
        reference = header.resource.get(name)
        found = bundle.find(reference, header.resource)
        if found is not None:
            numbers = objects(found.resource.get("identifier"))
            facilities += [text(found.resource.get("name")), *(text(one.get("value")) for one in sorted(numbers, key=_not_npi))]
        facilities.append(text(member(reference, "display")))
    return _each_once(applications), _each_once(facilities)


def _not_npi(identifier: dict[str, object]) -> bool:
    return text(identifier.get("system")) != NPI


def _each_once(said: list[str]) -> list[str]:
    return list(dict.fromkeys(one for one in said if one))[:_SENDER_NAMES_MAX]


def _lane_key(bundle: MessageBundle) -> str:
    patient = patient_of(bundle)
    numbers = objects(patient.resource.get("identifier")) if patient is not None else []
    return next((f"{text(one.get('system'))}|{text(one.get('value'))}" for one in numbers if text(one.get("system")) not in SSN), "")

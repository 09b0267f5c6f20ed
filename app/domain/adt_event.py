"""One interpreted ADT happening, free of the format that carried it.

An `AdtEvent` says what one message says, three-valued where the standard is (see `known`). What it means for a stay is
decided in `encounter`; whom it is about, in `matching`. Instants are aware UTC; `..._on` are dates as written.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from app.domain.contact_person import ContactPerson
from app.domain.inbound import Problem
from app.domain.known import Known
from app.domain.telephone import Telephone

if TYPE_CHECKING:
    from app.domain.document import DocumentPointer


class EncounterClass(StrEnum):
    """HL7 2.5.1 table 0004 in FHIR's words; observation is usually a local code and comes by the feed's class map."""

    EMERGENCY = "emergency"
    INPATIENT = "inpatient"
    OBSERVATION = "observation"
    OUTPATIENT = "outpatient"
    PREADMIT = "preadmit"
    RECURRING = "recurring"
    OBSTETRICS = "obstetrics"
    UNKNOWN = "unknown"


class IdentifierType(StrEnum):
    """HL7 2.5.1 table 0203, the person-level types; NONE where a source gave no type."""

    NONE = ""
    MEDICAL_RECORD = "MR"
    PATIENT_INTERNAL = "PI"
    PATIENT_EXTERNAL = "PT"
    MEDICAID = "MA"
    MEDICARE = "MC"
    MEMBER = "MB"


NOT_A_PERSON_TYPES = frozenset({"AN", "VN", "BA", "ANON", "AM", "DR"})
"""Account, visit and similar numbers that appear in PID-3 but do not name a person."""


class Identifier(NamedTuple):
    """A number and who gave it: (assigning authority, type, value). Never a bare string (HL7-6). A tuple: a roster has a million.

    `authority` is CX-4.1, else CX-4.2, else the feed's default; upper case. `type` is CX-5 as sent, upper case.
    """

    authority: str
    type: str
    value: str


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What a source says about a patient. Text as sent."""

    first_name: Known[str] = None
    middle_name: Known[str] = None
    last_name: Known[str] = None
    birth_date: Known[date] = None
    sex: Known[str] = None
    """HL7 table 0001 as sent (M, F, O, U, A, N)."""
    phone: Known[str] = None
    address: Known[str] = None
    city: Known[str] = None
    state: Known[str] = None
    zip: Known[str] = None
    race: Known[str] = None
    ethnicity: Known[str] = None
    language: Known[str] = None
    died_at: Known[datetime] = None
    deceased: Known[bool] = None
    home_phones: Known[tuple[Telephone, ...]] = None
    """Every number of the list that `phone` is taken from; the list is replaced as a whole."""
    work_phones: Known[tuple[Telephone, ...]] = None
    contact_persons: Known[tuple[ContactPerson, ...]] = None
    """A message that names any states them all."""
    guarantors: Known[tuple[ContactPerson, ...]] = None
    interpreter: Known[bool] = None
    """Whether one is needed."""
    ssn4: Known[str] = None
    """The last four digits of the social security number, for telling people apart; the rest is kept nowhere but in the message."""
    suffix: Known[str] = None
    """As sent (Jr, III): tells father and son apart."""
    former_last_name: Known[str] = None
    """A name at birth, a maiden name or an alias beside the name: what others may still call them."""
    birth_order: Known[str] = None
    """Of a multiple birth, as sent (1, 2): tells twins apart."""


class DiagnosisUse(StrEnum):
    """HL7 2.5.1 table 0052, DG1-6."""

    ADMITTING = "A"
    WORKING = "W"
    FINAL = "F"


class DiagnosisAction(StrEnum):
    """HL7 2.5.1 table 0206, DG1-21; SNAPSHOT where the message gives no action code."""

    SNAPSHOT = ""
    ADD = "A"
    DELETE = "D"
    UPDATE = "U"


@dataclass(frozen=True, slots=True)
class DiagnosisFact:
    """One DG1. A snapshot set replaces the old set of the same use (ADT-2)."""

    code: str
    system: str = ""
    """DG1-3.3 as sent."""
    text: str = ""
    use: DiagnosisUse = DiagnosisUse.WORKING
    rank: int | None = None
    """DG1-15; 1 is principal."""
    action: DiagnosisAction = DiagnosisAction.SNAPSHOT


@dataclass(frozen=True, slots=True)
class Practitioner:
    """XCN as far as a notice needs it."""

    identifier: str = ""
    family: str = ""
    given: str = ""
    npi: str = ""


@dataclass(frozen=True, slots=True)
class NamedAt:
    """The NPIs of the practitioners that a message names at one place; none: the place was emptied."""

    place: str
    """As HL7 writes it: PD1-4, PV1-7, or ROL and its role, ROL-PP."""
    npis: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VisitFacts:
    """What a message says about a stay (PV1, PV2, EVN)."""

    visit_number: Identifier | None = None
    """PV1-19, else PV1-50, else PID-18, with authority; type is the field it came from: VN, AN."""
    encounter_class: Known[EncounterClass] = None
    class_code: Known[str] = None
    """PV1-2 as sent."""
    unit: Known[str] = None
    """PV1-3.1 point of care."""
    room: Known[str] = None
    bed: Known[str] = None
    facility: Known[str] = None
    """PV1-3.4 namespace, as sent."""
    admission_type: Known[str] = None
    hospital_service: Known[str] = None
    """PV1-10."""
    admit_source: Known[str] = None
    attending: Known[Practitioner] = None
    admitted_at: Known[datetime] = None
    """PV1-44."""
    discharged_at: Known[datetime] = None
    """PV1-45."""
    disposition: Known[str] = None
    """PV1-36, UB-04 status as two digits after the feed's code map."""
    discharged_to: Known[str] = None
    """PV1-37."""
    admit_reason: Known[str] = None
    """PV2-3 text."""
    account: Identifier | None = None
    """PID-18, beside a visit number of its own."""
    expected_admit_at: Known[datetime] = None
    """PV2-8."""
    places: tuple[tuple[str, str], ...] = ()
    """Further names of where the patient is, for the registry of origins: (building, or alias of the unit; code)."""
    protected: Known[bool] = None
    """PD1-12: the hospital says that access is to be protected."""
    expected_discharge_at: Known[datetime] = None
    """PV2-9."""
    named: tuple[NamedAt, ...] = ()
    """Practitioners whose organizations may have to be told (PD1, ROL, PV1)."""


@dataclass(frozen=True, slots=True)
class Rename:
    """The number of a visit or an account that is retired, and the one under which the stay goes on (MRG-3, MRG-5, MRG-6)."""

    retired: Identifier
    survivor: Identifier


class ProcessingId(StrEnum):
    """HL7 2.5.1 table 0103: only production messages may reach a live recipient."""

    PRODUCTION = "P"
    TRAINING = "T"
    DEBUGGING = "D"


@dataclass(frozen=True, slots=True)
class AdtEvent:
    """One happening as one message tells it."""

    trigger: str
    """Table 0003 code as sent; those outside `Trigger` are ignored by the pipeline."""
    occurred_at: datetime
    """When it happened: EVN-6, else EVN-2, else MSH-7 (ADT-4)."""
    recorded_at: datetime
    """EVN-2, else MSH-7."""
    sent_at: datetime
    """MSH-7, else EVN-2."""
    content_hash: bytes
    """SHA-256 of the verbatim bytes: the last word in a tie, never arrival."""
    control_id: str
    processing_id: ProcessingId
    identifiers: tuple[Identifier, ...]
    """PID-3 person-level identifiers in order; the first is the patient record's own."""
    person: PersonFacts
    prior_identifiers: tuple[Identifier, ...] = ()
    """MRG-1 (A40) or MRG-1/MRG-4 (A34): the ids that are retired, each of an authority that the survivor is named by too."""
    renames: tuple[Rename, ...] = ()
    """What an event of `RENAMING` retires."""
    moved_account: Identifier | None = None
    """A44: the account that goes to the patient of PID-3 with all its stays."""
    other_patient: tuple[Identifier, ...] = ()
    """The other of an A24 or A37 (the second PID), or the patient that an A43 takes the record of PID-3 from (MRG-4)."""
    mothers: tuple[Identifier, ...] = ()
    """What a message about a newborn says the mother's numbers are (PID-21)."""
    parent: Identifier | None = None
    """A43: the patient (PID-2) to whom the record of PID-3 goes."""
    visit: VisitFacts | None = None
    """None where there is no PV1 or the event is about the person only."""
    diagnoses: tuple[DiagnosisFact, ...] = ()
    diagnoses_erased: frozenset[DiagnosisUse] = field(default_factory=frozenset)
    sending_facility: str = ""
    """MSH-4 as sent, for routing by facility."""
    documents: tuple["DocumentPointer", ...] = ()
    """What the message says of documents: all of an MDM or ORU, beside the stay in a FHIR message."""
    unmapped: tuple[Problem, ...] = field(default=(), compare=False)
    """Codes that neither the standard's table nor the feed's profile knows: read as unknown, and mended by a map and another reading."""
    others: tuple["AdtEvent", ...] = ()
    """What else the message tells: the second patient of an A17, the further groups of a merge. None of them has others."""

    @property
    def all(self) -> tuple["AdtEvent", ...]:
        """Give everything the message tells, each as an event of its own."""
        return (self, *self.others)

"""Notifications as recipients read them, and why. The content is made when it is told (domain/telling); here it is described."""

from typing import Annotated, Any

from pydantic import Field

from app.api.schemas.common import (
    AttributionIdText,
    ContactIdText,
    Day,
    Document,
    EncounterIdText,
    EventIdText,
    FeedIdText,
    FollowUpIdText,
    Instant,
    MessageIdText,
    NotificationIdText,
    OrganizationIdText,
    PersonIdText,
    UploadIdText,
)
from app.api.schemas.opened_records import OpenedDocument
from app.api.schemas.privacy import Labelled
from app.domain.contact_sheet import ReachSource
from app.domain.escalation import Level
from app.domain.late_release import LateCause
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.domain.telephone import Owner, TelephoneKind, TelephoneUse
from app.store.notification_reads import Acknowledgement, Why


class IdentifierDocument(Document):
    """A number and who gave it."""

    system: Annotated[
        str, Field(description="Assigning authority; of a roster that names none: its organization, or empty", examples=["SAMPLE_HOSPITAL"])
    ]
    type: Annotated[str, Field(description="HL7 table 0203", examples=["MR"])]
    value: str


class PhoneDocument(Document):
    """A number or address at which somebody may be reached, and who answers it."""

    number: Annotated[str, Field(description="As sent", examples=["(207) 555-0101"])]
    normalised: Annotated[str | None, Field(description="E.164; null where it cannot be dialled as it stands", examples=["+12075550101"])]
    extension: str | None
    kind: TelephoneKind
    use: Annotated[TelephoneUse | None, Field(description="FHIR ContactPoint.use")]
    code: Annotated[str | None, Field(description="HL7 table 0201 or 0202 as sent, where `kind` and `use` say less", examples=["EMR"])]
    note: Annotated[str | None, Field(description="What the source wrote beside it")]
    owner: Owner
    owner_name: Annotated[str | None, Field(description="Whose it is where it is not the person's own")]
    shared_with: Annotated[list[str], Field(description="Contact persons who are reached at the same number")]
    sources: list[ReachSource]


class CodeDocument(Document):
    """A table value."""

    code: str | None
    text: str | None


class ContactPersonDocument(Document):
    """Somebody beside the person whom one may have to reach: what the hospitals said, and the reader's own roster."""

    name: str | None
    first_name: str | None
    middle_name: str | None
    last_name: str | None
    organization: str | None
    relation: Annotated[CodeDocument, Field(description="HL7 table 0063, else as sent: what the contact is to the person")]
    roles: Annotated[list[CodeDocument], Field(description="HL7 table 0131, else as sent")]
    is_legal_guardian: bool
    state_custody: Annotated[bool, Field(description="Ward of court or of the state, or the guardian is an agency")]
    is_next_of_kin: bool
    is_emergency_contact: bool
    is_guarantor: bool
    phones: list[PhoneDocument]
    address: str | None
    city: str | None
    state: str | None
    zip: str | None
    language: str | None
    starts_on: Day | None
    ends_on: Annotated[Day | None, Field(description="Last day of this role, as sent")]
    sources: list[ReachSource]


class InterpreterDocument(Document):
    """Whether an interpreter is needed, and for which language."""

    needed: Annotated[bool | None, Field(description="null: nobody said")]
    language: Annotated[str | None, Field(description="As sent", examples=["spa"])]


class PersonDocument(Document):
    """A person, text as sent. A tier can take away everything but the id; how the person is reached is told at tier full alone."""

    id: PersonIdText
    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None
    birth_date: Day | None = None
    sex: Annotated[str | None, Field(description="HL7 table 0001, as sent")] = None
    phone: str | None = None
    identifiers: list[IdentifierDocument] | None = None
    phones: Annotated[list[PhoneDocument] | None, Field(description="Every number, `phone` among them; tier full alone")] = None
    contact_persons: Annotated[list[ContactPersonDocument] | None, Field(description="Guardians first; tier full alone")] = None
    safe_contact: Annotated[str | None, Field(description="How it is safe to reach the person, by the reader's own roster")] = None
    no_voicemail: Annotated[bool | None, Field(description="By the reader's own roster: leave no message")] = None
    interpreter: InterpreterDocument | None = None


class FacilityDocument(Document):
    """Where a stay was, and at tier full how those who had the patient are reached: the unit, else the house."""

    id: OrganizationIdText | None
    name: str | None
    call_back: Annotated[str | None, Field(description="telephone", examples=["207-555-0140"])] = None
    direct_address: Annotated[str | None, Field(description="Direct secure messaging")] = None
    records_contact: Annotated[str | None, Field(description="who gives out records")] = None


class AttendingDocument(Document):
    """The practitioner in charge."""

    id: str | None
    family: str | None
    given: str | None
    npi: str | None


class DiagnosisDocument(Document):
    """A diagnosis of the stay as it stands."""

    code: str
    system: str
    text: str
    use: Annotated[str, Field(description="HL7 table 0052: A admitting, W working, F final")]
    rank: Annotated[int | None, Field(description="1 is principal")]


class ToldEncounterDocument(Document):
    """A stay, as much of it as the tier allows; what is taken away is absent."""

    id: EncounterIdText
    facility: FacilityDocument | None = None
    admitted_at: Instant | None = None
    discharged_at: Instant | None = None
    visit_number: str | None = None
    class_: Annotated[str | None, Field(alias="class", description="emergency, inpatient, observation, ...")] = None
    status: Annotated[str | None, Field(description="planned, in-progress, finished, cancelled or unknown")] = None
    disposition: Annotated[str | None, Field(description="UB-04 status, two digits", examples=["01"])] = None
    discharge_inferred: Annotated[bool | None, Field(description="no discharge event came, an update told of it")] = None
    on_leave_since: Annotated[Instant | None, Field(description="a leave of absence that lasts; the stay goes on")] = None
    discharge_pending_since: Annotated[Instant | None, Field(description="the hospital says that the stay will end (A16)")] = None
    expected_discharge_at: Annotated[Instant | None, Field(description="when it expects that")] = None
    unit: str | None = None
    hospital_service: str | None = None
    admit_reason: str | None = None
    attending: AttendingDocument | None = None
    diagnoses: list[DiagnosisDocument] | None = None
    behavioral_kind: Annotated[str | None, Field(description="mental_health, substance_use, both or none")] = None
    provisional: Annotated[bool | None, Field(description="final diagnoses have not arrived")] = None
    has_discharge_summary: Annotated[bool | None, Field(description="the hospital's discharge summary has come")] = None


class AttributionDocument(Document):
    """The claim on which the recipient is told: its own."""

    id: AttributionIdText
    organization_id: OrganizationIdText
    program: str
    role: str
    effective_from: Day
    effective_to: Annotated[Day | None, Field(description="exclusive; null: open")]
    coordinator: str | None
    basis: Annotated[str | None, Field(description="What the claim rests on, as the roster says it; named_in_message: nobody claims")] = (
        None
    )
    lead: Annotated[bool | None, Field(description="Whether this home leads a program of the person and follows them up")] = None


class LateDocument(Document):
    """How late something is told that had waited for a person."""

    minutes: Annotated[int, Field(description="Since it came here; since it was known, where a person decided who it is about")]
    cause: Annotated[LateCause, Field(examples=["unmapped_facility"])]


class AddresseeDocument(Document):
    """Whom of the home something is for."""

    part: Annotated[str, Field(description="assignee, supervisor, manager or on_call")]
    name: str | None
    phone: str | None


class EscalationDocument(Document):
    """How urgent a notice of a follow-up is, and for whom of the home."""

    level: Level
    percent: Annotated[int | None, Field(description="Of the clock's time; 100 is the breach", examples=[80])]
    to: list[AddresseeDocument]


class ContactedDocument(Document):
    """What the home that follows the person up has done, as status alone."""

    clocks: Annotated[list[str], Field(description="What they ask for was done", examples=[["mainecare_bhh.contact_2bd"]])]
    late: Annotated[list[str], Field(description="Of these, after they were due")]
    first_at: Instant | None


class ClosedDocument(Document):
    """How a follow-up ended."""

    code: Annotated[str, Field(examples=["closed_by_home"])]
    met: list[str]
    missed: list[str]


class SafetyDocument(Document):
    """What a contact says of danger."""

    contact_id: ContactIdText
    findings: Annotated[list[str], Field(examples=[["c_ssrs_high", "phq9_item_9"]])]


class NotificationDocument(Labelled):
    """One notification. `id` is new for every version, `event_id` the same over all, `supersedes` the id before."""

    sequence: Annotated[int, Field(description="The recipient's own numbering, without gaps", examples=[17])]
    id: NotificationIdText
    type: Annotated[
        str, Field(description="encounter.admitted, encounter.discharged, ...; notification.withdrawn", examples=["encounter.discharged"])
    ]
    event_id: EventIdText | None = None
    event: Annotated[
        str | None, Field(description="Which event of the stay it is about: admitted, converted, discharged, died, due, overdue, ...")
    ] = None
    version: int | None = None
    supersedes: NotificationIdText | None = None
    tier: Annotated[str | None, Field(description="full, minimal or id_only: how much may be told")] = None
    occurred_at: Instant | None = None
    created_at: Instant | None = None
    person: PersonDocument | None = None
    encounter: ToldEncounterDocument | None = None
    attribution: AttributionDocument | None = None
    follow_up_id: FollowUpIdText | None = None
    clock: Annotated[dict[str, Any] | None, Field(description="For follow_up.due and follow_up.overdue: the clock")] = None
    escalation: Annotated[EscalationDocument | None, Field(description="Of what the home is told of a follow-up: for whom it is")] = None
    safety: Annotated[SafetyDocument | None, Field(description="For follow_up.safety, which is told at once")] = None
    contacted: Annotated[ContactedDocument | None, Field(description="For follow_up.contacted: what was done")] = None
    closed: Annotated[ClosedDocument | None, Field(description="For follow_up.closed: how it ended; null: open again")] = None
    opened: Annotated[OpenedDocument | None, Field(description="For record.opened: by whom, for whom, until when")] = None
    reason: Annotated[str | None, Field(description="Why this recipient is told")] = None
    catch_up: Annotated[bool | None, Field(description="The claim became known after the event (late attribution)")] = None
    late: Annotated[LateDocument | None, Field(description="It had waited for a person; null: it had not")] = None
    notices: Annotated[list[Any] | None, Field(description="Legal notices that travel with it (42 CFR 2.32)")] = None


class NotificationPage(Document):
    """A page of the outbox."""

    items: list[NotificationDocument]
    next: Annotated[str | None, Field(description="Pass it back as `after`; null when there is no more at the moment.", examples=["117"])]


class AcknowledgementDocument(Document):
    """The recipient has taken note."""

    id: NotificationIdText
    acknowledged_at: Instant


class ToldNow(Document):
    """What stands with the recipient about this event."""

    kind: str
    decision: Annotated[
        str, Field(description="full, minimal, id_only, suppress, hold, preference, not_live, late, answered, gone or ended")
    ]
    reasons: list[str]
    version: int
    effective: bool
    decided_at: Instant


class LedgerLine(Document):
    """One change of the decision."""

    decision: str
    reasons: list[str]
    notification_id: NotificationIdText | None
    cause_id: Annotated[MessageIdText | None, Field(description="The message that led to it")]
    decided_at: Instant


class VersionDocument(Document):
    """One version that was numbered."""

    id: NotificationIdText
    sequence: int
    type: str
    version: int
    supersedes: NotificationIdText | None
    tier: str
    created_at: Instant


class ClaimDocument(Document):
    """The claim as the panel made it, and when that became known."""

    id: AttributionIdText
    organization_id: OrganizationIdText
    program: str
    role: str
    effective_from: Day
    effective_to: Day | None
    coordinator: str | None
    asserted_at: Instant
    retracted_at: Instant | None
    upload_id: UploadIdText | None


class CauseDocument(Document):
    """The message that led to this version; for the operator."""

    id: MessageIdText
    feed_id: FeedIdText | None
    organization_id: OrganizationIdText | None
    received_at: Instant
    trigger: str
    control_id: str


class WhyDocument(Document):
    """Everything that was decided about one event of a stay and one recipient."""

    notification: NotificationDocument
    now: ToldNow | None
    ledger: list[LedgerLine]
    versions: list[VersionDocument]
    attribution: ClaimDocument | None
    cause: CauseDocument | None
    acknowledged_at: Instant | None


def acknowledgement_json(found: Acknowledgement) -> dict[str, Any]:
    """Show an acknowledgement."""
    return {"id": public_id(Kind.NOTIFICATION, found.notification_id), "acknowledged_at": found.acknowledged_at}


def why_json(notification: dict[str, Any], why: Why) -> dict[str, Any]:
    """Show the reasons."""
    return {
        "notification": notification,
        "now": None
        if why.telling is None
        else {name: why.telling[name] for name in ("kind", "decision", "reasons", "version", "effective", "decided_at")},
        "ledger": [
            {
                "decision": line["decision"],
                "reasons": line["reasons"],
                "notification_id": public_id_or_none(Kind.NOTIFICATION, line["notification_id"]),
                "cause_id": public_id_or_none(Kind.MESSAGE, line["cause_id"]),
                "decided_at": line["decided_at"],
            }
            for line in why.ledger
        ],
        "versions": [
            {
                **version,
                "id": public_id(Kind.NOTIFICATION, version["id"]),
                "supersedes": public_id_or_none(Kind.NOTIFICATION, version["supersedes"]),
            }
            for version in why.versions
        ],
        "attribution": None
        if why.attribution is None
        else {
            **why.attribution,
            "id": public_id(Kind.ATTRIBUTION, why.attribution["id"]),
            "organization_id": public_id(Kind.ORGANIZATION, why.attribution["organization_id"]),
            "upload_id": public_id_or_none(Kind.UPLOAD, why.attribution["upload_id"]),
        },
        "cause": None
        if why.cause is None
        else {
            **why.cause,
            "id": public_id(Kind.MESSAGE, why.cause["id"]),
            "feed_id": public_id_or_none(Kind.FEED, why.cause["feed_id"]),
            "organization_id": public_id_or_none(Kind.ORGANIZATION, why.cause["organization_id"]),
        },
        "acknowledged_at": why.acknowledged_at,
    }

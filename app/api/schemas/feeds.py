"""Feeds as they are sent and shown."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from app.api.schemas.common import Document, FeedIdText, Listing, OrganizationId, OrganizationIdText, Request
from app.api.schemas.organizations import TimeZone
from app.domain.adt_event import EncounterClass
from app.domain.feed import FHIR_ELEMENTS, VISIT_NUMBER_PLACES, AckPolicy, Feed, FeedMode, FeedProfile
from app.domain.field_place import field_place
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.store.feed_facilities import FacilityRow
from app.store.feeds import FeedVersion, profile_document

_ENTRIES_MAX = 1000
_PLACES_MAX = 20
_ASCII = bytes(range(0x20, 0x7F))
"""What every character set of HL7 has in common: without it no delimiter could be found."""


def _charset(value: str) -> str:
    try:
        fits = _ASCII.decode(value) == _ASCII.decode("ascii")
    except (LookupError, ValueError):
        fits = False
    if not fits:
        msg = "is not a character set that this service knows and HL7 allows, such as utf-8, windows-1252 or iso-8859-1"
        raise ValueError(msg)
    return value


def _code(value: str) -> str:
    return value.strip().upper()


def _place(value: str) -> str:
    field_place(value)
    return value.strip().upper()


def _facility_place(value: str) -> str:
    named = value.strip().lower()
    return next((element for element in FHIR_ELEMENTS if element.lower() == named), None) or _place(value)


def _fingerprint(value: str) -> str:
    return value.replace(":", "").strip().lower()


Code = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_code)]
MshText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=227)]
"""HL7 2.5.1: an HD has at most 227 characters."""
CodeMap = Annotated[dict[Code, Code], Field(max_length=_ENTRIES_MAX)]
UbStatus = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9]{1,2}$")]
LoincCode = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9]{1,5}-[0-9]$")]
PlaceText = Annotated[str, AfterValidator(_place)]
Places = Annotated[tuple[PlaceText, ...], Field(max_length=_PLACES_MAX)]
FacilityPlaces = Annotated[tuple[Annotated[str, AfterValidator(_facility_place)], ...], Field(max_length=_PLACES_MAX)]
Fingerprint = Annotated[str, BeforeValidator(_fingerprint), StringConstraints(pattern=r"^[0-9a-f]{64}$")]
LocalFact = Literal[
    "class", "patient_type", "disposition", "unit", "hospital_service", "admission_type", "admit_source", "admit_reason",
    "discharged_to", "facility", "patient_number", "medicaid_id", "protected",
]  # fmt: skip
Codes = Annotated[tuple[Code, ...], Field(max_length=_ENTRIES_MAX)]


class FeedProfileRequest(Request):
    """How this sender deviates from the standard. Maps go from the code as sent to the standard one."""

    charset: Annotated[
        Annotated[str, AfterValidator(_charset)] | None,
        Field(description="Used when MSH-18 is empty; null tries UTF-8, then Windows-1252.", examples=["windows-1252"]),
    ] = None
    class_map: Annotated[
        dict[Code, EncounterClass], Field(max_length=_ENTRIES_MAX, description="PV1-2 -> class", examples=[{"OBS": "observation"}])
    ] = Field(default_factory=dict)
    disposition_map: Annotated[
        dict[Code, UbStatus], Field(max_length=_ENTRIES_MAX, description="PV1-36 -> UB-04 status", examples=[{"HOME": "01"}])
    ] = Field(default_factory=dict)
    document_map: Annotated[
        dict[Code, LoincCode],
        Field(max_length=_ENTRIES_MAX, description="Document type (TXA-2, OBR-4) -> LOINC", examples=[{"DSUM": "18842-5"}]),
    ] = Field(default_factory=dict)
    authority_map: Annotated[
        CodeMap, Field(description="CX-4 -> the network's name of that authority", examples=[{"EPIC1": "HOSPITAL_A"}])
    ] = Field(default_factory=dict)
    observation_patient_types: Annotated[Codes, Field(description="PV1-18 or PV1-10 values that mean an observation stay")] = ()
    behavioral_units: Annotated[Codes, Field(description="PV1-3.1 values that are psychiatric or substance-use units")] = ()
    test_patient_last_names: Annotated[Codes, Field(description="Last names of test patients, beside Testpatient and Zztest")] = ()
    accept_test_messages: Annotated[bool, Field(description="Treat MSH-11 T and D like P: for a feed that is itself a test feed")] = False
    visit_number_places: Annotated[
        Places,
        Field(min_length=1, description="Where the visit number lives, the first that is valued", examples=[["PV1-19", "ZVN-1"]]),
    ] = VISIT_NUMBER_PLACES
    local_reads: Annotated[
        dict[LocalFact, PlaceText],
        Field(
            description="What this sender says in a segment of its own; it wins over the standard field. `protected` (a refusal: CON-11, "
            "ARV-3, or a field of a Z segment) counts beside PD1-12: one yes is enough",
            examples=[{"disposition": "ZPV-3"}],
        ),
    ] = Field(default_factory=dict)
    ack_policy: Annotated[
        AckPolicy, Field(description="A content error is answered AE (error) or AA (accept); set aside either way", examples=["error"])
    ] = AckPolicy.ERROR
    mllp_release: Annotated[
        int,
        Field(ge=1, le=2, description="2: a commit block (0B 06 1C 0D) goes before the answer, on any listener", examples=[1]),
    ] = 1
    accepted_applications: Annotated[
        Codes, Field(description="MSH-3 values that may send, beside the feed's own; others are answered AR. Empty: any.")
    ] = ()
    client_certificates: Annotated[
        tuple[Fingerprint, ...],
        Field(
            max_length=_PLACES_MAX, description="SHA-256 of the TLS client certificates that may send by MLLP. Empty: none is asked for."
        ),
    ] = ()
    facility_places: Annotated[
        FacilityPlaces,
        Field(
            description="Makes the feed an aggregator: where a message names its facility, the first that is valued. A field stands for "
            "the element of FHIR that says the same; an element may be named too: MessageHeader.source, .sender, .responsible, "
            "Encounter.location, .serviceProvider",
            examples=[["MSH-4", "EVN-7", "PV1-3.4", "PV1-39"]],
        ),
    ] = ()

    def profile(self) -> FeedProfile:
        """Give the domain's profile."""
        return FeedProfile(
            charset=self.charset,
            class_map={code: value.value for code, value in self.class_map.items()},
            disposition_map=dict(self.disposition_map),
            document_map=dict(self.document_map),
            authority_map=dict(self.authority_map),
            observation_patient_types=frozenset(self.observation_patient_types),
            behavioral_units=frozenset(self.behavioral_units),
            test_patient_last_names=frozenset(self.test_patient_last_names),
            accept_test_messages=self.accept_test_messages,
            visit_number_places=self.visit_number_places,
            local_reads={str(name): place for name, place in self.local_reads.items()},
            ack_policy=self.ack_policy,
            mllp_release=self.mllp_release,
            accepted_applications=frozenset(self.accepted_applications),
            client_certificates=frozenset(self.client_certificates),
            facility_places=self.facility_places,
        )


class NewFeed(Request):
    """An ADT source to add. MSH-3 and MSH-4 together are unique in the exchange: on MLLP they are the only rule."""

    organization_id: Annotated[OrganizationId | None, Field(description="Whose feed; the key's own organization when left out.")] = None
    sending_application: Annotated[MshText, Field(description="MSH-3, as sent; empty where it is", examples=["EPIC"])]
    sending_facility: Annotated[MshText, Field(description="MSH-4, as sent; empty where it is", examples=["NORTHERN_HOSPITAL"])]
    time_zone: Annotated[TimeZone, Field(description="For instants that carry no offset")]
    assigning_authority: Annotated[
        str,
        StringConstraints(min_length=1, max_length=227, to_upper=True),
        Field(description="For identifiers whose CX-4 is empty", examples=["NORTHERN"]),
    ]
    mode: Annotated[FeedMode, Field(description="live: recipients are told; shadow and test: nobody is; backfill: history, nobody is")] = (
        FeedMode.LIVE
    )
    profile: FeedProfileRequest = FeedProfileRequest()

    @model_validator(mode="after")
    def _is_named(self) -> Self:
        if not self.sending_application and not self.sending_facility:
            msg = "sending_application and sending_facility are both empty, so no message would say that it is this feed's"
            raise ValueError(msg)
        return self


class FeedChange(Request):
    """Fields to change; those left out stay. Messages that were read stay read: re-interpret what was set aside where it matters."""

    time_zone: TimeZone | None = None
    assigning_authority: Annotated[str, StringConstraints(min_length=1, max_length=227, to_upper=True)] | None = None
    mode: FeedMode | None = None
    profile: FeedProfileRequest | None = None

    def changes(self) -> dict[str, Any]:
        """Give the columns to set."""
        given: dict[str, Any] = {
            "time_zone": self.time_zone,
            "assigning_authority": self.assigning_authority,
            "mode": None if self.mode is None else self.mode.value,
            "profile": None if self.profile is None else profile_document(self.profile.profile()),
        }
        return {name: value for name, value in given.items() if value is not None}


class FeedProfileDocument(Document):
    """How this sender deviates."""

    charset: str | None
    class_map: dict[str, str]
    disposition_map: dict[str, str]
    document_map: dict[str, str]
    authority_map: dict[str, str]
    observation_patient_types: list[str]
    behavioral_units: list[str]
    test_patient_last_names: list[str]
    accept_test_messages: bool
    visit_number_places: list[str]
    local_reads: dict[str, str]
    ack_policy: AckPolicy
    mllp_release: int
    accepted_applications: list[str]
    client_certificates: list[str]
    facility_places: list[str]


class FeedDocument(Document):
    """A configured ADT source."""

    id: FeedIdText
    organization_id: OrganizationIdText
    sending_application: str
    sending_facility: str
    time_zone: str
    assigning_authority: str
    mode: FeedMode
    profile: FeedProfileDocument
    version: Annotated[int, Field(description="Raised by every change", examples=[1])]


FeedPage = Listing[FeedDocument]


class ChangedFeedDocument(FeedDocument):
    """A feed after a change, and what the change offers."""

    set_aside: Annotated[
        int,
        Field(
            description="Messages that were set aside, or processed with a code nobody had mapped, and can be re-interpreted now",
            examples=[0],
        ),
    ]
    in_house: Annotated[
        int | None, Field(description="On going live: the stays of people in the house that were taken over", examples=[None])
    ]


class FeedVersionDocument(Document):
    """What was in force from an instant on."""

    version: int
    mode: FeedMode
    time_zone: str
    assigning_authority: str
    profile: FeedProfileDocument
    changed_at: datetime
    changed_by: Annotated[OrganizationIdText | None, Field(description="Whose key it was; null: the operator")]


FeedVersionPage = Listing[FeedVersionDocument]


class ReinterpretDocument(Document):
    """What re-interpreting came to, or would."""

    messages: Annotated[int, Field(description="Set aside, and put on the queue unless it was a dry run", examples=[3])]
    dry_run: bool


class NewFacility(Request):
    """What a facility's code in an aggregator's messages stands for."""

    code: Annotated[
        str,
        StringConstraints(strip_whitespace=True, max_length=227, to_upper=True),
        Field(description="As the messages write it: a namespace, or the universal id", examples=["NORTH"]),
    ]
    organization_id: Annotated[OrganizationId, Field(description="Whose stays they are")]
    time_zone: Annotated[TimeZone | None, Field(description="For instants without an offset; the organization's when left out")] = None
    assigning_authority: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=227, to_upper=True),
        Field(description="For identifiers whose CX-4 is empty; the code when left out", examples=["NORTH"]),
    ] = None


class FacilityDocument(Document):
    """A facility of an aggregator: mapped, or waited for (then `organization_id` is null)."""

    code: Annotated[str, Field(description="Empty: the messages name no facility")]
    organization_id: OrganizationIdText | None
    time_zone: str | None
    assigning_authority: str | None
    place: Annotated[str | None, Field(description="Where the code stood in the messages that wait")]
    held: Annotated[int, Field(description="Messages that wait for it")]
    first_held_at: datetime | None
    last_held_at: datetime | None


FacilityPage = Listing[FacilityDocument]


class MappedFacilityDocument(Document):
    """A facility after it was mapped."""

    code: str
    organization_id: OrganizationIdText
    time_zone: str
    assigning_authority: str
    released: Annotated[int, Field(description="Messages that waited for it and are on the queue now")]


def feed_json(found: Feed) -> dict[str, Any]:
    """Show a feed."""
    return {
        "id": public_id(Kind.FEED, found.id),
        "organization_id": public_id(Kind.ORGANIZATION, found.organization_id),
        "sending_application": found.sending_application,
        "sending_facility": found.sending_facility,
        "time_zone": found.time_zone,
        "assigning_authority": found.assigning_authority,
        "mode": found.mode.value,
        "profile": profile_document(found.profile),
        "version": found.version,
    }


def version_json(found: FeedVersion) -> dict[str, Any]:
    """Show a version of a feed."""
    return {
        "version": found.version,
        "mode": found.mode.value,
        "time_zone": found.time_zone,
        "assigning_authority": found.assigning_authority,
        "profile": profile_document(found.profile),
        "changed_at": found.changed_at,
        "changed_by": public_id_or_none(Kind.ORGANIZATION, found.changed_by),
    }


def facility_json(found: FacilityRow) -> dict[str, Any]:
    """Show a facility of an aggregator."""
    facility = found.facility
    return {
        "code": found.code,
        "organization_id": public_id(Kind.ORGANIZATION, facility.organization_id) if facility else None,
        "time_zone": facility.time_zone if facility else None,
        "assigning_authority": facility.assigning_authority if facility else None,
        "place": found.place,
        "held": found.held,
        "first_held_at": found.first_held_at,
        "last_held_at": found.last_held_at,
    }

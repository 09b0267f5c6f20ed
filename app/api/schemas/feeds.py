"""Feeds as they are sent and shown."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from app.api.schemas.common import Document, FeedIdText, Listing, OrganizationId, OrganizationIdText, Request
from app.api.schemas.organizations import TimeZone
from app.domain.adt_event import EncounterClass
from app.domain.feed import Feed, FeedMode, FeedProfile
from app.domain.public_id import Kind, public_id
from app.store.feeds import profile_document

_ENTRIES_MAX = 1000
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


Code = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_code)]
MshText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=227)]
"""HL7 2.5.1: an HD has at most 227 characters."""
CodeMap = Annotated[dict[Code, Code], Field(max_length=_ENTRIES_MAX)]
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
    disposition_map: Annotated[CodeMap, Field(description="PV1-36 -> UB-04 status", examples=[{"HOME": "01"}])] = Field(
        default_factory=dict
    )
    authority_map: Annotated[
        CodeMap, Field(description="CX-4 -> the network's name of that authority", examples=[{"EPIC1": "HOSPITAL_A"}])
    ] = Field(default_factory=dict)
    observation_patient_types: Annotated[Codes, Field(description="PV1-18 or PV1-10 values that mean an observation stay")] = ()
    behavioral_units: Annotated[Codes, Field(description="PV1-3.1 values that are psychiatric or substance-use units")] = ()
    test_patient_last_names: Annotated[Codes, Field(description="Last names that only test patients carry here")] = ()
    accept_test_messages: Annotated[bool, Field(description="Treat MSH-11 T and D like P: for a feed that is itself a test feed")] = False

    def profile(self) -> FeedProfile:
        """Give the domain's profile."""
        return FeedProfile(
            charset=self.charset,
            class_map={code: value.value for code, value in self.class_map.items()},
            disposition_map=dict(self.disposition_map),
            authority_map=dict(self.authority_map),
            observation_patient_types=frozenset(self.observation_patient_types),
            behavioral_units=frozenset(self.behavioral_units),
            test_patient_last_names=frozenset(self.test_patient_last_names),
            accept_test_messages=self.accept_test_messages,
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
    mode: Annotated[FeedMode, Field(description="live: recipients are told; shadow: nobody is; backfill: history, nobody is")] = (
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
    """Fields to change; those left out stay. Messages that were read stay read: replay them where it matters."""

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
    authority_map: dict[str, str]
    observation_patient_types: list[str]
    behavioral_units: list[str]
    test_patient_last_names: list[str]
    accept_test_messages: bool


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


FeedPage = Listing[FeedDocument]


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
    }

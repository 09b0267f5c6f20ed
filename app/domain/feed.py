"""A feed: one configured ADT source, with the quirks that are data. Not here: which wire it uses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID


class FeedMode(StrEnum):
    """Who is told of what a feed brings. A message keeps the mode in which it was received, however often it is replayed."""

    TEST = "test"
    """Everything is a test message, under names of its own: it can meet no live person, stay or recipient."""
    SHADOW = "shadow"
    """Everything is processed, nobody is told."""
    LIVE = "live"
    """Recipients are told."""
    BACKFILL = "backfill"
    """History: it counts for rules about earlier stays, and nobody is told."""


MOVES: Final[Mapping[FeedMode, frozenset[FeedMode]]] = MappingProxyType(
    {
        FeedMode.TEST: frozenset({FeedMode.SHADOW, FeedMode.BACKFILL}),
        FeedMode.SHADOW: frozenset({FeedMode.TEST, FeedMode.LIVE, FeedMode.BACKFILL}),
        FeedMode.LIVE: frozenset({FeedMode.SHADOW, FeedMode.BACKFILL}),
        FeedMode.BACKFILL: frozenset({FeedMode.TEST, FeedMode.SHADOW, FeedMode.LIVE}),
    }
)
"""Our policy: nothing goes from test to live without having been looked at (shadow), and a live feed is never made a test by one slip."""


class AckPolicy(StrEnum):
    """How a message is answered whose content has an error (ACK-6)."""

    ERROR = "error"
    """AE, and set aside: the sender's queue shows it."""
    ACCEPT = "accept"
    """AA, and set aside: for a sender whose queue stops at an AE. The operator has to look."""


VISIT_NUMBER_PLACES: Final = ("PV1-19", "PV1-50", "PID-18")
"""Where the number of a stay is, the first that is valued: visit number, alternate visit id, account number."""

FACILITY_PLACES: Final = ("MSH-4", "EVN-7", "PV1-3.4", "PV1-39")
"""Where a message of an aggregator may say which facility it comes from."""

FHIR_PLACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MSH-3": "MessageHeader.source",
        "MSH-4": "MessageHeader.sender",
        "EVN-7": "MessageHeader.responsible",
        "PV1-3.4": "Encounter.location",
        "PV1-39": "Encounter.serviceProvider",
    }
)
"""Field of HL7 v2 -> the element of a FHIR message that says the same (v2-to-FHIR; EVN-7 and responsible are our reading).

An aggregator's profile may name either: one list serves both formats, and an element by itself is looked for in FHIR messages only.
"""
FHIR_ELEMENTS: Final = frozenset(FHIR_PLACES.values())

LOCAL_FACTS: Final = (
    "class", "patient_type", "disposition", "unit", "hospital_service", "admission_type", "admit_source", "admit_reason",
    "discharged_to", "facility", "patient_number", "medicaid_id", "protected",
)  # fmt: skip
"""What a profile may have read from a segment of the sender's own, in place of the standard field."""


@dataclass(frozen=True, slots=True)
class FeedProfile:
    """How this sender deviates. All maps are local code -> standard code; keys are compared as sent, stripped, upper case."""

    charset: str | None = None
    """Used when MSH-18 is empty; None tries UTF-8, then Windows-1252."""
    class_map: dict[str, str] = field(default_factory=dict)
    """PV1-2 -> EncounterClass value, over the defaults of table 0004."""
    disposition_map: dict[str, str] = field(default_factory=dict)
    """PV1-36 -> UB-04 status."""
    document_map: dict[str, str] = field(default_factory=dict)
    """Local document type (TXA-2, OBR-4) -> LOINC code."""
    authority_map: dict[str, str] = field(default_factory=dict)
    """CX-4 as sent -> the network's name of that authority."""
    observation_patient_types: frozenset[str] = frozenset()
    """PV1-18 or PV1-10 values that make an outpatient or inpatient class an observation stay."""
    behavioral_units: frozenset[str] = frozenset()
    """PV1-3.1 values that are psychiatric or substance-use units."""
    test_patient_last_names: frozenset[str] = frozenset()
    """Last names (upper case) that only test patients carry at this sender."""
    accept_test_messages: bool = False
    """Process MSH-11 T/D messages like production ones, for a feed that is itself a test feed."""
    visit_number_places: tuple[str, ...] = VISIT_NUMBER_PLACES
    """Where the number of a stay is looked for, in this order; any field, also of a Z segment."""
    local_reads: dict[str, str] = field(default_factory=dict)
    """One of `LOCAL_FACTS` -> the place where this sender puts it, such as ZPV-3.1. What is stated there wins over the standard field."""
    ack_policy: AckPolicy = AckPolicy.ERROR
    mllp_release: int = 1
    """2: a commit block goes before its acknowledgements, whatever the listener is set to (MLLP-5)."""
    accepted_applications: frozenset[str] = frozenset()
    """MSH-3 values (upper case) that may send here; empty: whichever found the feed. Each of them finds it, with its MSH-4."""
    client_certificates: frozenset[str] = frozenset()
    """SHA-256 of the TLS client certificates (hexadecimal) that may send here by MLLP; empty: no certificate is asked for."""
    facility_places: tuple[str, ...] = ()
    """Not empty: the feed is an aggregator, and the first of these that is valued names the facility of a message."""


@dataclass(frozen=True, slots=True)
class FeedFacility:
    """What a facility's code in an aggregator's messages stands for."""

    organization_id: UUID
    time_zone: str
    assigning_authority: str


@dataclass(frozen=True, slots=True)
class UnmappedFacility:
    """The code that no row of the feed's table has; empty where the message names no facility at all."""

    place: str
    code: str


@dataclass(frozen=True, slots=True)
class Feed:
    """One source. MSH-3/MSH-4 are unique per network: on MLLP they are the only rule."""

    id: UUID
    organization_id: UUID
    sending_application: str
    sending_facility: str
    """Empty in an aggregator: any MSH-4 of this MSH-3 that no other feed has."""
    time_zone: str
    """IANA name; used where an instant carries no offset (HL7-5)."""
    assigning_authority: str
    """Used where CX-4 is empty (HL7-6)."""
    mode: FeedMode = FeedMode.LIVE
    profile: FeedProfile = field(default_factory=FeedProfile)
    version: int = 1
    """Raised by every change of what is configured."""
    facilities: Mapping[str, FeedFacility] = field(default_factory=dict)
    """Of an aggregator: code (upper case) -> what it stands for."""

    @property
    def is_aggregator(self) -> bool:
        """Whether one connection brings the messages of many facilities."""
        return bool(self.profile.facility_places)

    def at_facility(self, said: Mapping[str, tuple[str, ...]]) -> "Feed | UnmappedFacility":
        """Give the feed as it is for one message: whose, in which time zone, under which authority.

        `said` has, by place, the spellings of the code there. The first place that is valued decides: a later one that happens to be
        mapped would be a guess. Where none is valued, the row for "" does, if the operator has made one.
        """
        if not self.is_aggregator:
            return self
        places = self.profile.facility_places
        valued = ((place, [code.upper() for code in said.get(place, ()) if code]) for place in places)
        place, codes = next(((place, codes) for place, codes in valued if codes), (places[0], [""]))
        found = next((self.facilities[code] for code in codes if code in self.facilities), None)
        if found is None:
            return UnmappedFacility(place, codes[0])
        return replace(
            self, organization_id=found.organization_id, time_zone=found.time_zone, assigning_authority=found.assigning_authority
        )

"""A feed: one configured ADT source, with the quirks that are data. Not here: which wire it uses."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class FeedMode(StrEnum):
    """Who is told of what a feed brings."""

    LIVE = "live"
    """Recipients are told."""
    SHADOW = "shadow"
    """Everything is processed, nobody is told."""
    BACKFILL = "backfill"
    """History: it counts for rules about earlier stays, and nobody is told."""


@dataclass(frozen=True, slots=True)
class FeedProfile:
    """How this sender deviates. All maps are local code -> standard code; keys are compared as sent, stripped, upper case."""

    charset: str | None = None
    """Used when MSH-18 is empty; None tries UTF-8, then Windows-1252."""
    class_map: dict[str, str] = field(default_factory=dict)
    """PV1-2 -> EncounterClass value, over the defaults of table 0004."""
    disposition_map: dict[str, str] = field(default_factory=dict)
    """PV1-36 -> UB-04 status."""
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


@dataclass(frozen=True, slots=True)
class Feed:
    """One source. MSH-3/MSH-4 are unique per network: on MLLP they are the only rule."""

    id: UUID
    organization_id: UUID
    sending_application: str
    sending_facility: str
    time_zone: str
    """IANA name; used where an instant carries no offset (HL7-5)."""
    assigning_authority: str
    """Used where CX-4 is empty (HL7-6)."""
    mode: FeedMode = FeedMode.LIVE
    profile: FeedProfile = field(default_factory=FeedProfile)

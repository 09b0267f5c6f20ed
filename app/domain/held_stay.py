"""A stay that is held because nobody has said whether its place is a Part 2 program, and what an operator says of this one stay.

It answers for the registry where that is silent, for this stay and for the places it had been in by then: moved to another unit, it is
held again. Everything else is decided as always, so it lets nothing be told that consents, state packs or the registry withhold. Not
here: the decision (privacy), or the registry (origin_registry).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from app.domain.encounter import BEEN_PREFIX
from app.domain.organization import Part2Status
from app.domain.origin_registry import PlaceStatus
from app.domain.privacy import Tier
from app.domain.public_id import Kind, public_id, public_id_or_none

DECIDABLE: Final = frozenset({Part2Status.NOT_PROGRAM, Part2Status.PROGRAM})
MODES: Final = ("live", "reported")
"""Of other stays nobody is told whatever is decided."""


def decide_place(status: Part2Status, facts: Mapping[str, Any]) -> str:
    """Write down what was said of the place of a stay whose messages stated these facts."""
    return f"{status.value} {_places(facts)}"


def place_as_decided(place: PlaceStatus, decided: str | None, facts: Mapping[str, Any]) -> PlaceStatus:
    """Give the place as an operator has decided it, where the registry has not and the stay was nowhere else since."""
    if decided is None or place.part2_status is not Part2Status.UNKNOWN:
        return place
    status, _, places = decided.partition(" ")
    return place._replace(part2_status=Part2Status(status)) if places == _places(facts) else place


def _places(facts: Mapping[str, Any]) -> str:
    been = sorted(name for name in facts if name.startswith(BEEN_PREFIX))
    return blake2b("\n".join(been).encode(), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class HeldStay:
    """A stay of which somebody is not told until a person has looked."""

    encounter_id: UUID
    person_id: UUID
    facility_id: UUID | None
    facility: str | None
    held_since: datetime
    recipients: int
    reasons: Sequence[str]

    def document(self, now: datetime) -> dict[str, Any]:
        """Give the JSON of `/v1/holds`."""
        return {
            "encounter_id": public_id(Kind.ENCOUNTER, self.encounter_id),
            "facility_id": public_id_or_none(Kind.ORGANIZATION, self.facility_id),
            "facility": self.facility,
            "held_since": self.held_since,
            "minutes_held": minutes_between(self.held_since, now),
            "recipients": self.recipients,
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, slots=True)
class Redecided:
    """What becomes of one recipient for whom the stay was held."""

    organization_id: UUID
    organization: str
    tier: Tier
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class Released:
    """A held stay that an operator has decided."""

    encounter_id: UUID
    part2_status: Part2Status
    held_since: datetime
    recipients: Sequence[Redecided]

    def document(self, now: datetime) -> dict[str, Any]:
        """Give the JSON."""
        return {
            "encounter_id": public_id(Kind.ENCOUNTER, self.encounter_id),
            "part2_status": self.part2_status.value,
            "held_since": self.held_since,
            "minutes_held": minutes_between(self.held_since, now),
            "recipients": [
                {
                    "organization_id": public_id(Kind.ORGANIZATION, one.organization_id),
                    "organization": one.organization,
                    "tier": one.tier.value,
                    "reasons": list(one.reasons),
                }
                for one in self.recipients
            ],
        }


def minutes_between(since: datetime, now: datetime) -> int:
    """Give the whole minutes that something waited."""
    return max(0, int((now - since).total_seconds()) // 60)

"""An organization: what it is, what programs it plays a part in, and whom it belongs to.

Rights, panels, endpoints and rates can be given at a site or at its parent; a parent sees a site's rows only by an explicit
grant, never by being the parent. Not here: feeds (feed.py), keys (credential.py), what a program asks (programs are data).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from app.domain.agreement import Span


class OrganizationKind(StrEnum):
    """What an organization is, coarsely. Programs are told apart by `program_roles`, which are data."""

    HOSPITAL = "hospital"
    HEALTH_HOME = "health_home"
    BEHAVIORAL_HEALTH_HOME = "behavioral_health_home"
    PLAN = "plan"
    AGENCY = "agency"
    HIE = "hie"


COVERING_KINDS: Final = frozenset({OrganizationKind.PLAN, OrganizationKind.AGENCY})
"""Who sees the follow-ups of those it covers, status only, beside its own."""


class Part2Status(StrEnum):
    """Whether records of this organization are those of a federally assisted substance-use program (42 CFR 2.11, 2.12)."""

    NOT_PROGRAM = "not_program"
    PROGRAM = "program"
    SUD_ONLY = "sud_only"
    """A program whose every patient is one: that somebody was there is itself protected."""
    UNKNOWN = "unknown"
    """Nobody has said; with a substance-use signal the telling is held for review."""


class FacilityType(StrEnum):
    """What kind of place a stay at this organization is, for measures and behavioral-health classification."""

    ACUTE = "acute"
    PSYCHIATRIC = "psychiatric"
    RESIDENTIAL = "residential"
    """Psychiatric residential treatment."""
    SUBSTANCE_USE_RESIDENTIAL = "substance_use_residential"
    WITHDRAWAL_MANAGEMENT = "withdrawal_management"
    NONACUTE = "nonacute"
    UNKNOWN = "unknown"


WELL_KNOWN_PROGRAM_ROLES: Final = frozenset(
    {
        "health_home",
        "behavioral_health_home",
        "community_care_team",
        "opioid_health_home",
        "primary_care_plus",
        "accountable_care_organization",
        "state_agency",
        "crisis_provider",
        "managed_care_plan",
    }
)
"""Roles that the shipped programs use. A role is data: any other lower-case word is taken too and simply fits no shipped program."""

ADT_WAIT_HOURS_MAX: Final = 720
"""Our policy: after thirty days without word nobody waits any more."""

SUBSTANCE_USE_ROLES: Final = frozenset({"opioid_health_home"})
"""Roles that say of everybody at the organization that they are treated for substance use."""

DEFAULT_TIME_ZONE: Final = "America/New_York"
DEFAULT_HOLIDAY_CALENDAR: Final = "US"


@dataclass(frozen=True, slots=True)
class CallBack:
    """How a team reaches those who had the patient: of a facility, or of one of its units. None: nobody has said."""

    call_back_number: str | None = None
    """A telephone that is answered, as people dial it."""
    direct_address: str | None = None
    """Direct secure messaging (Applicability Statement for Secure Health Transport): written like an email address."""
    records_contact: str | None = None
    """Who gives out records: a name, a number, an office."""

    def over(self, other: "CallBack") -> "CallBack":
        """Give what this one says, and what the other says where this one is silent."""
        return CallBack(
            self.call_back_number or other.call_back_number,
            self.direct_address or other.direct_address,
            self.records_contact or other.records_contact,
        )


@dataclass(frozen=True, slots=True)
class Organization:
    """One organization of the exchange."""

    id: UUID
    name: str
    kind: OrganizationKind
    created_at: datetime
    program_roles: tuple[str, ...] = ()
    parent_id: UUID | None = None
    npi: str | None = None
    part2_status: Part2Status = Part2Status.UNKNOWN
    facility_type: FacilityType = FacilityType.UNKNOWN
    time_zone: str = DEFAULT_TIME_ZONE
    """IANA name: the local calendar of its discharges and of its business days."""
    holiday_calendar: str = DEFAULT_HOLIDAY_CALENDAR
    """For business-day clocks: a country, or country and subdivision, such as US-ME."""
    call_back: CallBack = CallBack()
    known_as: tuple[str, ...] = ()
    """How others' messages call it as the place a patient went to (PV1-37), beside its name, its NPI and its feeds' MSH-4."""
    adt_wait_hours: int | None = None
    """How long after a transfer there its admission may take to be heard of, where it sends no ADT or late. None: a day, as everywhere."""
    agreed: tuple[Span, ...] | None = None
    """When the organization may be told, by the agreements on file (domain/agreement); None: nobody has looked."""
    units: Mapping[str, CallBack] = field(default_factory=dict)
    """Unit as its messages write it (PV1-3.1), upper case -> how it is reached, where that differs from the house."""

    @property
    def transfer_wait(self) -> timedelta | None:
        """The wait of its own, where it has one."""
        return None if self.adt_wait_hours is None else timedelta(hours=self.adt_wait_hours)

    def reached_at(self, unit: str | None) -> CallBack:
        """Say how those who had the patient are reached: the unit, and the house for what the unit does not say."""
        return self.units.get((unit or "").strip().upper(), CallBack()).over(self.call_back)


_DIRECT: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
_DIRECT_LENGTH_MAX: Final = 254


def is_direct_address(text: str) -> bool:
    """Tell whether a text has the form of a Direct address: local part, @, domain with at least one point (RFC 5322, as HTML reads it)."""
    local = text.partition("@")[0]
    return len(text) <= _DIRECT_LENGTH_MAX and _DIRECT.fullmatch(text) is not None and ".." not in local and local.strip(".") == local


_NPI_PREFIX: Final = "80840"
_NPI_DIGITS: Final = 10
_DIGIT_MAX: Final = 9


def is_valid_npi(text: str) -> bool:
    """Check a National Provider Identifier: ten digits, the last a Luhn check over `80840` and the rest (45 CFR 162.406)."""
    if len(text) != _NPI_DIGITS or not (text.isascii() and text.isdigit()):
        return False
    total = 0
    for position, digit in enumerate(reversed(_NPI_PREFIX + text)):
        value = int(digit) * (2 if position % 2 else 1)
        total += value - _DIGIT_MAX if value > _DIGIT_MAX else value
    return total % _NPI_DIGITS == 0

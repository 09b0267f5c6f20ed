"""Organizations, grants and preferences as they are sent and shown."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from app.api.schemas.common import (
    Document,
    Instant,
    Listing,
    OrganizationId,
    OrganizationIdText,
    Request,
    ShortText,
)
from app.domain.adt_event import EncounterClass
from app.domain.happening import Kind as EventKind
from app.domain.happening import NotificationType
from app.domain.organization import (
    ADT_WAIT_HOURS_MAX,
    DEFAULT_HOLIDAY_CALENDAR,
    DEFAULT_TIME_ZONE,
    CallBack,
    FacilityType,
    Organization,
    OrganizationKind,
    Part2Status,
    is_direct_address,
    is_valid_npi,
)
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.standards.calendars import is_calendar
from app.store.organizations import Grant, Preferences

_EVENT_TYPES_MAX = 20
_LIST_MAX = 500
_RULES_MAX = 200
_MAY_BE_NULL = frozenset({"npi", "call_back_number", "direct_address", "records_contact", "adt_wait_hours"})
_EVENT_WORDS = frozenset(kind.value for kind in EventKind) | {NotificationType.TRANSFERRED.rpartition(".")[2], "contacted", "closed"}


def is_time_zone(name: str) -> bool:
    """Tell whether the name is one of the IANA time zones."""
    return name in available_timezones()


def _zone(value: str) -> str:
    if not is_time_zone(value):
        msg = "is not an IANA time zone such as America/New_York"
        raise ValueError(msg)
    return value


def _npi(value: str) -> str:
    if not is_valid_npi(value):
        msg = "is not a National Provider Identifier: ten digits, the last a check digit"
        raise ValueError(msg)
    return value


def _event_type(value: str) -> str:
    if value.rpartition(".")[2] not in _EVENT_WORDS:
        msg = f"is not an event type: one of {', '.join(sorted(_EVENT_WORDS))}, with or without its family (encounter.discharged)"
        raise ValueError(msg)
    return value


def _direct(value: str) -> str:
    if not is_direct_address(value):
        msg = "is not a Direct address, such as records@direct.hospital.example.org"
        raise ValueError(msg)
    return value


CallBackNumber = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^\+?[0-9(][0-9 ().\-]{4,30}( ?(x|ext\.?) ?[0-9]{1,8})?$"),
    Field(description="A telephone that is answered", examples=["207-555-0140"]),
]
DirectAddress = Annotated[
    str, AfterValidator(_direct), Field(description="Direct secure messaging", examples=["records@direct.hospital.example.org"])
]
TimeZone = Annotated[str, AfterValidator(_zone), Field(description="IANA name", examples=["America/New_York"])]
Npi = Annotated[str, AfterValidator(_npi), Field(description="National Provider Identifier, checked", examples=["1234567893"])]
ProgramRole = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$"), Field(examples=["community_care_team"])]


def _of_somewhere(calendar_id: str) -> str:
    if calendar_id != DEFAULT_HOLIDAY_CALENDAR and not is_calendar(calendar_id):
        message = "no holidays are known of there; it is a country and its state, such as US-ME"
        raise ValueError(message)
    return calendar_id


HolidayCalendar = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"),
    AfterValidator(_of_somewhere),
    Field(
        description="Of the home: business days of programs of the whole country (US) leave out the holidays of its state too. "
        "A program of one state, or without holidays, keeps its own. A change has every stay there decided again.",
        examples=["US-ME"],
    ),
]

KnownAs = Annotated[
    tuple[ShortText, ...],
    Field(max_length=50, description="What others' messages call it as the place a patient went to (PV1-37)", examples=[["ZZSNF"]]),
]
AdtWaitHours = Annotated[
    int,
    Field(
        ge=1,
        le=ADT_WAIT_HOURS_MAX,
        description="It sends no ADT, or late: so long after a transfer there its admission is awaited before clocks start. Else a day.",
        examples=[72],
    ),
]


class NewOrganization(Request):
    """An organization to add. Only the operator of the exchange may."""

    name: ShortText
    kind: OrganizationKind
    program_roles: Annotated[tuple[ProgramRole, ...], Field(max_length=50)] = ()
    parent_id: Annotated[OrganizationId | None, Field(description="The system or owner it is a site of.")] = None
    npi: Npi | None = None
    part2_status: Annotated[Part2Status, Field(description="42 CFR part 2; decides what may be told of its stays.")] = Part2Status.UNKNOWN
    facility_type: FacilityType = FacilityType.UNKNOWN
    time_zone: TimeZone = DEFAULT_TIME_ZONE
    holiday_calendar: HolidayCalendar = DEFAULT_HOLIDAY_CALENDAR
    call_back_number: CallBackNumber | None = None
    direct_address: DirectAddress | None = None
    records_contact: Annotated[ShortText | None, Field(description="Who gives out records")] = None
    known_as: KnownAs = ()
    adt_wait_hours: AdtWaitHours | None = None

    def organization(self, id_: UUID, created_at: datetime) -> Organization:
        """Give the organization."""
        return Organization(
            id=id_,
            name=self.name,
            kind=self.kind,
            created_at=created_at,
            program_roles=self.program_roles,
            parent_id=self.parent_id,
            npi=self.npi,
            part2_status=self.part2_status,
            facility_type=self.facility_type,
            time_zone=self.time_zone,
            holiday_calendar=self.holiday_calendar,
            call_back=CallBack(self.call_back_number, self.direct_address, self.records_contact),
            known_as=self.known_as,
            adt_wait_hours=self.adt_wait_hours,
        )


class OrganizationChange(Request):
    """Fields to change; those left out stay. A new `part2_status` has every stay there decided again."""

    name: ShortText | None = None
    program_roles: Annotated[list[ProgramRole] | None, Field(max_length=50)] = None
    npi: Npi | None = None
    part2_status: Part2Status | None = None
    facility_type: FacilityType | None = None
    time_zone: TimeZone | None = None
    holiday_calendar: HolidayCalendar | None = None
    call_back_number: CallBackNumber | None = None
    direct_address: DirectAddress | None = None
    records_contact: ShortText | None = None
    known_as: KnownAs | None = None
    adt_wait_hours: AdtWaitHours | None = None

    def changes(self) -> dict[str, Any]:
        """Give the columns to set. `npi`, `adt_wait_hours` and how the organization is reached may be set to null."""
        given = self.model_dump(exclude_unset=True, mode="json")
        return {name: value for name, value in given.items() if value is not None or name in _MAY_BE_NULL}


class CallBackRequest(Request):
    """How a unit is reached, in place of what was said before; what is left out is as for the house."""

    call_back_number: CallBackNumber | None = None
    direct_address: DirectAddress | None = None
    records_contact: ShortText | None = None

    def call_back(self) -> CallBack:
        """Give the domain's noun."""
        return CallBack(self.call_back_number, self.direct_address, self.records_contact)


class UnitDocument(Document):
    """A unit of a facility, and how it is reached where that differs from the house."""

    unit: Annotated[str, Field(description="As its messages write it (PV1-3.1), upper case", examples=["PSY"])]
    call_back_number: str | None
    direct_address: str | None
    records_contact: str | None


UnitPage = Listing[UnitDocument]


class OrganizationDocument(Document):
    """An organization."""

    id: OrganizationIdText
    name: str
    kind: OrganizationKind
    program_roles: list[str]
    parent_id: OrganizationIdText | None
    npi: str | None
    part2_status: Part2Status
    facility_type: FacilityType
    time_zone: str
    holiday_calendar: str
    participation_agreement_id: Annotated[
        str, Field(description="The agreement under which it was admitted: made with it, without a last day; see /v1/agreements")
    ]
    call_back_number: Annotated[str | None, Field(examples=["207-555-0140"])]
    direct_address: str | None
    records_contact: str | None
    known_as: list[str]
    adt_wait_hours: int | None
    created_at: Instant


OrganizationPage = Listing[OrganizationDocument]


class NewGrant(Request):
    """Lets another organization see this one's rows."""

    grantee_id: OrganizationId


class GrantDocument(Document):
    """Who may see whose rows, since when."""

    organization_id: OrganizationIdText
    grantee_id: OrganizationIdText
    granted_at: Instant


GrantPage = Listing[GrantDocument]


class PreferenceRule(Request):
    """One wish. An absent list fits everything; the first rule that fits decides; none fits: the exchange's default."""

    event_types: Annotated[
        list[Annotated[str, AfterValidator(_event_type), Field(examples=["encounter.admitted"])]] | None, Field(max_length=_EVENT_TYPES_MAX)
    ] = None
    classes: Annotated[list[EncounterClass] | None, Field(max_length=len(EncounterClass))] = None
    programs: Annotated[list[ShortText] | None, Field(max_length=_LIST_MAX)] = None
    facilities: Annotated[list[OrganizationId] | None, Field(max_length=_LIST_MAX)] = None
    tell: bool


class PreferencesRequest(Request):
    """All wishes of a recipient, replacing those before. None can remove a clock-starting discharge from the worklist."""

    rules: Annotated[list[PreferenceRule], Field(max_length=_RULES_MAX)]
    version: Annotated[
        int | None,
        Field(ge=0, le=2**31 - 1, description="The version you changed; the answer is 409 when it is no longer the current one."),
    ] = None

    @model_validator(mode="after")
    def _has_no_rule_without_effect(self) -> Self:
        for position, rule in enumerate(self.rules[:-1]):
            if rule.event_types is rule.classes is rule.programs is rule.facilities is None:
                msg = f"rule {position + 1} fits everything, so the rules after it never would"
                raise ValueError(msg)
        return self

    def stored(self) -> list[dict[str, Any]]:
        """Give the rules as they are stored and shown."""
        return [_stored(rule) for rule in self.rules]


def _stored(rule: PreferenceRule) -> dict[str, Any]:
    stored = rule.model_dump(mode="json", exclude_none=True)
    if rule.facilities is not None:
        stored["facilities"] = [public_id(Kind.ORGANIZATION, facility) for facility in rule.facilities]
    return stored


class PreferenceRuleDocument(Document):
    """One wish."""

    event_types: list[str] | None = None
    classes: list[EncounterClass] | None = None
    programs: list[str] | None = None
    facilities: list[OrganizationIdText] | None = None
    tell: bool


class PreferencesDocument(Document):
    """The current wishes of a recipient. Version 0: none was ever set, the default applies."""

    organization_id: OrganizationIdText
    version: int
    rules: list[PreferenceRuleDocument]
    created_at: Instant | None


def organization_json(found: Organization) -> dict[str, Any]:
    """Show an organization."""
    return {
        "id": public_id(Kind.ORGANIZATION, found.id),
        "name": found.name,
        "kind": found.kind.value,
        "program_roles": list(found.program_roles),
        "parent_id": public_id_or_none(Kind.ORGANIZATION, found.parent_id),
        "npi": found.npi,
        "part2_status": found.part2_status.value,
        "facility_type": found.facility_type.value,
        "time_zone": found.time_zone,
        "holiday_calendar": found.holiday_calendar,
        **call_back_json(found.call_back),
        "known_as": list(found.known_as),
        "adt_wait_hours": found.adt_wait_hours,
        "created_at": found.created_at,
        "participation_agreement_id": public_id(Kind.AGREEMENT, found.id),
    }


def call_back_json(found: CallBack) -> dict[str, Any]:
    """Show how a facility or unit is reached."""
    return {
        "call_back_number": found.call_back_number,
        "direct_address": found.direct_address,
        "records_contact": found.records_contact,
    }


def unit_json(unit: str, found: CallBack) -> dict[str, Any]:
    """Show a unit."""
    return {"unit": unit, **call_back_json(found)}


def grant_json(found: Grant) -> dict[str, Any]:
    """Show a grant."""
    return {
        "organization_id": public_id(Kind.ORGANIZATION, found.organization_id),
        "grantee_id": public_id(Kind.ORGANIZATION, found.grantee_id),
        "granted_at": found.granted_at,
    }


def preferences_json(found: Preferences) -> dict[str, Any]:
    """Show preferences."""
    rules: Sequence[Any] = found.rules
    return {
        "organization_id": public_id(Kind.ORGANIZATION, found.organization_id),
        "version": found.version,
        "rules": list(rules),
        "created_at": found.created_at,
    }

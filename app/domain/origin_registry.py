"""What the exchange has registered of places: which houses, units and services are Part 2 programs, licensed, under which state pack.

Asked once per facility *and unit* when a hospital joins. A patient who was moved through a registered unit was there: the strictest
place of a stay counts. Not here: what may be told of it (privacy).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from app.domain.encounter import BEEN_PREFIX
from app.domain.organization import SUBSTANCE_USE_ROLES, FacilityType, Organization, Part2Status


class PlaceKind(StrEnum):
    """By what a message says where the patient is."""

    HOUSE = "house"
    """The facility as its feed names it (MSH-3, MSH-4, serviceProvider); has no code."""
    UNIT = "unit"
    """PV1-3.1, or the location of a FHIR Encounter, by name or identifier; also the part of the house that its serviceProvider is."""
    BUILDING = "building"
    """PV1-3.7, or a location of the type building."""
    SERVICE = "service"
    """PV1-10, Encounter.serviceType."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What was registered of one place for a time. None: as the house, or nobody has said."""

    id: UUID
    organization_id: UUID
    place: PlaceKind
    code: str
    """Upper case; empty for the house."""
    effective_from: date
    effective_to: date | None
    """The first day on which it no longer holds."""
    part2_status: Part2Status | None
    mental_health_licensed: bool | None
    facility_type: FacilityType | None
    privacy_pack: str | None
    asserted_at: datetime

    def holds_between(self, first: date, last: date) -> bool:
        """Tell whether it holds on one of the days."""
        return self.effective_from <= last and (self.effective_to is None or first < self.effective_to)


class PlaceStatus(NamedTuple):
    """What the registry says of where a stay was."""

    part2_status: Part2Status
    is_identified_unit: bool = False
    mental_health_licensed: bool = False
    facility_type: FacilityType = FacilityType.UNKNOWN
    privacy_pack: str | None = None


ALIAS: Final = "alias"
"""Another name of the unit: an identifier of its Location, or the part of the house that is the serviceProvider."""
UNKNOWN_PLACE: Final = PlaceStatus(Part2Status.UNKNOWN)
_STRICTEST: Final = (Part2Status.SUD_ONLY, Part2Status.PROGRAM, Part2Status.UNKNOWN, Part2Status.NOT_PROGRAM)
_PROGRAMS: Final = (Part2Status.PROGRAM, Part2Status.SUD_ONLY)


def place_status(
    house: Organization | None, registered: Sequence[Registration], facts: Mapping[str, Any], first: date, last: date
) -> PlaceStatus:
    """Say what the registry knows of a stay of these days, whose messages stated these facts."""
    if house is None:
        return UNKNOWN_PLACE
    if not registered:
        return PlaceStatus(house.part2_status, facility_type=house.facility_type)
    standing = [one for one in registered if one.holds_between(first, last)]
    houses = [one for one in standing if one.place is PlaceKind.HOUSE]
    status = _strictest(one.part2_status for one in houses) or house.part2_status
    been = _been(facts)
    inside = [one for one in standing if (one.place, one.code) in been]
    is_unit = False
    told = _strictest(one.part2_status for one in inside)
    if status not in _PROGRAMS and told is not None and told in _PROGRAMS:
        status, is_unit = told, told is Part2Status.PROGRAM
    elif status is Part2Status.UNKNOWN and told is Part2Status.NOT_PROGRAM and _all_registered(been, _aliases(facts), inside):
        status = Part2Status.NOT_PROGRAM
    every = [*inside, *houses]
    return PlaceStatus(
        status,
        is_unit,
        mental_health_licensed=any(one.mental_health_licensed for one in every),
        facility_type=next((one.facility_type for one in every if one.facility_type is not None), house.facility_type),
        privacy_pack=next((one.privacy_pack for one in every if one.privacy_pack is not None), None),
    )


def standing_place(house: Organization, registered: Sequence[Registration]) -> PlaceStatus:
    """Say what a house itself is, was or will be: whose patients it has had outlives the dates of a registration."""
    return place_status(house, registered, {}, date.min, date.max)


_SUBSTANCE_USE_PLACES: Final = frozenset({FacilityType.SUBSTANCE_USE_RESIDENTIAL, FacilityType.WITHDRAWAL_MANAGEMENT})


def is_of_substance_use(house: Organization, place: PlaceStatus) -> bool:
    """Tell whether to be with the organization says that somebody is treated for substance use, whether or not it is a Part 2 program."""
    return not SUBSTANCE_USE_ROLES.isdisjoint(house.program_roles) or place.facility_type in _SUBSTANCE_USE_PLACES


def reserved_houses(organizations: Iterable[Organization], registered: Mapping[UUID, Sequence[Registration]]) -> frozenset[UUID]:
    """Give the organizations whose own status may be protected: of these it is asked who may know, everybody else's name is no secret."""
    found = set()
    for one in organizations:
        place = standing_place(one, registered.get(one.id, ()))
        is_in_doubt = place.part2_status is Part2Status.UNKNOWN and is_of_substance_use(one, place)
        if place.part2_status in _PROGRAMS or is_in_doubt or place.privacy_pack is not None:
            found.add(one.id)
    return frozenset(found)


def _strictest(said: Iterable[Part2Status | None]) -> Part2Status | None:
    statuses = set(said)
    return next((one for one in _STRICTEST if one in statuses), None)


def _all_registered(been: set[tuple[PlaceKind, str]], aliases: set[str], inside: Sequence[Registration]) -> bool:
    units = {code for place, code in been if place is PlaceKind.UNIT} - aliases
    return bool(units) and units <= {
        one.code for one in inside if one.place is PlaceKind.UNIT and one.part2_status is Part2Status.NOT_PROGRAM
    }


def _aliases(facts: Mapping[str, Any]) -> set[str]:
    prefix, unit = f"{BEEN_PREFIX}{ALIAS}.", f"{BEEN_PREFIX}{PlaceKind.UNIT.value}."
    return {code for name in facts if (code := name.removeprefix(prefix)) != name and f"{unit}{code}" not in facts}


def _been(facts: Mapping[str, Any]) -> set[tuple[PlaceKind, str]]:
    """Give every unit, service and building that the stay was in, by all its messages."""
    found = set()
    for name in facts:
        if name.startswith(BEEN_PREFIX):
            place, _, code = name.removeprefix(BEEN_PREFIX).partition(".")
            # Another name of a unit finds its registration, and its not being registered says nothing.
            if place == ALIAS:
                found.add((PlaceKind.UNIT, code))
            else:
                found.add((PlaceKind(place), code))
    return found

"""Which numbers of a person may say more than the hospital's name: those that only a part of a house may have given."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from app.domain.adt_event import Identifier
from app.domain.directory import Directory
from app.domain.feed import Feed, FeedFacility
from app.domain.organization import Organization, OrganizationKind, Part2Status
from app.domain.origin_registry import PlaceKind, Registration

NOW = datetime(2026, 3, 6, tzinfo=UTC)
HOSPITAL, PLAIN, SEVERAL, HOME = (UUID(int=number) for number in (1, 2, 3, 9))


def registered(house: UUID, place: PlaceKind = PlaceKind.UNIT, status: Part2Status | None = Part2Status.PROGRAM) -> Registration:
    code = "" if place is PlaceKind.HOUSE else "U7"
    return Registration(UUID(int=100 + house.int), house, place, code, date(2020, 1, 1), None, status, None, None, None, NOW)


def feed(number: int, house: UUID, authority: str, **facilities: FeedFacility) -> Feed:
    return Feed(
        id=UUID(int=number), organization_id=house, sending_application="EPIC", sending_facility=authority, time_zone="UTC",
        assigning_authority=authority, facilities=facilities,
    )  # fmt: skip


def directory(*registrations: Registration) -> Directory:
    houses = [
        Organization(id=one, name=f"House {one.int}", kind=OrganizationKind.HOSPITAL, created_at=NOW, part2_status=Part2Status.NOT_PROGRAM)
        for one in (HOSPITAL, PLAIN, SEVERAL)
    ]
    feeds = [
        feed(11, HOSPITAL, "HOSP"),
        feed(12, PLAIN, "PLAIN"),
        feed(13, SEVERAL, "SEV", NORTH=FeedFacility(SEVERAL, "UTC", "SEVNORTH")),
    ]
    return Directory.of(houses, feeds, {}, registrations=registrations)


GUARDED = directory(registered(HOSPITAL), registered(SEVERAL, PlaceKind.SERVICE))


@pytest.mark.parametrize(
    ("authority", "kind", "said_by", "reader", "may"),
    [
        # The hospital's own number, as its feed has it, is the whole house's, whatever the case.
        ("HOSP", "MR", "HOSP", HOME, False),
        ("hosp", "MR", "PLAIN", HOME, False),
        # The registry knows two of this house, and not which of them is the unit's, whoever repeats it.
        ("SEV", "MR", "SEV", HOME, True),
        ("SEVNORTH", "PI", "SEVNORTH", HOME, True),
        ("sevnorth", "PI", "PLAIN", HOME, True),
        # One that the registry does not know, as the unit's own registration desk would have it.
        ("HOSP DETOX", "MR", "HOSP", HOME, True),
        ("HOSP DETOX", "", "HOSP DETOX", HOME, True),
        ("OTHER", "MR", "PLAIN", HOME, False),
        # No hospital gives these.
        ("MAINECARE", "MA", "HOSP", HOME, False),
        ("PLANX", "MB", "HOSP", HOME, False),
        # A house reads its own, and the operator everything.
        ("HOSP DETOX", "MR", "HOSP", HOSPITAL, False),
        ("SEVNORTH", "MR", "PLAIN", SEVERAL, False),
        ("HOSP DETOX", "MR", "HOSP", None, False),
    ],
)
def test_a_number_may_name_a_part_of_a_house(authority: str, kind: str, said_by: str, reader: UUID | None, may: bool) -> None:
    assert GUARDED.may_name_part(Identifier(authority, kind, "K9"), said_by, reader) is may


@pytest.mark.parametrize(
    "known",
    [
        (),
        (registered(HOSPITAL, PlaceKind.HOUSE),),
        (registered(HOSPITAL, PlaceKind.UNIT, Part2Status.NOT_PROGRAM), registered(SEVERAL, PlaceKind.UNIT, None)),
    ],
)
def test_where_no_part_of_a_house_has_a_secret_no_number_has_one(known: tuple[Registration, ...]) -> None:
    plain = directory(*known)
    for authority in ("HOSP", "SEV", "SEVNORTH", "HOSP DETOX"):
        for said_by in ("HOSP", "SEV", "PLAIN", "HOSP DETOX"):
            assert not plain.may_name_part(Identifier(authority, "MR", "K9"), said_by, HOME)


@pytest.mark.parametrize("place", [PlaceKind.UNIT, PlaceKind.SERVICE, PlaceKind.BUILDING])
def test_nobody_having_said_what_a_part_is_is_a_secret_too(place: PlaceKind) -> None:
    doubted = directory(registered(HOSPITAL, place, Part2Status.UNKNOWN))
    assert doubted.may_name_part(Identifier("HOSP DETOX", "MR", "K9"), "HOSP", HOME)

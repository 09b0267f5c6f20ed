"""A feed as it is for one message, and how feeds are found by what messages say."""

from dataclasses import replace
from uuid import UUID

import pytest

from app.domain.directory import Directory
from app.domain.feed import FACILITY_PLACES, LOCAL_FACTS, MOVES, Feed, FeedFacility, FeedMode, FeedProfile, UnmappedFacility
from app.domain.field_place import FieldPlace, field_place
from app.domain.organization import Organization, OrganizationKind, Part2Status
from tests.api.world import NOW

HIE, NORTH, SOUTH = UUID(int=1), UUID(int=2), UUID(int=3)
ENGINE = Feed(
    UUID(int=10),
    HIE,
    "ENGINE",
    "",
    "UTC",
    "HIE",
    profile=FeedProfile(facility_places=FACILITY_PLACES),
    facilities={
        "NORTH": FeedFacility(NORTH, "America/New_York", "NORTHAA"),
        "1.2.3": FeedFacility(SOUTH, "America/Chicago", "SOUTHAA"),
    },
)


def test_the_first_place_that_is_valued_names_the_facility() -> None:
    at = ENGINE.at_facility({"MSH-4": ("north",), "PV1-39": ("1.2.3",)})
    assert isinstance(at, Feed)
    assert (at.organization_id, at.time_zone, at.assigning_authority, at.id) == (NORTH, "America/New_York", "NORTHAA", ENGINE.id)
    by_oid = ENGINE.at_facility({"MSH-4": (), "EVN-7": ("South Hospital", "1.2.3")})
    assert isinstance(by_oid, Feed)
    assert (by_oid.organization_id, by_oid.time_zone) == (SOUTH, "America/Chicago")


def test_a_facility_that_is_not_mapped_is_never_guessed_from_a_later_place() -> None:
    assert ENGINE.at_facility({"MSH-4": ("West", "9.9"), "PV1-3.4": ("NORTH",)}) == UnmappedFacility("MSH-4", "WEST")
    assert ENGINE.at_facility({}) == UnmappedFacility("MSH-4", "")
    nameless = replace(ENGINE, facilities={"": FeedFacility(NORTH, "UTC", "N")}).at_facility({})
    assert isinstance(nameless, Feed)
    assert nameless.organization_id == NORTH


def test_a_feed_of_one_facility_is_itself() -> None:
    plain = replace(ENGINE, profile=FeedProfile())
    assert plain.at_facility({"MSH-4": ("WEST",)}) is plain


def test_nothing_goes_from_test_to_live_unseen() -> None:
    assert FeedMode.LIVE not in MOVES[FeedMode.TEST]
    assert FeedMode.TEST not in MOVES[FeedMode.LIVE]
    assert MOVES.keys() == set(FeedMode)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("PV1-19", FieldPlace("PV1", 19)),
        ("pv1-3.4", FieldPlace("PV1", 3, 4)),
        ("ZPV-3.1.2", FieldPlace("ZPV", 3, 1, 2)),
    ],
)
def test_places_are_written_as_specifications_write_them(text: str, place: FieldPlace) -> None:
    assert field_place(text) == place


@pytest.mark.parametrize("text", ["", "PV1", "PV1-0", "PV1.19", "1PV-3", "PV1-19-1", "PV1-1234"])
def test_what_is_no_place_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match="no place"):
        field_place(text)


def found(feeds: list[Feed], application: str, facility: str) -> Feed | None:
    return Directory.of((), feeds, {}).feed_of(application, facility, named=None, organization_id=None)


def test_an_aggregator_takes_every_facility_of_its_application_that_no_other_feed_has() -> None:
    own = Feed(UUID(int=11), NORTH, "ENGINE", "EAST", "UTC", "E")
    assert found([ENGINE, own], "ENGINE", "EAST") is own
    assert found([ENGINE, own], "ENGINE^1.2^ISO", "ANYWHERE") is ENGINE
    assert found([ENGINE, own], "OTHER", "ANYWHERE") is None


def test_a_feed_is_found_by_each_application_that_it_accepts_unless_two_accept_it() -> None:
    one = Feed(UUID(int=12), NORTH, "EPIC", "H", "UTC", "H", profile=FeedProfile(accepted_applications=frozenset({"BRIDGE"})))
    two = Feed(UUID(int=13), SOUTH, "CERNER", "H", "UTC", "H", profile=FeedProfile(accepted_applications=frozenset({"BRIDGE"})))
    assert found([one], "Bridge", "H") is one
    assert found([one], "BRIDGE", "OTHER") is None
    assert found([one, two], "BRIDGE", "H") is None


def test_the_authority_of_an_aggregators_part_2_facility_is_concealed_too() -> None:
    program = Organization(id=NORTH, name="Program N", kind=OrganizationKind.HOSPITAL, created_at=NOW, part2_status=Part2Status.PROGRAM)
    directory = Directory.of([program], [ENGINE], {})
    assert directory.conceals("northaa", SOUTH)
    assert not directory.conceals("southaa", NORTH)


def test_every_local_fact_has_a_place_in_the_contract() -> None:
    from app.api.schemas.feeds import FeedProfileRequest  # noqa: PLC0415 - only this test looks at the contract

    for name in LOCAL_FACTS:
        assert FeedProfileRequest.model_validate({"local_reads": {name: "ZPV-1"}}).profile().local_reads == {name: "ZPV-1"}

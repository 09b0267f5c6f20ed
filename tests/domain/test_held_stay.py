"""What an operator says of the place of a held stay: where the registry is silent, and while the stay is where it was."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.encounter import BEEN_PREFIX
from app.domain.held_stay import decide_place, place_as_decided
from app.domain.organization import Part2Status
from app.domain.origin_registry import UNKNOWN_PLACE, PlaceStatus

UNITS = st.sets(st.sampled_from(["unit.MED", "unit.DETOX", "service.PSY", "building.NORTH"]))
STATUSES = st.sampled_from([Part2Status.NOT_PROGRAM, Part2Status.PROGRAM])


def facts(been: set[str]) -> dict[str, str]:
    return {f"{BEEN_PREFIX}{one}": "x" for one in been} | {"facility_name": "any"}


@given(STATUSES, UNITS, UNITS)
def test_it_holds_for_the_places_it_was_said_of(said: Part2Status, then: set[str], now: set[str]) -> None:
    place = place_as_decided(UNKNOWN_PLACE, decide_place(said, facts(then)), facts(now))
    assert place.part2_status is (said if then == now else Part2Status.UNKNOWN)


@given(st.sampled_from(Part2Status), STATUSES, UNITS)
def test_the_registry_counts_before_it(registered: Part2Status, said: Part2Status, been: set[str]) -> None:
    place = PlaceStatus(registered, mental_health_licensed=True, privacy_pack="us-me")
    decided = place_as_decided(place, decide_place(said, facts(been)), facts(been))
    assert decided.part2_status is (said if registered is Part2Status.UNKNOWN else registered)
    # Nothing else of the place is said by it.
    assert decided._replace(part2_status=registered) == place
    assert place_as_decided(place, None, facts(been)) == place

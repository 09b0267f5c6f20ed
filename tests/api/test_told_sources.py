"""A hospital's number of a person shows beside another's stay to who may be told of a stay there; where all are plain it costs nothing."""

from typing import Any

from app.store import sources
from tests.api.test_consents import become, items, sign
from tests.api.test_reported_stays import reported
from tests.api.world import ADMIN_KEY, ADMIT, ER7, World
from tests.support.messages import adt
from tests.support.queries import QueryRecorder

ASKS = "union select c.person_id from consent c"


async def elsewhere(world: World) -> None:
    """Make a second hospital without secrets, where Ann is too."""
    house = {"name": "Hospital E", "kind": "hospital", "part2_status": "not_program"}
    made = await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=house)
    feed = {"organization_id": made["id"], "sending_application": "EPIC", "sending_facility": "HOSPE", "time_zone": "America/New_York",
            "assigning_authority": "HOSPE"}  # fmt: skip
    await world.api.json("POST", "/v1/feeds", ADMIN_KEY, 201, json=feed)
    begun = "20260303100000-0500"
    body = adt("A01", begun, control="E1", facility="HOSPE", mrn="ME", visit="VE", admitted=begun)
    answer = await world.api.post("/hl7v2", ADMIN_KEY, content=body, headers=ER7)
    assert b"MSA|AA|" in answer.content, answer.text
    await world.stage.settle()


def numbers(shown: dict[str, Any]) -> set[str]:
    return {one["value"] for one in shown["person"]["identifiers"]}


async def test_beside_a_stay_that_a_home_reported_the_number_of_a_protected_hospital_does_not_show(world: World) -> None:
    """One hospital alone has sent the person: what is told of beside it is not its stay."""
    await world.send(ADMIT + b"PD1||||||||||||Y\r")
    await reported(world)
    seen = set()
    for who, own in (("home", "H-1"), ("plan", "P-77")):
        for path in ("/v1/notifications", "/v1/follow-ups", "/v1/encounters"):
            shown = await items(world, path, who)
            assert all(numbers(one) == {own, "MC1"} for one in shown), (who, path)
            seen |= {(who, path)} if shown else set()
    assert seen >= {("home", "/v1/encounters"), ("home", "/v1/follow-ups"), ("plan", "/v1/follow-ups")}


async def test_a_number_shows_while_it_may_and_is_read_no_more_when_that_has_ended(world: World) -> None:
    await world.send(ADMIT)
    await elsewhere(world)
    told = [one for one in await items(world, "/v1/notifications") if one["encounter"]["visit_number"] == "VE"]
    assert [numbers(one) for one in told] == [{"M1", "ME", "MC1", "H-1"}]
    refusal = await sign(world, "operator", kind="refusal", reason="says no", categories=[], purposes=[], recipient_classes=[])
    again = [one for one in await items(world, "/v1/notifications") if one.get("encounter", {}).get("visit_number") == "VE"]
    assert [numbers(one) for one in again] == [{"ME", "MC1", "H-1"}]
    for asked, found in (("HOSPA|M1", 0), ("HOSPE|ME", 1)):
        page = await world.api.json("POST", "/v1/members/search", world.keys["plan"], 200, json={"identifier": asked})
        assert len(page["items"]) == found, asked
    await world.api.json("POST", f"/v1/consents/{refusal['id']}/revoke", ADMIN_KEY, 200, json={})
    await world.stage.settle()
    back = [one for one in await items(world, "/v1/notifications") if one.get("encounter", {}).get("visit_number") == "VE"]
    assert numbers(back[-1]) == {"M1", "ME", "MC1", "H-1"}


async def test_nothing_is_asked_of_who_was_at_one_hospital_and_one_statement_a_batch_of_who_was_at_several(
    world: World, queries: QueryRecorder
) -> None:
    await become(world, part2_status="not_program")
    assert ASKS in sources._IN_QUESTION
    with queries.recording() as statements:
        await world.send(ADMIT)
        await items(world, "/v1/notifications")
    assert not [one for one in statements if ASKS in one]
    with queries.recording() as statements:
        await elsewhere(world)
    assert len([one for one in statements if ASKS in one]) == 1

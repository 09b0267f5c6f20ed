"""Small things that people at a front door ask for: the place of a refusal, a missing visit number, a health check by HEAD."""

import pytest

from tests.api.world import ER7, World
from tests.support.messages import adt


@pytest.mark.parametrize(
    ("application", "facility", "location", "names"),
    [("EPIC", "ELSEWHERE", "MSH^1^4", "MSH-4"), ("WHO", "HOSPA", "MSH^1^3", "MSH-3"), ("WHO", "KNOWS", "MSH^1^3", "MSH-3")],
)
async def test_a_refusal_names_the_field_that_is_wrong(world: World, application: str, facility: str, location: str, names: str) -> None:
    """ACK-5: who is known by its application and writes another facility is told to look at MSH-4."""
    message = adt("A01", "20260306150000-0500", control="N1", application=application, facility=facility)
    answer = await world.api.post("/hl7v2", world.keys["stranger"], content=message, headers=ER7)
    (err,) = [line for line in answer.text.split("\r") if line.startswith("ERR")]
    assert err.split("|")[2] == location
    assert names in err.split("|")[8]


async def test_a_message_without_a_visit_number_is_warned_of_when_somebody_asks(story: World) -> None:
    for visit, expected in ((None, ["PV1^1^19"]), ("V1", [])):
        message = adt("A01", "20260306150000-0500", control="N1", visit=visit)
        said = (await story.api.post("/hl7v2/$validate", story.keys["hospital"], content=message, headers=ER7)).json()
        assert said["ack"]["code"] == "AA"
        assert [one["location"] for one in said["problems"] if one["location"].startswith("PV1")] == expected


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_health_check_by_head_is_answered_as_by_get(world: World, path: str) -> None:
    got = await world.api.client.get(path)
    asked = await world.api.client.head(path)
    assert (asked.status_code, asked.headers["content-type"]) == (got.status_code, got.headers["content-type"])
    assert asked.headers["content-length"] == got.headers["content-length"]

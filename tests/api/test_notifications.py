"""The outbox: what the home reads after Ann's stay, in order, without gaps, and only what it may read."""

from tests.api.world import World


async def test_the_home_reads_its_outbox_in_order(story: World) -> None:
    page = await story.api.json("GET", "/v1/notifications", story.keys["home"], 200)
    assert [item["sequence"] for item in page["items"]] == list(range(1, len(page["items"]) + 1))
    assert [item["type"] for item in page["items"]][:2] == ["encounter.admitted", "encounter.discharged"]
    assert page["next"] is None

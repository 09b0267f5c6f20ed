"""Days are the hospital's in every answer: what is left, what is final, what is mature. Ann was discharged on 6 March in New York.

Day 7 is 13 March, day 30 is 5 April; both end four hours into the next day of UTC.
"""

from datetime import UTC, datetime

from tests.api.test_measures import events, rates, until
from tests.api.world import World


async def left(world: World) -> list[tuple[int | None, int]]:
    page = await world.api.json("GET", "/v1/measures/FUH/gaps", world.keys["plan"], 200, params={"period": "2026"})
    return [(one["days_left_7"], one["days_left_30"]) for one in page["items"]]


async def test_the_days_left_are_counted_where_the_hospital_is(story: World) -> None:
    until(story, datetime(2026, 3, 14, 3, tzinfo=UTC))
    await story.stage.pass_time()
    assert await left(story) == [(0, 23)], "it is still the 13th where the hospital is"
    until(story, datetime(2026, 3, 14, 5, tzinfo=UTC))
    await story.stage.pass_time()
    assert await left(story) == [(None, 22)]


async def test_the_last_evening_of_day_30_is_neither_final_nor_mature(story: World) -> None:
    until(story, datetime(2026, 4, 6, 3, tzinfo=UTC))
    await story.stage.pass_time()
    assert [(one["status"], one["final"]) for one in await events(story, "plan")] == [("pending", False)]
    assert (await rates(story, "plan", mature_only=True))["total"]["denominator"] == 0
    for evidence in ("contacts", "claims", "combined"):
        total = (await rates(story, "plan", evidence=evidence))["total"]
        assert (total["pending_7"], total["pending_30"]) == (0, 1), evidence
    as_of = datetime(2026, 4, 6, 3, tzinfo=UTC).isoformat()
    until(story, datetime(2026, 4, 7, 3, tzinfo=UTC))
    await story.stage.pass_time()
    assert [(one["status"], one["final"]) for one in await events(story, "plan")] == [("not_met", True)]
    assert (await rates(story, "plan", mature_only=True))["total"]["denominator"] == 1
    assert [(one["status"], one["final"]) for one in await events(story, "plan", as_of=as_of)] == [("pending", False)]
    assert (await rates(story, "plan", mature_only=True, as_of=as_of))["total"]["denominator"] == 0

"""Who was late: what a home could not have known is not its doing, and what it knew by itself is not ours. On the whole road."""

from datetime import datetime
from typing import Any

import pytest

from tests.api.test_reported_stays import reported
from tests.api.test_timers import CLOCK, call, the_follow_up
from tests.api.world import ADMIT, ANN_AT_HOME, DISCHARGE, World, load_panel
from tests.support.messages import adt

STAY: dict[str, Any] = {"admitted": "20260302100000-0500", "disposition": "01"}
LEFT = "20260306142500-0500"


async def clock(world: World, clock_id: str = CLOCK) -> dict[str, Any]:
    return next(one for one in (await the_follow_up(world))["clocks"] if one["id"] == clock_id)


async def go_to(world: World, at: str) -> None:
    world.stage.clock.set(datetime.fromisoformat(at))
    await world.stage.pass_time()


async def test_a_clock_that_a_late_diagnosis_starts_is_late_by_the_feed(story: World) -> None:
    """Self-harm is coded two days after the discharge, of which the home was told at once."""
    await go_to(story, "2026-03-08T15:00:00-04:00")
    late = adt("A08", "20260308150000-0400", control="C3", discharged=LEFT, diagnoses=(("F32.2", "F"), ("R45.851", "F")), **STAY)
    await story.send(late)
    found = await clock(story, "suicide_safety.contact_24h")
    assert (found["state"], found["late_by"]) == ("overdue", "late_by_feed")
    assert (found["times"]["received_at"], found["times"]["told_at"]) == ("2026-03-08T19:00:00+00:00",) * 2
    assert "heard_at" not in found
    assert (await clock(story))["times"]["received_at"] == "2026-03-06T20:00:00+00:00"
    await go_to(story, "2026-03-11T00:01:00-04:00")
    assert (await clock(story, "suicide_safety.contact_24h"))["late_by"] == "late_by_feed"
    assert (await clock(story))["late_by"] == "late_by_home", "of the other clocks it knew from the first"


async def test_a_program_that_a_late_diagnosis_alone_starts_is_late_by_the_feed(world: World) -> None:
    """Nothing is followed up until the final diagnosis comes, ten days after the discharge."""
    await load_panel(world, "home", ANN_AT_HOME.replace("BHH", "FUH"))
    said: dict[str, Any] = {"discharged": LEFT, "unit": "MED", **STAY}
    await world.send(adt("A03", "20260306143000-0500", control="C2", diagnoses=(("I10", "F"),), **said))
    await go_to(world, "2026-03-16T15:00:00-04:00")
    await world.send(adt("A08", "20260316143000-0400", control="C3", diagnoses=(("F32.2", "F"),), **said))
    found = await clock(world, "fuh.visit_7d")
    assert (found["state"], found["late_by"], found["times"]["received_at"]) == ("overdue", "late_by_feed", "2026-03-16T19:00:00+00:00")


@pytest.mark.parametrize(("reached", "state", "late_by"), [("2026-03-10", "missed", "late_by_feed"), (None, "overdue", "late_by_home")])
async def test_who_worked_by_the_day_that_the_hospital_told_is_not_late_by_the_day_that_it_tells_later(
    story: World, reached: str | None, state: str, late_by: str
) -> None:
    """Called on the last day; on the next the hospital says that they left a day earlier. Who had not called was late as it was."""
    await go_to(story, "2026-03-10T15:00:00-04:00")
    if reached is not None:
        await call(story)
        assert (await clock(story))["state"] == "met"
    await go_to(story, "2026-03-11T15:00:00-04:00")
    earlier = adt("A08", "20260311140000-0400", control="C7", discharged="20260305142500-0500", diagnoses=(("F32.2", "F"),), **STAY)
    await story.send(earlier)
    found = await clock(story)
    assert (found["due_at"], found["state"], found["late_by"]) == ("2026-03-10T03:59:59+00:00", state, late_by)


async def test_a_discharge_that_is_corrected_was_opened_when_it_was_opened_and_another_one_was_not(story: World) -> None:
    await story.api.json("GET", f"/v1/follow-ups/{(await the_follow_up(story))['id']}", story.keys["home"], 200)
    told_at = opened_at = story.stage.clock.now().isoformat()
    await go_to(story, "2026-03-08T15:00:00-04:00")
    await story.send(adt("A08", "20260308140000-0400", control="C7", discharged="20260306142000-0500", **STAY))
    times = (await clock(story))["times"]
    assert (times["discharged_at"], times["received_at"], times["told_at"], times["first_opened_at"]) == (
        "2026-03-06T19:20:00+00:00", told_at, told_at, opened_at,
    )  # fmt: skip
    later = "20260308143000-0400"
    for message in (adt("A13", "20260308142500-0400", control="C8"), adt("A03", later, control="C9", discharged=later, **STAY)):
        await story.api.post("/hl7v2", story.keys["hospital"], content=message, headers={"content-type": "application/hl7-v2"})
    await story.stage.settle()
    times = (await clock(story))["times"]
    assert (times["received_at"], times["first_opened_at"]) == ("2026-03-08T19:00:00+00:00", None), "both came in one batch"


async def test_who_wishes_not_to_be_told_is_not_late_by_us(world: World) -> None:
    path = f"/v1/organizations/{world.ids['home']}/preferences"
    rules = [{"event_types": ["discharged"], "programs": ["BHH"], "tell": False}]
    await world.api.json("PUT", path, world.keys["home"], 200, json={"rules": rules})
    await world.send(ADMIT, DISCHARGE)
    await go_to(world, "2026-03-11T00:01:00-04:00")
    found = await clock(world)
    assert (found["state"], found["late_by"], found["times"]["told_at"]) == ("overdue", "late_by_home", None)


async def test_who_reported_the_stay_is_not_late_by_us(world: World) -> None:
    await reported(world)
    await go_to(world, "2026-03-11T00:01:00-04:00")
    found = await clock(world)
    assert (found["state"], found["late_by"], found["times"]["told_at"]) == ("overdue", "late_by_home", None)

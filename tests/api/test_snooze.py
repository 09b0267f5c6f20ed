"""Letting a follow-up rest, and giving it to somebody: seen, on record, and never past a due time silently. On the whole road."""

from datetime import timedelta
from typing import Any

from tests.api.test_timers import call, pass_until, steps, the_follow_up
from tests.api.world import ANN_AT_HOME, World, load_panel
from tests.support.messages import adt


async def snooze(world: World, status: int = 200, **said: Any) -> dict[str, Any]:
    path = f"/v1/follow-ups/{(await the_follow_up(world))['id']}/snooze"
    return dict(
        await world.api.json("POST", path, world.keys["home"], status, json={"reason": "appointment", "author": "C. Sample", **said})
    )


async def test_a_snooze_mutes_warnings_until_it_is_over_and_then_tells_what_it_muted(story: World) -> None:
    until = story.stage.clock.now() + timedelta(hours=64)
    shown = await snooze(story, until=until.isoformat())
    assert shown["snooze"] == {
        "until": until.isoformat(),
        "reason": "appointment",
        "by": "C. Sample",
        "at": story.stage.clock.now().isoformat(),
    }
    listed = await story.api.json("GET", "/v1/follow-ups", story.keys["home"], 200, params={"snoozed": True})
    assert [one["id"] for one in listed["items"]] == [shown["id"]]
    assert (await story.api.json("GET", "/v1/follow-ups", story.keys["home"], 200, params={"snoozed": False}))["items"] == []
    await pass_until(story, 60, 12)
    assert await steps(story) == []
    await pass_until(story, 8, 4)
    assert await steps(story) == [("follow_up.due", 50)]
    assert (await the_follow_up(story))["snooze"] is None
    plan = (await story.api.json("GET", "/v1/follow-ups", story.keys["plan"], 200))["items"][0]
    assert (plan["snooze"], plan["history"]) == (None, [])


async def test_a_snooze_never_outlasts_a_pending_clock_and_a_breach_is_told_whatever_rests(story: World) -> None:
    refused = await snooze(story, 422, until="2026-03-11T12:00:00-04:00")
    assert refused["errors"][0]["pointer"] == "/until"
    assert "mainecare_bhh.contact_2bd is due; give 2026-03-11T03:59:59+00:00" in refused["errors"][0]["message"]
    await snooze(story, 422, until="2026-03-01T12:00:00-05:00")
    await snooze(story, until="2026-03-11T03:59:59+00:00")
    await pass_until(story, 112, 8)
    assert await steps(story) == [("follow_up.overdue", 100)]


async def test_a_clock_that_is_heard_of_after_a_snooze_is_warned_of_all_the_same(story: World) -> None:
    """The home lets it rest over the weekend; on Friday evening self-harm becomes known, and half of its 24 hours are over at night."""
    await snooze(story, until="2026-03-09T12:00:00-04:00")
    story.stage.clock.advance(hours=2)
    more = (("F32.2", "F"), ("T14.91XA", "F"))
    await story.send(adt("A08", "20260306170000-0500", control="C3", admitted="20260302100000-0500", diagnoses=more))
    await pass_until(story, 18, 3)
    assert await steps(story, clock="suicide_safety.contact_24h") == [("follow_up.due", 50), ("follow_up.due", 80)]
    assert await steps(story) == [], "what it knew rests"
    assert (await the_follow_up(story))["snooze"] is not None


async def test_everything_is_on_record(story: World) -> None:
    found = await the_follow_up(story)
    home = story.keys["home"]
    given = {"assignee": "N. Sample", "author": "S. Sample", "reason": "holidays"}
    await story.api.json("POST", f"/v1/follow-ups/{found['id']}/assign", home, 200, json=given)
    until = (story.stage.clock.now() + timedelta(hours=9)).isoformat()
    await snooze(story, until=until)
    story.stage.clock.advance(hours=1)
    for _ in range(2):
        shown = await story.api.json("POST", f"/v1/follow-ups/{found['id']}/wake", home, 200, json={"author": "N. Sample"})
    assert shown["snooze"] is None
    assert [{name: one[name] for name in ("what", "by", "from", "to", "reason")} for one in shown["history"]] == [
        {"what": "assigned", "by": "S. Sample", "from": "C. Sample", "to": "N. Sample", "reason": "holidays"},
        {"what": "snoozed", "by": "C. Sample", "from": None, "to": until, "reason": "appointment"},
        {"what": "woken", "by": "N. Sample", "from": until, "to": None, "reason": None},
    ]
    assert (await story.api.post(f"/v1/follow-ups/{found['id']}/wake", story.keys["plan"], json={})).status_code == 404


async def test_who_was_late_is_the_home_when_it_was_told_in_time(story: World) -> None:
    opened_at = story.stage.clock.now() + timedelta(hours=2)
    story.stage.clock.advance(hours=2)
    await story.api.json("GET", f"/v1/follow-ups/{(await the_follow_up(story))['id']}", story.keys["home"], 200)
    await call(story, outcome="no_answer")
    tried_at = story.stage.clock.now()
    await pass_until(story, 110, 22)
    listed = await story.api.json("GET", "/v1/follow-ups", story.keys["home"], 200, params={"late_by": "late_by_home"})
    clock = next(one for one in listed["items"][0]["clocks"] if one["id"] == "mainecare_bhh.contact_2bd")
    assert (clock["state"], clock["late_by"]) == ("overdue", "late_by_home")
    assert clock["times"] == {
        "discharged_at": "2026-03-06T19:25:00+00:00",
        "received_at": "2026-03-06T20:00:00+00:00",
        "told_at": "2026-03-06T20:00:00+00:00",
        "first_opened_at": opened_at.isoformat(),
        "first_attempt_at": tried_at.isoformat(),
    }
    assert (await story.api.json("GET", "/v1/follow-ups", story.keys["home"], 200, params={"late_by": "late_by_feed"}))["items"] == []
    await story.send(adt("A13", "20260306150000-0500", control="C4"))
    (clock, *_) = (await the_follow_up(story))["clocks"]
    assert (clock["late_by"], set(clock["times"].values())) == (None, {None}), "no discharge stands: nothing came, was told or opened"


async def test_who_was_late_is_the_home_when_its_own_roster_came_after_the_discharge(story: World) -> None:
    story.stage.clock.advance(days=6)
    await load_panel(story, "stranger", ANN_AT_HOME.replace("BHH", "Health Home").replace("HOMEB", "HOMED"))
    await story.stage.settle()
    await story.stage.pass_time()
    (mine,) = (await story.api.json("GET", "/v1/follow-ups", story.keys["stranger"], 200))["items"]
    assert {one["late_by"] for one in mine["clocks"] if one["state"] == "overdue"} == {"late_by_home"}

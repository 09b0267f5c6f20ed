"""A person in custody: clocks wait and the home is told when they run again; the measure goes on all the while. On the whole road."""

from datetime import datetime

from tests.api.test_timers import call, steps, the_follow_up, told
from tests.api.world import ADMIT, ANN_AT_HOME, DISCHARGE, World, load_panel
from tests.support.messages import adt


async def test_clocks_wait_for_who_is_in_custody_and_the_measure_does_not(world: World) -> None:
    await world.send(ADMIT)
    at = "20260306142500-0500"
    final = (("F32.2", "F"),)
    await world.send(adt("A03", at, control="C2", admitted="20260302100000-0500", discharged=at, disposition="21", diagnoses=final))
    made = await call(world, outcome="incarcerated", place="County jail", review_on="2026-03-12")
    assert (made["place"], made["review_on"], made["follow_up"]["state"]) == ("County jail", "2026-03-12", "suspended")
    clocks = {clock["id"]: clock["state"] for clock in made["follow_up"]["clocks"]}
    assert {state for name, state in clocks.items() if name.startswith("mainecare_bhh.")} == {"suspended"}
    assert {state for name, state in clocks.items() if name.startswith("custody.")} == {"pending"}
    assert (made["follow_up"]["program"], made["follow_up"]["programs"]) == ("mainecare_bhh", ["mainecare_bhh", "custody"])
    (fuh,) = [one for one in made["follow_up"]["measures"] if one["measure"] == "FUH"]
    assert (fuh["status"], fuh["due_7_on"]) == ("pending", "2026-03-13")
    world.stage.clock.advance(days=2)
    nurse = await call(world, type="collateral_jail", outcome="reached", live_two_way=True, **{"with": "provider"})
    clocks = {clock["id"]: clock["state"] for clock in nurse["follow_up"]["clocks"]}
    assert (clocks["custody.handoff_2bd"], clocks["mainecare_bhh.contact_2bd"]) == ("met", "suspended"), (
        "who gives care there is not the person"
    )
    world.stage.clock.advance(days=4)
    await world.stage.pass_time()
    (resumed,) = [one for one in await told(world) if one["type"] == "follow_up.resumed"]
    assert resumed["occurred_at"] == "2026-03-12T04:00:00+00:00"
    warned = [one for one in await told(world) if one["type"] == "follow_up.due" and one["clock"]["id"].startswith("mainecare_bhh.")]
    assert warned == [], "of clocks that ran for an hour before they waited no half is over"
    (follow_up,) = (await world.api.json("GET", "/v1/follow-ups", world.keys["home"], 200))["items"]
    assert follow_up["state"] == "open"
    assert follow_up["measures"][0]["due_7_on"] == "2026-03-13"


async def test_a_step_that_was_told_before_an_absence_is_not_told_again_when_it_ends_early(world: World) -> None:
    """The team calls who was in custody: the visit's clock goes on, and its half is over since before it stopped."""
    await load_panel(world, "home", ANN_AT_HOME.replace("BHH", "TCM"))
    await world.send(ADMIT, DISCHARGE)
    world.stage.clock.set(datetime.fromisoformat("2026-03-10T20:00:00-04:00"))
    await world.stage.pass_time()
    await call(world, outcome="incarcerated", review_on="2026-03-20")
    world.stage.clock.advance(hours=40)
    await world.stage.pass_time()
    assert (await the_follow_up(world))["state"] == "suspended"
    await call(world)
    await world.stage.pass_time()
    clock = next(one for one in (await the_follow_up(world))["clocks"] if one["id"] == "tcm.visit_7d")
    assert (clock["state"], clock["reached_percent"]) == ("pending", 50)
    assert await steps(world, clock="tcm.visit_7d") == [("follow_up.due", 50)]


async def test_a_home_that_was_told_of_a_death_is_warned_of_no_clock_and_asked_after_two_weeks(story: World) -> None:
    await call(story, outcome="deceased", **{"with": "caregiver"})
    for day, state, heard in (("15", "suspended", []), ("21", "open", ["follow_up.resumed"])):
        story.stage.clock.set(datetime.fromisoformat(f"2026-03-{day}T08:00:00-04:00"))
        await story.stage.pass_time()
        assert (await the_follow_up(story))["state"] == state
        assert [one["type"] for one in await told(story)] == heard
    (gap,) = (await story.api.json("GET", "/v1/measures/FUH/gaps", story.keys["home"], 200, params={"period": "2026"}))["items"]
    assert gap["due_7_on"] == "2026-03-13", "of the measure nothing waits"


async def test_the_home_is_told_to_look_again_at_who_was_discharged_to_nonacute_care(world: World) -> None:
    at = "20260306142500-0500"
    await world.send(ADMIT, adt("A03", at, control="C2", admitted="20260302100000-0500", discharged=at, disposition="03"))
    await call(world, outcome="in_facility", place="Nursing home", review_on="2026-03-12")
    for day in ("12", "13"):
        world.stage.clock.set(datetime.fromisoformat(f"2026-03-{day}T08:00:00-04:00"))
        await world.stage.pass_time()
        (resumed,) = await told(world)
        assert (resumed["type"], resumed["occurred_at"]) == ("follow_up.resumed", "2026-03-12T04:00:00+00:00")
        assert "the clocks still wait (nonacute: " in resumed["reason"]
    assert (await the_follow_up(world))["state"] == "suspended"


async def test_clocks_that_another_stay_lets_run_again_are_told_to_the_home(story: World) -> None:
    """A clinic's visit, of which the home is not told, lets nothing run; an emergency visit does, and both are said."""
    await call(story, outcome="in_facility", review_on="2026-03-20")
    story.stage.clock.advance(days=1)
    for patient_class, state, heard in (("O", "suspended", []), ("E", "open", ["follow_up.resumed"])):
        at = story.stage.clock.now().strftime("%Y%m%d%H%M%S+0000")
        await story.send(adt("A04", at, control=f"V{patient_class}", visit=f"V{patient_class}", patient_class=patient_class, admitted=at))
        assert (await the_follow_up(story))["state"] == state
        assert [one["type"] for one in await told(story)] == heard

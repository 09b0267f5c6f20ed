"""What time sets off: each step of a clock is told once, to whom the program names, whatever else happens. On the whole road."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from app.store.engine import raw_connection
from app.store.roles import Role
from app.store.unit_of_work import unit_of_work
from tests.api.world import ADMIN_KEY, ADMIT, ANN_AT_HOME, DISCHARGE, EVERY_SCOPE, World, load_panel
from tests.support.databases import NETWORK, url_of
from tests.support.messages import adt

REACHED = {"type": "phone", "outcome": "reached", "role": "coordinator"}
CLOCK = "mainecare_bhh.contact_2bd"
"""Friday 14:25 to Tuesday 23:59:59: 105.58 hours; a half is Sunday evening, 80 % Tuesday morning."""


class DiedError(BaseException):
    """The process is gone: nothing of ours may handle it."""


async def told(world: World, who: str = "home", family: str = "follow_up.") -> list[dict[str, Any]]:
    listed = (await world.api.json("GET", "/v1/notifications", world.keys[who], 200))["items"]
    return [one for one in listed if one["type"].startswith(family)]


async def steps(world: World, who: str = "home", clock: str = CLOCK) -> list[tuple[str, int]]:
    return [(one["type"], one["escalation"]["percent"]) for one in await told(world, who) if "clock" in one and one["clock"]["id"] == clock]


async def pass_until(world: World, hours: int, step_hours: int = 1) -> None:
    for _ in range(0, hours, step_hours):
        world.stage.clock.advance(hours=step_hours)
        await world.stage.pass_time()


async def the_follow_up(world: World) -> dict[str, Any]:
    (found,) = (await world.api.json("GET", "/v1/follow-ups", world.keys["home"], 200))["items"]
    return dict(found)


async def call(world: World, **more: Any) -> dict[str, Any]:
    path = f"/v1/follow-ups/{(await the_follow_up(world))['id']}/contacts"
    said = {"occurred_at": world.stage.clock.now().isoformat(), **REACHED, **more}
    return dict(await world.api.json("POST", path, world.keys["home"], 201, json=said))


async def name(world: World, part: str, **said: Any) -> None:
    await world.api.json("PUT", f"/v1/organizations/{world.ids['home']}/escalation/{part}", world.keys["home"], 200, json=said)


async def test_a_clock_is_told_at_half_its_time_at_four_fifths_and_when_it_is_over_once_each(story: World) -> None:
    await name(story, "supervisor", name="S. Sample", phone="207-555-0170")
    await pass_until(story, 120, 4)
    assert await steps(story) == [("follow_up.due", 50), ("follow_up.due", 80), ("follow_up.overdue", 100)]
    half, fifths, over = [one for one in await told(story) if one["clock"]["id"] == CLOCK]
    assert half["escalation"] == {"level": "warning", "percent": 50, "to": [{"part": "assignee", "name": "C. Sample", "phone": None}]}
    assert fifths["escalation"]["to"][1] == {"part": "supervisor", "name": "S. Sample", "phone": "207-555-0170"}
    assert (fifths["escalation"]["level"], over["escalation"]["level"]) == ("escalation", "breach")
    assert [one["part"] for one in over["escalation"]["to"]] == ["assignee", "supervisor", "manager"]
    assert over["occurred_at"] == over["clock"]["due_at"]
    assert half["reason"].startswith("50 % of the time of the clock mainecare_bhh.contact_2bd")
    started = datetime.fromisoformat(half["encounter"]["discharged_at"])
    length = datetime.fromisoformat(half["clock"]["due_at"]) - started
    assert datetime.fromisoformat(half["occurred_at"]) == started + length / 2
    clock = next(one for one in (await the_follow_up(story))["clocks"] if one["id"] == CLOCK)
    assert (clock["state"], clock["reached_percent"]) == ("overdue", 100)


async def test_after_an_outage_only_the_last_step_is_news(story: World) -> None:
    story.stage.clock.advance(days=5)
    await story.stage.pass_time()
    assert await steps(story) == [("follow_up.overdue", 100)]
    async with unit_of_work(story.stage.work, None) as connection:
        rows = await (await raw_connection(connection)).fetch("select step, outcome from timer_notice where name = $1 order by step", CLOCK)
    assert [tuple(row) for row in rows] == [(50, "overtaken"), (80, "overtaken"), (100, "told")]


async def test_what_is_done_is_not_escalated_and_what_is_taken_back_is_again(story: World) -> None:
    made = await call(story)
    await pass_until(story, 60, 6)
    assert await steps(story) == []
    await story.api.json("POST", f"/v1/contacts/{made['id']}/void", story.keys["home"], 200, json={"reason": "wrong person"})
    assert await steps(story) == [("follow_up.due", 50)]
    await pass_until(story, 60, 6)
    assert await steps(story) == [("follow_up.due", 50), ("follow_up.due", 80), ("follow_up.overdue", 100)]


async def test_a_due_time_that_moves_arms_only_what_lies_ahead(story: World) -> None:
    await pass_until(story, 60, 6)
    assert await steps(story) == [("follow_up.due", 50)]
    earlier = "20260306102500-0500"
    await story.send(adt("A08", "20260309100000-0500", control="C3", admitted="20260302100000-0500", discharged=earlier, disposition="01"))
    assert await steps(story) == [("follow_up.due", 50)], "the due time is the same: two business days after the same Friday"
    await story.send(adt("A13", "20260309110000-0500", control="C4"))
    later = "20260309120000-0500"
    await story.send(adt("A03", later, control="C5", admitted="20260302100000-0500", discharged=later, disposition="01"))
    await pass_until(story, 72, 6)
    assert await steps(story) == [("follow_up.due", 50), ("follow_up.due", 50), ("follow_up.due", 80), ("follow_up.overdue", 100)]


async def test_a_clock_that_was_over_when_it_became_known_is_told_with_the_discharge_alone(world: World) -> None:
    await world.send(ADMIT)
    world.stage.clock.advance(days=10)
    await world.send(DISCHARGE)
    await world.stage.pass_time()
    assert await steps(world) == []
    clock = next(one for one in (await the_follow_up(world))["clocks"] if one["id"] == CLOCK)
    assert (clock["state"], clock["reached_percent"]) == ("overdue", None)


async def test_a_due_time_that_moves_into_the_past_is_told_once_and_one_that_was_told_is_not_told_again(story: World) -> None:
    """The discharge was a week earlier than the hospital said; the home worked by the wrong day."""
    for control, day in (("C3", "20260227102500"), ("C4", "20260226102500")):
        await story.send(
            adt(
                "A08", "20260306150000-0500", control=control, admitted="20260222100000-0500", discharged=f"{day}-0500", disposition="01",
                sent=f"2026030615{control[1]}000-0500",
            )
        )  # fmt: skip
        await story.stage.pass_time()
        assert await steps(story) == [("follow_up.overdue", 100)]


async def test_a_danger_that_is_heard_late_is_told_at_once_although_its_day_is_over(story: World) -> None:
    """The final diagnosis comes two days after the discharge: self-harm, and the 24 hours are over."""
    story.stage.clock.advance(hours=48)
    late = adt("A08", "20260308150000-0400", control="C3", admitted="20260302100000-0500", diagnoses=(("F32.2", "F"), ("R45.851", "F")))
    for _ in range(2):
        await story.send(late)
        await story.stage.pass_time()
    (over,) = [one for one in await told(story) if one.get("clock", {}).get("id") == "suicide_safety.contact_24h"]
    assert (over["type"], over["escalation"]["level"]) == ("follow_up.overdue", "breach")
    assert [one["part"] for one in over["escalation"]["to"]] == ["assignee", "supervisor", "manager", "on_call"]


@pytest.mark.parametrize(("hours", "steps_told"), [(6, []), (14, []), (20, [("follow_up.due", 80)]), (30, [("follow_up.overdue", 100)])])
async def test_a_danger_of_which_the_hospital_tells_late_is_told_to_who_is_on_call(
    world: World, hours: int, steps_told: list[tuple[str, int]]
) -> None:
    """The interface was down: by the time anybody hears of the visit its 24 hours are running out, or over."""
    await world.send(ADMIT)
    world.stage.clock.set(datetime.fromisoformat("2026-03-06T14:25:00-05:00") + timedelta(hours=hours))
    late: dict[str, Any] = {"admitted": "20260302100000-0500", "discharged": "20260306142500-0500", "disposition": "01"}
    for control in ("C2", "C3"):
        await world.send(adt("A03", "20260306143000-0500", control=control, diagnoses=(("R45.851", "F"),), **late))
        await world.stage.pass_time()
    assert await steps(world, clock="suicide_safety.contact_24h") == steps_told


async def test_what_a_late_diagnosis_starts_is_told_and_what_a_roster_starts_late_is_not(world: World) -> None:
    """Ten days after the discharge: a week's clock of FUH is over by then, and so are those of a program that the roster names only now."""
    await load_panel(world, "home", ANN_AT_HOME.replace("BHH", "BHH; FUH"))
    said: dict[str, Any] = {"admitted": "20260302100000-0500", "discharged": "20260306142500-0500", "disposition": "01", "unit": "MED"}
    await world.send(adt("A03", "20260306143000-0500", control="C2", diagnoses=(("I10", "F"),), **said))
    world.stage.clock.advance(days=10)
    await world.stage.pass_time()
    assert await steps(world, clock="fuh.visit_7d") == []
    await world.send(adt("A08", "20260316143000-0400", control="C3", diagnoses=(("F32.2", "F"),), **said))
    assert await steps(world, clock="fuh.visit_7d") == [("follow_up.overdue", 100)]
    await load_panel(world, "home", ANN_AT_HOME.replace("BHH", "BHH; FUH; TCM"))
    await world.stage.settle()
    await world.stage.pass_time()
    clocks = {one["id"]: one["state"] for one in (await the_follow_up(world))["clocks"]}
    assert (clocks["tcm.contact_2bd"], await steps(world, clock="tcm.contact_2bd")) == ("overdue", [])


async def test_an_organization_that_the_home_names_is_told_while_it_may_see_its_rows(story: World) -> None:
    body = {"name": "On-call Service", "kind": "health_home"}
    service = (await story.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=body))["id"]
    story.ids["service"] = service
    story.keys["service"] = await story.key("service", *EVERY_SCOPE)
    await name(story, "supervisor", name="On-call Service", organization_id=service)
    await pass_until(story, 96, 6)
    assert await steps(story) == [("follow_up.due", 50), ("follow_up.due", 80)]
    assert await steps(story, "service") == [], "the home has not let it see its rows"
    await story.api.json("POST", f"/v1/organizations/{story.ids['home']}/grants", story.keys["home"], 201, json={"grantee_id": service})
    await story.stage.pass_time()
    assert await steps(story, "service") == [], "what was passed before it may see the rows is no news: it reads it"
    outbox = await story.api.json("GET", f"/v1/notifications?organization_id={story.ids['home']}", story.keys["service"], 200)
    assert [one["type"] for one in outbox["items"] if one.get("clock", {}).get("id") == CLOCK] == ["follow_up.due", "follow_up.due"]
    (seen,) = (await story.api.json("GET", "/v1/follow-ups", story.keys["service"], 200))["items"]
    assert next(one["reached_percent"] for one in seen["clocks"] if one["id"] == CLOCK) == 80
    await pass_until(story, 24, 6)
    assert await steps(story, "service") == [("follow_up.overdue", 100)]


@pytest.mark.parametrize("seed", range(3))
async def test_each_step_is_told_once_in_any_order_of_everything(story: World, seed: int) -> None:
    """Time passes in leaps, two workers look at once, the same messages come again, contacts come and are taken back."""
    dice = random.Random(seed)
    made: list[str] = []
    for _ in range(12):
        match dice.randrange(5):
            case 0:
                await story.send(DISCHARGE, ADMIT)
            case 1:
                made.append((await call(story, outcome=dice.choice(["reached", "no_answer"])))["id"])
            case 2 if made:
                path = f"/v1/contacts/{dice.choice(made)}/void"
                await story.api.json("POST", path, story.keys["home"], 200, json={"reason": "wrong"})
            case _:
                story.stage.clock.advance(hours=dice.choice([3, 11, 29]))
                await asyncio.gather(*(story.stage.pipeline.time_once() for _ in range(3)))
        await story.stage.pass_time()
    found = [(one["clock"]["id"], one["clock"]["due_at"], one["escalation"]["percent"]) for one in await told(story) if "clock" in one]
    assert len(found) == len(set(found))
    for clock in (await the_follow_up(story))["clocks"]:
        mine = [percent for name_, due, percent in found if (name_, due) == (clock["id"], clock["due_at"])]
        assert mine == sorted(mine), "a later step never comes before an earlier one"
        if clock["state"] == "overdue":
            assert mine[-1] == 100
        if clock["state"] == "pending" and clock["reached_percent"] is None:
            assert mine == []


async def test_a_round_that_dies_before_its_commit_has_told_nobody_and_the_next_one_does(story: World) -> None:
    story.stage.clock.advance(hours=60)
    begin = story.stage.pipeline.transaction

    @asynccontextmanager
    async def dying() -> AsyncIterator[Any]:
        async with begin() as raw:
            yield raw
            raise DiedError

    with pytest.raises(DiedError):
        await replace(story.stage.pipeline, transaction=dying).time_once()
    assert await steps(story) == []
    await story.stage.pass_time()
    await story.stage.pass_time()
    assert await steps(story) == [("follow_up.due", 50)]


@pytest.mark.parametrize("table", ["timer_notice", "follow_up", "notification"])
async def test_a_commit_that_is_lost_loses_the_mark_and_the_notice_together(story: World, server_url: str, table: str) -> None:
    """Whichever of them the lost commit holds: a kill between two commits would tell a step twice, or never."""
    story.stage.clock.advance(hours=60)
    async with unit_of_work(story.stage.work, None) as connection:
        here = await (await raw_connection(connection)).fetchval("select current_database()")
    owner = await asyncpg.connect(url_of(server_url, here))
    await owner.execute(f"SET ROLE {NETWORK.role(Role.OWNER)}; SET search_path = {NETWORK.name}; {_DIES_AT_COMMIT.format(table=table)}")
    with pytest.raises(asyncpg.AdminShutdownError):
        await story.stage.pipeline.time_once()
    await owner.execute("drop function die cascade")
    await owner.close()
    for _ in range(2):
        await story.stage.pass_time()
    assert await steps(story) == [("follow_up.due", 50)]


_DIES_AT_COMMIT = """
create function die() returns trigger language plpgsql as $$ begin raise 'killed' using errcode = 'admin_shutdown'; end $$;
create constraint trigger dies after insert or update on {table} deferrable initially deferred for each row execute function die()
"""


async def test_the_plan_is_told_that_somebody_was_reached_and_that_it_was_taken_back(story: World) -> None:
    made = await call(story, note="Will come on Monday.", content=["safety_screen"])
    (first,) = await told(story, "plan")
    assert (first["type"], first["version"], first["tier"]) == ("follow_up.contacted", 1, "minimal")
    assert CLOCK in first["contacted"]["clocks"]
    assert first["contacted"]["late"] == []
    assert "Monday" not in str(first)
    assert "safety" not in str(first)
    assert await told(story) == [], "the home knows what it did"
    await story.api.json("POST", f"/v1/contacts/{made['id']}/void", story.keys["home"], 200, json={"reason": "wrong person"})
    first, second = await told(story, "plan")
    assert (second["type"], second["version"], second["supersedes"]) == ("follow_up.updated", 2, first["id"])
    assert second["event_id"] == first["event_id"]
    assert "taken back" in second["reason"]


async def test_a_closing_is_told_to_the_plan_and_one_that_time_or_death_brings_to_the_home(story: World) -> None:
    path = f"/v1/follow-ups/{(await the_follow_up(story))['id']}/close"
    await story.api.json("POST", path, story.keys["home"], 200, json={"reason": "Moved to her sister in Bath"})
    (closed,) = await told(story, "plan")
    assert (closed["type"], closed["closed"]["code"]) == ("follow_up.closed", "closed_by_home")
    assert "sister" not in str(closed)
    assert await told(story) == []


async def test_a_death_closes_and_one_that_is_taken_back_opens_again(story: World) -> None:
    for control, said in (("C5", "Y"), ("C6", "N")):
        lines = adt("A31", f"202603061{control[1]}0000-0500", control=control, patient_class=None).split(b"\r")
        spoken = [line + b"|" * (30 - line.count(b"|")) + said.encode() if line.startswith(b"PID|") else line for line in lines]
        await story.send(b"\r".join(spoken))
    for who in ("home", "plan"):
        closed, again = await told(story, who)
        assert (closed["type"], closed["closed"]["code"]) == ("follow_up.closed", "died")
        assert (again["type"], again["event"], again["supersedes"]) == ("follow_up.updated", "closed", closed["id"])


async def test_a_death_after_the_home_closed_is_told_and_taken_back(story: World) -> None:
    """It may go on to send cards to the family: nothing of the stay says that the person has died."""
    path = f"/v1/follow-ups/{(await the_follow_up(story))['id']}/close"
    await story.api.json("POST", path, story.keys["home"], 200, json={"reason": "completed"})
    for control, said in (("C5", "Y"), ("C6", "N")):
        story.stage.clock.advance(hours=1)
        lines = adt("A31", f"202603061{control[1]}3000-0500", control=control, patient_class=None).split(b"\r")
        spoken = [line + b"|" * (30 - line.count(b"|")) + said.encode() if line.startswith(b"PID|") else line for line in lines]
        await story.send(*[b"\r".join(spoken)] * 2)
        await story.stage.pass_time()
    died, again = await told(story)
    assert (died["type"], died["closed"]["code"], died["version"]) == ("follow_up.closed", "died", 1)
    assert (again["type"], again["supersedes"]) == ("follow_up.updated", died["id"])
    assert again["reason"] == "what closed it was taken back: it is closed all the same, closed_by_home"
    assert [one["closed"]["code"] for one in await told(story, "plan")] == ["closed_by_home", "died", "closed_by_home"]
    assert [one["version"] for one in await told(story, "plan")] == [1, 2, 3]


async def test_a_plan_that_wishes_it_is_not_told_of_contacts(story: World) -> None:
    rules = [{"event_types": ["contacted"], "tell": False}]
    path = f"/v1/organizations/{story.ids['plan']}/preferences"
    await story.api.json("PUT", path, story.keys["plan"], 200, json={"rules": rules})
    await call(story)
    assert await told(story, "plan") == []


async def test_lost_in_transfer_is_told_once(world: World) -> None:
    await world.send(ADMIT)
    moving = "20260306142500-0500"
    await world.send(adt("A03", moving, control="C2", admitted="20260302100000-0500", discharged=moving, disposition="65"))
    assert await told(world) == []
    await pass_until(world, 30, 6)
    (lost,) = [one for one in await told(world) if one["type"] == "follow_up.lost_in_transfer"]
    assert lost["reason"].startswith("lost_in_transfer:")
    assert [one["part"] for one in lost["escalation"]["to"]] == ["assignee", "supervisor"]


async def test_a_readmission_is_told_of_the_follow_up_that_it_takes_over(story: World) -> None:
    story.stage.clock.advance(days=3)
    back = "20260309090000-0500"
    await story.send(adt("A01", back, control="C8", visit="V2", admitted=back))
    (found,) = await told(story)
    assert (found["type"], found["escalation"]["level"]) == ("follow_up.readmitted", "warning")
    assert story.stage.clock.now() - datetime.fromisoformat(found["created_at"]) < timedelta(minutes=1)


async def test_a_readmission_that_is_taken_back_and_comes_again_is_told_each_time(story: World) -> None:
    """Whoever heard that the clocks are off has to hear that they are on again, before a share of their time says so."""
    back = "20260306153000-0500"
    for number, trigger in enumerate(["A01", "A11", "A01", "A11", "A01"]):
        story.stage.clock.advance(minutes=30)
        at = f"202603061{5 + number}3000-0500"
        await story.send(adt(trigger, at, control=f"C9{number}", visit="V2", admitted=back, event=back if trigger == "A01" else None))
        await story.stage.pass_time()
    types = [one["type"] for one in await told(story)]
    assert types == ["follow_up.readmitted", "follow_up.updated"] * 2 + ["follow_up.readmitted"]
    again = (await told(story))[1]
    assert (again["event"], again["escalation"]["to"][0]["part"]) == ("reopened", "assignee")
    assert again["reason"].startswith("the stay that took over no longer stands, the follow-up is open again")


async def test_an_admission_that_is_taken_back_leaves_the_visit_to_be_followed_up_and_its_home_is_told(world: World) -> None:
    """The visit was for self-harm: 24 hours run again, of which nothing else would speak before half of them are over."""
    at, harmed = "20260306100000-0500", (("R45.851", "F"),)
    visit: dict[str, Any] = {"visit": "V1", "patient_class": "E", "admitted": "20260306090000-0500", "discharged": at, "disposition": "01"}
    await world.send(adt("A03", at, control="C1", diagnoses=harmed, **visit))
    for trigger, hour in (("A01", 11), ("A11", 12)):
        stay = adt(trigger, f"20260306{hour}0000-0500", control=f"C{hour}", visit="V2", admitted="20260306110000-0500")
        await world.send(stay)
    (reopened,) = await told(world)
    assert (reopened["event"], reopened["encounter"]["visit_number"]) == ("reopened", "V1")

"""The recipient answers back: its clocks stop visibly, a person looks, and the discharge, its measures and what others hear stay."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from app import wiring
from app.actions.answer_back import Answered, answer_back
from app.domain.answer import AnswerKind
from app.domain.viewer import OPERATOR
from app.settings import load_settings
from app.store import queues
from tests.api.test_attribution import organization, told, why, worklist
from tests.api.world import ADMIN_KEY, ANN_AT_HOME, DISCHARGE, World, load_panel
from tests.support.messages import adt
from tests.support.waiting import somebody_waits


async def answer(world: World, said: dict[str, Any], who: str = "home") -> dict[str, Any]:
    (follow_up,) = await worklist(world, who)
    found: dict[str, Any] = await world.api.json("POST", f"/v1/follow-ups/{follow_up['id']}/answer", world.keys[who], 201, json=said)
    return found


async def decide(world: World, review: dict[str, Any], decision: str) -> dict[str, Any]:
    found: dict[str, Any] = await world.api.json(
        "POST", f"/v1/reviews/{review['id']}/resolve", ADMIN_KEY, 200, json={"decision": decision, "author": "Op. Sample"}
    )
    return found


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"answer": "not_ours"}, "attribution"),
        ({"answer": "wrong_person"}, "identity"),
        ({"answer": "left_program_on", "on": "2026-02-01"}, "attribution"),
        ({"answer": "deceased", "on": "2026-03-06"}, "death"),
        ({"answer": "duplicate"}, "duplicate"),
    ],
)
async def test_an_answer_stops_the_clocks_and_opens_a_review_and_a_dismissal_lets_them_run_on(
    story: World, said: dict[str, Any], kind: str
) -> None:
    (before,) = await worklist(story, "home")
    (before_by_plan,) = await worklist(story, "plan")
    review = await answer(story, said)
    assert (review["kind"], review["state"], review["organization_id"]) == (kind, "open", story.ids["home"])
    assert review["answer"]["answer"] == said["answer"]
    (stopped,) = await worklist(story, "home")
    assert stopped["state"] == "suspended"
    assert stopped["state_reasons"][0] == f"answered: {said['answer']}, a person looks at it"
    assert {clock["state"] for clock in stopped["clocks"]} == {"suspended"}
    # Nothing else changed: the measures, the discharge, and what the plan sees of it.
    assert stopped["measures"] == before["measures"]
    assert stopped["encounter"] == before["encounter"]
    (seen_by_plan,) = await worklist(story, "plan")
    assert seen_by_plan["measures"] == before_by_plan["measures"]
    # The same again opens no second review; operator and panel owner see the one, and nobody else.
    assert (await answer(story, said))["id"] == review["id"]
    for who, seen in (("home", [review["id"]]), ("plan", []), ("stranger", [])):
        listed = await story.api.json("GET", "/v1/reviews", story.keys[who], 200)
        assert [one["id"] for one in listed["items"]] == seen
    waiting = await story.api.json("GET", "/v1/reviews", ADMIN_KEY, 200, params={"state": "open", "kind": kind})
    assert [one["id"] for one in waiting["items"]] == [review["id"]]
    assert (await decide(story, review, "dismissed"))["resolved_at"] is not None
    (again,) = await worklist(story, "home")
    assert (again["state"], again["clocks"]) == (before["state"], before["clocks"])


async def test_the_same_answer_twice_at_once_opens_one_review(story: World) -> None:
    (follow_up,) = await worklist(story, "home")
    home, stay, person = (UUID(story.ids[name].rpartition("_")[2]) for name in ("home", "encounter_id", "person_id"))
    path = f"/v1/follow-ups/{follow_up['id']}/answer"
    async with story.stage.pipeline.transaction() as raw:
        about = Answered(home, stay, person, None, None)
        ids, now = wiring.SystemIds(), story.stage.clock.now()
        first = await answer_back(raw, OPERATOR, about, AnswerKind.NOT_OURS, said_on=None, note=None, author={}, ids=ids, now=now)
        task = asyncio.create_task(story.api.post(path, story.keys["home"], json={"answer": "not_ours"}))
        async with asyncio.timeout(10):
            while not await raw.fetchval(somebody_waits()):
                await asyncio.sleep(0.01)
    assert UUID((await task).json()["id"].rpartition("_")[2]) == first.id


async def test_who_was_never_responsible_is_told_no_more_and_somebody_else_is_asked(story: World) -> None:
    review = await answer(story, {"answer": "not_ours"})
    count = len(await told(story, "home"))
    await decide(story, review, "upheld")
    (void,) = await worklist(story, "home")
    assert void["state"] == "void"
    assert "found right" in void["state_reasons"][0]
    # The plan still covers Ann: the discharge is followed by nobody now, and counted.
    assert {(one["home"] is None, one["state"]) for one in await worklist(story, "plan")} == {(True, "open"), (False, "void")}
    await story.send(DISCHARGE.replace(b"|C2|", b"|C3|").replace(b"A03", b"A08").replace(b"||01", b"||06"))
    assert len(await told(story, "home")) == count
    story.ids["encounter_id"] = void["encounter"]["id"]
    (candidate,) = (await why(story, organization_id=story.ids["home"]))["candidates"]
    assert {line["decision"] for line in candidate["ledger"]} == {"full", "answered"}
    # The rules of now know the answer too.
    assert candidate["told"] is False
    assert {event["decision"] for event in candidate["events"]} == {"answered"}
    assert any("found right" in reason for reason in candidate["why"])


async def test_a_weaker_home_leads_when_the_stronger_answer_is_upheld(story: World) -> None:
    await organization(story, "other", "behavioral_health_home")
    roster = ANN_AT_HOME.replace("HOMEB", "HOMEO").replace(",coordinator\n", ",basis\n").replace("C. Sample", "claims")
    await load_panel(story, "other", roster)
    await story.stage.settle()
    assert await worklist(story, "other") == []
    review = await answer(story, {"answer": "not_ours"})
    await decide(story, review, "upheld")
    assert [one["state"] for one in await worklist(story, "other")] == ["open"]


async def test_an_upheld_death_closes_the_follow_up_and_keeps_what_was_met(story: World) -> None:
    (before,) = await worklist(story, "home")
    contact = {"occurred_at": "2026-03-06T14:45:00-05:00", "type": "phone", "outcome": "reached", "with": "patient", "role": "coordinator"}
    await story.api.json("POST", f"/v1/follow-ups/{before['id']}/contacts", story.keys["home"], 201, json=contact)
    (met,) = await worklist(story, "home")
    review = await answer(story, {"answer": "deceased"})
    await decide(story, review, "upheld")
    (closed,) = await worklist(story, "home")
    assert closed["state"] == "closed"
    was = {clock["id"]: clock["state"] for clock in met["clocks"]}
    assert "met" in was.values()
    assert {clock["id"]: clock["state"] for clock in closed["clocks"]} == {
        id_: "met" if state == "met" else "void" for id_, state in was.items()
    }
    assert len(closed["contacts"]) == 1


async def test_answers_are_counted_as_a_figure_of_the_panel(story: World) -> None:
    review = await answer(story, {"answer": "not_ours"})
    path = f"/v1/panels/{story.ids['home']}/quality"
    window = {"until": "2026-03-07T00:00:00Z"}
    open_ = await story.api.json("GET", path, story.keys["home"], 200, params=window)
    assert (open_["stays_told"], open_["answers"], open_["disputed_share"]) == (1, {"not_ours": {"open": 1}}, 1.0)
    other = await answer(story, {"answer": "duplicate"})
    twice = await story.api.json("GET", path, story.keys["home"], 200, params=window)
    assert (twice["answers"], twice["disputed_share"]) == ({"not_ours": {"open": 1}, "duplicate": {"open": 1}}, 1.0), (
        "one stay, disputed once"
    )
    await decide(story, review, "dismissed")
    await decide(story, other, "dismissed")
    decided = await story.api.json("GET", path, ADMIN_KEY, 200, params=window)
    assert (decided["answers"], decided["disputed_share"]) == ({"not_ours": {"dismissed": 1}, "duplicate": {"dismissed": 1}}, 0.0)


async def test_a_home_does_not_decide_its_own_review(story: World) -> None:
    review = await answer(story, {"answer": "not_ours"})
    path, said = f"/v1/reviews/{review['id']}/resolve", {"decision": "upheld"}
    assert (await story.api.post(path, story.keys["home"], json=said)).status_code == 403
    assert (await story.api.post(path, story.keys["plan"], json=said)).status_code == 404


async def test_two_homes_of_one_program_are_a_conflict_that_the_operator_hears_of_once(world: World) -> None:
    await organization(world, "other", "behavioral_health_home")
    await load_panel(world, "other", ANN_AT_HOME.replace("HOMEB", "HOMEO"))
    await world.send(DISCHARGE)
    await world.send(DISCHARGE.replace(b"|C2|", b"|C3|").replace(b"A03", b"A08"))
    (conflict,) = (await world.api.json("GET", "/v1/reviews", ADMIN_KEY, 200))["items"]
    assert (conflict["kind"], conflict["program"], conflict["answer"]) == ("attribution_conflict", "mainecare_bhh", None)
    assert set(conflict["homes"]) == {world.ids["home"], world.ids["other"]}
    # Neither home learns from it of the other.
    assert (await world.api.json("GET", "/v1/reviews", world.keys["home"], 200))["items"] == []


async def test_queues_say_what_waits_since_when_and_what_runs_meanwhile(story: World) -> None:
    async def queues() -> dict[str, Any]:
        return {one["id"]: one for one in (await story.api.json("GET", "/v1/queues", ADMIN_KEY, 200))["items"]}

    before = await queues()
    assert {(one["waiting"], one["alert"]) for one in before.values()} == {(0, "none")}
    review = await answer(story, {"answer": "wrong_person"})
    asked = await queues()
    identity = asked["identity"]
    assert (identity["waiting"], identity["owner"], identity["alert"], identity["opened_in_30_days"]) == (1, "identity desk", "none", 1)
    assert identity["oldest_at"] == review["opened_at"]
    story.stage.clock.advance(hours=5)
    assert (await queues())["identity"]["alert"] == "ageing"
    story.stage.clock.advance(hours=5)
    assert (await queues())["identity"]["alert"] == "overdue"
    await decide(story, review, "dismissed")
    decided = (await queues())["identity"]
    assert (decided["waiting"], decided["alert"], decided["opened_in_30_days"]) == (0, "none", 1)
    assert (await story.api.json("GET", "/v1/queues", story.keys["home"], 200))["items"] == []


async def test_a_person_with_several_follow_ups_waits_once(story: World) -> None:
    other = {"admitted": "20260227100000-0500", "discharged": "20260228142500-0500", "disposition": "01"}
    await story.send(adt("A03", "20260228143000-0500", control="C8", visit="V8", diagnoses=(("F32.2", "F"),), **other))
    first, second = await worklist(story, "home")
    for follow_up in (first, second):
        assert follow_up["clocks"]
    path = f"/v1/follow-ups/{first['id']}/answer"
    await story.api.json("POST", path, story.keys["home"], 201, json={"answer": "not_ours"})
    queues = (await story.api.json("GET", "/v1/queues", ADMIN_KEY, 200))["items"]
    (disputed,) = [one for one in queues if one["id"] == "attribution"]
    assert disputed["waiting"] == 1


async def test_a_queue_that_ages_is_said_once_and_that_it_was_worked_off_too(story: World) -> None:
    clock = story.stage.clock
    watch = wiring.build_queue_watch(load_settings({}), story.stage.work, clock=clock)

    async def look() -> list[tuple[str, str]]:
        return [(one.queue, one.alert.value) for one in await watch.watch_once()]

    assert await look() == []
    review = await answer(story, {"answer": "wrong_person"})
    assert await look() == []
    clock.advance(hours=4)
    assert [await look(), await look()] == [[("identity", "ageing")], []]
    clock.advance(hours=4)
    assert [await look(), await look()] == [[("identity", "overdue")], []]
    async with story.stage.pipeline.transaction() as raw:
        assert await queues.alerts(raw) == {"identity": "overdue"}
    await decide(story, review, "dismissed")
    assert [await look(), await look()] == [[("identity", "none")], []]


async def test_a_conflict_closes_by_itself_when_the_rosters_agree_and_is_asked_again_when_they_do_not(world: World) -> None:
    async def asked() -> list[tuple[str, str | None]]:
        found = (await world.api.json("GET", "/v1/reviews?kind=attribution_conflict", ADMIN_KEY, 200))["items"]
        return [(one["state"], one["resolution"]) for one in found]

    await organization(world, "other", "behavioral_health_home")
    claimed = ANN_AT_HOME.replace("HOMEB", "HOMEO")
    await load_panel(world, "other", claimed)
    await world.send(DISCHARGE)
    assert await asked() == [("open", None)]
    query = {"mode": "replace", "force": "true"}
    path, headers = f"/v1/panels/{world.ids['other']}/uploads", {"content-type": "text/csv"}
    never = claimed.replace("effective_from,", "effective_from,effective_to,").replace("2026-01-01,", "2026-01-01,2026-02-01,")
    await world.api.json("POST", path, world.keys["other"], 201, content=never, headers=headers, params=query)
    await world.stage.settle()
    assert await asked() == [("dismissed", "the rosters agree by now")]
    await world.api.json("POST", path, world.keys["other"], 201, content=claimed, headers=headers, params=query)
    await world.stage.settle()
    assert await asked() == [("open", None)]
    # What a person decided stands.
    (review,) = (await world.api.json("GET", "/v1/reviews?state=open", ADMIN_KEY, 200))["items"]
    await decide(world, review, "dismissed")
    await world.api.json("POST", path, world.keys["other"], 201, content=never, headers=headers, params=query)
    await world.api.json("POST", path, world.keys["other"], 201, content=claimed, headers=headers, params=query)
    await world.stage.settle()
    assert [state for state, _ in await asked()] == ["dismissed"]

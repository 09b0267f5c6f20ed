"""Responsibility that moves: offered, accepted, declined or accepted by itself; due times, contacts and the chain of owners stay."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app import wiring
from app.pipeline.remeasure import Remeasuring
from app.store import transfers
from tests.api.test_attribution import ann, organization, told, worklist
from tests.api.world import ADMIN_KEY, NOW, World, load_panel
from tests.support.waiting import somebody_waits

CONTACT = {"occurred_at": "2026-03-06T14:45:00-05:00", "type": "phone", "outcome": "no_answer", "note": "No answer."}


@pytest.fixture
async def moved(story: World) -> World:
    """Ann was discharged on the 6th under home B, which called once; from the 8th on she is home N's, as both rosters say on the 9th."""
    await organization(story, "next", "behavioral_health_home")
    (follow_up,) = await worklist(story, "home")
    story.ids["follow_up_id"] = follow_up["id"]
    await story.api.json("POST", f"/v1/follow-ups/{follow_up['id']}/contacts", story.keys["home"], 201, json=CONTACT)
    story.stage.clock.set(NOW + timedelta(days=3))
    await load_panel(story, "next", ann("N-1", since="2026-03-08"))
    await load_panel(story, "home", ann("H-1", until="2026-03-08").replace("SYS", "HOMEB"))
    await story.stage.settle()
    return story


async def act(world: World, who: str, what: str, status: int = 200, **said: Any) -> dict[str, Any]:
    path = f"/v1/follow-ups/{world.ids['follow_up_id']}/transfer{what}"
    found: dict[str, Any] = await world.api.json("POST", path, world.keys[who], status, json=said)
    return found


async def offers(world: World, who: str) -> list[tuple[str, str]]:
    items = (await world.api.json("GET", "/v1/transfers", world.keys[who], 200))["items"]
    return [(one["source"], one["state"]) for one in items]


async def test_what_waits_for_its_person_is_offered_too_when_the_claim_of_its_home_ends(story: World) -> None:
    """In custody until 20 April, and another home's from the 15th of March on: both panels have said so since the 6th."""
    await organization(story, "next", "behavioral_health_home")
    (follow_up,) = await worklist(story, "home")
    away = CONTACT | {"outcome": "incarcerated", "review_on": "2026-04-20"}
    await story.api.json("POST", f"/v1/follow-ups/{follow_up['id']}/contacts", story.keys["home"], 201, json=away)
    await load_panel(story, "next", ann("N-1", since="2026-03-15"))
    await load_panel(story, "home", ann("H-1", until="2026-03-15").replace("SYS", "HOMEB"))
    await story.stage.settle()
    for days, offered in ((8, []), (9, [("roster", "offered")])):
        # On the day before, measures had it looked at.
        story.stage.clock.set(NOW + timedelta(days=days))
        await story.stage.pass_time()
        assert await offers(story, "next") == offered
    assert (await worklist(story, "home"))[0]["state"] == "suspended"


async def test_the_panels_offer_it_and_the_old_home_stays_responsible_until_it_is_accepted(moved: World) -> None:
    for who in ("home", "next"):
        assert await offers(moved, who) == [("roster", "offered")]
        assert (await told(moved, who))[-1]["type"] == "follow_up.offered"
    for who in ("plan", "stranger"):
        assert await offers(moved, who) == []
    assert await worklist(moved, "next") == []
    (before,) = await worklist(moved, "home")
    assert before["state"] == "open"
    assert (await act(moved, "next", "/accept", author="N. Sample"))["state"] == "accepted"
    assert await worklist(moved, "home") == []
    (after,) = await worklist(moved, "next")
    # The same follow-up: due times, contacts and measures stay, and so does whose it was.
    assert after["id"] == before["id"]
    assert [(clock["id"], clock["due_at"]) for clock in after["clocks"]] == [(clock["id"], clock["due_at"]) for clock in before["clocks"]]
    assert [contact["note"] for contact in after["contacts"]] == ["No answer."]
    assert after["measures"] == before["measures"]
    assert after["home"]["id"] == moved.ids["next"]
    assert after["home_at_discharge"]["id"] == moved.ids["home"]
    chain = [(one["organization_id"], one["ends_at"] is None) for one in after["owners"]]
    assert chain == [(moved.ids["home"], False), (moved.ids["next"], True)]
    assert after["owners"][0]["ends_at"] == after["owners"][1]["starts_at"]
    for who in ("home", "next"):
        assert (await told(moved, who))[-1]["type"] == "follow_up.transferred"
    # The new home works on it, the old one does not any more.
    contact = {**CONTACT, "occurred_at": "2026-03-09T10:00:00-05:00", "outcome": "reached", "with": "patient", "role": "coordinator"}
    path = f"/v1/follow-ups/{after['id']}/contacts"
    recorded = await moved.api.json("POST", path, moved.keys["next"], 201, json=contact)
    assert "mainecare_bhh.contact_2bd" in recorded["satisfied"]
    assert (await moved.api.post(path, moved.keys["home"], json=contact)).status_code == 404
    # Looking again opens nothing anew.
    await load_panel(moved, "next", ann("N-1", since="2026-03-08", basis="choice"))
    await moved.stage.settle()
    assert [one["id"] for one in await worklist(moved, "next")] == [before["id"]]
    assert {one["home"]["id"] for one in await worklist(moved, "plan")} == {moved.ids["next"]}


async def test_a_snooze_of_the_old_home_mutes_nothing_of_the_new_one(moved: World) -> None:
    """Due on the 10th at midnight, a half and four fifths of the time are over on the 9th; the old home let it rest on the 6th."""
    path = f"/v1/follow-ups/{moved.ids['follow_up_id']}"
    said = {"until": (moved.stage.clock.now() + timedelta(hours=20)).isoformat(), "reason": "waits for her sister", "author": "C. Sample"}
    await moved.api.json("POST", f"{path}/snooze", moved.keys["home"], 200, json=said)
    await act(moved, "next", "/accept", author="N. Sample")
    (after,) = await worklist(moved, "next")
    assert after["snooze"] is None
    line = after["history"][-1]
    assert (line["what"], line["from"], line["to"], line["reason"]) == ("woken", said["until"], None, "the follow-up went to another home")
    moved.stage.clock.advance(hours=19)
    await moved.stage.pass_time()
    assert [one["escalation"]["percent"] for one in await told(moved, "next") if one["type"] == "follow_up.due"] != []


async def test_it_is_accepted_by_itself_after_three_days(moved: World) -> None:
    moved.stage.clock.advance(days=2, hours=23)
    await moved.stage.pass_time()
    assert await offers(moved, "next") == [("roster", "offered")]
    moved.stage.clock.advance(hours=1)
    await moved.stage.pass_time()
    assert await offers(moved, "next") == [("roster", "accepted")]
    assert [one["home"]["id"] for one in await worklist(moved, "next")] == [moved.ids["next"]]
    assert await moved.stage.pipeline.time_once() == await moved.stage.pipeline.time_once()


async def test_a_declined_offer_stays_declined_and_the_follow_up_where_it_is(moved: World) -> None:
    assert (await act(moved, "next", "/decline", reason="not in our region"))["state"] == "declined"
    moved.stage.clock.advance(days=5)
    await moved.stage.pass_time()
    await load_panel(moved, "next", ann("N-1", since="2026-03-08", basis="choice"))
    await moved.stage.settle()
    assert await offers(moved, "home") == [("roster", "declined")]
    assert [one["id"] for one in await worklist(moved, "home")] == [moved.ids["follow_up_id"]]
    assert await worklist(moved, "next") == []
    assert "follow_up.kept" in {one["type"] for one in await told(moved, "home")}
    await moved.api.json("POST", f"/v1/follow-ups/{moved.ids['follow_up_id']}/transfer/accept", moved.keys["next"], 404, json={})


async def test_an_offer_that_the_panels_take_back_is_withdrawn(moved: World) -> None:
    await load_panel(moved, "home", ann("H-1", since="2026-01-01", basis="choice").replace("SYS", "HOMEB"))
    await moved.stage.settle()
    assert await offers(moved, "next") == [("roster", "withdrawn")]
    moved.stage.clock.advance(days=5)
    await moved.stage.pass_time()
    assert [one["home"]["id"] for one in await worklist(moved, "home")] == [moved.ids["home"]]


async def test_a_home_offers_only_to_a_home_that_claims_the_person_and_only_what_is_its_own(story: World) -> None:
    await organization(story, "next", "health_home", program_roles=["health_home"])
    (follow_up,) = await worklist(story, "home")
    story.ids["follow_up_id"] = follow_up["id"]
    refused = await act(story, "home", "", 422, to=story.ids["next"])
    assert refused["errors"][0]["pointer"] == "/to"
    await act(story, "plan", "", 404, to=story.ids["next"])
    story.stage.clock.advance(days=1)
    # Home B leads still: the other may accept, and nothing happens by itself.
    await load_panel(story, "next", ann("N-1", since="2026-03-07", program="TCM", basis="claims"))
    await story.stage.settle()
    assert await offers(story, "home") == []
    offered = await act(story, "home", "", 201, to=story.ids["next"])
    assert (offered["source"], offered["state"], offered["accept_at"]) == ("home", "offered", None)
    assert (await act(story, "home", "", 201, to=story.ids["next"]))["offered_at"] == offered["offered_at"]
    story.stage.clock.advance(days=4)
    await story.stage.pass_time()
    await load_panel(story, "next", ann("N-1", since="2026-03-07", program="TCM", basis="loyalty"))
    await story.stage.settle()
    assert await offers(story, "next") == [("home", "offered")]
    for who in ("home", "plan", "stranger"):
        await act(story, who, "/accept", 404)
    await act(story, "next", "/accept")
    assert [one["home"]["id"] for one in await worklist(story, "next")] == [story.ids["next"]]


AT = ("discharge", "day7", "day30")


async def by_home(world: World, **asked: Any) -> dict[str, list[str]]:
    """Give whose the discharge was at each time, as the plan reads it."""
    names = {world.ids[who]: who for who in ("home", "next")}
    found = {}
    for at in AT:
        params = {"group_by": "home", "home_at": at, "period": "2026", **asked}
        rates = await world.api.json("GET", "/v1/measures/FUH", world.keys["plan"], 200, params=params)
        assert (rates["home_at"], rates["total"]["denominator"]) == (at, 1)
        found[at] = [names[one["by"]["home"]["id"]] for one in rates["groups"]]
    return found


async def everybody_reads_it(world: World, wanted: dict[str, list[str]]) -> None:
    """Ask the same of whoever may: the rates of a home, the events behind them, what is a home's own, and the follow-ups."""
    for at, holders in wanted.items():
        for who in ("home", "next"):
            said, number = {"home_at": at, "period": "2026"}, holders.count(who)
            of_home, own = {**said, "home_id": world.ids[who]}, world.keys[who]
            for key, params in ((ADMIN_KEY, of_home), (own, said)):
                rates = await world.api.json("GET", "/v1/measures/FUH", key, 200, params={**params, "group_by": "home"})
                assert [rates["total"]["denominator"], len(rates["groups"])] == [number, number], (at, who)
            for key, params in ((world.keys["plan"], of_home), (own, said)):
                events = (await world.api.json("GET", "/v1/measures/FUH/events", key, 200, params=params))["items"]
                assert [one["home"]["id"] for one in events] == [world.ids[who]] * number, (at, who)
            query = {"home": world.ids[who], "home_at": at}
            assert len((await world.api.json("GET", "/v1/follow-ups", ADMIN_KEY, 200, params=query))["items"]) == number, (at, who)


async def test_rates_can_be_asked_by_home_at_discharge_at_day_seven_and_at_day_thirty(moved: World) -> None:
    """It goes over on the tenth day: on day seven it was the old home's, on day thirty the new one's; and what was known can be asked."""
    before = moved.stage.clock.now().isoformat()
    old, new = ["home"], ["next"]
    assert await by_home(moved) == {"discharge": old, "day7": old, "day30": old}, "offered is not accepted"
    moved.stage.clock.set(NOW + timedelta(days=10))
    await act(moved, "next", "/accept")
    after = {"discharge": old, "day7": old, "day30": new}
    assert await by_home(moved) == after
    await everybody_reads_it(moved, after)
    assert await by_home(moved, as_of=before) == {"discharge": old, "day7": old, "day30": old}
    # What polls by day 30 is told that it is another's, and the other that it came.
    since = {"home_at": "day30", "period": "2026", "changed_since": (NOW + timedelta(days=9)).isoformat()}
    said = {}
    for who in ("home", "next"):
        items = (await moved.api.json("GET", "/v1/measures/FUH/events", moved.keys[who], 200, params=since))["items"]
        said[who] = [(one["status"], one["reason"]) for one in items]
    assert said == {"home": [("void", "counts_no_more")], "next": [("pending", "no_service_in_7_days")]}
    # Computing it anew finds nothing to change.
    rooms = moved.stage.pipeline.rooms
    transaction = moved.stage.pipeline.transaction
    job = Remeasuring(
        transaction, moved.stage.pipeline.registry, rooms.rulebook, wiring.read_stay(rooms.rulebook, rooms.clock), rooms.clock
    )
    async with transaction() as raw:
        people = [row["id"] for row in await raw.fetch("select id from person")]
    again = await job.some(people, change=False)
    assert (again.lines > 0, again.changed) == (True, Counter())


@pytest.mark.parametrize(
    ("accepted_at", "on_day_7"),
    [("2026-03-14T03:59:00+00:00", "next"), ("2026-03-14T04:00:00+00:00", "home")],
)
async def test_day_seven_ends_when_it_is_over_where_the_hospital_is(moved: World, accepted_at: str, on_day_7: str) -> None:
    """The hospital keeps New York's time, which is summer time by then: its thirteenth ends at four in the morning of London."""
    moved.stage.clock.set(datetime.fromisoformat(accepted_at))
    await act(moved, "next", "/accept")
    assert await by_home(moved) == {"discharge": ["home"], "day7": [on_day_7], "day30": ["next"]}


async def test_a_rate_follows_an_offer_that_is_accepted_by_itself(moved: World) -> None:
    """In the same transaction: nobody reads that it went over and a rate that does not know."""
    moved.stage.clock.advance(days=3)
    await moved.stage.pipeline.time_once()
    assert await offers(moved, "next") == [("roster", "accepted")]
    assert await by_home(moved) == {"discharge": ["home"], "day7": ["next"], "day30": ["next"]}


async def test_home_at_alone_is_refused_by_name(story: World) -> None:
    refused = await story.api.json("GET", "/v1/follow-ups", story.keys["home"], 422, params={"home_at": "day7"})
    (error,) = refused["errors"]
    assert (error["pointer"], "add home" in error["message"]) == ("/home_at", True)


async def test_a_claim_that_ends_later_is_looked_at_on_that_day(story: World) -> None:
    await organization(story, "next", "behavioral_health_home")
    await load_panel(story, "home", ann("H-1", until="2026-03-10").replace("SYS", "HOMEB"))
    await load_panel(story, "next", ann("N-1", since="2026-03-10"))
    await story.stage.settle()
    await story.stage.pass_time()
    assert await offers(story, "next") == []
    story.stage.clock.set(NOW + timedelta(days=4))
    await story.stage.pass_time()
    assert await offers(story, "next") == [("roster", "offered")]


async def test_a_home_that_decides_while_the_time_passes_finds_it_decided(moved: World) -> None:
    """The pipeline has the follow-up in hand when the home declines: one of the two decides, and neither waits for the other for ever."""
    task: asyncio.Task[Any] | None = None
    now = moved.stage.clock.now()
    async with moved.stage.pipeline.transaction() as raw:
        follow_up_id = await raw.fetchval("select id from follow_up where home_id is not null for update")
        path = f"/v1/follow-ups/{moved.ids['follow_up_id']}/transfer/decline"
        task = asyncio.create_task(moved.api.post(path, moved.keys["next"], json={}))
        while not await raw.fetchval(somebody_waits()):
            await asyncio.sleep(0.01)
        (offer,) = await transfers.of_follow_ups(raw, [follow_up_id])
        await transfers.decide(raw, [offer.id], "accepted", now)
        await transfers.hand_over(raw, [transfers.HandOver(follow_up_id, offer.to_id, UUID(int=77), None)], now)
    assert (await task).status_code == 404
    assert await offers(moved, "next") == [("roster", "accepted")]


async def test_nothing_goes_over_by_itself_to_a_home_that_says_the_person_is_not_theirs(moved: World) -> None:
    offered = (await told(moved, "next"))[-1]
    path = f"/v1/notifications/{offered['id']}/answer"
    review = await moved.api.json("POST", path, moved.keys["next"], 201, json={"answer": "not_ours"})
    assert await offers(moved, "next") == [("roster", "withdrawn")]
    moved.stage.clock.advance(days=5)
    await moved.stage.pass_time()
    assert [one["home"]["id"] for one in await worklist(moved, "home")] == [moved.ids["home"]]
    # Found wrong, it is offered again.
    await moved.api.json("POST", f"/v1/reviews/{review['id']}/resolve", ADMIN_KEY, 200, json={"decision": "dismissed"})
    assert await offers(moved, "next") == [("roster", "withdrawn"), ("roster", "offered")]


async def test_what_a_home_offered_itself_goes_over_by_itself_once_the_panels_say_so(story: World) -> None:
    await organization(story, "next", "behavioral_health_home")
    (follow_up,) = await worklist(story, "home")
    story.ids["follow_up_id"] = follow_up["id"]
    story.stage.clock.advance(days=1)
    # Beside the home's own, which is the stronger ground.
    await load_panel(story, "next", ann("N-1", since="2026-03-07", basis="claims"))
    await story.stage.settle()
    assert (await act(story, "home", "", 201, to=story.ids["next"]))["accept_at"] is None
    await load_panel(story, "home", ann("H-1", until="2026-03-07").replace("SYS", "HOMEB"))
    await story.stage.settle()
    story.stage.clock.advance(days=2, hours=23)
    await story.stage.pass_time()
    assert await offers(story, "next") == [("home", "offered")]
    story.stage.clock.advance(hours=2)
    await story.stage.pass_time()
    assert await offers(story, "next") == [("home", "accepted")]


async def test_what_became_a_part_2_programs_is_in_no_list_of_offers_and_reviews(moved: World) -> None:
    await moved.api.json(
        "POST", f"/v1/follow-ups/{moved.ids['follow_up_id']}/answer", moved.keys["home"], 201, json={"answer": "duplicate"}
    )
    hospital = f"/v1/organizations/{moved.ids['hospital']}"
    for status, seen in (("not_program", 1), ("program", 0)):
        await moved.api.json("PATCH", hospital, ADMIN_KEY, 200, json={"part2_status": status})
        for who, path in (("home", "/v1/transfers"), ("next", "/v1/transfers"), ("home", "/v1/reviews")):
            assert len((await moved.api.json("GET", path, moved.keys[who], 200))["items"]) == seen, (who, path, status)
    for path in ("/v1/transfers", "/v1/reviews"):
        assert len((await moved.api.json("GET", path, ADMIN_KEY, 200))["items"]) == 1


async def test_what_was_given_by_hand_to_a_home_that_does_not_lead_does_not_bounce_back(story: World) -> None:
    await organization(story, "next", "health_home", program_roles=["health_home"])
    (follow_up,) = await worklist(story, "home")
    story.ids["follow_up_id"] = follow_up["id"]
    story.stage.clock.advance(days=1)
    await load_panel(story, "next", ann("N-1", since="2026-03-07", basis="claims"))
    await story.stage.settle()
    await act(story, "home", "", 201, to=story.ids["next"])
    await act(story, "next", "/accept")
    # Home B leads still, and the rosters are looked at again.
    await load_panel(story, "next", ann("N-1", since="2026-03-07", basis="loyalty"))
    await story.stage.settle()
    story.stage.clock.advance(days=4)
    await story.stage.pass_time()
    assert await offers(story, "home") == [("home", "accepted")]
    assert [one["home"]["id"] for one in await worklist(story, "next")] == [story.ids["next"]]
    # The home that has it claims the person no more.
    await load_panel(story, "next", ann("N-1", since="2026-03-07", until="2026-03-08", basis="loyalty"))
    await story.stage.settle()
    assert await offers(story, "home") == [("home", "accepted"), ("roster", "offered")]


async def test_a_refused_offer_says_nothing_of_whom_another_organization_claims(story: World) -> None:
    for who in ("next", "other"):
        await organization(story, who, "behavioral_health_home")
    (follow_up,) = await worklist(story, "home")
    story.ids["follow_up_id"] = follow_up["id"]
    # One has a follow-up of the stay of its own, one claims nobody, one is no home, one is not there.
    await load_panel(story, "next", ann("N-1", since="2026-01-01", program="TCM", basis="claims"))
    await story.stage.settle()
    said = []
    for to in (story.ids["next"], story.ids["other"], story.ids["plan"], story.ids["home"], "org_" + "0" * 32):
        refused = await story.api.call("POST", f"/v1/follow-ups/{follow_up['id']}/transfer", story.keys["home"], json={"to": to})
        if refused.status_code != 201:
            document = refused.json()
            said.append((refused.status_code, document["detail"], document["errors"]))
    assert len(said) >= 4
    assert len({str(one) for one in said}) == 1

"""A home becomes a Part 2 program after others were told what it did: what they were told is asked about again, by every way it is read.

The numbers stay, as `notification.withdrawn` without person or reason; over a real server for the stream, with real sockets for webhooks.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import uvicorn
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.webhook.guard import Allowance, Guard
from adapters.webhook.sender import WebhookSender
from app import wiring
from app.api.application import build_application
from app.settings import load_settings
from tests.adapters.webhook.receiver import Receiver, answer, receiving
from tests.api.test_consents import TPO
from tests.api.test_own_status import ANN_AT_OPIOID, HOME_NAME, VISIT, meadow
from tests.api.test_stream import Server, _stream, _take
from tests.api.world import ADMIN_KEY, ADMIT, ANN_AT_HOME, DISCHARGE, World, exchange, load_panel

CHOSEN = ANN_AT_OPIOID.replace("effective_from,coordinator", "effective_from,coordinator,basis").replace("M. Meadow", "M. Meadow,choice")
TOLD_OF_MEADOW = ("follow_up.contacted", "follow_up.closed")
FOLLOWERS = ("plan", "home")


@pytest.fixture
async def sender() -> AsyncIterator[WebhookSender]:
    made = WebhookSender(Guard([Allowance.parse("http://127.0.0.0/8")]))
    yield made
    await made.close()


@pytest.fixture
async def told(engine_work: AsyncEngine, engine_app: AsyncEngine, sender: WebhookSender) -> AsyncIterator[World]:
    """An exchange in which Meadow, which is no program yet, leads, reached Ann and closed; the plan and Home B follow her too."""
    async with exchange(engine_work, engine_app, sender=sender) as world:
        await meadow(world, roster=None, part2_status="not_program")
        await load_panel(world, "home", ANN_AT_HOME, force=True)
        await load_panel(world, "meadow", CHOSEN)
        await world.send(ADMIT, DISCHARGE)
        yield world


async def work(world: World) -> None:
    """Have Meadow reach Ann and close its follow-up."""
    (mine,) = (await world.api.json("GET", "/v1/follow-ups", world.keys["meadow"], 200))["items"]
    path = f"/v1/follow-ups/{mine['id']}"
    await world.api.json("POST", f"{path}/contacts", world.keys["meadow"], 201, json=VISIT)
    await world.stage.settle()
    await world.api.json("POST", f"{path}/close", world.keys["meadow"], 200, json={"reason": "completed"})
    await world.stage.settle()


async def become(world: World, part2_status: str) -> None:
    path = f"/v1/organizations/{world.ids['meadow']}"
    await world.api.json("PATCH", path, ADMIN_KEY, 200, json={"part2_status": part2_status})


async def outbox(world: World, who: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.api.json("GET", "/v1/notifications", world.keys[who], 200, params=params))["items"]
    return found


def place_of(one: dict[str, Any]) -> dict[str, Any]:
    return {"sequence": one["sequence"], "id": one["id"], "type": "notification.withdrawn"}


async def test_what_a_home_did_is_withdrawn_by_every_way_it_is_read_at_once(told: World) -> None:
    world = told
    await work(world)
    before = {who: await outbox(world, who) for who in FOLLOWERS}
    for who in FOLLOWERS:
        assert [one["type"] for one in before[who] if one["type"] in TOLD_OF_MEADOW] == list(TOLD_OF_MEADOW), who
    await become(world, "program")
    config = uvicorn.Config(build_application(world.stage.services), port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=5)
    async with Server(config).running() as address:
        # At once, and after the pipeline has come to it.
        for is_settled in (False, True):
            if is_settled:
                await world.stage.settle()
            for who in FOLLOWERS:
                await _reads_nothing_of_meadow(world, who, before[who], address)
        world.stage.services.arrivals.close()


async def _reads_nothing_of_meadow(world: World, who: str, before: list[dict[str, Any]], address: str) -> None:
    key, now = world.keys[who], await outbox(world, who)
    hidden = {one["sequence"] for one in before if one["type"] in TOLD_OF_MEADOW}
    for then, one in zip(before, now, strict=False):
        if then["sequence"] in hidden:
            assert one == place_of(then), who
        else:
            # What the hospital did they may know as before; only that another home leads is left out.
            assert (one["type"], one["person"], one["encounter"]) == (then["type"], then["person"], then["encounter"])
            assert (one.get("attribution") or {}).get("lead") is not False
            assert "another home" not in json.dumps(one)
    # Nothing new is told of it either, and the operator reads what they read.
    assert {one["type"] for one in now[len(before) :]} <= {"encounter.updated"}
    assert await outbox(world, "operator", organization_id=world.ids[who]) == now
    assert await outbox(world, who, after=min(hidden) - 1, limit=1, wait=1) == [now[min(hidden) - 1]]
    for one in now:
        assert await world.api.json("GET", f"/v1/notifications/{one['id']}", key, 200) == one
        why = await world.api.json("GET", f"/v1/notifications/{one['id']}/why", key, 200)
        assert (why["notification"], "another home" in json.dumps(why)) == (one, False)
        if one["sequence"] in hidden:
            assert (why["now"], why["ledger"], why["versions"], why["attribution"]) == (None, [], [], None)
    async with _stream(address, key) as events:
        streamed = await _take(events, len(now))
    assert [orjson.loads(event["data"]) for event in streamed] == now
    assert [event["event"] for event in streamed] == [one["type"] for one in now]
    await _exports_nothing_of_meadow(world, who)


async def _exports_nothing_of_meadow(world: World, who: str) -> None:
    key = world.keys[who]
    year = {"periodStart": "2026-01-01", "periodEnd": "2026-12-31"}
    march = {"since": "2026-03-01T00:00:00-05:00", "until": "2026-04-01T00:00:00-04:00"}
    said = [
        (await world.api.get("/fhir/Measure/FUH/$evaluate-measure", key, params={**year, "reportType": kind})).text
        for kind in ("summary", "subject-list")
    ]
    said.append((await world.api.get("/v1/follow-ups", key, params={"changed_since": "2020-01-01T00:00:00Z"})).text)
    said.append((await world.api.get("/v1/measures/FUH/events", key, params={"period": "2026"})).text)
    said.append((await world.api.get("/v1/reports/cop-evidence.csv", world.keys["hospital"], params=march)).text)
    tokens = (HOME_NAME, "Meadow", "O-9", world.ids["meadow"].removeprefix("org_"))
    assert [(text, token) for text in said for token in tokens if token in text] == [], who


async def test_a_consent_opens_it_again_for_whom_it_names(told: World) -> None:
    world = told
    await work(world)
    before = await outbox(world, "plan")
    await become(world, "program")
    person = before[0]["person"]["id"]
    paper = {**TPO, "person_id": person, "discloser_id": world.ids["meadow"], "recipient_classes": ["health_plans"]}
    consent = await world.api.json("POST", "/v1/consents", world.keys["meadow"], 201, json=paper)
    assert [one["type"] for one in await outbox(world, "plan")] == [one["type"] for one in before]
    assert "notification.withdrawn" in {one["type"] for one in await outbox(world, "home")}
    await world.api.json("POST", f"/v1/consents/{consent['id']}/revoke", world.keys["meadow"], 200, json={})
    assert [one for one in await outbox(world, "plan") if one["type"] in TOLD_OF_MEADOW] == []


async def test_a_webhook_that_is_tried_again_says_nothing_of_it_any_more(told: World, sender: WebhookSender) -> None:
    world = told
    async with receiving(answer(503)) as receiver:
        subscription = {"url": receiver.url(), "event_types": list(TOLD_OF_MEADOW)}
        made = await world.api.json("POST", "/v1/subscriptions", world.keys["plan"], 201, json=subscription)
        await work(world)
        settings = load_settings({"HANDOFF_SECRET_KEY": "tests-0123456789-abcdefghijklmnopqrst", "HANDOFF_ADMIN_KEY": ADMIN_KEY})
        defects = list[Exception]()
        deliverer = wiring.build_deliverer(
            settings, world.stage.work, wiring.keys_of(settings), wiring.rulebook(), sender, clock=world.stage.clock,
            ids=wiring.SystemIds(), on_defect=defects.append, on_recorded=lambda _: None,
        )  # fmt: skip
        await deliverer.deliver_once()
        assert [_type(receiver, place) for place in range(len(receiver.requests))] == ["follow_up.contacted"]
        await become(world, "program")
        receiver.behaviour = answer(204)
        for _ in range(3):
            world.stage.clock.advance(hours=1)
            await deliverer.deliver_once()
        assert len(receiver.requests) == 1
        path = f"/v1/subscriptions/{made['id']}/deliveries"
        states = (await world.api.json("GET", path, world.keys["plan"], 200))["items"]
        assert ([one["state"] for one in states], defects) == (["withdrawn", "withdrawn"], [])


def _type(receiver: Receiver, place: int) -> str:
    return str(json.loads(receiver.requests[place].body)["type"])


async def test_an_offer_of_a_home_is_withdrawn_and_its_end_is_no_news(told: World) -> None:
    """Meadow offers its follow-up to Home B, which claims Ann too; then Meadow is a program."""
    world = told
    (mine,) = (await world.api.json("GET", "/v1/follow-ups", world.keys["meadow"], 200))["items"]
    await world.api.json("POST", f"/v1/follow-ups/{mine['id']}/transfer", world.keys["meadow"], 201, json={"to": world.ids["home"]})
    await world.stage.settle()
    offered = [one for one in await outbox(world, "home") if one["type"] == "follow_up.offered"]
    assert len(offered) == 1
    await become(world, "program")
    for is_settled in (False, True):
        if is_settled:
            await world.stage.settle()
            world.stage.clock.advance(hours=1)
            await world.stage.pass_time()
        now = await outbox(world, "home")
        assert [one for one in now if one["sequence"] == offered[0]["sequence"]] == [place_of(offered[0])]
        # That the offer is over takes no number of Home B's.
        assert [one["sequence"] for one in now if one["type"] == "notification.withdrawn"] == [offered[0]["sequence"]]
        assert [one["type"] for one in now if one["type"].startswith("follow_up.")] == []
    # Meadow itself hears that its offer is over.
    assert [one["type"] for one in await outbox(world, "meadow")][-1] == "follow_up.kept"


async def test_a_follow_up_that_a_hidden_home_took_does_not_say_to_whom_it_was_lost(world: World) -> None:
    await meadow(world, roster=None)
    await load_panel(world, "home", ANN_AT_HOME, force=True)
    await world.send(ADMIT, DISCHARGE)
    await load_panel(world, "meadow", CHOSEN)
    await world.stage.settle()
    (lost,) = (await world.api.json("GET", "/v1/follow-ups", world.keys["home"], 200))["items"]
    assert (lost["state"], "another home" in json.dumps(lost)) == ("void", False)

"""Whose records an emergency or a broken glass opens is told so: by poll, stream and webhook, numbered without a gap, and never why."""

from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.webhook.guard import Allowance, Guard
from adapters.webhook.sender import WebhookSender
from app import wiring
from app.settings import load_settings
from tests.adapters.webhook.receiver import answer, receiving
from tests.api.every_way import served
from tests.api.test_consents import NO_PAPER, become, items, sign
from tests.api.test_rights_table import _deliver
from tests.api.test_stream import _stream, _take
from tests.api.world import ADMIN_KEY, ADMIT, DISCHARGE, ER7, EVERY_SCOPE, World, exchange
from tests.support.messages import adt

WHY = "Zqwhy unconscious at the clinic"
EXCEPTION = {**NO_PAPER, "signed_on": "2026-03-06", "minutes": 60, "reason": WHY}


async def opened(world: World, who: str = "hospital") -> list[dict[str, Any]]:
    return [one for one in await items(world, "/v1/notifications", who) if one["type"] == "record.opened"]


async def test_the_program_is_told_by_every_way_that_an_emergency_opened_its_records(
    engine_work: AsyncEngine, engine_app: AsyncEngine
) -> None:
    """42 CFR 2.51(c)."""
    sender = WebhookSender(Guard([Allowance.parse("http://127.0.0.0/8")]))
    async with exchange(engine_work, engine_app, sender=sender) as world, receiving(answer(204)) as receiver:
        await world.api.json("POST", "/v1/subscriptions", world.keys["hospital"], 201, json={"url": receiver.url("/hospital")})
        await become(world, part2_status="program")
        await world.send(ADMIT, DISCHARGE)
        made = await sign(world, "home", kind="emergency", **EXCEPTION, recipients=[world.ids["home"]])
        (told,) = await opened(world)
        await _deliver(world, sender)
        async with served(world) as address, _stream(address, world.keys["hospital"]) as events:
            streamed = [orjson.loads(one["data"]) for one in await _take(events, 1)]
        sent = [orjson.loads(one.body)["data"] for one in receiver.requests]
    await sender.close()
    assert (streamed, sent) == ([told], [told])
    assert (told["sequence"], told["tier"], told["event"]) == (1, "minimal", "emergency")
    assert told["opened"] == {
        "consent_id": made["id"], "kind": "emergency", "by": {"id": world.ids["home"], "name": "Home B"},
        "recipients": [{"id": world.ids["home"], "name": "Home B"}], "opened_at": made["asserted_at"],
        "ends_at": made["ends_at"], "encounters": [told["encounter"]["id"]],
    }  # fmt: skip
    assert {one["value"] for one in told["person"]["identifiers"]} == {"M1", "MC1"}
    assert WHY.split(maxsplit=1)[0] not in str((told, receiver.requests))


async def test_a_broken_glass_tells_the_house_of_a_state_whose_patient_had_not_opted_in_and_nobody_where_it_opens_nothing(
    world: World,
) -> None:
    await become(world, mental_health_licensed=True, privacy_pack="us-me")
    await world.send(ADMIT)
    to_home = {**EXCEPTION, "recipients": [world.ids["home"]], "discloser_id": None}
    await sign(world, "home", kind="break_glass", **to_home)
    (told,) = await opened(world)
    assert (told["event"], told["opened"]["by"]["name"]) == ("break_glass", "Home B")
    assert [await opened(world, who) for who in ("home", "plan", "stranger")] == [[], [], []]
    # The operator has it in its queue as before, and who recorded it reads why; the house does not.
    assert {one["id"]: one["waiting"] for one in await items(world, "/v1/queues", "operator")}["consents"] == 1
    path = f"/v1/consents/{told['opened']['consent_id']}"
    await world.api.json("GET", path, world.keys["hospital"], 404)
    assert (await world.api.json("GET", path, world.keys["home"], 200))["reason"] == WHY
    # While it is open, a second one opens nothing more; who opens its own records knows. What is over can be opened again.
    await sign(world, "home", kind="break_glass", **to_home)
    assert [one["sequence"] for one in await opened(world)] == [1]
    world.stage.clock.advance(minutes=61)
    await sign(world, "hospital", kind="break_glass", **to_home | {"discloser_id": world.ids["hospital"]})
    assert [one["sequence"] for one in await opened(world)] == [1]
    world.stage.clock.advance(minutes=61)
    await sign(world, "operator", kind="emergency", **to_home | {"discloser_id": world.ids["hospital"]})
    (_, again) = await opened(world)
    assert (again["sequence"], again["opened"]["by"]) == (2, None)


async def house(world: World, who: str) -> None:
    """Add another hospital of a state whose patients opt in."""
    said = {"name": f"Hospital {who}", "kind": "hospital", "part2_status": "not_program"}
    world.ids[who] = (await world.api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json=said))["id"]
    world.keys[who] = await world.key(who, *EVERY_SCOPE)
    feed = {"organization_id": world.ids[who], "sending_application": "EPIC", "sending_facility": who.upper(),
            "time_zone": "America/New_York", "assigning_authority": who.upper()}  # fmt: skip
    await world.api.json("POST", "/v1/feeds", ADMIN_KEY, 201, json=feed)
    origin = {"place": "house", "effective_from": "2020-01-01", "mental_health_licensed": True, "privacy_pack": "us-me"}
    await world.api.json("POST", f"/v1/organizations/{world.ids[who]}/origins", ADMIN_KEY, 201, json=origin)


async def comes(world: World, who: str, visit: str) -> None:
    """Have Ann admitted there now."""
    sent = adt("A01", "20260306150000-0500", control=f"{who}{visit}", facility=who.upper(), mrn=f"{who}1", visit=visit,
               admitted="20260306150000-0500", diagnoses=(("F32.2", "A"),))  # fmt: skip
    answer = await world.api.post("/hl7v2", world.keys[who], content=sent, headers=ER7)
    assert b"MSA|AA|" in answer.content
    await world.stage.settle()


async def ended(world: World) -> None:
    """Do what the end of a consent asks for, as the watchers do."""
    await wiring.build_panel_watch(load_settings({}), world.stage.work, clock=world.stage.clock).watch_once()
    await world.stage.settle()


async def test_the_owner_of_a_stay_that_comes_while_it_is_open_is_told_once_of_each_exception(world: World) -> None:
    await become(world, mental_health_licensed=True, privacy_pack="us-me")
    for who in ("later", "plain"):
        await house(world, who)
    await world.send(ADMIT)
    to_home = {**EXCEPTION, "recipients": [world.ids["home"]], "discloser_id": None}
    made = await sign(world, "home", kind="break_glass", **to_home)
    assert [len(await opened(world, who)) for who in ("hospital", "later")] == [1, 0]
    await comes(world, "later", "L1")
    (told,) = await opened(world, "later")
    assert (told["sequence"], told["tier"], told["opened"]["consent_id"]) == (1, "minimal", made["id"])
    assert told["opened"]["by"] == {"id": world.ids["home"], "name": "Home B"}
    assert told["opened"]["ends_at"] == made["ends_at"]
    assert told["opened"]["encounters"] == [told["encounter"]["id"]]
    # In its own words, under its own number.
    assert {one["value"] for one in told["person"]["identifiers"]} == {"later1", "MC1"}
    assert WHY.split(maxsplit=1)[0] not in str(told)
    # A further stay, another message, and another look change nothing.
    await comes(world, "later", "L2")
    await comes(world, "later", "L2B")
    await ended(world)
    assert [len(await opened(world, who)) for who in ("hospital", "later")] == [1, 1]
    assert [await opened(world, who) for who in ("home", "plan", "stranger")] == [[], [], []]
    # Of two that are open at once the first is told of; when it is over the other is, to whom it still opens something.
    world.stage.clock.advance(minutes=30)
    second = await sign(world, "home", kind="break_glass", **to_home)
    await comes(world, "plain", "P1")
    assert [one["opened"]["consent_id"] for one in await opened(world, "plain")] == [made["id"]]
    world.stage.clock.advance(minutes=31)
    await ended(world)
    for who in ("hospital", "later", "plain"):
        assert [one["opened"]["consent_id"] for one in await opened(world, who)] == [made["id"], second["id"]], who
    # What comes when nothing is open any more is told of to nobody.
    world.stage.clock.advance(minutes=31)
    await ended(world)
    await house(world, "late")
    await comes(world, "late", "X1")
    assert await opened(world, "late") == []


async def test_a_stay_that_the_exception_does_not_open_is_told_of_to_nobody(world: World) -> None:
    """A plain hospital's stay may be told of anyway; a program's is not opened by a broken glass."""
    await become(world, mental_health_licensed=True, privacy_pack="us-me")
    await house(world, "later")
    await world.send(ADMIT)
    made = await sign(world, "home", kind="break_glass", **EXCEPTION, recipients=[world.ids["home"]])
    origins = await items(world, f"/v1/organizations/{world.ids['later']}/origins", "operator")
    removed = await world.api.call("DELETE", f"/v1/organizations/{world.ids['later']}/origins/{origins[0]['id']}", ADMIN_KEY)
    assert removed.status_code in (200, 204)
    await comes(world, "later", "L1")
    assert await opened(world, "later") == []
    program = {"place": "house", "effective_from": "2020-01-01", "part2_status": "program"}
    await world.api.json("POST", f"/v1/organizations/{world.ids['later']}/origins", ADMIN_KEY, 201, json=program)
    await comes(world, "later", "L2")
    assert await opened(world, "later") == []
    # A medical emergency opens it: of the stays that are there, and whoever owns them is told at once.
    emergency = await sign(world, "home", kind="emergency", **EXCEPTION, recipients=[world.ids["home"]])
    assert [one["opened"]["consent_id"] for one in await opened(world, "later")] == [emergency["id"]] != [made["id"]]


async def test_a_broken_glass_opens_no_program_and_so_nobody_is_told(world: World) -> None:
    await become(world, part2_status="program")
    await world.send(ADMIT)
    await sign(world, "home", kind="break_glass", **EXCEPTION, recipients=[world.ids["home"]])
    assert await opened(world) == []
    accounting = {"person_id": (await items(world, f"/v1/panels/{world.ids['home']}/members"))[0]["person_id"]}
    await sign(world, "home", kind="emergency", **EXCEPTION, recipients=[world.ids["home"]])
    assert len(await opened(world)) == 1
    listed = await world.api.json("GET", "/v1/disclosures", ADMIN_KEY, 200, params=accounting)
    assert {one["what"] for one in listed["items"]} == {"encounter.admitted"}


async def test_an_unknown_place_under_a_state_that_is_silent_is_held_and_somebody_is_asked(world: World) -> None:
    """Domain section 4: unknown and a substance-use signal; the state lets nothing be told either way."""
    await become(world, mental_health_licensed=True, privacy_pack="us-me", part2_status="unknown")
    await world.send(ADMIT, DISCHARGE.replace(b"F32.2", b"F10.20"))
    (held,) = await items(world, "/v1/holds", "operator")
    assert [await items(world, path, "home") for path in ("/v1/notifications", "/v1/encounters", "/v1/follow-ups")] == [[], [], []]
    path = f"/v1/holds/{held['encounter_id']}/release"
    released = await world.api.json("POST", path, ADMIN_KEY, 200, json={"part2_status": "not_program", "reason": "asked"})
    assert {one["tier"] for one in released["recipients"]} == {"suppress"}
    await world.stage.settle()
    assert await items(world, "/v1/holds", "operator") == []
    # Somebody has said what it is: an opt-in is told at once.
    await sign(world, "operator")
    assert {one["tier"] for one in await items(world, "/v1/notifications")} == {"full"}

"""Whose records an emergency or a broken glass opens is told so: by poll, stream and webhook, numbered without a gap, and never why."""

from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.webhook.guard import Allowance, Guard
from adapters.webhook.sender import WebhookSender
from tests.adapters.webhook.receiver import answer, receiving
from tests.api.every_way import served
from tests.api.test_consents import NO_PAPER, become, items, sign
from tests.api.test_rights_table import _deliver
from tests.api.test_stream import _stream, _take
from tests.api.world import ADMIN_KEY, ADMIT, DISCHARGE, World, exchange

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
    to_home = {**EXCEPTION, "recipients": [world.ids["home"]]}
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

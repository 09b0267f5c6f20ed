"""The table of origins, consents and recipients by every way there is: what may be told is told, and no word gives away what may not.

A forbidden word is searched in every answer of every reading operation of the contract, in the stream, in webhooks (target, headers and
body) and in what a process notes of its requests. One exchange for all of it: a hospital and a person for each row.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.webhook.guard import Allowance, Guard
from adapters.webhook.sender import WebhookSender
from app import wiring
from app.settings import load_settings
from tests.adapters.webhook.receiver import answer, receiving
from tests.api.every_way import Read, read_everything, served
from tests.api.rights_table import FULL, HIDDEN_HOME, MINIMAL, NOTHING, Told, revoke, tell
from tests.api.test_stream import _stream, _take
from tests.api.world import ADMIN_KEY, World, exchange

READERS: Final = ("home", "plan", "stranger", "hospital")
CONCEALED: Final = ("42CFR", "42 CFR", "SUD", '"PSY"', "F10.", "Part2", "substance", "protected", '"FUH"', '"FUA"', '"FUM"', '"FUI"')
"""What must not stand beside a stay that is told of without the reason why it is so little."""
OF_THE_ROSTER: Final = ("/v1/people/", "/v1/members", "/v1/panels/", "/fhir/Group", "/v1/audit", "/fhir/AuditEvent")
"""Where a person's id may stand although nothing of a stay may: whom the reader claims, and what itself asked."""


@dataclass
class Scene:
    """The table as it was told, and everything that anybody got."""

    world: World
    told: list[Told]
    reads: dict[str, list[Read]] = field(default_factory=dict)
    streamed: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    hooks: dict[str, list[Any]] = field(default_factory=dict)


@pytest.fixture
async def sender() -> AsyncIterator[WebhookSender]:
    made = WebhookSender(Guard([Allowance.parse("http://127.0.0.0/8")]))
    yield made
    await made.close()


@pytest.fixture
async def scene(engine_work: AsyncEngine, engine_app: AsyncEngine, sender: WebhookSender) -> AsyncIterator[Scene]:
    async with exchange(engine_work, engine_app, sender=sender) as world, receiving(answer(204)) as receiver:
        for who in ("home", "plan"):
            await world.api.json("POST", "/v1/subscriptions", world.keys[who], 201, json={"url": receiver.url(f"/{who}")})
        told = await tell(world)
        await revoke(world, told)
        await _deliver(world, sender)
        made = Scene(world, told)
        hidden = [id_ for one in told for name, id_ in one.ids.items() if name in ("encounter", "person")]
        async with served(world) as address:
            for who in READERS:
                made.reads[who] = await read_everything(world, who, hidden)
            for who in ("home", "plan"):
                count = len(await _outbox(world, who))
                async with _stream(address, world.keys[who]) as events:
                    made.streamed[who] = [orjson.loads(one["data"]) for one in await _take(events, count)]
                made.hooks[who] = [one for one in receiver.requests if one.target == f"/{who}"]
        yield made


async def _deliver(world: World, sender: WebhookSender) -> None:
    settings = load_settings({"HANDOFF_SECRET_KEY": "tests-0123456789-abcdefghijklmnopqrst", "HANDOFF_ADMIN_KEY": ADMIN_KEY})
    deliverer = wiring.build_deliverer(
        settings, world.stage.work, wiring.keys_of(settings), wiring.rulebook(), sender, clock=world.stage.clock, ids=wiring.SystemIds(),
        on_defect=_fail, on_recorded=lambda _: None,
    )  # fmt: skip
    while not (await deliverer.deliver_once()).idle:
        pass


def _fail(error: Exception) -> None:
    raise error


async def _outbox(world: World, who: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.api.json("GET", "/v1/notifications", world.keys[who], 200, params={"limit": 1000}))["items"]
    return found


async def test_the_table_holds_by_every_way_and_no_word_gives_away_what_may_not_be_told(scene: Scene) -> None:
    _every_way_tells_the_same(scene)
    await _exports_tell_the_same(scene)
    _no_word_gives_it_away(scene)
    _a_hidden_home_shows_nowhere(scene)


def _every_way_tells_the_same(scene: Scene) -> None:
    """Poll, read one by one, stream and webhook are one answer, row by row, and it is the table's."""
    for who in ("home", "plan"):
        polled = json.loads(next(one.text for one in scene.reads[who] if one.way == "/v1/notifications"))["items"]
        single = [json.loads(one.text) for one in scene.reads[who] if one.way == "/v1/notifications/{notification_id}"]
        assert polled == scene.streamed[who]
        assert {one["id"]: one for one in polled} == {one["id"]: _bare(one) for one in single}
        sent = [json.loads(one.body)["data"] for one in scene.hooks[who]]
        assert sorted(sent, key=lambda one: one["sequence"]) == [one for one in polled if one["type"] != "notification.withdrawn"]
        for one in scene.told:
            tier = getattr(one.row, who)
            # What was told before somebody signed keeps its number and is superseded.
            superseded = {item.get("supersedes") for item in polled}
            mine = [item for item in polled if item.get("encounter", {}).get("id") == one.ids["encounter"] and item["id"] not in superseded]
            assert {item["tier"] for item in mine} == ({tier} - {NOTHING}), (one.row.case, who)
            events = {item["event"] for item in mine} & {"admitted", "discharged"}
            assert len(events) == (0 if tier == NOTHING else 2), (one.row.case, who)
            for item in mine:
                codes = [label["code"] for label in item["labels"]]
                is_labelled = who == "home" or "42CFRPart2" in one.row.labels
                expected = one.row.labels if is_labelled and one.row.labels else ("N",)
                assert tuple(codes[: len(expected)]) == expected, (one.row.case, who, codes)
                is_part2 = "42CFRPart2" in expected
                assert any(notice["code"].startswith("42CFR2.32") for notice in item["notices"]) == is_part2, (one.row.case, who)


def _bare(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name != "headers-"}


async def _exports_tell_the_same(scene: Scene) -> None:
    """The hospital's file has a recipient where a home was told, and a subject list nobody of whom the reader may not count."""
    for one in scene.told:
        params = {"organization_id": one.ids["hospital"], "since": "2026-03-01T00:00:00Z", "until": "2026-04-01T00:00:00Z"}
        file = (await scene.world.api.get("/v1/reports/cop-evidence.csv", ADMIN_KEY, params=params)).text
        lines = [line for line in file.splitlines() if one.mark("VIS") in line]
        was_told = one.row.home != NOTHING or one.row.revoked or one.row.hidden_home
        assert len(lines) >= 2, one.row.case
        assert any("no recipient that needs it" in line for line in lines) != was_told, (one.row.case, file)
    for who in ("home", "plan"):
        lists = "".join(read.text for read in scene.reads[who] if read.way.endswith("$evaluate-measure"))
        for one in scene.told:
            counts = getattr(one.row, who) != NOTHING and not one.row.conceals
            assert one.ids["person"].partition("_")[2] not in lists or counts, (one.row.case, who)
        seen = next(one for one in scene.told if one.row.case.startswith("general, mental"))
        assert seen.ids["person"].partition("_")[2] in lists, who


def _no_word_gives_it_away(scene: Scene) -> None:
    hits, seen = [], set()
    for who in READERS:
        ways = [*scene.reads[who], *_others(scene, who)]
        for one in scene.told:
            tier = getattr(one.row, who, NOTHING)
            words = {FULL: (), MINIMAL: one.of_the_stay, NOTHING: one.of_everything}[tier]
            person = one.ids["person"].partition("_")[2]
            for read in ways:
                if tier == FULL and one.mark("DX") in read.text:
                    seen.add((who, read.way))
                hits += [(one.row.case, who, read.way, read.path, word) for word in _found(words, _without_path(read))]
                if tier == NOTHING and not one.row.elsewhere and not read.way.startswith(OF_THE_ROSTER) and person in _without_path(read):
                    hits.append((one.row.case, who, read.way, read.path, "the person"))
                if one.row.conceals and tier == MINIMAL:
                    beside = [part for part in read.parts() if one.hospital in part or one.ids["encounter"][4:] in part]
                    hits += [(one.row.case, who, read.way, read.path, word) for part in beside for word in _found(CONCEALED, part)]
    assert hits == [], hits[:20]
    for who in ("home", "plan"):
        polled = next(read.text for read in scene.reads[who] if read.way == "/v1/notifications")
        assert [one.row.case for one in scene.told if one.row.elsewhere and one.elsewhere not in polled] == [], who
    # Were the marks not in what may be read, nothing above would say anything.
    for way in ("/v1/notifications", "/v1/encounters/{encounter_id}", "stream", "webhook"):
        assert ("home", way) in seen, way


def _others(scene: Scene, who: str) -> list[Read]:
    """Give the stream and the webhooks as reads, and what the process notes of its requests."""
    streamed = [Read("stream", "", 200, json.dumps(one)) for one in scene.streamed.get(who, ())]
    hooks = [Read("webhook", "", 204, json.dumps([one.target, one.headers, one.body.decode()])) for one in scene.hooks.get(who, ())]
    return [*streamed, *hooks, Read("log", "", 200, repr(scene.world.stage.observed))]


def _without_path(read: Read) -> str:
    """Give the text without the path that was asked for, which a problem may repeat."""
    return read.text.replace(read.path, "")


def _found(words: tuple[str, ...], text: str) -> list[str]:
    lowered = text.lower()
    return [word for word in words if word.lower() in lowered]


def _a_hidden_home_shows_nowhere(scene: Scene) -> None:
    words = (*HIDDEN_HOME, scene.world.ids["meadow"].partition("_")[2])
    for who in READERS:
        for read in [*scene.reads[who], *_others(scene, who)]:
            assert _found(words, read.text) == [], (who, read.way, read.path)

"""A small exchange for the tests of the HTTP face, made through the HTTP face where there is a route for it.

Hospital A sends; Home B (a behavioral health home) and Plan C claim Ann; Stranger D has every scope and nothing to do with any of it.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.api.application import build_application
from app.api.arrivals import Arrivals
from app.api.limits import ApiLimits
from app.api.services import Readiness, RequestAnswered, Services
from app.domain.delivery import AttemptOutcome, AttemptResult, WebhookRequest
from app.domain.inbound import Answer, Envelope
from app.domain.viewer import Scope
from app.pipeline import Pipeline
from app.ports import Sender
from app.settings import load_settings
from app.wiring import face
from tests.api.client import Api, api_of
from tests.support.bundles import bundle, written
from tests.support.fakes import FakeClock
from tests.support.messages import adt

NOW = datetime(2026, 3, 6, 20, 0, tzinfo=UTC)
ADMIN_KEY = "tests-0p3rat0r-kEy-9f8e7d6c5b4a3210"
EVERY_SCOPE = [scope.value for scope in Scope]

ADMIT = adt("A01", "20260302100000-0500", control="C1", admitted="20260302100000-0500", diagnoses=(("F32.2", "A"),))
DISCHARGE = adt(
    "A03",
    "20260306143000-0500",
    control="C2",
    admitted="20260302100000-0500",
    discharged="20260306142500-0500",
    disposition="01",
    diagnoses=(("F32.2", "F"),),
)
ANN_AT_HOME = (
    "member_id,member_id_system,first_name,last_name,birth_date,sex,medicaid_id,program,effective_from,coordinator\n"
    "H-1,HOMEB,Ann,Alder,1980-01-02,F,MC1,BHH,2026-01-01,C. Sample\n"
)
ANN_AT_PLAN = (
    "member_id,member_id_system,first_name,last_name,birth_date,sex,medicaid_id,program,effective_from\n"
    "P-77,PLANC,Ann,Alder,1980-01-02,F,MC1,BHH,2026-01-01\n"
)
ADMIT_BUNDLE = written(bundle("A01", "20260302100000-0500", control="B1", admitted="20260302100000-0500", diagnoses=(("F32.2", "A"),)))
DISCHARGE_BUNDLE = written(
    bundle(
        "A03",
        "20260306143000-0500",
        control="B2",
        admitted="20260302100000-0500",
        discharged="20260306142500-0500",
        disposition="01",
        diagnoses=(("F32.2", "F"),),
    )
)
"""The twins of ADMIT and DISCHARGE."""
ER7 = {"content-type": "application/hl7-v2"}
FHIR_JSON = {"content-type": "application/fhir+json"}


class HintingWaker:
    """Passes the pipeline's hints on to the waiters of the same process, as LISTEN does across processes."""

    def __init__(self) -> None:
        """Start without anybody to tell."""
        self.arrivals: Arrivals | None = None
        self.topics: list[str] = []

    def wake(self, topic: str) -> None:
        """Take a hint."""
        self.topics.append(topic)
        kind, _, recipient = topic.partition(":")
        if kind == "notification" and self.arrivals is not None:
            self.arrivals.wake(UUID(recipient))


class NoSender:
    """Takes what is to be sent and sends nothing: whether webhooks arrive is proved elsewhere, over real sockets."""

    def __init__(self) -> None:
        """Start with nothing taken."""
        self.taken: list[WebhookRequest] = []

    async def send(self, request: WebhookRequest) -> AttemptResult:
        """Take one."""
        self.taken.append(request)
        return AttemptResult(AttemptOutcome.DELIVERED, 0.012, status_code=204)

    def objection(self, url: str) -> str | None:
        """Object to what is not https, as the real one does."""
        return None if url.startswith("https://") else "the URL is not https; use an https address"

    async def close(self) -> None:
        """Close nothing."""


@dataclass(slots=True)
class Backstage:
    """The parts behind the application that a test wants to hold."""

    services: Services
    pipeline: Pipeline
    work: AsyncEngine
    clock: FakeClock
    waker: HintingWaker
    observed: list[RequestAnswered] = field(default_factory=list)

    async def settle(self) -> None:
        """Work until nothing waits."""
        rounds = (lambda: self.pipeline.work_once(0), self.pipeline.match_once, self.pipeline.reconsider_once)
        busy = True
        while busy:
            busy = False
            for round_ in rounds:
                busy |= not (await round_()).idle

    async def pass_time(self) -> None:
        """Do what the passing of time asks for, as the timers do."""
        while not (await self.pipeline.time_once()).idle:
            pass


class MessageIds(wiring.SystemIds):
    """Ids of messages, made when the clock of the stage says: as of a past instant it is read off them which had come.

    Of one instant each is greater than those before, also those of whoever told the story in a database that was copied since.
    """

    def __init__(self, clock: FakeClock) -> None:
        """Read the clock for every id."""
        super().__init__()
        self._clock = clock
        self._last_ns = 0

    def new(self) -> UUID:
        """Give an id."""
        at_ms = int(self._clock.now().timestamp() * 1000)
        self._last_ns = max(self._last_ns + 1, time.time_ns())
        return UUID(int=(at_ms << 80) | (0x7 << 76) | (0b10 << 62) | self._last_ns)


def backstage(work: AsyncEngine, app: AsyncEngine, *, limits: ApiLimits | None = None, sender: Sender | None = None) -> Backstage:
    """Build everything as the front process does, with the clock and the operator's key of tests."""
    settings = load_settings(
        {"HANDOFF_WORKERS": "1", "HANDOFF_SECRET_KEY": "tests-0123456789-abcdefghijklmnopqrst", "HANDOFF_ADMIN_KEY": ADMIN_KEY}
    )
    keys, rules = wiring.keys_of(settings), wiring.rulebook()
    clock, ids, waker = FakeClock(NOW), wiring.SystemIds(), HintingWaker()
    intake = wiring.build_intake(settings, work, keys, clock=clock, ids=MessageIds(clock), waker=waker)
    arrivals = Arrivals(face.newest_numbers(app), poll_interval_s=0.05)
    waker.arrivals = arrivals
    observed: list[RequestAnswered] = []

    async def receive(envelope: Envelope) -> tuple[Answer, bytes | None]:
        received = await intake.receive(envelope)
        return received.answer, received.acks[-1] if received.acks else None

    async def ready() -> Readiness:
        return Readiness(True, {"schema": "ok"})

    behind = face.Face(receive=receive, arrivals=arrivals, readiness=ready, metrics=CollectorRegistry(), observe=observed.append)
    services = face.build_services(
        settings,
        face.Engines(work, app),
        keys,
        rules,
        behind,
        clock=clock,
        ids=ids,
        waker=waker,
        sender=sender or NoSender(),
    )
    if limits is not None:
        services = replace(services, limits=limits)
    pipeline = wiring.build_pipeline(settings, work, keys, rules, clock=clock, ids=ids, waker=waker)
    return Backstage(services, pipeline, work, clock, waker, observed)


@dataclass(slots=True)
class World:
    """The exchange, and whoever acts in it."""

    api: Api
    stage: Backstage
    keys: dict[str, str] = field(default_factory=dict)
    """Who -> key: operator, hospital, home, plan, stranger."""
    ids: dict[str, str] = field(default_factory=dict)
    """Name of a path parameter -> an id that the home or the hospital may see; also hospital, home, plan, stranger."""

    async def send(self, *messages: bytes) -> None:
        """Have the hospital send messages over HTTP, and work on them."""
        for message in messages:
            response = await self.api.post("/hl7v2", self.keys["hospital"], content=message, headers=ER7)
            assert b"MSA|AA|" in response.content, response.text
        await self.stage.settle()

    async def key(self, who: str, *scopes: str) -> str:
        """Make another key for an organization."""
        body = {"organization_id": self.ids[who], "scopes": list(scopes)}
        made = await self.api.json("POST", "/v1/keys", ADMIN_KEY, 201, json=body)
        key: str = made["key"]
        return key


async def people_the_world(world: World) -> None:
    """Make the organizations, their keys, the feed and the claims on Ann."""
    api = world.api
    world.keys["operator"] = ADMIN_KEY
    for who, name, kind, more in (
        ("hospital", "Hospital A", "hospital", {"part2_status": "not_program"}),
        ("home", "Home B", "behavioral_health_home", {}),
        ("plan", "Plan C", "plan", {}),
        ("stranger", "Stranger D", "health_home", {}),
    ):
        made = await api.json("POST", "/v1/organizations", ADMIN_KEY, 201, json={"name": name, "kind": kind, **more})
        world.ids[who] = made["id"]
        world.keys[who] = await world.key(who, *EVERY_SCOPE)
    feed = {
        "organization_id": world.ids["hospital"],
        "sending_application": "EPIC",
        "sending_facility": "HOSPA",
        "time_zone": "America/New_York",
        "assigning_authority": "HOSPA",
    }
    world.ids["feed_id"] = (await api.json("POST", "/v1/feeds", ADMIN_KEY, 201, json=feed))["id"]
    await load_panel(world, "home", ANN_AT_HOME)
    await load_panel(world, "plan", ANN_AT_PLAN)


async def load_panel(world: World, who: str, roster: str, **query: Any) -> dict[str, Any]:
    """Upload a roster for an organization, as the organization."""
    path = f"/v1/panels/{world.ids[who]}/uploads"
    loaded: dict[str, Any] = await world.api.json(
        "POST", path, world.keys[who], 201, content=roster, headers={"content-type": "text/csv"}, params=query
    )
    return loaded


async def tell_the_story(world: World) -> None:
    """Ann is admitted and discharged; note the ids of what came of it, as the home and the hospital see them."""
    await world.send(ADMIT)
    await world.send(DISCHARGE)
    api = world.api
    told = await api.json("GET", "/v1/notifications", world.keys["home"], 200)
    world.ids["notification_id"] = told["items"][-1]["id"]
    world.ids["encounter_id"] = told["items"][-1]["encounter"]["id"]
    world.ids["person_id"] = told["items"][-1]["person"]["id"]
    messages = await api.json("GET", "/v1/inbound", world.keys["hospital"], 200)
    world.ids["message_id"] = messages["items"][0]["id"]


@asynccontextmanager
async def unpeopled(
    work: AsyncEngine, app: AsyncEngine, *, limits: ApiLimits | None = None, sender: Sender | None = None
) -> AsyncIterator[World]:
    """Give an exchange in this process over whatever is in the database."""
    stage = backstage(work, app, limits=limits, sender=sender)
    async with api_of(build_application(stage.services)) as api:
        yield World(api, stage)
    stage.services.arrivals.close()


@asynccontextmanager
async def exchange(
    work: AsyncEngine, app: AsyncEngine, *, limits: ApiLimits | None = None, sender: Sender | None = None
) -> AsyncIterator[World]:
    """Give a peopled exchange in this process."""
    async with unpeopled(work, app, limits=limits, sender=sender) as world:
        await people_the_world(world)
        yield world


def application_with(stage: Backstage, **changed: Any) -> FastAPI:
    """Build the application with some services exchanged."""
    return build_application(replace(stage.services, **changed))

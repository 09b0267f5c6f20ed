"""A small exchange for the tests of the HTTP face, made through the HTTP face where there is a route for it.

Hospital A sends; Home B (a behavioral health home) and Plan C claim Ann; Stranger D has every scope and nothing to do with any of it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.cipher.aes_gcm import AesGcmCipher, derive
from adapters.files.refused_rows_csv import RefusedRowsCsv
from adapters.files.roster_csv import RosterCsv
from adapters.hl7v2.batch import join_acks, split_batch
from adapters.hl7v2.er7 import Er7Message, field_tree, tokenize
from app import wiring
from app.actions.identify import IdentityMovedError, identify
from app.actions.load_panel import PanelServices
from app.actions.present_follow_ups import FollowUpPresenter
from app.api.application import build_application
from app.api.arrivals import Arrivals
from app.api.limits import ApiLimits
from app.api.services import KeySecrets, Readiness, Rehearsed, RequestAnswered, Services
from app.domain.credential import KeyEnvironment, key_digest
from app.domain.delivery import AttemptOutcome, AttemptResult, WebhookRequest
from app.domain.inbound import AckCode, Answer, Envelope, Outcome
from app.domain.viewer import OPERATOR, Scope
from app.pipeline import Pipeline, in_hand
from app.pipeline.desk import Desk
from app.pipeline.rehearse import Rehearsals
from app.pipeline.report import Reports
from app.ports import Sender
from app.settings import load_settings
from app.standards.measure_rules import measure_catalog
from app.store.directory import RegistryReader
from app.store.engine import raw_connection
from app.store.notification_reads import last_sequences
from app.store.panel_stage import open_stage
from tests.api.client import Api, api_of
from tests.support.fakes import FakeClock, FakeIds
from tests.support.messages import adt

NOW = datetime(2026, 3, 6, 20, 0, tzinfo=UTC)
ADMIN_KEY = "test-operator-key-0123456789abcdef"
PEPPER = b"p" * 32
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
ER7 = {"content-type": "application/hl7-v2"}


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
        while not (await self.pipeline.work_once(0)).idle:
            pass


def backstage(work: AsyncEngine, app: AsyncEngine, *, limits: ApiLimits | None = None, sender: Sender | None = None) -> Backstage:
    """Build the services as wiring does, with the clock and ids of tests and the operator's key of tests."""
    settings = load_settings({"HANDOFF_WORKERS": "1", "HANDOFF_SECRET_KEY": "tests-0123456789-abcdefghijklmnopqrst"})
    keys = wiring.Keys(AesGcmCipher({1: derive(PEPPER, "tests")}), PEPPER)
    clock, ids, waker, rules = FakeClock(NOW), wiring.SystemIds(), HintingWaker(), wiring.rulebook()
    intake = wiring.build_intake(settings, work, keys, clock=clock, ids=ids, waker=waker)
    rooms = wiring.build_rooms(keys, rules, clock=clock, ids=ids)
    transaction = wiring.open_transaction(work)
    rehearsals = Rehearsals(rooms, transaction, RegistryReader())
    acks = wiring.ack_writer(clock, FakeIds())
    unit_of_work = wiring.open_unit_of_work(app)

    async def receive(envelope: Envelope) -> tuple[Answer, bytes | None]:
        received = await intake.receive(envelope)
        return received.answer, received.acks[-1] if received.acks else None

    async def validate(envelope: Envelope) -> Rehearsed:
        rehearsal = await rehearsals.rehearse(envelope)
        arrival = rehearsal.arrival
        outcomes = {AckCode.AA: Outcome.PROCESSED, AckCode.AE: Outcome.SET_ASIDE, AckCode.AR: Outcome.REJECTED}
        return Rehearsed(
            feed_id=arrival.feed.id if arrival.feed else None,
            code=arrival.code,
            acks=acks(envelope.body, arrival.header, Answer(arrival.code, arrival.problems)),
            problems=rehearsal.problems,
            outcome=outcomes[arrival.code],
            tree=_tree(envelope.body),
            reaches=rehearsal.reaches,
            follow_ups=rehearsal.follow_ups,
        )

    async def newest(recipients: Any) -> Any:
        async with unit_of_work(OPERATOR) as connection:
            return await last_sequences(await raw_connection(connection), recipients)

    arrivals = Arrivals(newest, poll_interval_s=0.05)
    waker.arrivals = arrivals
    observed: list[RequestAnswered] = []

    async def ready() -> Readiness:
        return Readiness(True, {"schema": "ok"})

    services = Services(
        follow_ups=FollowUpPresenter(partial(_read_stay, rules), rules, measure_catalog()),
        evaluate=Desk(rooms, transaction, RegistryReader(), waker).evaluate,
        panels=PanelServices(
            open_stage=partial(open_stage, work),
            open_reader=RosterCsv,
            identify=identify,
            redo_on=(IdentityMovedError,),
            ids=ids,
        ),
        write_refused=RefusedRowsCsv,
        sender=sender or NoSender(),
        unit_of_work=unit_of_work,
        clock=clock,
        ids=ids,
        monotonic=monotonic,
        secrets=KeySecrets(PEPPER, KeyEnvironment.DEVELOPMENT, key_digest(PEPPER, ADMIN_KEY)),
        receive=receive,
        validate=validate,
        batches=_Batches(),
        registry=RegistryReader(),
        read_stay=partial(_read_stay, rules),
        report_stay=Reports(rooms, transaction, RegistryReader()).report,
        cipher=keys.cipher,
        waker=waker,
        arrivals=arrivals,
        readiness=ready,
        metrics=CollectorRegistry(),
        observe=observed.append,
        limits=limits or ApiLimits(),
        version="tests",
    )
    pipeline = wiring.build_pipeline(settings, work, keys, rules, clock=clock, ids=ids, waker=waker)
    return Backstage(services, pipeline, work, clock, waker, observed)


def _read_stay(rules: Any, row: Any, directory: Any) -> Any:
    return in_hand(row, directory, rules, None)


def _tree(body: bytes) -> list[dict[str, Any]]:
    message = tokenize(body)
    if not isinstance(message, Er7Message):
        return []
    return [
        {
            "segment": segment.name,
            "sequence": segment.sequence,
            "fields": {str(number): field_tree(raw, segment.delimiters) for number, raw in enumerate(segment.fields) if number and raw},
        }
        for segment in message.segments()
    ]


class _Batches:
    split = staticmethod(split_batch)
    join = staticmethod(join_acks)


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
    await world.send(ADMIT, DISCHARGE)
    api = world.api
    told = await api.json("GET", "/v1/notifications", world.keys["home"], 200)
    world.ids["notification_id"] = told["items"][-1]["id"]
    world.ids["encounter_id"] = told["items"][-1]["encounter"]["id"]
    world.ids["person_id"] = told["items"][-1]["person"]["id"]
    messages = await api.json("GET", "/v1/inbound", world.keys["hospital"], 200)
    world.ids["message_id"] = messages["items"][0]["id"]


@asynccontextmanager
async def exchange(work: AsyncEngine, app: AsyncEngine, *, limits: ApiLimits | None = None) -> AsyncIterator[World]:
    """Give a peopled exchange in this process."""
    stage = backstage(work, app, limits=limits)
    async with api_of(build_application(stage.services)) as api:
        world = World(api, stage)
        await people_the_world(world)
        yield world
    stage.services.arrivals.close()


def application_with(stage: Backstage, **changed: Any) -> FastAPI:
    """Build the application with some services exchanged."""
    return build_application(replace(stage.services, **changed))

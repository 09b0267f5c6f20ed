"""What an organization does with its subscriptions, as itself: the API's role, with row-level security on."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.webhook.guard import Guard
from adapters.webhook.signing import VerificationError, verify
from app.actions.redrive import Redriven, redrive
from app.actions.subscribe import (
    EndpointRefusedError,
    Objection,
    Revision,
    SecretShown,
    SubscriptionWish,
    pause,
    resume,
    revise,
    rotate_secret,
    subscribe,
)
from app.domain.delivery import DeliveryState, OrderMode
from app.domain.happening import NotificationType
from app.domain.viewer import OPERATOR, Viewer
from app.store import delivery_reads, subscriptions
from app.store.deliveries import RedriveRange
from app.store.engine import raw_connection
from app.store.raw import Raw
from app.store.unit_of_work import unit_of_work
from tests.actions.delivery_world import HOME, DeliveryWorld, delivery_world
from tests.adapters.webhook.receiver import Receiver, answer, receiving

OTHER = UUID(int=0xA11)
SELF = Viewer(HOME, frozenset())
STRANGER = Viewer(OTHER, frozenset())


@pytest.fixture
async def world(engine_work: AsyncEngine) -> AsyncIterator[DeliveryWorld]:
    async with delivery_world(engine_work) as made:
        await made.add_organization(OTHER, "Other home")
        yield made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


class Desk:
    """The API's side: each call in a transaction of its own, as a viewer."""

    def __init__(self, engine: AsyncEngine, world: DeliveryWorld) -> None:
        self.engine = engine
        self.world = world
        self.objection: Objection = world.senders[0].objection

    @asynccontextmanager
    async def as_viewer(self, viewer: Viewer) -> AsyncIterator[Raw]:
        async with unit_of_work(self.engine, viewer) as connection:
            yield await raw_connection(connection)

    async def subscribe(self, url: str, viewer: Viewer = SELF, **wish: object) -> SecretShown:
        wanted = replace(SubscriptionWish(HOME, url), **wish)  # type: ignore[arg-type]
        async with self.as_viewer(viewer) as raw:
            return await subscribe(
                raw,
                wanted,
                ids=self.world.ids,
                cipher=self.world.cipher,
                objection=self.objection,
                now=self.world.clock.now(),
            )


@pytest.fixture
def desk(engine_app: AsyncEngine, world: DeliveryWorld) -> Desk:
    return Desk(engine_app, world)


async def test_a_subscription_is_stored_as_wished_and_its_secret_is_nowhere(desk: Desk, receiver: Receiver) -> None:
    shown = await desk.subscribe(
        receiver.url(), description="EHR inbox", event_types=(NotificationType.DISCHARGED,), order_mode=OrderMode.LATEST
    )
    assert shown.secret.startswith("whsec_")
    async with desk.as_viewer(SELF) as raw:
        found = await subscriptions.find(raw, SELF, shown.subscription.id)
        stored = await raw.fetchval("select row_to_json(s)::text from subscription s")
    assert found == shown.subscription
    assert (found.description, found.event_types, found.order_mode) == ("EHR inbox", ("encounter.discharged",), OrderMode.LATEST)
    assert (found.status, found.created_at) == ("active", desk.world.clock.now())
    assert shown.secret.removeprefix("whsec_") not in stored
    assert shown.secret not in repr(shown)


@pytest.mark.parametrize(
    "url", ["http://receiver.example/", "https://10.0.0.1/", "https://169.254.169.254/", "https://user:x@receiver.example/", "nonsense"]
)
async def test_a_url_that_can_never_be_sent_to_is_refused_at_once(desk: Desk, url: str) -> None:
    desk.objection = Guard().objection
    with pytest.raises(EndpointRefusedError, match="receiver"):
        await desk.subscribe(url)
    shown = await desk.subscribe("https://receiver.example/")
    async with desk.as_viewer(SELF) as raw:
        with pytest.raises(EndpointRefusedError):
            await revise(raw, SELF, shown.subscription.id, Revision(url=url), objection=desk.objection)
        assert await subscriptions.list_own(raw, SELF, organization_id=None, after=None, limit=10) == [shown.subscription]


async def test_a_revision_changes_what_it_names(desk: Desk, receiver: Receiver) -> None:
    shown = await desk.subscribe(receiver.url(), description="old", event_types=(NotificationType.DISCHARGED,))
    async with desk.as_viewer(SELF) as raw:
        changed = await revise(raw, SELF, shown.subscription.id, Revision(description="new"), objection=desk.objection)
        assert changed == replace(shown.subscription, description="new")
        changed = await revise(
            raw, SELF, shown.subscription.id, Revision(event_types=(), order_mode=OrderMode.UNORDERED), objection=desk.objection
        )
        assert changed == replace(shown.subscription, description="new", event_types=(), order_mode=OrderMode.UNORDERED)
        assert await subscriptions.find(raw, SELF, shown.subscription.id) == changed


async def test_a_new_url_starts_with_a_clean_bill_of_health(desk: Desk, receiver: Receiver) -> None:
    world = desk.world
    async with receiving() as gone:
        dead = gone.url()
    shown = await desk.subscribe(dead)
    await world.notify("abcdefgh")
    await world.drain(world.deliverer())
    assert (await world.find(shown.subscription.id)).health.phase == "open"
    async with desk.as_viewer(SELF) as raw:
        await revise(raw, SELF, shown.subscription.id, Revision(url=receiver.url()), objection=desk.objection)
    world.later(seconds=10)
    await world.drain(world.deliverer())
    assert len(receiver.requests) == 8


async def test_a_pause_keeps_everything_for_later(desk: Desk, receiver: Receiver) -> None:
    world = desk.world
    shown = await desk.subscribe(receiver.url())
    await world.notify("p")
    async with desk.as_viewer(SELF) as raw:
        paused = await pause(raw, SELF, shown.subscription.id, reason="maintenance")
    assert paused is not None
    assert (paused.status, paused.status_reason) == ("paused", "maintenance")
    await world.notify("pq")
    assert (await world.deliverer().deliver_once()).idle
    async with desk.as_viewer(SELF) as raw:
        resumed = await resume(raw, SELF, shown.subscription.id)
    assert resumed is not None
    assert (resumed.status, resumed.status_reason) == ("active", None)
    await world.drain(world.deliverer())
    assert sorted(json.loads(request.body)["data"]["sequence"] for request in receiver.requests) == [1, 2, 3]


async def test_both_secrets_sign_for_a_day_after_a_rotation(desk: Desk, receiver: Receiver) -> None:
    world = desk.world
    shown = await desk.subscribe(receiver.url())
    await world.notify("p")
    await world.drain(world.deliverer())
    async with desk.as_viewer(SELF) as raw:
        fresh = await rotate_secret(raw, SELF, shown.subscription.id, ids=world.ids, cipher=world.cipher, now=world.clock.now())
    assert fresh is not None
    assert fresh.secret != shown.secret
    for hours in (0, 23.9, 0.1):
        world.later(hours=hours)
        await world.notify("p")
        await world.drain(world.deliverer())
    before, first, still, only_new = receiver.requests
    for request, old_works, new_works in ((before, True, False), (first, True, True), (still, True, True), (only_new, False, True)):
        for secret, works in ((shown.secret, old_works), (fresh.secret, new_works)):
            at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), tz=world.clock.now().tzinfo)
            if works:
                verify(request.headers, request.body, [secret], at)
            else:
                with pytest.raises(VerificationError):
                    verify(request.headers, request.body, [secret], at)


async def test_nobody_touches_what_is_not_theirs(desk: Desk, receiver: Receiver) -> None:
    world = desk.world
    shown = await desk.subscribe(receiver.url())
    id_ = shown.subscription.id
    async with desk.as_viewer(STRANGER) as raw:
        assert await subscriptions.find(raw, STRANGER, id_) is None
        assert await subscriptions.find(raw, OPERATOR, id_) is None, "row-level security says no when the code forgets"
        assert await subscriptions.list_own(raw, STRANGER, organization_id=None, after=None, limit=10) == []
        assert await subscriptions.list_own(raw, STRANGER, organization_id=HOME, after=None, limit=10) == []
        assert await pause(raw, STRANGER, id_) is None
        assert await resume(raw, STRANGER, id_) is None
        assert await revise(raw, STRANGER, id_, Revision(description="x"), objection=desk.objection) is None
        assert await rotate_secret(raw, STRANGER, id_, ids=world.ids, cipher=world.cipher, now=world.clock.now()) is None
        assert await redrive(raw, STRANGER, id_, RedriveRange(), now=world.clock.now()) is None
    assert await world.find(id_) == shown.subscription
    with pytest.raises(Exception, match="row-level security"):
        await desk.subscribe(receiver.url(), STRANGER)


async def test_the_operator_lists_all_or_one_organizations(desk: Desk, receiver: Receiver) -> None:
    ours = await desk.subscribe(receiver.url())
    theirs = await desk.subscribe(receiver.url(), STRANGER, organization_id=OTHER)
    async with desk.as_viewer(OPERATOR) as raw:
        every = await subscriptions.list_own(raw, OPERATOR, organization_id=None, after=None, limit=10)
        assert every == [ours.subscription, theirs.subscription]
        assert await subscriptions.list_own(raw, OPERATOR, organization_id=OTHER, after=None, limit=10) == [theirs.subscription]
        assert await subscriptions.list_own(raw, OPERATOR, organization_id=None, after=every[0].id, limit=1) == [theirs.subscription]


# --- sending again ----------------------------------------------------------------------------------------------------------


async def redriven(desk: Desk, subscription_id: UUID, wanted: RedriveRange, **settings: int) -> Redriven:
    async with desk.as_viewer(SELF) as raw:
        done = await redrive(raw, SELF, subscription_id, wanted, now=desk.world.clock.now(), **settings)
    assert done is not None
    return done


async def test_redrive_by_number_sends_the_same_ids_again(desk: Desk, receiver: Receiver) -> None:
    world = desk.world
    shown = await desk.subscribe(receiver.url())
    await world.notify("pqrst")
    await world.drain(world.deliverer())
    first = {request.headers["webhook-id"]: request.body for request in receiver.requests}
    receiver.requests.clear()
    assert await redriven(desk, shown.subscription.id, RedriveRange(sequence_from=2, sequence_to=4)) == Redriven(3, is_complete=True)
    await world.drain(world.deliverer())
    again = [json.loads(request.body)["data"]["sequence"] for request in receiver.requests]
    assert sorted(again) == [2, 3, 4]
    assert all(first[request.headers["webhook-id"]] == request.body for request in receiver.requests)
    assert [number for sequence, number, _ in await world.attempts(shown.subscription.id) if sequence == 3] == [1, 1]


async def test_redrive_by_time_and_only_what_failed(desk: Desk, receiver: Receiver) -> None:
    world = desk.world
    shown = await desk.subscribe(receiver.url())
    began_at = world.clock.now()
    receiver.script = [answer(400), answer(200)]
    await world.notify("p")
    await world.notify("p")
    deliverer = world.deliverer()
    await world.drain(deliverer)
    world.later(hours=1)
    receiver.script = [answer(400)]
    await world.notify("p")
    await world.drain(deliverer)
    assert await world.states(shown.subscription.id) == {1: "failed", 2: "delivered", 3: "failed"}
    early = RedriveRange(created_from=began_at, created_to=began_at + timedelta(minutes=1), failed_only=True)
    assert (await redriven(desk, shown.subscription.id, early)).queued == 1
    assert await world.states(shown.subscription.id) == {1: "pending", 2: "delivered", 3: "failed"}
    await world.drain(deliverer)
    assert await world.states(shown.subscription.id) == {1: "delivered", 2: "delivered", 3: "failed"}


async def test_redrive_reaches_back_before_the_subscription_and_keeps_its_types(desk: Desk, receiver: Receiver) -> None:
    world = desk.world
    await world.notify("pq", type_=NotificationType.ADMITTED)
    await world.notify("pq")
    shown = await desk.subscribe(receiver.url(), event_types=(NotificationType.DISCHARGED,))
    assert (await redriven(desk, shown.subscription.id, RedriveRange())).queued == 2
    await world.drain(world.deliverer())
    assert await world.states(shown.subscription.id) == {3: "delivered", 4: "delivered"}


async def test_redrive_goes_page_by_page(desk: Desk, receiver: Receiver) -> None:
    world = desk.world
    shown = await desk.subscribe(receiver.url(), start_after=0)
    await world.notify("abcde")
    await world.drain(world.deliverer())
    assert await redriven(desk, shown.subscription.id, RedriveRange(), limit=3) == Redriven(3, is_complete=False)
    assert list((await world.states(shown.subscription.id)).values()).count("pending") == 3
    assert await redriven(desk, shown.subscription.id, RedriveRange(sequence_from=4), limit=3) == Redriven(2, is_complete=True)


async def test_redrive_leaves_alone_what_is_being_sent_and_what_was_withdrawn(desk: Desk, receiver: Receiver) -> None:
    world = desk.world
    shown = await desk.subscribe(receiver.url())
    (gone,) = await world.notify("p")
    world.withdrawn.add(gone)
    await world.drain(world.deliverer())
    await world.notify("q")
    worker = world.deliverer()
    (assignment,), _ = await worker._claim()
    assert (await redriven(desk, shown.subscription.id, RedriveRange())).queued == 0
    assert (await worker._record([await worker._send(assignment)])).recorded == 1
    assert await world.states(shown.subscription.id) == {1: "withdrawn", 2: "delivered"}


async def test_redrive_takes_over_from_a_worker_that_died(desk: Desk, receiver: Receiver) -> None:
    world = desk.world
    shown = await desk.subscribe(receiver.url())
    await world.notify("p")
    dead = world.deliverer()
    (assignment,), _ = await dead._claim()
    sent = await dead._send(assignment)
    await world.leases_run_out()
    assert (await redriven(desk, shown.subscription.id, RedriveRange())).queued == 1
    assert (await dead._record([sent])).recorded == 0, "its fence is old"
    await world.drain(world.deliverer())
    assert await world.attempts(shown.subscription.id) == [(1, 1, "delivered")]
    assert len(receiver.requests) == 2


# --- looking ----------------------------------------------------------------------------------------------------------------


async def test_the_owner_sees_deliveries_with_their_attempts(desk: Desk, receiver: Receiver) -> None:
    world = desk.world
    shown = await desk.subscribe(receiver.url())
    receiver.script = [answer(503, b"try later", retry_after="60")]
    ids = await world.notify("p")
    ids += await world.notify("p")
    deliverer = world.deliverer()
    await world.drain(deliverer)
    world.later(seconds=61)
    async with desk.as_viewer(SELF) as raw:
        waiting = await delivery_reads.list_deliveries(raw, shown.subscription.id, state=DeliveryState.PENDING, after=0, limit=10)
    assert [(one.sequence, one.attempt_count) for one in waiting] == [(1, 1), (2, 0)]
    assert waiting[0].next_attempt_at == world.clock.now() - timedelta(seconds=1)
    await world.drain(deliverer)
    async with desk.as_viewer(SELF) as raw:
        first, second = await delivery_reads.list_deliveries(raw, shown.subscription.id, state=None, after=0, limit=10)
        assert await delivery_reads.list_deliveries(raw, shown.subscription.id, state=None, after=1, limit=10) == [second]
        assert await delivery_reads.list_deliveries(raw, shown.subscription.id, state=None, after=0, limit=1) == [first]
    async with desk.as_viewer(STRANGER) as raw:
        assert await delivery_reads.list_deliveries(raw, shown.subscription.id, state=None, after=0, limit=10) == []
    assert (first.notification_id, first.type, first.state) == (ids[0], "encounter.discharged", DeliveryState.DELIVERED)
    assert (first.next_attempt_at, first.finished_at) == (None, world.clock.now())
    tried, delivered = first.attempts
    assert (tried.number, tried.outcome, tried.status_code, tried.response_excerpt) == (1, "unavailable", 503, "try later")
    assert (delivered.number, delivered.outcome, delivered.response_excerpt) == (2, "delivered", None)


async def test_what_waits_too_long_is_found_for_its_owner_and_for_people(desk: Desk, receiver: Receiver) -> None:
    world = desk.world
    late = await desk.subscribe(receiver.url())
    receiver.behaviour = answer(500)
    ids = await world.notify("pq")
    await world.drain(world.deliverer())
    began_at = world.clock.now()
    async with world.transaction() as raw:
        assert await delivery_reads.behind(raw, began_at - timedelta(seconds=1)) == []
        (found,) = await delivery_reads.behind(raw, began_at)
        assert (found.subscription_id, found.organization_id, found.pending, found.waiting_since) == (
            late.subscription.id,
            HOME,
            2,
            began_at,
        )
        assert await delivery_reads.undelivered(raw, HOME, began_at, limit=10) == ids
        assert await delivery_reads.undelivered(raw, OTHER, began_at, limit=10) == []
        await raw.execute(
            "insert into notification_acknowledgement (notification_id, recipient_id, acknowledged_at) values ($1, $2, $3)",
            ids[0],
            HOME,
            began_at,
        )
        assert await delivery_reads.undelivered(raw, HOME, began_at, limit=10) == ids[1:]
    async with receiving() as other:
        await desk.subscribe(other.url(), start_after=0)
        await world.drain(world.deliverer())
    async with world.transaction() as raw:
        assert await delivery_reads.undelivered(raw, HOME, began_at, limit=10) == [], "another endpoint of the home took it"

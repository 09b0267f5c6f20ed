"""Room 8 with real PostgreSQL and real receivers: order, retries, breakers, withdrawal, crashes and workers side by side."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.webhook.signing import verify
from app.actions.deliver import Deliverer
from app.actions.notice_delays import notice_delays
from app.actions.send_test import send_test
from app.actions.subscribe import resume
from app.domain.delivery import AttemptOutcome, AttemptResult, OrderMode, WebhookRequest
from app.domain.happening import NotificationType
from app.domain.public_id import Kind, public_id
from app.domain.subscription import SealedSecret
from app.domain.viewer import OPERATOR
from app.store import subscriptions
from app.store.raw import Raw
from tests.actions.delivery_world import DeliveryWorld, delivery_world
from tests.adapters.webhook import receiver as behaviours
from tests.adapters.webhook.receiver import Receiver, after, answer, receiving
from tests.support.databases import Database


@pytest.fixture
async def world(engine_work: AsyncEngine) -> AsyncIterator[DeliveryWorld]:
    async with delivery_world(engine_work) as made:
        yield made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@asynccontextmanager
async def running(*workers: Deliverer) -> AsyncIterator[None]:
    """Run workers meanwhile; then stop them and wait until they have put everything down."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(worker.run(stop)) for worker in workers]
    yield
    stop.set()
    await asyncio.gather(*tasks)


def sequences(receiver: Receiver) -> list[int]:
    return [json.loads(request.body)["data"]["sequence"] for request in receiver.requests]


# --- one delivery -----------------------------------------------------------------------------------------------------------


async def test_a_notification_arrives_signed_and_its_attempt_is_recorded(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    (notification,) = await world.notify("p")
    done = await world.deliverer().deliver_once()
    assert (done.fanned_out, done.claimed, done.recorded, done.withdrawn) == (1, 1, 1, 0)
    assert done.outcomes == {AttemptOutcome.DELIVERED: 1}
    (request,) = receiver.requests
    verify(request.headers, request.body, [shown.secret], world.clock.now())
    assert request.headers["webhook-id"] == public_id(Kind.NOTIFICATION, notification)
    body = json.loads(request.body)
    assert body["type"] == "encounter.discharged"
    assert body["timestamp"] == world.clock.now().isoformat()
    assert (body["data"]["sequence"], body["data"]["person"]["last_name"]) == (1, "Testpatient")
    assert await world.states(shown.subscription.id) == {1: "delivered"}
    assert await world.attempts(shown.subscription.id) == [(1, 1, "delivered")]
    assert (await world.find(shown.subscription.id)).last_success_at == world.clock.now()
    assert (await world.deliverer().deliver_once()).idle
    assert world.defects == []


async def test_a_subscription_begins_where_it_is_told(world: DeliveryWorld, receiver: Receiver) -> None:
    await world.notify("pqr")
    from_now = await world.subscribe(receiver.url("/now"))
    from_one = await world.subscribe(receiver.url("/one"), start_after=1)
    from_start = await world.subscribe(receiver.url("/start"), start_after=0)
    beyond = await world.subscribe(receiver.url("/beyond"), start_after=99)
    await world.notify("s")
    await world.drain(world.deliverer())
    assert await world.states(from_now.subscription.id) == {4: "delivered"}
    assert await world.states(from_one.subscription.id) == dict.fromkeys([2, 3, 4], "delivered")
    assert await world.states(from_start.subscription.id) == dict.fromkeys([1, 2, 3, 4], "delivered")
    assert await world.states(beyond.subscription.id) == {4: "delivered"}


async def test_event_types_choose_and_corrections_follow_what_they_correct(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url(), types=[NotificationType.DISCHARGED])
    await world.notify("pp", events="ab", type_=NotificationType.ADMITTED)
    await world.notify("p", events="c")
    await world.notify("p", events="c", version=2, type_=NotificationType.UPDATED)
    await world.notify("p", events="a", version=2, type_=NotificationType.UPDATED)
    await world.notify("p", events="c", version=3, type_=NotificationType.CANCELLED)
    await world.drain(world.deliverer())
    assert list(await world.states(shown.subscription.id)) == [3, 4, 6]
    assert sequences(receiver) == [3, 4, 6]


async def test_nobody_gets_another_organizations_notifications(world: DeliveryWorld, receiver: Receiver) -> None:
    other = UUID(int=0xA11)
    await world.add_organization(other, "Other home")
    await world.subscribe(receiver.url("/ours"))
    await world.subscribe(receiver.url("/theirs"), organization=other)
    await world.notify("p", organization=other)
    await world.drain(world.deliverer())
    assert [request.target for request in receiver.requests] == ["/theirs"]


# --- may they still be told -------------------------------------------------------------------------------------------------


async def test_what_may_no_longer_be_told_is_not_sent(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    first, _, third = await world.notify("pqp")
    world.withdrawn |= {first, third}
    await world.drain(world.deliverer())
    assert await world.states(shown.subscription.id) == {1: "withdrawn", 2: "delivered", 3: "withdrawn"}
    assert sequences(receiver) == [2]
    assert await world.attempts(shown.subscription.id) == [(2, 1, "delivered")]
    assert await world.column("attempts", shown.subscription.id) == [0, 1, 0]


async def test_it_is_asked_again_between_two_attempts(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    (notification,) = await world.notify("p")
    receiver.behaviour = answer(500)
    await world.drain(world.deliverer())
    world.withdrawn.add(notification)
    receiver.behaviour = answer(200)
    world.later(seconds=10)
    await world.drain(world.deliverer())
    assert await world.states(shown.subscription.id) == {1: "withdrawn"}
    assert len(receiver.requests) == 1


# --- order ------------------------------------------------------------------------------------------------------------------


async def test_the_first_failure_stops_its_persons_line_only(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    await world.notify("pqpqp")
    receiver.script = [answer(500)]
    deliverer = world.deliverer(attempts_at_once_per_endpoint=1)
    await world.drain(deliverer)
    assert sequences(receiver) == [1, 2, 4]
    assert await world.states(shown.subscription.id) == {1: "pending", 2: "delivered", 3: "pending", 4: "delivered", 5: "pending"}
    assert await world.column("attempts", shown.subscription.id) == [1, 1, 0, 1, 0], "what waits behind spends nothing"
    world.later(seconds=7)
    await world.drain(deliverer)
    assert sequences(receiver) == [1, 2, 4, 1, 3, 5]
    assert receiver.requests[0].headers["webhook-id"] == receiver.requests[3].headers["webhook-id"]


async def test_latest_drops_what_a_newer_version_replaces(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url(), mode=OrderMode.LATEST)
    receiver.behaviour = answer(500)
    await world.notify("p", events="a")
    await world.drain(world.deliverer())
    await world.notify("p", events="a", version=2)
    await world.notify("p", events="b")
    await world.notify("p", events="a", version=3)
    receiver.behaviour = answer(200)
    await world.drain(world.deliverer())
    assert await world.states(shown.subscription.id) == {1: "superseded", 2: "superseded", 3: "delivered", 4: "delivered"}
    assert sequences(receiver) == [1, 3, 4]


async def test_unordered_waits_for_nothing(world: DeliveryWorld, receiver: Receiver) -> None:
    await world.subscribe(receiver.url(), mode=OrderMode.UNORDERED)
    await world.notify("ppp")
    receiver.script = [answer(500)]
    await world.drain(world.deliverer(attempts_at_once_per_endpoint=1))
    assert sequences(receiver) == [1, 2, 3]


async def test_a_refusal_is_final_and_does_not_hold_the_line(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    await world.notify("pp")
    receiver.script = [answer(422, b"no such field")]
    await world.drain(world.deliverer())
    assert await world.states(shown.subscription.id) == {1: "failed", 2: "delivered"}


# --- retries, holds, breakers -----------------------------------------------------------------------------------------------


async def test_the_whole_schedule_is_spent_and_then_it_is_over(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    receiver.behaviour = answer(500)
    await world.notify("p")
    deliverer = world.deliverer()
    for _ in range(14):
        await world.drain(deliverer)
        world.clock.set(max(await world.column("next_attempt_at", shown.subscription.id)))
    await world.drain(deliverer)
    assert len(receiver.requests) == 14
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert await world.states(shown.subscription.id) == {1: "failed"}
    assert [number for _, number, _ in await world.attempts(shown.subscription.id)] == list(range(1, 15))


async def test_retry_after_holds_the_endpoint_and_no_other(world: DeliveryWorld, receiver: Receiver) -> None:
    async with receiving() as other:
        held = await world.subscribe(receiver.url())
        await world.subscribe(other.url())
        receiver.script = [answer(429, retry_after="600")]
        deliverer = world.deliverer(attempts_at_once_per_endpoint=1, share_first=1)
        await world.notify("pq")
        await world.drain(deliverer)
        assert (len(receiver.requests), len(other.requests)) == (1, 2)
        world.later(seconds=599)
        await world.drain(deliverer)
        assert len(receiver.requests) == 1
        world.later(seconds=1)
        await world.drain(deliverer)
    assert await world.states(held.subscription.id) == {1: "delivered", 2: "delivered"}


async def test_gone_disables_and_resuming_goes_on_in_order(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    receiver.behaviour = answer(410)
    await world.notify("pp")
    deliverer = world.deliverer()
    await world.drain(deliverer)
    await world.notify("p")
    await world.drain(deliverer)
    found = await world.find(shown.subscription.id)
    assert (found.status, found.status_reason) == ("disabled", "gone")
    assert len(receiver.requests) == 1
    assert await world.column("attempts", shown.subscription.id) == [0, 0], "410 says nothing about the notification"
    receiver.behaviour = answer(200)
    await resumed(world, shown.subscription.id)
    await world.drain(deliverer)
    assert sequences(receiver) == [1, 1, 2, 3]


async def resumed(world: DeliveryWorld, subscription_id: UUID) -> None:
    async with world.transaction() as raw:
        await resume(raw, OPERATOR, subscription_id)


async def test_a_dead_endpoint_spends_a_handful_of_attempts_then_one_probe_at_a_time(world: DeliveryWorld) -> None:
    async with receiving() as gone:
        url = gone.url()
    shown = await world.subscribe(url)
    await world.notify("abcdefghijklmnopqrstuvwxyz")
    deliverer = world.deliverer(attempts_at_once_per_endpoint=1)
    await world.drain(deliverer)
    assert sum(await world.column("attempts", shown.subscription.id)) == 5
    assert (await world.find(shown.subscription.id)).health.phase == "open"
    for pause_s, attempts in ((29, 5), (1, 6), (59, 6), (1, 7), (119, 7), (1, 8)):
        world.later(seconds=pause_s)
        await world.drain(deliverer)
        assert sum(await world.column("attempts", shown.subscription.id)) == attempts


async def test_a_probe_that_succeeds_lets_everything_through(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    receiver.behaviour = answer(503)
    await world.notify("abcdefghijklmnopqrst")
    deliverer = world.deliverer(attempts_at_once_per_endpoint=1)
    await world.drain(deliverer)
    assert len(receiver.requests) == 10
    receiver.behaviour = answer(200)
    world.later(seconds=36)
    await world.drain(deliverer)
    assert set((await world.states(shown.subscription.id)).values()) == {"delivered"}
    health = (await world.find(shown.subscription.id)).health
    assert (health.phase, health.failing_since, health.openings) == ("closed", None, 0)


async def test_a_probe_whose_worker_died_is_sent_by_another(world: DeliveryWorld, receiver: Receiver) -> None:
    await world.subscribe(receiver.url())
    receiver.behaviour = answer(503)
    await world.notify("abcdefghijklm")
    await world.drain(world.deliverer())
    world.later(seconds=36)
    died = world.deliverer()
    await died._claim()
    assert (await world.deliverer().deliver_once()).claimed == 0, "one probe is one probe"
    await world.leases_run_out()
    world.later(seconds=121)
    assert (await world.deliverer().deliver_once()).claimed == 1


async def test_five_days_without_a_success_disable(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    receiver.behaviour = answer(500)
    deliverer = world.deliverer()
    for _ in range(6):
        await world.notify("p")
        await world.drain(deliverer)
        assert (await world.find(shown.subscription.id)).status == "active"
        world.later(days=0.9)
    await world.drain(deliverer)
    found = await world.find(shown.subscription.id)
    assert (found.status, found.status_reason) == ("disabled", "no_success")
    assert "delivered" not in (await world.states(shown.subscription.id)).values()


async def test_an_owner_is_told_once_each_time_an_endpoint_falls_behind(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    async with receiving() as healthy:
        await world.subscribe(healthy.url())
        deliverer = world.deliverer()

        async def told() -> list[tuple[UUID, int]]:
            async with world.transaction() as raw:
                return [(one.subscription_id, one.pending) for one in await notice_delays(raw, world.clock.now())]

        for _ in range(2):
            receiver.behaviour = answer(500)
            await world.notify("pp")
            await world.drain(deliverer)
            world.later(minutes=14, seconds=59)
            assert await told() == []
            world.later(seconds=1)
            assert await told() == [(shown.subscription.id, 2)]
            await world.drain(deliverer)
            world.later(hours=1)
            assert await told() == [], "still behind, but its owner knows"
            receiver.behaviour = answer(200)
            world.later(hours=2)
            await world.drain(deliverer)
            assert await told() == []


# --- crashes and fences -----------------------------------------------------------------------------------------------------


async def test_a_crash_after_sending_sends_the_same_id_again(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    await world.notify("p")
    crashed = world.deliverer()
    (assignment,), _ = await crashed._claim()
    await crashed._send(assignment)
    assert (await world.deliverer().deliver_once()).claimed == 0, "it is leased"
    await world.leases_run_out()
    await world.drain(world.deliverer())
    assert len(receiver.requests) == 2
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert await world.attempts(shown.subscription.id) == [(1, 2, "delivered")], "the lost attempt counts"


async def test_a_worker_that_was_frozen_past_its_lease_records_nothing(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    await world.notify("p")
    frozen, quick = world.deliverer(), world.deliverer()
    (assignment,), _ = await frozen._claim()
    sent = await frozen._send(assignment)
    await world.leases_run_out()
    receiver.behaviour = answer(400)
    await quick.deliver_once()
    assert (await frozen._record([sent])).recorded == 0
    assert await world.states(shown.subscription.id) == {1: "failed"}
    assert await world.attempts(shown.subscription.id) == [(1, 2, "refused")]


async def test_a_lease_that_ran_out_but_was_not_taken_is_still_ours(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    await world.notify("p")
    slow = world.deliverer()
    (assignment,), _ = await slow._claim()
    sent = await slow._send(assignment)
    await world.leases_run_out()
    assert (await slow._record([sent])).recorded == 1
    assert await world.states(shown.subscription.id) == {1: "delivered"}


async def test_nothing_is_sent_on_a_lease_that_is_nearly_over(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    await world.notify("p")
    await world.deliverer(lease=timedelta(seconds=25)).deliver_once()
    assert receiver.requests == []
    assert await world.column("attempts", shown.subscription.id) == [0]
    assert await world.column("lease_until", shown.subscription.id) == [None]


# --- several workers --------------------------------------------------------------------------------------------------------


async def test_workers_side_by_side_send_everything_once_and_in_order(world: DeliveryWorld) -> None:
    """Three workers, six endpoints, thirty persons: what arrives is each endpoint's whole outbox, each person's in order."""
    people = "abcdefghijklmnopqrstuvwxyz0123"
    async with receiving() as receiver:
        paths = [f"/{number}" for number in range(6)]
        for path in paths:
            await world.subscribe(receiver.url(path))
        workers = [world.deliverer(share_first=4) for _ in range(3)]
        async with running(*workers):
            for _ in range(5):
                await world.notify(people)
                for worker in workers:
                    worker.wake()
            await receiver.wait_for(len(paths) * 5 * len(people))
    arrived: dict[tuple[str, str], list[int]] = defaultdict(list)
    for request in receiver.requests:
        data = json.loads(request.body)["data"]
        arrived[request.target, data["person"]["id"]].append(data["sequence"])
    assert len(arrived) == len(paths) * len(people)
    for line in arrived.values():
        assert len(line) == 5
        assert line == sorted(set(line))
    assert world.defects == []


async def test_one_hanging_endpoint_delays_nobody(world: DeliveryWorld, receiver: Receiver) -> None:
    release = asyncio.Event()
    async with receiving(after(release, answer(200))) as hanging:
        await world.subscribe(hanging.url())
        healthy = await world.subscribe(receiver.url())
        worker = world.deliverer()
        async with running(worker):
            await world.notify("abcdefghijklmnopqrst" * 3)
            worker.wake()
            await receiver.wait_for(60)
            assert 1 <= len(hanging.requests) <= 8, "a share of attempts, no more"
            release.set()
            await hanging.wait_for(60)
    assert set((await world.states(healthy.subscription.id)).values()) == {"delivered"}


# --- running and stopping ---------------------------------------------------------------------------------------------------


async def test_stopping_finishes_what_is_sent_and_gives_the_rest_back(world: DeliveryWorld) -> None:
    release = asyncio.Event()
    async with receiving(after(release, answer(200))) as slow:
        shown = await world.subscribe(slow.url())
        await world.notify("abcdef")
        stop = asyncio.Event()
        task = asyncio.create_task(world.deliverer(attempts_at_once_per_endpoint=2).run(stop))
        await slow.wait_for(2)
        stop.set()
        release.set()
        await task
        assert len(slow.requests) == 2
    assert sorted((await world.states(shown.subscription.id)).values()) == ["delivered"] * 2 + ["pending"] * 4
    assert sum(await world.column("attempts", shown.subscription.id)) == 2
    assert await world.column("lease_until", shown.subscription.id) == [None] * 6, "another worker goes on at once"


async def test_running_polls_when_nobody_wakes_it(world: DeliveryWorld, receiver: Receiver) -> None:
    await world.subscribe(receiver.url())
    async with running(world.deliverer(poll_s=0.05)):
        await world.notify("p")
        await receiver.wait_for(1)


async def test_a_database_that_goes_away_while_sending_loses_no_result(world: DeliveryWorld, database: Database) -> None:
    release = asyncio.Event()
    async with receiving(after(release, answer(200))) as slow:
        shown = await world.subscribe(slow.url())
        await world.notify("ab")
        async with running(world.deliverer(poll_s=0.05)):
            await slow.wait_for(2)
            admin = await asyncpg.connect(database.url)
            await admin.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
            await admin.close()
            release.set()
        assert len(slow.requests) == 2
    assert set((await world.states(shown.subscription.id)).values()) == {"delivered"}
    assert world.defects == []


# --- defects of ours --------------------------------------------------------------------------------------------------------


class Stumbling:
    """A sender with a bug that one notification brings out."""

    def __init__(self, world: DeliveryWorld, bad: UUID) -> None:
        self._sender = world.sender()
        self._bad = public_id(Kind.NOTIFICATION, bad)

    async def send(self, request: WebhookRequest) -> AttemptResult:
        if request.webhook_id == self._bad:
            raise LookupError
        return await self._sender.send(request)

    def objection(self, url: str) -> str | None:
        return self._sender.objection(url)

    async def close(self) -> None:
        """Close nothing: the world does."""


@pytest.mark.parametrize("fault", ["sending", "presenting"])
async def test_a_defect_with_one_notification_keeps_no_other(world: DeliveryWorld, receiver: Receiver, fault: str) -> None:
    shown = await world.subscribe(receiver.url())
    _, bad, _ = await world.notify("pqr")
    if fault == "presenting":
        world.unpresentable.add(bad)
    deliverer = world.deliverer(Stumbling(world, bad) if fault == "sending" else None)
    await world.drain(deliverer)
    assert await world.states(shown.subscription.id) == {1: "delivered", 2: "pending", 3: "delivered"}
    assert await errors(world, shown.subscription.id) == ["defect"]
    assert len(world.defects) == 1
    world.unpresentable.clear()
    world.later(seconds=10)
    await world.drain(world.deliverer())
    assert (await world.states(shown.subscription.id))[2] == "delivered"


async def errors(world: DeliveryWorld, subscription_id: UUID) -> list[str]:
    async with world.transaction() as raw:
        rows = await raw.fetch("select error from attempt where subscription_id = $1 and error is not null", subscription_id)
    return [row["error"] for row in rows]


async def test_a_secret_that_does_not_open_is_its_own_endpoints_trouble(world: DeliveryWorld, receiver: Receiver) -> None:
    broken, fine = await world.subscribe(receiver.url("/broken")), await world.subscribe(receiver.url("/fine"))
    async with world.transaction() as raw:
        await spoil_secret(raw, broken.subscription.id)
    await world.notify("p")
    await world.drain(world.deliverer())
    assert [request.target for request in receiver.requests] == ["/fine"]
    assert await world.states(fine.subscription.id) == {1: "delivered"}
    assert await world.states(broken.subscription.id) == {1: "pending"}
    assert len(world.defects) == 1


async def spoil_secret(raw: Raw, subscription_id: UUID) -> None:
    found = await subscriptions.find(raw, OPERATOR, subscription_id, lock=True)
    assert found is not None
    await subscriptions.save(raw, replace(found, secrets=(SealedSecret(1, b"x" * 60, None),)))


async def test_what_cannot_be_recorded_keeps_no_other_result(world: DeliveryWorld, receiver: Receiver) -> None:
    """A result that the database refuses: the others of its batch are recorded one by one."""
    shown = await world.subscribe(receiver.url())
    _, bad = await world.notify("pq")
    poison = AttemptResult(AttemptOutcome.UNAVAILABLE, 0.1, status_code=2**40)

    class Poisoning(Stumbling):
        async def send(self, request: WebhookRequest) -> AttemptResult:
            return poison if request.webhook_id == self._bad else await self._sender.send(request)

    async with running(world.deliverer(Poisoning(world, bad), poll_s=0.05, record_after_s=0.2)), asyncio.timeout(20):
        while "delivered" not in (await world.states(shown.subscription.id)).values():
            await asyncio.sleep(0.02)
    assert await world.states(shown.subscription.id) == {1: "delivered", 2: "pending"}
    assert world.defects


# --- the owner's test -------------------------------------------------------------------------------------------------------


async def test_a_test_goes_out_at_once_signed_and_leaves_no_trace(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    result = await send_test(shown.subscription, world.sender(), ids=world.ids, cipher=world.cipher, now=world.clock.now())
    assert result.outcome is AttemptOutcome.DELIVERED
    (request,) = receiver.requests
    verify(request.headers, request.body, [shown.secret], world.clock.now())
    assert json.loads(request.body)["type"] == "subscription.test"
    assert await world.states(shown.subscription.id) == {}
    assert await world.find(shown.subscription.id) == shown.subscription


async def test_a_test_says_what_went_wrong(world: DeliveryWorld, receiver: Receiver) -> None:
    shown = await world.subscribe(receiver.url())
    receiver.behaviour = behaviours.reset
    result = await send_test(shown.subscription, world.sender(), ids=world.ids, cipher=world.cipher, now=world.clock.now())
    assert (result.outcome, result.fault) == (AttemptOutcome.UNKNOWN, "connection_lost")

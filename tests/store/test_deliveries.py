"""The statements of delivery: the claim is held equal to the pure rule of order, and no hot statement reads a whole table."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.delivery import DeliveryState, OrderMode, QueuedDelivery, next_turn
from app.domain.viewer import Viewer
from app.store import deliveries, delivery_reads, subscriptions
from app.store.deliveries import Room
from app.store.engine import raw_connection
from app.store.raw import Raw
from app.store.unit_of_work import unit_of_work
from tests.actions.delivery_world import HOME, DeliveryWorld, delivery_world
from tests.domain.test_delivery import NOW, queues
from tests.support.queries import QueryRecorder

LEASE = timedelta(minutes=2)


@pytest.fixture
async def world(engine_work: AsyncEngine) -> AsyncIterator[DeliveryWorld]:
    async with delivery_world(engine_work) as made:
        yield made


# --- the claim is the rule --------------------------------------------------------------------------------------------------


class UndoneError(Exception):
    """Ends a transaction without a trace."""


async def fill(raw: Raw, subscription_id: UUID, queue: list[QueuedDelivery]) -> None:
    """Store a queue as it is."""
    persons = [one.person_id for one in queue]
    await raw.execute(
        "insert into notification (id, recipient_id, sequence, event_id, type, version, tier, person_id, encounter_id, "
        "occurred_at, created_at, payload) "
        "select id, $1, sequence, event_id, 'encounter.discharged', version, 'full', person_id, event_id, $2, $2, '{}' "
        "from unnest($3::uuid[], $4::bigint[], $5::uuid[], $6::int[], $7::uuid[]) as n(id, sequence, event_id, version, person_id)",
        HOME,
        NOW,
        [one.id for one in queue],
        [one.sequence for one in queue],
        [one.event_id for one in queue],
        [one.version for one in queue],
        persons,
    )
    await raw.execute(
        "insert into delivery (subscription_id, sequence, notification_id, person_id, state, attempts, next_attempt_at, lease_until, "
        "fence) select $1, sequence, id, person_id, state, 0, next_attempt_at, case when flying then now() + interval '1 hour' end, 0 "
        "from unnest($2::bigint[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::bool[]) "
        "as d(sequence, id, person_id, state, next_attempt_at, flying)",
        subscription_id,
        [one.sequence for one in queue],
        [one.id for one in queue],
        persons,
        [one.state.value for one in queue],
        [one.next_attempt_at for one in queue],
        [one.is_in_flight for one in queue],
    )


@pytest.mark.parametrize("mode", list(OrderMode))
async def test_the_claim_takes_what_the_rule_says(world: DeliveryWorld, mode: OrderMode) -> None:
    shown = await world.subscribe("http://127.0.0.1:9/", mode=mode)
    subscription_id = shown.subscription.id

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(queues())
    async def holds(queue: list[QueuedDelivery]) -> None:
        queue = [one for one in queue if one.person_id is not None]
        expected = next_turn(queue, mode, NOW)
        with pytest.raises(UndoneError):
            async with world.transaction() as raw:
                await fill(raw, subscription_id, queue)
                busy = await subscriptions.claim_busy(raw, NOW, after=UUID(int=0), without=[], limit=10)
                if mode is OrderMode.LATEST:
                    await deliveries.supersede(raw, [subscription_id], NOW)
                claims = await deliveries.claim(raw, [Room(subscription_id, mode, 100)], NOW, LEASE)
                states = dict(await raw.fetch("select sequence, state from delivery"))
                assert {one.sequence for one in claims} == {one.sequence for one in expected.sendable}
                assert {number for number, state in states.items() if state == "superseded"} == {
                    one.sequence for one in expected.superseded
                } | {one.sequence for one in queue if one.state is DeliveryState.SUPERSEDED}
                if expected.sendable:
                    assert [one.id for one in busy] == [subscription_id], "who has something to send is found"
                again = await deliveries.claim(raw, [Room(subscription_id, mode, 100)], NOW, LEASE)
                assert again == [], "what is leased holds its line"
                raise UndoneError

    await run_given(holds)


async def run_given(holds: Any) -> None:
    """Run a property with an async body inside the test's own loop: Hypothesis calls it from a thread, the loop runs it."""
    loop = asyncio.get_running_loop()
    inner = holds.hypothesis.inner_test

    def call(*arguments: Any, **named: Any) -> None:
        asyncio.run_coroutine_threadsafe(inner(*arguments, **named), loop).result()

    holds.hypothesis.inner_test = call
    await asyncio.to_thread(holds)


# --- plans ------------------------------------------------------------------------------------------------------------------

SUBSCRIPTIONS, NOTIFICATIONS = 200, 30_000
TABLES = frozenset({"delivery", "notification", "attempt"})

_SEED = """
insert into subscription (id, organization_id, channel, url, description, event_types, order_mode, status, secrets, fanned_out_sequence,
                          breaker, created_at)
select ('00000000-0000-0000-0000-' || lpad(to_hex(s), 12, '0'))::uuid, $1, 'webhook', 'https://receiver.example/', '', '{}', 'ordered',
       'active', '[]', $2, '{}', $3
from generate_series(1, $4) s;
"""
_SEED_NOTIFICATIONS = """
insert into notification (id, recipient_id, sequence, event_id, type, version, tier, person_id, encounter_id, occurred_at, created_at,
                          payload)
select gen_random_uuid(), $1, n, gen_random_uuid(), 'encounter.discharged', 1, 'full',
       ('00000000-0000-0000-0001-' || lpad(to_hex(n % 5000), 12, '0'))::uuid, gen_random_uuid(), $2, $2, '{}'
from generate_series(1, $3) n
"""
_SEED_DELIVERIES = """
insert into delivery (subscription_id, sequence, notification_id, person_id, state, attempts, next_attempt_at, fence)
select ('00000000-0000-0000-0000-' || lpad(to_hex(1 + n.sequence % $1), 12, '0'))::uuid, n.sequence, n.id, n.person_id,
       case when n.sequence % 20 = 0 then 'pending' else 'delivered' end, 1, $2, 0
from notification n
"""
_SEED_ATTEMPTS = """
insert into attempt (id, subscription_id, sequence, number, started_at, duration_ms, outcome)
select gen_random_uuid(), subscription_id, sequence, 1, next_attempt_at, 5, 'delivered' from delivery
"""


async def seed(world: DeliveryWorld) -> None:
    """Make a network that has been running for a while: most is delivered, a twentieth waits."""
    now = world.clock.now()
    async with world.transaction() as raw:
        await raw.execute(_SEED, HOME, NOTIFICATIONS, now, SUBSCRIPTIONS)
        await raw.execute(_SEED_NOTIFICATIONS, HOME, now, NOTIFICATIONS)
        await raw.execute(_SEED_DELIVERIES, SUBSCRIPTIONS, now)
        await raw.execute(_SEED_ATTEMPTS)
        await raw.execute("insert into recipient_sequence values ($1, $2)", HOME, NOTIFICATIONS)


async def analyze(engine_owner: AsyncEngine) -> None:
    async with unit_of_work(engine_owner, None) as connection:
        await (await raw_connection(connection)).execute("analyze subscription; analyze delivery; analyze notification; analyze attempt")


def scanned_whole(plan: dict[str, Any]) -> list[str]:
    """List the big tables that a plan reads from end to end."""
    whole = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" and plan["Relation Name"] in TABLES else []
    return whole + [table for child in plan.get("Plans", ()) for table in scanned_whole(child)]


def indexes(plan: dict[str, Any]) -> set[str]:
    """Name the indexes that a plan uses."""
    own = {plan["Index Name"]} if "Index Name" in plan else set()
    return own.union(*(indexes(child) for child in plan.get("Plans", ())))


async def explain(raw: Raw, statement: str, *arguments: Any) -> dict[str, Any]:
    (row,) = await raw.fetch(f"explain (format json) {statement}", *arguments)
    document = row[0]
    plan: dict[str, Any] = (json.loads(document) if isinstance(document, str) else document)[0]["Plan"]
    return plan


@pytest.mark.plans
async def test_hot_statements_use_their_indexes(world: DeliveryWorld, engine_owner: AsyncEngine) -> None:
    await seed(world)
    await analyze(engine_owner)
    now, one = world.clock.now(), UUID(int=1)
    ids, many = [UUID(int=number) for number in range(1, 33)], 32
    finish = ([one] * many, list(range(many)), [1] * many, ["delivered"] * many, [None] * many, [now] * many, [1] * many)
    record = (ids, [now] * many, [5] * many, ["delivered"] * many, [200] * many, [None] * many, [None] * many, [1] * many)
    cases: list[tuple[str, tuple[Any, ...], set[str]]] = [
        (deliveries._FAN_OUT, (now, 1000, 64), {"uq_notification_sequence"}),
        (subscriptions._CLAIM_BUSY, (now, one, [], 64), {"ix_delivery_pending"}),
        (deliveries._CLAIM, (ids, [True] * many, [8] * many, now, LEASE), {"ix_delivery_pending", "ix_delivery_person", "pk_delivery"}),
        (deliveries._SUPERSEDE, ([one], now), {"ix_delivery_person"}),
        (deliveries._FINISH, (*finish, *record), {"pk_delivery"}),
        (deliveries._GIVE_BACK, ([one] * many, list(range(many)), [1] * many, "pending", None), {"pk_delivery"}),
        (deliveries._REDRIVE, (one, now, 1, 100, None, None, False, 1000), {"uq_notification_sequence"}),
        (delivery_reads._DELIVERIES, (one, 0, None, 100), {"pk_delivery"}),
        (delivery_reads._ATTEMPTS, (one, [1, 2, 3]), {"ix_attempt_delivery"}),
    ]
    async with world.transaction() as raw:
        for statement, arguments, expected in cases:
            plan = await explain(raw, statement, *arguments)
            assert scanned_whole(plan) == [], statement
            assert expected <= indexes(plan), (statement, indexes(plan))


@pytest.mark.plans
async def test_the_owners_reads_use_their_indexes_under_the_policy(
    world: DeliveryWorld, engine_owner: AsyncEngine, engine_app: AsyncEngine
) -> None:
    await seed(world)
    await analyze(engine_owner)
    now, one = world.clock.now(), UUID(int=1)
    async with unit_of_work(engine_app, Viewer(HOME, frozenset())) as connection:
        raw = await raw_connection(connection)
        for statement, arguments, expected in (
            (delivery_reads._DELIVERIES, (one, 0, None, 100), "pk_delivery"),
            (delivery_reads._ATTEMPTS, (one, [1, 2, 3]), "ix_attempt_delivery"),
            (deliveries._REDRIVE, (one, now, 1, 100, None, None, False, 1000), "uq_notification_sequence"),
        ):
            plan = await explain(raw, statement, *arguments)
            assert scanned_whole(plan) == [], statement
            assert expected in indexes(plan), (statement, indexes(plan))


async def test_a_round_takes_a_fixed_number_of_statements(world: DeliveryWorld, queries: QueryRecorder) -> None:
    """However many endpoints and notifications: batches decide everything (performance, P5)."""
    counts = []
    for subscribers, notified in ((1, "p"), (1, "q"), (20, "abcdefghij")):
        for _ in range(subscribers):
            await world.subscribe("http://127.0.0.1:9/")
        await world.notify(notified)
        with queries.recording() as statements:
            await world.deliverer()._claim()
        counts.append(len(statements))
    # The first round of a connection also looks up types.
    assert counts[1] == counts[2] <= 4, counts

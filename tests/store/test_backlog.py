"""What waits, as `doctor`, `/metrics` and the demo see it."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.store.backlog import read_backlog, received_at
from app.store.inspection import inspect
from app.store.roles import Network
from tests.support.databases import Database


def test_an_id_knows_when_it_was_made() -> None:
    before = datetime.now(UTC)
    made = received_at(wiring.SystemIds().new())
    assert before - timedelta(milliseconds=2) <= made <= datetime.now(UTC) + timedelta(milliseconds=2)


async def test_what_waits_is_counted_with_its_age(engine_work: AsyncEngine) -> None:
    ids = wiring.SystemIds()
    oldest = ids.new()
    async with wiring.open_transaction(engine_work)() as raw:
        empty = await read_backlog(raw)
        await raw.executemany(
            "insert into inbound_queue (message_id, lane, attempts) values ($1, $2, $3)", [(oldest, 1, 0), (ids.new(), 2, 1)]
        )
        await raw.execute(
            "insert into match_pending (record_id, has_question) values (gen_random_uuid(), false), (gen_random_uuid(), true)"
        )
        found = await read_backlog(raw)
        now = await raw.fetchval("select now()")
    assert (empty.comparisons, empty.oldest_comparison_s(now), empty.oldest_s(now)) == (0, 0, 0)
    assert (found.comparisons, found.oldest_comparison_at) == (2, now)
    assert found.oldest_comparison_s(now + timedelta(minutes=1)) == 60
    assert (empty.messages, empty.oldest_at, empty.deliveries, empty.stalled) == (0, None, 0, 0)
    assert (found.messages, found.oldest_at, found.taken_up) == (2, received_at(oldest), 1)


async def test_an_inspection_says_what_the_server_is(database: Database) -> None:
    found = await inspect(database.url, database.network)
    assert found.version >= 160_000
    assert found.roles_missing == ()
    assert found.flushes_per_s > 0
    assert 0 < found.connections <= found.connections_max


async def test_roles_that_are_not_there_are_named(database: Database) -> None:
    found = await inspect(database.url, Network("never_made"))
    assert found.roles_missing == ("never_made_owner", "never_made_work", "never_made_app")

"""The audit chain against real PostgreSQL: late commits with low ids, tampering by the owner, forged links, removed links.

The hashes are computed anew here, row by row, in another language than the database's.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.cipher.ed25519 import Ed25519Signer, is_signed
from app import wiring
from app.actions.verify_audit import Verified, verify_audit
from app.domain.audit_chain import GENESIS, Break, Broken, Link, Rows, broken_at, link_hash
from app.pipeline.audit_chain import AuditChain
from app.store import audit_chain
from app.store.engine import make_engine, raw_connection
from app.store.roles import Role
from app.store.unit_of_work import unit_of_work
from tests.support.databases import NETWORK, Database
from tests.support.fakes import FakeClock

SIGNER = Ed25519Signer(bytes(range(32)))
AT = datetime(2026, 3, 2, 15, tzinfo=UTC)
INSERT = (
    "insert into audit_event (id, recorded_at, kind, action, door, purpose, people, targets, outcome, trace_id) "
    "values ($1, $2, 'read', 'show_stay', 'http', 'TREAT', $3, '{}', 'success', 'sample')"
)


def chain_of(engine: AsyncEngine, span_max: int = 2_000) -> AuditChain:
    """Give what links, as a worker has it."""
    return AuditChain(wiring.open_transaction(engine), FakeClock(), 7, SIGNER, span_max)


async def write(engine: AsyncEngine, *numbers: int) -> None:
    """Write rows with these ids, in one transaction."""
    async with unit_of_work(engine, None) as connection:
        raw = await raw_connection(connection)
        for number in numbers:
            await raw.execute(INSERT, UUID(int=number), AT, [UUID(int=9)])


async def link_all(chain: AuditChain) -> int:
    """Link until there is nothing to link; give how many rows were."""
    rows = 0
    while True:
        linked = await chain.link_once()
        rows += linked.rows
        if not linked.has_more and not linked.rows:
            return rows


async def link_everything(engine: AsyncEngine, chain: AuditChain) -> int:
    """Link until every row is: a transaction of another test on the same server holds the horizon back, too, as long as it is open."""
    rows, ends_at = 0, time.monotonic() + 60
    while True:
        rows += await link_all(chain)
        async with unit_of_work(engine, None) as connection:
            left, _ = await audit_chain.unlinked(await raw_connection(connection))
        if not left:
            return rows
        assert time.monotonic() < ends_at, f"{left} rows wait for a transaction that stays open"
        await asyncio.sleep(0.05)


async def verified(engine: AsyncEngine) -> Verified:
    """Check everything."""
    async with unit_of_work(engine, None) as connection:
        return await verify_audit(await raw_connection(connection), SIGNER)


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """The owner, who has given itself back the right to change what is only added to."""
    connection = await asyncpg.connect(database.url)
    await connection.execute(f"SET ROLE {NETWORK.role(Role.OWNER)}; SET search_path = {NETWORK.name}")
    tables = "audit_event, audit_link, disclosure, attempt"
    await connection.execute(f"GRANT UPDATE, DELETE ON {tables} TO {NETWORK.role(Role.OWNER)}")
    yield connection
    await connection.execute(f"REVOKE UPDATE, DELETE ON {tables} FROM {NETWORK.role(Role.OWNER)}")
    await connection.close()


async def test_a_late_commit_with_a_lower_id_is_linked_later_and_breaks_nothing(engine_work: AsyncEngine) -> None:
    chain = chain_of(engine_work)
    async with unit_of_work(engine_work, None) as late:
        await (await raw_connection(late)).execute(INSERT, UUID(int=1), AT, [])
        await write(engine_work, 2, 3)
        # What was committed after it began has to wait for it: nobody knows yet whether it will be there.
        assert await link_all(chain) == 0
        async with unit_of_work(engine_work, None) as connection:
            assert (await audit_chain.unlinked(await raw_connection(connection)))[0] == 2
    assert await link_everything(engine_work, chain) == 3
    found = await verified(engine_work)
    assert (found.broken, found.rows, found.unlinked_rows) == (None, 3, 0)


async def test_a_row_that_the_owner_changed_is_named(engine_work: AsyncEngine, owner: asyncpg.Connection) -> None:
    chain = chain_of(engine_work)
    for number in range(1, 10):
        await write(engine_work, 10 * number, 10 * number + 1)
        await link_everything(engine_work, chain)
    assert (await verified(engine_work)).broken is None
    await owner.execute("update audit_event set people = '{}' where id = $1", UUID(int=51))
    found = await verified(engine_work)
    assert found.broken == Broken(5, Break.CHANGED, 1)
    assert (found.table, found.row_id) == ("audit_event", UUID(int=51))


@pytest.mark.parametrize(
    ("tampering", "what"),
    [
        ("delete from audit_event where id = '00000000-0000-0000-0000-00000000001e'", Break.TAKEN),
        ("delete from audit_link where number = 2", Break.MISSING),
        ("delete from audit_link where number = 1", Break.MISSING),
        ("update audit_link set rows = rows + 1 where number = 3", Break.FORGED),
        ("update audit_link set signature = link_hash || link_hash where number = 3", Break.FORGED),
        ("update audit_event set trace_id = 'other' where id = '00000000-0000-0000-0000-00000000001e'", Break.CHANGED),
        ("update audit_event set xid = (select from_xid from audit_link where number = 1) where id::text like '%1e'",
         Break.ADDED),
    ],
)  # fmt: skip
async def test_what_the_owner_does_is_found(engine_work: AsyncEngine, owner: asyncpg.Connection, tampering: str, what: Break) -> None:
    chain = chain_of(engine_work)
    for number in range(1, 5):
        await write(engine_work, 10 * number)
        await link_everything(engine_work, chain)
    await owner.execute(tampering)
    found = await verified(engine_work)
    assert found.broken is not None
    assert found.broken.what is what


async def test_the_ledger_and_the_attempts_are_in_the_chain_too(engine_work: AsyncEngine, owner: asyncpg.Connection) -> None:
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        one = UUID(int=5)
        await raw.execute(
            "insert into disclosure (id, encounter_id, person_id, recipient_id, kind, decision, reasons, decided_at) "
            "values ($1, $1, $1, $1, 'admitted', 'suppress', '[\"sample\"]', $2)",
            one,
            AT,
        )
        await raw.execute(
            "insert into attempt (id, subscription_id, sequence, number, started_at, duration_ms, outcome) "
            "values ($1, $1, 1, 1, $2, 5, 'ok')",
            one,
            AT,
        )
    assert await link_everything(engine_work, chain_of(engine_work)) == 2
    await owner.execute("update disclosure set decision = 'full'")
    found = await verified(engine_work)
    assert (found.table, found.broken) == ("disclosure", Broken(1, Break.CHANGED, 0))


async def test_the_hashes_can_be_computed_from_the_rows_elsewhere(engine_work: AsyncEngine) -> None:
    """In Python, from the row as anybody reads it: whoever has a copy can check it against the link."""
    await write(engine_work, 2, 1)
    await link_everything(engine_work, chain_of(engine_work))
    async with unit_of_work(engine_work, None) as connection:
        head = await audit_chain.last_link(await raw_connection(connection))
    assert head is not None

    def row(number: int) -> str:
        person, id_ = UUID(int=9), UUID(int=number)
        values = ["audit_event", id_, "2026-03-02T15:00:00", "read", "show_stay", "http", None, None, None, "TREAT", [person], [], None]
        return "[" + ", ".join(_json(value) for value in [*values, "success", "sample"]) + "]"

    hashes = [hashlib.sha256(row(number).encode()).digest() for number in (1, 2)]
    assert head.rows.rows_hash == hashlib.sha256(b"".join(hashes)).digest()
    assert head.rows.leaves == b"".join(one[:8] for one in hashes)
    assert head.link_hash == link_hash(GENESIS, 1, head.from_xid, head.to_xid, head.rows)
    assert is_signed(SIGNER.public_key, head.link_hash, head.signature)


def _json(value: Any) -> str:
    if value is None:
        return "null"
    return "[" + ", ".join(_json(one) for one in value) + "]" if isinstance(value, list) else f'"{value}"'


def test_a_link_whose_rows_were_removed_is_proved_by_its_hash_alone() -> None:
    rows = Rows(1, AT, hashlib.sha256(b"sample").digest(), b"12345678")
    hash_ = link_hash(GENESIS, 1, 5, 9, rows)
    link = Link(1, 5, 9, 1, rows, hash_, SIGNER.sign(hash_), AT)
    assert broken_at(link, None, None, is_signed=True) is None
    assert broken_at(replace(link, to_xid=10), None, None, is_signed=True) == Broken(1, Break.FORGED)
    assert broken_at(link, None, replace(rows, rows_hash=b""), is_signed=True) == Broken(1, Break.CHANGED, 1)


_DONE = st.sampled_from(["begin", "write", "commit", "roll back", "link"])
_STEPS = st.lists(st.tuples(_DONE, st.integers(0, 2)), max_size=24)


@given(steps=_STEPS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_under_any_interleaving_every_committed_row_is_in_exactly_one_link(interleaved: Database, steps: list[tuple[str, int]]) -> None:
    """Three writers begin, write, commit and give up in any order, while a fourth links."""
    asyncio.run(_interleave(interleaved, steps))


@pytest.fixture
def interleaved(database: Database) -> Database:
    """The database, for a test that runs its own loops."""
    return database


async def _interleave(database: Database, steps: list[tuple[str, int]]) -> None:
    engine = make_engine(database.url, NETWORK, Role.WORK, name="tests")
    as_work = {"role": NETWORK.role(Role.WORK), "search_path": NETWORK.name}
    writers = [await asyncpg.connect(database.url, server_settings=as_work) for _ in range(3)]
    chain = chain_of(engine, span_max=3)
    open_: dict[int, list[UUID]] = {}
    committed: set[UUID] = set()
    ids = wiring.SystemIds()
    try:
        async with unit_of_work(engine, None) as connection:
            raw = await raw_connection(connection)
            before = await raw.fetchval("select count(*) from audit_event")
        for do, who in steps:
            if do == "begin" and who not in open_:
                await writers[who].execute("begin")
                open_[who] = []
            elif do == "write" and who in open_:
                # Written in the order opposite to their ids.
                made = sorted((ids.new() for _ in range(2)), reverse=True)
                for one in made:
                    await writers[who].execute(INSERT, one, AT, [])
                open_[who] += made
            elif do in ("commit", "roll back") and who in open_:
                await writers[who].execute("commit" if do == "commit" else "rollback")
                wrote = set(open_.pop(who))
                committed |= wrote if do == "commit" else set()
            elif do == "link":
                await chain.link_once()
                assert (await verified(engine)).broken is None
        for who in list(open_):
            await writers[who].execute("commit")
            committed |= set(open_.pop(who))
        await link_everything(engine, chain)
        found = await verified(engine)
        assert (found.broken, found.unlinked_rows, found.rows) == (None, 0, before + len(committed))
    finally:
        for writer in writers:
            await writer.close()
        await engine.dispose()

"""Newcomers of a roster are stored by a statement of their own, and are the people that dividing everybody comes to. Real PostgreSQL."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from app.actions.identify import identify
from app.domain.adt_event import Identifier, IdentifierType
from app.domain.identity_lock import identity_locks
from app.domain.panel import ShrinkGuard, UploadLimits, UploadMode
from app.domain.person import ADT_SOURCE, RecordClaim, demographic_key
from app.domain.shared_identifier import match_keys
from app.store.engine import raw_connection
from app.store.panel_stage import QUEUE_DEEP, REST_S, Stage, open_stage
from app.store.raw import Raw
from app.store.unit_of_work import unit_of_work
from tests.support.databases import Database
from tests.support.fakes import FakeClock, FakeIds
from tests.support.rosters import Loader, claims_of, make_organization, member, scalar
from tests.support.waiting import somebody_waits

_worlds = itertools.count(100)
MEDICAID = IdentifierType.MEDICAID.value


def _loader(engine: AsyncEngine, ids: FakeIds, number: int, *, chunk: int = 1000, newcomers_min: int = 1) -> Loader:
    limits = UploadLimits(guard=ShrinkGuard(percent_max=100), chunk_claims=chunk, newcomers_min=newcomers_min)
    return Loader(engine, ids, make_organization(number), limits)


# Few people, so that rows meet: by their own number, by Medicaid number, by name and birth date, and twice in a file.
ROW = st.builds(
    lambda person, medicaid, name, program, sex: {
        "person": person, "medicaid": medicaid, "name": name, "program": program, "sex": sex,
    },
    st.integers(0, 7), st.sampled_from(["", "", "1", "2", "3"]), st.integers(0, 5), st.sampled_from(["BHH", "TCM"]), st.sampled_from("FMU"),
)  # fmt: skip
FILE = st.lists(ROW, min_size=1, max_size=10)
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _rows(world: int, file: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """The same file for people of a world of its own."""
    return [
        member(
            row["person"],
            member_id=f"M{row['person']}",
            member_id_system=f"W{world}",
            medicaid_id=f"{world}-{row['medicaid']}" if row["medicaid"] else "",
            first_name=f"Testa{row['name']}",
            last_name=f"Sample{world:06d}",
            birth_date="1980-01-02",
            sex=row["sex"],
            program=row["program"],
        )
        for row in file
    ]


_RECORDS = """
select r.value, r.person_id, r.demographics::text as said, r.demographic_key is null as is_nameless, p.id is not null as is_somebody,
    (select array_agg(i.type || '|' || i.value order by i.type, i.value) from record_identifier i where i.record_id = r.id) as held,
    exists (select from match_pending p where p.record_id = r.id) as is_asked
from patient_record r left join person p on p.id = r.person_id
where r.source = $1 order by r.value
"""


async def _world(loader: Loader, world: int) -> Any:
    """Records as they are stored and who is one person, without the names of the world."""
    async with unit_of_work(loader.engine, None) as connection:
        raw = await raw_connection(connection)
        rows = await raw.fetch(
            _RECORDS,
            str(loader.organization.id),
        )
    people: defaultdict[Any, list[str]] = defaultdict(list)
    for row in rows:
        people[row["person_id"]].append(row["value"])
    plain = [tuple(value for name, value in row.items() if name != "person_id") for row in rows]
    told = str(plain).replace(f"W{world}", "W").replace(f"{world}-", "").replace(f"Sample{world:06d}", "Sample")
    return sorted(people.values()), told, await claims_of(loader.engine, loader.organization.id)


@FEW
@given(files=st.lists(FILE, min_size=1, max_size=3), chunk=st.integers(1, 6), mode=st.sampled_from(UploadMode))
async def test_in_chunks_of_any_size_a_roster_comes_to_what_it_comes_to_at_once(
    engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock, files: list[Any], chunk: int, mode: UploadMode
) -> None:
    """As newcomers in small chunks, as newcomers at once, and by the division of everybody."""
    at, found, results = clock.now(), [], []
    for some, least in ((chunk, 1), (1000, 1), (1000, 10_000)):
        world = next(_worlds)
        loader = _loader(engine_work, ids, world, chunk=some, newcomers_min=least)
        results.append([(await loader.load(_rows(world, file), at, mode, force=True)).summary() for file in files])
        found.append(await _world(loader, world))
    assert found[0] == found[1] == found[2]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("by", ["number", "demographics", "own name"])
async def test_who_is_known_already_is_met(engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock, by: str) -> None:
    """By a hospital's Medicaid number, by name, birth date and sex, or by an earlier row about another claim."""
    rows = [member(number, medicaid_id=f"8000{number}") for number in range(1, 5)]
    loader = _loader(engine_work, ids, next(_worlds))
    if by == "own name":
        await loader.load([rows[1] | {"program": "TCM"}], clock.now())
    else:
        known = Identifier("HOSP", MEDICAID if by == "number" else "MR", "80002")
        facts = {name: rows[1][name] for name in ("first_name", "last_name", "birth_date", "sex")} if by == "demographics" else {}
        async with unit_of_work(engine_work, None) as connection:
            raw = await raw_connection(connection)
            await identify(raw, [RecordClaim(ADT_SOURCE, known, (known,), "1", facts)], ids=ids, now=clock.now())
    before = await scalar(engine_work, "select id from person")
    result = await loader.load(rows, clock.advance(hours=1), UploadMode.DELTA)
    assert result.difference.added == 4
    assert (
        await scalar(engine_work, "select person_id from panel_member where row ->> 'member_id' = 'M00002' and program = 'BHH'") == before
    )
    assert await scalar(engine_work, "select count(distinct person_id) from panel_member") == 4
    assert await scalar(engine_work, "select count(*) from person") == 4


# Claims of a first roster are made while it is read, those of any other chunk by chunk.
ON_A_PANEL = pytest.mark.parametrize("is_first", [True, False])


@ON_A_PANEL
async def test_nobody_is_missed_who_comes_by_the_feed_meanwhile(
    engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock, database: Database, is_first: bool
) -> None:
    """The feed has locked the number of a patient whom it is storing; the roster waits, and then finds the person."""
    patient = Identifier("HOSP", MEDICAID, "80002")
    other = await asyncpg.connect(database.url, server_settings={"search_path": "handoff", "role": "handoff_work"})
    loader = _loader(engine_work, ids, next(_worlds))
    await _begin(loader, clock, is_first=is_first)
    try:
        async with asyncio.timeout(30):
            batch = other.transaction()
            await batch.start()
            (resolved,) = await identify(other, [RecordClaim(ADT_SOURCE, patient, (patient,), "1", {})], ids=ids, now=clock.now())
            rows = [member(number, medicaid_id=f"8000{number}") for number in range(1, 4)]
            loading = asyncio.create_task(loader.load(rows, clock.advance(hours=1), UploadMode.DELTA))
            while not await scalar(engine_work, somebody_waits("advisory")):
                assert not loading.done()
                await asyncio.sleep(0.01)
            await batch.commit()
            await loading
    finally:
        await other.close()
    assert await scalar(engine_work, "select person_id from panel_member where row ->> 'member_id' = 'M00002'") == resolved.person_id


@ON_A_PANEL
async def test_the_feed_waits_for_a_newcomer_who_is_being_stored(
    engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock, database: Database, is_first: bool
) -> None:
    """What a chunk locks is what a message about one of its people locks."""
    row = member(1, medicaid_id="80001")
    facts = {name: row[name] for name in ("first_name", "last_name", "birth_date", "sex")}
    identifiers = (Identifier("HOSP", MEDICAID, "80001"),)
    theirs = set(identity_locks(ADT_SOURCE, identifiers[0], match_keys(identifiers), demographic_key(facts)))
    loader = _loader(engine_work, ids, next(_worlds))
    await _begin(loader, clock, is_first=is_first)
    other = await asyncpg.connect(database.url, server_settings={"search_path": "handoff", "role": "handoff_work"})
    try:
        async with other.transaction(), asyncio.timeout(30):
            # Whoever inserts a person waits for this, with the locks of the chunk in hand.
            await other.execute("lock table person in share mode")
            loading = asyncio.create_task(loader.load([row], clock.advance(hours=1), UploadMode.DELTA))
            while not await scalar(engine_work, somebody_waits("relation")):
                assert not loading.done()
                await asyncio.sleep(0.01)
            held = [lock for lock in theirs if not await other.fetchval("select pg_try_advisory_xact_lock($1)", lock)]
        await loading
    finally:
        await other.close()
    # The number without its authority, and the demographics; the hospital's authority is none of the roster's.
    assert len(held) == 2


async def _begin(loader: Loader, clock: FakeClock, *, is_first: bool) -> None:
    await loader.make()
    if not is_first:
        await loader.load([member(99)], clock.now())


async def test_the_rows_of_a_first_roster_are_not_fetched_to_find_their_people(
    engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock
) -> None:
    """But for those who meet somebody; and a later roster's are."""
    fetched: list[int] = []

    @asynccontextmanager
    async def open_watched(whose: UUID) -> AsyncIterator[Stage]:
        async with open_stage(engine_work, whose) as stage:
            for name in ("rows", "unidentified"):
                setattr(stage, name, watched(getattr(stage, name)))
            yield stage

    def watched(fetch: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def noted(*values: Any) -> Any:
            rows = await fetch(*values)
            fetched.extend(row.number for row in rows)
            return rows

        return noted

    loader = _loader(engine_work, ids, next(_worlds), chunk=4)
    loader.services = replace(loader.services, open_stage=open_watched)
    await loader.load([*map(member, range(1, 6)), member(6), member(6, program="TCM"), member(1, program="TCM")], clock.now())
    assert sorted(fetched) == [7, 8, 9]
    fetched.clear()
    await loader.load([member(7)], clock.advance(hours=1), UploadMode.DELTA)
    assert fetched == [2]
    assert await scalar(engine_work, "select count(*) from patient_record") == 7


async def test_a_chunk_that_fails_admits_nobody(engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock) -> None:
    """The rows of one chunk are admitted together, and those of an upload that dies are found again by the next."""
    loader = _loader(engine_work, ids, next(_worlds), chunk=2)

    calls = itertools.count()

    async def dying(*_: Any, **__: Any) -> Any:
        next(calls)
        raise LookupError

    await loader.make()
    # The last chunk has one person in two rows, who is no newcomer.
    rows = [member(number) for number in range(1, 5)] + [member(5), member(5, program="TCM")]
    whole, loader.services = loader.services, replace(loader.services, identify=dying)
    with pytest.raises(LookupError):
        await loader.load(rows, clock.now())
    assert next(calls) == 1
    assert await scalar(engine_work, "select count(*) from patient_record") == 4
    assert await scalar(engine_work, "select count(*) from panel_member") == 0
    loader.services = whole
    assert (await loader.load(rows, clock.advance(hours=1))).difference.added == 6
    assert await scalar(engine_work, "select count(*) from patient_record") == 5
    assert await scalar(engine_work, "select count(distinct person_id) from panel_member") == 5


@pytest.mark.parametrize(("waiting", "rests"), [(QUEUE_DEEP, 0), (QUEUE_DEEP + 1, 3)])
async def test_a_roster_makes_room_between_chunks_while_many_messages_wait(
    engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, waiting: int, rests: int
) -> None:
    """And it goes on though they never stop."""
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute(
            "insert into inbound_queue (message_id, lane) select gen_random_uuid(), 0 from generate_series(1, $1::int)", waiting
        )
    slept: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", noted)
    loader = _loader(engine_work, ids, next(_worlds), chunk=2)
    result = await loader.load([member(number) for number in range(1, 7)], clock.now())
    assert result.difference.added == 6
    assert slept.count(REST_S) == rests


async def test_people_are_stored_without_waiting_for_the_disk_and_the_panel_is_not(
    engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock
) -> None:
    """The commit that changes the panel takes those before it to the disk."""
    loader = _loader(engine_work, ids, next(_worlds))
    seen: dict[str, str] = {}

    @asynccontextmanager
    async def open_watched(whose: UUID) -> AsyncIterator[Stage]:
        async with open_stage(engine_work, whose) as stage:
            await stage._raw.execute("set synchronous_commit = on")
            for name in ("admit", "save_records", "apply"):
                setattr(stage, name, watched(name, getattr(stage, name)))
            yield stage
            await stage._raw.execute("reset synchronous_commit")

    def watched(name: str, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def noted(raw: Raw, *values: Any, **named: Any) -> Any:
            seen[name] = await raw.fetchval("show synchronous_commit")
            return await step(raw, *values, **named)

        return noted

    loader.services = replace(loader.services, open_stage=open_watched)
    result = await loader.load([member(1), member(2), member(2, program="TCM")], clock.now())
    assert result.difference.added == 3
    assert seen == {"admit": "off", "save_records": "off", "apply": "on"}

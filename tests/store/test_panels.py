"""Reading panels: the day, the instant, the page, the identifier; who may see it; and the plans of the statements. Real PostgreSQL."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import Select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine

from app.actions.identify import identify
from app.domain.adt_event import Identifier
from app.domain.organization import OrganizationKind
from app.domain.panel import PanelMember, UploadMode
from app.domain.person import ADT_SOURCE, RecordClaim
from app.domain.roster import RawRow, layout_of
from app.domain.roster_row import RosterRow, RowReader
from app.domain.viewer import OPERATOR, Viewer
from app.store.engine import raw_connection
from app.store.panel_stage import _UNIDENTIFIED, open_stage
from app.store.panels import (
    find_members,
    find_members_statement,
    find_upload,
    members,
    members_statement,
    refusals,
    uploads,
)
from app.store.unit_of_work import unit_of_work
from tests.support.databases import Database
from tests.support.fakes import FakeClock, FakeIds
from tests.support.rosters import HEADER, Loader, make_organization, member

TODAY = date(2026, 3, 2)


def viewer(number: int) -> Viewer:
    """Whoever holds a key of organization `number`."""
    return Viewer(organization_id=UUID(int=number), scopes=frozenset())


@pytest.fixture
def home(engine_work: AsyncEngine, ids: FakeIds) -> Loader:
    """A health home."""
    return Loader(engine_work, ids, make_organization(1))


@pytest.fixture
def plan(engine_work: AsyncEngine, ids: FakeIds) -> Loader:
    """A plan."""
    return Loader(engine_work, ids, make_organization(2, OrganizationKind.PLAN))


async def _members(engine: AsyncEngine, who: Viewer, organization: int = 1, day: date = TODAY, **asked: Any) -> list[PanelMember]:
    async with unit_of_work(engine, who) as connection:
        return await members(connection, who, UUID(int=organization), as_of=day, **asked)


def _names(found: list[PanelMember]) -> list[str]:
    return [claim.cells["member_id"] for claim in found]


@pytest.mark.parametrize(
    ("day", "names"),
    [
        (date(2025, 12, 31), []),
        (date(2026, 1, 1), ["M00001", "M00002"]),
        (date(2026, 2, 28), ["M00001", "M00002"]),
        (date(2026, 3, 1), ["M00001"]),
        (date(2026, 6, 1), ["M00001", "M00003"]),
    ],
)
async def test_members_of_a_day(home: Loader, engine_app: AsyncEngine, clock: FakeClock, day: date, names: list[str]) -> None:
    """The first day counts, the end does not."""
    await home.load([member(1), member(2, effective_to="2026-03-01"), member(3, effective_from="2026-06-01")], clock.now())
    assert _names(await _members(engine_app, viewer(1), day=day)) == names


async def test_a_member_is_given_whole(home: Loader, engine_app: AsyncEngine, clock: FakeClock) -> None:
    result = await home.load([member(1, coordinator="Coordinator One", plan_id="P1", effective_to="2026-09-01")], clock.now())
    (claim,) = await _members(engine_app, viewer(1))
    assert (claim.organization_id, claim.program, claim.role) == (UUID(int=1), "BHH", "health_home")
    assert (claim.effective_from, claim.effective_to) == (date(2026, 1, 1), date(2026, 9, 1))
    assert (claim.coordinator, claim.plan_id, claim.upload_id) == ("Coordinator One", "P1", result.id)
    assert (claim.asserted_at, claim.retracted_at) == (clock.now(), None)
    assert claim.cells["last_name"] == "Sample1"
    assert claim.id.version == 7


async def test_the_panel_as_it_was_known(home: Loader, engine_app: AsyncEngine, clock: FakeClock) -> None:
    """Two times: a day in the past, as we believed it then and as we know it now."""
    first = clock.now()
    await home.load([member(1), member(2, coordinator="A")], first)
    second = clock.advance(days=10)
    await home.load([member(2, coordinator="B"), member(3, effective_from="2026-02-01")], second)
    day = date(2026, 3, 5)
    assert sorted(_names(await _members(engine_app, viewer(1), day=day))) == ["M00001", "M00002", "M00003"]
    assert _names(await _members(engine_app, viewer(1), day=date(2026, 3, 12))) == ["M00002", "M00003"]
    then = await _members(engine_app, viewer(1), day=date(2026, 3, 12), known_at=first + timedelta(days=1))
    assert [(claim.cells["member_id"], claim.coordinator) for claim in then] == [("M00001", None), ("M00002", "A")]
    assert await _members(engine_app, viewer(1), day=day, known_at=first - timedelta(seconds=1)) == []
    at_the_change = await _members(engine_app, viewer(1), day=day, known_at=second)
    assert {claim.cells["member_id"]: claim.coordinator for claim in at_the_change} == {"M00001": None, "M00002": "B", "M00003": None}


async def test_pages_hold_every_member_once(home: Loader, engine_app: AsyncEngine, clock: FakeClock) -> None:
    await home.load([member(number) for number in range(1, 8)], clock.now())
    await home.load([member(3, coordinator="B"), member(9)], clock.advance(days=1), UploadMode.DELTA)
    seen: list[PanelMember] = []
    while page := await _members(engine_app, viewer(1), limit=3, after=seen[-1].id if seen else None):
        assert len(page) <= 3
        seen += page
    assert sorted(_names(seen)) == [f"M{number:05d}" for number in (1, 2, 3, 4, 5, 6, 7, 9)]


async def test_a_panel_is_seen_by_its_owner_its_grantees_and_the_operator(
    home: Loader, plan: Loader, engine_app: AsyncEngine, engine_work: AsyncEngine, clock: FakeClock
) -> None:
    await home.load([member(1), member(2, birth_date="?")], clock.now())
    await plan.load([member(1)], clock.now())
    assert _names(await _members(engine_app, viewer(1))) == ["M00001"]
    assert _names(await _members(engine_app, OPERATOR)) == ["M00001"]
    assert await _members(engine_app, viewer(2)) == []
    # The code says no by itself, where no policy is.
    assert await _members(engine_work, viewer(2)) == []
    async with unit_of_work(engine_work, None) as connection:
        await connection.execute(
            text("insert into organization_grant (organization_id, grantee_id, granted_at) values (:home, :plan, :at)"),
            {"home": UUID(int=1), "plan": UUID(int=2), "at": clock.now()},
        )
    assert _names(await _members(engine_app, viewer(2))) == ["M00001"]


async def _found(engine: AsyncEngine, who: Viewer, authority: str, value: str, organization: int = 2, **asked: Any) -> list[str]:
    async with unit_of_work(engine, who) as connection:
        return _names(
            await find_members(connection, who, UUID(int=organization), Identifier(authority, asked.pop("type", ""), value), **asked)
        )


async def _admit(engine: AsyncEngine, ids: FakeIds, medicaid: str, medical_record: str) -> None:
    """What an ADT message says of a person."""
    identifiers = (Identifier("HOSPA", "MR", medical_record), Identifier("MAINECARE", "MA", medicaid))
    claim = RecordClaim(ADT_SOURCE, identifiers[0], identifiers, "0", {})
    async with unit_of_work(engine, None) as connection:
        await identify(await raw_connection(connection), [claim], ids=ids, now=datetime(2026, 3, 1, tzinfo=UTC))


async def test_members_are_found_by_whatever_any_source_calls_them(
    plan: Loader, engine_app: AsyncEngine, engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock
) -> None:
    """The plan's question: the hospital's number and the state's, which only the ADT message gave, find the plan's member."""
    await plan.load([member(1, medicaid_id="MC1"), member(1, medicaid_id="MC1", program="TCM"), member(2, medicaid_id="MC2")], clock.now())
    await _admit(engine_work, ids, "MC1", "900")
    await _admit(engine_work, ids, "MC7", "907")
    for authority, value in [("ACME", "M00001"), (" acme ", " M00001 "), ("", "MC1"), ("MAINECARE", "MC1"), ("HOSPA", "900")]:
        assert await _found(engine_app, viewer(2), authority, value) == ["M00001", "M00001"], authority
    for authority, value in [("ACME", "MC1"), ("HOSPB", "900"), ("HOSPA", "907"), ("MAINECARE", "MC7"), ("ACME", "m00001"), ("", "")]:
        assert await _found(engine_app, viewer(2), authority, value) == [], authority
    assert await _found(engine_app, viewer(2), "HOSPA", "900", type="MR") == ["M00001", "M00001"]
    assert await _found(engine_app, viewer(2), "HOSPA", "900", type="PI") == []


async def test_only_members_of_the_panel_are_found(
    home: Loader, plan: Loader, engine_app: AsyncEngine, engine_work: AsyncEngine, clock: FakeClock
) -> None:
    await home.load([member(1)], clock.now())
    await plan.load([member(2)], clock.now())
    assert await _found(engine_app, viewer(2), "ACME", "M00001") == []
    assert await _found(engine_app, viewer(2), "ACME", "M00001", organization=1) == []
    assert await _found(engine_work, viewer(2), "ACME", "M00001", organization=1) == []
    assert await _found(engine_app, viewer(1), "ACME", "M00001", organization=1) == ["M00001"]


async def test_members_are_found_as_of_a_day_or_at_any_time(plan: Loader, engine_app: AsyncEngine, clock: FakeClock) -> None:
    await plan.load([member(1, effective_to="2026-02-01"), member(2)], clock.now())
    assert await _found(engine_app, viewer(2), "ACME", "M00001") == ["M00001"]
    assert await _found(engine_app, viewer(2), "ACME", "M00001", as_of=date(2026, 1, 31)) == ["M00001"]
    assert await _found(engine_app, viewer(2), "ACME", "M00001", as_of=TODAY) == []


async def test_past_uploads_and_their_refused_rows(home: Loader, engine_app: AsyncEngine, clock: FakeClock) -> None:
    first = await home.load([member(1), member(2, birth_date="?"), member(3, program="")], clock.now())
    tried = await home.load([member(4)], clock.advance(days=1), UploadMode.DELTA, dry_run=True)
    async with unit_of_work(engine_app, viewer(1)) as connection:
        listed = await uploads(connection, viewer(1), UUID(int=1))
        assert [(upload.id, upload.dry_run) for upload in listed] == [(tried.id, True), (first.id, False)]
        assert [upload.id for upload in await uploads(connection, viewer(1), UUID(int=1), limit=1)] == [tried.id]
        assert [upload.id for upload in await uploads(connection, viewer(1), UUID(int=1), before=tried.id)] == [first.id]
        upload = await find_upload(connection, viewer(1), first.id)
        assert upload is not None
        assert upload.summary == first.summary()
        assert (tuple(upload.header), upload.file_hash, upload.uploaded_at) == (first.header, first.file_hash, first.uploaded_at)
        found = await refusals(connection, viewer(1), first.id)
        assert [(refusal.row, refusal.cells[0]) for refusal in found] == [(3, "M00002"), (4, "M00003")]
        assert [error for refusal in found for error in refusal.errors] == list(first.errors)
        assert [refusal.row for refusal in await refusals(connection, viewer(1), first.id, after_row=3, limit=1)] == [4]
    for engine, who in ((engine_app, viewer(2)), (home.engine, viewer(2))):
        async with unit_of_work(engine, who) as connection:
            assert await uploads(connection, who, UUID(int=1)) == []
            assert await find_upload(connection, who, first.id) is None
            assert await refusals(connection, who, first.id) == []


# Plans, as the role of the API with its policies on.


async def _plan_of(engine: AsyncEngine, who: Viewer, statement: Select[Any]) -> str:
    compiled = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    async with unit_of_work(engine, who) as connection:
        # One page of a test table is read faster whole; what counts is whether the index can be used under the policy.
        await connection.execute(text("set local enable_seqscan = off"))
        lines = await connection.execute(text(f"explain (costs off) {str(compiled).replace(':', chr(92) + ':')}"))
        return "\n".join(line[0] for line in lines)


async def _crowd(plan: Loader, home: Loader, clock: FakeClock, database: Database) -> None:
    await home.load([member(number) for number in range(300)], clock.now())
    # With a past, because in time most claims are retracted ones.
    for coordinator in ("", "A", "B", "C"):
        await plan.load([member(number, coordinator=coordinator) for number in range(300)], clock.advance(days=1))
    connection = await asyncpg.connect(database.url)
    await connection.execute("set role handoff_owner; set search_path = handoff; analyze")
    await connection.close()


@pytest.mark.plans
async def test_the_plans_question_uses_its_indexes_under_the_policy(
    home: Loader, plan: Loader, engine_app: AsyncEngine, clock: FakeClock, database: Database
) -> None:
    await _crowd(plan, home, clock, database)
    who = viewer(2)
    asked = find_members_statement(who, UUID(int=2), Identifier("ACME", "", "M00001"), as_of=TODAY, limit=100)
    explained = await _plan_of(engine_app, who, asked)
    assert "pk_record_identifier" in explained
    assert "ix_panel_member_person" in explained
    assert "Seq Scan on panel_member" not in explained
    assert "Seq Scan on patient_record" not in explained


@pytest.mark.plans
@pytest.mark.parametrize(
    ("known_at", "index"), [(None, "ix_panel_member_current"), (datetime(2026, 3, 1, tzinfo=UTC), "ix_panel_member_organization")]
)
async def test_a_page_of_a_panel_uses_its_index_under_the_policy(
    home: Loader, plan: Loader, engine_app: AsyncEngine, clock: FakeClock, database: Database, known_at: datetime | None, index: str
) -> None:
    await _crowd(plan, home, clock, database)
    who = viewer(2)
    asked = members_statement(who, UUID(int=2), as_of=TODAY, known_at=known_at, after=UUID(int=5), limit=100)
    explained = await _plan_of(engine_app, who, asked)
    assert f"Index Scan using {index}" in explained
    assert "Sort" not in explained


async def test_every_chunk_of_an_upload_costs_the_same(home: Loader) -> None:
    """The rows before the chunk are not read again: both sides begin where the last chunk ended."""
    await home.make()
    reader = RowReader(layout_of(HEADER), home.organization, TODAY)
    rows = [reader.read(RawRow(number, [member(number).get(name, "") for name in HEADER])) for number in range(2, 5002)]
    taken = [row for row in rows if isinstance(row, RosterRow)]
    assert len(taken) == 5000
    async with open_stage(home.engine, home.organization.id) as stage:
        await stage.add(taken, [])
        await stage.drop_repetitions(10)
        await stage.compare(UploadMode.DELTA, TODAY)
        chunk = await stage.unidentified(4000, 500)
        assert [row.number for row in chunk] == list(range(4001, 4501))
        question = _UNIDENTIFIED.replace("$1", "4000").replace("$2", "500")
        lines = [row[0] for row in await stage._raw.fetch(f"explain {question}")]
    assert sum('Index Cond: ("row" > 4000)' in line for line in lines) == 2


async def test_a_panel_just_loaded_is_compared_in_one_pass(home: Loader, plan: Loader, clock: FakeClock, database: Database) -> None:
    """The statistics know only of another panel, so this one looks like one row: every staged row was paired with every claim."""
    await plan.load([member(1)], clock.now())
    await home.make()
    connection = await asyncpg.connect(database.url)
    await connection.execute("set role handoff_owner; set search_path = handoff; alter table panel_member set (autovacuum_enabled = off)")
    await connection.execute("analyze panel_member")
    await connection.execute(
        "insert into panel_member (id, organization_id, record_id, person_id, program, role, effective_from, row_key, row_hash, row,"
        " asserted_at) select gen_random_uuid(), $1, gen_random_uuid(), gen_random_uuid(), 'BHH', 'health_home', $2,"
        " sha256(n::text::bytea), 'hash', '{}', $3 from generate_series(1, 20000) n",
        home.organization.id,
        TODAY,
        clock.now(),
    )
    keys = await connection.fetch("select row_key from panel_member where organization_id = $1", home.organization.id)
    await connection.execute("alter table panel_member reset (autovacuum_enabled)")
    await connection.close()
    rows = [RosterRow(number, row[0], b"hash", "BHH", "health_home", TODAY, None, None, None, {}) for number, row in enumerate(keys, 2)]
    async with open_stage(home.engine, home.organization.id) as stage:
        await stage.add(rows, [])
        await stage.drop_repetitions(10)
        async with asyncio.timeout(15):  # a tenth of a second in one pass, over a minute in pairs
            found = await stage.compare(UploadMode.REPLACE, TODAY)
    assert (found.added, found.changed, found.unchanged, found.removed) == (0, 0, 20_000, 0)

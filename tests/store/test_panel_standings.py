"""How panels stand: their age, what is said of it once, their figures, and who is claimed twice. Real PostgreSQL, as each role."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.domain.adt_event import Identifier
from app.domain.organization import OrganizationKind
from app.domain.panel import UploadMode
from app.domain.panel_standing import AgeLimits, PanelState
from app.domain.viewer import OPERATOR, Viewer
from app.pipeline.panel_watch import PanelWatch, Turned
from app.settings import load_settings
from app.store import panel_conflicts, panel_groups, panel_standings
from app.store.directory import RegistryReader
from app.store.engine import raw_connection
from app.store.panel_conflicts import _FIND, read_conflicts
from app.store.panel_standings import _FIGURES, find_standing, read_standings, sampled, set_limits
from app.store.unit_of_work import unit_of_work
from tests.support.fakes import FakeClock, FakeIds
from tests.support.plans import plan_of_sql
from tests.support.rosters import Loader, make_organization, member, scalar

HOME, OTHER, PLAN = UUID(int=1), UUID(int=2), UUID(int=3)
DAY = date(2026, 3, 2)


@dataclass
class Panels:
    """Two health homes and a plan, and the watcher."""

    home: Loader
    other: Loader
    plan: Loader
    watch: PanelWatch
    clock: FakeClock

    async def look(self) -> list[Turned]:
        """Do a round."""
        return list(await self.watch.watch_once())


@pytest.fixture
async def panels(engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock) -> Panels:
    """Nothing is loaded yet."""
    home, other, plan = (
        Loader(engine_work, ids, make_organization(number, kind))
        for number, kind in ((1, OrganizationKind.HEALTH_HOME), (2, OrganizationKind.HEALTH_HOME), (3, OrganizationKind.PLAN))
    )
    for loader in (home, other, plan):
        await loader.make()
    watch = wiring.build_panel_watch(load_settings({}), engine_work, clock=clock)
    return Panels(home, other, plan, watch, clock)


def _viewer(organization_id: UUID) -> Viewer:
    return Viewer(organization_id, frozenset({"panels.write"}))


def _medicaid(numbers: Sequence[int]) -> list[dict[str, str]]:
    return [member(number, member_id="", member_id_system="", medicaid_id=f"MC{number}") for number in numbers]


async def test_a_panel_that_ages_is_said_once_and_its_renewal_too(panels: Panels, engine_app: AsyncEngine) -> None:
    clock = panels.clock
    await panels.home.load([member(1)], clock.now())
    assert await panels.look() == []
    clock.advance(days=74, hours=23)
    assert await panels.look() == []
    clock.advance(hours=1)
    assert await panels.look() == [Turned(HOME, PanelState.FRESH, PanelState.AGEING, 75)]
    assert await panels.look() == []
    clock.advance(days=15)
    assert await panels.look() == [Turned(HOME, PanelState.AGEING, PanelState.EXPIRED, 90)]
    async with unit_of_work(engine_app, _viewer(HOME)) as connection:
        found = await find_standing(await raw_connection(connection), _viewer(HOME), HOME)
    assert found is not None
    shown = found.document(clock.now())
    assert (shown["state"], shown["age_days"], shown["last_upload"]["rows"]) == ("expired", 90, 1)
    assert shown["expires_at"] == clock.now()
    # Any word of its owner renews it; one of which nothing is taken does not.
    await panels.home.load([member(1, birth_date="?")], clock.now(), UploadMode.DELTA)
    assert await panels.look() == []
    await panels.home.load([member(2)], clock.now(), UploadMode.DELTA)
    assert await panels.look() == [Turned(HOME, PanelState.EXPIRED, PanelState.FRESH, 0)]


async def test_an_expired_panel_reaches_the_registry_at_once(panels: Panels, engine_work: AsyncEngine) -> None:
    """So that the very next batch says so with what it tells."""
    registry = RegistryReader()
    await panels.home.load([member(1)], panels.clock.now())
    await panels.look()
    async with unit_of_work(engine_work, None) as connection:
        assert (await registry.current(await raw_connection(connection))).expired_panels == frozenset()
    panels.clock.advance(days=90)
    await panels.look()
    async with unit_of_work(engine_work, None) as connection:
        assert (await registry.current(await raw_connection(connection))).expired_panels == {HOME}


async def test_limits_are_data_of_each_organization(panels: Panels, engine_app: AsyncEngine) -> None:
    for loader in (panels.home, panels.other):
        await loader.load([member(1)], panels.clock.now())
    async with unit_of_work(engine_app, OPERATOR) as connection:
        await set_limits(await raw_connection(connection), HOME, AgeLimits(5, 10))
    panels.clock.advance(days=10)
    assert [(one.organization_id, one.state) for one in await panels.look()] == [(HOME, PanelState.EXPIRED)]


async def test_figures_are_counted_after_an_upload_and_once_a_day(
    panels: Panels, engine_work: AsyncEngine, engine_app: AsyncEngine
) -> None:
    rows = [
        member(1, phone="207-555-0101"),
        member(2, phone2="207-555-0102", medicaid_id="MC2"),
        # One person under two numbers.
        member(2, member_id="M00099", medicaid_id="MC2"),
        member(2, program="TCM", medicaid_id="MC2"),
        member(3),
        member(4, effective_to="2026-02-01"),
    ]
    await panels.home.load(rows, panels.clock.now())
    await panels.look()

    async def figures() -> dict[str, object]:
        async with unit_of_work(engine_app, _viewer(HOME)) as connection:
            (found,) = await read_standings(await raw_connection(connection), _viewer(HOME), after=None, limit=10)
        assert found.figures is not None
        return found.figures.document()

    first = await figures()
    assert {name: first[name] for name in ("members", "claims", "without_phone", "possible_duplicates", "never_matched")} == {
        "members": 3,
        "claims": 5,
        "without_phone": 1,
        "possible_duplicates": 1,
        "never_matched": 3,
    }
    # A hospital tells a stay of one of them; of another a Part 2 program does, and that must not show.
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute("update organization set part2_status = case id when $1 then 'not_program' else 'program' end", OTHER)
        await raw.execute(
            "insert into encounter (id, source, facility_id, visit_authority, visit_number, record_id, person_id, status, class, "
            "behavioral_kind, provisional, mode, state, last_key, version, created_at, updated_at) "
            "select gen_random_uuid(), 'adt', f.id, '', 'V', m.record_id, m.person_id, 'finished', 'inpatient', 'none', false, 'live', "
            "'{}', '', 1, now(), now() from (values ('M00001', $1::uuid), ('M00003', $2::uuid)) as s(number, facility_id) "
            "join organization f on f.id = s.facility_id join patient_record r on r.value = s.number "
            "join panel_member m on m.record_id = r.id",
            OTHER,
            PLAN,
        )
    panels.clock.advance(hours=23)
    await panels.look()
    assert (await figures())["never_matched"] == 3
    panels.clock.advance(hours=1)
    await panels.look()
    again = await figures()
    assert (again["never_matched"], again["never_matched_share"]) == (2, 0.6667)


async def test_two_homes_that_claim_one_person_are_found_and_a_plan_is_no_conflict(panels: Panels, engine_app: AsyncEngine) -> None:
    now = panels.clock.now()
    await panels.home.load(_medicaid([1, 2]), now)
    await panels.other.load(_medicaid([2, 3]), now)
    await panels.plan.load(_medicaid([1, 2, 3]), now)
    async with unit_of_work(engine_app, OPERATOR) as connection:
        assert await read_conflicts(await raw_connection(connection), OPERATOR, DAY) == []
    await panels.look()
    async with unit_of_work(engine_app, OPERATOR) as connection:
        raw = await raw_connection(connection)
        (found,) = await read_conflicts(raw, OPERATOR, DAY)
        assert (found.role, found.since, found.found_at) == ("health_home", date(2026, 1, 1), now)
        assert [claim.organization_id for claim in found.claims] == [HOME, OTHER]
        assert await read_conflicts(raw, OPERATOR, DAY, organization_id=PLAN) == []
        assert len(await read_conflicts(raw, OPERATOR, DAY, organization_id=OTHER, role="health_home")) == 1
        assert await read_conflicts(raw, OPERATOR, DAY, role="pcp") == []
        assert await read_conflicts(raw, OPERATOR, DAY, after=(found.person_id, found.role)) == []


async def test_a_home_learns_that_its_member_is_claimed_too_and_not_by_whom(panels: Panels, engine_app: AsyncEngine) -> None:
    now = panels.clock.now()
    await panels.home.load(_medicaid([2]), now)
    await panels.other.load(_medicaid([2]), now)
    await panels.look()
    for whose in (HOME, OTHER):
        viewer = _viewer(whose)
        async with unit_of_work(engine_app, viewer) as connection:
            raw = await raw_connection(connection)
            (found,) = await read_conflicts(raw, viewer, DAY)
            assert [claim.organization_id for claim in found.claims] == [whose]
            # Also where the code forgets to ask.
            assert {row[0] for row in await raw.fetch("select organization_id from panel_conflict")} == {whose}
            assert {row[0] for row in await raw.fetch("select organization_id from panel_standing")} == {whose}
    for nobody in (_viewer(PLAN), _viewer(UUID(int=9))):
        async with unit_of_work(engine_app, nobody) as connection:
            raw = await raw_connection(connection)
            assert await read_conflicts(raw, nobody, DAY) == []
            assert await raw.fetchval("select count(*) from panel_conflict") == 0
            assert await find_standing(raw, nobody, HOME) is None


async def test_a_conflict_ends_with_the_claim_and_at_midnight(panels: Panels, engine_work: AsyncEngine) -> None:
    now = panels.clock.now()
    ends = [row | {"effective_to": "2026-03-04"} for row in _medicaid([2])]
    await panels.home.load(_medicaid([1, 2]), now)
    await panels.other.load([*ends, *_medicaid([1])], now)
    await panels.look()
    assert await scalar(engine_work, "select count(distinct person_id) from panel_conflict") == 2
    await panels.home.load(
        [row | {"change_type": "remove"} for row in _medicaid([1])], panels.clock.advance(hours=1), UploadMode.DELTA, force=True
    )
    await panels.look()
    assert await scalar(engine_work, "select count(distinct person_id) from panel_conflict") == 1
    assert await scalar(engine_work, "select min(found_at) from panel_conflict") == now
    panels.clock.advance(days=2)
    await panels.look()
    assert await scalar(engine_work, "select count(*) from panel_conflict") == 0


async def test_pages_cover_everybody_once(panels: Panels, engine_app: AsyncEngine) -> None:
    now = panels.clock.now()
    await panels.home.load(_medicaid(range(7)), now)
    await panels.other.load(_medicaid(range(7)), now)
    await panels.look()
    async with unit_of_work(engine_app, OPERATOR) as connection:
        raw = await raw_connection(connection)
        seen: list[UUID] = []
        after: tuple[UUID, str] | None = None
        while page := await read_conflicts(raw, OPERATOR, DAY, after=after, limit=3):
            seen += [one.person_id for one in page]
            after = (page[-1].person_id, page[-1].role)
        assert len(seen) == len(set(seen)) == 7
        assert [one.organization_id for one in await read_standings(raw, OPERATOR, after=None, limit=1)] == [HOME]
        assert [one.organization_id for one in await read_standings(raw, OPERATOR, after=HOME, limit=5)] == [OTHER]
        assert [(one[0], one[2]) for one in await sampled(raw)] == [(HOME, "fresh"), (OTHER, "fresh")]
        assert await panel_conflicts.counted(raw) == {"health_home": 7}


async def test_one_watcher_at_a_time(panels: Panels, engine_work: AsyncEngine) -> None:
    await panels.home.load([member(1)], panels.clock.now())
    panels.clock.advance(days=80)
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute("select pg_advisory_xact_lock($1, -5)", panels.watch.lock_space)
        assert await panels.look() == []
    assert len(await panels.look()) == 1


@pytest.mark.plans
async def test_the_watchers_statements_search_their_indexes(panels: Panels, engine_work: AsyncEngine, engine_owner: AsyncEngine) -> None:
    # Real numbers of rows, most of them history: of empty tables one index is as good as another.
    for coordinator in ("A. Sample", "B. Sample", "C. Sample"):
        rows = [row | {"coordinator": coordinator} for row in _medicaid(range(300))]
        await panels.home.load(rows, panels.clock.advance(hours=1))
    async with unit_of_work(engine_owner, None) as connection:
        await (await raw_connection(connection)).execute("analyze panel_member")
    async with unit_of_work(engine_work, None) as connection:
        figures = await plan_of_sql(connection, _FIGURES, HOME, DAY)
        found = await plan_of_sql(connection, _FIND, DAY, ["health_home"], datetime(2026, 3, 2, tzinfo=UTC), [OTHER])
    assert figures.scanned_tables == frozenset()
    assert {"ix_panel_member_current"} <= figures.searched_indexes or {"uq_panel_member_current"} <= figures.searched_indexes
    # Every panel is looked through, once; the conflicts by their key.
    assert found.scanned_tables <= {"panel_member", "panel_conflict"}


@pytest.mark.plans
async def test_reads_search_their_indexes_under_the_policy(panels: Panels, engine_app: AsyncEngine, engine_owner: AsyncEngine) -> None:
    # Real numbers of rows: of empty tables one index is as good as another.
    for loader in (panels.home, panels.other):
        await loader.load(_medicaid(range(300)), panels.clock.now())
    await panels.look()
    async with unit_of_work(engine_owner, None) as connection:
        await (await raw_connection(connection)).execute("analyze panel_member; analyze panel_conflict; analyze panel_upload")
    overheard: list[tuple[str, tuple[object, ...]]] = []

    class Overheard:
        async def fetch(self, query: str, *values: object) -> list[object]:
            overheard.append((query, values))
            row = {"person_id": UUID(int=5), "role": "pcp", "since": DAY, "found_at": datetime(2026, 3, 2, tzinfo=UTC)}
            return [row] if query.lstrip().startswith("select c.person_id") else []

        async def fetchrow(self, query: str, *values: object) -> None:
            overheard.append((query, values))

    raw: object = Overheard()
    for viewer in (OPERATOR, _viewer(HOME)):
        overheard.clear()
        await panel_standings.read_standings(raw, viewer, after=HOME, limit=10)  # type: ignore[arg-type]
        await panel_standings.find_standing(raw, viewer, HOME)  # type: ignore[arg-type]
        await read_conflicts(raw, viewer, DAY, organization_id=HOME)  # type: ignore[arg-type]
        await read_conflicts(raw, viewer, DAY)  # type: ignore[arg-type]
        await panel_groups.read_groups(raw, viewer, ids=[HOME])  # type: ignore[arg-type]
        await panel_groups.read_members(raw, HOME, DAY, after=HOME)  # type: ignore[arg-type]
        await panel_groups.held_of(raw, HOME, Identifier("ACME", "", "M1"), None)  # type: ignore[arg-type]
        await panel_groups.held_of(raw, HOME, None, HOME)  # type: ignore[arg-type]
        assert len(overheard) == 10
        async with unit_of_work(engine_app, viewer) as connection:
            for query, values in overheard:
                plan = await plan_of_sql(connection, query, *values)
                assert plan.scanned_tables - {"organization_grant"} == frozenset(), query

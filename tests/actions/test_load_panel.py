"""Loading a roster: what it changes and what it leaves alone, and that nothing else of the network has to wait. Real PostgreSQL."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.files.refused_rows_csv import RefusedRowsCsv
from app.actions.identify import IdentityMovedError, identify
from app.actions.load_panel import Upload, load_panel
from app.domain.organization import OrganizationKind
from app.domain.panel import PanelWouldShrinkError, RosterTooLargeError, ShrinkGuard, UploadLimits, UploadMode, UploadResult
from app.domain.person import RecordClaim, Resolved
from app.domain.roster import RosterRefusedError
from app.domain.viewer import OPERATOR
from app.ports import Ids
from app.store import encounters
from app.store.engine import raw_connection
from app.store.panels import find_upload, refusals
from app.store.raw import Raw
from app.store.tables import metadata
from app.store.unit_of_work import unit_of_work
from tests.support.databases import Database
from tests.support.fakes import FakeClock, FakeIds
from tests.support.queries import QueryRecorder
from tests.support.rosters import HEADER, Claim, Loader, claims_of, make_organization, member, roster_bytes, scalar

TODAY = date(2026, 3, 2)
"""Of the fake clock, in Maine."""
START = date(2026, 1, 1)


@pytest.fixture
def loader(engine_work: AsyncEngine, ids: FakeIds) -> Loader:
    """Uploads for a health home."""
    return Loader(engine_work, ids)


def _numbers(result: UploadResult) -> tuple[int, int, int, int]:
    difference = result.difference
    return difference.added, difference.changed, difference.unchanged, difference.removed


async def _rows(engine: AsyncEngine) -> dict[str, list[tuple[Any, ...]]]:
    """The whole database."""
    found = {}
    async with unit_of_work(engine, None) as connection:
        raw = await raw_connection(connection)
        for table in metadata.sorted_tables:
            found[table.name] = sorted(tuple(map(str, row.values())) for row in await raw.fetch(f"select * from {table.name}"))  # noqa: S608
    return found


async def test_the_first_upload_adds_everybody(loader: Loader, clock: FakeClock) -> None:
    result = await loader.load([member(1), member(2, coordinator="Coordinator One"), member(3, effective_to="2026-06-01")], clock.now())
    assert (result.rows, result.accepted, result.rejected, result.repeated) == (3, 3, 0, 0)
    assert _numbers(result) == (3, 0, 0, 0)
    assert await claims_of(loader.engine, loader.organization.id) == [
        ("M00001", "BHH", START, None, None),
        ("M00002", "BHH", START, None, "Coordinator One"),
        ("M00003", "BHH", START, date(2026, 6, 1), None),
    ]
    assert await scalar(loader.engine, "select count(distinct person_id) from panel_member") == 3
    assert await scalar(loader.engine, "select min(role) from panel_member") == "health_home"


async def test_the_same_file_again_changes_nothing(loader: Loader, clock: FakeClock) -> None:
    """Not a row is touched, not even of the people."""
    rows = [member(number) for number in range(1, 6)]
    await loader.load(rows, clock.now())
    before = await _rows(loader.engine)
    again = await loader.load(rows, clock.advance(days=1))
    assert _numbers(again) == (0, 0, 5, 0)
    after = await _rows(loader.engine)
    assert {name for name in after if after[name] != before[name]} == {"panel_upload"}


async def test_replace_ends_what_the_file_no_longer_holds(loader: Loader, clock: FakeClock) -> None:
    over = member(3, effective_to="2026-02-01")
    await loader.load(
        [member(1), member(2), over, member(4, effective_from="2026-06-01"), member(5, effective_from="2026-03-02")], clock.now()
    )
    result = await loader.load([member(1, coordinator="Coordinator Two"), member(6)], clock.advance(hours=1))
    assert _numbers(result) == (1, 1, 0, 3)
    assert result.difference.in_force == 4
    assert await claims_of(loader.engine, loader.organization.id) == [
        ("M00001", "BHH", START, None, "Coordinator Two"),
        ("M00002", "BHH", START, TODAY, None),
        ("M00003", "BHH", START, date(2026, 2, 1), None),
        # M00004 would begin only in June: it is retracted and not asserted again. M00005 began today and holds on no day.
        ("M00005", "BHH", TODAY, TODAY, None),
        ("M00006", "BHH", START, None, None),
    ]


async def test_delta_ends_nothing(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(1), member(2)], clock.now())
    result = await loader.load([member(2, coordinator="Coordinator Two"), member(3)], clock.advance(hours=1), UploadMode.DELTA)
    assert _numbers(result) == (1, 1, 0, 0)
    assert [claim[0] for claim in await claims_of(loader.engine, loader.organization.id)] == ["M00001", "M00002", "M00003"]


async def test_a_claim_that_ended_is_taken_up_again(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(1), member(2)], clock.now())
    await loader.load([member(1)], clock.advance(days=1))
    result = await loader.load([member(1), member(2)], clock.advance(days=1))
    assert _numbers(result) == (0, 1, 1, 0)
    assert (await claims_of(loader.engine, loader.organization.id))[1] == ("M00002", "BHH", START, None, None)


async def test_the_day_is_the_organizations_own(engine_work: AsyncEngine, ids: FakeIds) -> None:
    """At 03:00 UTC it is still yesterday in Maine, and already tomorrow in Kiribati."""
    at = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
    for number, (zone, day) in enumerate([("America/New_York", date(2026, 3, 1)), ("Pacific/Kiritimati", date(2026, 3, 2))], 1):
        loader = Loader(engine_work, ids, make_organization(number, time_zone=zone))
        await loader.load([member(1), member(2)], at)
        await loader.load([member(1)], at)
        assert (await claims_of(engine_work, loader.organization.id))[1][3] == day


async def test_no_row_is_ever_changed_but_for_its_retraction(loader: Loader, clock: FakeClock) -> None:
    """Two times on every fact: what was known is still there, to the letter."""
    history: dict[Any, dict[str, Any]] = {}
    uploads = [
        [member(1), member(2), member(3)],
        [member(1, coordinator="Coordinator Two"), member(2)],
        [member(1), member(3), member(4)],
        [member(4, effective_to="2026-04-01")],
    ]
    for rows in uploads:
        await loader.load(rows, clock.advance(days=1))
        async with unit_of_work(loader.engine, None) as connection:
            raw = await raw_connection(connection)
            now = {row["id"]: dict(row) for row in await raw.fetch("select * from panel_member")}
        for id_, before in history.items():
            if before["retracted_at"] is None:
                assert now[id_] | {"retracted_at": None} == before
            else:
                assert now[id_] == before
        history = now
    assert sum(1 for row in history.values() if row["retracted_at"] is None) == 4
    assert all(row["retracted_at"] is None or row["retracted_at"] > row["asserted_at"] for row in history.values())


async def test_good_rows_are_taken_although_others_are_bad(loader: Loader, clock: FakeClock) -> None:
    result = await loader.load([member(1), member(2, birth_date="soon"), member(3, program="", role="x"), member(4)], clock.now())
    assert (result.accepted, result.rejected) == (2, 2)
    assert _numbers(result) == (2, 0, 0, 0)
    assert [(error.row, error.column, error.code.value) for error in result.errors] == [
        (3, "birth_date", "not_a_date"),
        (4, "program", "missing"),
        (4, "role", "unknown_role"),
    ]
    assert result.unknown_columns == ()


async def test_a_refused_row_ends_nothing_of_its_person(loader: Loader, clock: FakeClock) -> None:
    """A typing error in the file must not cost the member the notifications."""
    await loader.load([member(1), member(1, program="TCM"), member(2), member(3)], clock.now())
    rows = [member(1, birth_date="?"), member(2, member_id="M00002", last_name="")]
    result = await loader.load(rows, clock.advance(days=1), force=True)
    assert (result.accepted, result.rejected) == (0, 2)
    assert (result.difference.removed, result.difference.kept) == (1, 3)
    ends = {(claim[0], claim[1]): claim[3] for claim in await claims_of(loader.engine, loader.organization.id)}
    assert ends == {("M00001", "BHH"): None, ("M00001", "TCM"): None, ("M00002", "BHH"): None, ("M00003", "BHH"): date(2026, 3, 3)}


async def test_refused_rows_can_be_mended_and_sent_again(loader: Loader, clock: FakeClock) -> None:
    rows = [member(1), member(2, birth_date="=1+1"), member(3, effective_from="x", coordinator="Doe, Sample")]
    result = await loader.load(rows, clock.now())
    async with unit_of_work(loader.engine, OPERATOR) as connection:
        found = await refusals(connection, OPERATOR, result.id)
        upload = await find_upload(connection, OPERATOR, result.id)
    assert upload is not None
    writer = RefusedRowsCsv(upload.header)
    file = writer.begin() + writer.rows((refusal.cells, refusal.errors) for refusal in found)
    table = list(csv.DictReader(io.StringIO(file.decode(), newline="")))
    assert [row["errors"].split(":")[0] for row in table] == ["birth_date", "effective_from"]
    assert table[0]["birth_date"] == "'=1+1"
    table[0]["birth_date"], table[1]["effective_from"] = "1980-01-01", "2026-01-01"
    again = await loader.load(roster_bytes(table, [*table[0]]), clock.advance(hours=1), UploadMode.DELTA)
    assert (again.accepted, again.rejected, again.unknown_columns) == (2, 0, ())
    assert _numbers(again) == (2, 0, 0, 0)
    claims = await claims_of(loader.engine, loader.organization.id)
    assert (len(claims), claims[2][4]) == (3, "Doe, Sample")


async def test_repeated_rows_are_counted_once_and_the_later_of_two_that_differ_counts(loader: Loader, clock: FakeClock) -> None:
    rows = [member(1), member(2, coordinator="A"), member(1), member(2, coordinator="B"), member(2, coordinator="C"), member(3)]
    result = await loader.load(rows, clock.now())
    assert (result.rows, result.accepted, result.repeated) == (6, 3, 3)
    assert _numbers(result) == (3, 0, 0, 0)
    assert [(warning.row, warning.code.value) for warning in result.warnings] == [
        (2, "repeated_row"),
        (3, "overridden_row"),
        (5, "overridden_row"),
    ]
    assert all("Row 6" in warning.message for warning in result.warnings[1:])
    assert (await claims_of(loader.engine, loader.organization.id))[1][4] == "C"


async def test_unknown_columns_are_reported_and_kept(loader: Loader, clock: FakeClock) -> None:
    rows = [member(1) | {"favourite colour": "green", "phone": "207-555-0100"}]
    result = await loader.load(roster_bytes(rows, [*HEADER, "favourite colour", "phone"]), clock.now())
    assert result.unknown_columns == ("favourite_colour",)
    stored = await scalar(loader.engine, "select row from panel_member")
    assert isinstance(stored, dict)
    assert (stored["favourite_colour"], stored["phone"], "effective_to" in stored) == ("green", "207-555-0100", False)


async def test_the_people_are_known_by_what_the_roster_says(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(1, medicaid_id="MC1")], clock.now())
    identifiers = await scalar(
        loader.engine, "select array_agg(authority || '|' || type || '|' || value order by authority, type) from record_identifier"
    )
    assert identifiers == ["|MA|MC1", "ACME||M00001"]
    assert await scalar(loader.engine, "select source from patient_record") == str(loader.organization.id)
    assert await scalar(loader.engine, "select demographic_key is not null from patient_record")


async def test_two_panels_may_claim_one_person(engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock) -> None:
    home, plan = Loader(engine_work, ids, make_organization(1)), Loader(engine_work, ids, make_organization(2, OrganizationKind.PLAN))
    await home.load([member(1, member_id="", member_id_system="", medicaid_id="MC1")], clock.now())
    await plan.load([member(1, medicaid_id="MC1")], clock.now())
    await plan.load([member(2)], clock.now())
    assert await scalar(engine_work, "select count(distinct person_id) from panel_member where (row ->> 'medicaid_id') = 'MC1'") == 1
    assert len(await claims_of(engine_work, home.organization.id)) == 1
    assert [claim[3] for claim in await claims_of(engine_work, plan.organization.id)] == [TODAY, None]


async def test_the_shrink_guard_refuses_half_a_file(loader: Loader, clock: FakeClock) -> None:
    everybody = [member(number) for number in range(40)]
    await loader.load(everybody, clock.now())
    before = await _rows(loader.engine)
    with pytest.raises(PanelWouldShrinkError) as refused:
        await loader.load(everybody[:31], clock.advance(days=1))
    assert (refused.value.difference.removed, refused.value.difference.in_force) == (9, 40)
    assert await _rows(loader.engine) == before
    tried = await loader.load(everybody[:31], clock.now(), dry_run=True)
    assert tried.needs_force
    assert tried.difference == refused.value.difference
    assert not (await loader.load(everybody[:32], clock.now(), dry_run=True)).needs_force
    forced = await loader.load(everybody[:31], clock.now(), force=True)
    assert forced.difference == tried.difference
    assert await scalar(loader.engine, "select count(*) from panel_member where retracted_at is null and effective_to is null") == 31


async def test_a_file_without_a_good_row_always_needs_force(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(1)], clock.now())
    with pytest.raises(PanelWouldShrinkError):
        await loader.load([], clock.now())
    assert (await loader.load([], clock.now(), UploadMode.DELTA)).difference.removed == 0
    assert (await loader.load([], clock.now(), force=True)).difference.removed == 1


async def test_the_guard_is_an_argument(engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock) -> None:
    loader = Loader(engine_work, ids, limits=UploadLimits(guard=ShrinkGuard(percent_max=100)))
    await loader.load([member(number) for number in range(40)], clock.now())
    assert (await loader.load([member(1)], clock.now())).difference.removed == 39


@pytest.mark.parametrize("mode", list(UploadMode))
async def test_a_dry_run_gives_the_same_answer_and_writes_only_its_record(loader: Loader, clock: FakeClock, mode: UploadMode) -> None:
    await loader.load([member(1), member(2), member(3)], clock.now())
    before = await _rows(loader.engine)
    rows = [member(1), member(2, coordinator="B"), member(4), member(4), member(5, birth_date="?")]
    tried = await loader.load(rows, clock.now(), mode, dry_run=True)
    after = await _rows(loader.engine)
    assert {name for name in after if after[name] != before[name]} == {"panel_upload", "panel_upload_rejection"}
    done = await loader.load(rows, clock.now(), mode)
    assert replace(tried, id=done.id, dry_run=False, foreseen=None, signed=done.signed) == done
    assert await scalar(loader.engine, "select array_agg(dry_run order by id) from panel_upload") == [False, True, False]


async def test_what_is_no_roster_changes_nothing_and_leaves_the_connection_usable(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(1)], clock.now())
    before = await _rows(loader.engine)
    for file in (
        b"",
        b"hello\nworld\n",
        b"PK\x03\x04....",
        roster_bytes([{"member_id": "M1", "last_name": "Sample"}], ["member_id", "last_name"]),
    ):
        with pytest.raises(RosterRefusedError):
            await loader.load(file, clock.now())
    with pytest.raises(RosterTooLargeError, match="delta"):
        services = replace(loader.services, limits=UploadLimits(file_bytes_max=1000))
        await load_panel(services, loader.organization, b"x" * 1001, Upload(UploadMode.DELTA), now=clock.now())
    assert await _rows(loader.engine) == before
    assert _numbers(await loader.load([member(1), member(2)], clock.now())) == (1, 0, 1, 0)


async def test_a_file_comes_in_pieces_of_any_size(loader: Loader, clock: FakeClock) -> None:
    rows = [member(number, coordinator="Doe,\nSample") for number in range(300)]
    file = roster_bytes(rows)

    async def stream(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(file), size):
            yield file[start : start + size]

    await loader.make()
    upload = Upload(UploadMode.REPLACE, file_name="sample\0.csv")
    first = await load_panel(loader.services, loader.organization, stream(7), upload, now=clock.now())
    again = await load_panel(loader.services, loader.organization, stream(100_000), upload, now=clock.now())
    assert (_numbers(first), _numbers(again)) == ((300, 0, 0, 0), (0, 0, 300, 0))
    assert first.file_hash == again.file_hash
    assert await scalar(loader.engine, "select file_name from panel_upload limit 1") == "sample.csv"


async def test_the_number_of_statements_does_not_grow_with_the_rows(loader: Loader, clock: FakeClock, queries: QueryRecorder) -> None:
    counts = []
    # Both enough to be tried as newcomers; what the driver asks once about a statement is asked here.
    await loader.load([member(row) for row in range(60)], clock.now())
    for number in (60, 400):
        with queries.recording() as statements:
            await loader.load([member(number * 1000 + row) for row in range(number)], clock.advance(hours=1), UploadMode.DELTA)
        counts.append(len(statements))
    assert counts[0] == counts[1] < 80


# Order, repetition and the oracle.

PERSON = st.integers(0, 5)
ROW = st.builds(
    lambda number, program, begins, lasts, coordinator: member(
        number,
        program=program,
        effective_from=(TODAY + timedelta(days=begins)).isoformat(),
        effective_to="" if lasts is None else (TODAY + timedelta(days=begins + lasts)).isoformat(),
        coordinator=coordinator,
    ),
    PERSON,
    st.sampled_from(["BHH", "TCM"]),
    st.sampled_from([-30, 0, 30]),
    st.sampled_from([None, 0, 20, 60]),
    st.sampled_from(["", "A", "B"]),
)
FILE = st.lists(ROW, max_size=8)
FILES = st.lists(FILE, min_size=1, max_size=3)
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _holding(claims: Sequence[Claim], day: date) -> list[Claim]:
    """What holds on the day or later: the past is not what a file replaces."""
    return [claim for claim in claims if (claim[3] is None or claim[3] > max(day, claim[2]))]


_next_organization = iter(range(1000, 10**9))


def _another(loader: Loader) -> Loader:
    """An organization of its own for each example, in the same database."""
    limits = UploadLimits(guard=ShrinkGuard(percent_max=100), chunk_claims=3)
    return Loader(loader.engine, loader.services.ids, make_organization(next(_next_organization)), limits)


@FEW
@given(files=FILES, last=FILE)
async def test_the_last_replace_decides_whatever_came_before(loader: Loader, clock: FakeClock, files: list[Any], last: list[Any]) -> None:
    one, other = _another(loader), _another(loader)
    for file in files:
        await one.load(file, clock.now(), force=True)
    for panel in (one, other):
        await panel.load(last, clock.now(), force=True)
    claims = [await claims_of(panel.engine, panel.organization.id) for panel in (one, other)]
    assert _holding(claims[0], TODAY) == _holding(claims[1], TODAY)


@FEW
@given(before=FILE, file=FILE, mode=st.sampled_from(UploadMode))
async def test_an_upload_twice_is_an_upload_once_and_a_dry_run_tells_it(
    loader: Loader, clock: FakeClock, before: list[Any], file: list[Any], mode: UploadMode
) -> None:
    panel = _another(loader)
    await panel.load(before, clock.now(), force=True)
    tried = await panel.load(file, clock.now(), mode, dry_run=True)
    done = await panel.load(file, clock.now(), mode, force=True)
    assert replace(tried, id=done.id, dry_run=False, foreseen=None, signed=done.signed) == done
    claims = await claims_of(panel.engine, panel.organization.id)
    again = await panel.load(file, clock.now(), mode, force=True)
    assert await claims_of(panel.engine, panel.organization.id) == claims
    assert _numbers(again) == (0, 0, again.accepted, 0)


def _oracle(current: dict[tuple[str, ...], dict[str, str]], file: list[dict[str, str]], mode: UploadMode) -> tuple[int, int, int, int]:
    """The rules of app/domain/panel in the plainest words, on dictionaries."""
    wanted = {(row["member_id"], row["program"], row["effective_from"]): row for row in file}
    added = sum(1 for key in wanted if key not in current)
    changed = sum(1 for key, row in wanted.items() if key in current and current[key] != row)
    unchanged = len(wanted) - added - changed
    removed = 0
    if mode is UploadMode.REPLACE:
        for key, row in list(current.items()):
            if key in wanted or (row["effective_to"] and row["effective_to"] <= TODAY.isoformat()):
                continue
            removed += 1
            if row["effective_from"] <= TODAY.isoformat():
                current[key] = row | {"effective_to": TODAY.isoformat()}
            else:
                del current[key]
    current.update(wanted)
    return added, changed, unchanged, removed


@FEW
@given(uploads=st.lists(st.tuples(FILE, st.sampled_from(UploadMode)), min_size=1, max_size=4))
async def test_a_million_rows_follow_the_same_rules_as_a_dictionary(loader: Loader, clock: FakeClock, uploads: list[Any]) -> None:
    panel = _another(loader)
    current: dict[tuple[str, ...], dict[str, str]] = {}
    for file, mode in uploads:
        result = await panel.load(file, clock.now(), mode, force=True)
        assert _numbers(result) == _oracle(current, file, mode)
    claims = [
        (
            row["member_id"],
            row["program"],
            date.fromisoformat(row["effective_from"]),
            date.fromisoformat(row["effective_to"]) if row["effective_to"] else None,
            row["coordinator"] or None,
        )
        for row in current.values()
    ]
    assert sorted(claims, key=lambda claim: claim[:3]) == await claims_of(panel.engine, panel.organization.id)


# Beside the feed.

_INSERT_STAY = """
insert into encounter (id, source, visit_authority, visit_number, record_id, person_id, status, class, admitted_at, discharged_at,
    behavioral_kind, provisional, folded_into, mode, state, last_key, version, created_at, updated_at)
values ($1, 'adt', '', 'V', $2, $3, $4, 'inpatient', $5, $6, 'none', false, $7, 'live', '{}', '', 1, $5, $5)
"""


async def _person(engine: AsyncEngine, number: int) -> tuple[UUID, UUID]:
    async with unit_of_work(engine, None) as connection:
        raw = await raw_connection(connection)
        row = await raw.fetchrow("select id, person_id from patient_record where value = $1", f"M{number:05d}")
        assert row is not None
        return row["id"], row["person_id"]


async def _reconsidered(engine: AsyncEngine) -> set[UUID]:
    async with unit_of_work(engine, None) as connection:
        raw = await raw_connection(connection)
        rows = await raw.fetch("select encounter_id, cause from reconsideration")
        assert {row["cause"] for row in rows} <= {"panel"}
        return {row["encounter_id"] for row in rows}


async def test_recent_and_open_stays_of_people_whose_claims_changed_are_told_anew(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(number) for number in range(1, 5)], clock.now())
    now = clock.advance(days=1)

    def ago(days: int) -> datetime:
        return now - timedelta(days=days)

    stays = {
        "recent": ("finished", ago(40), ago(39), None),
        "admitted long ago, discharged lately": ("finished", ago(100), ago(44), None),
        "open for months": ("in-progress", ago(300), None, None),
        "over": ("finished", ago(60), ago(50), None),
        "cancelled long ago": ("cancelled", ago(60), None, None),
        "folded into another": ("finished", ago(3), ago(2), UUID(int=1)),
    }
    ids: dict[tuple[int, str], UUID] = {}
    for number in (1, 2, 3, 4):
        record, person = await _person(loader.engine, number)
        async with unit_of_work(loader.engine, None) as connection:
            raw = await raw_connection(connection)
            for name, (status, admitted_at, discharged_at, folded_into) in stays.items():
                ids[number, name] = loader.services.ids.new()
                await raw.execute(_INSERT_STAY, ids[number, name], record, person, status, admitted_at, discharged_at, folded_into)
    # 1 is unchanged, 2 changes, 3 ends, 4 is kept by a refused row, 5 is new and has no stays.
    await loader.load([member(1), member(2, coordinator="B"), member(4, birth_date="?"), member(5)], now)
    wanted = {"recent", "admitted long ago, discharged lately", "open for months"}
    assert await _reconsidered(loader.engine) == {id_ for (number, name), id_ in ids.items() if number in {2, 3} and name in wanted}


async def test_a_stay_that_is_being_looked_at_by_the_old_panel_is_looked_at_again(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(1), member(2)], clock.now())
    record, person = await _person(loader.engine, 1)
    stay = loader.services.ids.new()
    async with unit_of_work(loader.engine, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute(_INSERT_STAY, stay, record, person, "in-progress", clock.now(), None, None)
        await encounters.reconsider(raw, [stay], clock.now(), "panel")
        being_looked_at = await encounters.asked_to_reconsider(raw, clock.now(), 10)
    await loader.load([member(2)], clock.advance(hours=1))
    async with unit_of_work(loader.engine, None) as connection:
        await encounters.reconsidered(await raw_connection(connection), being_looked_at)
    assert await _reconsidered(loader.engine) == {stay}


async def test_an_upload_does_not_wait_for_people_whom_the_pipeline_holds(loader: Loader, clock: FakeClock, database: Database) -> None:
    """Ending a claim takes no lock on its person; the feed and the upload go on beside each other."""
    await loader.load([member(1), member(2)], clock.now())
    _, person = await _person(loader.engine, 2)
    other = await asyncpg.connect(database.url, server_settings={"search_path": "handoff", "role": "handoff_work"})
    try:
        async with other.transaction():
            await other.execute("select id from person where id = $1 for update", person)
            services = replace(loader.services, limits=UploadLimits(settle_timeout_s=0.05))
            async with asyncio.timeout(20):
                upload = Upload(UploadMode.REPLACE)
                result = await load_panel(services, loader.organization, roster_bytes([member(1)]), upload, now=clock.advance(days=1))
            assert result.difference.removed == 1
    finally:
        await other.close()


async def _until(engine: AsyncEngine, question: str) -> None:
    async with asyncio.timeout(20):
        while not await scalar(engine, question):
            await asyncio.sleep(0.005)


async def test_a_stay_that_was_being_recorded_meanwhile_is_told_anew(loader: Loader, clock: FakeClock, database: Database) -> None:
    """It read the panel before the upload committed and commits after it: neither saw the other."""
    await loader.load([member(1), member(2)], clock.now())
    record, person = await _person(loader.engine, 1)
    stay = loader.services.ids.new()
    other = await asyncpg.connect(database.url, server_settings={"search_path": "handoff", "role": "handoff_work"})
    try:
        batch = other.transaction()
        await batch.start()
        await other.execute(_INSERT_STAY, stay, record, person, "in-progress", clock.now(), None, None)
        assert len(await other.fetch("select from panel_member where person_id = $1 and retracted_at is null", person)) == 1
        loading = asyncio.create_task(loader.load([member(2)], clock.advance(hours=1)))
        await _until(loader.engine, "select count(*) = 2 from panel_upload")
        assert await _reconsidered(loader.engine) == set()
        assert not loading.done()
        await batch.commit()
        await loading
    finally:
        await other.close()
    assert await _reconsidered(loader.engine) == {stay}


class _Identify:
    """The real one, with something happening before or after it."""

    def __init__(self) -> None:
        self.calls = 0

    async def before(self) -> None:
        """What happens first."""

    async def after(self, found: list[Resolved]) -> None:
        """What happens when the people are found, before the chunk commits."""

    async def __call__(self, raw: Raw, claims: Sequence[RecordClaim], *, ids: Ids, now: datetime) -> list[Resolved]:
        self.calls += 1
        await self.before()
        found = await identify(raw, claims, ids=ids, now=now)
        await self.after(found)
        return found


async def test_a_claim_follows_a_record_that_moved_while_nobody_could_see_the_claim(
    loader: Loader, clock: FakeClock, database: Database
) -> None:
    """A merge reads and moves the claims it sees; ours commits in between."""
    await loader.load([member(1)], clock.now())
    person = loader.services.ids.new()
    record, _ = await _person(loader.engine, 1)
    other = await asyncpg.connect(database.url, server_settings={"search_path": "handoff", "role": "handoff_work"})
    batch = other.transaction()

    class Merging(_Identify):
        async def before(self) -> None:
            if self.calls == 2:
                await batch.start()
                await other.execute("insert into person (id, created_at) values ($1, $2)", person, clock.now())
                await other.execute("update patient_record set person_id = $1 where id = $2", person, record)
                await other.execute("update panel_member set person_id = $1 where record_id = $2", person, record)

    services = replace(loader.services, identify=Merging(), limits=UploadLimits(chunk_claims=1))
    file = roster_bytes([member(1, program="TCM"), member(2)])
    try:
        upload = Upload(UploadMode.DELTA)
        loading = asyncio.create_task(load_panel(services, loader.organization, file, upload, now=clock.advance(hours=1)))
        await _until(loader.engine, "select count(*) = 2 from panel_upload")
        assert await scalar(loader.engine, "select person_id from panel_member where program = 'TCM'") != person
        await batch.commit()
        await loading
    finally:
        await other.close()
    moved = "select array_agg(distinct person_id) from panel_member where record_id = $1"
    assert await scalar(loader.engine, moved, record) == [person]


async def test_a_transaction_that_hangs_is_not_waited_for_for_ever(loader: Loader, clock: FakeClock, database: Database) -> None:
    await loader.load([member(1)], clock.now())
    services = replace(loader.services, limits=UploadLimits(settle_timeout_s=0.05))
    other = await asyncpg.connect(database.url, server_settings={"search_path": "handoff", "role": "handoff_work"})
    try:
        async with other.transaction():
            await other.execute("insert into person (id, created_at) values ($1, $2)", loader.services.ids.new(), clock.now())
            await other.fetch("select from panel_member")
            file = roster_bytes([member(2)])
            async with asyncio.timeout(20):
                result = await load_panel(services, loader.organization, file, Upload(UploadMode.DELTA), now=clock.advance(hours=1))
    finally:
        await other.close()
    assert _numbers(result) == (1, 0, 0, 0)


async def test_two_uploads_at_once_are_one_after_the_other(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(number) for number in range(20)], clock.now())
    files = [[member(number, coordinator="A") for number in range(12)], [member(number, coordinator="B") for number in range(8, 20)]]
    now = clock.advance(hours=1)
    async with asyncio.timeout(60):
        results = await asyncio.gather(*(loader.load(file, now, force=True) for file in files))
    assert [result.accepted for result in results] == [12, 12]
    holding = _holding(await claims_of(loader.engine, loader.organization.id), TODAY)
    assert {claim[4] for claim in holding} in ({"A"}, {"B"})
    assert len(holding) == 12
    assert await scalar(loader.engine, "select count(*) from panel_upload") == 3


async def test_an_upload_that_came_in_between_is_compared_with(loader: Loader, clock: FakeClock) -> None:
    """The numbers are those of the panel that was really changed, and rows that became new are identified."""
    await loader.load([member(1), member(2)], clock.now())
    rival = Loader(loader.engine, loader.services.ids, loader.organization)
    rival._is_made = True

    class Overtaken(_Identify):
        async def before(self) -> None:
            if self.calls == 1:
                await rival.load([member(3), member(4)], clock.now(), force=True)

    identify_overtaken = Overtaken()
    services = replace(loader.services, identify=identify_overtaken)
    file = roster_bytes([member(1), member(2), member(3), member(5)])
    result = await load_panel(services, loader.organization, file, Upload(UploadMode.REPLACE), now=clock.advance(hours=1))
    # 1 and 2 were ended by the rival and come back; 3 is as the rival left it; 4 ends; 5 is new.
    assert _numbers(result) == (1, 2, 1, 1)
    assert [claim[0] for claim in _holding(await claims_of(loader.engine, loader.organization.id), TODAY)] == [
        "M00001",
        "M00002",
        "M00003",
        "M00005",
    ]
    assert await scalar(loader.engine, "select count(*) from panel_upload") == 3
    assert identify_overtaken.calls == 2


@pytest.mark.parametrize("times", [1, 4, 5])
async def test_a_chunk_that_met_another_transaction_is_done_again(loader: Loader, clock: FakeClock, times: int) -> None:
    class Meeting(_Identify):
        async def after(self, found: list[Resolved]) -> None:
            assert found
            if self.calls <= times:
                raise IdentityMovedError

    services = replace(loader.services, identify=Meeting())
    await loader.make()
    loading = load_panel(services, loader.organization, roster_bytes([member(1)]), Upload(UploadMode.REPLACE), now=clock.now())
    if times == 5:
        with pytest.raises(IdentityMovedError):
            await loading
        assert await scalar(loader.engine, "select count(*) from patient_record") == 0
    else:
        assert _numbers(await loading) == (1, 0, 0, 0)
        assert await scalar(loader.engine, "select count(*) from patient_record") == 1


@pytest.mark.parametrize("ending", ["cancelled", "session killed", "error of ours"])
async def test_an_upload_that_dies_changes_no_claim_and_can_be_sent_again(
    loader: Loader, clock: FakeClock, database: Database, ending: str
) -> None:
    await loader.load([member(number) for number in range(5)], clock.now())
    before = (await _rows(loader.engine))["panel_member"]
    reached = asyncio.Event()

    class Dying(_Identify):
        async def after(self, found: list[Resolved]) -> None:
            assert found
            if self.calls == 2:
                reached.set()
                if ending == "error of ours":
                    message = "ours"
                    raise LookupError(message)
                await asyncio.sleep(60)

    services = replace(loader.services, identify=Dying(), limits=UploadLimits(chunk_claims=2))
    file = roster_bytes([member(number, coordinator="B") for number in range(5)])
    loading = asyncio.create_task(load_panel(services, loader.organization, file, Upload(UploadMode.REPLACE), now=clock.advance(hours=1)))
    await reached.wait()
    if ending == "session killed":
        killed = (
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()"
        )
        outside = await asyncpg.connect(database.url)
        await outside.fetchval(killed)
        await outside.close()
    if ending != "error of ours":
        loading.cancel()
    with pytest.raises((asyncio.CancelledError, LookupError)):
        await loading
    assert (await _rows(loader.engine))["panel_member"] == before
    again = await loader.load(file, clock.now())
    assert _numbers(again) == (0, 5, 0, 0)
    assert await scalar(loader.engine, "select count(*) from pg_class where relname like 'roster%' and relpersistence = 't'") == 0


async def test_answers_and_records_hold_no_patient_data(loader: Loader, clock: FakeClock) -> None:
    """But for the cells of refused rows, which their sender gets back."""
    rows = [
        member(1, last_name="Zq7marker", coordinator="Zq7marker"),
        member(1, coordinator="Zq7marker"),
        member(2, birth_date="Zq7marker"),
    ]
    result = await loader.load(rows, clock.now())
    assert "Zq7marker" not in str(result.document())
    assert "Zq7marker" not in str(await scalar(loader.engine, "select summary::text from panel_upload"))
    assert "Zq7marker" not in str(await scalar(loader.engine, "select errors::text from panel_upload_rejection"))
    assert "Zq7marker" in str(await scalar(loader.engine, "select cells::text from panel_upload_rejection"))

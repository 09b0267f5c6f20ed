"""A delta that says who comes, changes and goes: what it ends, what it leaves, and which of its rows are refused. Real PostgreSQL."""

from datetime import date

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.panel import PanelWouldShrinkError, UploadMode, UploadResult
from app.domain.viewer import OPERATOR
from app.store.engine import raw_connection
from app.store.panels import refusals
from app.store.unit_of_work import unit_of_work
from tests.support.fakes import FakeClock, FakeIds
from tests.support.rosters import Loader, claims_of, member, roster_bytes, scalar

TODAY = date(2026, 3, 2)
"""Of the fake clock, in Maine."""
START = date(2026, 1, 1)
DELTA = UploadMode.DELTA


@pytest.fixture
def loader(engine_work: AsyncEngine, ids: FakeIds) -> Loader:
    """Uploads for a health home."""
    return Loader(engine_work, ids)


def _gone(number: int, **cells: str) -> dict[str, str]:
    """A row that removes by the member number alone."""
    return {"member_id": f"M{number:05d}", "member_id_system": "ACME", "change_type": "remove"} | cells


def _codes(result: UploadResult) -> list[tuple[int, str, str]]:
    return [(error.row, error.column, error.code.value) for error in result.errors]


async def _ends(loader: Loader) -> dict[str, date | None]:
    return {f"{claim[0]} {claim[1]}": claim[3] for claim in await claims_of(loader.engine, loader.organization.id)}


async def test_people_come_change_and_go_in_one_file(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(1), member(2), member(3), member(4)], clock.now())
    rows = [
        member(5, change_type="add"),
        member(1, change_type="change", coordinator="Coordinator Two"),
        _gone(2),
        _gone(3, effective_to="2026-02-01"),
        _gone(4, effective_to="2026-06-01"),
    ]
    later = clock.advance(hours=1)
    result = await loader.load(rows, later, DELTA)
    difference = result.difference
    assert (difference.added, difference.changed, difference.unchanged, difference.removed) == (1, 1, 0, 3)
    assert (result.rows, result.accepted, result.rejected, result.warnings) == (5, 5, 0, ())
    assert await _ends(loader) == {
        "M00001 BHH": None,
        "M00002 BHH": TODAY,
        "M00003 BHH": date(2026, 2, 1),
        "M00004 BHH": date(2026, 6, 1),
        "M00005 BHH": None,
    }
    # Two times: what was claimed before is still there, with when we learned that it ended.
    past = "select count(*) from panel_member where retracted_at = $1 and effective_to is null"
    assert await scalar(loader.engine, past, later) == 4
    assert await scalar(loader.engine, "select count(*) from panel_member where row ->> 'change_type' is not null") == 0


async def test_a_removal_ends_what_it_names_and_no_more(loader: Loader, clock: FakeClock) -> None:
    both = [member(1), member(1, program="Tcm Program"), member(1, program="ACO", effective_from="2026-02-01")]
    await loader.load([*both, *(member(number) for number in range(2, 20))], clock.now())
    one = await loader.load([_gone(1, program="TCM-program")], clock.advance(hours=1), DELTA)
    assert one.difference.removed == 1
    ends = await _ends(loader)
    assert (ends["M00001 BHH"], ends["M00001 Tcm Program"], ends["M00001 ACO"]) == (None, TODAY, None)
    rest = await loader.load([_gone(1, effective_from="2026-02-01")], clock.advance(hours=1), DELTA)
    assert rest.difference.removed == 1
    ends = await _ends(loader)
    assert (ends["M00001 BHH"], ends["M00001 ACO"], ends["M00002 BHH"]) == (None, TODAY, None)


async def test_rows_that_end_nothing_say_why_and_end_nothing(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(1), member(2), member(3), member(4, program="TCM")], clock.now())
    before = await claims_of(loader.engine, loader.organization.id)
    rows = [
        _gone(9),
        _gone(1, birth_date="1990-09-09"),
        _gone(2),
        member(2, change_type="unchanged"),
        _gone(4, program="BHH"),
        _gone(3, change_type="vanish"),
        {"change_type": "remove", "last_name": "Sample3"},
        _gone(3, effective_from="2026-02-01", effective_to="2026-01-01", role="x"),
    ]
    result = await loader.load(rows, clock.advance(hours=1), DELTA)
    assert sorted(_codes(result)) == sorted(
        [
            (2, "change_type", "not_on_panel"),
            (3, "change_type", "other_person"),
            (4, "change_type", "contradicted"),
            (6, "change_type", "not_on_panel"),
            *[(7, column, code) for column, code in _WHOLE_ROW],
            (8, "member_id", "no_identifier"),
            (9, "effective_to", "ends_before_start"),
            (9, "role", "unknown_role"),
        ]
    )
    assert (result.rows, result.accepted, result.rejected) == (8, 1, 7)
    assert result.difference.removed == 0
    assert await claims_of(loader.engine, loader.organization.id) == before
    assert all(error.message and "M0000" not in error.message for error in result.errors)
    async with unit_of_work(loader.engine, OPERATOR) as connection:
        found = await refusals(connection, OPERATOR, result.id)
    assert [refusal.row for refusal in found] == [2, 3, 4, 6, 7, 8, 9]
    assert "M00009" in found[0].cells


_WHOLE_ROW = (
    ("change_type", "unknown_change"),
    ("birth_date", "missing"),
    ("effective_from", "missing"),
    ("last_name", "missing"),
    ("program", "missing"),
)
"""A row whose change type is not understood is read as one that says who is on the panel."""


async def test_ended_twice_is_ended_once(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(number) for number in range(1, 20)], clock.now())
    await loader.load([_gone(1)], clock.advance(hours=1), DELTA)
    again = await loader.load([_gone(1)], clock.advance(days=1), DELTA)
    assert (again.accepted, again.rejected, again.difference.removed) == (1, 0, 0)
    # Two rows about one claim: the later counts. An earlier end is a correction.
    twice = await loader.load([_gone(1, effective_to="2026-01-15"), _gone(1, effective_to="2026-02-15")], clock.advance(days=1), DELTA)
    assert twice.difference.removed == 1
    assert (await _ends(loader))["M00001 BHH"] == date(2026, 2, 15)


async def test_who_was_removed_can_come_again(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(number) for number in range(1, 20)], clock.now())
    await loader.load([_gone(1)], clock.advance(hours=1), DELTA)
    back = await loader.load([member(1, change_type="add")], clock.advance(hours=1), DELTA)
    assert (back.difference.changed, back.difference.removed) == (1, 0)
    assert (await _ends(loader))["M00001 BHH"] is None


async def test_a_person_is_found_by_another_number_of_theirs_unless_it_is_that_of_several(loader: Loader, clock: FakeClock) -> None:
    people = [member(1, medicaid_id="MC1"), member(2, mrn="R2", mrn_system="HOSP"), member(3, mrn="R3", mrn_system="HOSP")]
    await loader.load([*people, *(member(number) for number in range(4, 20))], clock.now())
    # One chart number for two people, as a review may leave them.
    await loader.load([member(30, mrn="R3", mrn_system="HOSP")], clock.now(), DELTA)
    async with unit_of_work(loader.engine, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute(
            "update panel_member m set person_id = m.id from patient_record r where r.id = m.record_id and r.value = $1", "M00030"
        )
    rows = [
        {"medicaid_id": "MC1", "change_type": "d"},
        {"mrn": "R2", "mrn_system": "hosp", "change_type": "Dropped"},
        {"mrn": "R3", "mrn_system": "HOSP", "change_type": "remove"},
    ]
    result = await loader.load(rows, clock.advance(hours=1), DELTA)
    assert (result.difference.removed, _codes(result)) == (2, [(4, "change_type", "several_people")])
    ends = await _ends(loader)
    assert (ends["M00001 BHH"], ends["M00002 BHH"], ends["M00003 BHH"]) == (TODAY, TODAY, None)


async def test_an_end_before_the_beginning_says_that_it_never_held(loader: Loader, clock: FakeClock) -> None:
    """As enrolment files void a claim (X12 834)."""
    await loader.load([member(number) for number in range(1, 20)], clock.now())
    await loader.load([_gone(1, effective_to="2025-12-01")], clock.advance(hours=1), DELTA)
    assert "M00001 BHH" not in await _ends(loader)


async def test_the_guard_stops_a_delta_that_ends_most_of_a_panel(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(number) for number in range(1, 21)], clock.now())
    file = [_gone(number) for number in range(1, 9)]
    with pytest.raises(PanelWouldShrinkError):
        await loader.load(file, clock.now(), DELTA)
    tried = await loader.load(file, clock.now(), DELTA, dry_run=True)
    assert (tried.needs_force, tried.difference.removed) == (True, 8)
    forced = await loader.load(file, clock.now(), DELTA, force=True)
    assert forced.difference.removed == 8


async def test_what_a_row_calls_itself_is_checked_and_decides_nothing(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(1), member(2)], clock.now())
    rows = [member(1, change_type="new", coordinator="B"), member(2, change_type="add"), member(3, change_type="changed")]
    result = await loader.load(rows, clock.advance(hours=1), DELTA)
    difference = result.difference
    assert (difference.added, difference.changed, difference.unchanged) == (1, 1, 1)
    assert [(warning.row, warning.code.value) for warning in result.warnings] == [(2, "added_before"), (4, "not_yet_added")]


async def test_a_whole_panel_may_say_who_left_and_when(loader: Loader, clock: FakeClock) -> None:
    """A refused removal keeps the person, like any refused row."""
    await loader.load([member(number) for number in range(1, 20)], clock.now())
    rows = [*(member(number) for number in range(4, 20)), _gone(1, effective_to="2026-02-01"), _gone(2, birth_date="1999-09-09")]
    result = await loader.load(rows, clock.advance(hours=1))
    assert (result.difference.removed, result.difference.kept, result.rejected) == (2, 1, 1)
    ends = await _ends(loader)
    assert (ends["M00001 BHH"], ends["M00002 BHH"], ends["M00003 BHH"]) == (date(2026, 2, 1), None, TODAY)


async def test_a_file_of_removals_needs_no_other_columns(loader: Loader, clock: FakeClock) -> None:
    await loader.load([member(number) for number in range(1, 20)], clock.now())
    file = roster_bytes([_gone(1), _gone(2)], ["member_id", "member_id_system", "change_type"], delimiter="|")
    aliased = file.replace(b"change_type", b"Action")
    result = await loader.load(aliased, clock.advance(hours=1), DELTA)
    assert (result.difference.removed, result.rejected) == (2, 0)

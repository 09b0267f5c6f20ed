"""A roster that names somebody by the number of somebody else: the row is not taken, or the number joins nobody; both are reported."""

from datetime import date

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.actions.identify import identify
from app.domain.adt_event import Identifier
from app.domain.panel import UploadMode, UploadResult
from app.domain.person import ADT_SOURCE, RecordClaim
from app.domain.viewer import OPERATOR
from app.store.engine import raw_connection
from app.store.panels import refusals
from app.store.unit_of_work import unit_of_work
from tests.support.fakes import FakeClock, FakeIds
from tests.support.rosters import Loader, claims_of, member, scalar

START = date(2026, 1, 1)
SOMEBODY_ELSE = {"first_name": "Zebulon", "last_name": "Quill", "birth_date": "1931-12-31", "sex": "F"}


@pytest.fixture
def loader(engine_work: AsyncEngine, ids: FakeIds) -> Loader:
    """Uploads for a health home."""
    return Loader(engine_work, ids)


def codes(result: UploadResult) -> list[tuple[int, str]]:
    return [(error.row, error.code.value) for error in result.errors]


@pytest.mark.parametrize("mode", list(UploadMode))
async def test_a_member_number_of_somebody_else_is_refused_and_their_claim_stays(
    loader: Loader, clock: FakeClock, mode: UploadMode
) -> None:
    await loader.load([member(1, coordinator="C. One"), member(2)], clock.now())
    result = await loader.load([member(1, **SOMEBODY_ELSE), member(2, first_name="Testo"), member(3)], clock.advance(days=1), mode)
    assert codes(result) == [(2, "number_of_another")]
    difference = result.difference
    assert (result.rows, result.accepted, result.rejected) == (3, 2, 1)
    assert (difference.added, difference.changed, difference.removed, difference.kept) == (1, 1, 0, 1)
    assert (await claims_of(loader.engine, loader.organization.id))[0] == ("M00001", "BHH", START, None, "C. One")
    assert await scalar(loader.engine, "select count(*) from patient_record where demographics::text like '%Zebulon%'") == 0
    async with unit_of_work(loader.engine, OPERATOR) as connection:
        kept = await refusals(connection, OPERATOR, result.id)
    assert [row.row for row in kept] == [2]


async def test_the_second_of_two_rows_of_one_file_is_refused_and_force_says_that_all_of_it_is_a_correction(
    loader: Loader, clock: FakeClock
) -> None:
    rows = [member(1), member(1, program="HH", **SOMEBODY_ELSE)]
    assert codes(await loader.load(rows, clock.now())) == [(3, "number_of_another")]
    result = await loader.load(rows, clock.advance(days=1), force=True)
    assert (result.rejected, result.difference.added) == (0, 1)


async def test_an_mrn_of_somebody_else_joins_nobody_and_is_warned_of(loader: Loader, clock: FakeClock, ids: FakeIds) -> None:
    own = Identifier("HOSPA", "MR", "X1")
    facts = {"first_name": "Ann", "last_name": "Alder", "birth_date": "1980-01-02", "sex": "F"}
    await loader.make()
    async with unit_of_work(loader.engine, None) as connection:
        claim = RecordClaim(ADT_SOURCE, own, (own,), "00000000000001.0", facts)
        await identify(await raw_connection(connection), [claim], ids=ids, now=clock.now())
    alike = {"first_name": "Ann", "last_name": "Birch", "birth_date": "1980-01-02", "sex": "F", "mrn": "X1", "mrn_system": "HOSPA"}
    result = await loader.load([member(1, mrn="X1", mrn_system="HOSPA"), member(2, **alike), member(3)], clock.now())
    assert (result.errors, result.accepted) == ((), 3)
    assert [(warning.row, warning.column, warning.code.value) for warning in result.warnings] == [(2, "mrn", "mrn_of_another")]

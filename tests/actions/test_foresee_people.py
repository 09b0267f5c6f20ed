"""A dry run says of its rows whose they would be: somebody known for certain, perhaps, or new. And changes nothing."""

from dataclasses import astuple

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.actions import foresee_people
from app.actions.identify import identify
from app.actions.match_records import match_records
from app.domain.adt_event import Identifier
from app.domain.panel import Foreseen, UploadResult
from app.domain.person import ADT_SOURCE, RecordClaim
from tests.support.fakes import FakeClock, FakeIds
from tests.support.rosters import Loader, member, scalar

ZEB = {
    "first_name": "Zebulon", "last_name": "Quillfeather", "birth_date": "1950-12-31", "sex": "M",
    "phone": "2075550143", "address": "12 Birch Street", "zip": "04401", "city": "Bangor",
}  # fmt: skip
ALL = "select count(*) from (select id from patient_record union all select id from person union all select id from identity_match) a"


@pytest.fixture
async def loader(engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock) -> Loader:
    """Uploads for a health home; a hospital knows Zebulon, and Testa7 Sample7 by name, birth date and sex."""
    known = member(7)
    async with wiring.open_transaction(engine_work)() as raw:
        for number, facts in (("Z1", ZEB), ("S7", {name: known[name] for name in ("first_name", "last_name", "birth_date", "sex")})):
            own = Identifier("HOSPA", "MR", number)
            await identify(raw, [RecordClaim(ADT_SOURCE, own, (own,), "1", dict(facts))], ids=ids, now=clock.now())
        await match_records(raw, ids=ids, now=clock.now())
    return Loader(engine_work, ids)


def rows() -> list[dict[str, str]]:
    """One who is known by the name, one who is perhaps known, one who is new."""
    return [member(7), member(8, **{**ZEB, "first_name": "Debulon", "phone": "2075550199"}), member(9)]


def told(result: UploadResult) -> tuple[int, ...]:
    assert result.foreseen is not None
    return tuple(astuple(result.foreseen))


async def test_a_dry_run_tells_certain_possible_and_new_apart_and_changes_nothing(loader: Loader, clock: FakeClock) -> None:
    before = await scalar(loader.engine, ALL)
    tried = await loader.load(rows(), clock.now(), dry_run=True)
    assert told(tried) == (3, 1, 1, 1, 0)
    assert await scalar(loader.engine, ALL) == before
    done = await loader.load(rows(), clock.now())
    assert done.foreseen is None
    # And so it was.
    assert await scalar(loader.engine, "select count(distinct person_id) from patient_record") == 4


async def test_whoever_is_on_the_panel_is_known_and_a_number_of_somebody_else_is_refused(loader: Loader, clock: FakeClock) -> None:
    await loader.load(rows(), clock.now())
    changed = [member(7, coordinator="C. New"), member(9, first_name="Walburga", last_name="Quux", birth_date="1931-12-30", sex="F")]
    assert told(await loader.load(changed, clock.advance(days=1), dry_run=True, force=False))[1:] == (1, 0, 0, 1)


async def test_of_a_long_file_it_says_how_many_were_looked_at(loader: Loader, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foresee_people, "ROWS_MAX", 4)
    monkeypatch.setattr(foresee_people, "_CHUNK_ROWS", 3)
    assert told(await loader.load([member(number) for number in range(20, 30)], clock.now(), dry_run=True)) == (4, 0, 0, 4, 0)


def test_parts_of_a_file_add_up() -> None:
    assert Foreseen(3, 1, 1, 1, 0).plus(Foreseen(2, 0, 0, 1, 1)) == Foreseen(5, 1, 1, 2, 1)

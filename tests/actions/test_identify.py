"""Room 4 on a real database: records and people are made, joined and parted; and two transactions that meet lose nothing."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.actions.identify import IdentityMovedError, identify
from app.domain.adt_event import Identifier
from app.domain.latest import known
from app.domain.person import ADT_SOURCE, PatientRecord, RecordClaim, Resolved
from app.store import people
from app.store.raw import Raw
from tests.support.fakes import FakeIds
from tests.support.queries import QueryRecorder
from tests.support.waiting import somebody_waits

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
ANN = {"first_name": "Ann", "last_name": "Alder", "birth_date": "1980-01-02", "sex": "F"}
MEDICAID = Identifier("MAINECARE", "MA", "MC1")


def mrn(hospital: str, number: str) -> Identifier:
    return Identifier(hospital, "MR", number)


def claim(key: str, *identifiers: Identifier, retires: Sequence[Identifier] = (), source: str = ADT_SOURCE, **facts: str) -> RecordClaim:
    return RecordClaim(source, identifiers[0], identifiers, key, facts, tuple(retires))


class House:
    """Identifies in transactions of their own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.transaction = wiring.open_transaction(engine)
        self.ids = FakeIds()

    async def identify(self, *claims: RecordClaim) -> list[Resolved]:
        async with self.transaction() as raw:
            return await identify(raw, claims, ids=self.ids, now=NOW)

    async def people(self) -> set[frozenset[str]]:
        """Give who is who, by their own numbers."""
        async with self.transaction() as raw:
            rows = await raw.fetch("select person_id, array_agg(value) as numbers from patient_record group by 1")
        return {frozenset(row["numbers"]) for row in rows}

    async def record(self, own: Identifier) -> PatientRecord:
        async with self.transaction() as raw:
            return (await people.find_own(raw, [(ADT_SOURCE, own)]))[ADT_SOURCE, own]

    async def value(self, statement: str, *arguments: Any) -> Any:
        async with self.transaction() as raw:
            return await raw.fetchval(statement, *arguments)


@pytest.fixture
def house(engine_work: AsyncEngine) -> House:
    return House(engine_work)


async def test_a_new_number_is_a_record_and_a_person_and_is_known_the_next_time(house: House) -> None:
    (first,) = await house.identify(claim("1", mrn("A", "1"), **ANN))
    (again,) = await house.identify(claim("2", mrn("A", "1"), phone="555"))
    assert (again.record_id, again.person_id) == (first.record_id, first.person_id)
    assert known((await house.record(mrn("A", "1"))).said) == {**ANN, "phone": "555"}
    assert await house.value("select count(*) from person") == 1


async def test_claims_of_one_batch_meet_each_other(house: House) -> None:
    found = await house.identify(
        claim("1", mrn("A", "1"), MEDICAID),
        claim("2", mrn("B", "7"), MEDICAID),
        claim("3", mrn("A", "1"), **ANN),
        claim("4", mrn("C", "9")),
    )
    assert [item.person_id == found[0].person_id for item in found] == [True, True, True, False]
    assert found[0].record_id == found[2].record_id


async def test_two_hospitals_and_a_roster_that_give_one_medicaid_number_speak_of_one_person(house: House) -> None:
    await house.identify(claim("1", Identifier("", "MA", "MC1"), source=str(UUID(int=5)), last_name="Alder"))
    await house.identify(claim("2", mrn("A", "1"), MEDICAID))
    await house.identify(claim("3", mrn("B", "7"), MEDICAID))
    assert await house.people() == {frozenset({"MC1", "1", "7"})}


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_merge_joins_whether_or_not_the_retired_number_was_known(house: House, is_known: bool) -> None:
    if is_known:
        await house.identify(claim("1", mrn("A", "2"), last_name="Birch"))
    await house.identify(claim("2", mrn("A", "1"), retires=[mrn("A", "2")], **ANN))
    assert await house.people() == {frozenset({"1", "2"})}
    (late,) = await house.identify(claim("3", mrn("A", "2"), phone="555"))
    assert late.person_id == (await house.record(mrn("A", "1"))).person_id


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_the_later_of_two_merges_of_one_number_counts_whichever_arrives_first(house: House, order: Sequence[int]) -> None:
    merges = [claim("5", mrn("A", "1"), retires=[mrn("A", "3")]), claim("6", mrn("A", "2"), retires=[mrn("A", "3")])]
    for position in order:
        await house.identify(merges[position])
    assert await house.people() == {frozenset({"1"}), frozenset({"2", "3"})}


async def test_stays_claims_and_follow_ups_go_with_their_record_and_are_looked_at_again(house: House) -> None:
    hospital, home = UUID(int=91), UUID(int=92)
    await house.identify(claim("1", mrn("A", "1"), **ANN))
    (loser,) = await house.identify(claim("2", mrn("A", "2"), last_name="Birch"))
    async with house.transaction() as raw:
        await _stay_with_follow_up(raw, hospital, home, loser)
    (winner,) = await house.identify(claim("3", mrn("A", "1"), retires=[mrn("A", "2")]))
    assert winner.person_id != loser.person_id
    for table in ("encounter", "panel_member", "follow_up"):
        assert await house.value(f"select person_id from {table}") == winner.person_id, table  # noqa: S608 - our own names
    assert await house.value("select merged_into from person where id = $1", loser.person_id) == winner.person_id
    assert await house.value("select encounter_id from reconsideration") == UUID(int=81)
    assert winner.moved_people == {winner.person_id, loser.person_id}


async def _stay_with_follow_up(raw: Raw, hospital: UUID, home: UUID, whose: Resolved) -> None:
    for number, name in ((hospital, "Hospital A"), (home, "Home H")):
        await raw.execute(
            "insert into organization (id, name, kind, program_roles, part2_status, facility_type, time_zone, holiday_calendar, created_at)"
            " values ($1, $2, 'hospital', '{}', 'unknown', 'unknown', 'UTC', '', $3)", number, name, NOW,
        )  # fmt: skip
    await raw.execute(
        "insert into encounter (id, source, facility_id, visit_authority, visit_number, record_id, person_id, mode, state, version, status,"
        " class, behavioral_kind, provisional, last_key, created_at, updated_at)"
        " values ($1, 'adt', $2, 'A', 'V1', $3, $4, 'live', '{}', 1, 'finished', 'inpatient', 'none', true, '', $5, $5)",
        UUID(int=81), hospital, whose.record_id, whose.person_id, NOW,
    )  # fmt: skip
    await raw.execute(
        "insert into panel_member (id, organization_id, record_id, person_id, program, role, effective_from, row_key, row_hash, row,"
        " asserted_at) values ($1, $2, $3, $4, 'BHH', 'health_home', $5, '', '', '{}', $6)",
        UUID(int=82), home, whose.record_id, whose.person_id, NOW.date(), NOW,
    )  # fmt: skip
    await raw.execute(
        "insert into follow_up (id, encounter_id, home_id, person_id, programs, state, state_reasons, opened_at, clocks, updated_at,"
        " version, of_reporter_alone) values ($1, $2, $3, $4, '{}', 'open', '[]', $5, '[]', $5, 1, false)",
        UUID(int=83), UUID(int=81), home, whose.person_id, NOW,
    )  # fmt: skip


async def test_a_corrected_name_leaves_those_who_remain_to_be_one_person(house: House) -> None:
    """Two of hospital A's patients of one name join nobody; when one of them is renamed, the other is the third's."""
    await house.identify(claim("1", mrn("A", "1"), **ANN))
    await house.identify(claim("2", mrn("A", "2"), **ANN))
    await house.identify(claim("3", mrn("B", "7"), **ANN))
    assert await house.people() == {frozenset({"1"}), frozenset({"2"}), frozenset({"7"})}
    await house.identify(claim("4", mrn("A", "2"), first_name="Anne"))
    assert await house.people() == {frozenset({"1", "7"}), frozenset({"2"})}


async def test_facts_that_only_contradict_part_people_too(house: House) -> None:
    """Without a sex there is no demographic key, and still a newborn is told from the mother."""
    await house.identify(claim("1", mrn("A", "1"), MEDICAID, first_name="Ann", birth_date="1980-01-02"))
    await house.identify(claim("2", mrn("A", "2"), MEDICAID))
    assert len(await house.people()) == 1
    await house.identify(claim("3", mrn("A", "2"), first_name="Baby", birth_date="2026-03-01"))
    assert len(await house.people()) == 2


async def test_an_older_message_that_comes_late_changes_no_newer_fact(house: House) -> None:
    await house.identify(claim("2", mrn("A", "1"), last_name="Alder-Oak"))
    await house.identify(claim("1", mrn("A", "1"), last_name="Alder", phone="555"))
    assert known((await house.record(mrn("A", "1"))).said) == {"last_name": "Alder-Oak", "phone": "555"}


# Two transactions at once.


async def test_two_who_meet_one_new_patient_make_one_record(house: House) -> None:
    async def meet(key: str) -> None:
        while True:
            try:
                await house.identify(claim(key, mrn("A", "1"), MEDICAID, phone=key))
            except IdentityMovedError:
                continue
            return

    await asyncio.gather(*(meet(str(key)) for key in range(6)))
    assert await house.value("select count(*) from patient_record") == 1
    assert known((await house.record(mrn("A", "1"))).said) == {"phone": "5"}


async def test_what_another_learned_while_we_waited_is_not_lost(house: House) -> None:
    """Both read the record before either has its lock; the second must not write back what it read."""
    await house.identify(claim("1", mrn("A", "1"), **ANN))
    async with house.transaction() as first:
        await identify(first, [claim("2", mrn("A", "1"), phone="555")], ids=house.ids, now=NOW)
        second = asyncio.create_task(house.identify(claim("3", mrn("A", "1"), city="Bangor")))
        await _until_waiting(house)
    with pytest.raises(IdentityMovedError):
        await second
    await house.identify(claim("3", mrn("A", "1"), city="Bangor"))
    assert known((await house.record(mrn("A", "1"))).said) == {**ANN, "phone": "555", "city": "Bangor"}


async def test_a_person_who_was_merged_while_we_waited_is_found_out(house: House) -> None:
    await house.identify(claim("1", mrn("A", "1"), **ANN))
    await house.identify(claim("2", mrn("A", "2"), last_name="Birch"))
    async with house.transaction() as merging:
        await identify(merging, [claim("3", mrn("A", "1"), retires=[mrn("A", "2")])], ids=house.ids, now=NOW)
        late = asyncio.create_task(house.identify(claim("4", mrn("A", "2"), phone="555")))
        await _until_waiting(house)
    with pytest.raises(IdentityMovedError):
        await late


async def _until_waiting(house: House) -> None:
    """Wait until another transaction waits for a lock."""
    while not await house.value(somebody_waits()):
        await asyncio.sleep(0.01)


async def test_the_statements_do_not_grow_with_the_batch(house: House, queries: QueryRecorder) -> None:
    def batch(first: int, size: int) -> list[RecordClaim]:
        return [
            claim("1", mrn("A", str(number)), Identifier("MAINECARE", "MA", f"MC{number}"), **ANN, phone="1")
            for number in range(first, first + size)
        ]

    await house.identify(*batch(0, 2))
    with queries.recording() as few:
        await house.identify(*batch(10, 2))
    with queries.recording() as many:
        await house.identify(*batch(1000, 100))
    assert len(many) <= len(few) + 1
    with queries.recording() as again:
        await house.identify(*(RecordClaim(item.source, item.own, item.identifiers, "2", {"phone": "2"}) for item in batch(1000, 100)))
    assert len(again) <= 3, "patients who are known cost a look, a lock and a write"

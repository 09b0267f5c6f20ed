"""What is taken back restores every person exactly: the very ids and the very questions, whatever moved in between."""

import random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.adt_event import Identifier
from app.domain.person import ADT_SOURCE, RecordClaim
from app.domain.tie import TieOutcome
from app.store import people
from tests.actions.test_match_records import ANN, House, a_history, claim, mrn


@pytest.fixture
def house(engine_work: AsyncEngine) -> House:
    return House(engine_work)


async def everything(house: House) -> tuple[dict[str, UUID], set[tuple[str, frozenset[str]]]]:
    """Whose each record is, and what is asked. Whoever has records is nobody else."""
    async with house.transaction() as raw:
        rows = await raw.fetch("select authority || value as name, person_id from patient_record")
        gone = "select count(*) from person where merged_into is not null and id in (select person_id from patient_record)"
        assert not await raw.fetchval(gone)
    opened = {asked for asked, state in (await house.questions()).items() if state == "open"}
    return {row["name"]: row["person_id"] for row in rows}, opened


@pytest.mark.parametrize("seed", range(8))
async def test_taking_back_answers_and_a_link_restores_every_person_exactly(house: House, seed: int) -> None:
    """By an operator, and by the hospital (A24, A37)."""
    chance = random.Random(2000 + seed)
    await house.take(*a_history(chance), claim("900", mrn("D", "8"), **ANN), claim("901", mrn("D", "9"), first_name="Zebulon"))
    before = await everything(house)
    asked = [tie for tie in await house.ties() if tie["kind"] == "possible_match" and tie["state"] == "open"]
    for tie in asked[:3]:
        await house.answer(tie["one"], tie["other"], TieOutcome.SAME)
    linked = RecordClaim(ADT_SOURCE, mrn("D", "8"), (mrn("D", "8"),), "910", {}, links=(mrn("D", "9"),))
    await house.take(linked)
    assert (await everything(house))[0] != before[0]
    await house.take(linked._replace(sort_key="911", links=(), parts_from=(mrn("D", "9"),)))
    for tie in reversed(asked[:3]):
        await house.answer(tie["one"], tie["other"], None)
    assert await everything(house) == before


@pytest.mark.parametrize("seed", range(8))
async def test_links_and_moves_taken_back_in_any_order_restore_every_person_exactly(house: House, seed: int) -> None:
    """Links (A24, A37) within any hospital, records that move to another patient and back (A43), and hospitals' merges overruled."""
    chance = random.Random(3000 + seed)
    numbers = {hospital: [mrn(hospital, number) for number in "1234"] for hospital in "ABCE"}
    merged = [claim(f"7{place}", numbers["E"][place], retires=[numbers["E"][place - 1]]) for place in (1, 3)]
    everybody = [claim(f"80{own.value}", own) for mine in numbers.values() for own in mine]
    await house.take(*a_history(chance), *merged, *everybody)
    before = await everything(house)
    linked = await _linked(house)
    pairs = [(one, other) for mine in numbers.values() for one, other in [chance.sample(mine, 2) for _ in range(2)]]
    there = [_said(f"92{place}", one, links=(other,)) for place, (one, other) in enumerate(pairs) if {one, other} not in linked]
    back = [said._replace(sort_key=f"94{place}", links=(), parts_from=said.links) for place, said in enumerate(there)]
    for child, home in ((0, 1), (2, 3)):
        there.append(_said(f"93{child}", numbers["E"][child], belongs_to=numbers[chance.choice("ABC")][0]))
        back.append(_said(f"95{child}", numbers["E"][child], belongs_to=numbers["E"][home]))
    for steps in (there, back):
        chance.shuffle(steps)
        while steps:
            await house.identify(*[steps.pop() for _ in range(min(len(steps), chance.randint(1, 3)))])
            if chance.random() < 0.6:
                await house.compare(chance.randint(1, 4))
    await house.compare()
    assert await everything(house) == before


def _said(key: str, own: Identifier, **more: Any) -> RecordClaim:
    return RecordClaim(ADT_SOURCE, own, (own,), key, {}, **more)


async def _linked(house: House) -> list[set[Identifier]]:
    async with house.transaction() as raw:
        numbers = [row["id"] for row in await raw.fetch("select id from patient_record")]
        records = {one.id: one for one in await people.by_id(raw, numbers)}
    return [{one.own, records[other].own} for one in records.values() for other in one.linked]


def _told(hospital: str, place: int, words: str) -> RecordClaim:
    """Read "1 goes to 3" (A43), "1 goes from 8 to 3", "1 merges into 3" (A40), "1 is now 8" (A47), "1 is not 8" (A37)."""
    first, *verb, last = words.split()
    one, other = mrn(hospital, first), mrn(hospital, last)
    match verb:
        case ["goes", "to"]:
            return _said(f"{place}", one, belongs_to=other)
        case ["goes", "from", left, "to"]:
            return _said(f"{place}", one, belongs_to=other, parts_from=(mrn(hospital, left),))
        case ["merges", "into"]:
            return _said(f"{place}", other, retires=(one,))
        case ["is", "now"]:
            return _said(f"{place}", other, formerly=(one,))
    assert verb == ["is", "not"]
    return _said(f"{place}", one, parts_from=(other,))


@pytest.mark.parametrize(
    ("said", "together"),
    [
        ("1 goes to 3, 1 is now 8", "138 2"),
        ("1 goes to 3, 1 is now 8, 8 is now 1", "138 2"),
        ("1 merges into 3, 1 is now 8, 8 is now 1", "138 2"),
        # The record has two numbers: what is said of either is said of it, and the latest counts.
        ("1 goes to 3, 1 is now 8, 8 is now 1, 8 goes to 2", "128 3"),
        ("1 goes to 3, 1 is now 8, 8 goes to 2, 1 goes to 3", "138 2"),
        # Each went to a patient of its own before they turned out to be one record.
        ("1 goes to 3, 8 goes to 2, 1 is now 8", "1238"),
        # Who retires the old number says nothing new: no merge backwards.
        ("1 goes to 3, 1 is now 8, 8 merges into 1", "138 2"),
        ("1 is now 8, 1 is now 2", "12 3 8"),
        # It never was that number's; and what takes a link back takes no more back than that.
        ("1 is now 8, 1 goes from 8 to 3", "13 2 8"),
        ("1 is now 8, 1 goes from 8 to 3, 8 is now 1", "138 2"),
        ("1 is now 8, 8 is not 1", "18 2 3"),
    ],
)
async def test_another_number_is_the_same_record_and_takes_no_merge_back(house: House, said: str, together: str) -> None:
    """In any order, and nothing is asked."""
    for hospital, forwards in (("A", 1), ("B", -1)):
        steps = [_told(hospital, place, words) for place, words in enumerate(said.split(", "), start=2)]
        await house.take(*(claim("1", mrn(hospital, number)) for number in "1238"))
        for step in steps[::forwards]:
            await house.take(step)
    expected = {frozenset(f"{hospital}{number}" for number in numbers) for hospital in "AB" for numbers in together.split()}
    assert await house.people() == expected
    assert await house.questions() == {}

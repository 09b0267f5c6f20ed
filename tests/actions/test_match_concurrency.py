"""Messages, comparisons and answers about the same people at the same moment, on connections of their own: nobody waits for ever."""

import asyncio
import random
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.actions.answer_match import GivenAnswer, answer_match
from app.actions.identify import IdentityMovedError, identify, rematch
from app.actions.match_records import match_records
from app.domain.adt_event import Identifier
from app.domain.person import RecordClaim
from app.domain.tie import TieOutcome
from app.store import match_reads
from tests.actions.test_match_records import ANN, MISSPELT, NOW, House, by_full_look, claim, mrn

TRIES_MAX = 40


class Crowd:
    """Does everything at once, and counts how often the database had to choose a victim."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.deadlocks = 0

    async def _redone(self, work: Any) -> None:
        for _ in range(TRIES_MAX):
            try:
                async with self.house.transaction() as raw:
                    await work(raw)
            except (IdentityMovedError, asyncpg.UniqueViolationError):
                continue
            except asyncpg.DeadlockDetectedError:
                self.deadlocks += 1
                continue
            return
        pytest.fail("never done")

    async def say(self, one: RecordClaim) -> None:
        await self._redone(lambda raw: identify(raw, [one], ids=self.house.ids, now=NOW))

    async def compare(self) -> None:
        async def work(raw: Any) -> None:
            done = await match_records(raw, ids=self.house.ids, now=NOW)
            if done.touched:
                await rematch(raw, sorted(done.touched), ids=self.house.ids, now=NOW)

        await self._redone(work)

    async def answer(self, match: Any, outcome: TieOutcome | None) -> None:
        given = GivenAnswer(outcome, "desk", "asked")
        await self._redone(lambda raw: answer_match(raw, match, given, rematch=rematch, ids=self.house.ids, now=NOW))


@pytest.mark.parametrize("seed", range(4))
async def test_answers_comparisons_and_messages_about_the_same_people_at_once(engine_work: AsyncEngine, seed: int) -> None:
    chance = random.Random(seed)
    house = House(engine_work)
    crowd = Crowd(house)
    other = {**ANN, "last_name": "Featherstonehaugg"}
    await house.take(claim("1", mrn("A", "1"), **ANN), claim("2", mrn("B", "7"), **MISSPELT), claim("3", mrn("A", "2"), **other))
    for number in range(12):
        asked = [tie["id"] for tie in await house.ties()]
        key = f"{10 + number}"
        await asyncio.gather(
            *(crowd.answer(one, chance.choice([TieOutcome.SAME, TieOutcome.DIFFERENT, TieOutcome.LATER, None])) for one in asked),
            crowd.say(claim(key, mrn("B", "7"), **chance.choice((ANN, MISSPELT, other)))),
            crowd.say(claim(key, mrn("A", chance.choice("123")), **chance.choice((ANN, MISSPELT, other)))),
            crowd.compare(),
        )
    assert crowd.deadlocks == 0
    await house.compare()
    people_now, asked_now = await by_full_look(house)
    assert await house.people() == people_now
    assert {asked for asked, state in (await house.questions()).items() if state == "open"} == asked_now


async def test_who_is_stored_while_an_index_is_marked_is_divided_by_it(engine_work: AsyncEngine) -> None:
    """A batch has read that there is no index and has not committed yet: whoever marks it must not miss what the batch stores."""
    house = House(engine_work)

    async def mark() -> None:
        async with house.transaction() as raw:
            await match_reads.mark_index(raw, "EMPI", NOW)

    async with house.transaction() as raw:
        first, second = Identifier("EMPI", "PI", "E1"), Identifier("EMPI", "MPI", "E2")
        await identify(raw, [claim("1", mrn("A", "1"), first, **ANN), claim("2", mrn("B", "7"), second, **ANN)], ids=house.ids, now=NOW)
        marking = asyncio.create_task(mark())
        await asyncio.wait([marking], timeout=0.2)
    await marking
    await house.compare()
    assert await house.people() == {frozenset({"A1"}), frozenset({"B7"})}
    assert await house.people() == (await by_full_look(house))[0]

"""The scored half of room 4 on a real database: who is alike is joined or asked about, whatever the order.

And the stored state is what a full look at every record would give.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app import wiring
from app.actions.identify import identify, rematch
from app.actions.match_records import match_records
from app.domain.adt_event import Identifier
from app.domain.matching import divide
from app.domain.person import ADT_SOURCE, RecordClaim
from app.domain.scoring import BLOCK_RECORDS_MAX, HOLDERS_MAX, Holders, pairs_of, scored_tie
from app.domain.tie import TieKind, TieLevel, TieOutcome, TieState, review
from app.standards.scoring_rules import scorer
from app.store import matches, people
from tests.support.fakes import FakeIds

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
ANN = {
    "first_name": "Annabelle", "last_name": "Featherstonehaugh", "birth_date": "1980-01-02", "sex": "F",
    "phone": "2075550143", "address": "12 Birch Street", "zip": "04401", "city": "Bangor",
}  # fmt: skip
MISSPELT = {**ANN, "last_name": "Fetherstonehaugh"}


def mrn(hospital: str, number: str) -> Identifier:
    return Identifier(hospital, "MR", number)


def claim(key: str, own: Identifier, *more: Identifier, retires: Sequence[Identifier] = (), **facts: Any) -> RecordClaim:
    return RecordClaim(ADT_SOURCE, own, (own, *more), key, facts, tuple(retires))


class House:
    """Identifies and compares in transactions of their own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.transaction = wiring.open_transaction(engine)
        self.ids = FakeIds()

    async def identify(self, *claims: RecordClaim) -> None:
        async with self.transaction() as raw:
            await identify(raw, claims, ids=self.ids, now=NOW)

    async def compare(self, most: int = 500) -> None:
        """Work until nothing waits, as the worker does."""
        for _ in range(1000):
            async with self.transaction() as raw:
                done = await match_records(raw, ids=self.ids, now=NOW, most=most)
                if done.touched:
                    await rematch(raw, sorted(done.touched), ids=self.ids, now=NOW)
            if not done.records:
                return
        pytest.fail("the comparisons do not come to an end")

    async def take(self, *claims: RecordClaim) -> None:
        await self.identify(*claims)
        await self.compare()

    async def people(self) -> set[frozenset[str]]:
        async with self.transaction() as raw:
            rows = await raw.fetch(
                "select person_id, array_agg(authority || value order by authority, value) as numbers from patient_record group by 1"
            )
        return {frozenset(row["numbers"]) for row in rows}

    async def ties(self) -> list[dict[str, Any]]:
        async with self.transaction() as raw:
            rows = await raw.fetch(
                "select m.*, l.authority || l.value as one, r.authority || r.value as other from identity_match m"
                " join patient_record l on l.id = m.left_id join patient_record r on r.id = m.right_id order by m.id"
            )
        return [dict(row) for row in rows]

    async def questions(self) -> dict[tuple[str, frozenset[str]], str]:
        return {(tie["kind"], frozenset((tie["one"], tie["other"]))): tie["state"] for tie in await self.ties()}

    async def answer(self, one: str, other: str, outcome: TieOutcome | None, kind: TieKind = TieKind.SCORE) -> None:
        """Answer a question as `resolve_match` does, without its record."""
        (tie,) = [tie for tie in await self.ties() if {tie["one"], tie["other"]} == {one, other} and tie["kind"] == kind.value]
        async with self.transaction() as raw:
            await raw.execute("update identity_match set outcome = $2 where id = $1", tie["id"], outcome.value if outcome else None)
            await rematch(raw, [tie["left_id"], tie["right_id"]], ids=self.ids, now=NOW)
        await self.compare()


@pytest.fixture
def house(engine_work: AsyncEngine) -> House:
    return House(engine_work)


async def test_records_that_are_alike_in_everything_are_joined_without_a_number_in_common(house: House) -> None:
    await house.identify(claim("1", mrn("A", "1"), **ANN), claim("2", mrn("B", "7"), **MISSPELT))
    assert await house.people() == {frozenset({"A1"}), frozenset({"B7"})}
    await house.compare()
    assert await house.people() == {frozenset({"A1", "B7"})}
    (tie,) = await house.ties()
    assert (tie["level"], tie["state"]) == ("certain", "joined")
    assert "Feather" not in str(tie["grounds"]), "grounds name fields, never what they hold"


async def test_what_is_only_possible_is_asked_and_joins_nobody(house: House) -> None:
    thin = {"first_name": "Annabelle", "last_name": "Featherstonehaugh", "birth_date": "1980-01-02"}
    await house.take(claim("1", mrn("A", "1"), **ANN), claim("2", mrn("B", "7"), **{**thin, "first_name": "Annabella"}))
    assert await house.people() == {frozenset({"A1"}), frozenset({"B7"})}
    assert await house.questions() == {("possible_match", frozenset({"A1", "B7"})): "open"}


async def test_namesakes_with_other_ends_of_their_social_security_numbers_are_asked_about(house: House) -> None:
    """Known at once, or of a message that comes later: then they part in the same transaction."""
    await house.take(claim("1", mrn("A", "1"), ssn4="6781", **ANN), claim("2", mrn("B", "7"), **ANN))
    assert await house.people() == {frozenset({"A1", "B7"})}
    await house.identify(claim("3", mrn("B", "7"), ssn4="4410"))
    assert await house.people() == {frozenset({"A1"}), frozenset({"B7"})}
    await house.compare()
    assert await house.questions() == {("possible_match", frozenset({"A1", "B7"})): "open"}
    await house.answer("A1", "B7", TieOutcome.SAME)
    assert await house.people() == {frozenset({"A1", "B7"})}


async def test_a_training_message_about_somebody_real_is_alike_to_nobody(house: House) -> None:
    marked = {**ANN, "last_name": "TEST! Featherstonehaugh"}
    await house.take(claim("1", mrn("A", "1"), **ANN), claim("2", Identifier("TEST!B", "", "7"), **marked))
    assert await house.people() == {frozenset({"A1"}), frozenset({"TEST!B7"})}
    assert await house.ties() == []


async def test_two_of_one_hospital_are_never_joined_by_a_score_and_the_third_is_asked_about(house: House) -> None:
    await house.take(claim("1", mrn("A", "1"), **ANN))
    await house.take(claim("2", mrn("B", "7"), **MISSPELT))
    await house.take(claim("3", mrn("A", "2"), **{**ANN, "last_name": "Featherstonehaugg"}))
    assert await house.people() == {frozenset({"A1"}), frozenset({"B7"}), frozenset({"A2"})}
    asked = await house.questions()
    assert asked["possible_match", frozenset({"A1", "B7"})] == "open"
    assert asked["possible_match", frozenset({"A2", "B7"})] == "open"


async def test_a_record_that_says_something_else_is_parted_in_the_same_transaction(house: House) -> None:
    """The message that corrects who somebody is must not be told to the home of whom it was before."""
    await house.take(claim("1", mrn("A", "1"), **ANN), claim("2", mrn("B", "7"), **MISSPELT))
    await house.identify(claim("3", mrn("B", "7"), first_name="Zebulon", last_name="Quill", birth_date="1950-12-31", sex="M"))
    assert await house.people() == {frozenset({"A1"}), frozenset({"B7"})}
    await house.compare()
    assert (await house.questions())["possible_match", frozenset({"A1", "B7"})] == "obsolete"


async def test_an_operator_joins_and_parts_and_takes_it_back(house: House) -> None:
    thin = {"first_name": "Annabella", "last_name": "Featherstonehaugh", "birth_date": "1980-01-02"}
    await house.take(claim("1", mrn("A", "1"), **ANN), claim("2", mrn("B", "7"), **thin))
    apart, together = {frozenset({"A1"}), frozenset({"B7"})}, {frozenset({"A1", "B7"})}
    for outcome, expected, state in (
        (TieOutcome.SAME, together, "resolved"),
        (TieOutcome.DIFFERENT, apart, "resolved"),
        (TieOutcome.SAME, together, "resolved"),
        (TieOutcome.LATER, apart, "open"),
        (None, apart, "open"),
    ):
        await house.answer("A1", "B7", outcome)
        assert await house.people() == expected
        assert (await house.questions())["possible_match", frozenset({"A1", "B7"})] == state


async def test_never_beats_a_score_and_exact_demographics_but_not_the_hospital(house: House) -> None:
    await house.take(claim("1", mrn("A", "1"), **ANN), claim("2", mrn("B", "7"), **MISSPELT))
    await house.answer("A1", "B7", TieOutcome.DIFFERENT)
    await house.take(claim("3", mrn("B", "7"), **ANN))
    assert await house.people() == {frozenset({"A1"}), frozenset({"B7"})}
    await house.take(claim("4", mrn("A", "1"), retires=[mrn("B", "7")]))
    assert await house.people() == {frozenset({"A1", "B7"})}
    assert (await house.questions())["merge_disagreement", frozenset({"A1", "B7"})] == "open"
    await house.answer("A1", "B7", TieOutcome.DIFFERENT, TieKind.DISAGREEMENT)
    assert await house.people() == {frozenset({"A1"}), frozenset({"B7"})}
    await house.answer("A1", "B7", TieOutcome.SAME, TieKind.DISAGREEMENT)
    assert await house.people() == {frozenset({"A1", "B7"})}


async def test_a_merge_of_two_who_are_plainly_two_is_followed_and_asked_about(house: House) -> None:
    """Who came in unconscious was registered under a made-up name: a merge that waited would be a home that is told nothing."""
    quill = {"first_name": "Zebulon", "last_name": "Quill", "birth_date": "1950-12-31", "sex": "M"}
    for order in ((0, 1, 2), (2, 0, 1)):
        steps = [claim("1", mrn("A", "1"), **ANN), claim("2", mrn("A", "2"), **quill), claim("3", mrn("A", "1"), retires=[mrn("A", "2")])]
        for place in order:
            await house.take(steps[place])
        assert await house.people() == {frozenset({"A1", "A2"})}
        assert await house.questions() == {("merge_disagreement", frozenset({"A1", "A2"})): "open"}
    await house.answer("A1", "A2", TieOutcome.DIFFERENT, TieKind.DISAGREEMENT)
    assert await house.people() == {frozenset({"A1"}), frozenset({"A2"})}
    await house.answer("A1", "A2", None, TieKind.DISAGREEMENT)
    assert await house.people() == {frozenset({"A1", "A2"})}
    # The hospital corrects the name: nothing speaks against its merge any more, and nothing is asked.
    await house.take(claim("4", mrn("A", "2"), first_name="Annabelle"))
    assert await house.people() == {frozenset({"A1", "A2"})}
    assert (await house.questions())["merge_disagreement", frozenset({"A1", "A2"})] == "obsolete"


async def test_a_backwards_merge_is_asked_about_whichever_came_first(house: House) -> None:
    there, back = claim("5", mrn("A", "1"), retires=[mrn("A", "2")]), claim("6", mrn("A", "2"), retires=[mrn("A", "1")])
    await house.take(back)
    await house.take(there)
    assert await house.people() == {frozenset({"A1", "A2"})}, "the earlier one stands meanwhile"
    assert await house.questions() == {("held_merge", frozenset({"A1", "A2"})): "open"}
    await house.answer("A1", "A2", TieOutcome.DIFFERENT, TieKind.MERGE)
    assert await house.people() == {frozenset({"A1"}), frozenset({"A2"})}


async def test_the_index_of_the_exchange_decides_and_who_disagrees_is_listed(house: House) -> None:
    async with house.transaction() as raw:
        await raw.execute("insert into person_index (authority, marked_at) values ('EMPI', $1)", NOW)
    first, second = Identifier("EMPI", "PI", "E1"), Identifier("EMPI", "MPI", "E2")
    medicaid = Identifier("MAINECARE", "MA", "MC1")
    await house.take(claim("1", mrn("A", "1"), first, medicaid, **ANN), claim("2", mrn("B", "7"), second, medicaid, **ANN))
    assert await house.people() == {frozenset({"A1"}), frozenset({"B7"})}, (
        "two ids of the index, whatever the Medicaid number and the name say"
    )
    assert (await house.questions())["index_disagreement", frozenset({"A1", "B7"})] == "open"
    quill = {"first_name": "Zebulon", "last_name": "Quill", "birth_date": "1950-12-31", "sex": "M"}
    await house.take(claim("3", mrn("C", "9"), first, **quill))
    assert await house.people() == {frozenset({"A1", "C9"}), frozenset({"B7"})}, "one id of the index, whatever the name says"
    assert (await house.questions())["index_disagreement", frozenset({"A1", "C9"})] == "open"
    # Its merge: the two ids are one.
    await house.take(claim("4", first, retires=[second]))
    assert await house.people() == {frozenset({"A1", "B7", "C9", "EMPIE1", "EMPIE2"})}


# The stored state is what a look at everything would give.

PANEL = str(UUID(int=7))
FIRST = ("Annabelle", "Annabella", "Annabele", "Belle", "Zebulon")
LAST = ("Featherstonehaugh", "Fetherstonehaugh", "Quill")
BORN = ("1980-01-02", "1980-02-01", "1980-01-20", "1950-12-31")


def a_history(chance: random.Random) -> list[RecordClaim]:
    """Draw what three hospitals and a panel say of few people who may share a phone or an address: merges, moves, links, unlinks."""
    history = []
    for number in range(chance.randint(4, 16)):
        own = mrn(chance.choice("ABC"), chance.choice("123"))
        facts: dict[str, Any] = {}
        if chance.random() < 0.9:
            facts = {
                "first_name": chance.choice(FIRST), "last_name": chance.choice(LAST), "birth_date": chance.choice(BORN),
                "sex": chance.choice("FM"), "phone": chance.choice(("2075550143", "2075550199", None)),
                "address": chance.choice(("12 Birch Street", "1 Shelter Lane", None)), "zip": "04401",
            }  # fmt: skip
        more = [Identifier("MAINECARE", "MA", chance.choice(("MC1", "MC2")))] if chance.random() < 0.15 else []
        if chance.random() < 0.15:
            more.append(Identifier("EMPI", "PI", chance.choice(("E1", "E2"))))
        retires = [mrn(own.authority, chance.choice("123"))] if chance.random() < 0.2 else []
        said = claim(f"{number:03d}", own, *more, retires=retires, **facts)
        other = mrn(own.authority, chance.choice("123"))
        drawn = chance.random()
        if drawn < 0.1:
            said = said._replace(source=PANEL, own=Identifier("PANEL", "", chance.choice("12")), retires=())
        elif drawn < 0.2:
            said = said._replace(links=(other,))
        elif drawn < 0.3:
            said = said._replace(parts_from=(other,))
        elif drawn < 0.36 and not retires:
            said = said._replace(belongs_to=other, parts_from=(mrn(own.authority, chance.choice("123")),))
        elif drawn < 0.45:
            said = said._replace(formerly=(other,))
        history.append(said)
    return history


async def by_full_look(house: House) -> tuple[set[frozenset[str]], set[tuple[str, frozenset[str]]]]:
    """Compare every record with every other that shares a key, and divide them all at once."""
    by = scorer()
    async with house.transaction() as raw:
        records = await people.by_id(raw, [row["id"] for row in await raw.fetch("select id from patient_record")])
        stored = await matches.ties_of(raw, [record.id for record in records])
        index = await matches.index_authorities(raw)
    features = {record.id: by.features(record) for record in records}
    entries = {record.id: by.entry(record.id, features[record.id]) for record in records}
    holders: dict[int, list[UUID]] = {}
    shared: dict[int, list[UUID]] = {}
    for record in records:
        for key in entries[record.id].keys:
            holders.setdefault(key, []).append(record.id)
        for key in entries[record.id].shared:
            shared.setdefault(key, []).append(record.id)
    rarity = Holders(
        {
            meaning: len({entries[one].who for one in sorted(shared[key])[:HOLDERS_MAX]})
            for entry in entries.values()
            for key, meaning in entry.shared.items()
        }
    )
    pairs = pairs_of([held for held in holders.values() if len(held) <= BLOCK_RECORDS_MAX], frozenset(features))
    outcomes = {tie.pair: tie.outcome for tie in stored if tie.kind is TieKind.SCORE}
    ties = [scored_tie(pair, by.compare(features[pair[0]], features[pair[1]], rarity), by.weights.version) for pair in sorted(pairs)]
    answered = [replace(tie, outcome=outcomes.get(tie.pair), state=TieState.OBSOLETE) for tie in ties]
    answered += [
        replace(tie, level=TieLevel.NO if tie.kind is TieKind.SCORE else tie.level, state=TieState.OBSOLETE)
        for tie in stored
        if tie.kind is not TieKind.SCORE or tie.pair not in pairs
    ]
    division = divide(records, answered, index=index, apart=by.holds_apart)
    names = {record.id: f"{record.own.authority}{record.own.value}" for record in records}
    whose = {one: group.records[0] for group in division.groups for one in group.records}
    asked = review(answered, division.questions, whose, whose)
    opened = [*asked.asked, *(tie for tie in asked.changed if tie.state is TieState.OPEN)]
    return {frozenset(names[one] for one in group.records) for group in division.groups}, {
        (one.kind.value, frozenset((names[one.left], names[one.right]))) for one in opened
    }


@pytest.mark.parametrize("seed", range(12))
async def test_after_any_history_the_stored_people_are_those_of_a_full_look(house: House, seed: int) -> None:
    chance = random.Random(seed)
    async with house.transaction() as raw:
        await raw.execute("insert into person_index (authority, marked_at) values ('EMPI', $1)", NOW)
    history = a_history(chance)
    chance.shuffle(history)
    while history:
        size = chance.randint(1, 5)
        await house.identify(*history[:size])
        history = history[size:]
        if chance.random() < 0.5:
            await house.compare(chance.randint(1, 4))
        if chance.random() < 0.3 and (asked := [tie for tie in await house.ties() if tie["kind"] == "possible_match"]):
            tie = chance.choice(asked)
            await house.answer(tie["one"], tie["other"], chance.choice([TieOutcome.SAME, TieOutcome.DIFFERENT, None]))
    await house.compare()
    people_now, asked_now = await by_full_look(house)
    assert await house.people() == people_now
    assert {asked for asked, state in (await house.questions()).items() if state == "open"} == asked_now


@pytest.mark.parametrize("seed", range(8))
async def test_any_order_and_any_batches_end_in_the_same_people(house: House, seed: int) -> None:
    chance = random.Random(1000 + seed)
    history = a_history(chance)
    results = []
    for _ in range(3):
        async with house.transaction() as raw:
            for table in (
                "record_identifier",
                "patient_record",
                "person",
                "identity_match",
                "match_pending",
                "record_block",
                "record_keys",
            ):
                await raw.execute(f"delete from {table}")  # noqa: S608 - our own names
        chance.shuffle(history)
        left = list(history)
        while left:
            size = chance.randint(1, 6)
            await house.identify(*left[:size])
            left = left[size:]
            if chance.random() < 0.5:
                await house.compare(chance.randint(1, 4))
        await house.compare()
        results.append((await house.people(), {asked for asked, state in (await house.questions()).items() if state == "open"}))
    assert results[1:] == results[:-1]

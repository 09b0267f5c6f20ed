"""What is said and taken back leaves everything as it was, whatever moved in between.

A hospital links and parts (A24/A37), moves back what it moved (A43, A44, A45), changes numbers and changes them back (A47, A49, A50,
A51); an operator takes its merge back (A40). Ids, identifiers, stays, claims, follow-ups with their clocks and contacts, and whom each
recipient was told of. The real door and the real rooms on a real database. `TEST_PROPERTIES=deep` looks for minutes instead of seconds.
"""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import example, given, note, settings
from hypothesis import strategies as st

from app import wiring
from app.actions.answer_match import GivenAnswer, answer_unasked
from app.actions.identify import rematch
from app.domain.tie import TieOutcome
from app.store import encounters
from app.store.contacts import ContactRow, insert_contact
from tests.properties.messages import ANN, REGISTRATIONS, Message, Patient, Story, stamp, stories
from tests.properties.test_any_order import DEEP, QUIETLY, compare, in_a_world, own_database
from tests.properties.world import NOW, World, drain, send, truth
from tests.support.databases import Database
from tests.support.messages import adt, patient

__all__ = ["own_database"]

AT_A = [(mrn, who) for facility, _, mrn, who in REGISTRATIONS if facility == "HOSPA"]
VISITS = ("V0", "V1")


class Hospital:
    """Writes what Hospital A says of a few people, each message its own."""

    def __init__(self) -> None:
        self.number = 0
        self.shows_medicaid = {mrn: number % 2 == 0 for number, (mrn, _) in enumerate(AT_A)}

    def say(self, trigger: str, hours: float, mrn: str, who: Patient, **more: Any) -> bytes:
        self.number += 1
        medicaid = who.medicaid if self.shows_medicaid[mrn] else None
        fields = {"mrn": mrn, "name": who.name, "born": who.born, "sex": who.sex, "medicaid": medicaid, "patient_class": None} | more
        return adt(trigger, stamp(hours), control=f"T{self.number}", **fields)

    def at_home(self, hours: float, owners: dict[str, tuple[str, Patient]]) -> list[bytes]:
        """Say everybody's name once more, where a record that moves is at home, and whose each visit and account is."""
        said = [self.say("A31", hours, *one) for one in AT_A]
        said.append(self.moves(hours, "M2", "M1"))
        return [*said, self.account_goes(hours, AT_A[0]), *self.visits_go(hours + 1, owners)]

    def links(self, trigger: str, hours: float, one: tuple[str, Patient], other: tuple[str, Patient]) -> bytes:
        second = patient(other[0], name=other[1].name, born=other[1].born, sex=other[1].sex)
        return self.say(trigger, hours, *one, extra=(second,))

    def moves(self, hours: float, mrn: str, to: str) -> bytes:
        away = {1: f"{mrn}^^^HOSPA^MR", 4: "M9^^^HOSPA^MR"}
        return self.say("A43", hours, mrn, dict(AT_A)[mrn], moved_to=to, mrg=away)

    def visit_goes(self, hours: float, visit: str, to: tuple[str, Patient]) -> bytes:
        return self.say("A45", hours, *to, visit=visit, patient_class="I", mrg={1: "M9^^^HOSPA^MR", 5: f"{visit}^^^HOSPA^VN"})

    def visits_go(self, hours: float, owners: dict[str, tuple[str, Patient]]) -> list[bytes]:
        """One after the other: two numbers may be one stay, and the later word counts."""
        return [self.visit_goes(hours + place, visit, one) for place, (visit, one) in enumerate(sorted(owners.items()))]

    def renamed(self, hours: float, old: str, new: str) -> bytes:
        """A47: the same patient under another number."""
        who = dict(AT_A).get(old) or dict(AT_A)[new]
        self.shows_medicaid |= {number: self.shows_medicaid.get(old, False) for number in (old, new) if number not in self.shows_medicaid}
        return self.say("A47", hours, new, who, merged=old)

    def merges(self, hours: float, loser: tuple[str, Patient], winner: tuple[str, Patient]) -> bytes:
        return self.say("A40", hours, *winner, merged=loser[0])

    def visit_is_renamed(self, trigger: str, hours: float, old: str, new: str, whose: tuple[str, Patient]) -> bytes:
        """A50 (PV1-19) or A51 (PV1-50)."""
        alternate = trigger == "A51"
        at: dict[str, Any] = {"visit": None, "alternate": new} if alternate else {"visit": new}
        return self.say(trigger, hours, *whose, patient_class="I", mrg={6 if alternate else 5: f"{old}^^^HOSPA^VN"}, **at)

    def account_is_renamed(self, hours: float, old: str, new: str, whose: tuple[str, Patient]) -> bytes:
        return self.say("A49", hours, *whose, account=new, mrg={3: f"{old}^^^HOSPA^AN"})

    def account_goes(self, hours: float, to: tuple[str, Patient]) -> bytes:
        return self.say("A44", hours, *to, account="A1", mrg={1: "M9^^^HOSPA^MR"})


async def everything(world: World) -> dict[str, Any]:
    """Tell all that there is, by its ids."""
    async with wiring.open_transaction(world.engine())() as raw:

        async def rows(query: str) -> set[tuple[Any, ...]]:
            return {tuple(row.values()) for row in await raw.fetch(query)}

        clocks = {
            row["id"]: sorted((one["id"], one["due_at"], one["state"]) for one in orjson.loads(row["clocks"]))
            for row in await raw.fetch("select id, clocks::text as clocks from follow_up where state <> 'void'")
        }
        return {
            "records": await rows("select authority, value, id, person_id from patient_record where value <> 'M8'"),
            "people": await rows("select id from person where id in (select person_id from patient_record) and merged_into is not null"),
            "identifiers": await rows(
                "select i.authority, i.type, i.value, i.record_id from record_identifier i"
                " join patient_record r on r.id = i.record_id where r.value <> 'M8'"
            ),
            "stays": await rows(
                "select id, visit_number, person_id, record_id, status, class, admitted_at, discharged_at, disposition from encounter"
                " where folded_into is null and last_key <> ''"
            ),
            "claims": await rows("select id, person_id, record_id, retracted_at from panel_member"),
            "follow-ups": await rows(
                "select id, encounter_id, home_id, person_id, state, anchor_at, programs::text, next_due_at from follow_up"
                " where state <> 'void'"
            ),
            "clocks": clocks,
            "contacts": await rows("select c.id, follow_up_id, occurred_at, voided_at from contact c"),
            "told": await rows(
                "select t.recipient_id, t.kind, t.encounter_id, n.event_id, n.person_id from telling t"
                " join notification n on n.id = t.notification_id where t.effective"
            ),
        }


def without_the_other_number(found: Any) -> Any:
    """Leave the number out that M1 had for a while: that it had it is known from then on."""
    if isinstance(found, dict):
        return {key: without_the_other_number(said) for key, said in found.items()}
    if isinstance(found, list | tuple):
        return [without_the_other_number(one) for one in found]
    return found.replace(" = adt|HOSPA|MR|M8", "") if isinstance(found, str) else found


async def unmerge(world: World, one: str, other: str) -> None:
    """Let an operator say of two records of Hospital A that they are two people, whatever the hospital said."""
    async with wiring.open_transaction(world.engine())() as raw:
        query = "select id from patient_record where source = 'adt' and authority = 'HOSPA' and value = $1"
        ends = [await raw.fetchval(query, number) for number in (one, other)]
        answer = GivenAnswer(TieOutcome.DIFFERENT, "operator", "The hospital was asked.")
        assert await answer_unasked(raw, ends[0], ends[1], answer, rematch=rematch, ids=world.ids, now=NOW) is not None


async def call_everybody(world: World) -> None:
    """Let each home record a contact with whom it follows up."""
    async with wiring.open_transaction(world.engine())() as raw:
        for row in await raw.fetch("select id, home_id, encounter_id from follow_up where home_id is not null and state <> 'void'"):
            fields = {"occurred_at": (NOW - timedelta(hours=1)).isoformat(), "type": "phone", "outcome": "reached"}
            at = NOW - timedelta(hours=1)
            contact = ContactRow(world.ids.new(), row["id"], row["home_id"], at, NOW, {"name": "Oak"}, "api", None, fields, None)
            await insert_contact(raw, contact)
            await encounters.reconsider(raw, [row["encounter_id"]], NOW, "contact")


@dataclass(slots=True)
class Said:
    """What the hospital says first, what it changes then, and what takes all of that back but for a merge."""

    before: list[bytes]
    there: list[bytes] = field(default_factory=list)
    back: list[bytes] = field(default_factory=list)
    merges: bool = False

    def and_back(self, there: bytes, back: bytes) -> None:
        self.there.append(there)
        self.back.append(back)


def _said(chance: random.Random, story: Story) -> Said:
    hospital = Hospital()
    owners = {visit: chance.choice(AT_A) for visit in VISITS}
    pairs = [chance.sample(AT_A, 2) for _ in range(2)]
    said = Said([message.bytes() for message in story.messages])
    said.before += hospital.at_home(400, owners) + [hospital.links("A37", 401, *pair) for pair in pairs]
    for pair in pairs:
        said.and_back(hospital.links("A24", 420, *pair), hospital.links("A37", 520, *pair))
    said.there += [hospital.visit_goes(421, visit, chance.choice(AT_A)) for visit in chance.sample(VISITS, chance.randint(0, 2))]
    if chance.random() < 0.7:
        said.and_back(hospital.moves(422, "M2", "M3"), hospital.moves(522, "M2", "M1"))
    if chance.random() < 0.5:
        said.and_back(hospital.account_goes(423, AT_A[2]), hospital.account_goes(523, AT_A[0]))
    # After the account: the later of the two says whose a visit is.
    said.back += hospital.visits_go(524, owners)
    triggers = {message.trigger for message in story.messages}
    _change_numbers(chance, hospital, triggers, owners, said)
    # Who were one person by the hospital's word before are not again after an operator has said that they are two.
    if triggers.isdisjoint({"A24", "A40", "A43"}) and chance.random() < 0.7:
        said.merges = True
        said.there.append(hospital.merges(433, AT_A[2], AT_A[0]))
    chance.shuffle(said.there)
    chance.shuffle(said.back)
    return said


def _change_numbers(
    chance: random.Random, hospital: Hospital, triggers: set[str], owners: dict[str, tuple[str, Patient]], said: Said
) -> None:
    """Where a number was changed to another already, a change of it replaces that, and the change back does not say it again."""
    if chance.random() < 0.7:
        said.and_back(hospital.renamed(430, "M1", "M8"), hospital.renamed(530, "M8", "M1"))
    for visit, other in (("V0", "V8"), ("V1", "V9")) if triggers.isdisjoint({"A50", "A51"}) else ():
        if chance.random() < 0.5:
            trigger, whose = chance.choice(["A50", "A51"]), owners[visit]
            said.and_back(
                hospital.visit_is_renamed(trigger, 431, visit, other, whose), hospital.visit_is_renamed(trigger, 531, other, visit, whose)
            )
    if "A49" not in triggers and chance.random() < 0.5:
        said.and_back(hospital.account_is_renamed(432, "A2", "A8", AT_A[0]), hospital.account_is_renamed(532, "A8", "A2", AT_A[0]))


MOVED = {"at": stamp(100), "mrn": "M1", "name": ANN.name, "born": ANN.born, "sex": ANN.sex, "medicaid": None, "patient_class": None}
MOVED |= {"moved_to": "M3", "mrg": {1: "M1^^^HOSPA^MR", 4: "M2^^^HOSPA^MR"}}


@settings(max_examples=100 if DEEP else 3, **QUIETLY)  # type: ignore[arg-type]
@given(stories(), st.integers(0, 1 << 32))
# M1 went to M3; then it has another number for a while.
@example(Story((Message("A43", tuple(MOVED.items()), 0),), ()), 26)
def test_what_is_taken_back_leaves_everything_as_it_was(
    own_database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    story: Story,
    seed: int,
) -> None:
    chance = random.Random(seed)
    note(f"{[(one.trigger, dict(one.fields)) for one in story.messages]} {story.claims}")
    said = _said(chance, story)

    async def run(world: World) -> None:
        intake, pipelines = world.intake(), [world.pipeline(), world.pipeline()]

        async def take(messages: list[bytes]) -> None:
            for message in messages:
                await send(intake, message)
                if chance.random() < 0.3:
                    await drain(world, pipelines, chance, 8)
            await drain(world, pipelines, chance, 8)

        for claim in story.claims:
            await world.claim(claim)
        await take(said.before)
        await call_everybody(world)
        await drain(world, pipelines, chance, 8)
        then, told = await everything(world), await truth(world, with_states=False)
        await take(said.there)
        await take(said.back)
        if said.merges:
            await unmerge(world, AT_A[2][0], AT_A[0][0])
            await drain(world, pipelines, chance, 8)
        now = await everything(world)
        for part, was in then.items():
            assert now[part] == was, part
        compare(without_the_other_number(told), without_the_other_number(await truth(world, with_states=False)))
        await intake.close()

    asyncio.run(in_a_world(own_database, tmp_path_factory.mktemp("world"), run))

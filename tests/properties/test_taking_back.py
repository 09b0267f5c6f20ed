"""What a hospital says and takes back leaves everything as it was, whatever moved in between (A24/A37, A43, A44, A45).

Ids, identifiers, stays, claims, follow-ups with their clocks and contacts, and whom each recipient was told of. The real door and the
real rooms on a real database. `TEST_PROPERTIES=deep` looks for minutes instead of seconds.
"""

import asyncio
import random
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from app import wiring
from app.store import encounters
from app.store.contacts import ContactRow, insert_contact
from tests.properties.messages import REGISTRATIONS, Patient, Story, stamp, stories
from tests.properties.test_any_order import DEEP, QUIETLY, in_a_world, own_database
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
            "records": await rows("select authority, value, id, person_id from patient_record"),
            "people": await rows("select id from person where id in (select person_id from patient_record) and merged_into is not null"),
            "identifiers": await rows("select authority, type, value, record_id from record_identifier"),
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


async def call_everybody(world: World) -> None:
    """Let each home record a contact with whom it follows up."""
    async with wiring.open_transaction(world.engine())() as raw:
        for row in await raw.fetch("select id, home_id, encounter_id from follow_up where home_id is not null and state <> 'void'"):
            fields = {"occurred_at": (NOW - timedelta(hours=1)).isoformat(), "type": "phone", "outcome": "reached"}
            at = NOW - timedelta(hours=1)
            contact = ContactRow(world.ids.new(), row["id"], row["home_id"], at, NOW, {"name": "Oak"}, "api", None, fields, None)
            await insert_contact(raw, contact)
            await encounters.reconsider(raw, [row["encounter_id"]], NOW, "contact")


@settings(max_examples=100 if DEEP else 3, **QUIETLY)  # type: ignore[arg-type]
@given(stories(), st.integers(0, 1 << 32))
def test_what_is_taken_back_leaves_everything_as_it_was(
    own_database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    story: Story,
    seed: int,
) -> None:
    chance = random.Random(seed)
    note(f"{[(one.trigger, dict(one.fields)) for one in story.messages]} {story.claims}")
    hospital = Hospital()
    owners = {visit: chance.choice(AT_A) for visit in VISITS}
    pairs = [chance.sample(AT_A, 2) for _ in range(2)]
    there = [hospital.links("A24", 420, *pair) for pair in pairs]
    back = [hospital.links("A37", 520, *pair) for pair in pairs]
    before = [message.bytes() for message in story.messages]
    before += hospital.at_home(400, owners) + [hospital.links("A37", 401, *pair) for pair in pairs]
    there += [hospital.visit_goes(421, visit, chance.choice(AT_A)) for visit in chance.sample(VISITS, chance.randint(0, 2))]
    if chance.random() < 0.7:
        there.append(hospital.moves(422, "M2", "M3"))
        back.append(hospital.moves(522, "M2", "M1"))
    if chance.random() < 0.5:
        there.append(hospital.account_goes(423, AT_A[2]))
        back.append(hospital.account_goes(523, AT_A[0]))
    # After the account: the later of the two says whose a visit is.
    back += hospital.visits_go(524, owners)

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
        await take(before)
        await call_everybody(world)
        await drain(world, pipelines, chance, 8)
        then, told = await everything(world), await truth(world, with_states=False)
        chance.shuffle(there)
        await take(there)
        chance.shuffle(back)
        await take(back)
        now = await everything(world)
        for part, said in then.items():
            assert now[part] == said, part
        assert await truth(world, with_states=False) == told
        await intake.close()

    asyncio.run(in_a_world(own_database, tmp_path_factory.mktemp("world"), run))

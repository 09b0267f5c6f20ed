"""Messages in any order, rosters that add, change and remove, and an unmerge anywhere between: one graph of people, one set of claims.

What is fixed is what has an order of its own: rosters follow each other, and nobody takes back a merge before it was sent. The real door
and the real rooms on a real database. `TEST_PROPERTIES=deep` looks for minutes instead of seconds.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from app import wiring
from app.actions.identify import IdentityMovedError
from app.actions.load_panel import Upload, load_panel
from app.domain.organization import Organization, OrganizationKind
from app.domain.panel import UploadMode
from app.store.failures import is_unavailable
from tests.properties.messages import ANN, BEN, Patient, Story, stories
from tests.properties.test_any_order import DEEP, QUIETLY, compare, in_a_world, own_database
from tests.properties.test_taking_back import AT_A, Hospital, unmerge
from tests.properties.world import NOW, ORGANIZATIONS, World, drain, send, truth
from tests.support.databases import Database
from tests.support.rosters import panel_services, roster_bytes

__all__ = ["own_database"]

OWNERS = ("Home H", "Home G", "Plan P")


@dataclass(frozen=True, slots=True)
class Roster:
    """A delta of one organization; `number` is its place among all."""

    number: int
    organization: str
    rows: tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True, slots=True)
class Unmerge:
    """An operator says of two records of Hospital A that they are two people."""

    one: str
    other: str


Step = bytes | Roster | Unmerge


@st.composite
def rosters(draw: st.DrawFn) -> tuple[Roster, ...]:
    """Draw what the owners of panels load, one after the other."""
    return tuple(
        Roster(number, draw(st.sampled_from(OWNERS)), tuple(_row(draw) for _ in range(draw(st.integers(1, 2)))))
        for number in range(draw(st.integers(1, 4)))
    )


def _row(draw: st.DrawFn) -> tuple[tuple[str, str], ...]:
    who: Patient = draw(st.sampled_from([ANN, ANN, BEN]))
    last, first = who.name.split("^")
    change = draw(st.sampled_from(["add", "add", "change", "remove", "unchanged"]))
    row = {
        "change_type": change,
        "medicaid_id": who.medicaid,
        "first_name": first,
        "last_name": last,
        "birth_date": f"{who.born[:4]}-{who.born[4:6]}-{who.born[6:]}",
        "sex": who.sex,
        "program": "BHH",
        "effective_from": draw(st.sampled_from(["2026-01-01", "2026-01-01", "2026-03-04"])),
        "effective_to": draw(st.sampled_from(["", "", "2026-03-08", "2026-01-01"])) if change == "remove" else "",
        "coordinator": draw(st.sampled_from(["C. One", "C. Two"])),
    }
    return tuple(row.items())


async def load(world: World, roster: Roster) -> None:
    """Load a roster as the door for rosters does; rows that the panel refutes are refused, which is an answer like another."""
    kind = dict(ORGANIZATIONS)[roster.organization]
    organization = Organization(world.organizations[roster.organization], roster.organization, OrganizationKind(kind), NOW)
    services = panel_services(world.engine(), world.ids)
    # The clock of everybody: what a roster asks to be looked at again is looked at when that time has come.
    now = world.clock.advance(seconds=1)
    while True:
        try:
            await load_panel(services, organization, roster_bytes(map(dict, roster.rows)), Upload(UploadMode.DELTA), now=now)
        except IdentityMovedError:
            continue
        except Exception as error:
            if not is_unavailable(error):
                raise
        else:
            return


async def claims(world: World) -> list[tuple[Any, ...]]:
    """Give what stands on every panel, by whom it is about."""
    names = {number: name for name, number in world.organizations.items()}
    async with wiring.open_transaction(world.engine())() as raw:
        rows = await raw.fetch(
            "select m.organization_id, m.role, m.effective_from, m.effective_to, m.coordinator, (select string_agg(r.value, ' ' order by"
            " r.value) from patient_record r where r.person_id = m.person_id) as who from panel_member m where m.retracted_at is null"
        )
    return sorted((names[row[0]], *map(str, list(row.values())[1:])) for row in rows)


async def play(world: World, steps: Sequence[Step], chance: random.Random, *, workers: int, most: int) -> dict[str, Any]:
    intake, pipelines = world.intake(), [world.pipeline() for _ in range(workers)]
    for step in steps:
        if isinstance(step, bytes):
            await send(intake, step)
        elif isinstance(step, Roster):
            await load(world, step)
        else:
            await drain(world, pipelines, chance, most)
            await unmerge(world, step.one, step.other)
        if workers == 1 or chance.random() < 0.4:
            await drain(world, pipelines, chance, most)
    await drain(world, pipelines, chance, most)
    await intake.close()
    return await truth(world, with_states=False) | {"claims": await claims(world)}


def shuffled(messages: Sequence[bytes], loads: Sequence[Roster], merge: bytes | None, chance: random.Random) -> list[Step]:
    """Mix everything, but for what has an order of its own."""
    steps: list[Step] = list(messages)
    chance.shuffle(steps)
    at = sorted(chance.randint(0, len(steps)) for _ in loads)
    for place, roster in reversed(list(zip(at, loads, strict=True))):
        steps.insert(place, roster)
    if merge is not None:
        steps.insert(chance.randint(0, len(steps)), merge)
        steps.insert(chance.randint(steps.index(merge) + 1, len(steps)), Unmerge(AT_A[2][0], AT_A[0][0]))
    return steps


@settings(max_examples=100 if DEEP else 3, **QUIETLY)  # type: ignore[arg-type]
@given(stories(), rosters(), st.booleans(), st.integers(0, 1 << 32), st.integers(1, 16))
def test_messages_rosters_and_an_unmerge_in_any_order_end_in_the_same_people_and_claims(
    own_database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    story: Story,
    loads: tuple[Roster, ...],
    merges: bool,
    seed: int,
    most: int,
) -> None:
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("world")
    note(f"{[(one.trigger, dict(one.fields)) for one in story.messages]} {loads} {merges}")
    messages = [message.bytes() for message in story.messages]
    merge = Hospital().merges(433, AT_A[2], AT_A[0]) if merges else None
    plain: list[Step] = [*messages, *loads, *([merge, Unmerge(AT_A[2][0], AT_A[0][0])] if merge else [])]
    rough = shuffled([*messages, *chance.choices(messages, k=2)], loads, merge, chance)

    async def both() -> None:
        expected = await in_a_world(own_database, folder, lambda world: play(world, plain, random.Random(0), workers=1, most=1))
        found = await in_a_world(own_database, folder, lambda world: play(world, rough, chance, workers=2, most=most))
        compare(expected, found)

    asyncio.run(both())

"""Documents and stays arrive in any order, again and together, and end in the same truth: what is joined, what is told.

The real door and the real rooms on a real database, as in test_any_order.
"""

import asyncio
import random
from itertools import permutations
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import wiring
from app.store import documents
from tests.properties.test_any_order import QUIETLY, in_a_world, own_database
from tests.properties.world import Claimed, World, drain, send, truth
from tests.support.databases import Database
from tests.support.documents import mdm, oru
from tests.support.messages import adt

__all__ = ["own_database"]

CLAIM = Claimed("Home H", medicaid="MC1", first="Ann", last="Alder", born="1980-01-02", sex="F")
AT = "20260302100000-0500"
MESSAGES = (
    adt("A01", AT, control="C1", admitted=AT, diagnoses=(("F32.2", "A"),)),
    adt("A03", "20260306143000-0500", control="C2", admitted=AT, discharged="20260306142500-0500", disposition="01"),
    adt("A50", "20260306150000-0500", control="C3", visit="V9", mrg={5: "V1^^^HOSPA^VN"}),
    oru(control="L1"),
    mdm("T02", "20260306160000-0500", control="D1"),
    mdm("T10", "20260306170000-0500", control="D2", number="D2", parent="D1", visit="V9"),
    mdm("T02", "20260306160500-0500", control="D3", number="D3", confidentiality="R"),
    mdm("T11", "20260306180000-0500", control="D4", number="D2", visit="V9", observations=()),
)


async def papers(world: World) -> list[Any]:
    """Tell which documents there are, what they are, and with which stay they are found."""
    async with wiring.open_transaction(world.engine())() as raw:
        stays = {
            row["id"]: row["visit_number"] for row in await raw.fetch("select id, visit_number from encounter where folded_into is null")
        }
        found = await documents.of_stays(raw, stays, most=100, with_restricted=True)
        summarised = await documents.summarised(raw, stays)
    return sorted(
        (stays[stay], one.key[1:], one.view.status.value, one.view.is_restricted, one.view.has_content, stay in summarised)
        for stay, filed in found.items()
        for one in filed.documents
    )


async def run(world: World, steps: list[bytes], *, claim_at: int, together: bool) -> tuple[Any, Any]:
    intake, pipeline = world.intake(), world.pipeline()
    for at, step in enumerate(steps):
        if at == claim_at:
            await world.claim(CLAIM)
        await send(intake, step)
        if not together:
            await drain(world, [pipeline], random.Random(0), 1)
    await drain(world, [pipeline], random.Random(0), 16)
    await intake.close()
    assert world.defects == []
    return await truth(world, with_states=False), await papers(world)


@settings(max_examples=8, **QUIETLY)  # type: ignore[arg-type]
@given(st.permutations(MESSAGES), st.integers(0, 7), st.booleans(), st.sampled_from(MESSAGES))
def test_any_order_of_documents_and_stays_ends_in_one_truth(
    own_database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    order: list[bytes],
    claim_at: int,
    together: bool,
    again: bytes,
) -> None:
    folder = tmp_path_factory.mktemp("world")

    async def both() -> None:
        expected = await in_a_world(own_database, folder, lambda world: run(world, list(MESSAGES), claim_at=0, together=False))
        assert expected[1] == [
            ("V9", ("HOSPA", "D1"), "replaced", False, True, True),
            ("V9", ("HOSPA", "D2"), "cancelled", False, False, True),
            ("V9", ("HOSPA", "D3"), "current", True, True, True),
            ("V9", ("LAB", "L1/24323-8"), "current", False, False, True),
        ]
        found = await in_a_world(own_database, folder, lambda world: run(world, [*order, again], claim_at=claim_at, together=together))
        assert found[1] == expected[1]
        for part, said in expected[0].items():
            assert found[0][part] == said, part

    asyncio.run(both())


def test_the_order_of_three_decides_nothing(own_database: Database, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every order of an admission, a summary and its cancel."""
    folder = tmp_path_factory.mktemp("world")
    steps = (MESSAGES[0], MESSAGES[4], mdm("T11", "20260306180000-0500", control="D5", observations=()))

    async def all_orders() -> None:
        ends = [
            await in_a_world(own_database, folder, lambda world, order=order: run(world, list(order), claim_at=0, together=False))
            for order in permutations(steps)
        ]
        assert all(end == ends[0] for end in ends)
        assert ends[0][1] == [("V1", ("HOSPA", "D1"), "cancelled", False, False, False)]

    asyncio.run(all_orders())


def life(visit: str, day: int, **about: Any) -> list[bytes]:
    """A stay of a day in May."""
    begins, ends = f"202605{day:02d}080000-0500", f"202605{day + 1:02d}080000-0500"
    given = {"visit": visit, "admitted": begins, **about}
    return [
        adt("A01", begins, control=f"A{visit}", **given),
        adt("A03", ends, control=f"D{visit}", discharged=ends, disposition="01", **given),
    ]


BEN = {"mrn": "M3", "medicaid": "MC2", "name": "Birch^Ben"}
SAID_OTHERWISE = {
    "of another stay": (
        [*life("V1", 1), *life("V2", 9), mdm("T02", "20260512080000-0500", control="T1")],
        mdm("T08", "20260513080000-0500", control="T2", visit="V2"),
        {"V1": False, "V2": True},
    ),
    "of another patient": (
        [*life("V1", 1), *life("V2", 9, **BEN), mdm("T02", "20260512080000-0500", control="T1")],
        mdm("T08", "20260513080000-0500", control="T2", visit="V2", **BEN),
        {"V1": False, "V2": True},
    ),
    "of an account that is not one stay's alone": (
        [*life("V1", 1, account="AC1"), mdm("T02", "20260512080000-0500", control="T1", visit=None, account="AC1"), life("V2", 9)[1]],
        life("V2", 9, account="AC1")[0],
        {"V1": False, "V2": False},
    ),
    "of an account that the other stay has left": (
        [
            *life("V1", 1, account="AC1"),
            *life("V2", 9, account="AC1"),
            mdm("T02", "20260512080000-0500", control="T1", visit=None, account="AC1"),
        ],
        adt("A08", "20260514080000-0500", control="X1", visit="V2", account="AC2"),
        {"V1": True, "V2": False},
    ),
}


@pytest.mark.parametrize("said", SAID_OTHERWISE)
def test_a_summary_that_turns_out_to_be_elsewhere_is_told_there_and_taken_back_here(
    own_database: Database, tmp_path_factory: pytest.TempPathFactory, said: str
) -> None:
    """Whoever was told of a summary that is another stay's is told so, whatever was heard first."""
    folder = tmp_path_factory.mktemp("world")
    steps, last, expected = SAID_OTHERWISE[said]

    async def told(world: World, order: list[bytes]) -> dict[str, bool]:
        await world.claim(Claimed("Home H", medicaid="MC2"))
        await run(world, order, claim_at=0, together=False)
        async with wiring.open_transaction(world.engine())() as raw:
            rows = await raw.fetch(
                "select e.visit_number, n.payload from telling t join notification n on n.id = t.notification_id"
                " join encounter e on e.id = t.encounter_id where t.effective and t.kind = 'discharged'"
            )
        payloads = {row["visit_number"]: row["payload"] for row in rows}
        read = {visit: orjson.loads(payload) if isinstance(payload, str) else payload for visit, payload in payloads.items()}
        return {visit: payload["encounter"]["has_discharge_summary"] for visit, payload in read.items()}

    async def both_orders() -> None:
        for order in ([*steps, last], [last, *reversed(steps)]):
            assert await in_a_world(own_database, folder, lambda world, order=order: told(world, order)) == expected

    asyncio.run(both_orders())

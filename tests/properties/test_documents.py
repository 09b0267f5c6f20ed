"""Documents and stays arrive in any order, again and together, and end in the same truth: what is joined, what is told.

The real door and the real rooms on a real database, as in test_any_order.
"""

import asyncio
import random
from itertools import permutations
from typing import Any

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

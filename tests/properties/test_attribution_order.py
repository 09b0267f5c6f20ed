"""Rosters and messages in any order end in the same lead, the same follow-ups and the same effective notifications (domain section 3.4)."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tests.properties.messages import stamp
from tests.properties.test_any_order import compare, in_a_world, one_by_one, own_database
from tests.properties.world import Claimed
from tests.support.databases import Database
from tests.support.messages import adt

__all__ = ["own_database"]

ANN = {"name": "Alder^Ann", "born": "19800102", "sex": "F", "medicaid": "MC1", "mrn": "M1", "visit": "V1"}
ADMITTED = adt("A01", stamp(0), control="C1", **ANN)
DISCHARGED = adt("A03", stamp(48), control="C2", discharged=stamp(48), disposition="01", diagnoses=(("F32.2", "F"),), **ANN)
WEAK = Claimed("Home G", medicaid="MC1", basis="claims")
STRONG = Claimed("Home H", medicaid="MC1", basis="member_choice")
LATER = Claimed("Home H", medicaid="MC1")
PLAN = Claimed("Plan P", medicaid="MC1")


@pytest.mark.parametrize("claims", [(WEAK, STRONG), (Claimed("Home G", medicaid="MC1"), LATER, PLAN)], ids=["by ground", "conflict"])
def test_every_order_of_rosters_and_messages_ends_in_the_same_lead(
    own_database: Database, tmp_path: Path, claims: tuple[Claimed, ...]
) -> None:
    steps: list[bytes | Claimed] = [ADMITTED, DISCHARGED, *claims]
    orders = list(permutations(steps))
    chosen = orders if len(orders) <= 24 else random.Random(7).sample(orders, 24)

    async def of_all() -> list[dict[str, Any]]:
        found = []
        for order in chosen:
            work: Callable[[Any], Awaitable[dict[str, Any]]] = lambda world, order=order: one_by_one(world, order)  # noqa: E731
            found.append(await in_a_world(own_database, tmp_path, work))
        return found

    first, *others = asyncio.run(of_all())
    for other in others:
        compare(first, other)
    homes = {key.rpartition(" for ")[2]: state for key, (state, *_) in first["follow_ups"].items()}
    assert homes == {"Home H" if claims[0] is WEAK else "Home G" if "Home G" in homes else "Home H": "open"}
    leads = {key.partition(":")[0]: told[4] for key, told in first["told"].items() if "discharged" in key}
    assert sorted(lead for home, lead in leads.items() if home.startswith("Home")) == [False, True]

"""Whether a number is given to somebody else is judged message by message: never by which of them a batch happens to hold."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from app.domain.adt_event import Identifier
from app.domain.event_order import sorts_before
from app.domain.identity_plan import IdentityPlan
from app.domain.person import ADT_SOURCE, PatientRecord, RecordClaim
from app.standards.scoring_rules import scorer
from tests.support.fakes import FakeIds

SAID: Sequence[dict[str, Any]] = (
    {"first_name": "Ann", "last_name": "Alder", "birth_date": "1980-01-02", "sex": "F"},
    {"first_name": "Annie", "last_name": "Birch", "birth_date": "1980-02-01", "sex": "F"},
    {"first_name": "Zebulon", "last_name": "Quill", "birth_date": "1950-12-31", "sex": "M"},
    {"first_name": "Baby Girl", "last_name": "Alder", "birth_date": "2026-03-01", "sex": "F"},
    {"first_name": "Trauma", "last_name": "Unknown", "birth_date": "1900-01-01", "sex": "M"},
    {"phone": "2075550101"},
)


def claim(chance: random.Random, number: int) -> RecordClaim:
    own = Identifier("HOSPA", "MR", f"M{chance.randrange(2)}")
    said = chance.choice(SAID)
    return RecordClaim(
        ADT_SOURCE,
        own,
        (own,),
        f"{sorts_before(datetime(2026, 3, chance.randint(1, 28), tzinfo=UTC))}.{number:03d}",
        dict(said),
        is_under_mothers_number=said.get("first_name") == "Baby Girl" and chance.random() < 0.5,
        is_doubted=chance.random() < 0.8,
    )


def refused(batches: Sequence[Sequence[RecordClaim]]) -> list[bool]:
    """Judge batch after batch, each knowing what those before it left."""
    ids = FakeIds()
    known: dict[UUID, PatientRecord] = {}
    found: list[bool] = []
    for batch in batches:
        plan = IdentityPlan(batch, {(one.source, one.own): one for one in known.values()}, ids.new, scorer().is_another_person)
        known |= plan.records
        found += [whose.is_refused for whose in plan.resolved({})]
    return found


@pytest.mark.parametrize("seed", range(30))
def test_what_is_refused_does_not_depend_on_where_a_batch_ends(seed: int) -> None:
    chance = random.Random(seed)
    claims = [claim(chance, number) for number in range(12)]
    one_by_one = refused([[one] for one in claims])
    assert refused([claims]) == one_by_one
    cuts = sorted(chance.sample(range(1, 12), 3))
    assert refused([claims[start:end] for start, end in zip([0, *cuts], [*cuts, 12], strict=True)]) == one_by_one


def test_somebody_is_refused_at_all_and_not_everybody() -> None:
    found = [one for seed in range(30) for one in refused([[claim(random.Random(seed * 100 + n), n) for n in range(12)]])]
    assert 20 < sum(found) < len(found) // 2

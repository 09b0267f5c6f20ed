"""Of a past day, whatever counts no more since is asked about before it is told: found by what was noted when it ended, never missed.

The oracle is the rule itself, over the rows of the ledger: a version that stood then and stands no more, whose stay has no line that
stands, or that names a stay without one. Not here: rights that are over (tests/api/test_ended_rights).
"""

import random
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.viewer import OPERATOR
from app.store import measure_lines, measure_rights
from app.store.engine import raw_connection
from app.store.measure_reads import LineFilter
from app.store.raw import Raw
from app.store.unit_of_work import unit_of_work
from tests.store.test_measure_rates import AT, OTHER, PLAN, a_line

STAYS = [UUID(int=number) for number in range(1, 13)]
WHOSE = (None, PLAN, OTHER)


async def round_of(raw: Raw, chance: random.Random, now: datetime) -> None:
    """Do what the pipeline does with the lines of some stays: correct them, drop them, or let them count again."""
    standing = {
        (row["encounter_id"], row["measure"], row["organization_id"]): row["id"]
        for row in await raw.fetch("select id, encounter_id, measure, organization_id from measure_line where known_to is null")
    }
    # Lists, not sets: the order of a set of words differs from run to run, and a seed would not say what happens.
    keys = [(stay, measure, whose) for stay in STAYS for measure in ("FUH", "FUM") for whose in WHOSE if chance.random() < 0.3]
    wanted = [key for key in keys if chance.random() < 0.6]
    ended = [standing[key] for key in keys if key in standing]
    dropped = [standing[key] for key in keys if key in standing and key not in wanted]
    await measure_lines.end(raw, ended, now, dropped)
    superseding = [None, None, *STAYS, UUID(int=99)]
    added = [
        a_line(chance)._replace(
            encounter_id=stay, measure=measure, organization_id=whose, superseded_by=chance.choice(superseding), home_id=None, of_home=False
        )
        for stay, measure, whose in wanted
    ]
    await measure_lines.add(raw, added, now)


def in_doubt(rows: list[Any], wanted: LineFilter) -> set[int]:
    """Say which lines have to be asked about."""
    assert wanted.known_at is not None
    stands = [row for row in rows if row["known_to"] is None]
    found = set()
    for row in rows:
        whose = row["organization_id"]
        if row["measure"] != wanted.measure or whose not in (wanted.organizations or (None,)):
            continue
        if not wanted.from_on <= row["anchor_on"] <= wanted.to_on:
            continue
        if row["known_to"] is None or not row["known_from"] <= wanted.known_at < row["known_to"]:
            continue
        own = any((s["encounter_id"], s["measure"], s["organization_id"]) == (row["encounter_id"], row["measure"], whose) for s in stands)
        other = row["superseded_by"]
        named = other is None or any((s["encounter_id"], s["organization_id"]) == (other, whose) for s in stands)
        if not (own and named):
            found.add(row["id"])
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_counts_no_more_since_is_asked_about(engine_work: AsyncEngine, engine_app: AsyncEngine, seed: int) -> None:
    chance, seen = random.Random(seed), 0
    for number in range(14):
        async with unit_of_work(engine_work, None) as connection:
            await round_of(await raw_connection(connection), chance, AT + timedelta(seconds=number))
    async with unit_of_work(engine_app, OPERATOR) as connection:
        raw = await raw_connection(connection)
        rows = await raw.fetch("select * from measure_line")
        for number in range(14):
            for organizations in ((), [PLAN], [PLAN, OTHER]):
                from_on, to_on = chance.choice(((date(2025, 1, 1), date(2027, 12, 31)), (date(2026, 3, 9), date(2026, 7, 6))))
                at = AT + timedelta(seconds=number, microseconds=chance.choice((0, 500_000)))
                wanted = LineFilter(measure="FUH", organizations=organizations, from_on=from_on, to_on=to_on, known_at=at)
                found = await measure_rights.in_doubt(raw, wanted, AT)
                assert {one.id for one in found} == in_doubt(rows, wanted), (number, organizations)
                assert len(found) == len({one.id for one in found})
                seen += len(found)
    assert seen > 50, "else nothing was compared"

"""The statements of the scored half of room 4 and of the queue search their indexes, whoever asks, and stop at their limits."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.identity_plan import Frontier
from app.domain.tie import TieState
from app.domain.viewer import OPERATOR
from app.store import match_reads, matches, people, person_reads
from app.store.engine import raw_connection
from app.store.unit_of_work import unit_of_work
from tests.store.test_read_plans import Overheard
from tests.support.databases import Database
from tests.support.plans import Plan, plan_of_sql

pytestmark = pytest.mark.plans

ONE, OTHER = UUID(int=8), UUID(int=9)
Statement = Callable[[Any], Awaitable[Any]]

OF_THE_PIPELINE: dict[str, tuple[Statement, set[str]]] = {
    "who has a key": (lambda raw: matches.holders(raw, {5: 51, 6: 51}), {"pk_record_block"}),
    "the keys of records": (lambda raw: matches.keys_of(raw, [ONE]), {"pk_record_keys"}),
    "the ties of records": (lambda raw: matches.ties_of(raw, [ONE]), {"uq_identity_match_pair", "ix_identity_match_right"}),
    "records": (lambda raw: people.by_id(raw, [ONE]), {"pk_patient_record"}),
    "whose records are": (lambda raw: people.persons_of(raw, [ONE, OTHER]), {"pk_patient_record"}),
    "neighbours": (
        lambda raw: people.neighbours(raw, Frontier(identifiers={("A", "1")}, demographic_keys={7}, people={ONE}, records={OTHER})),
        {"pk_record_identifier", "ix_patient_record_demographic_key", "ix_patient_record_person_id", "pk_patient_record"},
    ),
}
OF_AN_OPERATOR: dict[str, tuple[Statement, set[str]]] = {
    "open questions": (
        lambda raw: match_reads.list_matches(raw, TieState.OPEN, None, after=ONE, limit=101),
        {"ix_identity_match_open"},
    ),
    "every question": (lambda raw: match_reads.list_matches(raw, None, None, after=ONE, limit=101), {"pk_identity_match"}),
    "one question": (lambda raw: match_reads.find_match(raw, ONE), {"pk_identity_match"}),
    "questions among records": (lambda raw: match_reads.matches_among(raw, [ONE, OTHER]), {"uq_identity_match_pair"}),
    "answers": (lambda raw: match_reads.decisions_of(raw, [ONE]), {"pk_match_decision"}),
    "how records came together": (
        lambda raw: person_reads.moves_of(raw, ONE, [OTHER], 100),
        {"ix_record_move_to_person_id", "ix_record_move_from_person_id", "ix_record_move_record_id"},
    ),
    "claims on a person": (lambda raw: person_reads.claims_on(raw, OPERATOR, ONE, None, None, 100), {"ix_panel_member_person"}),
}


@pytest.fixture
def database(fresh_database: Database) -> Database:
    """Give one that never had a row: the statistics of other tests' rows would choose the plan."""
    return fresh_database


async def _check(engine: AsyncEngine, statement: Statement, wanted: set[str], viewer: Any) -> None:
    overheard = Overheard()
    await statement(overheard)
    assert overheard.asked
    searched: set[str] = set()
    async with unit_of_work(engine, viewer) as connection:
        for query, values in overheard.asked:
            plan = await plan_of_sql(connection, query, *values)
            assert plan.scanned_tables == set(), query
            searched |= plan.searched_indexes
    assert wanted - searched == set()


@pytest.mark.parametrize("name", OF_THE_PIPELINE)
async def test_the_pipelines_statement_searches_its_index(engine_work: AsyncEngine, name: str) -> None:
    await _check(engine_work, *OF_THE_PIPELINE[name], None)


@pytest.mark.parametrize("name", OF_AN_OPERATOR)
async def test_an_operators_statement_searches_its_index(engine_app: AsyncEngine, name: str) -> None:
    await _check(engine_app, *OF_AN_OPERATOR[name], OPERATOR)


async def test_a_key_of_very_many_costs_no_more_than_its_limit(engine_work: AsyncEngine) -> None:
    """A shelter's phone, a placeholder that no list knows: read as far as the limit, whatever there is."""
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute("insert into record_block (key, record_id, who) select 5, gen_random_uuid(), n from generate_series(1, 20000) n")
        await raw.execute("analyze record_block")
        found = await matches.holders(raw, {5: 51})
        assert len(found[5].records) == 51
        plan = await raw.fetch(f"explain (analyze, buffers, format text) {matches.HOLDERS}", [5], [51])
        rows = [line[0] for line in plan if "record_block" in line[0] and "rows=51" in line[0]]
        assert rows, "more rows were read than asked for"


async def test_neighbours_of_a_large_batch_are_looked_up_one_by_one(engine_work: AsyncEngine) -> None:
    """How many people a batch meets is guessed from the limits, a hundred times too high: the guess must not read everybody."""
    overheard = Overheard()
    names = {("A", f"V{number}") for number in range(1000)}
    await people.neighbours(overheard, Frontier(identifiers=names, demographic_keys=set(range(1000))))
    ((query, values),) = overheard.asked
    async with unit_of_work(engine_work, None) as connection:
        raw = await raw_connection(connection)
        await raw.execute(
            "insert into patient_record (id, source, authority, type, value, person_id, demographics, demographic_key, updated_at)"
            " select gen_random_uuid(), 'adt', 'A', 'MR', 'V' || n, gen_random_uuid(), '{}', n, now() from generate_series(1, 20000) n"
        )
        await raw.execute(
            "insert into record_identifier (authority, type, value, record_id) select 'A', 'MR', value, id from patient_record"
        )
        await raw.execute("analyze patient_record, record_identifier")
        plan = await raw.fetchval(f"explain (format json) {query}", *values)
    assert Plan(plan[0]["Plan"]).scanned_tables == set()

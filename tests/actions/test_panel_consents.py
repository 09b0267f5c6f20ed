"""Consents of a whole panel: a fixed number of statements for a thousand members, by the indexes, and a roster that nobody reviews."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.actions.assert_panel_consents import assert_panel_consents
from app.actions.review_panel_consents import review_panel_consents
from app.domain import panel_consent
from app.domain.consent import ConsentKind
from app.domain.panel import UploadMode
from app.domain.panel_consent import PanelPaper, PaperFilter
from app.domain.privacy_law import NO_LAW
from app.store import panel_consents
from app.store.engine import raw_connection
from app.store.panel_stage import open_stage
from app.store.raw import Raw
from app.store.unit_of_work import unit_of_work
from tests.support.fakes import FakeClock, FakeIds
from tests.support.plans import plan_of_sql
from tests.support.queries import QueryRecorder
from tests.support.rosters import Loader, member

PAPER = PanelPaper(ConsentKind.TPO, date(2026, 2, 1), scope="All my records.")
MEMBERS = 30


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[Raw]:
    async with unit_of_work(engine, None) as connection:
        yield await raw_connection(connection)


async def test_a_panel_costs_a_fixed_number_of_statements_a_step(
    engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock, queries: QueryRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Loader(engine_work, ids)
    await home.load([member(number) for number in range(1, MEMBERS + 1)], clock.now())
    monkeypatch.setattr(panel_consent, "MEMBERS_A_STEP", 10)
    opened, owner, today = partial(transaction, engine_work), home.organization.id, clock.now().date()
    with queries.recording() as asserting:
        found = await assert_panel_consents(opened, owner, PAPER, None, law=NO_LAW, dry_run=False, today=today, ids=ids, now=clock.now())
    assert (found.asked, found.proposed, found.already, found.minors) == (MEMBERS, MEMBERS, 0, 0)
    # One that says whose they are, and three steps of two: locks, and the papers. Setting the role of each transaction is none of them.
    assert len([one for one in asserting if "set_config" not in one and "set local" not in one.lower()]) == 7
    with queries.recording() as reviewing:
        decided = await review_panel_consents(opened, owner, PaperFilter(), accept=True, note=None, dry_run=False, now=clock.now())
    assert decided == MEMBERS
    assert len([one for one in reviewing if "set_config" not in one and "set local" not in one.lower()]) == 10
    async with transaction(engine_work) as raw:
        ((papers, members),) = await panel_consents.signed_alike(raw, owner, today, None)
    # All signed the same, so it is decided once.
    assert (members, [(one["state"], one["kind"]) for one in papers]) == (MEMBERS, [("active", "tpo")])


async def test_they_are_found_by_the_indexes(engine_work: AsyncEngine) -> None:
    async with unit_of_work(engine_work, None) as connection:
        asked = [[UUID(int=1)], UUID(int=2), "tpo", date(2026, 2, 1), None, "BOX"]
        for statement, values, index in (
            (panel_consents._COUNT, asked, "ix_consent_record"),
            (panel_consents._WAITING, [UUID(int=2), None, None, None, None], "ix_consent_proposed"),
        ):
            found = await plan_of_sql(connection, statement, *values)
            assert "consent" not in found.scanned_tables, statement
            assert index in found.searched_indexes, statement


async def test_what_a_roster_asserts_counts_at_once_where_the_exchange_reviews_none(
    engine_work: AsyncEngine, ids: FakeIds, clock: FakeClock
) -> None:
    home = Loader(engine_work, ids)
    said = {"consent_type": "tpo", "consent_signed_on": "2026-02-01", "consent_scope": "All."}
    for reviews, number in ((True, 1), (False, 2)):
        home.services = replace(home.services, open_stage=partial(open_stage, engine_work, reviews_consents=reviews))
        file = [member(number, consent_document_id=f"D{number}", **said)]
        await home.load(file, clock.now(), UploadMode.DELTA)
    async with transaction(engine_work) as raw:
        rows = await raw.fetch("select document_id, state from consent order by document_id")
    assert [tuple(row.values()) for row in rows] == [("D1", "proposed"), ("D2", "active")]

"""The reads of the HTTP face use their indexes, as the app role with the policies on, whoever asks."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.commit_order import Between, Position
from app.domain.feed import Feed
from app.domain.message_search import read_query
from app.domain.viewer import OPERATOR, Viewer
from app.store import (
    documents,
    encounter_reads,
    feed_facilities,
    feed_moves,
    follow_up_reads,
    inbound_reads,
    inbound_search,
    members,
    notification_reads,
    set_aside,
    stay_messages,
    summary_facts,
    unfiled_documents,
)
from app.store.encounter_reads import EncounterFilter
from app.store.follow_up_reads import FollowUpFilter
from app.store.inbound_reads import InboundFilter
from app.store.set_aside import AsideFilter
from app.store.unit_of_work import unit_of_work
from tests.support.databases import Database
from tests.support.plans import plan_of_sql

pytestmark = pytest.mark.plans

SOMEBODY = Viewer(organization_id=UUID(int=7), scopes=frozenset())
SOMETHING = UUID(int=8)
FEED = Feed(SOMETHING, UUID(int=7), "EPIC", "HOSPA", "UTC", "HOSPA")


@pytest.fixture
def database(fresh_database: Database) -> Database:
    """Give one that never had a row: the statistics of other tests' rows would choose the plan."""
    return fresh_database


class Overheard:
    """Stands where a connection stands and remembers what is asked; finds nothing."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        self.asked.append((query, values))
        return []

    async def fetchrow(self, query: str, *values: Any) -> None:
        self.asked.append((query, values))

    async def fetchval(self, query: str, *values: Any) -> None:
        self.asked.append((query, values))


Read = Callable[[Any, Viewer], Awaitable[Any]]
SMALL = frozenset({"organization_grant", "organization", "subscription"})
"""A few thousand rows at most: how they are read does not matter."""


def _messages(**wanted: Any) -> Read:
    return lambda raw, viewer: inbound_reads.list_messages(raw, viewer, InboundFilter(**wanted), after=SOMETHING, limit=101)


def _follow_ups(**wanted: Any) -> Read:
    return lambda raw, viewer: follow_up_reads.page(raw, viewer, FollowUpFilter(**wanted), covers=False, after=None, limit=101)


READS: dict[str, tuple[Read, set[str]]] = {
    "outbox": (
        lambda raw, viewer: notification_reads.read_outbox(raw, viewer, SOMETHING, after=5, limit=101),
        {"uq_notification_sequence"},
    ),
    "last numbers": (lambda raw, _viewer: notification_reads.last_sequences(raw, [SOMETHING]), {"pk_recipient_sequence"}),
    "one notification": (lambda raw, viewer: notification_reads.find_notification(raw, viewer, SOMETHING), {"pk_notification"}),
    "the stays behind": (lambda raw, viewer: encounter_reads.rows_behind(raw, viewer, [SOMETHING]), {"pk_encounter"}),
    "one stay": (lambda raw, viewer: encounter_reads.find_encounter(raw, viewer, SOMETHING), {"pk_encounter"}),
    "the messages behind stays": (
        lambda raw, _viewer: stay_messages.behind(raw, [SOMETHING]),
        {"ix_adt_event_encounter", "ix_encounter_folded", "pk_encounter"},
    ),
    "what became part of stays later": (
        lambda raw, _viewer: stay_messages.parts_later(raw, [SOMETHING], datetime(2026, 3, 6, tzinfo=UTC)),
        {"ix_encounter_folded", "pk_stay_name", "ix_adt_event_encounter"},
    ),
    "the documents of a stay": (
        lambda raw, _viewer: documents.of_stays(raw, [SOMETHING], most=20),
        {"ix_document_visit", "pk_encounter", "ix_encounter_folded"},
    ),
    "which stays have a summary": (lambda raw, _viewer: documents.summarised(raw, [SOMETHING]), {"ix_document_visit", "pk_encounter"}),
    "one document": (lambda raw, _viewer: documents.one(raw, SOMETHING), {"pk_document"}),
    "owners of follow-ups, and what they say of summaries": (
        lambda raw, _viewer: summary_facts.around(raw, [SOMETHING]),
        {"ix_follow_up_owner_follow_up_id", "ix_summary_fact_follow_up_id"},
    ),
    "messages waiting": (_messages(outcome="waiting"), {"pk_inbound_message"}),
    "messages set aside": (_messages(outcome="set_aside"), {"pk_inbound_message"}),
    "what a feed has set aside": (lambda raw, _viewer: feed_moves.set_aside_of(raw, FEED), {"ix_inbound_message_refused"}),
    "the facilities of a feed": (
        lambda raw, _viewer: feed_facilities.list_facilities(raw, FEED.id, after=None, limit=101),
        {"pk_feed_facility", "ix_held_message_facility"},
    ),
    "one message": (lambda raw, viewer: inbound_reads.find_message(raw, viewer, SOMETHING), {"pk_inbound_message"}),
    "messages that were found": (lambda raw, viewer: inbound_reads.read_messages(raw, viewer, [SOMETHING]), {"pk_inbound_message"}),
    "what was set aside": (
        lambda raw, viewer: set_aside.of_a_kind(raw, viewer, AsideFilter(code="101"), 100),
        {"pk_inbound_message"},
    ),
    "groups of what was set aside": (lambda raw, viewer: set_aside.groups(raw, viewer, AsideFilter()), {"pk_inbound_message"}),
    "what nothing was made of": (
        lambda raw, viewer: inbound_search.newest_unread(raw, viewer, before=None),
        {"pk_inbound_message"},
    ),
    "a member": (lambda raw, viewer: members.is_member(raw, viewer, SOMEBODY.organization_id or SOMETHING, SOMETHING), set()),
}

OF_AN_ORGANIZATION: dict[str, tuple[Read, set[str]]] = {
    "messages": (_messages(), {"ix_inbound_message_organization"}),
    "documents without a stay": (
        lambda raw, viewer: unfiled_documents.unfiled_documents(raw, viewer, after=SOMETHING, limit=100),
        {"ix_document_facility", "ix_encounter_person"},
    ),
    "messages refused": (_messages(outcome="rejected"), {"ix_inbound_message_refused"}),
    "stays": (
        lambda raw, viewer: encounter_reads.list_encounters(raw, viewer, EncounterFilter(), after=SOMETHING, limit=101),
        {"ix_encounter_facility", "ix_encounter_reported_by", "ix_encounter_person", "ix_panel_member_organization"},
    ),
}


async def _check(engine: AsyncEngine, viewer: Viewer, read: Read, wanted: set[str], *, small: frozenset[str] = SMALL) -> None:
    overheard = Overheard()
    await read(overheard, viewer)
    assert overheard.asked
    searched: set[str] = set()
    async with unit_of_work(engine, viewer) as connection:
        for query, values in overheard.asked:
            plan = await plan_of_sql(connection, query, *values)
            assert plan.scanned_tables - small == set(), query
            searched |= plan.searched_indexes
    assert wanted - searched == set()


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({"changed_since": datetime(2026, 3, 6, tzinfo=UTC)}, "ix_follow_up_changed"),
        ({"committed": Between(Position(5, 9, (7,)), Position(20, 20))}, "ix_follow_up_xid"),
    ],
    ids=["since an instant", "after a place"],
)
async def test_what_changed_is_found_in_the_order_in_which_it_did(engine_app: AsyncEngine, wanted: dict[str, Any], index: str) -> None:
    # Whom the reader covers is read once a question by the policy, whatever is asked.
    await _check(engine_app, SOMEBODY, _follow_ups(**wanted), {index}, small=SMALL | {"panel_member"})


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("viewer", [SOMEBODY, OPERATOR], ids=["an organization", "the operator"])
async def test_a_read_searches_its_index(engine_app: AsyncEngine, name: str, viewer: Viewer) -> None:
    read, wanted = READS[name]
    # What waits is short by nature, and read through its queue.
    small = SMALL | ({"inbound_queue"} if name == "messages waiting" else set()) | ({"inbound_outcome"} if "set aside" in name else set())
    await _check(engine_app, viewer, read, wanted, small=small)


@pytest.mark.parametrize("name", OF_AN_ORGANIZATION)
async def test_an_organizations_list_searches_its_index(engine_app: AsyncEngine, name: str) -> None:
    read, wanted = OF_AN_ORGANIZATION[name]
    await _check(engine_app, SOMEBODY, read, wanted)


async def test_the_outbox_is_read_in_order_without_sorting(engine_app: AsyncEngine) -> None:
    overheard: Any = Overheard()
    await notification_reads.read_outbox(overheard, SOMEBODY, UUID(int=7), after=5, limit=101)
    async with unit_of_work(engine_app, SOMEBODY) as connection:
        plan = await plan_of_sql(connection, overheard.asked[0][0], *overheard.asked[0][1])
    assert not plan.sorts


LOOK_UPS: dict[str, set[str]] = {
    "C1": {"uq_inbound_message_again", "ix_inbound_message_unclaimed", "pk_record_identifier", "ix_encounter_visit_number"},
    "Alder, Ann 1980-01-02": {
        "ix_patient_record_demographic_key", "ix_encounter_record_id", "ix_adt_event_encounter", "ix_adt_event_record",
    },
}  # fmt: skip


@pytest.mark.parametrize("typed", LOOK_UPS)
@pytest.mark.parametrize("viewer", [SOMEBODY, OPERATOR], ids=["an organization", "the operator"])
async def test_what_people_type_is_looked_up_by_its_index(engine_work: AsyncEngine, viewer: Viewer, typed: str) -> None:
    """Ids are looked up as the work role; what they stand for is read as the viewer (above)."""
    await _check(
        engine_work,
        viewer,
        lambda raw, whose: inbound_search.find_ids(raw, whose, read_query(typed), before=None, limit=51),
        LOOK_UPS[typed],
        small=SMALL | {"feed"},
    )

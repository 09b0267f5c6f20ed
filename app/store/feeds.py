"""Feeds: the configured ADT sources. Not here: how a message finds its feed (actions/receive keeps them in memory).

The table has no row-level security (no patient data): every read narrows to the viewer's own organization.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, select, true, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.feed import Feed, FeedMode, FeedProfile
from app.domain.viewer import Viewer
from app.store.connection import Connection
from app.store.directory import profile_from
from app.store.tables.organizations import feed

_SETS = ("observation_patient_types", "behavioral_units", "test_patient_last_names")


def profile_document(profile: FeedProfile) -> dict[str, Any]:
    """Give the profile as it is stored and shown; sets as sorted lists."""
    document = asdict(profile)
    return document | {name: sorted(document[name]) for name in _SETS}


def feed_of_row(row: Row[Any]) -> Feed:
    """Read a row of the table."""
    return Feed(
        id=row.id,
        organization_id=row.organization_id,
        sending_application=row.sending_application,
        sending_facility=row.sending_facility,
        time_zone=row.time_zone,
        assigning_authority=row.assigning_authority,
        mode=FeedMode(row.mode),
        profile=profile_from(row.profile),
    )


def _visible(viewer: Viewer) -> ColumnElement[bool]:
    return true() if viewer.is_operator else feed.c.organization_id == viewer.organization_id


async def add_feed(connection: Connection, new: Feed, created_at: datetime) -> bool:
    """Add one; False when another feed of the network has the same MSH-3 and MSH-4 (uq_feed_sending_application_sending_facility)."""
    added = await connection.execute(
        insert(feed)
        .values(
            id=new.id,
            organization_id=new.organization_id,
            sending_application=new.sending_application,
            sending_facility=new.sending_facility,
            time_zone=new.time_zone,
            assigning_authority=new.assigning_authority,
            mode=new.mode.value,
            profile=profile_document(new.profile),
            created_at=created_at,
        )
        .on_conflict_do_nothing()
        .returning(feed.c.id)
    )
    return added.one_or_none() is not None


async def find_feed(connection: Connection, viewer: Viewer, feed_id: UUID) -> Feed | None:
    """Give one of the viewer's (pk_feed)."""
    row = (await connection.execute(select(feed).where(feed.c.id == feed_id, _visible(viewer)))).one_or_none()
    return None if row is None else feed_of_row(row)


async def list_feeds(connection: Connection, viewer: Viewer, *, organization_id: UUID | None, after: UUID | None, limit: int) -> list[Feed]:
    """Give a page in the order of creation (pk_feed, ix_feed_organization_id)."""
    query = select(feed).where(_visible(viewer)).order_by(feed.c.id).limit(limit)
    if organization_id is not None:
        query = query.where(feed.c.organization_id == organization_id)
    if after is not None:
        query = query.where(feed.c.id > after)
    return [feed_of_row(row) for row in await connection.execute(query)]


async def change_feed(connection: Connection, viewer: Viewer, feed_id: UUID, changes: Mapping[str, Any]) -> Feed | None:
    """Change fields of one of the viewer's; None when there is none. Messages that were read stay read: replay them if they must not."""
    rows = await connection.execute(update(feed).where(feed.c.id == feed_id, _visible(viewer)).values(**changes).returning(feed))
    row = rows.one_or_none()
    return None if row is None else feed_of_row(row)

"""Feeds: the configured ADT sources. Not here: how a message finds its feed (actions/receive keeps them in memory).

The table has no row-level security (no patient data): every read narrows to the viewer's own organization.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, select, true, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.feed import Feed, FeedMode, FeedProfile
from app.domain.public_id import Kind
from app.domain.viewer import Viewer
from app.store.audit import altered
from app.store.connection import Connection
from app.store.directory import profile_from
from app.store.tables.organizations import feed, feed_version

_SETS = (
    "observation_patient_types",
    "behavioral_units",
    "test_patient_last_names",
    "accepted_applications",
    "client_certificates",
)


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
        version=row.version,
    )


def _visible(viewer: Viewer) -> ColumnElement[bool]:
    return true() if viewer.is_operator else feed.c.organization_id == viewer.organization_id


async def add_feed(connection: Connection, new: Feed, created_at: datetime, by: UUID | None = None) -> bool:
    """Add one; False when another feed of the network has the same MSH-3 and MSH-4 (uq_feed_sending_application_sending_facility)."""
    altered(Kind.FEED, new.id)
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
    if added.one_or_none() is None:
        return False
    await _remember(connection, new, created_at, by)
    return True


async def find_feed(connection: Connection, viewer: Viewer, feed_id: UUID, *, locked: bool = False) -> Feed | None:
    """Give one of the viewer's, for changing it `locked` (pk_feed)."""
    query = select(feed).where(feed.c.id == feed_id, _visible(viewer))
    row = (await connection.execute(query.with_for_update() if locked else query)).one_or_none()
    return None if row is None else feed_of_row(row)


async def list_feeds(connection: Connection, viewer: Viewer, *, organization_id: UUID | None, after: UUID | None, limit: int) -> list[Feed]:
    """Give a page in the order of creation (pk_feed, ix_feed_organization_id)."""
    query = select(feed).where(_visible(viewer)).order_by(feed.c.id).limit(limit)
    if organization_id is not None:
        query = query.where(feed.c.organization_id == organization_id)
    if after is not None:
        query = query.where(feed.c.id > after)
    return [feed_of_row(row) for row in await connection.execute(query)]


async def change_feed(connection: Connection, viewer: Viewer, feed_id: UUID, changes: Mapping[str, Any], now: datetime) -> Feed | None:
    """Change fields of one of the viewer's, as a new version; None when there is none. Messages that were read stay read."""
    altered(Kind.FEED, feed_id)
    values = {**changes, "version": feed.c.version + 1}
    rows = await connection.execute(update(feed).where(feed.c.id == feed_id, _visible(viewer)).values(**values).returning(feed))
    row = rows.one_or_none()
    if row is None:
        return None
    found = feed_of_row(row)
    await _remember(connection, found, now, viewer.organization_id)
    return found


async def _remember(connection: Connection, found: Feed, at: datetime, by: UUID | None) -> None:
    await connection.execute(
        insert(feed_version).values(
            feed_id=found.id,
            version=found.version,
            mode=found.mode.value,
            time_zone=found.time_zone,
            assigning_authority=found.assigning_authority,
            profile=profile_document(found.profile),
            changed_at=at,
            changed_by=by,
        )
    )


@dataclass(frozen=True, slots=True)
class FeedVersion:
    """What was in force from an instant on."""

    version: int
    mode: FeedMode
    time_zone: str
    assigning_authority: str
    profile: FeedProfile
    changed_at: datetime
    changed_by: UUID | None


async def list_versions(connection: Connection, feed_id: UUID, *, after: int | None, limit: int) -> list[FeedVersion]:
    """Give a page of the versions of a feed that the viewer may see, newest first (pk_feed_version)."""
    query = select(feed_version).where(feed_version.c.feed_id == feed_id).order_by(feed_version.c.version.desc()).limit(limit)
    if after is not None:
        query = query.where(feed_version.c.version < after)
    return [
        FeedVersion(
            row.version,
            FeedMode(row.mode),
            row.time_zone,
            row.assigning_authority,
            profile_from(row.profile),
            row.changed_at,
            row.changed_by,
        )
        for row in await connection.execute(query)
    ]

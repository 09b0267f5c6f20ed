"""Organizations, the grants between them, and their preferences.

The tables have no row-level security (no patient data), so every read narrows to what the viewer may know of: itself, its own
sites, and those that granted it their rows; the operator of the exchange knows all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, delete, exists, func, insert, literal, literal_column, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import insert as upsert

from app.domain.organization import CallBack, FacilityType, Organization, OrganizationKind, Part2Status
from app.domain.public_id import Kind
from app.domain.viewer import Viewer
from app.store.asked_again import CAUSE
from app.store.audit import altered
from app.store.connection import Connection
from app.store.tables.encounters import encounter
from app.store.tables.follow_ups import follow_up
from app.store.tables.inbound import reconsideration
from app.store.tables.organizations import organization, organization_grant, preference

_COLUMNS = tuple(organization.c)


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may see an organization's rows, since when."""

    organization_id: UUID
    grantee_id: UUID
    granted_at: datetime


@dataclass(frozen=True, slots=True)
class Preferences:
    """One version of what a recipient wishes to be told of."""

    organization_id: UUID
    version: int
    rules: Sequence[Mapping[str, Any]]
    created_at: datetime | None


def visible_organizations(viewer: Viewer) -> ColumnElement[bool]:
    """Give the condition on `organization`: itself, its sites, and those that granted it their rows."""
    if viewer.is_operator:
        return true()
    granted = exists().where(
        organization_grant.c.organization_id == organization.c.id,
        organization_grant.c.grantee_id == viewer.organization_id,
    )
    return or_(organization.c.id == viewer.organization_id, organization.c.parent_id == viewer.organization_id, granted)


def manages(viewer: Viewer, organization_id: UUID) -> bool:
    """Tell whether the viewer may configure the organization: the operator every one, a key only its own."""
    return viewer.is_operator or viewer.organization_id == organization_id


async def add_organization(connection: Connection, new: Organization) -> None:
    """Add one. `parent_id` must exist; ask `find_organization` first."""
    altered(Kind.ORGANIZATION, new.id)
    await connection.execute(
        insert(organization).values(
            id=new.id,
            name=new.name,
            kind=new.kind.value,
            program_roles=list(new.program_roles),
            parent_id=new.parent_id,
            npi=new.npi,
            part2_status=new.part2_status.value,
            facility_type=new.facility_type.value,
            time_zone=new.time_zone,
            holiday_calendar=new.holiday_calendar,
            created_at=new.created_at,
            call_back_number=new.call_back.call_back_number,
            direct_address=new.call_back.direct_address,
            records_contact=new.call_back.records_contact,
            known_as=list(new.known_as),
            adt_wait_hours=new.adt_wait_hours,
        )
    )


async def find_organization(connection: Connection, viewer: Viewer, organization_id: UUID) -> Organization | None:
    """Give one that the viewer may know of (pk_organization)."""
    rows = await connection.execute(select(*_COLUMNS).where(organization.c.id == organization_id, visible_organizations(viewer)))
    row = rows.one_or_none()
    return None if row is None else _organization(row)


async def list_organizations(
    connection: Connection, viewer: Viewer, *, after: UUID | None, limit: int, kind: OrganizationKind | None = None
) -> list[Organization]:
    """Give a page in the order of creation (pk_organization)."""
    query = select(*_COLUMNS).where(visible_organizations(viewer)).order_by(organization.c.id).limit(limit)
    if after is not None:
        query = query.where(organization.c.id > after)
    if kind is not None:
        query = query.where(organization.c.kind == kind.value)
    return [_organization(row) for row in await connection.execute(query)]


async def change_organization(
    connection: Connection, viewer: Viewer, organization_id: UUID, changes: Mapping[str, Any]
) -> Organization | None:
    """Change fields of one that the viewer manages, and give it as it is now; None when there is none."""
    altered(Kind.ORGANIZATION, organization_id)
    if not manages(viewer, organization_id):
        return None
    rows = await connection.execute(update(organization).where(organization.c.id == organization_id).values(**changes).returning(*_COLUMNS))
    row = rows.one_or_none()
    return None if row is None else _organization(row)


async def ask_to_reconsider(connection: Connection, viewer: Viewer, facility_id: UUID, now: datetime) -> int:
    """Ask for every stay at a facility, or followed up by it, to be decided again: what the registry says of it changed. One statement.

    As the operator's viewer all of its stays are seen (ix_encounter_facility, ix_follow_up_worklist); gives how many.
    """
    if not manages(viewer, facility_id):
        return 0
    followed = select(follow_up.c.encounter_id).where(follow_up.c.home_id == facility_id)
    of_it = or_(encounter.c.facility_id == facility_id, encounter.c.reported_by == facility_id, encounter.c.id.in_(followed))
    return await _ask(connection, of_it, now)


async def ask_to_await_again(connection: Connection, viewer: Viewer, wait: timedelta, now: datetime) -> int:
    """Ask for the transfers that may still be awaited, or were until now, to be decided again: a place's wait or names changed.

    Those whose discharge is no older than the wait, and names a place (ix_encounter_discharged); which of them mean this one is the
    decision's to say. One statement; gives how many.
    """
    if not viewer.is_operator:
        return 0
    # A day more: the date is of the facility's zone.
    recent = encounter.c.discharged_on >= (now - wait - timedelta(days=1)).date()
    named = text("exists (select 1 from json_each(encounter.state -> 'said') as s where s.value ->> 'discharged_to' is not null)")
    return await _ask(connection, and_(recent, named), now)


async def _ask(connection: Connection, which: ColumnElement[bool], now: datetime) -> int:
    stays = select(encounter.c.id, literal(now).label("asked_at"), literal("organization").label("cause")).where(which)
    asking = upsert(reconsideration).from_select(["encounter_id", "asked_at", "cause"], stays.order_by(encounter.c.id))
    again = asking.on_conflict_do_update(
        index_elements=["encounter_id"], set_={"asked_at": asking.excluded.asked_at, "cause": literal_column(CAUSE)}
    )
    return (await connection.execute(again)).rowcount


async def grant(connection: Connection, viewer: Viewer, new: Grant) -> Grant | None:
    """Let the grantee see the organization's rows; give the grant that stands (an earlier one is kept). None: not the viewer's to give."""
    if not manages(viewer, new.organization_id):
        return None
    altered(Kind.ORGANIZATION, new.grantee_id)
    await connection.execute(
        upsert(organization_grant)
        .values(organization_id=new.organization_id, grantee_id=new.grantee_id, granted_at=new.granted_at)
        .on_conflict_do_nothing()
    )
    rows = await connection.execute(
        select(organization_grant.c.granted_at).where(
            organization_grant.c.organization_id == new.organization_id, organization_grant.c.grantee_id == new.grantee_id
        )
    )
    return Grant(new.organization_id, new.grantee_id, rows.scalar_one())


async def end_grants_of(connection: Connection, organization_id: UUID) -> int:
    """End every grant of an organization but the one to its parent; give how many. For one whose own status is protected by now."""
    parent = select(organization.c.parent_id).where(organization.c.id == organization_id).scalar_subquery()
    ended = await connection.execute(
        delete(organization_grant).where(
            organization_grant.c.organization_id == organization_id, organization_grant.c.grantee_id.is_distinct_from(parent)
        )
    )
    return ended.rowcount


async def list_grants(
    connection: Connection, viewer: Viewer, organization_id: UUID, *, after: UUID | None, limit: int
) -> list[Grant] | None:
    """Give who may see the organization's rows, by grantee (pk_organization_grant); None: not the viewer's to know."""
    if not manages(viewer, organization_id):
        return None
    query = (
        select(organization_grant).where(organization_grant.c.organization_id == organization_id).order_by(organization_grant.c.grantee_id)
    ).limit(limit)
    if after is not None:
        query = query.where(organization_grant.c.grantee_id > after)
    return [Grant(row.organization_id, row.grantee_id, row.granted_at) for row in await connection.execute(query)]


async def revoke_grant(connection: Connection, viewer: Viewer, organization_id: UUID, grantee_id: UUID) -> bool:
    """End a grant; False when there was none, or it is not the viewer's to end."""
    if not manages(viewer, organization_id):
        return False
    altered(Kind.ORGANIZATION, grantee_id)
    ended = await connection.execute(
        delete(organization_grant).where(
            organization_grant.c.organization_id == organization_id, organization_grant.c.grantee_id == grantee_id
        )
    )
    return ended.rowcount > 0


async def read_preferences(connection: Connection, viewer: Viewer, organization_id: UUID) -> Preferences | None:
    """Give the current version (ix_preference_current), version 0 without rules where none was ever set; None: not the viewer's."""
    if not manages(viewer, organization_id):
        return None
    rows = await connection.execute(select(preference).where(preference.c.organization_id == organization_id, preference.c.is_current))
    row = rows.one_or_none()
    if row is None:
        return Preferences(organization_id, 0, (), None)
    return Preferences(organization_id, row.version, row.rules, row.created_at)


async def write_preferences(
    connection: Connection, viewer: Viewer, new: Preferences, *, expected_version: int | None
) -> Preferences | None:
    """Make a new current version; None when `expected_version` is no longer the current one, or it is not the viewer's to change.

    The organization's row is locked meanwhile, so two writers make two versions one after the other.
    """
    altered(Kind.ORGANIZATION, new.organization_id)
    if not manages(viewer, new.organization_id):
        return None
    await connection.execute(select(organization.c.id).where(organization.c.id == new.organization_id).with_for_update())
    current = await connection.execute(
        select(func.coalesce(func.max(preference.c.version), 0)).where(preference.c.organization_id == new.organization_id)
    )
    version = current.scalar_one()
    if expected_version is not None and expected_version != version:
        return None
    await connection.execute(
        update(preference).where(preference.c.organization_id == new.organization_id, preference.c.is_current).values(is_current=False)
    )
    written = Preferences(new.organization_id, version + 1, new.rules, new.created_at)
    await connection.execute(
        insert(preference).values(
            organization_id=written.organization_id,
            version=written.version,
            rules=list(written.rules),
            is_current=True,
            created_at=written.created_at,
        )
    )
    return written


def _organization(row: Row[Any]) -> Organization:
    return Organization(
        id=row.id,
        name=row.name,
        kind=OrganizationKind(row.kind),
        created_at=row.created_at,
        program_roles=tuple(row.program_roles),
        parent_id=row.parent_id,
        npi=row.npi,
        part2_status=Part2Status(row.part2_status),
        facility_type=FacilityType(row.facility_type),
        time_zone=row.time_zone,
        holiday_calendar=row.holiday_calendar,
        call_back=CallBack(row.call_back_number, row.direct_address, row.records_contact),
        known_as=tuple(row.known_as),
        adt_wait_hours=row.adt_wait_hours,
    )

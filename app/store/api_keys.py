"""API keys: who holds one, and the life of one. Only keyed hashes are here; the key itself is nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Row, cast, exists, func, insert, or_, select, update

from app.domain.agreement import LETS_TAKE_PART
from app.domain.public_id import Kind
from app.domain.viewer import Viewer
from app.store.audit import altered
from app.store.connection import Connection
from app.store.tables.agreements import agreement
from app.store.tables.organizations import api_key, organization

_SHOWN = tuple(column for column in api_key.c if column.name != "digest")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its owner may see it: everything but the key."""

    id: UUID
    organization_id: UUID
    scopes: Sequence[str]
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


async def find_key_holder(connection: Connection, viewer: Viewer, digest: bytes, now: datetime) -> Viewer | None:
    """Give the viewer behind a key that is neither expired nor revoked (uq_api_key_digest).

    `viewer` is the exchange itself: at this point nobody is known yet.
    """
    if not viewer.is_operator:
        return None
    rows = await connection.execute(
        select(api_key.c.id, api_key.c.organization_id, api_key.c.scopes, _agreed(now).label("is_agreed"))
        .join(organization, organization.c.id == api_key.c.organization_id)
        .where(
            api_key.c.digest == digest,
            api_key.c.revoked_at.is_(None),
            or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > now),
        )
    )
    row = rows.one_or_none()
    if row is None:
        return None
    return Viewer(organization_id=row.organization_id, scopes=frozenset(row.scopes), key_id=row.id, is_agreed=row.is_agreed)


def _agreed(now: datetime) -> ColumnElement[bool]:
    """Tell whether an agreement of the key's organization is in force, by its own calendar; hospitals and the exchange read without one.

    A hospital reads what it sent itself. What anybody is told of others is asked of the decision once more (domain/privacy).
    """
    today = cast(func.timezone(organization.c.time_zone, now), Date)
    in_force = exists().where(
        agreement.c.organization_id == organization.c.id,
        agreement.c.kind.in_([kind.value for kind in LETS_TAKE_PART]),
        or_(agreement.c.effective_from.is_(None), agreement.c.effective_from <= today),
        or_(agreement.c.expires_on.is_(None), agreement.c.expires_on >= today),
        or_(agreement.c.ended_at.is_(None), agreement.c.ended_at > now),
    )
    return or_(organization.c.kind.in_(["hospital", "hie"]), in_force)


async def add_key(connection: Connection, new: ApiKey, digest: bytes) -> None:
    """Add a key. Row-level security refuses one for an organization that the viewer is not."""
    altered(Kind.KEY, new.id)
    await connection.execute(
        insert(api_key).values(
            id=new.id,
            organization_id=new.organization_id,
            digest=digest,
            scopes=list(new.scopes),
            label=new.label,
            created_at=new.created_at,
            expires_at=new.expires_at,
        )
    )


async def list_keys(
    connection: Connection, viewer: Viewer, *, organization_id: UUID | None, after: UUID | None, limit: int
) -> list[ApiKey]:
    """Give a page of the viewer's keys, revoked ones too, in the order of creation (pk_api_key, ix_api_key_organization_id)."""
    query = select(*_SHOWN).order_by(api_key.c.id).limit(limit)
    wanted = organization_id if viewer.is_operator else viewer.organization_id
    if wanted is not None:
        query = query.where(api_key.c.organization_id == wanted)
    if not viewer.is_operator and organization_id not in (None, viewer.organization_id):
        return []
    if after is not None:
        query = query.where(api_key.c.id > after)
    return [_key(row) for row in await connection.execute(query)]


async def revoke_key(connection: Connection, viewer: Viewer, key_id: UUID, now: datetime) -> ApiKey | None:
    """End a key of the viewer's organization, and give it; one that was revoked before keeps its time. None when there is none."""
    altered(Kind.KEY, key_id)
    query = update(api_key).where(api_key.c.id == key_id)
    if not viewer.is_operator:
        query = query.where(api_key.c.organization_id == viewer.organization_id)
    await connection.execute(query.where(api_key.c.revoked_at.is_(None)).values(revoked_at=now))
    found = select(*_SHOWN).where(api_key.c.id == key_id)
    if not viewer.is_operator:
        found = found.where(api_key.c.organization_id == viewer.organization_id)
    row = (await connection.execute(found)).one_or_none()
    return None if row is None else _key(row)


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        organization_id=row.organization_id,
        scopes=row.scopes,
        label=row.label,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )

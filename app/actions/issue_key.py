"""Make an API key for an organization. The key leaves here once, to be shown once; only its keyed hash is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.domain.credential import SECRET_OCTETS, KeyEnvironment, key_digest, spell_key
from app.domain.viewer import Scope
from app.ports import Ids
from app.store.api_keys import ApiKey, add_key
from app.store.connection import Connection


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What the key is for."""

    organization_id: UUID
    scopes: Sequence[Scope]
    label: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """The stored key, and the key itself, which nobody can show again."""

    stored: ApiKey
    key: str = field(repr=False)


async def issue_key(
    connection: Connection, wish: KeyWish, *, ids: Ids, now: datetime, pepper: bytes, environment: KeyEnvironment
) -> IssuedKey:
    """Make and store a key inside the caller's unit of work, whose viewer must be the organization or the operator."""
    key_id = ids.new()
    key = spell_key(environment, key_id, ids.secret(SECRET_OCTETS))
    stored = ApiKey(
        id=key_id,
        organization_id=wish.organization_id,
        scopes=sorted({scope.value for scope in wish.scopes}),
        label=wish.label,
        created_at=now,
        expires_at=wish.expires_at,
        revoked_at=None,
    )
    await add_key(connection, stored, key_digest(pepper, key))
    return IssuedKey(stored, key)

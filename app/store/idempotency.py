"""Idempotency keys: the same request twice makes one thing and gives the same answer (RFC draft httpapi-idempotency-key-header).

The key is claimed in the transaction that makes the thing, so the second of two at once waits for the first and then sees it; a
claim whose request failed is rolled back with it.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.store.connection import Connection
from app.store.tables.organizations import idempotency_key


@dataclass(frozen=True, slots=True)
class Claim:
    """What a key was used for. `is_new`: by this very request."""

    resource_id: UUID
    is_new: bool
    is_same_request: bool


async def claim_idempotency_key(
    connection: Connection, organization_id: UUID, key: str, request_digest: bytes, resource_id: UUID, now: datetime
) -> Claim:
    """Claim the key for a thing about to be made, or say what it was used for before (pk_idempotency_key)."""
    claimed = await connection.execute(
        insert(idempotency_key)
        .values(organization_id=organization_id, key=key, request_digest=request_digest, resource_id=resource_id, created_at=now)
        .on_conflict_do_nothing()
        .returning(idempotency_key.c.resource_id)
    )
    if claimed.one_or_none() is not None:
        return Claim(resource_id, is_new=True, is_same_request=True)
    rows = await connection.execute(
        select(idempotency_key.c.resource_id, idempotency_key.c.request_digest).where(
            idempotency_key.c.organization_id == organization_id, idempotency_key.c.key == key
        )
    )
    found = rows.one()
    return Claim(found.resource_id, is_new=False, is_same_request=bytes(found.request_digest) == request_digest)

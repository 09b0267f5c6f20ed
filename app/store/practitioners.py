"""For whom the practitioners work whom messages name. No patient data; who may say so is the caller's to decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class Practitioner:
    """One practitioner at one organization."""

    id: UUID
    npi: str
    organization_id: UUID
    effective_from: date | None
    effective_to: date | None
    asserted_at: datetime


async def add(raw: Raw, new: Practitioner) -> Practitioner:
    """Say that a practitioner works there; the same again changes nothing, another period replaces the old (uq_practitioner_current)."""
    # One at a time for an organization: of two that say it first at once the second finds it said.
    await raw.execute("select 1 from organization where id = $1 for no key update", new.organization_id)
    current = await raw.fetchrow(
        "select id, npi, organization_id, effective_from, effective_to, asserted_at from practitioner "
        "where organization_id = $1 and npi = $2 and retracted_at is null for update",
        new.organization_id,
        new.npi,
    )
    if current is not None:
        known = Practitioner(*current.values())
        if (known.effective_from, known.effective_to) == (new.effective_from, new.effective_to):
            return known
        await raw.execute("update practitioner set retracted_at = $2 where id = $1", known.id, new.asserted_at)
    await raw.execute(
        "insert into practitioner (id, npi, organization_id, effective_from, effective_to, asserted_at) values ($1, $2, $3, $4, $5, $6)",
        new.id,
        new.npi,
        new.organization_id,
        new.effective_from,
        new.effective_to,
        new.asserted_at,
    )
    return new


async def of_organization(raw: Raw, organization_id: UUID, *, after: str | None, limit: int) -> Sequence[Practitioner]:
    """Give a page of an organization's practitioners by NPI (uq_practitioner_current)."""
    rows = await raw.fetch(
        "select id, npi, organization_id, effective_from, effective_to, asserted_at from practitioner "
        "where organization_id = $1 and retracted_at is null and npi > $2 order by npi limit $3",
        organization_id,
        after or "",
        limit,
    )
    return [Practitioner(*row.values()) for row in rows]


async def retract(raw: Raw, organization_id: UUID, npi: str, now: datetime) -> bool:
    """Say that a practitioner does not work there; False where nobody said so."""
    done = await raw.fetchval(
        "update practitioner set retracted_at = $3 where organization_id = $1 and npi = $2 and retracted_at is null returning true",
        organization_id,
        npi,
        now,
    )
    return bool(done)

"""What is registered of houses, units and services. No patient data; who may say so is the caller's to decide."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.organization import FacilityType, Part2Status
from app.domain.origin_registry import PlaceKind, Registration
from app.domain.public_id import Kind
from app.store.audit import altered
from app.store.raw import Raw

_COLUMNS = (
    "id, organization_id, place, code, effective_from, effective_to, part2_status, mental_health_licensed, facility_type, privacy_pack, "
    "asserted_at"
)


def _registration(row: Any) -> Registration:  # noqa: ANN401 - asyncpg's record
    return Registration(
        id=row["id"],
        organization_id=row["organization_id"],
        place=PlaceKind(row["place"]),
        code=row["code"],
        effective_from=row["effective_from"],
        effective_to=row["effective_to"],
        part2_status=Part2Status(row["part2_status"]) if row["part2_status"] else None,
        mental_health_licensed=row["mental_health_licensed"],
        facility_type=FacilityType(row["facility_type"]) if row["facility_type"] else None,
        privacy_pack=row["privacy_pack"],
        asserted_at=row["asserted_at"],
    )


async def standing(raw: Raw) -> list[Registration]:
    """Read every registration that stands, for the registry of a batch; what was said last comes first."""
    rows = await raw.fetch(f"select {_COLUMNS} from origin_registration where retracted_at is null order by id desc")
    return [_registration(row) for row in rows]


async def of_organization(raw: Raw, organization_id: UUID, *, after: UUID | None, limit: int) -> Sequence[Registration]:
    """Give a page of what stands of one facility (ix_origin_registration_standing)."""
    rows = await raw.fetch(
        f"select {_COLUMNS} from origin_registration where organization_id = $1 and retracted_at is null and ($2::uuid is null or id > $2) "
        "order by id limit $3",
        organization_id,
        after,
        limit,
    )
    return [_registration(row) for row in rows]


async def add(raw: Raw, new: Registration) -> None:
    """Register a place."""
    altered(Kind.REGISTRATION, new.id)
    await raw.execute(
        f"insert into origin_registration ({_COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        new.id,
        new.organization_id,
        new.place.value,
        new.code,
        new.effective_from,
        new.effective_to,
        new.part2_status.value if new.part2_status else None,
        new.mental_health_licensed,
        new.facility_type.value if new.facility_type else None,
        new.privacy_pack,
        new.asserted_at,
    )


async def retract(raw: Raw, organization_id: UUID, registration_id: UUID, now: datetime) -> bool:
    """Say that it is not so; False where nothing such stands."""
    altered(Kind.REGISTRATION, registration_id)
    done = await raw.fetchval(
        "update origin_registration set retracted_at = $3 where organization_id = $1 and id = $2 and retracted_at is null returning true",
        organization_id,
        registration_id,
        now,
    )
    return bool(done)


async def units_seen(raw: Raw, organization_id: UUID, *, most: int) -> list[tuple[str, int]]:
    """Give the units that a facility's latest stays were in, each with how many, for the onboarding checklist (ix_encounter_facility)."""
    rows = await raw.fetch(
        "select upper(btrim(s.value ->> 'unit')) as unit, count(*) as stays from (select state from encounter where facility_id = $1 "
        "order by id desc limit 2000) e cross join lateral json_each(e.state -> 'said') s "
        "where s.value ->> 'unit' is not null group by 1 order by 2 desc, 1 limit $2",
        organization_id,
        most,
    )
    return [(row["unit"], row["stays"]) for row in rows]

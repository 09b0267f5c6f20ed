"""The units of a facility that are reached another way than the house. No patient data: a read narrows to what the viewer manages."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from app.domain.organization import CallBack
from app.store.connection import Connection
from app.store.tables.organizations import facility_unit

_CALL_BACK = (facility_unit.c.call_back_number, facility_unit.c.direct_address, facility_unit.c.records_contact)


async def list_units(connection: Connection, organization_id: UUID, *, after: str | None, limit: int) -> list[tuple[str, CallBack]]:
    """Give a page of units in their own order (pk_facility_unit)."""
    query = select(facility_unit.c.unit, *_CALL_BACK).where(facility_unit.c.organization_id == organization_id)
    if after is not None:
        query = query.where(facility_unit.c.unit > after)
    rows = await connection.execute(query.order_by(facility_unit.c.unit).limit(limit))
    return [(row.unit, CallBack(row.call_back_number, row.direct_address, row.records_contact)) for row in rows]


async def put_unit(connection: Connection, organization_id: UUID, unit: str, call_back: CallBack, now: datetime) -> None:
    """Say how a unit is reached, in place of what was said before."""
    said = {
        "call_back_number": call_back.call_back_number,
        "direct_address": call_back.direct_address,
        "records_contact": call_back.records_contact,
        "changed_at": now,
    }
    statement = upsert(facility_unit).values(organization_id=organization_id, unit=unit, **said)
    await connection.execute(statement.on_conflict_do_update(index_elements=["organization_id", "unit"], set_=said))


async def remove_unit(connection: Connection, organization_id: UUID, unit: str) -> bool:
    """Let the house answer for a unit again; False when it was not set apart."""
    removed = await connection.execute(
        delete(facility_unit).where(facility_unit.c.organization_id == organization_id, facility_unit.c.unit == unit)
    )
    return removed.rowcount > 0

"""Whom a home names for its escalations. Its own people, no patient data: a read narrows to what the viewer manages."""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from app.store.connection import Connection
from app.store.tables.organizations import escalation_contact


@dataclass(frozen=True, slots=True)
class NamedPerson:
    """Who plays a part, and the organization that is told too."""

    part: str
    name: str
    phone: str | None
    recipient_id: UUID | None


async def list_named(connection: Connection, organization_id: UUID) -> list[NamedPerson]:
    """Give whom a home names (pk_escalation_contact)."""
    columns = (escalation_contact.c.part, escalation_contact.c.name, escalation_contact.c.phone, escalation_contact.c.recipient_id)
    rows = await connection.execute(
        select(*columns).where(escalation_contact.c.organization_id == organization_id).order_by(escalation_contact.c.part)
    )
    return [NamedPerson(*row) for row in rows]


async def put_named(connection: Connection, organization_id: UUID, named: NamedPerson, now: datetime) -> None:
    """Name somebody for a part, in place of who was named before."""
    said = {**asdict(named), "changed_at": now}
    statement = upsert(escalation_contact).values(organization_id=organization_id, **said)
    await connection.execute(statement.on_conflict_do_update(index_elements=["organization_id", "part"], set_=said))


async def remove_named(connection: Connection, organization_id: UUID, part: str) -> bool:
    """Leave a part to nobody; False when it was nobody's."""
    removed = await connection.execute(
        delete(escalation_contact).where(escalation_contact.c.organization_id == organization_id, escalation_contact.c.part == part)
    )
    return removed.rowcount > 0

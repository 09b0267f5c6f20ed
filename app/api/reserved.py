"""What follows for an organization's grants when its own status is protected: only who administers it sees its rows.

Not here: whose status is (domain/origin_registry), or who may know of one of its patients (domain/own_status).
"""

from uuid import UUID

from app.store import directory, organizations
from app.store.connection import Connection
from app.store.engine import raw_connection


async def is_reserved(connection: Connection, organization_id: UUID) -> bool:
    """Tell whether it is, by what this transaction has written too: so the registry is read anew, as often as somebody asks this."""
    read = await directory.read(await raw_connection(connection))
    return organization_id in read.reserved


async def end_grants_if_reserved(connection: Connection, organization_id: UUID) -> None:
    """End what it had granted before its status was known."""
    if await is_reserved(connection, organization_id):
        await organizations.end_grants_of(connection, organization_id)

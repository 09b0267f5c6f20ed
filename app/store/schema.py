"""Which revision of the schema this release needs, and which one the database has: `/readyz` and `doctor` compare them.

Not here: migrating. The app's processes know the number and nothing else of the migrations; a test keeps it equal to the newest one.
"""

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.store.unit_of_work import unit_of_work

SCHEMA_REVISION = "0001"
_UNDEFINED_TABLE = "42P01"


async def schema_revision(engine: AsyncEngine) -> str | None:
    """Give the revision of the engine's network, or None when it was never migrated."""
    try:
        async with unit_of_work(engine, None) as connection:
            found: str | None = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _UNDEFINED_TABLE:
            return None
        raise
    return found


async def is_current(engine: AsyncEngine) -> bool:
    """Tell whether the database is at the revision that this release was written for."""
    return await schema_revision(engine) == SCHEMA_REVISION

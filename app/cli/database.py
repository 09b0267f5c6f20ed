"""The database of a command: the one that is configured, or the embedded one, adopted while it lives and else started for the time.

The last one out stops the embedded server, so a command leaves nothing running that it did not find. Not here: migrations up
(migrate.py) beyond bringing the embedded database to this release, which nobody else looks after.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches

from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgresql.embedded import EmbeddedPostgres
from app import wiring
from app.cli.exits import refused
from app.cli.new_database import say_if_new
from app.cli.noted import is_json_command, note_command
from app.cli.output import Output
from app.domain.viewer import OPERATOR
from app.settings import Settings
from app.store.connection import Connection, OpenUnitOfWork
from app.store.engine import raw_connection
from app.store.raw import Raw
from app.store.roles import Network, Role
from app.store.schema import SCHEMA_REVISION
from migrations.run import alembic_config, current_revision, migrate_up, networks


@dataclass(frozen=True, slots=True)
class Database:
    """Where a command finds its rows."""

    url: str
    network: Network
    is_embedded: bool
    """Ours alone, and nobody else looks after its schema."""


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Use the configured database, or adopt or start the embedded one for the length of the block."""
    network = Network(settings.network)
    if settings.database_url is not None:
        yield Database(settings.database_url.get_secret_value(), network, is_embedded=False)
        return
    with EmbeddedPostgres(settings.data_dir) as server:
        yield Database(server.url, network, is_embedded=True)


async def ensure_schema(database: Database) -> str | None:
    """See that the schema is this release's; give the revision that the embedded database was brought to, None when it was there.

    A database of somebody else is never migrated unasked: several releases may run on it, and a migration is the operator's step. A
    second network is made unasked nowhere: a misspelt HANDOFF_NETWORK would be an exchange without a feed, a member or a key.
    """
    found = await current_revision(database.url, database.network)
    if found == SCHEMA_REVISION:
        return None
    if found is not None and found not in known_revisions():
        raise refused(
            f"The network {database.network.name} is at revision {found}, which this release does not know.",
            "A newer release made it: run that one, or restore a backup of before.",
        )
    others = await networks(database.url) if found is None else []
    if database.is_embedded and not others:
        return await migrate_up(database.url, database.network)
    said = f"The network {database.network.name} is at revision {found or 'none'}; this release needs {SCHEMA_REVISION}."
    if others:
        nearest = get_close_matches(database.network.name, others, n=1, cutoff=0.0)[0]
        raise refused(
            f"{said} This database has: {', '.join(others)}.",
            f"Set HANDOFF_NETWORK to {nearest}, if that is meant; a new network beside it is made by `handoff migrate up`.",
        )
    raise refused(said, "Run `handoff migrate up` (see what it would do with `handoff migrate plan`), then try again.")


def known_revisions() -> frozenset[str]:
    """Give every revision that this release has."""
    return frozenset(script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions())


@dataclass(frozen=True, slots=True)
class Office:
    """What a command works with: the operator's view of one network."""

    settings: Settings
    database: Database
    app: AsyncEngine
    work: AsyncEngine
    keys: wiring.Keys
    clock: wiring.SystemClock
    ids: wiring.SystemIds

    @property
    def unit_of_work(self) -> OpenUnitOfWork:
        """Open a transaction as a viewer; commands are the operator's."""
        return wiring.open_unit_of_work(self.app)

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[Connection]:
        """Open a transaction as the operator."""
        async with self.unit_of_work(OPERATOR) as connection:
            yield connection

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[Raw]:
        """Open a transaction as the operator for the hot statements."""
        async with self.unit_of_work(OPERATOR) as connection:
            yield await raw_connection(connection)


@asynccontextmanager
async def open_office(settings: Settings) -> AsyncIterator[Office]:
    """Open the database, see to its schema, and give what a command works with."""
    # Every command is the operator's doing: whom it shows and what it changes is noted with what it reads and writes.
    note_command()
    say_if_new(settings, Output(as_json=is_json_command()))
    stack = open_database(settings)
    database = await asyncio.to_thread(stack.__enter__)
    try:
        await ensure_schema(database)
        app = wiring.engine_of(settings, database.url, Role.APP, name="handoff command")
        work = wiring.engine_of(settings, database.url, Role.WORK, name="handoff command")
        try:
            yield Office(settings, database, app, work, wiring.keys_of(settings), wiring.SystemClock(), wiring.SystemIds())
        finally:
            await app.dispose()
            await work.dispose()
    finally:
        await asyncio.to_thread(stack.__exit__, None, None, None)

"""Alembic's environment: one network, its owner role, time limits, one migrator at a time. Not here: the commands (run.py).

Alembic executes this file; what it needs comes in `config.attributes` from run.py, which is also what `alembic` on the command
line goes through (rebase.py sets the same attributes).
"""

from alembic import context
from sqlalchemy import Connection

import migrations.security
from app.store.tables import metadata


def _include(_entity: object, name: str | None, kind: str, _reflected: bool, _compared: object) -> bool:  # noqa: FBT001 - alembic's signature
    return not (kind == "table" and name == migrations.security.VERSION_TABLE)


def _run() -> None:
    attributes = context.config.attributes
    connection: Connection | None = attributes.get("connection")
    options = {
        "target_metadata": metadata,
        "network": attributes["network"],
        "version_table": migrations.security.VERSION_TABLE,
        # Each revision commits by itself, so a long series holds no lock longer than its longest step.
        "transaction_per_migration": True,
        "compare_server_default": True,
        "include_object": _include,
    }
    if connection is None:
        context.configure(dialect_name="postgresql", as_sql=True, literal_binds=True, **options)
    else:
        context.configure(connection=connection, **options)
    with context.begin_transaction():
        context.run_migrations()


_run()

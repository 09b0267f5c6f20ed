"""Row-level security and grants as a migration operation: declared beside the tables, found by autogenerate, checked for drift.

`op.secure_table("notification", visible="recipient_id = …")` is what a revision says; this module turns it into SQL for the
network at hand, so a revision holds the predicate as it was on its day and no name of a network. Its meaning is part of every
released revision: it may grow, it may not change.

Not here: which rows a viewer sees (app/store/tables/policies.py) and how the roles come to be (app/store/roles.py).
"""

from typing import Any, Self

from alembic.autogenerate import comparators, renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import UpgradeOps
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import text

from app.store.roles import ALL_PRIVILEGES, Network, Role, policy_comment, table_security_statements
from app.store.tables.policies import VISIBILITY, privileges_on

VERSION_TABLE = "alembic_version"


@Operations.register_operation("secure_table")
class SecureTable(MigrateOperation):
    """Grant a table to work and app, and put it under row-level security where `visible` says what app may see."""

    def __init__(self, table: str, visible: str | None, privileges: str, before: tuple[str | None, str] = (None, "")) -> None:
        """Keep what is to be, and what was before, for the way back."""
        self.table = table
        self.visible = visible
        self.privileges = privileges
        self.before = before

    @classmethod
    def secure_table(cls, operations: Operations, table: str, *, visible: str | None = None, privileges: str = ALL_PRIVILEGES) -> Any:  # noqa: ANN401 - alembic's type
        """Say it in a revision: `op.secure_table(...)`."""
        return operations.invoke(cls(table, visible, privileges))

    def reverse(self) -> Self:
        """Give the operation that restores what was."""
        visible, privileges = self.before
        return type(self)(self.table, visible, privileges, (self.visible, self.privileges))

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Name the difference, for `migrate verify`."""
        return ("secure_table", self.table, self.visible, self.privileges)


@Operations.implementation_for(SecureTable)
def _secure_table(operations: Operations, operation: SecureTable) -> None:
    network = operations.migration_context.opts["network"]
    for statement in table_security_statements(network, operation.table, operation.visible, operation.privileges):
        operations.execute(text(statement.replace(":", r"\:")))


@renderers.dispatch_for(SecureTable)
def _render(_context: AutogenContext, operation: SecureTable) -> str:
    said = [repr(operation.table)]
    if operation.visible is not None:
        said.append(f"visible={operation.visible!r}")
    if operation.privileges != ALL_PRIVILEGES:
        said.append(f"privileges={operation.privileges!r}")
    return f"op.secure_table({', '.join(said)})"


_FOUND = """
SELECT c.relname AS table,
       c.relrowsecurity AND c.relforcerowsecurity AS forced,
       (SELECT obj_description(p.oid, 'pg_policy') FROM pg_policy p
         WHERE p.polrelid = c.oid AND p.polname = c.relname || '_app') AS visible,
       (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) AS policies,
       (SELECT coalesce(string_agg(DISTINCT a.privilege_type, ', '), '') FROM aclexplode(c.relacl) a
         WHERE a.grantee = to_regrole(:app)) AS app_privileges,
       (SELECT coalesce(string_agg(DISTINCT a.privilege_type, ', '), '') FROM aclexplode(c.relacl) a
         WHERE a.grantee = to_regrole(:work)) AS work_privileges
  FROM pg_class c
 WHERE c.relnamespace = to_regnamespace(:schema) AND c.relkind IN ('r', 'p')
"""


@comparators.dispatch_for("schema", priority=DispatchPriority.LAST)
def _compare(context: AutogenContext, upgrade: UpgradeOps, _schemas: set[str | None]) -> PriorityDispatchResult:
    """Find the tables whose security is not what is declared; a table that is being made in the same run is one of them."""
    if context.connection is None or context.metadata is None:
        return PriorityDispatchResult.CONTINUE
    network: Network = context.opts["network"]
    names = {"schema": network.name, "app": network.role(Role.APP), "work": network.role(Role.WORK)}
    found = {row.table: row for row in context.connection.execute(text(_FOUND), names)}
    metadata = context.sorted_tables
    for table in metadata:
        visible, row = VISIBILITY.get(table.name), found.get(table.name)
        privileges = privileges_on(table.name)
        wanted = (policy_comment(visible), visible is not None, 2 if visible is not None else 0, _set(privileges), _set(privileges))
        is_so = row and (row.visible, row.forced, row.policies, _set(row.app_privileges), _set(row.work_privileges))
        if is_so != wanted:
            before = (row.visible, row.app_privileges) if row else (None, "")
            upgrade.ops.append(SecureTable(table.name, visible, privileges, before))
    return PriorityDispatchResult.CONTINUE


def _set(privileges: str) -> frozenset[str]:
    return frozenset(part.strip() for part in privileges.split(",") if part.strip())

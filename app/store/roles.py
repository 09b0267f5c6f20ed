"""The network's three database roles and what each may see (DESIGN 2.10). Not here: which rows a viewer sees (tables/policies.py).

- owner: owns the schema and changes it; migrations only.
- work: the pipeline, delivery and timers; sees every row, by policy.
- app: HTTP and CLI; sees the rows of its viewer, by policy.

All three are NOLOGIN and granted to whoever logs in, so one URL serves all and a new login needs nothing but the grants.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

import asyncpg

_NETWORK_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,40}")
_RESERVED = frozenset({"public", "information_schema"})
_TRIES_MAX = 5

VIEWER_SETTING = "handoff.viewer"
OPERATOR_SETTING = "handoff.operator"

# As sub-selects they are evaluated once a statement, not once a row, and an index can be searched with their result.
VIEWER_ORGANIZATION = f"(SELECT nullif(current_setting('{VIEWER_SETTING}', true), '')::uuid)"
"""SQL: the organization that asks; NULL when nobody was set, and then no row is equal to it."""
VIEWER_IS_OPERATOR = f"(SELECT coalesce(current_setting('{OPERATOR_SETTING}', true), '') = 'on')"
"""SQL: whether the operator of the exchange asks."""

ALL_PRIVILEGES = "SELECT, INSERT, UPDATE, DELETE"
READ_AND_ADD = "SELECT, INSERT"
"""Of a table whose rows nobody may change or take away, the owner neither: it would have to give itself the right again, visibly."""


class Role(StrEnum):
    """Which of the network's roles a connection takes."""

    OWNER = "owner"
    WORK = "work"
    APP = "app"


@dataclass(frozen=True, slots=True)
class Network:
    """The name of an exchange, which is its schema and the prefix of its roles. Checked here, so it can stand in SQL as it is."""

    name: str

    def __post_init__(self) -> None:
        """Refuse a name that could be read as anything but a plain schema name."""
        if not _NETWORK_PATTERN.fullmatch(self.name) or self.name in _RESERVED or self.name.startswith("pg_"):
            msg = (
                f"HANDOFF_NETWORK is {self.name!r}; it must be 1 to 41 of a-z, 0-9 and _, begin with a letter, and be neither public "
                "nor a name of PostgreSQL's own."
            )
            raise ValueError(msg)

    def role(self, role: Role) -> str:
        """Give the role's name in the database."""
        return f"{self.name}_{role.value}"

    def lock_name(self, purpose: str) -> str:
        """Give the text whose hash is an advisory lock of this network and no other."""
        return f"handoff/{self.name}/{purpose}"


def policy_comment(visible: str | None) -> str | None:
    """Give what is kept as the policy's comment: the predicate as declared, because the server only gives back its own spelling."""
    return " ".join(visible.split()) if visible is not None else None


def table_security_statements(network: Network, table: str, visible: str | None, privileges: str = ALL_PRIVILEGES) -> list[str]:
    """Give the SQL that makes one table's grants and policies what is said, whatever they were.

    `visible` is the predicate of the app role, without the operator, who sees every row; None means that the table holds nothing
    of patients and needs no policy. `{table}` in it stands for the table: inside a sub-select a bare column may be another
    table's of the same name, and the predicate would be true for everybody.
    Even the owner is under the policies (FORCE), so a migration sees what it says it sees.
    """
    owner, work, app = (network.role(role) for role in (Role.OWNER, Role.WORK, Role.APP))
    statements = [f"REVOKE ALL ON {table} FROM {work}, {app}"]
    if privileges:
        statements.append(f"GRANT {privileges} ON {table} TO {work}, {app}")
    if privileges == READ_AND_ADD:
        statements.append(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {owner}")
    statements += [f"DROP POLICY IF EXISTS {table}_work ON {table}", f"DROP POLICY IF EXISTS {table}_app ON {table}"]
    if visible is None:
        return [*statements, f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY", f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"]
    rule = f"{VIEWER_IS_OPERATOR} OR ({visible.replace('{table}', table)})"
    comment = (policy_comment(visible) or "").replace("'", "''")
    return [
        *statements,
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {table}_work ON {table} TO {owner}, {work} USING (true) WITH CHECK (true)",
        f"CREATE POLICY {table}_app ON {table} TO {app} USING ({rule}) WITH CHECK ({rule})",
        f"COMMENT ON POLICY {table}_app ON {table} IS '{comment}'",
    ]


async def ensure_roles(connection: asyncpg.Connection, network: Network) -> None:
    """Make the three roles, their grants to whoever is logged in, and the schema. Safe to repeat, and to run twice at once.

    Roles belong to the whole server but advisory locks to one database, so the lock keeps most starters apart and the rest,
    in other databases, are told apart by their errors: what another made meanwhile is found at the next try.
    """
    await connection.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", network.lock_name("roles"))
    try:
        for attempt in range(1, _TRIES_MAX + 1):
            try:
                async with connection.transaction():
                    await _make(connection, network)
            except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError, asyncpg.InternalServerError):
                # InternalServerError: "tuple concurrently updated", two grants of one role at the same instant.
                if attempt == _TRIES_MAX:
                    raise
            else:
                return
    finally:
        await connection.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", network.lock_name("roles"))


async def _make(connection: asyncpg.Connection, network: Network) -> None:
    for role in Role:
        name = network.role(role)
        if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name):
            await connection.execute(f"CREATE ROLE {name} NOLOGIN")
        # A superuser may take any role; everybody else must be a member who may SET it (PostgreSQL 16: apart from inheriting it).
        if not await connection.fetchval("SELECT pg_has_role(session_user, $1::name, 'SET')", name):
            await connection.execute(f"GRANT {name} TO SESSION_USER WITH INHERIT FALSE, SET TRUE")
    owner = network.role(Role.OWNER)
    if not await connection.fetchval("SELECT true FROM pg_namespace WHERE nspname = $1", network.name):
        await connection.execute(f"CREATE SCHEMA {network.name} AUTHORIZATION {owner}")
    database = await connection.fetchval("SELECT quote_ident(current_database())")
    for role in (Role.WORK, Role.APP):
        name = network.role(role)
        await connection.execute(f"SET LOCAL ROLE {owner}")
        if not await connection.fetchval("SELECT has_schema_privilege($1::name, $2, 'USAGE')", name, network.name):
            await connection.execute(f"GRANT USAGE ON SCHEMA {network.name} TO {name}")
        await connection.execute("RESET ROLE")
        # Rosters are staged in temporary tables; most servers allow them to everybody.
        if not await connection.fetchval("SELECT has_database_privilege($1::name, current_database(), 'TEMPORARY')", name):
            await connection.execute(f"GRANT TEMPORARY ON DATABASE {database} TO {name}")

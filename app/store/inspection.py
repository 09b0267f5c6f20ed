"""What an operator's check asks of the database itself: version, clock, rights, and how fast it writes to its disk.

Plain connections as the login, before anything is known to be right. Not here: the comparison with the tables (migrations).
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from app.store.engine import plain_url
from app.store.roles import Network, Role

_CONNECT_TIMEOUT_S: Final = 10.0
_FLUSHES: Final = 100
_FLUSH_TIME_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found."""

    version: int
    """`server_version_num`: 160004 is 16.4."""
    now: datetime
    asked_at_s: float
    """On our monotonic clock, in the middle of the question."""
    roles_missing: tuple[str, ...]
    """Roles of the network that are not there, or that this login may not take."""
    is_superuser: bool
    durable: bool
    """`fsync` and `synchronous_commit` are on."""
    connections: int
    connections_max: int
    flushes_per_s: float


async def inspect(url: str, network: Network) -> Inspection:
    """Look at the server behind the address. Raises what asyncpg raises when it cannot be reached."""
    connection: asyncpg.Connection = await asyncpg.connect(plain_url(url), timeout=_CONNECT_TIMEOUT_S)
    try:
        began_s = time.monotonic()
        now = await connection.fetchval("select clock_timestamp()")
        asked_at_s = (began_s + time.monotonic()) / 2
        names = [network.role(role) for role in Role]
        takeable = {
            row["rolname"]
            for row in await connection.fetch(
                "select rolname from pg_roles where rolname = any($1::name[]) and pg_has_role(session_user, rolname, 'SET')", names
            )
        }
        settings = dict(
            await connection.fetch(
                "select name, setting from pg_settings "
                "where name in ('server_version_num', 'fsync', 'synchronous_commit', 'max_connections')"
            )
        )
        return Inspection(
            version=int(settings["server_version_num"]),
            now=now,
            asked_at_s=asked_at_s,
            roles_missing=tuple(name for name in names if name not in takeable),
            is_superuser=await connection.fetchval("select current_setting('is_superuser')") == "on",
            durable=settings["fsync"] == "on" and settings["synchronous_commit"] != "off",
            connections=await connection.fetchval("select count(*) from pg_stat_activity where datname = current_database()"),
            connections_max=int(settings["max_connections"]),
            flushes_per_s=await _flush_rate(connection),
        )
    finally:
        await connection.close(timeout=_CONNECT_TIMEOUT_S)


async def _flush_rate(connection: asyncpg.Connection) -> float:
    """Commit tiny records of the log one after the other; each waits for the disk. They touch no table and mean nothing to anybody."""
    began_s = time.perf_counter()
    done = 0
    while done < _FLUSHES and time.perf_counter() - began_s < _FLUSH_TIME_S:
        await connection.execute("select pg_logical_emit_message(true, 'handoff doctor', 'flush')")
        done += 1
    return done / (time.perf_counter() - began_s)

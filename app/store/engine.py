"""The engine: connections to PostgreSQL, each fixed to one role and one network from its first byte. Not here: transactions.

One network is one schema. The role and the `search_path` are start-up parameters of the connection, so they cost no round trip,
`RESET` returns to them, and no statement has to name the schema (SQLAlchemy's schema_translate_map would rewrite every statement
as text, and COPY and triggers would not profit from it). `public` is not on the path.

The engine is in AUTOCOMMIT on purpose: `unit_of_work` opens the transaction itself, together with the viewer, in one round trip.
SQLAlchemy's own BEGIN is lazy, so the raw connection of a "begun" transaction would silently be outside it (libraries.md).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.store.roles import Network, Role


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many connections one engine may open, and how long the server lets them idle or work. Zero time means no limit."""

    connections_max: int = 10
    acquire_timeout_s: float = 10.0
    connect_timeout_s: float = 10.0
    answer_timeout_s: float = 0.0
    """How long we wait for one statement's answer. The server's own limits below are no help when it is frozen or cut off."""
    statement_timeout_ms: int = 0
    lock_timeout_ms: int = 0
    idle_in_transaction_timeout_ms: int = 0


class ServerSetting(StrEnum):
    """The start-up parameters that every connection carries."""

    ROLE = "role"
    SEARCH_PATH = "search_path"
    APPLICATION_NAME = "application_name"
    TIME_ZONE = "timezone"
    JIT = "jit"
    STATEMENT_TIMEOUT = "statement_timeout"
    LOCK_TIMEOUT = "lock_timeout"
    IDLE_IN_TRANSACTION = "idle_in_transaction_session_timeout"


def make_engine(url: str, network: Network, role: Role, *, limits: PoolLimits | None = None, name: str = "handoff") -> AsyncEngine:
    """Build the engine of one process role. Connects to nothing yet.

    `url` is any `postgresql://` address that libpq's syntax allows: socket folders, several hosts, target_session_attrs.
    """
    limits = limits or PoolLimits()
    settings = connection_settings(network, role, limits, name=name)

    async def connect(*_positional: object, **_named: object) -> asyncpg.Connection:
        # asyncpg reads the address itself; SQLAlchemy's own URL knows fewer forms.
        return await asyncpg.connect(
            plain_url(url), timeout=limits.connect_timeout_s, command_timeout=limits.answer_timeout_s or None, server_settings=settings
        )

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        isolation_level="AUTOCOMMIT",
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
        # Opened when needed and then kept: an overflow would be closed after each use and opened again under load.
        pool_size=limits.connections_max,
        max_overflow=0,
        pool_timeout=limits.acquire_timeout_s,
        pool_use_lifo=True,
        pool_reset_on_return=None,
        hide_parameters=True,
    )


def connection_settings(network: Network, role: Role, limits: PoolLimits, *, name: str) -> dict[str, str]:
    """Give the start-up parameters of a connection: who it is, which schema it sees, and what it may hold up."""
    settings = {
        ServerSetting.ROLE: network.role(role),
        ServerSetting.SEARCH_PATH: network.name,
        ServerSetting.APPLICATION_NAME: f"{name} {role.value}"[:63],
        ServerSetting.TIME_ZONE: "UTC",
        ServerSetting.JIT: "off",
    }
    times = {
        ServerSetting.STATEMENT_TIMEOUT: limits.statement_timeout_ms,
        ServerSetting.LOCK_TIMEOUT: limits.lock_timeout_ms,
        ServerSetting.IDLE_IN_TRANSACTION: limits.idle_in_transaction_timeout_ms,
    }
    settings.update({key: str(value) for key, value in times.items() if value})
    return {key.value: value for key, value in settings.items()}


async def raw_connection(connection: AsyncConnection) -> asyncpg.Connection:
    """Give asyncpg's own connection for COPY and executemany. Inside `unit_of_work` it is inside the transaction.

    jsonb values are passed to it as `str`, and come back decoded. Never keep it beyond the unit of work.
    """
    raw = (await connection.get_raw_connection()).driver_connection
    # asyncpg's classes are untyped to SQLAlchemy.
    return cast("asyncpg.Connection", raw)


def _to_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return orjson.dumps(value).decode()


def plain_url(url: str) -> str:
    """Give the address without a driver in its scheme (`postgresql+asyncpg://`), as libpq and asyncpg read it."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}{separator}{rest}"

"""Which errors of the database mean "not now" instead of "a defect here". Not here: what the caller answers.

The four kinds of failure are refused, unavailable, unknown and defect (DESIGN section 4). A database that is down, full,
failing over or too busy is *unavailable*: the same request can succeed later, and nothing was done.
"""

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

_UNAVAILABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InterfaceError,
    # How asyncpg calls a server that vanished in the middle of an answer.
    asyncpg.InternalClientError,
    asyncpg.InvalidCatalogNameError,
    # A wrong user or password, also while it is being changed: the settings are to be put right, not this program.
    asyncpg.InvalidAuthorizationSpecificationError,
    OSError,
    PoolTimeoutError,
    TimeoutError,
)


def is_unavailable(error: BaseException) -> bool:
    """Tell whether the database, not the request or our code, is the reason. Looks through SQLAlchemy's wrapping."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, _UNAVAILABLE):
            return True
        if isinstance(current, DBAPIError):
            if current.connection_invalidated:
                return True
            current = current.__cause__ or (current.orig if isinstance(current.orig, BaseException) else None)
        else:
            current = current.__cause__
    return False


def is_race(error: BaseException) -> bool:
    """Tell whether another transaction wrote the same key first. It has committed by now, so the same work done again finds it."""
    return isinstance(error, asyncpg.UniqueViolationError)

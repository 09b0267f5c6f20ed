"""One transaction, done again where another one was in its way. For loaders that hold a connection of their own."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from app.store.failures import is_unavailable
from app.store.raw import Raw

T = TypeVar("T")
TRIES_MAX: Final = 5
NOT_LASTING: Final = "set local synchronous_commit = off"
"""The commit does not wait for the disk: it lasts as soon as any later commit does, and may be lost before."""


async def retried(
    raw: Raw, work: Callable[[Raw], Awaitable[T]], *, redo_on: tuple[type[Exception], ...], begins: str = "begin", ends: str = "commit"
) -> T:
    """Do the work in one transaction; again where it met another one (a deadlock, a moved identity), a few times."""
    for attempt in range(1, TRIES_MAX + 1):
        # Not asyncpg's own transaction block: on a connection that died it raises in the place of the error, even of a cancellation.
        await raw.execute(begins)
        try:
            result = await work(raw)
            await raw.execute(ends)
        except Exception as error:
            can_be_redone = isinstance(error, redo_on) or is_unavailable(error)
            if attempt == TRIES_MAX or not can_be_redone or raw.is_closed():
                raise
            await raw.execute("rollback")
        else:
            return result
    raise AssertionError  # pragma: no cover - the loop returns or raises

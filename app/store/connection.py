"""The type of an open transaction, for floors above the store: they pass it on and never look inside."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.viewer import Viewer

Connection: TypeAlias = AsyncConnection

OpenUnitOfWork: TypeAlias = Callable[[Viewer | None], AbstractAsyncContextManager[Connection]]
"""Opens one transaction as the viewer: commits when the block ends, rolls back when it raises."""

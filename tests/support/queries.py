"""Counts the statements that go to the database, so that a test can say how many a batch or a request may cost."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

_ENVELOPE = ("BEGIN", "COMMIT", "ROLLBACK")


class QueryRecorder:
    """Every statement of the engines it watches, SQLAlchemy's and asyncpg's own alike (COPY alone is not seen).

    `async`-safe as far as a test is: it counts all connections of a watched engine together.
    """

    def __init__(self) -> None:
        """Start with nothing recorded."""
        self.statements: list[str] = []
        self._recording = False

    def watch(self, engine: AsyncEngine) -> None:
        """Watch an engine from its first connection on; the fixtures do it for theirs."""
        event.listen(engine.sync_engine, "connect", self._connected)
        event.listen(engine.sync_engine, "before_cursor_execute", self._executed)

    @contextmanager
    def recording(self) -> Iterator[list[str]]:
        """Record inside the block, anew; give the list that fills. BEGIN and COMMIT are not counted."""
        self.statements = []
        self._recording = True
        try:
            yield self.statements
        finally:
            self._recording = False

    def _connected(self, connection: Any, _record: object) -> None:
        connection.driver_connection.add_query_logger(self._logged)

    def _executed(self, _c: object, _cursor: object, statement: str, _p: object, _context: object, executemany: bool) -> None:
        # asyncpg tells its logger of executemany and of its own calls, but not of the prepared statements that SQLAlchemy runs.
        if self._recording and not executemany:
            self.statements.append(statement)

    def _logged(self, record: Any) -> None:
        if self._recording and not record.query.startswith(_ENVELOPE):
            self.statements.append(record.query)

"""The order of commits, for lists of what changed: where it is now, and which rows were committed between two places of it.

Tables that are asked so carry the number of the transaction that wrote a row last (tables/base.written_by), as the audit's do, and every
statement that changes what is shown of a row writes it (a test reads them). Numbers alone order transactions by when they began; with those
that were still running, they order them by when they were over.
"""

from typing import Any

from app.domain.commit_order import Between, Position
from app.store.raw import Raw


async def position(raw: Raw) -> Position:
    """Give the place where the order of commits is now. Asked before what it is the place of is read: later rows are not in it."""
    return Position.of_snapshot(await raw.fetchval("select pg_current_snapshot()::text"))


def between(column: str, span: Between, values: list[Any]) -> str:
    """Give the condition on the number of a row's last transaction, and add its values. Leakproof operators only, so an index serves."""
    after, until = span.after, span.until
    values += [after.lowest, after.next, list(after.running), until.next, list(until.running)]
    first = len(values) - 4
    return (
        f"({column} >= ${first}::bigint and ({column} >= ${first + 1}::bigint or {column} = any(${first + 2}::bigint[])) "
        f"and {column} < ${first + 3}::bigint and {column} <> all(${first + 4}::bigint[]))"
    )

"""How PostgreSQL would run a statement, for tests that hold a hot query to its index. Asked as the role, with the policy on.

Sequential scans are priced out of the question, and so is the join that reads both sides in order, so a small table says the same as a big
one, analysed or not: what still scans a whole table has no index that it may use (an operator that is not leakproof loses its index under
a policy, for example).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.engine import raw_connection

_PRICED_OUT = "set local enable_seqscan = off; set local enable_mergejoin = off"


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan: what it scans whole, and which indexes it searches."""

    tree: dict[str, Any]

    @property
    def scanned_tables(self) -> frozenset[str]:
        """Tables that are read from end to end, also by way of an index that no condition narrows."""
        return frozenset(
            node["Relation Name"]
            for node in self._nodes()
            if node["Node Type"] == "Seq Scan"
            or (node["Node Type"].startswith("Index") and "Relation Name" in node and "Index Cond" not in node)
        )

    @property
    def searched_indexes(self) -> frozenset[str]:
        """Indexes that are searched with a condition."""
        return frozenset(node["Index Name"] for node in self._nodes() if "Index Cond" in node)

    def read_of(self, table: str) -> list[tuple[str, str]]:
        """Give how a table is read, and by which index, each time it is."""
        return [(node["Node Type"], node.get("Index Name", "")) for node in self._nodes() if node.get("Relation Name") == table]

    @property
    def sorts(self) -> bool:
        """Whether rows are sorted instead of being read in order."""
        return any(node["Node Type"] in {"Sort", "Incremental Sort"} for node in self._nodes())

    def _nodes(self) -> Iterator[dict[str, Any]]:
        stack = [self.tree]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(node.get("Plans", ()))


async def plan_of(connection: AsyncConnection, statement: Executable) -> Plan:
    """Give the plan of an SQLAlchemy statement; it is not run."""
    compiled = statement.compile(dialect=dialect())  # type: ignore[attr-defined]  # every statement has it
    values = [compiled.params[name] for name in compiled.positiontup or ()]
    await (await raw_connection(connection)).execute(_PRICED_OUT)
    found = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON, VERBOSE off, COSTS off) {compiled}", tuple(values))
    return _plan(found.scalar_one())


async def plan_of_sql(connection: AsyncConnection, query: str, *values: object) -> Plan:
    """Give the plan of a statement that goes through asyncpg's own connection (`$1`); it is not run."""
    raw = await raw_connection(connection)
    await raw.execute(_PRICED_OUT)
    return _plan(await raw.fetchval(f"EXPLAIN (FORMAT JSON, COSTS off) {query}", *values))


def _plan(answer: str | Sequence[dict[str, Any]]) -> Plan:
    parsed = json.loads(answer) if isinstance(answer, str) else answer
    return Plan(parsed[0]["Plan"])

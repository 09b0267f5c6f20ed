"""What `/readyz` says of a process tree: the schema, and by the board of signs of life whether every process serves and gets on.

Asking costs no statement but one a second for the schema. Not here: who replaces a process (app/cli/tree.py).
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.process.board import Board, Row, RowState
from app.api.services import Readiness
from app.store.schema import SCHEMA_REVISION, schema_revision

SILENT_S_MAX: Final = 3.0
"""A process that gave no sign of life for longer does not serve, unless its supervisor sees that it is busy."""
STEP_S_MAX: Final = 30.0
"""A batch takes less than a second, on a full machine ten. One that takes longer than this waits for something: a database that went
mute is given up by the worker only when an answer is out of the question."""
SCHEMA_ASKED_EVERY_S: Final = 1.0


class Readyz:
    """Answers whether the whole tree serves."""

    def __init__(self, board: Board, rows: Mapping[str, Sequence[int]], schema: "SchemaCheck") -> None:
        """Take the board and whose rows are where."""
        self._board, self._all_rows, self._schema = board, rows, schema

    async def __call__(self) -> Readiness:
        """Look at the board, and at the schema at most once a second."""
        parts = {"schema": await self._schema.state()}
        for part, rows in self._all_rows.items():
            seen = [self._board.read(row) for row in rows]
            silent, stuck = sum(not _serves(row) for row in seen), sum(_serves(row) and not _gets_on(row) for row in seen)
            parts[part] = "ok"
            if silent:
                parts[part] = f"{silent} of {len(rows)} processes do not serve"
            elif stuck:
                step_s = int(max(row.step_for_s for row in seen))
                parts[part] = f"{stuck} of {len(rows)} processes do not get on: a step of the work has not ended for {step_s} s"
        return Readiness(all(said == "ok" for said in parts.values()), parts)

    def serving(self) -> dict[str, int]:
        """Count the processes that serve, by part."""
        read = self._board.read
        return {part: sum(_serves(seen) and _gets_on(seen) for seen in map(read, rows)) for part, rows in self._all_rows.items()}

    def step_oldest_s(self) -> float:
        """Give the age of the oldest step of the work that has not ended, of all processes."""
        return max((self._board.read(row).step_for_s for rows in self._all_rows.values() for row in rows), default=0.0)


def _serves(seen: Row) -> bool:
    """Tell it by the signs of life; one that is busy for a while without a sign, and gets on, is not gone."""
    is_busy = seen.silent_for_s <= STEP_S_MAX and 0 < seen.still_for_s <= SILENT_S_MAX
    return seen.state is RowState.SERVING and (seen.silent_for_s <= SILENT_S_MAX or is_busy)


def _gets_on(seen: Row) -> bool:
    return seen.step_for_s <= STEP_S_MAX


class SchemaCheck:
    """Whether the database is there and at this release's revision; asked once a second for all who want to know."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._said = "not looked at yet"
        self._until_s = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def state(self) -> str:
        """Give `ok`, or what is wrong."""
        if time.monotonic() >= self._until_s:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask())
            await asyncio.shield(self._asking)
        return self._said

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(SCHEMA_ASKED_EVERY_S * 2):
                found = await schema_revision(self._engine)
        except Exception:  # noqa: BLE001 - whatever it is, the database does not answer
            self._said = "the database does not answer"
        else:
            wrong = f"at revision {found or 'none'}, this release needs {SCHEMA_REVISION}; run `handoff migrate up`"
            self._said = "ok" if found == SCHEMA_REVISION else wrong
        self._until_s = time.monotonic() + SCHEMA_ASKED_EVERY_S

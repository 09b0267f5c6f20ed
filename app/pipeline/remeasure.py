"""A measurement year computed anew, people by people: what a change of the rules would change, and then the change itself.

Beside the rooms, in transactions of some hundred people each, so that messages go on; what is killed in between is begun again. Several
hands, which may be processes of their own, take the next people as they are done with the last. Not here: the rules, and when they
changed (standards/measures), or the processes (cli/measure_hands).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from uuid import UUID

from app.actions.gather_measured import gather_measured
from app.actions.measure import Difference, difference, measure
from app.domain.directory import Directory
from app.domain.measure_line import MeasureLine
from app.domain.rulebook import Rulebook
from app.domain.stay_in_hand import StayInHand
from app.pipeline.rooms import OpenTransaction
from app.ports import Clock
from app.store import measure_lines, people
from app.store.directory import RegistryReader
from app.store.encounter_reads import ReadStay
from app.store.encounters import EncounterRow

PEOPLE_AT_ONCE = 200
"""Our policy: their rows are locked for as long as their lines are written, well below a second."""
_NOTHING = "-"


@dataclass(slots=True)
class Remeasured:
    """What was found so far. A change is told by measure: what it was and what it is, with the rule versions."""

    people: int = 0
    lines: int = 0
    """Lines that should stand."""
    changed: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(measure, before, after) -> lines."""

    @classmethod
    def of(cls, people: int, found: Difference) -> "Remeasured":
        """Read off the difference of some people."""
        before = {line.key: line for line in found.ended.values()}
        after = {line.key: line for line in found.added}
        changed = Counter((key[1], _said(before.get(key)), _said(after.get(key))) for key in before.keys() | after.keys())
        return cls(people, found.wanted, changed)

    def add(self, more: "Remeasured") -> None:
        """Add what was found of other people."""
        self.people += more.people
        self.lines += more.lines
        self.changed.update(more.changed)


Hand = Callable[[Sequence[UUID]], Awaitable[Remeasured]]
"""Computes some people, in a transaction of its own."""


def _said(line: MeasureLine | None) -> str:
    return _NOTHING if line is None else f"{line.status_7}/{line.status_30} {line.reason} ({line.rule_version})"


@dataclass(frozen=True, slots=True)
class Remeasuring:
    """How a year is computed anew."""

    transaction: OpenTransaction
    registry: RegistryReader
    rulebook: Rulebook
    read_stay: ReadStay
    clock: Clock

    def _read(self, directory: Directory, row: EncounterRow) -> StayInHand:
        return self.read_stay(row, directory)

    async def count(self, first_on: date, last_on: date) -> int:
        """Count the people who left a hospital in these days."""
        async with self.transaction() as raw:
            return await measure_lines.people_count(raw, first_on, last_on)

    async def some(self, persons: Sequence[UUID], *, change: bool) -> Remeasured:
        """Compute some people; `change` writes what differs, else it is counted only."""
        async with self.transaction() as raw:
            if change:
                # From here on nobody else writes of them, and what is read below is what stands: it cannot be older than what is there.
                await people.lock_people(raw, persons)
            directory, now = await self.registry.current(raw), self.clock.now()
            known = await gather_measured(raw, persons, partial(self._read, directory))
            keep = measure if change else difference
            return Remeasured.of(len(persons), await keep(raw, persons, known, directory, self.rulebook, now))

    async def run(self, first_on: date, last_on: date, hands: Sequence[Hand], on_progress: Callable[[Remeasured], None]) -> Remeasured:
        """Go through the people who left a hospital in these days. The first hand that fails ends it: what is written stays."""
        done = Remeasured()
        after: UUID | None = None
        turn = asyncio.Lock()

        async def next_people() -> Sequence[UUID]:
            nonlocal after
            async with turn, self.transaction() as raw:
                persons = await measure_lines.people_after(raw, first_on, last_on, after, PEOPLE_AT_ONCE)
            after = persons[-1] if persons else after
            return persons

        async def work(hand: Hand) -> None:
            while persons := await next_people():
                done.add(await hand(persons))
                on_progress(done)

        try:
            async with asyncio.TaskGroup() as group:
                for hand in hands:
                    group.create_task(work(hand))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return done

"""How rates compare with a loaded claims list: counted at once where that is little, else month by month beside the answers, and kept.

A year of a state takes seconds to compare, and a rate a fifth of one. What is kept belongs to this process; it says when it was counted.
Not here: the comparison (store/service_lines).
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from app.domain.viewer import Viewer
from app.ports import Clock
from app.store.connection import OpenUnitOfWork
from app.store.engine import raw_connection
from app.store.raw import Raw
from app.store.service_lines import claims_counted, reconciled

AT_ONCE_MAX: Final = 5_000
"""Our policy: so many claims and events together are compared within an answer, in some hundredths of a second."""
KEPT_FOR: Final = timedelta(hours=6)
"""Our policy: what is older is still shown, and counted anew meanwhile."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose claims are compared with which measure, and for whom: row-level security decides which stays are seen."""

    viewer: Viewer
    owner_id: UUID
    measure: str
    from_on: date
    to_on: date

    def months(self) -> Iterator["Asked"]:
        """Give the months of the period."""
        on = self.from_on
        while on <= self.to_on:
            following = (on.replace(day=1) + timedelta(days=32)).replace(day=1)
            yield Asked(self.viewer, self.owner_id, self.measure, on, min(self.to_on, following - timedelta(days=1)))
            on = following

    @property
    def key(self) -> tuple[Any, ...]:
        """What the answer depends on."""
        return self.viewer.organization_id, self.owner_id, self.measure, self.from_on, self.to_on


@dataclass(frozen=True, slots=True)
class ClaimsList:
    """What was counted, and when. Without counts: no claims are loaded, or they are being counted for the first time."""

    counts: Mapping[str, int] | None
    counted_at: datetime | None = None
    is_being_counted: bool = False


@dataclass(slots=True)
class ClaimsLists:
    """One for the process."""

    unit_of_work: OpenUnitOfWork
    clock: Clock
    _kept: dict[tuple[Any, ...], tuple[Mapping[str, int], datetime]] = field(default_factory=dict)
    _counting: dict[tuple[Any, ...], asyncio.Task[None]] = field(default_factory=dict)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, raw: Raw, asked: Asked, events: int) -> ClaimsList:
        """Compare with so many events of a measure; or say what was found last."""
        claims = await claims_counted(raw, asked.owner_id, asked.from_on, asked.to_on, AT_ONCE_MAX)
        now = self.clock.now()
        if claims is None:
            return ClaimsList(None)
        if claims + events <= AT_ONCE_MAX:
            return ClaimsList(await _compare(raw, asked), now)
        months = list(asked.months())
        kept = [self._kept[month.key] for month in months if month.key in self._kept]
        if len(kept) < len(months) or min(at for _, at in kept) < now - KEPT_FOR:
            self._count(asked, months)
        if len(kept) < len(months):
            return ClaimsList(None, is_being_counted=True)
        total: Counter[str] = Counter()
        for counts, _ in kept:
            total.update(counts)
        return ClaimsList(dict(total), min(at for _, at in kept), asked.key in self._counting)

    async def finish(self) -> None:
        """Wait for what is being counted."""
        await asyncio.gather(*self._counting.values())

    def _count(self, asked: Asked, months: list[Asked]) -> None:
        if asked.key in self._counting:
            return

        async def run() -> None:
            async with self._one_at_a_time:
                for month in months:
                    kept = self._kept.get(month.key)
                    if kept is not None and kept[1] >= self.clock.now() - KEPT_FOR:
                        continue
                    async with self.unit_of_work(month.viewer) as connection:
                        counts = await _compare(await raw_connection(connection), month)
                    self._kept[month.key] = counts, self.clock.now()

        # It is nobody's request, so it has nothing of the one that began it.
        task = asyncio.get_running_loop().create_task(run(), context=Context())
        self._counting[asked.key] = task
        task.add_done_callback(lambda _: self._counting.pop(asked.key, None))


async def _compare(raw: Raw, asked: Asked) -> Mapping[str, int]:
    return await reconciled(raw, asked.owner_id, asked.measure, asked.from_on, asked.to_on)

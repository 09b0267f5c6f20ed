"""How much waits, and since when: for the metrics, `doctor` and the demo. Not here: the work itself (inbound, deliveries)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from app.store.raw import Raw

_BACKLOG: Final = """
select (select count(*) from inbound_queue) as messages,
       (select message_id from inbound_queue order by message_id limit 1) as oldest,
       (select count(*) from inbound_queue where attempts > 0) as taken_up,
       (select count(*) from delivery where state = 'pending') as deliveries,
       (select count(*) from delivery where state = 'pending' and lease_until < now() - interval '1 minute') as stalled,
       (select count(*) from subscription where status = 'disabled') as disabled,
       (select count(*) from reconsideration) as stays,
       (select count(*) from match_pending) as comparisons,
       (select asked_at from match_pending order by id limit 1) as oldest_comparison_at
"""
_TIME_SHIFT: Final = 80


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits now."""

    messages: int
    oldest_at: datetime | None
    """When the oldest waiting message was received; None: nothing waits."""
    taken_up: int
    """Messages that a worker has in hand, or had when it died."""
    deliveries: int
    stalled: int
    """Deliveries whose worker let its lease run out, and that nobody took up since."""
    disabled: int
    """Endpoints that were given up."""
    stays: int
    """Stays that were asked to be looked at again."""
    comparisons: int
    """Times that a patient record was to be compared with others and has not been."""
    oldest_comparison_at: datetime | None
    """Since when the oldest of these waits."""

    def oldest_s(self, now: datetime) -> float:
        """Give the age of the oldest waiting message."""
        return _age_s(self.oldest_at, now)

    def oldest_comparison_s(self, now: datetime) -> float:
        """Give for how long the oldest record has waited to be compared."""
        return _age_s(self.oldest_comparison_at, now)


async def read_backlog(raw: Raw) -> Backlog:
    """Count. The queues are narrow and short in health; a backlog of a million is counted in a few tenths of a second."""
    row = await raw.fetchrow(_BACKLOG)
    return Backlog(
        messages=row["messages"],
        oldest_at=received_at(row["oldest"]) if row["oldest"] else None,
        taken_up=row["taken_up"],
        deliveries=row["deliveries"],
        stalled=row["stalled"],
        disabled=row["disabled"],
        stays=row["stays"],
        comparisons=row["comparisons"],
        oldest_comparison_at=row["oldest_comparison_at"],
    )


def _age_s(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def received_at(message_id: UUID) -> datetime:
    """Read the time off an id (UUID version 7, RFC 9562: milliseconds in the first 48 bits)."""
    return datetime.fromtimestamp((message_id.int >> _TIME_SHIFT) / 1000, UTC)

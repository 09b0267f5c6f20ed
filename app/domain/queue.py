"""A queue in which something waits for a person: who owns it, how soon it is to be looked at, and how it is doing. Pure.

A queue is patients nobody was told of. Not here: what waits in it (store/queues), and the times themselves, which are data.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

AGEING_SHARE: Final = 0.5
"""Our policy: what has waited for half of the service time is ageing."""
SATURDAY: Final = 5
PER_MESSAGES: Final = 10_000


class QueueAlert(StrEnum):
    """How the oldest of a queue is doing."""

    NONE = "none"
    AGEING = "ageing"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class QueueDefinition:
    """One queue."""

    id: str
    title: str
    owner: str
    service: timedelta
    weekend_cover: bool
    zone: ZoneInfo
    """The owner's: its weekends are by its own calendar."""

    def due_at(self, since: datetime, share: float = 1.0) -> datetime:
        """Give when something that waits since then is to have been looked at: without weekend cover no time runs on two days a week."""
        span = self.service * share
        return since + span if self.weekend_cover else _after(since, span, self.zone)

    def alert(self, oldest_at: datetime | None, now: datetime) -> QueueAlert:
        """Judge the oldest."""
        if oldest_at is None:
            return QueueAlert.NONE
        if now >= self.due_at(oldest_at):
            return QueueAlert.OVERDUE
        return QueueAlert.AGEING if now >= self.due_at(oldest_at, AGEING_SHARE) else QueueAlert.NONE


def _after(since: datetime, span: timedelta, zone: ZoneInfo) -> datetime:
    """Add a span of time in which Saturdays and Sundays do not count."""
    at = since.astimezone(zone)
    left = span
    while True:
        midnight = (at + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        if at.weekday() < SATURDAY:
            today = midnight.astimezone(since.tzinfo) - at.astimezone(since.tzinfo)
            if left <= today:
                return at.astimezone(since.tzinfo) + left
            left -= today
        at = midnight


def per_messages(opened: int, messages: int) -> float | None:
    """Give how many came into the queue per ten thousand messages; None while there were no messages."""
    return round(opened * PER_MESSAGES / messages, 2) if messages else None

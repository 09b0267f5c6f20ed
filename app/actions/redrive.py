"""Send notifications again: a range of an endpoint's sequence or time, afresh, under the same webhook-ids.

Inside the caller's unit of work, as the viewer. Not here: sending (deliver), which asks again whether each may still be told.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.viewer import Viewer
from app.store import deliveries, subscriptions
from app.store.deliveries import RedriveRange
from app.store.raw import Raw

REDRIVE_MAX: Final = 100_000
"""Our policy: one request queues at most this many, the oldest first; ask again for the rest."""


@dataclass(frozen=True, slots=True)
class Redriven:
    """How many deliveries were queued, and whether the range holds more than one request may queue."""

    queued: int
    is_complete: bool


async def redrive(
    raw: Raw, viewer: Viewer, subscription_id: UUID, wanted: RedriveRange, *, now: datetime, limit: int = REDRIVE_MAX
) -> Redriven | None:
    """Queue the range again; None when the viewer has no such subscription.

    It can reach back before the subscription was made. A paused or disabled one queues too and sends when it is resumed.
    """
    found = await subscriptions.find(raw, viewer, subscription_id, lock=True)
    if found is None:
        return None
    queued = await deliveries.redrive(raw, subscription_id, wanted, now, limit=limit)
    return Redriven(queued, is_complete=queued < limit)

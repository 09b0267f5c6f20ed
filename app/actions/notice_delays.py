"""Find endpoints that have been behind for a quarter of an hour and whose owner was not told yet, and note that it is told now.

Inside the caller's unit of work, as the work role; the caller tells, after its commit. Once for each time an endpoint falls behind:
the first delivery that arrives ends it. Not here: how an owner is told, and the hour after which people see the notifications
themselves by another road (store/delivery_reads.undelivered).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from app.domain.delivery import OWNER_NOTICE_AFTER, Notice, notices_due
from app.store import delivery_reads, subscriptions
from app.store.delivery_reads import QueueDepth
from app.store.raw import Raw


async def notice_delays(raw: Raw, now: datetime) -> Sequence[QueueDepth]:
    """Give the endpoints whose owners are to be told, and remember it. Three statements, however many."""
    late = await delivery_reads.behind(raw, now - OWNER_NOTICE_AFTER)
    if not late:
        return []
    locked = await subscriptions.lock(raw, [one.subscription_id for one in late])
    due: list[QueueDepth] = []
    for one in late:
        given = frozenset({Notice.OWNER}) if locked[one.subscription_id].health.owner_told_at is not None else frozenset[Notice]()
        if Notice.OWNER in notices_due(one.waiting_since, now, given):
            due.append(one)
    await subscriptions.save_health(
        raw, {one.subscription_id: replace(locked[one.subscription_id].health, owner_told_at=now) for one in due}, {}
    )
    return due

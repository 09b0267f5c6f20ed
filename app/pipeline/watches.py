"""What is looked at now and then, and said once each: feeds, panels, queues, the audit chain, silent stays, late endpoints.

Not here: what is found (the watches themselves), and when it is looked for (app/worker.py).
"""

from app.actions.notice_delays import notice_delays
from app.pipeline.audit_chain import AuditChain
from app.pipeline.feed_watch import FeedWatch
from app.pipeline.panel_watch import PanelWatch
from app.pipeline.presume import Presumptions
from app.pipeline.queue_watch import QueueWatch
from app.pipeline.rooms import OpenTransaction
from app.ports import Clock
from app.telemetry.log import EventLog
from app.telemetry.metrics import Metrics
from app.telemetry.watch_events import EndpointBehind, FeedHeard, FeedSilent, QueueTurned, StaysPresumedEnded


class Watches:
    """All of them, in one worker."""

    def __init__(
        self,
        transaction: OpenTransaction,
        feeds: FeedWatch,
        panels: PanelWatch,
        queues: QueueWatch,
        audit_chain: AuditChain,
        presumptions: Presumptions,
        *,
        clock: Clock,
        stays_max: int,
        log: EventLog,
        metrics: Metrics,
    ) -> None:
        """Take what is asked, and where it is said."""
        self._transaction = transaction
        self._feed_watch, self._panel_watch, self._queue_watch = feeds, panels, queues
        self._audit_chain, self._presumptions = audit_chain, presumptions
        self._clock, self._stays_max = clock, stays_max
        self._log, self._metrics = log, metrics

    async def watch_once(self) -> bool:
        """Count what the feeds brought, and say, once each, which fell silent and which were heard again."""
        watched = await self._feed_watch.watch_once()
        now = self._clock.now()
        for one in watched.opened:
            silent_for_s = int((now - one.last_message_at).total_seconds())
            self._log.emit(FeedSilent(one.feed_id, one.organization_id, silent_for_s, int(one.missing)))
        for over in watched.closed:
            silent_for_s = int((over.closed_at - over.last_message_at).total_seconds())
            self._log.emit(FeedHeard(over.feed_id, over.organization_id, silent_for_s))
        linked = await self._audit_chain.link_once()
        self._metrics.audit_linked(linked.rows, linked.oldest_at, now)
        for said in await self._panel_watch.watch_once():
            self._log.emit(said.event)
        for queue in await self._queue_watch.watch_once():
            self._log.emit(QueueTurned(queue.queue, queue.alert.value, int((now - (queue.oldest_at or now)).total_seconds())))
        if not watched.has_more and (stays := await self._presumptions.presume_once(self._stays_max)):
            self._log.emit(StaysPresumedEnded(stays))
        return watched.has_more or linked.has_more

    async def tell_delays(self) -> None:
        """Say, once, which endpoints have been behind for too long: to the exchange's log, and to the owner at the subscription."""
        now = self._clock.now()
        async with self._transaction() as raw:
            late = await notice_delays(raw, now)
        for one in late:
            behind_for_s = int((now - one.waiting_since).total_seconds())
            self._log.emit(EndpointBehind(one.subscription_id, one.organization_id, one.pending, behind_for_s))

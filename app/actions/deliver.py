"""Room 8: take what is due, send it, record what came of it. Claim, commit, send with no transaction open, record: commit 3.

A slow or dead endpoint holds nobody else up: endpoints are claimed apart, each has few attempts at once, results are recorded as
they come, and an endpoint that fails is claimed less and less until its breaker opens. Whether a notification may still be told is
asked again with each claim. Not here: HTTP (a `Sender`), SQL (store), what a result means (domain), or when this runs (worker).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from weakref import WeakValueDictionary

import orjson

from app.domain.delivery import AttemptOutcome, AttemptResult, OrderMode, TransportFault, WebhookRequest, outcome_of_fault, settle
from app.domain.endpoint import EndpointHealth, after_claim, allowance
from app.domain.hand import Hand, after_result
from app.domain.happening import NotificationType
from app.domain.public_id import Kind, public_id
from app.domain.subscription import Subscription, in_force
from app.ports import Cipher, Clock, Ids, Sender
from app.store import deliveries, subscriptions
from app.store.deliveries import Claimed, Finished, Room
from app.store.failures import is_unavailable
from app.store.notification_reads import StoredNotification
from app.store.raw import Raw

OpenTransaction = Callable[[], AbstractAsyncContextManager[Raw]]
"""Opens a transaction as the `work` role; commits when the block ends."""
Present = Callable[[Raw, Sequence[StoredNotification]], Awaitable[Sequence[Mapping[str, Any]]]]
"""Gives each notification as it may be told now, in the same order: whole, with less, or `notification.withdrawn`."""

_NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """How much one worker takes on. Our policy, except where a comment says more."""

    deliveries_in_hand: int = 1024
    endpoints_at_once: int = 64
    attempts_at_once_per_endpoint: int = 8
    """The sender's connections per endpoint: more would only wait inside it, with its clock running."""
    share_first: int = 8
    share_most: int = 64
    """How much of one endpoint is claimed ahead (`Hand`)."""
    fan_out_sequences: int = 1000
    lease: timedelta = timedelta(seconds=120)
    send_within: timedelta = timedelta(seconds=25)
    """The longest an attempt can take, with a margin: with less of the lease left nothing is sent any more."""
    record_most: int = 256
    record_after_s: float = 0.01
    poll_s: float = 1.0


@dataclass(frozen=True, slots=True)
class _Assignment:
    claimed: Claimed
    url: str
    body: bytes | None = field(repr=False)
    """None: it could not be presented."""
    secrets: tuple[str, ...] = field(repr=False)
    send_before: float
    """On the loop's monotonic clock."""


@dataclass(frozen=True, slots=True)
class _Unsent:
    """It stayed here: the lease ran out, the breaker opened, or we are asked to stop."""

    claimed: Claimed


@dataclass(frozen=True, slots=True)
class _Sent:
    claimed: Claimed
    started_at: datetime
    ended_at: datetime
    result: AttemptResult


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one round did, for the worker's log line."""

    fanned_out: int = 0
    claimed: int = 0
    withdrawn: int = 0
    recorded: int = 0
    outcomes: Mapping[AttemptOutcome, int] = field(default_factory=dict)

    @property
    def idle(self) -> bool:
        """Nothing was due."""
        return not self.fanned_out and not self.claimed


class Deliverer:
    """Delivers for one process: `run` until told to stop, or one round at a time with `deliver_once`."""

    def __init__(
        self,
        transaction: OpenTransaction,
        sender: Sender,
        present: Present,
        *,
        cipher: Cipher,
        clock: Clock,
        ids: Ids,
        limits: DeliveryLimits | None = None,
        on_defect: Callable[[Exception], None] = lambda _error: None,
        on_recorded: Callable[[Delivered], None] = lambda _round: None,
    ) -> None:
        """Take what a worker has; `on_defect` hears of errors that no rule expects and may log their class and place only."""
        self._transaction = transaction
        self._sender = sender
        self._present = present
        self._cipher = cipher
        self._clock = clock
        self._ids = ids
        self._limits = limits or DeliveryLimits()
        self._on_defect = on_defect
        self._on_recorded = on_recorded
        self._hand = Hand(
            deliveries_max=self._limits.deliveries_in_hand, share_first=self._limits.share_first, share_most=self._limits.share_most
        )
        self._gates: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()
        self._last = _NOBODY
        self._news = asyncio.Event()
        self._is_stopping = False

    def wake(self) -> None:
        """Say that there may be something due; a hint, because polling finds it too."""
        self._news.set()

    async def deliver_once(self) -> Delivered:
        """Claim what is due, send all of it, and record every result."""
        assignments, found = await self._claim()
        results = await asyncio.gather(*(self._send(assignment) for assignment in assignments))
        recorded = await self._record(results)
        self._hand.put_down((one.claimed.subscription_id, _is_delivered(one)) for one in results)
        return Delivered(found.fanned_out, found.claimed, found.withdrawn, recorded.recorded, recorded.outcomes)

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; then finish what is under way, give the rest back and return.

        A database that is away is waited for: what was sent meanwhile is recorded when it is back, under the same fences.
        """
        self._is_stopping = False
        results: asyncio.Queue[_Sent | _Unsent] = asyncio.Queue()
        sending: set[asyncio.Task[None]] = set()
        recorder = asyncio.create_task(self._keep_recording(results))
        stopper = asyncio.create_task(self._watch(stop))
        try:
            while not self._is_stopping:
                self._news.clear()
                assignments, found = await self._claim_or_wait()
                for assignment in assignments:
                    task = asyncio.create_task(self._send_to(results, assignment))
                    sending.add(task)
                    task.add_done_callback(sending.discard)
                if found.idle:
                    await self._wait(self._limits.poll_s)
            await asyncio.gather(*sending)
            await results.join()
        finally:
            for task in (recorder, stopper, *sending):
                task.cancel()
            await asyncio.gather(recorder, stopper, *sending, return_exceptions=True)

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._is_stopping = True
        self._news.set()

    async def _wait(self, at_most_s: float) -> None:
        try:
            async with asyncio.timeout(at_most_s):
                await self._news.wait()
        except TimeoutError:
            pass

    async def _claim_or_wait(self) -> tuple[list[_Assignment], Delivered]:
        try:
            return await self._claim()
        except Exception as error:  # noqa: BLE001 - the loop outlives whatever one claim meets
            if not is_unavailable(error):
                self._on_defect(error)
            return [], Delivered()

    # --- claiming -------------------------------------------------------------------------------------------------------

    async def _claim(self) -> tuple[list[_Assignment], Delivered]:
        """Fan out what is new, take what is due, and ask once more what may be told. One transaction."""
        limits, now = self._limits, self._clock.now()
        if self._hand.room() <= 0:
            return [], Delivered()
        send_before = asyncio.get_running_loop().time() + (limits.lease - limits.send_within).total_seconds()
        async with self._transaction() as raw:
            fanned_out = await deliveries.fan_out(
                raw, now, sequences_max=limits.fan_out_sequences, subscriptions_max=limits.endpoints_at_once
            )
            found = await subscriptions.claim_busy(raw, now, after=self._last, without=self._hand.full(), limit=limits.endpoints_at_once)
            rooms = self._rooms(found, now)
            await deliveries.supersede(raw, [one.subscription_id for one in rooms if one.order_mode is OrderMode.LATEST], now)
            claims = await deliveries.claim(raw, rooms, now, limits.lease)
            health = await self._note_probes(raw, found, claims, now)
            contents = await self._presented(raw, claims)
            gone = [one for one, content in zip(claims, contents, strict=True) if _is_withdrawn(content)]
            await deliveries.withdraw(raw, gone, now)
        # Only now is anything ours: the transaction has committed.
        if found:
            self._last = found[-1].id
        by_id = {one.id: one for one in found}
        secrets = {id_: self._opened(by_id[id_], now) for id_ in health}
        assignments: list[_Assignment] = []
        for one, content in zip(claims, contents, strict=True):
            if not _is_withdrawn(content):
                id_ = one.subscription_id
                self._hand.take(id_, health[id_])
                body = None if content is None else body_of(content)
                assignments.append(_Assignment(one, by_id[id_].url, body, secrets[id_], send_before))
        return assignments, Delivered(fanned_out, len(claims), len(gone))

    def _rooms(self, found: Sequence[Subscription], now: datetime) -> list[Room]:
        room, rooms = self._hand.room(), list[Room]()
        for subscription in found:
            wanted = min(room, self._hand.room_of(subscription.id))
            allowed = allowance(subscription.health, now, wanted)
            if allowed > 0:
                rooms.append(Room(subscription.id, subscription.order_mode, allowed))
                room -= allowed
        return rooms

    async def _note_probes(
        self, raw: Raw, found: Sequence[Subscription], claims: Sequence[Claimed], now: datetime
    ) -> dict[UUID, EndpointHealth]:
        """Give the health of the claimed endpoints; what is half open now is stored, so that nobody else sends a second probe."""
        taken = {one.subscription_id for one in claims}
        before = {one.id: one.health for one in found if one.id in taken}
        # A probe whose worker dies counts as lost when its lease ends.
        after = {id_: after_claim(health, now + self._limits.lease) for id_, health in before.items()}
        await subscriptions.save_health(raw, {id_: health for id_, health in after.items() if health != before[id_]}, {})
        return after

    async def _presented(self, raw: Raw, claims: Sequence[Claimed]) -> Sequence[Mapping[str, Any] | None]:
        """Give what may be told of each now; None for one that cannot be presented, which must not keep the others."""
        if not claims:
            return []
        try:
            return await self._present(raw, [one.notification for one in claims])
        except Exception as error:
            if len(claims) == 1 and not is_unavailable(error):
                self._on_defect(error)
                return [None]
            if is_unavailable(error):
                raise
        return [content for one in claims for content in await self._presented(raw, [one])]

    def _opened(self, subscription: Subscription, now: datetime) -> tuple[str, ...]:
        """Decrypt what signs now. A secret that does not open is a defect of this endpoint's attempts, and of no other's."""
        try:
            return tuple(
                self._cipher.decrypt(secret.key_id, secret.body, subscription.id.bytes).decode("ascii")
                for secret in in_force(subscription.secrets, now)
            )
        except Exception as error:  # noqa: BLE001 - a cipher's own errors are not known here
            self._on_defect(error)
            return ()

    # --- sending --------------------------------------------------------------------------------------------------------

    async def _send_to(self, results: asyncio.Queue[_Sent | _Unsent], assignment: _Assignment) -> None:
        results.put_nowait(await self._send(assignment))

    async def _send(self, assignment: _Assignment) -> _Sent | _Unsent:
        claimed, endpoint_id = assignment.claimed, assignment.claimed.subscription_id
        async with self._gate(endpoint_id):
            is_late = asyncio.get_running_loop().time() >= assignment.send_before
            if is_late or self._is_stopping or not self._hand.may_send(endpoint_id):
                return _Unsent(claimed)
            started_at = self._clock.now()
            result = await self._attempt(assignment, started_at)
            ended_at = self._clock.now()
            self._hand.note(endpoint_id, result, ended_at)
            return _Sent(claimed, started_at, ended_at, result)

    async def _attempt(self, assignment: _Assignment, started_at: datetime) -> AttemptResult:
        """Send, or say that an error of ours kept it here: one notification's defect must not stop the others."""
        if assignment.body is not None and assignment.secrets:
            request = WebhookRequest(
                endpoint_id=assignment.claimed.subscription_id,
                url=assignment.url,
                webhook_id=public_id(Kind.NOTIFICATION, assignment.claimed.notification.id),
                attempted_at=started_at,
                body=assignment.body,
                secrets=assignment.secrets,
            )
            try:
                return await self._sender.send(request)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is recorded as a defect
                self._on_defect(error)
        return AttemptResult(outcome_of_fault(TransportFault.DEFECT), 0.0, fault=TransportFault.DEFECT)

    def _gate(self, endpoint_id: UUID) -> asyncio.Semaphore:
        """Give the endpoint's gate; it lives as long as somebody is at it."""
        gate = self._gates.get(endpoint_id)
        if gate is None:
            gate = self._gates[endpoint_id] = asyncio.Semaphore(self._limits.attempts_at_once_per_endpoint)
        return gate

    # --- recording ------------------------------------------------------------------------------------------------------

    async def _keep_recording(self, results: asyncio.Queue[_Sent | _Unsent]) -> None:
        while True:
            batch = [await results.get()]
            await asyncio.sleep(self._limits.record_after_s)
            while len(batch) < self._limits.record_most and not results.empty():
                batch.append(results.get_nowait())
            if not await self._recorded_when_possible(batch) and len(batch) > 1:
                for one in batch:
                    await self._recorded_when_possible([one])
            self._hand.put_down((one.claimed.subscription_id, _is_delivered(one)) for one in batch)
            for _ in batch:
                results.task_done()
            self._news.set()

    async def _recorded_when_possible(self, batch: Sequence[_Sent | _Unsent]) -> bool:
        """Record, waiting for a database that is away; tell whether there was no defect. What cannot be recorded is sent again."""
        while True:
            try:
                self._on_recorded(await self._record(batch))
            except Exception as error:  # noqa: BLE001 - results are kept until they are recorded or known to be unrecordable
                if not is_unavailable(error):
                    self._on_defect(error)
                    return False
                await asyncio.sleep(self._limits.poll_s)
            else:
                return True

    async def _record(self, results: Sequence[_Sent | _Unsent]) -> Delivered:
        """Store attempts, settle deliveries, and bring the endpoints' health up to date. One transaction."""
        sent = [one for one in results if isinstance(one, _Sent)]
        unsent = [one.claimed for one in results if isinstance(one, _Unsent)]
        finished = [
            Finished(
                one.claimed,
                self._ids.new(),
                one.started_at,
                one.ended_at,
                one.result,
                settle(one.result, one.claimed.attempts, one.ended_at, self._ids.fraction()),
            )
            for one in sent
        ]
        if not results:
            return Delivered()
        async with self._transaction() as raw:
            locked = await subscriptions.lock(raw, sorted({one.claimed.subscription_id for one in results}))
            await deliveries.release(raw, unsent)
            ours = await deliveries.finish(raw, finished)
            health = {id_: one.health for id_, one in locked.items()}
            succeeded_at: dict[UUID, datetime] = {}
            for one in sorted(finished, key=lambda one: one.ended_at):
                id_ = one.claimed.subscription_id
                if (id_, one.claimed.sequence) in ours:
                    health[id_] = after_result(health[id_], one.result, one.ended_at)
                    if one.result.outcome is AttemptOutcome.DELIVERED:
                        succeeded_at[id_] = one.ended_at
            changed = {id_: state for id_, state in health.items() if state != locked[id_].health}
            await subscriptions.save_health(raw, changed, succeeded_at)
        return Delivered(recorded=len(ours), outcomes=Counter(one.result.outcome for one in sent))


def body_of(content: Mapping[str, Any]) -> bytes:
    """Give the body of a webhook (Standard Webhooks): type, time of the event, and the notification as polling shows it."""
    return orjson.dumps({"type": content["type"], "timestamp": content["occurred_at"], "data": content})


def _is_withdrawn(content: Mapping[str, Any] | None) -> bool:
    return content is not None and content["type"] == NotificationType.WITHDRAWN.value


def _is_delivered(one: _Sent | _Unsent) -> bool:
    return isinstance(one, _Sent) and one.result.outcome is AttemptOutcome.DELIVERED

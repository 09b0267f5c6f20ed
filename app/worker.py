"""The background process: rooms 3 to 7 in batches, stays to look at again, timers, deliveries, drops. `handoff serve` starts it.

Every loop works while there is work, and otherwise waits for a hint or, because a hint may be lost, for about a second. A database
that is away is waited for. Not here: what a round does (app/pipeline, app/actions/deliver, app/drop), how many workers there are (app/cli).
"""

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import uvloop

from adapters.process.board import RowState
from adapters.process.child import Child, finish, own_grace_s
from adapters.process.lifeline import NoParentError, lower_priority
from app import wiring
from app.actions.deliver import Delivered, Deliverer
from app.actions.identify import IdentityMovedError
from app.actions.receive import LANES
from app.domain.delivery import AttemptOutcome
from app.drop.observer import DropLog
from app.pipeline.match_pace import MatchPace
from app.pipeline.pace import Pace, pause_s, start_lane_of
from app.pipeline.rooms import Worked
from app.pipeline.watches import Watches
from app.pipeline.work import BatchFailedError, Pipeline
from app.settings import LogFormat, Settings, load_settings
from app.store.failures import is_unavailable
from app.store.hints import Hints, Place
from app.store.roles import Network, Role
from app.telemetry.events import (
    BatchFailed,
    BatchWorked,
    DeliveriesAttempted,
    HintsLost,
    HintsRestored,
    LoopPaused,
    ProcessStarted,
    ProcessStopped,
)
from app.telemetry.fields import class_of
from app.telemetry.log import EventLog, process_log, watch_loop
from app.telemetry.metrics import Metrics
from app.telemetry.words import Loop, Part
from app.wiring.audited import build_audit_chain
from app.wiring.drops import build_drops
from app.wiring.measured import MeasuredSender

POLL_S: Final = 1.0
ANSWER_S_MAX: Final = 120.0
"""No statement of a batch takes as long. One that does is asked of a server that is frozen or cut off, and may be replaced by now."""
SUSPECTS_INTERVAL_S: Final = 2.0
"""How soon the messages of a worker that died are taken up by another."""
STEPS: Final = frozenset({Loop.PIPELINE, Loop.RECONSIDER, Loop.TIMERS})
"""Loops of which a round is one step: if it has not ended after long, the process does not get on (`/readyz`)."""
DELAYS_INTERVAL_S: Final = 60.0
FEEDS_INTERVAL_S: Final = 30.0
"""How often one of the workers looks at the feeds; while it is behind with counting, without a pause."""
RECONSIDER_INTERVAL_S: Final = 0.2
"""Hints come for messages too; stays that were asked to be looked at again need not be asked for as often as those come."""
MATCH_INTERVAL_S: Final = 0.5
"""The same of comparisons: a round for each message that comes would cost more than what it compares."""
NICENESS: Final = 5
"""The door has priority on a full machine: three times a worker's share of a core. More would starve the work beside anything else."""
TOPICS: Final = {"inbound": (Loop.PIPELINE, Loop.RECONSIDER, Loop.MATCH), "delivery": (Loop.DELIVERIES,), "": tuple(Loop)}
"""Topic of a hint -> who looks. The empty topic says that hints may have been missed."""


class Worker:
    """One worker process."""

    def __init__(self, child: Child, settings: Settings, log: EventLog, metrics: Metrics) -> None:
        """Build everything; nothing connects before `run`."""
        self._child, self._settings, self._log, self._metrics = child, settings, log, metrics
        assignment = child.assignment
        url = assignment.database_url
        self._ids = wiring.SystemIds()
        clock = wiring.SystemClock()
        self._engine = wiring.engine_of(settings, url, Role.WORK, name="handoff worker", answer_timeout_s=ANSWER_S_MAX)
        self._hints = Hints(
            url,
            Network(settings.network),
            name=f"handoff worker {settings.network}",
            on_hint=self._hinted,
            on_lost=self._hints_lost,
            on_restored=self._hints_restored,
            on_place=self._placed,
        )
        keys = wiring.keys_of(settings)
        rules = wiring.rulebook(settings.standards_dir)
        pipeline = wiring.build_pipeline(settings, self._engine, keys, rules, clock=clock, ids=self._ids, waker=self._hints)
        self._pipeline: Pipeline = replace(pipeline, on_defect=self._defect)
        self._watches = Watches(
            pipeline.transaction,
            wiring.build_feed_watch(settings, self._engine, keys, clock=clock, ids=self._ids),
            wiring.build_panel_watch(settings, self._engine, clock=clock),
            wiring.build_queue_watch(settings, self._engine, clock=clock),
            build_audit_chain(settings, self._engine, clock=clock),
            wiring.build_presumptions(settings, self._engine, pipeline.rooms),
            clock=clock,
            stays_max=settings.batch_max,
            log=log,
            metrics=metrics,
        )
        self._sender = MeasuredSender(wiring.webhook_sender(settings), metrics)
        self._deliverer: Deliverer = wiring.build_deliverer(
            settings,
            self._engine,
            keys,
            rules,
            self._sender,
            clock=clock,
            ids=self._ids,
            on_defect=self._defect,
            on_recorded=self._recorded,
        )
        drop_log = DropLog(log, metrics, self._defect)
        self._drops = build_drops(
            settings,
            url,
            self._engine,
            keys,
            clock=clock,
            ids=self._ids,
            waker=self._hints,
            observer=drop_log,
            on_received=drop_log.received,
            is_stopping=child.stopping.is_set,
        )
        self._paces = {loop: Pace(settings.batch_max) for loop in (Loop.PIPELINE, Loop.RECONSIDER, Loop.TIMERS)}
        self._match_pace = MatchPace()
        self._place = Place(assignment.number, assignment.of)
        self._suspects_at_s = 0.0
        self._delays_at_s = 0.0
        self._lost_at_s: float | None = None
        self._paused: set[Loop] = set()
        self._wakers = {loop: asyncio.Event() for loop in Loop}
        self._steps: dict[Loop, int] = {}
        """Loop -> when the step began that is under way."""

    async def run(self, started_at_s: float) -> None:
        """Work until told to stop, then finish what is under way."""
        child = self._child
        watch_loop(asyncio.get_running_loop(), self._log)
        child.listen_for_the_end()
        warming = asyncio.to_thread(wiring.warm_calendars, self._settings.standards_dir)
        beating = asyncio.create_task(child.beat(self._show_step))
        background = {beating, asyncio.create_task(self._hints.run()), asyncio.create_task(warming)}
        # What lives from here on is garbage for nobody: not looked at by the collector again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(wiring.GARBAGE_AFTER)
        loops = {
            asyncio.create_task(self._rounds(Loop.PIPELINE, self._work)),
            asyncio.create_task(self._rounds(Loop.RECONSIDER, self._reconsider, at_least_s=RECONSIDER_INTERVAL_S)),
            asyncio.create_task(self._rounds(Loop.MATCH, self._match, at_least_s=MATCH_INTERVAL_S)),
            asyncio.create_task(self._rounds(Loop.TIMERS, self._time)),
            asyncio.create_task(self._rounds(Loop.FEEDS, self._watches.watch_once, idle_s=FEEDS_INTERVAL_S)),
            asyncio.create_task(self._deliverer.run(child.stopping)),
        }
        loops |= {asyncio.create_task(watch.run(child.stopping)) for watch in self._drops.watches}
        child.say(Part.WORK, RowState.SERVING)
        self._log.emit(ProcessStarted(Part.WORK, child.assignment.number, _ms_since(started_at_s)))
        served_from_s = time.monotonic()
        stopped = asyncio.create_task(child.stopping.wait())
        # A loop ends only when told to; one that ends by an error takes the process with it, and the supervisor starts another.
        await asyncio.wait({stopped, *loops}, return_when=asyncio.FIRST_COMPLETED)
        is_defect = not child.stopping.is_set()
        child.stop()
        for event in self._wakers.values():
            event.set()
        cut_off = await finish(loops, own_grace_s(self._settings.shutdown_grace_s))
        for task in (stopped, *background):
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self._sender.close()
        await self._drops.close()
        await self._engine.dispose()
        self._log.emit(ProcessStopped(Part.WORK, child.assignment.number, int(time.monotonic() - served_from_s), cut_off))
        if is_defect:
            for task in loops:
                if not task.cancelled() and (error := task.exception()) is not None:
                    raise error

    # The loops.

    async def _rounds(self, loop: Loop, round_: Callable[[], Awaitable[bool]], *, at_least_s: float = 0.0, idle_s: float = POLL_S) -> None:
        """Do rounds while there is work; `round_` tells whether there may be more."""
        failures = 0
        waker = self._wakers[loop]
        while not self._child.stopping.is_set():
            waker.clear()
            try:
                if loop in STEPS:
                    self._steps[loop] = time.monotonic_ns()
                has_more = await round_()
            except IdentityMovedError:
                # Another worker merged these people a moment ago; it has committed by now.
                await asyncio.sleep(0)
                continue
            except Exception as error:  # noqa: BLE001 - the loop outlives whatever one round meets
                failures += 1
                wait_s = pause_s(failures, self._ids.fraction())
                self._paused_by(loop, error, wait_s)
                await asyncio.sleep(wait_s)
                continue
            finally:
                self._steps.pop(loop, None)
            failures = 0
            self._resumed(loop)
            if not has_more:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(idle_s * (0.75 + self._ids.fraction() / 2)):
                        await waker.wait()
                if at_least_s and not self._child.stopping.is_set():
                    await asyncio.sleep(at_least_s)

    def _show_step(self) -> None:
        self._child.show_step(Part.WORK, min(self._steps.values(), default=0))

    async def _work(self) -> bool:
        """Rooms 3 to 7 once: what is new, and now and then what another worker took up and never finished."""
        lane = start_lane_of(self._place)
        if time.monotonic() >= self._suspects_at_s:
            taken_up = await self._round(Loop.PIPELINE, lambda: self._pipeline.work_once(lane, 1, suspects=True), 1)
            if not self._counted(taken_up).idle:
                return True
            self._suspects_at_s = time.monotonic() + SUSPECTS_INTERVAL_S
        try:
            worked = self._counted(await self._paced(Loop.PIPELINE, lambda size: self._pipeline.work_once(lane, size)))
        except BatchFailedError as error:
            self._metrics.batches_failed.inc()
            self._log.emit(BatchFailed(error.messages))
            return True
        return not worked.idle

    async def _reconsider(self) -> bool:
        return not (await self._paced(Loop.RECONSIDER, self._pipeline.reconsider_once)).idle

    async def _match(self) -> bool:
        """Compare the records that wait, as far as messages leave room (app/pipeline/match_pace)."""
        began_s = time.monotonic()
        most = self._match_pace.records_max(began_s)
        matched = await self._round(Loop.MATCH, lambda: self._pipeline.match_once(most), most)
        if matched.idle:
            return False
        # Whom a comparison joins is looked at again.
        self._wakers[Loop.RECONSIDER].set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._match_pace.rest_s(began_s, time.monotonic())):
                await self._child.stopping.wait()
        return True

    async def _time(self) -> bool:
        if time.monotonic() >= self._delays_at_s:
            await self._watches.tell_delays()
            self._delays_at_s = time.monotonic() + DELAYS_INTERVAL_S
        has_folded = await self._pipeline.fold_once()
        return not (await self._paced(Loop.TIMERS, self._pipeline.time_once)).idle or has_folded

    def _counted(self, worked: Worked) -> Worked:
        if worked.messages:
            self._match_pace.messages_worked(time.monotonic())
            self._metrics.batches.observe(worked.messages)
            self._metrics.processed.inc(worked.messages)
            self._metrics.set_aside.inc(worked.set_aside)
        return worked

    async def _paced(self, loop: Loop, round_: Callable[[int], Awaitable[Worked]]) -> Worked:
        """Do a round as large as the last ones let it be."""
        pace = self._paces[loop]
        return await self._round(loop, lambda: pace.round(round_), pace.size)

    async def _round(self, loop: Loop, round_: Callable[[], Awaitable[Worked]], size_max: int) -> Worked:
        started_s = time.perf_counter()
        worked = await round_()
        if worked.idle:
            return worked
        took_s = time.perf_counter() - started_s
        self._metrics.batch_time.labels(loop.value).observe(took_s)
        self._metrics.notifications.inc(worked.notifications)
        self._metrics.late.inc(worked.late)
        if loop is Loop.MATCH:
            self._metrics.compared.inc(worked.reconsidered)
        else:
            self._metrics.reconsidered.labels(loop.value).inc(worked.reconsidered)
        self._log.emit(
            BatchWorked(
                loop,
                worked.messages,
                worked.reconsidered,
                worked.notifications,
                worked.set_aside,
                len(worked.recipients),
                size_max,
                int(took_s * 1000),
            )
        )
        return worked

    # What is heard from outside and inside.

    def _hinted(self, topic: str) -> None:
        for loop in TOPICS.get(topic, ()):
            if loop is Loop.DELIVERIES:
                self._deliverer.wake()
            else:
                self._wakers[loop].set()

    def _placed(self, place: Place) -> None:
        if place == self._place:
            return
        self._place = place
        # Lanes are shared among all workers of the network, on whatever machine.
        self._pipeline = replace(self._pipeline, lanes_max=max(1, -(-LANES // place.of)))

    def _hints_lost(self, error: BaseException) -> None:
        self._lost_at_s = time.monotonic()
        self._log.emit(HintsLost(class_of(error)))
        # The same server held the pool's connections; better none than dead ones.
        self._drop = asyncio.ensure_future(self._engine.dispose())

    def _hints_restored(self) -> None:
        away_s = time.monotonic() - self._lost_at_s if self._lost_at_s is not None else 0.0
        self._log.emit(HintsRestored(int(away_s * 1000)))

    def _paused_by(self, loop: Loop, error: Exception, wait_s: float) -> None:
        self._metrics.pauses.labels(loop.value).inc()
        if not is_unavailable(error):
            self._defect(error)
            return
        if loop not in self._paused:
            self._paused.add(loop)
            self._child.say(Part.WORK, RowState.IMPAIRED)
        self._log.emit(LoopPaused(loop, class_of(error), int(wait_s * 1000)))

    def _resumed(self, loop: Loop) -> None:
        if loop in self._paused:
            self._paused.discard(loop)
            if not self._paused and not self._child.stopping.is_set():
                self._child.say(Part.WORK, RowState.SERVING)

    def _defect(self, error: Exception) -> None:
        self._metrics.defects.inc()
        self._log.defect(error)

    def _recorded(self, round_: Delivered) -> None:
        for outcome, count in round_.outcomes.items():
            self._metrics.deliveries.labels(outcome.value).inc(count)
        delivered = round_.outcomes.get(AttemptOutcome.DELIVERED, 0)
        final = round_.outcomes.get(AttemptOutcome.REFUSED, 0) + round_.outcomes.get(AttemptOutcome.GONE, 0)
        attempted = sum(round_.outcomes.values())
        if attempted:
            self._log.emit(DeliveriesAttempted(delivered, attempted - delivered - final, final, attempted - round_.recorded))


def _ms_since(started_s: float) -> int:
    return int((time.monotonic() - started_s) * 1000)


def main() -> int:
    """Be a worker process of the tree that started this one."""
    started_s = time.monotonic()
    try:
        child = Child.join()
    except NoParentError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    settings = load_settings()
    log = process_log(Part.WORK, child.assignment.number, is_json=settings.log_format is LogFormat.JSON, level=settings.log_level)
    worker = Worker(child, settings, log, Metrics(None))
    lower_priority(NICENESS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(worker.run(started_s))
    return 0


if __name__ == "__main__":
    sys.exit(main())

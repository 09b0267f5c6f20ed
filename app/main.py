"""The front process: HTTP and MLLP on one event loop, both behind the same door. `handoff serve` starts it.

Its sockets are the supervisor's, so that a front that is killed and started again refuses nobody. Not here: the routes (app/api),
what becomes of a message (app/intake, app/pipeline), and the building of both (app/wiring).
"""

import asyncio
import contextlib
import gc
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from uuid import UUID

import uvicorn
import uvloop
from fastapi import FastAPI
from prometheus_client import Counter, Histogram

from adapters.hl7v2.listener import MllpListener
from adapters.hl7v2.peers import ConnectionReport, Peer, Refuse, Reply
from adapters.hl7v2.room import Room
from adapters.process.board import RowState
from adapters.process.child import Child, finish, own_grace_s
from adapters.process.lifeline import NoParentError
from app import wiring
from app.api.application import build_application
from app.api.arrivals import Arrivals
from app.api.services import RequestAnswered
from app.domain.inbound import AckCode, Answer, Door, Envelope
from app.domain.public_id import Kind, public_id
from app.intake import Received
from app.readiness import Readyz, SchemaCheck
from app.settings import LogFormat, Settings, load_settings
from app.store import agreements, panel_conflicts, panel_standings, queues
from app.store.backlog import read_backlog
from app.store.feed_silences import heard_feeds
from app.store.hints import Hints
from app.store.roles import Network, Role
from app.telemetry.events import DoorCrowded, HintsLost, HintsRestored, MessageReceived, MessageRefused, ProcessStarted, ProcessStopped
from app.telemetry.events import RequestAnswered as RequestEvent
from app.telemetry.fields import class_of
from app.telemetry.log import EventLog, process_log, watch_loop
from app.telemetry.metrics import FeedSample, Metrics, PanelSample, Sample, page_registry
from app.telemetry.words import DoorName, Level, Part
from app.wiring import face
from app.wiring.batch_frames import answer_batch, is_batch

SAMPLED_EVERY_S: Final = 5.0
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNREMARKABLE: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_ERROR_MIN: Final = 400
_KEEP_ALIVE_S: Final = 75
"""Longer than the pause between two requests of a poller, and than most proxies' own limit."""


class _HttpServer(uvicorn.Server):
    """uvicorn's server without its own signal handlers: this process decides when it stops."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


class Front:
    """The front process."""

    def __init__(self, child: Child, settings: Settings, log: EventLog, metrics: Metrics) -> None:
        """Build everything; nothing connects or listens before `run`."""
        self._child, self._settings, self._log, self._metrics = child, settings, log, metrics
        url = child.assignment.database_url
        self._clock = wiring.SystemClock()
        self._ids = ids = wiring.SystemIds()
        self._work = wiring.engine_of(settings, url, Role.WORK, name="handoff front")
        self._app = wiring.engine_of(settings, url, Role.APP, name="handoff front")
        self._hints = Hints(
            url,
            Network(settings.network),
            name=f"handoff front {settings.network}",
            on_hint=self._hinted,
            on_lost=self._hints_lost,
            on_restored=self._hints_restored,
        )
        keys, rules = wiring.keys_of(settings), wiring.rulebook(settings.standards_dir)
        self._intake = wiring.build_intake(settings, self._work, keys, clock=self._clock, ids=ids, waker=self._hints)
        self._counters: dict[tuple[DoorName, AckCode], tuple[Counter, Histogram]] = {}
        self._groups = self._grouped = 0
        self._room = Room(settings.mllp_bytes_max, time.monotonic)
        self._gone = (0, 0, 0)
        """MLLP connections turned out, displaced, turned away so far."""
        self._arrivals = Arrivals(face.newest_numbers(self._app))
        self._readyz = Readyz(child.board, child.assignment.all_rows, SchemaCheck(self._app))
        self._sample = Sample()
        self._listeners = self._mllp(face.refuse_frame(wiring.ack_writer(self._clock, ids), self._intake.keep, self._clock))
        self._sender = wiring.webhook_sender(settings)
        self._http: _HttpServer | None = None
        if Part.HTTP in child.assignment.sockets:
            behind = face.Face(
                receive=self._receive_http,
                arrivals=self._arrivals,
                readiness=self._readyz,
                metrics=page_registry(wiring.metrics_folder(), lambda: self._sample),
                observe=self._observe,
            )
            engines = face.Engines(self._work, self._app)
            services = face.build_services(
                settings, engines, keys, rules, behind, clock=self._clock, ids=ids, waker=self._hints, sender=self._sender
            )
            self._http = _HttpServer(self._http_configuration(build_application(services)))

    async def run(self, started_at_s: float) -> None:
        """Serve until told to stop, then answer what came in."""
        child = self._child
        watch_loop(asyncio.get_running_loop(), self._log)
        child.listen_for_the_end()
        background = {
            asyncio.create_task(child.beat(self._count)),
            asyncio.create_task(self._hints.run()),
            asyncio.create_task(self._keep_sampling()),
        }
        gc.collect()
        gc.freeze()
        gc.set_threshold(wiring.GARBAGE_AFTER)
        sys.setswitchinterval(wiring.THREAD_TURN_S)
        for listener in self._listeners:
            await listener.start()
        serving: set[asyncio.Task[None]] = set()
        if self._http is not None:
            # The first FHIR message must not hold the others up for half a second.
            await asyncio.to_thread(wiring.warm_models)
            descriptor = child.assignment.sockets[Part.HTTP]
            serving.add(asyncio.create_task(self._http.serve(sockets=[socket.socket(fileno=descriptor)])))
            while not self._http.started:  # noqa: ASYNC110 - the library has a flag, no event
                await asyncio.sleep(0.005)
        for part in child.assignment.rows:
            child.say(part, RowState.SERVING)
        part = Part.HTTP if self._http is not None else Part.MLLP
        self._log.emit(ProcessStarted(part, 0, _ms_since(started_at_s)))
        served_from_s = time.monotonic()
        stopped = asyncio.create_task(child.stopping.wait())
        await asyncio.wait({stopped, *serving}, return_when=asyncio.FIRST_COMPLETED)
        cut_off = await self._stop(serving)
        for task in (stopped, *background):
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self._sender.close()
        await self._work.dispose()
        await self._app.dispose()
        self._log.emit(ProcessStopped(part, 0, int(time.monotonic() - served_from_s), cut_off))

    async def _stop(self, serving: set[asyncio.Task[None]]) -> int:
        """Accept nothing more, answer what is under way, close."""
        grace_s = own_grace_s(self._settings.shutdown_grace_s)
        self._child.stop()
        # Long polls end with what they have; their clients ask again elsewhere.
        self._arrivals.close()
        if self._http is not None:
            self._http.should_exit = True
        closing = asyncio.gather(*(listener.close(grace_s) for listener in self._listeners))
        cut_off = await finish(serving, grace_s)
        cut_off += sum(await closing)
        await self._intake.close()
        return cut_off

    # MLLP.

    def _mllp(self, refuse: Refuse) -> list[MllpListener]:
        listeners = []
        for index, listener in enumerate(self._settings.listeners):
            descriptor = self._child.assignment.sockets.get(f"{Part.MLLP}/{index}")
            if descriptor is not None:
                listeners.append(
                    face.mllp_listener(
                        self._settings,
                        listener,
                        self._answer_mllp,
                        refuse,
                        socket.socket(fileno=descriptor),
                        self._room,
                        on_closed=self._closed,
                    )
                )
        return listeners

    async def _answer_mllp(self, frame: bytes, peer: Peer) -> Reply:
        if is_batch(frame):
            return await answer_batch(frame, lambda body: self._receive_mllp(body, peer), clock=self._clock, ids=self._ids)
        return face.reply_of(await self._receive_mllp(frame, peer))

    async def _receive_mllp(self, body: bytes, peer: Peer) -> Received:
        started_s = time.perf_counter()
        received = await self._intake.receive(Envelope(body, Door.MLLP, self._clock.now(), peer.host, certificate=peer.certificate_sha256))
        self._note(received, DoorName.MLLP, started_s)
        return received

    def _closed(self, report: ConnectionReport) -> None:
        event = face.connection_closed(report)
        self._metrics.connections_closed.labels(event.reason).inc()
        self._metrics.frames_refused.inc(event.failures)
        self._log.emit(event)

    # HTTP.

    def _http_configuration(self, application: FastAPI) -> uvicorn.Config:
        return uvicorn.Config(
            application,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, int(own_grace_s(self._settings.shutdown_grace_s))),
        )

    async def _receive_http(self, envelope: Envelope) -> tuple[Answer, bytes | None]:
        started_s = time.perf_counter()
        received = await self._intake.receive(envelope)
        self._note(received, DoorName.FHIR if envelope.door is Door.FHIR else DoorName.HTTP, started_s)
        return received.answer, received.acks[-1] if received.acks else None

    def _observe(self, request: RequestAnswered) -> None:
        method = request.method if request.method in _METHODS else "OTHER"
        self._metrics.requests.labels(method, request.route, str(request.status)).inc()
        self._metrics.request_time.labels(request.route).observe(request.duration_ms / 1000)
        if request.failure is not None:
            self._metrics.defects.inc()
        if request.route in _UNREMARKABLE and request.status < _ERROR_MIN:
            return
        self._log.emit(
            RequestEvent(
                request.trace_id,
                request.method,
                request.route,
                request.status,
                request.duration_ms,
                request.organization_id,
                request.key_id,
                request.failure,
            )
        )

    # Both doors.

    def _note(self, received: Received, door: DoorName, started_s: float) -> None:
        answer = received.answer
        kept = self._counters.get((door, answer.code))
        if kept is None:
            # Looking labels up costs as much as counting.
            kept = self._metrics.messages.labels(door.value, answer.code.value), self._metrics.receipt.labels(door.value)
            self._counters[door, answer.code] = kept
        kept[0].inc()
        kept[1].observe(time.perf_counter() - started_s)
        if answer.code.value.endswith("A"):
            if self._log.takes(Level.DEBUG):
                self._log.emit(MessageReceived(answer.message_id, door, answer.code.value, answer.duplicate))
            return
        codes = tuple(problem.code.value for problem in answer.problems)
        self._log.emit(MessageRefused(answer.message_id, door, answer.code.value, codes))

    def _count(self) -> None:
        """Bring counters up to date that others keep."""
        self._log.say_spared()
        groups, messages = self._intake.groups, self._intake.messages
        self._metrics.groups.inc(groups - self._groups)
        self._metrics.group_messages.inc(messages - self._grouped)
        self._groups, self._grouped = groups, messages
        for listener in self._listeners:
            self._metrics.connections.labels(listener.name).set(len(listener.reports()))
        self._metrics.held_bytes.set(self._room.held_bytes)
        displaced = sum(listener.displaced for listener in self._listeners)
        turned_away = sum(listener.turned_away for listener in self._listeners)
        gone, before = (self._room.turned_out, displaced, turned_away), self._gone
        if gone != before:
            self._gone = gone
            self._metrics.connections_refused.inc(gone[2] - before[2])
            self._log.emit(DoorCrowded(self._room.held_bytes, *(now - then for now, then in zip(gone, before, strict=True))))

    async def _keep_sampling(self) -> None:
        """Ask the database once in a while what waits, for `/metrics`; only one process of a tree does."""
        if self._http is None:
            return
        transaction = wiring.open_transaction(self._work)
        while True:
            board = self._child.board
            sample = Sample(
                parts_serving=self._readyz.serving(),
                step_oldest_s=self._readyz.step_oldest_s(),
                process_restarts=board.process_restarts,
                database_restarts=board.database_restarts,
            )
            # A database that is away: its numbers are left out of the page, which is what is true of them.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(SAMPLED_EVERY_S), transaction() as raw:
                    waiting, heard, turned = await read_backlog(raw), await heard_feeds(raw), await queues.alerts(raw)
                    loaded, doubled = await panel_standings.sampled(raw), await panel_conflicts.counted(raw)
                    ending = await agreements.days_left(raw, self._clock.now())
                now = self._clock.now()
                sample = replace(
                    sample,
                    queue_depth=waiting.messages,
                    queue_oldest_s=waiting.oldest_s(now),
                    deliveries_waiting=waiting.deliveries,
                    comparisons_waiting=waiting.comparisons,
                    comparisons_oldest_s=waiting.oldest_comparison_s(now),
                    feeds=[FeedSample(public_id(Kind.FEED, one.feed_id), one.last_message_at, one.is_silent) for one in heard],
                    panels=[PanelSample(public_id(Kind.ORGANIZATION, whose), at, state) for whose, at, state in loaded],
                    panel_conflicts=doubled,
                    agreements=[(public_id(Kind.ORGANIZATION, whose), kind, days) for whose, kind, days in ending],
                    people_queues=turned,
                )
            self._sample = sample
            await asyncio.sleep(SAMPLED_EVERY_S)

    # Hints.

    def _hinted(self, topic: str) -> None:
        kind, _, recipient = topic.partition(":")
        if kind == "notification":
            self._arrivals.wake(UUID(recipient))

    def _hints_lost(self, error: BaseException) -> None:
        self._lost_at_s = time.monotonic()
        self._log.emit(HintsLost(class_of(error)))
        # The same server held the pools' connections. Each dead one would cost a sender a negative answer.
        self._drop = asyncio.gather(self._work.dispose(), self._app.dispose())

    def _hints_restored(self) -> None:
        self._log.emit(HintsRestored(int((time.monotonic() - self._lost_at_s) * 1000)))


def _ms_since(started_s: float) -> int:
    return int((time.monotonic() - started_s) * 1000)


def main() -> int:
    """Be the front process of the tree that started this one."""
    started_s = time.monotonic()
    try:
        child = Child.join()
    except NoParentError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    settings = load_settings()
    part = Part.HTTP if Part.HTTP in child.assignment.rows else Part.MLLP
    log = process_log(part, 0, is_json=settings.log_format is LogFormat.JSON, level=settings.log_level)
    front = Front(child, settings, log, Metrics(None))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(front.run(started_s))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Counters, gauges and histograms of one process, and one page of them for the whole tree.

Labels are enumerations, codes, route templates and feed ids: their number is bounded and none is about a patient. The processes of a
tree write into small files of one folder (prometheus_client's multiprocess mode, switched on by the supervisor through
PROMETHEUS_MULTIPROC_DIR before they start); the process that has `/metrics` adds them up. Not here: when something is counted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_FILE_SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0)
_AGED: Final = {"fresh": 0, "ageing": 1, "expired": 2}
_ALERTS: Final = {"none": 0, "ageing": 1, "overdue": 2}
_GaugeMode = Literal["livesum", "livemostrecent"]


class Metrics:
    """What one process counts. Made once a process: the library refuses a second of the same name in one registry."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        """Register with a registry, or with none where the processes of a tree write into files."""

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"handoff_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"handoff_{name}", text, labels, registry=registry, buckets=buckets)

        def gauge(name: str, text: str, *labels: str, mode: _GaugeMode) -> Gauge:
            return Gauge(f"handoff_{name}", text, labels, registry=registry, multiprocess_mode=mode)

        self.messages = counter("messages_received", "Messages answered at the door.", "door", "answer")
        self.receipt = histogram("message_receipt_seconds", "From the frame to its answer, commit included.", "door", buckets=_SECONDS)
        self.groups = counter("commit_groups", "Group commits of the door; messages divided by groups is the size of a group.")
        self.group_messages = counter("commit_group_messages", "Messages that the group commits stored.")
        self.connections = gauge("mllp_connections", "Open MLLP connections.", "listener", mode="livesum")
        self.held_bytes = gauge("mllp_held_bytes", "What the MLLP connections hold together, of HANDOFF_MLLP_BYTES_MAX.", mode="livesum")
        self.connections_refused = counter("mllp_connections_refused", "MLLP connections turned away because there were too many.")
        self.connections_closed = counter("mllp_connections_closed", "MLLP connections that ended, by reason.", "reason")
        self.frames_refused = counter("mllp_frames_refused", "What MLLP connections were refused without its being a message.")
        self.files = counter("files_finished", "Files of drops that were worked off.", "source", "outcome")
        self.file_time = histogram("file_seconds", "One file, from its claim to its result.", "source", buckets=_FILE_SECONDS)
        self.files_waiting = gauge("files_waiting", "Files that lie in a drop.", "source", mode="livesum")
        self.sources_paused = gauge("sources_paused", "1 while a drop cannot be used.", "source", mode="livesum")
        self.batches = histogram("batch_messages", "Messages of one pipeline batch.", buckets=_SIZES)
        self.batch_time = histogram("batch_seconds", "One pipeline batch, commit included.", "loop", buckets=_SECONDS)
        self.processed = counter("messages_processed", "Messages that went through rooms 3 to 7.")
        self.set_aside = counter("messages_set_aside", "Messages that a person must look at.")
        self.reconsidered = counter("stays_reconsidered", "Stays decided again after a panel, a merge, a contact or the time.", "loop")
        self.compared = counter("records_compared", "Patient records compared with those they may be one person with.")
        self.batches_failed = counter("batches_failed", "Batches rolled back and tried again in halves.")
        self.notifications = counter("notifications_numbered", "Notifications written to the outboxes.")
        self.late = counter("notifications_late", "Notifications of what had waited for a person: a release from a queue, told as late.")
        self.pauses = counter("loop_pauses", "Rounds that could not work because the database was away.", "loop")
        self.deliveries = counter("deliveries_attempted", "Webhook attempts by outcome.", "outcome")
        self.attempt_time = histogram("delivery_attempt_seconds", "One webhook attempt.", buckets=_SECONDS)
        self.requests = counter("http_requests", "HTTP requests answered.", "method", "route", "status")
        self.request_time = histogram("http_request_seconds", "HTTP requests, long polls included.", "route", buckets=_SECONDS)
        self.audit_rows = counter("audit_rows_linked", "Rows of the audit, the ledger and the attempts that were put into the chain.")
        self.audit_lag = gauge("audit_unlinked_seconds", "Age of the oldest of them that is in no link yet.", mode="livemostrecent")
        self.defects = counter("defects", "Errors that no rule expects; the log has their places.")

    def audit_linked(self, rows: int, oldest_at: datetime | None, now: datetime) -> None:
        """Count what was put into the audit chain, and say how far it lags."""
        self.audit_rows.inc(rows)
        self.audit_lag.set(max(0.0, (now - oldest_at).total_seconds()) if oldest_at is not None else 0.0)


@dataclass(frozen=True, slots=True)
class FeedSample:
    """When a feed was heard last, and whether it is silent for longer than its habit allows."""

    feed: str
    """The feed's id: their number is what is configured, and none is about a patient."""
    last_message_at: datetime | None
    is_silent: bool


@dataclass(frozen=True, slots=True)
class PanelSample:
    """When a panel was loaded last, and what its age makes of it."""

    organization: str
    """The organization's id."""
    last_loaded_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Sample:
    """What is asked of the database and the tree once in a while, for the page."""

    queue_depth: int | None = None
    """None: the database is away."""
    queue_oldest_s: float | None = None
    deliveries_waiting: int | None = None
    comparisons_waiting: int | None = None
    comparisons_oldest_s: float | None = None
    step_oldest_s: float | None = None
    parts_serving: dict[str, int] = field(default_factory=dict)
    """Part -> processes that serve."""
    process_restarts: int = 0
    database_restarts: int = 0
    feeds: Sequence[FeedSample] = ()
    panels: Sequence[PanelSample] = ()
    panel_conflicts: dict[str, int] = field(default_factory=dict)
    """Role -> people whom two organizations claim so."""
    agreements: Sequence[tuple[str, str, int]] = ()
    """Organization, kind, and days left of what expires soon and is not renewed; less than none: it has expired."""
    people_queues: Mapping[str, str] = field(default_factory=dict)
    """Queue of people's work -> how its oldest is doing, as last said."""


class SampleCollector:
    """Gives the latest sample as metrics."""

    def __init__(self, latest: Callable[[], Sample]) -> None:
        self._latest = latest

    def collect(self) -> Iterable[Metric]:
        """Give the metrics; what is not known is left out."""
        sample = self._latest()
        for name, text, value in (
            ("handoff_queue_depth", "Messages that wait for the pipeline.", sample.queue_depth),
            ("handoff_queue_oldest_seconds", "Age of the oldest message that waits: how far the pipeline lags.", sample.queue_oldest_s),
            ("handoff_step_oldest_seconds", "Age of the oldest step of the workers that has not ended.", sample.step_oldest_s),
            ("handoff_deliveries_waiting", "Deliveries that are not settled.", sample.deliveries_waiting),
            ("handoff_comparisons_waiting", "Patient records that wait to be compared with others.", sample.comparisons_waiting),
            ("handoff_comparisons_oldest_seconds", "For how long the oldest of them has: how far it lags.", sample.comparisons_oldest_s),
        ):
            if value is not None:
                yield GaugeMetricFamily(name, text, value=value)
        serving = GaugeMetricFamily("handoff_processes_serving", "Processes of this tree that serve.", labels=["part"])
        for part, count in sample.parts_serving.items():
            serving.add_metric([part], count)
        yield serving
        heard = GaugeMetricFamily("handoff_feed_last_message_timestamp_seconds", "When a feed was heard last.", labels=["feed"])
        silent = GaugeMetricFamily("handoff_feed_silent", "1: the feed is silent for longer than its habit allows.", labels=["feed"])
        for one in sample.feeds:
            if one.last_message_at is not None:
                heard.add_metric([one.feed], one.last_message_at.timestamp())
            silent.add_metric([one.feed], int(one.is_silent))
        yield heard
        yield silent
        yield from _of_panels(sample)
        left = GaugeMetricFamily("handoff_agreement_days_left", "Of agreements that expire soon.", labels=["organization", "kind"])
        for whose, kind, days in sample.agreements:
            left.add_metric([whose, kind], days)
        yield left
        alerts = GaugeMetricFamily("handoff_people_queue_alert", "1: its oldest is ageing; 2: it is overdue.", labels=["queue"])
        for queue, alert in sample.people_queues.items():
            alerts.add_metric([queue], _ALERTS.get(alert, 0))
        yield alerts
        yield CounterMetricFamily("handoff_process_restarts", "Processes of this tree started again.", value=sample.process_restarts)
        yield CounterMetricFamily("handoff_database_restarts", "Restarts of the embedded PostgreSQL.", value=sample.database_restarts)


def _of_panels(sample: Sample) -> Iterable[Metric]:
    loaded = GaugeMetricFamily("handoff_panel_last_loaded_timestamp_seconds", "When a panel was loaded last.", labels=["organization"])
    aged = GaugeMetricFamily("handoff_panel_aged", "1: the panel is ageing; 2: it has expired.", labels=["organization"])
    for one in sample.panels:
        loaded.add_metric([one.organization], one.last_loaded_at.timestamp())
        aged.add_metric([one.organization], _AGED.get(one.state, 0))
    doubled = GaugeMetricFamily("handoff_panel_conflicts", "People whom two organizations of one role claim.", labels=["role"])
    for role, people in sample.panel_conflicts.items():
        doubled.add_metric([role], people)
    yield from (loaded, aged, doubled)


def page_registry(folder: Path | None, latest: Callable[[], Sample]) -> CollectorRegistry:
    """Give the registry behind `/metrics`: the files of the whole tree, or an empty one to count in, and the latest sample."""
    registry = CollectorRegistry()
    if folder is not None:
        MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]  # the library publishes no types for it
    registry.register(SampleCollector(latest))
    return registry


def forget_process(folder: Path, pid: int) -> None:
    """Remove the live gauges of a process that has ended; its counters stay, so that sums never fall."""
    for path in folder.glob(f"gauge_live*_{pid}.db"):
        path.unlink(missing_ok=True)

"""Tells the log and the metrics what happens to files. Never their names: people are named in names. Not here: what happens."""

from collections.abc import Callable

from app.domain.drop import FileOutcome, Taken
from app.drop.report import FileReport
from app.intake import Received
from app.telemetry.events import FileRefused, FileTaken, MessageReceived, MessageRefused, SourcePaused, SourceResumed
from app.telemetry.log import EventLog
from app.telemetry.metrics import Metrics
from app.telemetry.words import DoorName, Level


class DropLog:
    """Implements `DropObserver` for one process."""

    def __init__(self, log: EventLog, metrics: Metrics, on_defect: Callable[[Exception], None]) -> None:
        self._log, self._metrics, self._on_defect = log, metrics, on_defect

    def finished(self, source: str, taken: Taken, report: FileReport, duration_s: float) -> None:
        """Note that a file has ended up somewhere."""
        self._metrics.files.labels(source, report.outcome.value).inc()
        self._metrics.file_time.labels(source).observe(duration_s)
        took_ms = int(duration_s * 1000)
        if report.outcome is FileOutcome.REFUSED:
            self._log.emit(FileRefused(source, taken.id, report.reason, report.octets, report.items, taken.tries, took_ms))
            return
        counts = report.items, report.accepted, report.refused, report.repeated
        self._log.emit(FileTaken(source, taken.id, report.outcome.value, report.octets, *counts, taken.tries, took_ms))

    def waiting(self, source: str, files: int) -> None:
        """Note how many files lie in the drop."""
        self._metrics.files_waiting.labels(source).set(files)

    def paused(self, source: str, reason: str, pause_s: float) -> None:
        """Note that the drop cannot be used now."""
        self._metrics.sources_paused.labels(source).set(1)
        self._log.emit(SourcePaused(source, reason, int(pause_s * 1000)))

    def resumed(self, source: str, away_s: float) -> None:
        """Note that it can be used again."""
        self._metrics.sources_paused.labels(source).set(0)
        self._log.emit(SourceResumed(source, int(away_s * 1000)))

    def defect(self, error: Exception) -> None:
        """Note an error that no rule expects."""
        self._on_defect(error)

    def received(self, received: Received, took_s: float) -> None:
        """Note what a message of a file was answered."""
        answer = received.answer
        self._metrics.messages.labels(DoorName.FILE.value, answer.code.value).inc()
        self._metrics.receipt.labels(DoorName.FILE.value).observe(took_s)
        if answer.code.value.endswith("A"):
            if self._log.takes(Level.DEBUG):
                self._log.emit(MessageReceived(answer.message_id, DoorName.FILE, answer.code.value, answer.duplicate))
            return
        codes = tuple(problem.code.value for problem in answer.problems)
        self._log.emit(MessageRefused(answer.message_id, DoorName.FILE, answer.code.value, codes))

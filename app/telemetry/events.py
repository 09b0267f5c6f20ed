"""Log events: a noun, what happened to it, and the fields that may be told.

Not here: what is watched and said once (watch_events.py), and how a line is written (log.py).

One wide event for each passage through a room, with ids, counts, durations and codes. Every class is a line of the list in
README.md of this folder; a test holds the two together, and another one the kinds of the fields (fields.py).
"""

from dataclasses import dataclass
from uuid import UUID

from app.telemetry.event import Event
from app.telemetry.fields import ClassName, Code, Failure, LibraryName, Listener, Method, Place, Revision, Route, Source, TraceId
from app.telemetry.words import DoorName, Level, Loop, Part


@dataclass(frozen=True, slots=True)
class ProcessStarted(Event):
    """A process serves from now on."""

    name = "process.started"
    part: Part
    number: int
    started_in_ms: int


@dataclass(frozen=True, slots=True)
class ProcessStopped(Event):
    """A process ends in order."""

    name = "process.stopped"
    part: Part
    number: int
    served_for_s: int
    cut_off: int
    """Connections or rounds that were not finished within the grace."""


@dataclass(frozen=True, slots=True)
class ServiceStarted(Event):
    """Every part of the tree serves."""

    name = "service.started"
    http_port: int
    """0: this tree has no HTTP listener."""
    mllp_ports: tuple[int, ...]
    workers: int
    started_in_ms: int


@dataclass(frozen=True, slots=True)
class ServiceStopped(Event):
    """The tree has ended."""

    name = "service.stopped"
    stopped_in_ms: int
    killed: int
    """Processes that did not end within the grace."""


@dataclass(frozen=True, slots=True)
class ChildEnded(Event):
    """A process of the tree ended although nobody asked it to; it is started again after the pause."""

    name = "child.ended"
    level = Level.ERROR
    part: Part
    number: int
    child_pid: int
    exit_code: int
    """Negative: ended by this signal."""
    restarts: int
    pause_ms: int


@dataclass(frozen=True, slots=True)
class ChildKilled(Event):
    """A process of the tree gave no sign of life and was killed, so that another takes its place."""

    name = "child.killed"
    level = Level.ERROR
    part: Part
    number: int
    child_pid: int
    silent_for_s: int


@dataclass(frozen=True, slots=True)
class DatabaseRestarted(Event):
    """The embedded PostgreSQL had died and was started again."""

    name = "database.restarted"
    level = Level.ERROR
    restarts: int
    took_ms: int


@dataclass(frozen=True, slots=True)
class DatabaseMigrated(Event):
    """The embedded database was brought to this release's schema."""

    name = "database.migrated"
    revision: Revision
    took_ms: int


@dataclass(frozen=True, slots=True)
class MessageReceived(Event):
    """A message was stored and acknowledged."""

    name = "message.received"
    level = Level.DEBUG
    message_id: UUID | None
    door: DoorName
    answer: Code
    duplicate: bool


@dataclass(frozen=True, slots=True)
class MessageRefused(Event):
    """A message was answered negatively. The problems and their places are with the message (`handoff inbound show`)."""

    name = "message.refused"
    level = Level.WARNING
    message_id: UUID | None
    """None: it could not even be stored."""
    door: DoorName
    answer: Code
    problems: tuple[Code, ...]


@dataclass(frozen=True, slots=True)
class FileTaken(Event):
    """A file of a drop was taken and lies in `done/`, with its results beside it. Its name is not said: people are named in names."""

    name = "file.taken"
    source: Source
    file_id: UUID
    """`id` in the file's result."""
    outcome: Code
    octets: int
    items: int
    """Messages or rows."""
    accepted: int
    refused: int
    repeated: int
    tries: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class FileRefused(Event):
    """Nothing of a file was taken; it lies in `failed/`, and its result says why and what to do."""

    name = "file.refused"
    level = Level.WARNING
    source: Source
    file_id: UUID
    reason: Code
    octets: int
    items: int
    tries: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class SourcePaused(Event):
    """A drop cannot be used; its files wait, and it is tried again. Said once. `handoff files check` says what to do."""

    name = "source.paused"
    level = Level.WARNING
    source: Source
    reason: Code
    pause_ms: int


@dataclass(frozen=True, slots=True)
class SourceResumed(Event):
    """A drop can be used again."""

    name = "source.resumed"
    source: Source
    away_for_ms: int


@dataclass(frozen=True, slots=True)
class ConnectionClosed(Event):
    """An MLLP connection ended."""

    name = "connection.closed"
    listener: Listener
    connection: int
    reason: Code
    open_for_s: int
    frames: int
    replies: int
    garbage_bytes: int
    failures: int


@dataclass(frozen=True, slots=True)
class DoorCrowded(Event):
    """MLLP connections were turned out for what they held, displaced for their place, or turned away; at most twice a second."""

    name = "door.crowded"
    level = Level.WARNING
    held_bytes: int
    turned_out: int
    displaced: int
    turned_away: int


@dataclass(frozen=True, slots=True)
class BatchWorked(Event):
    """One batch went through rooms 3 to 7 and was committed."""

    name = "batch.worked"
    loop: Loop
    messages: int
    reconsidered: int
    notifications: int
    set_aside: int
    recipients: int
    size_max: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class BatchFailed(Event):
    """A batch was rolled back; it is tried again in halves."""

    name = "batch.failed"
    level = Level.WARNING
    messages: int


@dataclass(frozen=True, slots=True)
class DeliveriesAttempted(Event):
    """One round of webhook deliveries."""

    name = "delivery.attempted"
    delivered: int
    retried: int
    failed: int
    lost: int
    """Results that another worker had already recorded."""


@dataclass(frozen=True, slots=True)
class LoopPaused(Event):
    """A loop could not work because the database is away; it tries again after the pause."""

    name = "loop.paused"
    level = Level.WARNING
    loop: Loop
    error: ClassName
    pause_ms: int


@dataclass(frozen=True, slots=True)
class HintsLost(Event):
    """The connection that brings hints of new work ended; until it is back the loops look once a second."""

    name = "hints.lost"
    level = Level.WARNING
    error: ClassName


@dataclass(frozen=True, slots=True)
class HintsRestored(Event):
    """Hints of new work come again."""

    name = "hints.restored"
    away_for_ms: int


@dataclass(frozen=True, slots=True)
class RequestAnswered(Event):
    """One HTTP request was answered."""

    name = "request.answered"
    trace_id: TraceId
    method: Method
    route: Route
    status: int
    duration_ms: float
    organization_id: UUID | None
    key_id: UUID | None
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class DefectFound(Event):
    """An error that no rule expects. Please report it: the class and the place are enough."""

    name = "defect.found"
    level = Level.ERROR
    error: ClassName
    place: Place


@dataclass(frozen=True, slots=True)
class LibraryLogged(Event):
    """A library wrote to its log. Its text is not passed on: it may quote what it worked on."""

    name = "library.logged"
    level = Level.WARNING
    library: LibraryName
    library_level: Level
    error: ClassName | None
    place: Place | None


@dataclass(frozen=True, slots=True)
class LinesSpared(Event):
    """Lines that were not written, because a flood caused more of them in a second than anybody reads; counted, at most every 10 s."""

    name = "lines.spared"
    level = Level.WARNING
    connection_closed: int
    message_refused: int

"""What is known of the other end of an MLLP connection, what it is allowed, and how a connection is reported.

Values only. Not here: the connection itself (`connection`) and the server (`listener`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end."""

    connection_id: int
    host: str
    port: int
    listener: str = ""
    is_tls: bool = False
    certificate_sha256: str | None = None
    """Fingerprint of the client certificate, hexadecimal; None without one."""
    certificate_names: tuple[str, ...] = ()
    """Subject alternative names and common name of the client certificate."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a peer is told, and what its commit block says where it speaks Release 2 (MLLP-5)."""

    acks: tuple[bytes, ...]
    is_stored: bool = True
    is_release_2: bool = False
    """This sender does, whatever its listener is set to."""


@dataclass(frozen=True, slots=True)
class Unwelcome(Said):
    """What a stranger is told: the application has no use for what this peer sends, and it is listened to less for it."""


Reply = bytes | tuple[bytes, ...] | Said | None
"""One acknowledgement, or two (accept and application), or nothing to send."""


class Failure(StrEnum):
    """Why a frame gets no answer from the application."""

    ANSWER_FAILED = "answer_failed"
    ANSWER_TIMED_OUT = "answer_timed_out"
    TOO_LONG = "too_long"
    """The bytes are only the beginning of the frame."""
    UNFRAMED = "unframed"
    """An HL7 message came without its start byte; the bytes are only its beginning."""
    NO_ROOM = "no_room"
    """All connections together hold as much as they may; the bytes are only the beginning of what came."""


class CloseReason(StrEnum):
    """Why a connection ended."""

    PEER_CLOSED = "peer_closed"
    PEER_RESET = "peer_reset"
    IDLE = "idle"
    FRAME_TIMED_OUT = "frame_timed_out"
    FRAME_TOO_LONG = "frame_too_long"
    ANSWERS_NOT_READ = "answers_not_read"
    NO_ANSWER = "no_answer"
    """The application failed and nothing could be said instead; the sender will send again."""
    TLS_ON_PLAIN = "tls_on_plain"
    """The peer speaks TLS and this door does not; it was told so in TLS."""
    NO_ROOM = "no_room"
    """All connections together held as much as they may, and this one the most of what had not begun."""
    DISPLACED = "displaced"
    """All places were taken, and it had shown nothing welcome for the longest: somebody new has its place."""
    TOO_MANY = "too_many"
    SHUTDOWN = "shutdown"
    SHUTDOWN_FORCED = "shutdown_forced"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one listener allows. The defaults suit senders that keep a connection open for days."""

    frame_bytes_max: int = 1_048_576
    idle_timeout_s: float = 86_400.0
    """A close looks like an outage to the sender's monitor, so this is long; dead peers are found by TCP keep-alive."""
    frame_timeout_s: float = 60.0
    """From the first byte of a frame to its last, however slowly the bytes drip."""
    answer_timeout_s: float = 30.0
    write_timeout_s: float = 30.0
    """How long a peer may leave its answers unread."""
    end_grace_s: float = 0.2
    """How long a missing 0x0D after 0x1C is waited for."""
    in_flight_max: int = 64
    """Frames of one connection that are being answered at once."""
    in_flight_bytes_max: int = 4_194_304
    """What the frames of one connection may hold while they are answered; one frame always may."""
    frames_a_turn: int = 32
    """Frames that one turn of the event loop begins, of all connections together."""
    strangers_at_once: int = 100
    """Frames of peers that have shown nothing welcome yet which are answered at once, of all connections together."""
    strangers_per_s: float = 50.0
    """How many of them a second after that. What turns out to be welcome does not count."""
    connections_max: int = 2_000
    is_release_2: bool = False
    """Send MLLP Release 2 commit acknowledgements before the answer (MLLP-5)."""


@dataclass(slots=True)
class Counters:
    """What has happened on a connection so far. Numbers only, never content."""

    bytes_in: int = 0
    bytes_out: int = 0
    frames: int = 0
    replies: int = 0
    garbage_bytes: int = 0
    frames_unterminated: int = 0
    frames_aborted: int = 0
    failures: int = 0
    last_failure: str = ""
    """Type of the last exception that the application raised."""


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """A connection as the operator sees it; `reason` is None while it is open."""

    peer: Peer
    open_for_s: float
    counters: Counters
    reason: CloseReason | None


Answer = Callable[[bytes, Peer], Awaitable[Reply]]
Refuse = Callable[[bytes, Peer, Failure], bytes | None]

"""One delivery of one notification to one endpoint: what an attempt's outcome means, when to try again, and in what order.

Retry schedule, outcomes and thresholds are those of the delivery promise ("our policy" below); success and failure by status
are those of Standard Webhooks 1.0. Not here: the endpoint's health and breaker (endpoint.py), how bytes are sent
(adapters/webhook), or how deliveries are claimed and stored.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

# Our policy. The first delay is that of the first attempt; 14 attempts end about 77 hours after the first.
RETRY_DELAYS_S: Final[tuple[int, ...]] = (0, 5, 30, 120, 300, 900, 1800, 3600, 7200, 18000, 36000, 50400, 72000, 86400)
ATTEMPTS_MAX: Final = len(RETRY_DELAYS_S)
JITTER: Final = 0.2
RETRY_AFTER_MAX_S: Final = 24 * 3600.0
OWNER_NOTICE_AFTER: Final = timedelta(minutes=15)
WORKLIST_NOTICE_AFTER: Final = timedelta(minutes=60)


class AttemptOutcome(StrEnum):
    """What one attempt came to. Only this decides what happens next, never the text of an answer."""

    DELIVERED = "delivered"
    """2xx. Any body is ignored."""
    REFUSED = "refused"
    """4xx other than 408, 410, 425, 429: the receiver will not take this notification. Final; the owner is told."""
    GONE = "gone"
    """410: the receiver wants no more. The endpoint is disabled; the delivery waits for its owner and nothing is deleted."""
    THROTTLED = "throttled"
    """429, 502 or 504: the receiver is under load (Standard Webhooks). Tried again by schedule."""
    UNAVAILABLE = "unavailable"
    """The notification was certainly not taken: no connection, 3xx (never followed), 408, 425 or another 5xx. Tried again."""
    UNKNOWN = "unknown"
    """The request was sent and no answer came back, so it may have been taken. Tried again under the same webhook-id."""


class TransportFault(StrEnum):
    """Why an attempt ended without an HTTP status."""

    ADDRESS_REFUSED = "address_refused"
    """The guard did not let the socket be made. Nothing left this machine."""
    NAME_UNRESOLVED = "name_unresolved"
    CONNECTION_FAILED = "connection_failed"
    """Refused, unreachable, or no connection within the connect timeout."""
    TLS_FAILED = "tls_failed"
    """Certificate, host name or protocol version. Nothing of the notification was sent."""
    ANSWER_TIMED_OUT = "answer_timed_out"
    CONNECTION_LOST = "connection_lost"
    """Reset or closed after the request began."""
    ANSWER_MALFORMED = "answer_malformed"
    """The peer does not speak HTTP, or not within our limits."""
    DEFECT = "defect"
    """Our own error while sending; nothing says how far it got."""


CONNECTION_FAULTS: Final = frozenset(
    {TransportFault.ADDRESS_REFUSED, TransportFault.NAME_UNRESOLVED, TransportFault.CONNECTION_FAILED, TransportFault.TLS_FAILED},
)
"""Faults before the first byte of the request: the notification was certainly not taken."""

_BY_STATUS: Final = {
    408: AttemptOutcome.UNAVAILABLE,
    410: AttemptOutcome.GONE,
    425: AttemptOutcome.UNAVAILABLE,
    429: AttemptOutcome.THROTTLED,
    502: AttemptOutcome.THROTTLED,
    504: AttemptOutcome.THROTTLED,
}
_BY_CLASS: Final = {
    2: AttemptOutcome.DELIVERED,
    3: AttemptOutcome.UNAVAILABLE,
    4: AttemptOutcome.REFUSED,
    5: AttemptOutcome.UNAVAILABLE,
}


def outcome_of_status(status_code: int) -> AttemptOutcome:
    """Classify a final HTTP status (RFC 9110 section 15; Standard Webhooks, "delivery success and failure")."""
    return _BY_STATUS.get(status_code) or _BY_CLASS.get(status_code // 100, AttemptOutcome.UNKNOWN)


def outcome_of_fault(fault: TransportFault) -> AttemptOutcome:
    """Classify an attempt that got no status: before the request it was not taken, after it nobody knows."""
    return AttemptOutcome.UNAVAILABLE if fault in CONNECTION_FAULTS else AttemptOutcome.UNKNOWN


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One attempt as the sender gets it. `body` is what is signed and sent, byte for byte."""

    endpoint_id: UUID
    url: str
    webhook_id: str
    """The same over all attempts (Standard Webhooks): receivers may use it to ignore what they have seen."""
    attempted_at: datetime
    body: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """`whsec_…`, newest first; more than one while a rotation overlaps."""


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What became of one attempt. Exactly one of `status_code` and `fault` is set."""

    outcome: AttemptOutcome
    duration_s: float
    status_code: int | None = None
    fault: TransportFault | None = None
    retry_after_s: float | None = None
    """What the receiver asked for, not yet capped."""
    body_excerpt: str = field(default="", repr=False)
    """The beginning of the answer, for the endpoint's owner only: a receiver may have echoed what it was sent."""


class DeliveryState(StrEnum):
    """Where a delivery stands. Only PENDING is unsettled: it holds back later ones of the same person."""

    PENDING = "pending"
    """To be sent from `next_attempt_at` on, when nothing earlier of its line is pending. A lease on it says that a worker has
    claimed it, nothing about whether bytes have left."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """Refused for good, or every attempt spent; the last attempt says which. Does not hold the line: the next notification may
    be acceptable. Redrive starts it afresh."""
    SUPERSEDED = "superseded"
    """Mode `latest`: a newer version took its place before it was sent."""
    WITHDRAWN = "withdrawn"
    """The right to be told ended before it was sent. Never sent, never redriven."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is stored after an attempt."""

    state: DeliveryState
    next_attempt_at: datetime | None
    is_attempt_spent: bool = True


def next_attempt_at(attempts_made: int, ended_at: datetime, random_fraction: float, retry_after_s: float | None = None) -> datetime | None:
    """Say when to try again after `attempts_made` attempts, or None when all are spent.

    `random_fraction` in [0, 1) spreads the delay by ± 20 %. `Retry-After` can make the wait longer, up to 24 hours, never
    shorter: an impatient receiver must not be able to make us hammer it.
    """
    if attempts_made < 1:
        raise ValueError(f"attempts_made must be at least 1, is {attempts_made}: a first attempt needs no schedule")
    if not 0.0 <= random_fraction < 1.0:
        raise ValueError(f"random_fraction must be in [0, 1), is {random_fraction}")
    if attempts_made >= ATTEMPTS_MAX:
        return None
    delay_s = RETRY_DELAYS_S[attempts_made] * (1 - JITTER + 2 * JITTER * random_fraction)
    return ended_at + timedelta(seconds=max(delay_s, honoured_retry_after_s(retry_after_s)))


def honoured_retry_after_s(retry_after_s: float | None) -> float:
    """Cap what the receiver asked for; nothing, and anything that is not a number of seconds, asks for nothing."""
    if retry_after_s is None or not retry_after_s > 0:
        return 0.0
    return min(retry_after_s, RETRY_AFTER_MAX_S)


def settle(result: AttemptResult, attempts_made: int, ended_at: datetime, random_fraction: float) -> Settlement:
    """Decide what an attempt's result makes of its delivery; `attempts_made` includes this one."""
    match result.outcome:
        case AttemptOutcome.DELIVERED:
            return Settlement(DeliveryState.DELIVERED, None)
        case AttemptOutcome.REFUSED:
            return Settlement(DeliveryState.FAILED, None)
        case AttemptOutcome.GONE:
            return Settlement(DeliveryState.PENDING, ended_at, is_attempt_spent=False)
        case AttemptOutcome.THROTTLED | AttemptOutcome.UNAVAILABLE | AttemptOutcome.UNKNOWN:
            again_at = next_attempt_at(attempts_made, ended_at, random_fraction, result.retry_after_s)
            return Settlement(DeliveryState.FAILED if again_at is None else DeliveryState.PENDING, again_at)


class OrderMode(StrEnum):
    """What a subscription wants kept within one line: the deliveries of one person to one endpoint."""

    ORDERED = "ordered"
    """Strictly by sequence; the first that fails stops its person's line, and no other."""
    LATEST = "latest"
    """Ordered, and a version that was not yet sent gives way to a newer version of the same event."""
    UNORDERED = "unordered"
    """Each by itself."""


@dataclass(frozen=True, slots=True)
class QueuedDelivery:
    """A delivery of one endpoint, as far as order needs it. Without a person it is a line of its own."""

    id: UUID
    person_id: UUID | None
    event_id: UUID
    version: int
    sequence: int
    state: DeliveryState
    next_attempt_at: datetime
    is_in_flight: bool = False
    """A lease on it has not run out."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Which deliveries may be sent now, all at the same time, and which will never be."""

    sendable: tuple[QueuedDelivery, ...]
    superseded: tuple[QueuedDelivery, ...]


def next_turn(queue: Iterable[QueuedDelivery], mode: OrderMode, now: datetime) -> Turn:
    """Pick from all pending deliveries of one endpoint. The store's claim does the same in SQL; a test holds them equal."""
    pending = sorted((queued for queued in queue if queued.state is DeliveryState.PENDING), key=lambda queued: queued.sequence)
    superseded = _superseded(pending) if mode is OrderMode.LATEST else ()
    dropped = {queued.id for queued in superseded}
    live = [queued for queued in pending if queued.id not in dropped]
    heads = live if mode is OrderMode.UNORDERED else _heads(live)
    due = tuple(queued for queued in heads if not queued.is_in_flight and queued.next_attempt_at <= now)
    return Turn(sendable=due, superseded=superseded)


def _superseded(pending: list[QueuedDelivery]) -> tuple[QueuedDelivery, ...]:
    newest: dict[UUID, int] = {}
    for queued in pending:
        newest[queued.event_id] = max(queued.version, newest.get(queued.event_id, queued.version))
    return tuple(queued for queued in pending if not queued.is_in_flight and queued.version < newest[queued.event_id])


def _heads(in_sequence: list[QueuedDelivery]) -> list[QueuedDelivery]:
    seen: set[UUID] = set()
    heads: list[QueuedDelivery] = []
    for queued in in_sequence:
        if queued.person_id is None or queued.person_id not in seen:
            heads.append(queued)
        if queued.person_id is not None:
            seen.add(queued.person_id)
    return heads


class Notice(StrEnum):
    """What is done about a notification that does not arrive, beside trying on."""

    OWNER = "owner"
    """After 15 minutes the endpoint's owner is told, once."""
    WORKLIST = "worklist"
    """After 60 minutes it is put before people by another road."""


def notices_due(undelivered_since: datetime, now: datetime, given: frozenset[Notice]) -> tuple[Notice, ...]:
    """Say which notices are due and not yet given, in the order of their thresholds."""
    waited = now - undelivered_since
    due = ((Notice.OWNER, OWNER_NOTICE_AFTER), (Notice.WORKLIST, WORKLIST_NOTICE_AFTER))
    return tuple(notice for notice, threshold in due if waited >= threshold and notice not in given)

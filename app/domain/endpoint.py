"""An endpoint's health: the breaker that spares a failing receiver, the pause it asked for, and when to give it up.

Pure state transitions over attempts; times come in as arguments. Every figure is our policy. Not here: what one delivery does
next (delivery.py), and what the owner decided (paused, resumed), which overrides health and is stored beside it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from app.domain.delivery import AttemptOutcome, honoured_retry_after_s

WINDOW: Final = timedelta(minutes=5)
TALLY_SPAN: Final = timedelta(minutes=1)
ATTEMPTS_TO_JUDGE: Final = 10
FAILURE_SHARE: Final = 0.7
CONNECTION_FAULTS_IN_A_ROW: Final = 5
OPEN_FIRST: Final = timedelta(seconds=30)
OPEN_LONGEST: Final = timedelta(hours=1)
DISABLE_AFTER: Final = timedelta(days=5)


class BreakerPhase(StrEnum):
    """Whether attempts may be spent on the endpoint."""

    CLOSED = "closed"
    """They may."""
    OPEN = "open"
    """Not before `retry_at`. Deliveries wait and spend nothing."""
    HALF_OPEN = "half_open"
    """One probe is under way; its result closes or opens. If none came by `retry_at`, its worker died: another may go."""


class DisabledReason(StrEnum):
    """Why we gave an endpoint up. Only its owner takes it up again; nothing is deleted meanwhile."""

    GONE = "gone"
    """It answered 410."""
    NO_SUCCESS = "no_success"
    """Five days of attempts without one success."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Attempts of one minute. Minutes, not single attempts, so that a busy endpoint's health stays a few numbers."""

    started_at: datetime
    attempts: int
    failures: int


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """All that is remembered between attempts. A new endpoint, and one taken up again, starts with the default."""

    phase: BreakerPhase = BreakerPhase.CLOSED
    retry_at: datetime | None = None
    """OPEN: when a probe may go. HALF_OPEN: when the probe counts as lost. CLOSED: None."""
    openings: int = 0
    """In a row, without a success between: the length of the next pause."""
    connection_faults: int = 0
    """In a row."""
    tallies: tuple[Tally, ...] = ()
    held_until: datetime | None = None
    """`Retry-After` speaks for the whole service (RFC 9110 section 10.2.3), so it holds the endpoint, not one delivery."""
    failing_since: datetime | None = None
    """The first failure after the last success."""
    owner_told_at: datetime | None = None
    """When its owner was told that it is behind; told once, until something arrives again."""
    disabled: DisabledReason | None = None


def allowance(health: EndpointHealth, now: datetime, wanted: int) -> int:
    """Say how many attempts may be spent now, out of `wanted`."""
    opens_at = permitted_from(health)
    if opens_at is None or opens_at > now:
        return 0
    return wanted if health.phase is BreakerPhase.CLOSED else min(wanted, 1)


def permitted_from(health: EndpointHealth) -> datetime | None:
    """Give the instant from which attempts may be spent (long past when there is no limit); None while disabled."""
    if health.disabled is not None:
        return None
    waits = [instant for instant in (health.retry_at, health.held_until) if instant is not None]
    return max(waits, default=_ALWAYS)


_ALWAYS: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def after_claim(health: EndpointHealth, probe_lost_at: datetime) -> EndpointHealth:
    """Record that permitted attempts were taken up; `probe_lost_at` is the end of the lease they were claimed under."""
    if health.phase is BreakerPhase.CLOSED:
        return health
    return replace(health, phase=BreakerPhase.HALF_OPEN, retry_at=probe_lost_at)


def after_attempt(
    health: EndpointHealth,
    outcome: AttemptOutcome,
    at: datetime,
    *,
    is_connection_fault: bool = False,
    retry_after_s: float | None = None,
) -> EndpointHealth:
    """Fold one result in. Results of a batch are folded in the order in which they came.

    A refusal counts as a failure: a receiver that answers 401 to everything would otherwise use up every notification.
    While OPEN, stragglers sent before it opened are counted but neither lengthen nor end the pause.
    """
    is_success = outcome is AttemptOutcome.DELIVERED
    counted = replace(
        health,
        tallies=_counted(health.tallies, at, is_failure=not is_success),
        connection_faults=health.connection_faults + 1 if is_connection_fault else 0,
        failing_since=None if is_success else (health.failing_since or at),
        owner_told_at=None if is_success else health.owner_told_at,
        held_until=_held(health.held_until, at, 0.0 if is_success else honoured_retry_after_s(retry_after_s)),
    )
    if outcome is AttemptOutcome.GONE:
        return replace(counted, disabled=DisabledReason.GONE)
    if counted.failing_since is not None and at - counted.failing_since >= DISABLE_AFTER:
        return replace(counted, disabled=DisabledReason.NO_SUCCESS)
    match health.phase:
        case BreakerPhase.CLOSED:
            return _opened(counted, at) if _is_failing(counted, at) else counted
        case BreakerPhase.HALF_OPEN:
            return _closed(counted) if is_success else _opened(counted, at)
        case BreakerPhase.OPEN:
            return counted


def _held(held_until: datetime | None, at: datetime, wait_s: float) -> datetime | None:
    asked = at + timedelta(seconds=wait_s) if wait_s else None
    return max((instant for instant in (held_until, asked) if instant is not None), default=None)


def _counted(tallies: tuple[Tally, ...], at: datetime, *, is_failure: bool) -> tuple[Tally, ...]:
    """Add to the minute of `at`; results may come a little out of order, so a minute is looked up, not assumed last."""
    started_at = at.replace(second=0, microsecond=0)
    if tallies and tallies[-1].started_at == started_at and _is_recent(tallies[0], at):
        last = tallies[-1]  # nearly always
        return (*tallies[:-1], Tally(started_at, last.attempts + 1, last.failures + is_failure))
    kept = {tally.started_at: tally for tally in tallies if _is_recent(tally, at)}
    old = kept.get(started_at, Tally(started_at, 0, 0))
    kept[started_at] = Tally(started_at, old.attempts + 1, old.failures + is_failure)
    return tuple(kept[key] for key in sorted(kept))


def _is_recent(tally: Tally, at: datetime) -> bool:
    """Tell whether any part of the tally's minute lies in the window, which so is five minutes and up to one more."""
    return tally.started_at + TALLY_SPAN > at - WINDOW


def _is_failing(health: EndpointHealth, at: datetime) -> bool:
    if health.connection_faults >= CONNECTION_FAULTS_IN_A_ROW:
        return True
    recent = [tally for tally in health.tallies if _is_recent(tally, at)]
    attempts = sum(tally.attempts for tally in recent)
    failures = sum(tally.failures for tally in recent)
    return attempts >= ATTEMPTS_TO_JUDGE and failures >= FAILURE_SHARE * attempts


def _opened(health: EndpointHealth, at: datetime) -> EndpointHealth:
    openings = health.openings + 1
    pause = min(OPEN_LONGEST, OPEN_FIRST * 2 ** min(openings - 1, 16))
    return replace(health, phase=BreakerPhase.OPEN, retry_at=at + pause, openings=openings, tallies=(), connection_faults=0)


def _closed(health: EndpointHealth) -> EndpointHealth:
    return replace(health, phase=BreakerPhase.CLOSED, retry_at=None, openings=0, tallies=(), connection_faults=0)

"""The papers under which an organization takes part: without one in force it is told nothing, and reads nothing.

Not here: what a patient has signed (consent), or what follows for a telling (privacy).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID


class AgreementKind(StrEnum):
    """What sort of paper it is."""

    PARTICIPATION = "participation"
    """It joins the exchange by its rules."""
    DSA = "dsa"
    """Data sharing agreement, as of a plan or a state agency."""
    BAA = "baa"
    """Business associate agreement (45 CFR 164.504(e))."""
    QSOA = "qsoa"
    """Qualified service organization agreement of a Part 2 program with the exchange (42 CFR 2.11, 2.12(c)(4))."""


LETS_TAKE_PART: Final = frozenset({AgreementKind.PARTICIPATION, AgreementKind.DSA, AgreementKind.BAA})
"""Each of these lets its organization be told and read. A QSOA lets a program hand its records to the exchange, and nothing more."""
WARNED_AT_DAYS: Final = (60, 14)
"""So many days before its last day an agreement is warned of."""


class AgreementState(StrEnum):
    """How it stands today."""

    FUTURE = "future"
    IN_FORCE = "in_force"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    ENDED = "ended"
    """It was ended before its last day."""


class Span(NamedTuple):
    """From when to before when; None: without a beginning, without an end."""

    starts_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """One paper, with both its times."""

    id: UUID
    organization_id: UUID
    kind: AgreementKind
    scope: str
    effective_from: date | None
    """None: since the organization joined."""
    expires_on: date | None
    """The last day on which it holds; None: until it is ended."""
    document_id: str | None
    asserted_at: datetime
    ended_at: datetime | None = None

    def span(self, zone: tzinfo) -> Span:
        """Give when it holds, by the organization's own calendar: through its last day, unless it was ended before."""
        starts_at = datetime.combine(self.effective_from, time(), zone).astimezone(UTC) if self.effective_from else None
        over_at = datetime.combine(self.expires_on + timedelta(days=1), time(), zone).astimezone(UTC) if self.expires_on else None
        ends = [at for at in (over_at, self.ended_at) if at is not None]
        return Span(starts_at, min(ends, default=None))

    def state(self, zone: tzinfo, now: datetime) -> AgreementState:
        """Say how it stands."""
        span = self.span(zone)
        if self.ended_at is not None and self.ended_at <= now:
            return AgreementState.ENDED
        if span.ends_at is not None and span.ends_at <= now:
            return AgreementState.EXPIRED
        if span.starts_at is not None and now < span.starts_at:
            return AgreementState.FUTURE
        left = self.days_left(zone, now)
        return AgreementState.EXPIRING if left is not None and left <= WARNED_AT_DAYS[0] else AgreementState.IN_FORCE

    def days_left(self, zone: tzinfo, now: datetime) -> int | None:
        """Give how many days it still holds after today; None: without end."""
        return (self.expires_on - now.astimezone(zone).date()).days if self.expires_on else None

    def warning(self, zone: tzinfo, now: datetime) -> int | None:
        """Give the last step of the warnings that it has reached; None: it has longer, or is over."""
        left = self.days_left(zone, now)
        if left is None or left < 0 or self.ended_at is not None:
            return None
        return min((step for step in WARNED_AT_DAYS if left <= step), default=None)


def is_in_force(spans: Iterable[Span], now: datetime) -> bool:
    """Tell whether one of them holds."""
    return any((one.starts_at is None or one.starts_at <= now) and (one.ends_at is None or now < one.ends_at) for one in spans)

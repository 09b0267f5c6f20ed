"""Who was late, where a clock is: the hospital's feed, this service, or the home. By the times of one discharge. Pure.

A home that was told while it had a fair share of the time left is answerable for the rest. Where it was not, whoever took longest of
the ways before it is: the feed from the discharge to receipt, the home until its own roster said that the person is its, and we from
when both were known to telling.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from app.domain.clock import Clock, ClockState, ClockWindow, share_over_at
from app.domain.program import PERCENT

FAIR_SHARE: Final = 50
"""Our policy: percent of a clock's time that a home must have had."""
_LATE_REASONS: Final = frozenset({"past_due", "done_late", "never_done"})
"""What a clock is late by; one that was missed because the follow-up was closed before it was due is not."""


class LateBy(StrEnum):
    """By whose doing a clock is late."""

    FEED = "late_by_feed"
    US = "late_by_us"
    HOME = "late_by_home"


@dataclass(frozen=True, slots=True)
class Times:
    """When one discharge happened, came here and was told. None: not known, or not yet."""

    discharged_at: datetime
    received_at: datetime | None = None
    told_at: datetime | None = None
    claimed_at: datetime | None = None
    """When the home's roster first said that it is responsible. None: nobody's roster decides, or it is not known."""

    @property
    def was_claimed_when_received(self) -> bool:
        """Whether the home was responsible already when the discharge came here."""
        return self.claimed_at is None or self.received_at is None or self.claimed_at <= self.received_at


def late_by(window: ClockWindow, clock: Clock, times: Times) -> LateBy | None:
    """Say by whose doing a clock is late; nobody's while it is not."""
    codes = {reason.partition(":")[0] for reason in clock.reasons}
    if clock.state not in (ClockState.OVERDUE, ClockState.MISSED) or not codes & _LATE_REASONS:
        return None
    received_at = times.received_at or times.told_at or times.discharged_at
    if received_at >= window.ends_at:
        return LateBy.FEED
    fair_until = share_over_at(window, PERCENT - FAIR_SHARE)
    if times.told_at is not None and times.told_at <= fair_until:
        return LateBy.HOME
    by_feed = max(received_at - times.discharged_at, timedelta())
    known_at = max(received_at, times.claimed_at or received_at)
    by_home = known_at - received_at
    by_us = times.told_at - known_at if times.told_at is not None else timedelta.max
    if by_feed >= max(by_us, by_home):
        return LateBy.FEED
    return LateBy.US if by_us >= by_home else LateBy.HOME

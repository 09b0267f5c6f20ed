"""Who was late, where a clock is: the hospital's feed, this service, or the home. By the times of one discharge. Pure.

A home that was told while it had a fair share of the time left is answerable for the rest. Where it was not, whoever took longer of the
two ways before it is: the feed from the discharge to receipt, we from receipt to telling.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from app.domain.clock import Clock, ClockState, ClockWindow
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


def late_by(window: ClockWindow, clock: Clock, times: Times) -> LateBy | None:
    """Say by whose doing a clock is late; nobody's while it is not."""
    codes = {reason.partition(":")[0] for reason in clock.reasons}
    if clock.state not in (ClockState.OVERDUE, ClockState.MISSED) or not codes & _LATE_REASONS:
        return None
    received_at = times.received_at or times.told_at or times.discharged_at
    if received_at >= window.ends_at:
        return LateBy.FEED
    fair_until = window.anchor_at + (window.due_at - window.anchor_at) * (PERCENT - FAIR_SHARE) / PERCENT
    if times.told_at is not None and times.told_at <= fair_until:
        return LateBy.HOME
    by_feed = max(received_at - times.discharged_at, timedelta())
    by_us = times.told_at - received_at if times.told_at is not None else timedelta.max
    return LateBy.FEED if by_feed >= by_us else LateBy.US

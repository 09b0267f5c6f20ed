"""Who was late, where a clock is: the hospital's feed, this service, or the home. By the times of one discharge. Pure.

A home that was told while it had a fair share of the time left is answerable for the rest. Where it was not, whoever took longest of
the ways before it is: the feed from the discharge to receipt, the home until its own roster said that the person is its, and we from
when both were known to telling. What starts a clock late (a final diagnosis), or moves its due time into the past, came when it came:
no home could act on it before.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from app.domain.clock import Clock, ClockState, ClockWindow, share_over_at
from app.domain.follow_up import FollowUpView
from app.domain.program import PERCENT

FAIR_SHARE: Final = 50
"""Our policy: percent of a clock's time that a home must have had."""
_PAST_DUE: Final = frozenset({ClockState.OVERDUE, ClockState.MISSED})
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
    knows_itself: bool = False
    """Nobody tells the home of it: it reported the stay, or wishes not to be told of discharges."""

    def of_clock(self, heard_at: datetime | None) -> "Times":
        """Give the times of a clock that something heard later than the discharge started, or moved."""
        if heard_at is None:
            return self
        received_at = max(self.received_at or heard_at, heard_at)
        return replace(self, received_at=received_at, told_at=max(self.told_at, heard_at) if self.told_at else None)

    @property
    def was_claimed_when_received(self) -> bool:
        """Whether the home was responsible already when the discharge came here."""
        return self.claimed_at is None or self.received_at is None or self.claimed_at <= self.received_at


def late_by(window: ClockWindow, clock: Clock, times: Times) -> LateBy | None:
    """Say by whose doing a clock is late; nobody's while it is not."""
    codes = {reason.partition(":")[0] for reason in clock.reasons}
    if clock.state not in _PAST_DUE or not codes & _LATE_REASONS:
        return None
    received_at = times.received_at or times.told_at or times.discharged_at
    if received_at >= window.ends_at:
        return LateBy.FEED
    known_at = max(received_at, times.claimed_at or received_at)
    told_at = known_at if times.told_at is None and times.knows_itself else times.told_at
    fair_until = share_over_at(window, PERCENT - FAIR_SHARE)
    if told_at is not None and told_at <= fair_until:
        return LateBy.HOME
    by_feed = max(received_at - times.discharged_at, timedelta())
    by_home = known_at - received_at
    by_us = told_at - known_at if told_at is not None else timedelta.max
    if by_feed >= max(by_us, by_home):
        return LateBy.FEED
    return LateBy.US if by_us >= by_home else LateBy.HOME


def heard_later(
    seen: FollowUpView, before: Iterable[Mapping[str, Any]], anchor_before: datetime | None, by_facts: AbstractSet[str], heard_at: datetime
) -> dict[str, datetime]:
    """Give the clocks whose start, or whose due time, was heard later than the discharge, and when. `before`: as they were stored.

    `by_facts` are the clocks that what is known of the stay starts, beside the roster. A clock that was late by the due time that the
    hospital gave before stays late by the same doing.
    """
    old = {one["id"]: one for one in before}
    is_corrected = anchor_before is not None and anchor_before != seen.anchor_at
    found: dict[str, datetime] = {}
    for window in seen.windows:
        clock_id = window.definition.id
        was = old.get(clock_id)
        if was is None:
            found |= {clock_id: heard_at} if clock_id in by_facts else {}
        elif is_corrected and window.ends_at <= heard_at and was["state"] not in _PAST_DUE:
            found[clock_id] = heard_at
        elif anchor_before is not None and was.get("heard_at"):
            found[clock_id] = datetime.fromisoformat(was["heard_at"])
    return found

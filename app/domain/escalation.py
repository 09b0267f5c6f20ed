"""When somebody is to be told that a clock runs out, and who: at shares of its time (domain section 7), at the latest at the breach.

A step belongs to one due time of one clock. A clock that becomes known with its discharge arms only the steps that lie ahead: the news of
the discharge says the rest, but for what cannot wait (a step for who is on call) where the hospital told late. One whose due time moves,
or that a late fact starts, after that tells at once what is over by then and was not told of it. Of several steps that time passed at
once only the last is news. Not here: that each is told once (store/timer_notices).
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.domain.clock import Clock, ClockState, ClockWindow, share_over_at
from app.domain.follow_up import FollowUpView
from app.domain.program import PERCENT, EscalationPart

RUNNING = frozenset({ClockState.PENDING, ClockState.OVERDUE})


class Level(StrEnum):
    """How urgent a step is."""

    WARNING = "warning"
    ESCALATION = "escalation"
    BREACH = "breach"
    SAFETY = "safety"
    """Somebody may be in danger: at once, whatever any clock says."""


@dataclass(frozen=True, slots=True)
class Step:
    """One share of a clock's time, when it has passed, and which people of the home it is for."""

    percent: int
    at: datetime
    to: tuple[str, ...]

    @property
    def level(self) -> Level:
        """How urgent it is: the breach; what is for more people than the assignee; else a warning."""
        if self.percent >= PERCENT:
            return Level.BREACH
        return Level.ESCALATION if set(self.to) - {"assignee"} else Level.WARNING


@dataclass(frozen=True, slots=True)
class Snooze:
    """A home lets a follow-up rest. It rests from what it knew: a due time that became known after that is warned of."""

    at: datetime
    until: datetime

    def mutes(self, known_at: datetime, now: datetime) -> bool:
        """Tell whether warnings of a due time that is known since then are mute now."""
        return now < self.until and known_at <= self.at


@dataclass(frozen=True, slots=True)
class EscalationContact:
    """Whom a home names for a part in escalations, and the organization that is told too, where the home lets it see its rows."""

    organization_id: UUID
    part: str
    name: str
    phone: str | None = None
    recipient_id: UUID | None = None

    def document(self) -> dict[str, Any]:
        """Give what a notification says of it."""
        return {"part": self.part, "name": self.name, "phone": self.phone}


def steps(window: ClockWindow) -> tuple[Step, ...]:
    """Give every step of a clock, in order. The breach is one, whether or not the program names it."""
    definition = window.definition
    listed = [
        Step(percent, share_over_at(window, percent), definition.told_at(percent))
        for percent in definition.escalate_at_percent
        if percent < PERCENT
    ]
    return (*listed, Step(PERCENT, window.ends_at, definition.told_at(PERCENT)))


def passed(window: ClockWindow, clock: Clock, known_at: datetime | None, now: datetime, *, is_mute: bool = False) -> tuple[Step, ...]:
    """Give the steps of a running clock that time has passed since its due time became known. A snooze mutes all but the breach.

    None: it is news that they have passed at all.
    """
    if clock.state not in RUNNING:
        return ()
    return tuple(
        step
        for step in steps(window)
        if (known_at is None or known_at < step.at) and step.at <= now and (step.percent >= PERCENT or not is_mute)
    )


def next_step_at(
    seen: FollowUpView, stored: Iterable[tuple[Clock, Mapping[str, Any], object]], now: datetime, snooze: Snooze | None = None
) -> datetime | None:
    """Give when the next step of any running clock is reached, or a snooze over. `stored` as `stored_clocks` gave it."""
    ahead = []
    for window, (clock, kept, _) in zip(seen.windows, stored, strict=False):
        coming = [step for step in steps(window) if step.at > now] if clock.state in RUNNING else []
        if coming and snooze is not None and snooze.mutes(datetime.fromisoformat(kept["known_at"]), now):
            ahead.append(snooze.until)
            coming = [step for step in coming if step.percent >= PERCENT]
        ahead += [step.at for step in coming]
    return min(ahead, default=None)


def stored_clocks(
    seen: FollowUpView,
    before: Iterable[Mapping[str, Any]],
    now: datetime,
    snooze: Snooze | None = None,
    by_facts: AbstractSet[str] = frozenset(),
    *,
    is_told_late: bool = False,
) -> list[tuple[Clock, dict[str, Any], tuple[Step, ...]]]:
    """Give each clock with what is kept of its steps, and the steps that are newly passed.

    `known_at` is since when this due time stands, `reached_percent` the last step that was passed of it. `by_facts` are the clocks that
    what is known of the stay starts, beside the roster: one that is new among clocks that stood already was started by a late fact.
    `is_told_late`: the home was responsible before the discharge was heard, so what it was not told of is the hospital's silence.
    """
    old = {one["id"]: one for one in before}
    stood = any(one["state"] != ClockState.VOID for one in old.values())
    listed = []
    for position, clock in enumerate(seen.clocks):
        was = old.get(clock.id, {})
        same = was.get("due_at") == clock.due_at.isoformat() and "known_at" in was
        known_at = datetime.fromisoformat(was["known_at"]) if same else now
        reached = was.get("reached_percent") if same else None
        is_news = stood and not same and (clock.id in old or clock.id in by_facts)
        is_mute = snooze is not None and snooze.mutes(known_at, now)
        gone = passed(seen.windows[position], clock, None if is_news else known_at, now, is_mute=is_mute)
        if is_told_late and not stood and not same:
            gone = tuple(
                step for step in passed(seen.windows[position], clock, None, now) if step in gone or EscalationPart.ON_CALL in step.to
            )
        if is_news and was.get("reached_percent") in {step.percent for step in steps(seen.windows[position]) if step.at <= now}:
            # It was told of the due time before, and is as true of this one; also where the clock does not run now, or is mute.
            reached = was["reached_percent"]
        fresh = tuple(step for step in gone if reached is None or step.percent > reached)
        kept = {"known_at": known_at.isoformat(), "reached_percent": fresh[-1].percent if fresh else reached}
        listed.append((clock, kept, fresh))
    return listed

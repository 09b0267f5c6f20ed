"""A program clock: until when something is due after a discharge, which contacts count, and what state that leaves it in.

Satisfied by what the program says, and by nothing a measure says. Everything here is a function of the definition, the anchor, the
contacts and "now": the order in which contacts arrive, and how often, changes nothing. Not here: whether the follow-up runs at all
(``follow_up``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from app.domain.calendar import NO_HOLIDAYS, Holidays, due_at, local_date
from app.domain.contact import ATTEMPT_OUTCOMES, Contact, ContactDirection
from app.domain.program import PERCENT, ClockDefinition
from app.domain.public_id import Kind, public_id
from app.domain.stay import StayClass

DUE_GRACE: Final = timedelta(seconds=1)
"""Due times are whole seconds; what happens within the last second is still in time."""
NOT_BY_ITS_DAY: Final = "topic_missing_by_day"
NOT_YET: Final = "topic_missing_yet"
TOO_FEW: Final = "contacts_missing_yet"
LACKS: Final = (NOT_BY_ITS_DAY, NOT_YET, TOO_FEW)
"""Begin the reasons why a contact that is as asked for did not meet the clock: what else has to be done."""
OVERDUE_FOR: Final = timedelta(days=30)
"""Our policy: what nobody has made good thirty days after it was due is missed, and leaves the worklist's overdue list."""


class ClockState(StrEnum):
    """Where a clock stands."""

    PENDING = "pending"
    MET = "met"
    OVERDUE = "overdue"
    """Past due and nothing done yet: the team can still act, late."""
    MISSED = "missed"
    """Past due for good: done late, or stopped unmet, or never done."""
    SUSPENDED = "suspended"
    """Not running while it is open where the person is."""
    VOID = "void"
    """There is nothing to do any more, and nobody's fault."""


@dataclass(frozen=True, slots=True)
class ClockWindow:
    """One clock of one discharge: from the anchor to the due instant, in UTC."""

    definition: ClockDefinition
    anchor_at: datetime
    due_at: datetime
    zone: tzinfo
    stay_class: StayClass
    counts_from: datetime | None = None
    """From when on contacts count, where it is not the anchor: what was done between the discharge and the notification is done."""
    paused: tuple[tuple[datetime, datetime], ...] = ()
    """From when until when it waited, in any order: its due time has moved by as much, and shares of its time leave it out."""

    @property
    def ends_at(self) -> datetime:
        """The first instant that is too late."""
        return self.due_at + DUE_GRACE


@dataclass(frozen=True, slots=True)
class Counts:
    """What one contact is to one clock."""

    satisfies: bool
    attempt: bool
    reasons: tuple[str, ...]
    late: bool = False
    """It would have satisfied the clock, had it been in time."""


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock of a follow-up as it stands. ``satisfied_by`` is the id of a contact."""

    id: str
    due_at: datetime
    state: ClockState
    satisfied_by: str | None
    met_at: datetime | None
    reasons: tuple[str, ...]
    priority: int

    def document(self) -> dict[str, Any]:
        """Give what is stored and shown of it."""
        return {
            "id": self.id,
            "due_at": self.due_at.isoformat(),
            "state": self.state.value,
            "satisfied_by": public_id(Kind.CONTACT, UUID(self.satisfied_by)) if self.satisfied_by else None,
            "met_at": self.met_at.isoformat() if self.met_at else None,
            "reasons": list(self.reasons),
            "priority": self.priority,
        }


def clock_window(
    definition: ClockDefinition, anchor_at: datetime, zone: tzinfo, stay_class: StayClass, holidays: Holidays = NO_HOLIDAYS
) -> ClockWindow:
    """Work out a clock's window after one discharge."""
    due = due_at(anchor_at, definition.count, definition.unit, zone, holidays)
    return ClockWindow(definition, anchor_at.astimezone(UTC), due, zone, stay_class)


def share_over_at(window: ClockWindow, percent: int) -> datetime:
    """Give when a share of the time in which a clock runs is over."""
    runs, at = [], window.anchor_at
    for starts_at, ends_at in [*sorted(window.paused), (window.due_at, window.due_at)]:
        until = min(starts_at, window.due_at)
        if until > at:
            runs.append((at, until))
        at = max(at, ends_at)
    left = sum((until - since for since, until in runs), timedelta()) * percent / PERCENT
    for since, until in runs:
        if left < until - since:
            return since + left
        left -= until - since
    return window.due_at


def counts_toward(contact: Contact, window: ClockWindow) -> Counts:
    """Say what a contact is to a clock, and each reason why it is not more than that."""
    if contact.voided_at is not None:
        return Counts(satisfies=False, attempt=False, reasons=("voided: the contact was taken back",))
    if contact.occurred_at < (window.counts_from or window.anchor_at):
        return Counts(satisfies=False, attempt=False, reasons=("before_anchor: it was before the discharge; kept, but earns nothing",))
    if window.stay_class not in window.definition.day_zero_counts_for and _on_day_zero(contact, window):
        return Counts(satisfies=False, attempt=False, reasons=("day_zero: the day of the discharge does not count for this clock",))
    misfits = _misfits(contact, window.definition)
    in_time = contact.occurred_at < window.ends_at
    lateness = () if in_time else ("late: it was after the clock was due",)
    return Counts(
        satisfies=not misfits and in_time,
        attempt=in_time and _is_attempt(contact, window.definition),
        reasons=(*misfits, *lateness) or ("counts: it is what this clock asks for",),
        late=not misfits and not in_time,
    )


def evaluate_clock(window: ClockWindow, contacts: Iterable[Contact], now: datetime) -> Clock:
    """Give the state of a running clock. Contacts may repeat and come in any order; a voided one is as if it had never been."""
    contacts = list(contacts)
    counted = [(one, counts_toward(one, window)) for one in contacts]
    ready_on = _ready_on(window, contacts)
    in_time = [one for one, counts in counted if counts.satisfies and _is_ready(window, ready_on, one.occurred_at)]
    done = _completed_by(window.definition, in_time)
    if done is not None:
        return _clock(window, ClockState.MET, "met_by_contact: what the clock asks for was done in time", by=done)
    attempts_min = window.definition.satisfied_by.attempts_min
    attempts = _separate((one.occurred_at, one.id) for one, counts in counted if counts.attempt)
    if attempts_min and len(attempts) >= attempts_min:
        why = f"met_by_attempts: {attempts_min} separate attempts were made in time"
        return _clock(window, ClockState.MET, why, by=attempts[attempts_min - 1])
    lacks = _lacks(window, [one for one, counts in counted if counts.satisfies or counts.late])
    if now < window.ends_at:
        so_far = "what was done is not all that it asks for" if lacks else "nothing counts yet"
        return _clock(window, ClockState.PENDING, f"awaiting_contact: {so_far}, {len(attempts)} attempts in time so far", *lacks)
    late = [one for one, counts in counted if counts.late and _is_ready(window, ready_on, one.occurred_at)]
    if _completed_by(window.definition, [*in_time, *late]) is not None:
        return _clock(window, ClockState.MISSED, "done_late: it was done, but after it was due")
    if now < window.ends_at + OVERDUE_FOR:
        so_far = "not all that it asks for was done in time" if lacks else "nothing that counts was done in time"
        return _clock(window, ClockState.OVERDUE, f"past_due: {so_far}, {len(attempts)} attempts were", *lacks)
    return _clock(window, ClockState.MISSED, f"never_done: nothing was done within {OVERDUE_FOR.days} days after it was due", *lacks)


def stopped_clock(window: ClockWindow, contacts: Iterable[Contact], stopped_at: datetime, why: str, unmet: ClockState) -> Clock:
    """Give a clock that something stopped for good: what was met or past due by then stays so; else it is ``unmet``.

    The contacts are those that can still count, which is the caller's to say: none after a readmission, any after a closing.
    """
    running = evaluate_clock(window, contacts, stopped_at)
    if running.state is ClockState.MET:
        return running
    if running.state is ClockState.PENDING:
        return idle_clock(window, unmet, why)
    return Clock(running.id, running.due_at, ClockState.MISSED, None, None, (*running.reasons, why), running.priority)


def idle_clock(window: ClockWindow, state: ClockState, why: str) -> Clock:
    """Give a clock that does not run: suspended or void."""
    return _clock(window, state, why)


def next_change_at(window: ClockWindow, clock: Clock) -> datetime | None:
    """Give the next instant at which time alone changes a running clock's state."""
    if clock.state is ClockState.PENDING:
        return window.ends_at
    return window.ends_at + OVERDUE_FOR if clock.state is ClockState.OVERDUE else None


def _clock(window: ClockWindow, state: ClockState, *why: str, by: tuple[datetime, str] | None = None) -> Clock:
    met_at, satisfied_by = by or (None, None)
    return Clock(window.definition.id, window.due_at, state, satisfied_by, met_at, why, window.definition.priority)


def _ready_on(window: ClockWindow, contacts: Iterable[Contact]) -> date | None:
    """Give the local day from which on everything is done that has to be done by the day of the contact; none, as long as it is not."""
    days = []
    standing = [one for one in contacts if one.voided_at is None and one.occurred_at >= (window.counts_from or window.anchor_at)]
    for topic in window.definition.satisfied_by.topics_by_day:
        done_on = min((local_date(one.occurred_at, window.zone) for one in standing if one.did(topic)), default=None)
        if done_on is None:
            return None
        days.append(done_on)
    return max(days, default=None)


def _is_ready(window: ClockWindow, ready_on: date | None, at: datetime) -> bool:
    if not window.definition.satisfied_by.topics_by_day:
        return True
    return ready_on is not None and ready_on <= local_date(at, window.zone)


def _completed_by(definition: ClockDefinition, contacts: Iterable[Contact]) -> tuple[datetime, str] | None:
    """Give the contact, of those that are as asked for, with which enough was done; in the order in which they were made."""
    lacking = set(definition.satisfied_by.topics_across)
    instants: set[datetime] = set()
    for one in sorted(contacts, key=lambda contact: (contact.occurred_at, contact.id)):
        # What was recorded twice at one instant is one contact.
        instants.add(one.occurred_at)
        lacking = {topic for topic in lacking if not one.did(topic)}
        if len(instants) >= definition.satisfied_by.contacts_min and not lacking:
            return one.occurred_at, one.id
    return None


def _lacks(window: ClockWindow, contacts: Sequence[Contact]) -> tuple[str, ...]:
    """Say what else has to be done where something was done as asked for, in time or not."""
    if not contacts:
        return ()
    asked = window.definition.satisfied_by
    made = len({one.occurred_at for one in contacts})
    undone = [topic for topic in sorted(asked.topics_across) if not any(one.did(topic) for one in contacts)]
    return (
        *(f"{NOT_BY_ITS_DAY}: {topic} was not done by the day of the contact" for topic in sorted(asked.topics_by_day)),
        *(f"{NOT_YET}: {topic} was not done, in this contact or in another one" for topic in undone),
        *([f"{TOO_FEW}: {made} of {asked.contacts_min} contacts were made"] if made < asked.contacts_min else []),
    )


def _separate(attempts: Iterable[tuple[datetime, str]]) -> list[tuple[datetime, str]]:
    """Keep one attempt an instant, in order: a call and the message it ended in are one attempt, recorded twice or not."""
    kept: dict[datetime, str] = {}
    for occurred_at, contact_id in sorted(attempts):
        kept.setdefault(occurred_at, contact_id)
    return list(kept.items())


def _on_day_zero(contact: Contact, window: ClockWindow) -> bool:
    return local_date(contact.occurred_at, window.zone) == local_date(window.anchor_at, window.zone)


def _is_attempt(contact: Contact, definition: ClockDefinition) -> bool:
    """Whether the team tried the person by a means that this clock accepts as an attempt."""
    asked = definition.satisfied_by
    return (
        contact.direction is ContactDirection.OUTBOUND
        and contact.outcome in ATTEMPT_OUTCOMES
        and contact.type in (asked.attempt_types or asked.types)
        and (not asked.with_whom or contact.with_whom in asked.with_whom)
    )


def _misfits(contact: Contact, definition: ClockDefinition) -> tuple[str, ...]:
    """Say in which respects a contact is not what the clock asks for."""
    asked = definition.satisfied_by
    reasons = []
    if asked.types and contact.type not in asked.types:
        reasons.append(f"type_not_counted: {contact.type} is not a kind of contact this clock counts")
    if asked.with_whom and contact.with_whom not in asked.with_whom:
        reasons.append(f"with_not_counted: it was with {contact.with_whom}")
    if asked.roles and contact.role not in asked.roles:
        reasons.append(f"role_not_counted: it takes one of {', '.join(sorted(asked.roles))}")
    if asked.outcomes and contact.outcome not in asked.outcomes:
        reasons.append(f"outcome_not_counted: {contact.outcome} is not reaching the person")
    if asked.live_two_way and not contact.is_live:
        reasons.append("not_live_two_way: nobody answered, so it is at most an attempt")
    missing = [topic for topic in asked.topics if not contact.did(topic)]
    if not any(contact.did(topic) for topic in asked.topics_across):
        missing += asked.topics_across
    reasons.extend(f"topic_missing: {topic} was not done" for topic in sorted(missing))
    return tuple(reasons)

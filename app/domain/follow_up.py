"""A follow-up: what one discharge asks of the responsible home, and where that stands. A pure function of what happened.

The stay, the person's other stays, the contacts and "now" go in; state, clocks and reasons come out, the same for the same facts in
any order. So a cancelled discharge, a readmission, a merge or a voided contact is only a new evaluation. Not here: opening,
storing and assigning follow-ups, and measure status (``measure``): the two ledgers are never mixed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from app.domain.absence import Absence, absences, due_after
from app.domain.calendar import NO_HOLIDAYS, Holidays, local_date
from app.domain.clock import (
    LACKS,
    Clock,
    ClockState,
    ClockWindow,
    Counts,
    clock_window,
    counts_toward,
    evaluate_clock,
    idle_clock,
    stopped_clock,
)
from app.domain.clock import next_change_at as clock_changes_at
from app.domain.contact import Contact, ContactOutcome
from app.domain.course import Course
from app.domain.death_judged import DEATH_UNDER_REVIEW
from app.domain.program import ClockAnchor, ClockDefinition, ProgramDefinition
from app.domain.stay import CareLevel, Disposition, Stay, StayClass

READMISSION_DAYS: Final = 30
_DIED: Final = "died: the person has died"
CLOSED_BY_HOME: Final = "closed_by_home"
"""Begins the one reason that holds words of a person."""
TRANSFER_WAIT: Final = timedelta(days=1)
"""Our policy: how long a transfer may take to show up as an admission before the person counts as lost on the way."""
LONGEST_WAIT: Final = timedelta(days=30)
"""The longest that the registry lets a place be waited for (organization.adt_wait_hours)."""
MOVED_ON: Final = frozenset({Disposition.TRANSFER, Disposition.ADMITTED_HERE, Disposition.NONACUTE})
IN_TRANSFER: Final = frozenset({Disposition.TRANSFER, Disposition.ADMITTED_HERE})
RESIDENTIAL: Final = frozenset({CareLevel.PSYCHIATRIC_RESIDENTIAL, CareLevel.SUBSTANCE_USE_RESIDENTIAL})
"""Treatment where the person lives: a team still follows them there, so it ends no follow-up."""


class FollowUpState(StrEnum):
    """Where a follow-up stands."""

    INPATIENT = "inpatient"
    """The person is in house: contacts and preparation are possible, no clock runs."""
    OPEN = "open"
    SUSPENDED = "suspended"
    """Out of this house and not yet in the community: in transfer, or in nonacute care."""
    CLOSED = "closed"
    SUPERSEDED = "superseded"
    """A readmission took over: its own discharge has its own follow-up."""
    VOID = "void"
    """The stay never was. Kept, with its contacts."""


class FollowUpFlag(StrEnum):
    """What a coordinator should see beside the state."""

    AGAINST_ADVICE = "against_advice"
    LOST_IN_TRANSFER = "lost_in_transfer"
    READMITTED = "readmitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpFacts:
    """Everything that has happened, as far as it matters to one follow-up."""

    stay: Stay
    stays: Course = field(default_factory=Course)
    """The person's stays, in any order, this one and repetitions included or not."""
    died_at: datetime | None = None
    died_beside_stays: bool = False
    """A message about the person alone said so (A31): no stay tells of it."""
    doubted_on: date | None = None
    """A death that a later stay contradicts, while nobody has decided it: it ends nothing, and the follow-up says so."""
    closed_at: datetime | None = None
    """When the home closed it. A closing before the discharge that stands closed an earlier one, and says nothing of this."""
    closed_reason: str = ""
    """A code, such as ``completed`` or ``unable_to_reach``."""
    notified_at: datetime | None = None
    """When the home was told of the discharge that stands."""
    home_calendar: str = ""
    """The id of the home's own holiday calendar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpView:
    """Where a follow-up stands, and why."""

    state: FollowUpState
    reasons: tuple[str, ...]
    clocks: tuple[Clock, ...] = ()
    windows: tuple[ClockWindow, ...] = ()
    """The window of each clock, in the same order."""
    anchor_at: datetime | None = None
    anchor_on: date | None = None
    """The local date of the discharge that stands; none while there is none."""
    flags: tuple[FollowUpFlag, ...] = ()
    superseded_by: str | None = None
    """The id of the stay that took over."""
    resumed_at: datetime | None = None
    """When an absence ended by its review date, or by another stay, the last time."""
    next_change_at: datetime | None = None
    """When to evaluate again although nothing happens."""


@dataclass(frozen=True, slots=True)
class ContactEffect:
    """What one contact did to one clock."""

    clock_id: str
    clock_state: ClockState
    satisfies: bool
    attempt: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Stop:
    """Something that ended the follow-up for good, and what that makes of a clock not yet met or due."""

    at: datetime
    state: FollowUpState
    reason: str
    unmet: ClockState
    stay_id: str | None = None
    flag: FollowUpFlag | None = None

    @property
    def by_home(self) -> bool:
        """Whether the home closed it: then the person is still there, and a contact after the closing still counts."""
        return self.unmet is ClockState.MISSED


Calendars = Callable[[str], Holidays]
"""Gives a holiday calendar by its id."""


def evaluate(
    facts: FollowUpFacts, programs: Iterable[ProgramDefinition], contacts: Iterable[Contact], calendars: Calendars, now: datetime
) -> FollowUpView:
    """Evaluate one follow-up."""
    stay, programs = facts.stay, tuple(programs)
    definitions = [clock for program in programs for clock in program.clocks_for(stay)]
    done = _each_once(contacts)
    if stay.cancelled:
        windows = _windows(facts, definitions, stay.discharged_at or stay.cancelled_discharge_at, calendars)
        return _idle(FollowUpState.VOID, "stay_cancelled: the admission or visit was cancelled", windows, ClockState.VOID)
    if stay.discharged_at is None:
        windows = _windows(facts, definitions, stay.cancelled_discharge_at, calendars)
        why = "discharge_cancelled: the discharge was taken back" if stay.cancelled_discharge_at else "in_house: not discharged"
        return _idle(FollowUpState.INPATIENT, why, windows, ClockState.VOID)
    away = absences(done, stay, facts.stays)
    runs_while = {clock.id: program.runs_while for program in programs for clock in program.clocks}
    windows = _windows(facts, definitions, stay.discharged_at, calendars, away, runs_while)
    stops = _stops(facts, stay.discharged_at)
    stop = min((one for one in stops if one.at <= now), key=lambda one: one.at, default=None)
    if stop is not None:
        counting = done if stop.by_home else [one for one in done if one.occurred_at < stop.at]
        clocks = tuple(stopped_clock(window, counting, stop.at, stop.reason, stop.unmet) for window in windows)
        reasons = (*_died_since(facts, stop, now), stop.reason)
        return _view(facts, stop.state, reasons, windows, clocks, stop=stop)
    # A hospital's clock may be ahead of ours: what has not happened yet will end the follow-up when it has.
    changes = [one.at for one in stops]
    waiting = _waiting(stay, stay.discharged_at, now)
    running = tuple(evaluate_clock(window, done, now) for window in windows)
    now_away = next((one for one in away if one.starts_at <= now < one.ends_at), None)
    resumed_at = max((one.ends_at for one in away if not one.ended_by_team and one.ends_at <= now), default=None)
    if waiting is not None:
        reason, until = waiting
        clocks = tuple(
            clock if clock.state is ClockState.MET else idle_clock(window, ClockState.SUSPENDED, reason)
            for window, clock in zip(windows, running, strict=True)
        )
        changes += [until] if until is not None else []
        # Who asked to be told on a day to look again is, whatever else is waited for.
        changes += [now_away.ends_at] if now_away is not None else []
        reasons = (reason, *([_away_reason(now_away, stay)] if now_away is not None else []))
        seen = _view(facts, FollowUpState.SUSPENDED, reasons, windows, clocks, next_change_at=min(changes, default=None))
        return replace(seen, resumed_at=resumed_at)
    if now_away is not None:
        reason = _away_reason(now_away, stay)
        running = tuple(
            idle_clock(window, ClockState.SUSPENDED, reason)
            if clock.state is ClockState.PENDING and now_away.outcome not in runs_while[clock.id]
            else clock
            for window, clock in zip(windows, running, strict=True)
        )
        changes.append(now_away.ends_at)
        changes += [at for window, clock in zip(windows, running, strict=True) if (at := clock_changes_at(window, clock)) is not None]
        state = FollowUpState.SUSPENDED if any(one.state is ClockState.SUSPENDED for one in running) else FollowUpState.OPEN
        return _view(facts, state, (reason,), windows, running, next_change_at=min(changes))
    changes += [at for window, clock in zip(windows, running, strict=True) if (at := clock_changes_at(window, clock)) is not None]
    reasons = (*_open_reasons(stay), *_doubted(facts))
    seen = _view(facts, FollowUpState.OPEN, reasons, windows, running, next_change_at=min(changes, default=None))
    return replace(seen, resumed_at=resumed_at)


def contact_effects(contact: Contact, view: FollowUpView) -> tuple[ContactEffect, ...]:
    """Say what a contact did to each clock of an evaluated follow-up, and why not more."""
    return tuple(_effect(contact, clock, counts_toward(contact, window)) for window, clock in zip(view.windows, view.clocks, strict=True))


def _effect(contact: Contact, clock: Clock, counts: Counts) -> ContactEffect:
    if clock.state in (ClockState.VOID, ClockState.SUSPENDED):
        return ContactEffect(clock.id, clock.state, satisfies=False, attempt=False, reasons=clock.reasons)
    if clock.satisfied_by == contact.id and not counts.satisfies:
        # With this attempt enough were made.
        return ContactEffect(clock.id, clock.state, satisfies=True, attempt=True, reasons=clock.reasons)
    lacks = tuple(reason for reason in clock.reasons if reason.startswith(LACKS))
    reasons = lacks if lacks and (counts.satisfies or counts.late) else counts.reasons
    return ContactEffect(clock.id, clock.state, counts.satisfies and clock.state is ClockState.MET, counts.attempt, reasons)


def _each_once(contacts: Iterable[Contact]) -> list[Contact]:
    """Keep each contact once; where one is told twice, voided and not, it is voided."""
    kept: dict[str, Contact] = {}
    for contact in contacts:
        if contact.id not in kept or contact.voided_at is not None:
            kept[contact.id] = contact
    return list(kept.values())


def _windows(
    facts: FollowUpFacts,
    definitions: Iterable[ClockDefinition],
    anchor_at: datetime | None,
    calendars: Calendars,
    away: Sequence[Absence] = (),
    runs_while: Mapping[str, frozenset[ContactOutcome]] = MappingProxyType({}),
) -> tuple[ClockWindow, ...]:
    if anchor_at is None:
        return ()
    windows = []
    for one in definitions:
        told_at = facts.notified_at if one.anchor is ClockAnchor.NOTIFICATION else None
        holidays = calendars(one.calendar_of(facts.home_calendar)) if one.holiday_calendar else NO_HOLIDAYS
        starts_at = anchor_at if told_at is None else max(told_at, anchor_at)
        wait = _wait_of_place(facts.stay)
        runs_from = starts_at if wait is None else max(starts_at, anchor_at + wait)
        # Nobody can be in time for what was due while everybody had to wait; what was done meanwhile is done.
        window = clock_window(one, starts_at, facts.stay.zone, facts.stay.stay_class, holidays)
        if starts_at > anchor_at:
            window = replace(window, counts_from=anchor_at)
        if runs_from > starts_at:
            window = replace(window, due_at=clock_window(one, runs_from, facts.stay.zone, facts.stay.stay_class, holidays).due_at)
        # What was over before is over; what waits has as much time left afterwards as it had, and all of it where it did not run yet.
        stopping = [
            replace(absence, starts_at=max(absence.starts_at, runs_from))
            for absence in away
            if absence.outcome not in runs_while.get(one.id, frozenset()) and absence.ends_at > runs_from
        ]
        due_at = due_after(window.due_at, one.unit, stopping, facts.stay.zone, holidays)
        waits = [(anchor_at, runs_from)] if runs_from > starts_at else []
        waits += [(absence.starts_at, absence.ends_at) for absence in stopping if absence.starts_at < due_at]
        windows.append(replace(window, due_at=due_at, paused=tuple(waits)))
    return tuple(windows)


def _stops(facts: FollowUpFacts, anchor_at: datetime) -> list[_Stop]:
    """List what ends the follow-up, each with its time: the first of them does."""
    stay = facts.stay
    stops = []
    if stay.disposition is Disposition.DIED:
        stops.append(_Stop(anchor_at, FollowUpState.CLOSED, "died: the stay ended in death", ClockState.VOID))
    if stay.disposition is Disposition.HOSPICE:
        stops.append(_Stop(anchor_at, FollowUpState.CLOSED, "hospice: discharged to hospice, no outreach", ClockState.VOID))
    if facts.died_at is not None:
        stops.append(_Stop(max(facts.died_at, anchor_at), FollowUpState.CLOSED, _DIED, ClockState.VOID))
    returned = facts.stays.first_return(stay, READMISSION_DAYS, RESIDENTIAL)
    if returned is not None:
        stops.append(_taken_over(stay, returned, anchor_at))
    if facts.closed_at is not None and facts.closed_at >= anchor_at:
        why = f"{CLOSED_BY_HOME}: {facts.closed_reason or 'without a reason'}"
        stops.append(_Stop(facts.closed_at, FollowUpState.CLOSED, why, ClockState.MISSED))
    return stops


def _taken_over(stay: Stay, other: Stay, anchor_at: datetime) -> _Stop:
    """Say how another stay took over. A transfer that arrived is no readmission, and nobody's failure."""
    at = max(other.admitted_at or anchor_at, anchor_at)
    flag = None
    if stay.stay_class is StayClass.EMERGENCY:
        why = "admitted_after_emergency: an inpatient stay followed the visit"
    elif stay.disposition in MOVED_ON and at < anchor_at + (stay.transfer_wait or TRANSFER_WAIT):
        why = "transferred: the receiving stay has begun"
    else:
        why, flag = "readmitted: within 30 days", FollowUpFlag.READMITTED
    return _Stop(at, FollowUpState.SUPERSEDED, why, ClockState.VOID, other.id, flag)


def _wait_of_place(stay: Stay) -> timedelta | None:
    """Give how long the admission at a place that sends no ADT or late is awaited: a hospital, or nonacute care; none, where not known."""
    nonacute = stay.disposition is Disposition.NONACUTE and stay.stay_class is not StayClass.EMERGENCY
    return stay.transfer_wait if nonacute or stay.disposition in IN_TRANSFER else None


def _waiting(stay: Stay, anchor_at: datetime, now: datetime) -> tuple[str, datetime | None] | None:
    """Say what a discharged person is still waited for, and until when; nothing when they are in the community."""
    wait = _wait_of_place(stay)
    if wait is not None:
        why = f"transfer: to a place that sends no ADT or late; its admission is awaited for {_hours(wait)} hours"
        return (why, anchor_at + wait) if now < anchor_at + wait else None
    if stay.disposition in IN_TRANSFER and now < anchor_at + TRANSFER_WAIT:
        return "transfer: the receiving admission is awaited for a day", anchor_at + TRANSFER_WAIT
    if stay.disposition is Disposition.NONACUTE and stay.stay_class is not StayClass.EMERGENCY:
        return "nonacute: in nonacute care; follow-up starts when that ends", None
    return None


def _away_reason(away: Absence, stay: Stay) -> str:
    until = f"clocks wait until {local_date(away.ends_at, stay.zone)}, or until something is heard"
    if away.outcome is ContactOutcome.DECEASED:
        return f"{away.outcome}: a contact says so; {until}. Answer deceased, and a person looks at it"
    return f"{away.outcome}: where {until}"


def _open_reasons(stay: Stay) -> tuple[str, ...]:
    wait = _wait_of_place(stay)
    if wait is not None:
        return (f"lost_in_transfer: no receiving admission within {_hours(wait)} hours, from when on the clocks run",)
    match stay.disposition:
        case Disposition.AGAINST_ADVICE:
            return ("discharged: left against medical advice, the risk is higher",)
        case Disposition.TRANSFER | Disposition.ADMITTED_HERE:
            return ("lost_in_transfer: no receiving admission within a day, so the clocks run from the discharge",)
        case Disposition.UNKNOWN:
            return ("discharged: where to is not known; followed like a discharge home",)
        case _:
            return (f"discharged: to {stay.disposition}",)


def _died_since(facts: FollowUpFacts, stop: _Stop, now: datetime) -> tuple[str, ...]:
    """Say of the last follow-up of somebody, closed for another reason, that they have died since, where no stay tells of it."""
    is_news = facts.died_beside_stays and facts.died_at is not None and facts.died_at <= now
    if not is_news or stop.state is not FollowUpState.CLOSED or stop.reason == _DIED:
        return ()
    left_at, others = facts.stay.discharged_at, (one for one in facts.stays if not one.cancelled and one.id != facts.stay.id)
    came_back = left_at is not None and any(one.admitted_at is not None and one.admitted_at > left_at for one in others)
    return () if came_back else (_DIED,)


def _doubted(facts: FollowUpFacts) -> tuple[str, ...]:
    if facts.doubted_on is None:
        return ()
    on = facts.doubted_on.isoformat()
    return (f"{DEATH_UNDER_REVIEW}: said to have died on {on} and admitted later; it ends nothing until somebody has decided it",)


def _hours(wait: timedelta) -> int:
    return round(wait / timedelta(hours=1))


def _idle(state: FollowUpState, why: str, windows: tuple[ClockWindow, ...], clocks: ClockState) -> FollowUpView:
    """Give a follow-up that has no discharge that stands."""
    return FollowUpView(state=state, reasons=(why,), windows=windows, clocks=tuple(idle_clock(window, clocks, why) for window in windows))


def _view(
    facts: FollowUpFacts,
    state: FollowUpState,
    reasons: tuple[str, ...],
    windows: tuple[ClockWindow, ...],
    clocks: tuple[Clock, ...],
    *,
    stop: _Stop | None = None,
    next_change_at: datetime | None = None,
) -> FollowUpView:
    """Give a follow-up of a discharge that stands."""
    flags = []
    if facts.stay.disposition is Disposition.AGAINST_ADVICE:
        flags.append(FollowUpFlag.AGAINST_ADVICE)
    if state is FollowUpState.OPEN and (facts.stay.disposition in IN_TRANSFER or _wait_of_place(facts.stay) is not None):
        flags.append(FollowUpFlag.LOST_IN_TRANSFER)
    if stop is not None and stop.flag is not None:
        flags.append(stop.flag)
    return FollowUpView(
        state=state,
        reasons=reasons,
        clocks=clocks,
        windows=windows,
        anchor_at=facts.stay.discharged_at,
        anchor_on=facts.stay.discharged_on,
        flags=tuple(flags),
        superseded_by=None if stop is None else stop.stay_id,
        next_change_at=next_change_at,
    )

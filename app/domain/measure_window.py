"""What happened in the windows of a measure: services, stays that count as one, receipts and returns, by the days they fall on.

Not here: whether the event is in the denominator at all (``episode``, ``returning``).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

from app.domain.death_judged import DEATH_UNDER_REVIEW
from app.domain.measure import (
    ENROLMENT_UNKNOWN,
    UNDECIDED,
    Evidence,
    GroundStatus,
    MeasureEvent,
    MeasureState,
    MeasureStatus,
    Standing,
)
from app.domain.public_id import Kind, public_id
from app.domain.returning import returns_after
from app.domain.service import Ground, Service, ServiceReader
from app.domain.stay import Stay


class _Met(NamedTuple):
    """By what a window is met."""

    on: date
    what: str
    id: str
    long_only: bool = False
    service: Service | None = None


_REASONS: Final = {
    Evidence.SERVICE: ("service", "a qualifying service was given", "no qualifying service"),
    Evidence.RETURN: ("return", "the person came back", "no return"),
}
_SINGLE: Final = {
    Evidence.SERVICE: ("service_in_window", "no_service_in_window", "a qualifying service"),
    Evidence.ADMISSION_NOTICE: ("notice_in_window", "no_notice_in_window", "an acknowledged notice of the admission"),
    Evidence.DISCHARGE_INFORMATION: ("information_in_window", "no_information_in_window", "received discharge information"),
    Evidence.RETURN: ("return_in_window", "no_return_in_window", "a return"),
}
"""Evidence -> reason when there is some, reason when there is none, and its words: of measures with one window."""
_KINDS: Final = {"contact": Kind.CONTACT, "stay": Kind.ENCOUNTER, "notification": Kind.NOTIFICATION, "summary_fact": Kind.SUMMARY_FACT}


def status_of(event: MeasureEvent, standing: Standing | None, reader: ServiceReader) -> MeasureStatus:
    """Give the status of an event: what its standing says, else what was done in its windows by today.

    Where a fact is missing the days on which it would be met are told all the same.
    """
    open_question = standing is None or standing.status is MeasureState.INDETERMINATE
    found = _found_in_order(event, reader) if open_question else []
    short, long = _first_days(event, found)
    met_7_on, met_30_on = short and short.on, long and long.on
    doubt = _doubted(event) if open_question else ()
    if standing is None:
        status_7 = _outcome(met_7_on, event.due_7_on, event.today)
        status_30 = status_7 if event.rules.window_days else _outcome(met_30_on, event.due_30_on, event.today)
        reason, text = _said_of(event, status_7, status_30)
        more = _rests_on(short, long, found, event, reader) if status_30 is MeasureState.MET else _not_counted(event, reader)
    else:
        status_7 = status_30 = standing.status
        reason, text = standing.reason, standing.text
        # Whatever follows from another stay names it.
        more = (f"rests_on: stay {_named('stay', standing.superseded_by)}",) if standing.superseded_by else ()
    return MeasureStatus(
        measure=event.rules.measure,
        period=str(event.anchor_on.year),
        status=status_30,
        reason=reason,
        final=event.today > event.due_30_on and status_30 not in UNDECIDED and not doubt,
        anchor_on=event.anchor_on,
        due_7_on=event.due_7_on,
        due_30_on=event.due_30_on,
        met_7_on=met_7_on,
        met_30_on=met_30_on,
        rule_version=event.rules.version,
        status_7=status_7,
        status_30=status_30,
        superseded_by=None if standing is None else standing.superseded_by,
        reasons=(f"{reason}: {text}", *more, *doubt, *(ENROLMENT_UNKNOWN if event.history.coverage is None else ())),
        by_ground=_by_ground(event, found, standing) if open_question and event.rules.evidence is Evidence.SERVICE else None,
    )


def _doubted(event: MeasureEvent) -> tuple[str, ...]:
    """Say that a death would take the event out if somebody decided that it is right: until then the event counts, and is not final."""
    event_on, excludes = event.stay.discharged_on, event.rules.death_excludes
    days = sorted(on for on in event.history.doubted if on == event_on or (excludes and on.year <= event.anchor_on.year))
    if not days:
        return ()
    return (f"{DEATH_UNDER_REVIEW}: said to have died on {days[0].isoformat()} and admitted later; it counts until somebody decides that",)


def _by_ground(event: MeasureEvent, found: Sequence[_Met], standing: Standing | None) -> Mapping[Ground, GroundStatus]:
    """Say the status by each ground alone. A stay that counts as a service is known without a claim: it stands with the contacts."""
    if not found:
        # Nearly always, and then both say the same.
        return dict.fromkeys(Ground, _ground_status(event, (), standing))
    told = {}
    for ground in Ground:
        of_ground = [one for one in found if (one.what == Ground.CLAIM) == (ground is Ground.CLAIM)]
        told[ground] = _ground_status(event, of_ground, standing)
    return told


def _ground_status(event: MeasureEvent, found: Sequence[_Met], standing: Standing | None) -> GroundStatus:
    short, long = _first_days(event, found)
    met_7_on, met_30_on = short and short.on, long and long.on
    status_7, status_30 = _outcome(met_7_on, event.due_7_on, event.today), _outcome(met_30_on, event.due_30_on, event.today)
    return GroundStatus(
        status_7=standing.status if standing else status_7,
        status_30=standing.status if standing else status_7 if event.rules.window_days else status_30,
        met_7_on=met_7_on,
        met_30_on=met_30_on,
    )


def _outcome(met_on: date | None, due_on: date, today: date) -> MeasureState:
    if met_on is not None:
        return MeasureState.MET
    return MeasureState.PENDING if today <= due_on else MeasureState.NOT_MET


def _window_reason(status_7: MeasureState, status_30: MeasureState, first_on: date, evidence: Evidence) -> tuple[str, str]:
    """Say the outcome of both windows in one code."""
    word, done, missing = _REASONS[evidence]
    if status_7 is MeasureState.MET:
        return f"{word}_in_7_days", f"{done} within 7 days"
    if status_30 is MeasureState.MET:
        return f"{word}_in_30_days", f"{done} within 30 days, not within 7"
    if status_30 is MeasureState.NOT_MET:
        return f"no_{word}_in_30_days", f"{missing} is known from {first_on.isoformat()} through day 30"
    if status_7 is MeasureState.NOT_MET:
        return f"no_{word}_in_7_days", f"{missing} within 7 days is known; the 30 days are open"
    return f"awaiting_{word}", f"{missing} is known since {first_on.isoformat()}; both windows are open"


def _said_of(event: MeasureEvent, status_7: MeasureState, status_30: MeasureState) -> tuple[str, str]:
    """Say the outcome in one code."""
    rules, first_on = event.rules, event.first_on
    if rules.window_days:
        met, missing, words = _SINGLE[rules.evidence]
        if status_30 is MeasureState.PENDING:
            return f"awaiting_{missing.split('_')[1]}", f"{words} is not known since {first_on.isoformat()}; the window is open"
        until = f"from {first_on.isoformat()} through {event.due_7_on.isoformat()}"
        return (met, f"{words} {until}") if status_30 is MeasureState.MET else (missing, f"{words} is not known {until}")
    return _window_reason(status_7, status_30, first_on, rules.evidence)


def _found_in_order(event: MeasureEvent, reader: ServiceReader) -> list[_Met]:
    return sorted(_found(event, reader), key=lambda one: (one.on, one.what != Ground.CONTACT, one.what, one.id, one.long_only))


def _first_days(event: MeasureEvent, found: Sequence[_Met]) -> tuple[_Met | None, _Met | None]:
    """Find the first that counts in the short and in the long window; of a single window both are the same."""
    if not found:
        return None, None
    until = event.due_7_on if event.rules.window_days else event.due_30_on
    long = next((one for one in found if one.on <= until), None)
    return next((one for one in found if one.on <= event.due_7_on and not one.long_only), None), long


def _found(event: MeasureEvent, reader: ServiceReader) -> Iterator[_Met]:
    """Give everything that counts from the first day on."""
    evidence = event.rules.evidence
    if evidence is Evidence.RETURN:
        yield from (_Met(on, "stay", other.id) for on, other in returns_after(event))
        return
    if evidence is not Evidence.SERVICE:
        own = {event.stay.id, (event.first or event.stay).id} if event.rules.from_admission else {event.stay.id}
        for receipt in event.history.receipts:
            if receipt.what is evidence and receipt.stay_id in own and receipt.on >= event.first_on:
                what, _, known_by = receipt.by.partition(":")
                yield _Met(receipt.on, what, known_by)
        return
    for service in event.history.services:
        if event.first_on <= service.on <= event.due_30_on:
            rule = reader.qualifying(service, event.rules.services)
            if rule is not None:
                yield _Met(service.on, service.ground.value, service.id, rule.long_window_only, service)
    for other in event.history.stays.admissions_to(event.rules.counted_levels):
        if _counts_itself(other, event) and other.admitted_on is not None:
            day = max(other.admitted_on, event.first_on)
            if day <= event.today and (other.discharged_on is None or day <= other.discharged_on):
                yield _Met(day, "stay", other.id)


def _rests_on(short: _Met | None, long: _Met | None, found: Sequence[_Met], event: MeasureEvent, reader: ServiceReader) -> tuple[str, ...]:
    """Name what met the windows, so that the number can be traced: a visit that a contact and a claim tell of by both."""
    met = [one for one in dict.fromkeys((short, long)) if one is not None and one.id]
    told = dict.fromkeys(other for one in met for other in (one, *(also for also in found if _is_same(one, also))))
    named = {one: f"{one.what} {_named(one.what, one.id)}" for one in told}
    stated = [one for one in told if one.service is not None and reader.rests_on_statement(one.service, event.rules.services)]
    return (
        *(f"rests_on: {name} on {one.on.isoformat()}" for one, name in named.items()),
        *(f"provider_stated: {named[one]} counts by the kind of provider that its sender states; no registry says it" for one in stated),
    )


def _is_same(one: _Met, other: _Met) -> bool:
    return one.service is not None and other.service is not None and one.service.is_same_visit(other.service)


def _named(what: str, id_: str) -> str:
    if what not in _KINDS:
        return id_
    try:
        return public_id(_KINDS[what], UUID(id_))
    except ValueError:
        return id_


def _counts_itself(other: Stay, event: MeasureEvent) -> bool:
    """Whether an admission to a counted level of care is a service by its diagnosis. The event's own is none."""
    rules = event.rules
    if other.id == event.stay.id:
        return False
    return not rules.counted_principal or bool(other.signal.principal & rules.counted_principal)


def _not_counted(event: MeasureEvent, reader: ServiceReader) -> tuple[str, ...]:
    """Say how many visits were looked at and not counted, so that a coordinator sees that their call was not forgotten."""
    if event.rules.evidence is not Evidence.SERVICE or not event.history.services:
        return ()
    services: list[Service] = []
    for one in sorted({one.id: one for one in event.history.services}.values(), key=lambda one: one.ground is not Ground.CONTACT):
        if not any(one.is_same_visit(other) for other in services):
            services.append(one)
    unresolved: list[Service] = []
    for one in event.history.services:
        awaits = event.first_on <= one.on <= event.due_30_on and reader.awaits_provider(one, event.rules.services)
        if awaits and not any(one.is_same_visit(other) for other in unresolved):
            unresolved.append(one)
    early = sum(one.on == event.anchor_on < event.first_on for one in services)
    short_of = sum(event.first_on <= one.on <= event.due_30_on and reader.qualifying(one, event.rules.services) is None for one in services)
    told = []
    if early:
        told.append(f"day_zero_excluded: {early} on the day of the discharge, which does not count")
    if short_of:
        told.append(f"not_qualifying: {short_of} in the window, without the visit code, provider type or diagnosis it takes")
    if unresolved:
        told.append(f"provider_unresolved: {len(unresolved)} in the window would count if the kind of provider behind the NPI were known")
    return tuple(told)

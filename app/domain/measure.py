"""Measure status: where one discharge or emergency visit stands in FUH, FUM, FUA and FUI within the person's history.

HEDIS-like, uncertified. Calendar dates in the facility's zone, inclusive windows, rules by measurement year as data. Only qualifying
services meet a measure, never a coordinator's call, and nothing is final before day 31. Not here: which earlier and later stays move an
event (``episode``), what qualifies (``service``), rates over many events, program clocks (``clock``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from app.domain.behavioral import BehavioralKind
from app.domain.diagnosis import DiagnosisGroup
from app.domain.service import Service, ServiceReader, ServiceRule
from app.domain.stay import CareLevel, Stay, StayClass

SHORT_DAYS: Final = 7
LONG_DAYS: Final = 30
ENROLMENT_UNKNOWN: Final = ("enrolment_unknown: no enrolment data, so continuous enrolment was not tested",)


class MeasureState(StrEnum):
    """Where an event stands in a measure."""

    PENDING = "pending"
    """In the denominator as far as we know, the window is open."""
    MET = "met"
    NOT_MET = "not_met"
    EXCLUDED = "excluded"
    """It would be in the denominator but for a rule that takes it out."""
    SUPERSEDED = "superseded"
    """A later discharge of the same episode counts instead."""
    SUSPENDED = "suspended"
    """What decides has not happened yet: a readmission still in house, a transfer on its way."""
    NOT_ELIGIBLE = "not_eligible"
    """It is no event of this measure."""
    INDETERMINATE = "indeterminate"
    """A fact is missing: the final diagnosis, the birth date."""
    VOID = "void"
    """The discharge or the stay never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRules:
    """One measure in one version. ``first_year`` is the first measurement year it holds for."""

    measure: str
    title: str
    version: str
    first_year: int
    stay_class: StayClass
    """INPATIENT: discharges, readmissions are followed. EMERGENCY: visits, an admission excludes."""
    age_min: int
    age_bands: tuple[int, ...]
    """The age at which each band begins, by which rates are told apart."""
    first_day: int
    """The first day that counts: 1 leaves the anchor's own day out, 0 takes it in."""
    about: BehavioralKind
    """MENTAL_HEALTH or SUBSTANCE_USE: what a stay without a final diagnosis must point to, to be waited for."""
    index_principal: frozenset[DiagnosisGroup]
    index_any: frozenset[DiagnosisGroup] = frozenset()
    readmission_principal: frozenset[DiagnosisGroup] = frozenset()
    """What makes a readmission the same episode; any other excludes both."""
    readmission_any: frozenset[DiagnosisGroup] = frozenset()
    index_levels: frozenset[CareLevel] = frozenset({CareLevel.ACUTE})
    """Levels of care whose discharges are events, and whose later stays go on with the same episode."""
    return_days: int = LONG_DAYS
    """An admission within so many days of a discharge is a readmission, or only a direct transfer where it is 1."""
    ignored_levels: frozenset[CareLevel] = frozenset()
    """Stays of these levels of care are no admission for this measure."""
    counted_levels: frozenset[CareLevel] = frozenset()
    """Days of stays of these levels are services."""
    counted_principal: frozenset[DiagnosisGroup] = frozenset()
    """What such a stay must be for; empty where its level alone says it."""
    visit_gap_days: int = 0
    """After a visit that counts, the next one this many days later counts; 0 where each counts."""
    services: tuple[ServiceRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonHistory:
    """One person as measures see them. Stays and services in any order; repetitions do no harm."""

    birth_on: date | None
    died_on: date | None = None
    hospice_on: date | None = None
    """The first day known in hospice care."""
    coverage: tuple[tuple[date, date | None], ...] | None = None
    """Enrolment spans, ends exclusive; None where no enrolment data exist, which excludes nobody."""
    stays: Sequence[Stay] = ()
    services: Sequence[Service] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureEvent:
    """One ended stay put to one measure, with everything its status depends on."""

    stay: Stay
    anchor_on: date
    rules: MeasureRules
    history: PersonHistory
    today: date
    """Where the stay was."""

    @property
    def first_on(self) -> date:
        """The first day on which a service counts."""
        return self.anchor_on + timedelta(days=self.rules.first_day)

    @property
    def due_7_on(self) -> date:
        """The last day of the short window."""
        return self.anchor_on + timedelta(days=SHORT_DAYS)

    @property
    def due_30_on(self) -> date:
        """The last day of the long window."""
        return self.anchor_on + timedelta(days=LONG_DAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Why an event is not simply waiting for its service."""

    status: MeasureState
    reason: str
    text: str
    superseded_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureStatus:
    """The status of one event in one measure. ``status`` is that of the 30 days, which contain the 7."""

    measure: str
    period: str
    """The measurement period: the year of the anchor."""
    status: MeasureState
    reason: str
    """A stable code; ``reasons`` says it in words."""
    final: bool
    anchor_on: date | None
    due_7_on: date | None
    due_30_on: date | None
    met_7_on: date | None
    met_30_on: date | None
    rule_version: str
    status_7: MeasureState
    status_30: MeasureState
    superseded_by: str | None
    """The id of the stay that counts instead."""
    reasons: tuple[str, ...]


class MeasureCatalog:
    """All measures in all their versions, and the reader of services."""

    def __init__(self, rules: Iterable[MeasureRules], reader: ServiceReader) -> None:
        self.reader = reader
        self._versions: dict[str, list[MeasureRules]] = {}
        for one in sorted(rules, key=lambda one: (one.measure, one.first_year)):
            self._versions.setdefault(one.measure, []).append(one)

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of the measures."""
        return tuple(self._versions)

    def versions_of(self, measure: str) -> tuple[MeasureRules, ...]:
        """Give the versions of a measure, oldest first."""
        return tuple(self._versions[measure])

    def rules_for(self, measure: str, year: int) -> MeasureRules:
        """Give the rules of a measurement year: the last version that began by then, or the first there is."""
        versions = self._versions[measure]
        return max((one for one in versions if one.first_year <= year), key=lambda one: one.first_year, default=versions[0])


def status_of(event: MeasureEvent, standing: Standing | None, reader: ServiceReader) -> MeasureStatus:
    """Give the status of an event: what its standing says, else what was done in its windows by today.

    Where a fact is missing the days on which it would be met are told all the same.
    """
    open_question = standing is None or standing.status is MeasureState.INDETERMINATE
    met_7_on, met_30_on = _first_services(event, reader) if open_question else (None, None)
    if standing is None:
        status_7 = _outcome(met_7_on, event.due_7_on, event.today)
        status_30 = _outcome(met_30_on, event.due_30_on, event.today)
        reason, text = _window_reason(status_7, status_30, event.first_on)
        more = () if status_30 is MeasureState.MET else _not_counted(event, reader)
    else:
        status_7 = status_30 = standing.status
        reason, text, more = standing.reason, standing.text, ()
    return MeasureStatus(
        measure=event.rules.measure,
        period=str(event.anchor_on.year),
        status=status_30,
        reason=reason,
        final=event.today > event.due_30_on,
        anchor_on=event.anchor_on,
        due_7_on=event.due_7_on,
        due_30_on=event.due_30_on,
        met_7_on=met_7_on,
        met_30_on=met_30_on,
        rule_version=event.rules.version,
        status_7=status_7,
        status_30=status_30,
        superseded_by=None if standing is None else standing.superseded_by,
        reasons=(f"{reason}: {text}", *more, *(ENROLMENT_UNKNOWN if event.history.coverage is None else ())),
    )


def void_status(rules: MeasureRules, on: date, reason: str, text: str) -> MeasureStatus:
    """Give the status of an event whose discharge or stay never was."""
    return MeasureStatus(
        measure=rules.measure,
        period=str(on.year),
        status=MeasureState.VOID,
        reason=reason,
        final=False,
        anchor_on=None,
        due_7_on=None,
        due_30_on=None,
        met_7_on=None,
        met_30_on=None,
        rule_version=rules.version,
        status_7=MeasureState.VOID,
        status_30=MeasureState.VOID,
        superseded_by=None,
        reasons=(f"{reason}: {text}",),
    )


def _outcome(met_on: date | None, due_on: date, today: date) -> MeasureState:
    if met_on is not None:
        return MeasureState.MET
    return MeasureState.PENDING if today <= due_on else MeasureState.NOT_MET


def _window_reason(status_7: MeasureState, status_30: MeasureState, first_on: date) -> tuple[str, str]:
    """Say the outcome of both windows in one code."""
    if status_7 is MeasureState.MET:
        return "service_in_7_days", "a qualifying service was given within 7 days"
    if status_30 is MeasureState.MET:
        return "service_in_30_days", "a qualifying service was given within 30 days, not within 7"
    if status_30 is MeasureState.NOT_MET:
        return "no_service_in_30_days", f"no qualifying service is known from {first_on.isoformat()} through day 30"
    if status_7 is MeasureState.NOT_MET:
        return "no_service_in_7_days", "no qualifying service within 7 days is known; the 30 days are open"
    return "awaiting_service", f"no qualifying service is known since {first_on.isoformat()}; both windows are open"


def _first_services(event: MeasureEvent, reader: ServiceReader) -> tuple[date | None, date | None]:
    """Find the first qualifying day in the short and in the long window."""
    short, long = [], []
    for service in event.history.services:
        if event.first_on <= service.on <= event.due_30_on:
            rule = reader.qualifying(service, event.rules.services)
            if rule is not None:
                long.append(service.on)
                if not rule.long_window_only:
                    short.append(service.on)
    for other in event.history.stays:
        if _counts_itself(other, event) and other.admitted_on is not None:
            day = max(other.admitted_on, event.first_on)
            if day <= event.today and (other.discharged_on is None or day <= other.discharged_on):
                long.append(day)
                short.append(day)
    return (
        min((day for day in short if day <= event.due_7_on), default=None),
        min((day for day in long if day <= event.due_30_on), default=None),
    )


def _counts_itself(other: Stay, event: MeasureEvent) -> bool:
    """Whether a stay is a service by its level of care and its diagnosis. The event's own is none."""
    rules = event.rules
    if other.care_level not in rules.counted_levels or not other.is_admission or other.id == event.stay.id:
        return False
    return not rules.counted_principal or bool(other.signal.principal & rules.counted_principal)


def _not_counted(event: MeasureEvent, reader: ServiceReader) -> tuple[str, ...]:
    """Say how many visits were looked at and not counted, so that a coordinator sees that their call was not forgotten."""
    services = {one.id: one for one in event.history.services}.values()
    early = sum(one.on == event.anchor_on < event.first_on for one in services)
    short_of = sum(event.first_on <= one.on <= event.due_30_on and reader.qualifying(one, event.rules.services) is None for one in services)
    told = []
    if early:
        told.append(f"day_zero_excluded: {early} on the day of the discharge, which does not count")
    if short_of:
        told.append(f"not_qualifying: {short_of} in the window, without the visit code, provider type or diagnosis it takes")
    return tuple(told)

"""Measure status: where one discharge or emergency visit stands in a measure within the person's history; the words of it.

HEDIS-like, uncertified. Calendar dates in the facility's zone, inclusive windows, rules by measurement year as data. Not here: windows
and what meets them (``measure_window``), which earlier and later stays move an event (``episode``, ``returning``), what qualifies
(``service``), rates over many events, program clocks (``clock``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from app.domain.behavioral import BehavioralKind
from app.domain.course import Course
from app.domain.diagnosis import DiagnosisGroup
from app.domain.service import Ground, Service, ServiceReader, ServiceRule
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


UNDECIDED: Final = frozenset({MeasureState.PENDING, MeasureState.SUSPENDED, MeasureState.INDETERMINATE})
"""What is still awaited may change them on any day, so none of them is final."""


class EvidenceSource(StrEnum):
    """Whose word of services is heard."""

    CONTACTS = "contacts"
    """What homes recorded, and stays that count as services."""
    CLAIMS = "claims"
    """What a plan's or a state's encounter and pharmacy files say."""
    COMBINED = "combined"


class Evidence(StrEnum):
    """What meets a measure."""

    SERVICE = "service"
    """A qualifying service, or a stay that counts as one."""
    ADMISSION_NOTICE = "admission_notice"
    """Somebody who goes on with the care knew of the admission."""
    DISCHARGE_INFORMATION = "discharge_information"
    """Somebody who goes on with the care had the discharge information."""
    RETURN = "return"
    """The person came back. Here fewer are better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRules:
    """One measure in one version. ``first_year`` is the first measurement year it holds for."""

    measure: str
    title: str
    version: str
    first_year: int
    stay_class: StayClass
    """INPATIENT: discharges, readmissions are followed. EMERGENCY: visits, an admission excludes."""
    also_classes: frozenset[StayClass] = frozenset()
    """Classes whose stays are events too: observation, for readmissions."""
    evidence: Evidence = Evidence.SERVICE
    window_days: int = 0
    """The only window; 0: the 7 and the 30 days."""
    from_admission: bool = False
    """The only window begins with the first admission of the episode, not with its last discharge."""
    age_min: int
    age_bands: tuple[int, ...]
    """The age at which each band begins, by which rates are told apart."""
    first_day: int
    """The first day that counts: 1 leaves the anchor's own day out, 0 takes it in."""
    about: BehavioralKind
    """MENTAL_HEALTH or SUBSTANCE_USE: what a stay without a final diagnosis must point to, to be waited for. NONE: any diagnosis."""
    index_principal: frozenset[DiagnosisGroup] = frozenset()
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
    death_excludes: bool = True
    """Whether a death later in the period takes an event out; a death in the stay always does."""
    no_index_principal: frozenset[DiagnosisGroup] = frozenset()
    """What makes a stay neither an event nor a return: pregnancy, for readmissions."""
    planned_principal: frozenset[DiagnosisGroup] = frozenset()
    """What makes a return a planned one, which does not count."""

    @property
    def is_any_diagnosis(self) -> bool:
        """Whether every stay of its class and level is an event."""
        return self.about is BehavioralKind.NONE

    @property
    def stay_classes(self) -> frozenset[StayClass]:
        """Every class whose stays are events."""
        return self.also_classes | {self.stay_class}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """That somebody who goes on with the care had something of a stay, by when."""

    stay_id: str
    what: Evidence
    on: date
    by: str = ""
    """By what it is known: the notification that was acknowledged, the fact that a home recorded."""


KeptVisits = tuple[Sequence[tuple[date, tuple[datetime, datetime, str]]], Sequence[tuple[date, str | None]]]
"""Visits in order, by their day and their own order, and after each the day and the id of the last one that counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonHistory:
    """One person as measures see them. Stays and services in any order; repetitions do no harm."""

    birth_on: date | None
    died_on: date | None = None
    hospice_on: date | None = None
    """The first day known in hospice care."""
    doubted: frozenset[date] = frozenset()
    """Days of deaths that nobody has decided although a later stay contradicts them: no death yet, and no final status."""
    died_by: str | None = None
    """The id of the stay that tells the death; None where a roster or a message about the person alone does."""
    hospice_by: str | None = None
    """The id of the stay that ended in hospice care, likewise."""
    coverage: tuple[tuple[date, date | None], ...] | None = None
    """Enrolment spans, ends exclusive; None where no enrolment data exist, which excludes nobody."""
    stays: Course = field(default_factory=Course)
    services: Sequence[Service] = ()
    receipts: Sequence[Receipt] = ()
    kept_visits: dict[tuple[Any, ...], KeptVisits] = field(default_factory=dict, init=False, compare=False, repr=False)
    """What ``episode`` worked out of it once for all visits of a measure's year."""
    continued: dict[tuple[str, str, int], frozenset[str]] = field(default_factory=dict, init=False, compare=False, repr=False)
    """And for all admissions: the ids of those that go on with an episode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureEvent:
    """One ended stay put to one measure, with everything its status depends on."""

    stay: Stay
    anchor_on: date
    rules: MeasureRules
    history: PersonHistory
    today: date
    """Where the stay was."""
    first: Stay | None = None
    """The first stay of the episode, where it is not the event's own."""
    begins_on: date = field(init=False)
    """The day from which the windows are counted: that of the event, or that of the first admission."""
    first_on: date = field(init=False)
    """The first day that counts."""
    due_7_on: date = field(init=False)
    """The last day of the short window, or of the only one."""
    due_30_on: date = field(init=False)
    """Day 30: the last of the long window, and after which the event is final whatever its window."""

    def __post_init__(self) -> None:
        # Worked out once: each status asks for them many times.
        rules, first = self.rules, self.first or self.stay
        begins_on = (first.admitted_on or self.anchor_on) if rules.from_admission else self.anchor_on
        object.__setattr__(self, "begins_on", begins_on)
        object.__setattr__(self, "first_on", begins_on + timedelta(days=rules.first_day))
        object.__setattr__(self, "due_7_on", begins_on + timedelta(days=rules.window_days or SHORT_DAYS))
        object.__setattr__(self, "due_30_on", self.anchor_on + timedelta(days=LONG_DAYS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Why an event is not simply waiting for its service."""

    status: MeasureState
    reason: str
    text: str
    superseded_by: str | None = None


class GroundStatus(NamedTuple):
    """Where an event stands by contacts alone, or by claims alone."""

    status_7: MeasureState
    status_30: MeasureState
    met_7_on: date | None
    met_30_on: date | None


class MeasureStatus(NamedTuple):
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
    """The id of the stay that counts instead, or takes this one out."""
    reasons: tuple[str, ...]
    by_ground: Mapping[Ground, GroundStatus] | None = None
    """By contacts alone and by claims alone; None where services do not decide, so that all three are the same."""

    def by(self, source: EvidenceSource) -> GroundStatus:
        """Give the status as one source of evidence tells it."""
        if source is EvidenceSource.COMBINED or self.by_ground is None:
            return GroundStatus(status_7=self.status_7, status_30=self.status_30, met_7_on=self.met_7_on, met_30_on=self.met_30_on)
        return self.by_ground[Ground.CONTACT if source is EvidenceSource.CONTACTS else Ground.CLAIM]


class MeasureCatalog:
    """All measures in all their versions, and the reader of services."""

    def __init__(self, rules: Iterable[MeasureRules], reader: ServiceReader) -> None:
        self.reader = reader
        self._of_class: dict[tuple[StayClass, int], tuple[MeasureRules, ...]] = {}
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

    def rules_of(self, stay_class: StayClass, year: int) -> tuple[MeasureRules, ...]:
        """Give the rules of a measurement year for which stays of a class are events."""
        found = self._of_class.get((stay_class, year))
        if found is None:
            rules = (self.rules_for(measure, year) for measure in self.measures)
            found = self._of_class[stay_class, year] = tuple(one for one in rules if stay_class in one.stay_classes)
        return found


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

"""Which event counts: readmissions, transfers and repeated visits around one discharge or emergency visit, and what takes it out.

FUH follows a discharge through readmissions within 30 days to the last one, FUI through direct transfers; FUM and FUA drop a visit
that an admission follows; FUM, FUA and FUI keep one event in 31 days. The public question is ``measure_statuses``. Not here: windows
and services (``measure``, ``service``).
"""

from bisect import bisect_left
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final

from app.domain.calendar import age_on, local_date
from app.domain.measure import (
    Evidence,
    KeptVisits,
    MeasureCatalog,
    MeasureEvent,
    MeasureRules,
    MeasureState,
    MeasureStatus,
    PersonHistory,
    Standing,
    void_status,
)
from app.domain.measure_window import status_of
from app.domain.returning import standing_of_return
from app.domain.stay import Disposition, Stay, StayClass

LAST_ANCHOR: Final = (12, 1)
"""An event counts in its year when it is by 1 December, so that its 30 days fit."""
TRANSFER_WAIT_DAYS: Final = 1


def _fixed(status: MeasureState, reason: str, text: str) -> Standing:
    return Standing(status=status, reason=reason, text=text)


NO_FINAL_DIAGNOSIS: Final = _fixed(MeasureState.INDETERMINATE, "no_final_diagnosis", "the final principal diagnosis has not arrived")
BIRTH_DATE_UNKNOWN: Final = _fixed(MeasureState.INDETERMINATE, "birth_date_unknown", "the age on the anchor cannot be known")
NOT_ACUTE: Final = _fixed(MeasureState.NOT_ELIGIBLE, "not_acute", "not an acute inpatient stay")
NO_DIAGNOSIS_YET: Final = _fixed(MeasureState.NOT_ELIGIBLE, "no_index_diagnosis", "no diagnosis of this measure has arrived")
OTHER_DIAGNOSIS: Final = _fixed(MeasureState.NOT_ELIGIBLE, "no_index_diagnosis", "its final diagnoses are not of this measure")
OUT_OF_PERIOD: Final = _fixed(MeasureState.NOT_ELIGIBLE, "out_of_period", "after 1 December, when 30 days no longer fit the period")
TOO_YOUNG: Final = _fixed(MeasureState.NOT_ELIGIBLE, "too_young", "younger on the anchor than the measure begins")
ENROLMENT_GAP: Final = _fixed(MeasureState.NOT_ELIGIBLE, "enrolment_gap", "not enrolled each day from the anchor to day 30")
DIED_IN_STAY: Final = _fixed(MeasureState.EXCLUDED, "died_in_stay", "the stay ended in death")
DEATH_IN_PERIOD: Final = _fixed(MeasureState.EXCLUDED, "death_in_period", "died during the measurement period")
HOSPICE: Final = _fixed(MeasureState.EXCLUDED, "hospice", "in hospice care during the measurement period")
ADMITTED: Final = _fixed(MeasureState.EXCLUDED, "admitted", "an admission followed the visit, or came within 30 days")
NONACUTE_ADMISSION: Final = _fixed(MeasureState.EXCLUDED, "nonacute_admission", "admitted to nonacute care within 30 days")
NONACUTE_DISPOSITION: Final = _fixed(MeasureState.EXCLUDED, "nonacute_disposition", "discharged to nonacute care, by its discharge code")
READMITTED_FOR_OTHER_CAUSE: Final = _fixed(
    MeasureState.EXCLUDED, "readmitted_for_other_cause", "readmitted within 30 days for something else"
)
REPEATED_VISIT: Final = _fixed(MeasureState.EXCLUDED, "repeated_visit", "a visit shortly before it counts already")
TRANSFER_AWAITED: Final = _fixed(MeasureState.SUSPENDED, "transfer_awaited", "transferred; the receiving admission is awaited for a day")


def measure_statuses(stay: Stay, history: PersonHistory, catalog: MeasureCatalog, now: datetime) -> tuple[MeasureStatus, ...]:
    """Give the status of one stay in every measure for its class; nothing while it has not ended and never had."""
    today = local_date(now, stay.zone)
    ended_on = stay.discharged_on
    statuses = []
    for rules in catalog.rules_of(stay.stay_class, (ended_on or today).year):
        if stay.cancelled:
            statuses.append(void_status(rules, ended_on or today, "stay_cancelled", "the admission or visit was cancelled"))
        elif ended_on is not None:
            first = _first_of_episode(stay, rules, history) if rules.from_admission else None
            event = MeasureEvent(stay=stay, anchor_on=ended_on, rules=rules, history=history, today=today, first=first)
            statuses.append(status_of(event, standing_of(event), catalog.reader))
        elif stay.cancelled_discharge_at is not None:
            statuses.append(void_status(rules, today, "discharge_cancelled", "the discharge was taken back"))
    return tuple(statuses)


def standing_of(event: MeasureEvent) -> Standing | None:
    """Say why an event is not in the denominator as it is; nothing when it is.

    Tested in this order: is it an event at all, is it in the period, what followed it, the person's own exclusions, other visits.
    A missing diagnosis is told only where nothing else takes the event out anyway.
    """
    index = _index(event)
    if index is not None and index.status is MeasureState.NOT_ELIGIBLE:
        return index
    if event.rules.evidence is Evidence.RETURN:
        return _period(event) or standing_of_return(event) or _person(event)
    other = _period(event) or _after(event) or _person(event)
    if other is not None:
        return other
    return index or (_repeated(event) if event.rules.visit_gap_days else None)


def _says(stay: Stay, rules: MeasureRules) -> bool:
    """Whether the diagnoses known now make a stay an event."""
    signal = stay.signal
    return rules.is_any_diagnosis or bool(signal.principal & rules.index_principal or signal.any_position & rules.index_any)


def _index(event: MeasureEvent) -> Standing | None:
    """Test the stay itself: level of care and diagnosis."""
    stay, rules = event.stay, event.rules
    if stay.stay_class is StayClass.INPATIENT and stay.care_level not in rules.index_levels:
        return NOT_ACUTE
    if rules.is_any_diagnosis:
        return None
    says = _says(stay, rules)
    if stay.signal.provisional and (says or rules.about in stay.signal.kind.parts):
        return NO_FINAL_DIAGNOSIS
    if says or _ends_episode(event):
        return None
    return NO_DIAGNOSIS_YET if stay.signal.provisional else OTHER_DIAGNOSIS


def _period(event: MeasureEvent) -> Standing | None:
    return OUT_OF_PERIOD if (event.anchor_on.month, event.anchor_on.day) > LAST_ANCHOR else None


def _person(event: MeasureEvent) -> Standing | None:
    """Test the person on the anchor: age, enrolment, hospice, death."""
    disposition, on, history = event.stay.disposition, event.anchor_on, event.history
    if disposition is Disposition.DIED:
        return DIED_IN_STAY
    if history.birth_on is None:
        return BIRTH_DATE_UNKNOWN
    if age_on(history.birth_on, on) < event.rules.age_min:
        return TOO_YOUNG
    if history.coverage is not None and not covers(history.coverage, on, event.due_30_on):
        return ENROLMENT_GAP
    if disposition is Disposition.HOSPICE:
        return HOSPICE
    if history.hospice_on is not None and history.hospice_on.year <= on.year:
        return _told_by(HOSPICE, history.hospice_by, event)
    died = event.rules.death_excludes and history.died_on is not None and history.died_on.year <= on.year
    return _told_by(DEATH_IN_PERIOD, history.died_by, event) if died else None


def _told_by(standing: Standing, stay_id: str | None, event: MeasureEvent) -> Standing:
    """Name the stay that takes the event out, where it is another one."""
    return standing if stay_id in (None, event.stay.id) else replace(standing, superseded_by=stay_id)


def covers(spans: tuple[tuple[date, date | None], ...], first_on: date, last_on: date) -> bool:
    """Whether spans with exclusive ends leave no gap from the first to the last day, both inclusive."""
    reached = first_on
    for start, end in sorted(spans, key=lambda span: span[0]):
        if start > reached:
            return False
        if end is None:
            return True
        reached = max(reached, end)
        if reached > last_on:
            return True
    return False


def _first_return(stay: Stay, rules: MeasureRules, history: PersonHistory) -> Stay | None:
    """Find the first admission that this measure takes for a readmission or transfer."""
    return history.stays.first_return(stay, rules.return_days, rules.ignored_levels)


def _after(event: MeasureEvent) -> Standing | None:
    """Test what followed. FUH goes on to the first readmission or transfer; after an emergency visit any admission excludes."""
    back = _first_return(event.stay, event.rules, event.history)
    if event.stay.stay_class is StayClass.EMERGENCY and (back is not None or event.stay.disposition is Disposition.ADMITTED_HERE):
        return ADMITTED if back is None else replace(ADMITTED, superseded_by=back.id)
    return _by_disposition(event) if back is None else _readmitted(back, event.rules)


def _readmitted(back: Stay, rules: MeasureRules) -> Standing:
    """Say what a readmission or direct transfer makes of the discharge before it."""
    if back.care_level not in rules.index_levels:
        return replace(NONACUTE_ADMISSION, superseded_by=back.id)
    same = _same_episode(back, rules)
    if back.in_house or same is None:
        text = "readmitted within 30 days; the end of that stay and its final diagnosis decide"
        return Standing(status=MeasureState.SUSPENDED, reason="readmitted", text=text, superseded_by=back.id)
    if same:
        text = "readmitted or transferred within 30 days; the later discharge counts"
        return Standing(status=MeasureState.SUPERSEDED, reason="readmitted", text=text, superseded_by=back.id)
    return replace(READMITTED_FOR_OTHER_CAUSE, superseded_by=back.id)


def _same_episode(back: Stay, rules: MeasureRules) -> bool | None:
    """Whether a readmission is for mental health or self-harm; None while nothing says so or otherwise."""
    if rules.is_any_diagnosis:
        return True
    signal = back.signal
    if signal.principal & rules.readmission_principal or signal.any_position & rules.readmission_any:
        return True
    if not signal.provisional:
        return False
    return True if rules.about in signal.kind.parts else None


def _ends_episode(event: MeasureEvent) -> bool:
    """Whether a discharge that is no event by its own diagnosis is the later end of an episode that began with one, in the same year."""
    stay, rules = event.stay, event.rules
    if stay.stay_class is not StayClass.INPATIENT or not _same_episode(stay, rules):
        return False
    return stay.id in _continued(event)


def _continued(event: MeasureEvent) -> frozenset[str]:
    """Give the stays that go on with an episode which began in the year with a stay that says what it is."""
    rules, history, year = event.rules, event.history, event.anchor_on.year
    asked = (rules.measure, rules.version, year)
    if asked not in history.continued:
        episode: set[str] = set()
        for one in history.stays.admissions:
            if not _may_begin(one, rules, year):
                continue
            if one.id in episode or (_says(one, rules) and not one.signal.provisional):
                back = _first_return(one, rules, history)
                if back is not None and back.care_level in rules.index_levels and _same_episode(back, rules):
                    episode.add(back.id)
        history.continued[asked] = frozenset(episode)
    return history.continued[asked]


def _first_of_episode(stay: Stay, rules: MeasureRules, history: PersonHistory) -> Stay:
    """Give the stay with which the episode began that this one goes on with (TRC: the first admission, the last discharge)."""
    first = stay
    while (earlier := history.stays.last_followed_by(first, rules.return_days, rules.ignored_levels)) is not None:
        first = earlier
    return first


def _may_begin(one: Stay, rules: MeasureRules, year: int) -> bool:
    return one.care_level in rules.index_levels and one.discharged_on is not None and one.discharged_on.year == year


def _by_disposition(event: MeasureEvent) -> Standing | None:
    """Take the discharge code's word for what has not been seen yet."""
    if event.stay.disposition is Disposition.NONACUTE and event.stay.stay_class is StayClass.INPATIENT:
        return NONACUTE_DISPOSITION
    moving = event.stay.disposition in (Disposition.TRANSFER, Disposition.ADMITTED_HERE)
    return TRANSFER_AWAITED if moving and (event.today - event.anchor_on).days <= TRANSFER_WAIT_DAYS else None


def _repeated(event: MeasureEvent) -> Standing | None:
    """Keep the first eligible visit of the year, then each that is far enough from the last one kept; drop the others."""
    visits, kept = _kept_visits(event)
    before = bisect_left(visits, (event.anchor_on, event.stay.order))
    kept_on, kept_id = kept[before - 1] if before else (date.min, None)
    is_near = event.anchor_on - kept_on < timedelta(days=event.rules.visit_gap_days)
    return replace(REPEATED_VISIT, superseded_by=kept_id) if is_near else None


def _kept_visits(event: MeasureEvent) -> KeptVisits:
    """Give the visits of the event's year, and after each the day of the last that was kept: the same for all of them."""
    rules, history, year = event.rules, event.history, event.anchor_on.year
    asked = (rules.measure, rules.version, event.stay.stay_class, year, event.today)
    if asked not in history.kept_visits:
        visits = {
            (one.discharged_on, one.order): one
            for one in history.stays
            if one.stay_class is event.stay.stay_class and not one.cancelled
            if one.discharged_on is not None and one.discharged_on.year == year
        }
        order, kept = sorted(visits), list[tuple[date, str | None]]()
        last: tuple[date, str | None] = (date.min, None)
        for on, began in order:
            visit = visits[on, began]
            far = on - last[0] >= timedelta(days=rules.visit_gap_days)
            last = (on, visit.id) if far and _eligible(replace(event, stay=visit, anchor_on=on)) else last
            kept.append(last)
        history.kept_visits[asked] = order, kept
    return history.kept_visits[asked]


def _eligible(event: MeasureEvent) -> bool:
    """Whether a visit would count if it were the only one."""
    return not (_index(event) or _period(event) or _after(event) or _person(event))

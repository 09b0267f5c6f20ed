"""FUI, TRC, readmissions and emergency revisits written a second time, slowly, from the domain reference (1.5 to 1.7): the oracle.

Like ``slow_measures`` it knows plain dates and words only and walks whole histories forward. Not here: how histories are drawn and
compared (test_slow_transitions).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tests.domain.slow_measures import DAY, SUBSTANCE, covered_each_day, full_years, twice

BIRTH, CHEMOTHERAPY = "O80", "Z51.11"
INPATIENT = ("acute", "nonacute", "residential", "recovery", "detox")
"""Kinds of stays that are admissions; `ed` and `observation` are none."""


@dataclass(frozen=True, slots=True)
class WideStay:
    """A stay in plain words. `left` None: still there."""

    name: str
    kind: str
    came: date
    left: date | None
    codes: Sequence[str]
    ended: str = "home"
    """home, died, hospice, nonacute, transfer; admitted of an emergency visit or observation."""
    planned: bool = False
    through_emergency: bool = False


@dataclass(frozen=True, slots=True)
class WideVisit:
    """A `visit`, `peer` support, `treatment` for substance use, a `drug` dispensed, medication `reconciled`."""

    on: date
    kind: str
    codes: Sequence[str]


@dataclass(frozen=True, slots=True)
class WidePerson:
    """A history. Stays follow each other and never overlap."""

    born: date
    died: date | None
    hospice: date | None
    covered: Sequence[tuple[date, date]]
    stays: Sequence[WideStay]
    visits: Sequence[WideVisit]
    notices: Sequence[tuple[str, date]]
    """Of which admission somebody acknowledged a notice, and when."""
    summaries: Sequence[tuple[str, date]]
    """Of which discharge somebody had the information, and when."""


def _person_fate(person: WidePerson, stay: WideStay, age: int, *, death_counts: bool) -> str | None:
    on = stay.left
    assert on is not None
    if stay.ended == "died":
        return "excluded"
    if full_years(person.born, on) < age or not covered_each_day(person, on):  # type: ignore[arg-type]
        return "not_eligible"
    if stay.ended == "hospice" or (person.hospice and person.hospice.year <= on.year):
        return "excluded"
    return "excluded" if death_counts and person.died and person.died.year <= on.year else None


def _walk(anchor: date, today: date, first: int, days: Sequence[date]) -> tuple[str, str]:
    """Walk the days of the 7 and of the 30."""
    seven, thirty = (_window(anchor, today, first, last, days) for last in (7, 30))
    return seven, thirty


def _window(anchor: date, today: date, first: int, last: int, days: Sequence[date]) -> str:
    if any(anchor + n * DAY in days for n in range(first, last + 1)):
        return "met"
    return "pending" if today <= anchor + last * DAY else "not_met"


def _next_admission(person: WidePerson, stay: WideStay, within: int) -> WideStay | None:
    after = person.stays[person.stays.index(stay) + 1 :]
    assert stay.left is not None
    return next((one for one in after if one.kind in INPATIENT and one.came <= stay.left + within * DAY), None)


def fui(person: WidePerson, today: date) -> dict[str, tuple[str, str]]:
    """Give the fate of each discharge: direct transfers to their end, then one in 31 days, in the order of time."""
    fates: dict[str, tuple[str, str]] = {}
    kept: dict[int, date] = {}
    for stay in person.stays:
        if stay.kind not in INPATIENT or stay.left is None:
            continue
        fate = _fui_fate(person, stay, today)
        year = stay.left.year
        if fate is None and year in kept and (stay.left - kept[year]).days < 31:
            fate = "excluded"
        if fate is None:
            kept[year] = stay.left
            fates[stay.name] = _walk(stay.left, today, 1, _fui_days(person, stay))
        else:
            fates[stay.name] = twice(fate)
    return fates


def _fui_fate(person: WidePerson, stay: WideStay, today: date) -> str | None:
    left = stay.left
    assert left is not None
    if stay.kind == "nonacute" or stay.codes[0] != SUBSTANCE or left > date(left.year, 12, 1):
        return "not_eligible"
    onward = _next_admission(person, stay, 1)
    if onward is not None:
        if onward.kind == "nonacute":
            return "excluded"
        if onward.left is None:
            return "suspended"
        return "superseded" if onward.codes[0] == SUBSTANCE else "excluded"
    return _left_for(stay, today) or _person_fate(person, stay, 13, death_counts=True)


def _left_for(stay: WideStay, today: date) -> str | None:
    """Take the discharge code's word where no admission was seen."""
    assert stay.left is not None
    if stay.ended == "nonacute":
        return "excluded"
    return "suspended" if stay.ended == "transfer" and today <= stay.left + DAY else None


def _fui_days(person: WidePerson, stay: WideStay) -> list[date]:
    assert stay.left is not None
    recent = stay.left.year >= 2026
    days = [
        one.came
        for one in person.stays
        if one is not stay and one.kind in ("acute", "residential", "recovery") and one.codes[0] == SUBSTANCE
    ]
    for visit in person.visits:
        heard = visit.codes if recent else visit.codes[:1]
        if visit.kind == "drug" or (SUBSTANCE in heard and (visit.kind in ("visit", "treatment") or (visit.kind == "peer" and recent))):
            days.append(visit.on)
    return days


def trc(person: WidePerson, today: date) -> dict[tuple[str, str], tuple[str, str]]:
    """Give the fate of each discharge in the four indicators; the first admission and the last discharge of an episode count."""
    fates: dict[tuple[str, str], tuple[str, str]] = {}
    begun: dict[str, WideStay] = {}
    for stay in person.stays:
        if stay.kind not in INPATIENT or stay.left is None:
            continue
        onward = _next_admission(person, stay, 30)
        first = begun.get(stay.name, stay)
        if onward is not None:
            begun[onward.name] = first
        fate = _trc_fate(person, stay, onward, today)
        for indicator, one in _indicators(person, stay, first, today).items():
            fates[stay.name, indicator] = twice(fate or one)
    return fates


def _trc_fate(person: WidePerson, stay: WideStay, onward: WideStay | None, today: date) -> str | None:
    assert stay.left is not None
    if stay.left > date(stay.left.year, 12, 1):
        return "not_eligible"
    if onward is not None:
        return "suspended" if onward.left is None else "superseded"
    return _left_for(stay, today) or _person_fate(person, stay, 18, death_counts=True)


def _indicators(person: WidePerson, stay: WideStay, first: WideStay, today: date) -> dict[str, str]:
    left = stay.left
    assert left is not None
    noticed = [on for name, on in person.notices if name in (stay.name, first.name)]
    informed = [on for name, on in person.summaries if name == stay.name]
    seen = [one.on for one in person.visits if one.kind == "visit"]
    reconciled = [one.on for one in person.visits if one.kind == "reconciled"]
    return {
        "TRC-NIA": _window(first.came, today, 0, 2, noticed),
        "TRC-RDI": _window(left, today, 0, 2, informed),
        "TRC-PED": _window(left, today, 1, 30, seen),
        "TRC-MRP": _window(left, today, 0, 30, reconciled),
    }


def readmission(person: WidePerson, today: date) -> dict[str, tuple[str, str]]:
    """Give the fate of each acute or observation stay: direct transfers are merged, then same-day stays are dropped, then 30 days."""
    fates: dict[str, tuple[str, str]] = {}
    begun: dict[str, date] = {}
    for place, stay in enumerate(person.stays):
        if stay.kind == "ed" or stay.left is None:
            continue
        onward = next((one for one in person.stays[place + 1 :] if _merges(stay, one)), None)
        came = begun.get(stay.name, stay.came)
        if onward is not None and stay.kind in ("acute", "observation"):
            begun[onward.name] = came
        fates[stay.name] = _readmission_fate(person, stay, onward, came, today)
    return fates


def _merges(stay: WideStay, other: WideStay) -> bool:
    """Whether another stay goes on with one, within a day: an acute one, or wherever it was transferred to."""
    assert stay.left is not None
    if other.came > stay.left + DAY:
        return False
    onward = (
        ("acute", "observation") if stay.ended != "transfer" else ("acute", *(INPATIENT if stay.kind in INPATIENT else ()), "observation")
    )
    return other.kind in onward


def _readmission_fate(person: WidePerson, stay: WideStay, onward: WideStay | None, came: date, today: date) -> tuple[str, str]:
    left = stay.left
    assert left is not None
    if stay.kind not in ("acute", "observation") or left > date(left.year, 12, 1) or stay.codes[0] == BIRTH:
        return twice("not_eligible")
    if onward is not None:
        return twice("suspended" if onward.left is None else "superseded")
    fate = "excluded" if came == left else _person_fate(person, stay, 18, death_counts=False)
    if fate:
        return twice(fate)
    back = [
        one.came
        for one in person.stays[person.stays.index(stay) + 1 :]
        if one.kind in ("acute", "observation") and not one.planned and one.codes[0] not in (CHEMOTHERAPY, BIRTH)
    ]
    return _walk(left, today, 1, back)


def revisit(person: WidePerson, today: date) -> dict[str, tuple[str, str]]:
    """Give the fate of each emergency visit: one that became an admission is none, a transfer to another department is one visit."""
    fates: dict[str, tuple[str, str]] = {}
    for place, stay in enumerate(person.stays):
        if stay.kind != "ed" or stay.left is None:
            continue
        after = person.stays[place + 1 :]
        soon = [one for one in after if one.came <= stay.left + DAY]
        onward = next((one for one in soon if one.kind in INPATIENT or (stay.ended == "transfer" and one.kind == "ed")), None)
        if stay.left > date(stay.left.year, 12, 1):
            fate: str | None = "not_eligible"
        elif stay.ended == "admitted" or (onward is not None and onward.kind in INPATIENT):
            fate = "excluded"
        elif onward is not None:
            fate = "suspended" if onward.left is None else "superseded"
        else:
            fate = _person_fate(person, stay, 0, death_counts=False)
        back = [one.came for one in after if one.kind == "ed" or one.through_emergency]
        fates[stay.name] = twice(fate) if fate else _walk(stay.left, today, 0, back)
    return fates

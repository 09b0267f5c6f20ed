"""FUH, FUM and FUA written a second time, slowly, from the text of the domain reference alone (sections 1.1 to 1.4): the oracle.

It knows plain dates and words only: no class, table or function of the service, and another way of working. It walks whole histories
forward, day by day where windows matter, and gives each stay its fate; the service asks for one stay at a time and looks backward.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

DAY = timedelta(days=1)
MENTAL, HARM, SUBSTANCE, OVERDOSE, OTHER = "F32.2", "X78.0XXA", "F10.20", "T40.1X1A", "J18.9"
"""The diagnoses that histories are made of; each stands for its set."""
DEMENTIA = "F03.90"
"""A mental disorder that is no index diagnosis."""


@dataclass(frozen=True, slots=True)
class SlowStay:
    """A stay in plain words. `left` None: still there."""

    name: str
    kind: str
    """ed, acute, nonacute, residential."""
    came: date
    left: date | None
    codes: Sequence[str]
    """Final, the principal one first."""
    ended: str = "home"
    """home, died, hospice, nonacute."""


@dataclass(frozen=True, slots=True)
class SlowVisit:
    """A psychotherapy visit, a peer-support one (`peer`), or medication dispensed (`drug`)."""

    on: date
    code: str
    by_specialist: bool
    kind: str = "visit"


@dataclass(frozen=True, slots=True)
class SlowPerson:
    """A history."""

    born: date
    died: date | None
    hospice: date | None
    covered: Sequence[tuple[date, date]]
    """First and last day of each span; empty: nothing is known of it."""
    stays: Sequence[SlowStay]
    """In the order in which they began."""
    visits: Sequence[SlowVisit]


def full_years(born: date, on: date) -> int:
    """Count birthdays; that of 29 February is on 1 March in common years."""
    years = 0
    while True:
        try:
            birthday = born.replace(year=born.year + years + 1)
        except ValueError:
            birthday = date(born.year + years + 1, 3, 1)
        if birthday > on:
            return years
        years += 1


def covered_each_day(person: SlowPerson, first: date) -> bool:
    """Look at each of 31 days."""
    return not person.covered or all(any(a <= first + n * DAY <= b for a, b in person.covered) for n in range(31))


def person_fate(person: SlowPerson, stay: SlowStay, age: int) -> str | None:
    """Say what of the person takes the event out."""
    on = stay.left
    assert on is not None
    year_end = date(on.year, 12, 31)
    if stay.ended == "died":
        return "excluded"
    if full_years(person.born, on) < age:
        return "not_eligible"
    if not covered_each_day(person, on):
        return "not_eligible"
    if stay.ended == "hospice" or (person.hospice and person.hospice <= year_end):
        return "excluded"
    if person.died and person.died <= year_end:
        return "excluded"
    return None


def days_of(stay: SlowStay, today: date, first: int, good: Sequence[date]) -> tuple[str, str]:
    """Walk the days of both windows."""
    assert stay.left is not None
    found = [n for n in range(first, 31) if stay.left + n * DAY in good]
    outcomes = []
    for last in (7, 30):
        if any(n <= last for n in found):
            outcomes.append("met")
        elif today <= stay.left + last * DAY:
            outcomes.append("pending")
        else:
            outcomes.append("not_met")
    return outcomes[0], outcomes[1]


def is_mental(code: str, *, index: bool) -> bool:
    return code == MENTAL or (code == DEMENTIA and not index)


def fuh(person: SlowPerson, today: date) -> dict[str, tuple[str, str]]:
    """Give the fate of each acute discharge."""
    fates: dict[str, tuple[str, str]] = {}
    inpatient = [one for one in person.stays if one.kind != "ed"]
    ends_of_episodes: set[str] = set()
    for place, stay in enumerate(inpatient):
        if stay.left is None or stay.kind == "residential":
            continue
        year = stay.left.year
        if stay.kind != "acute":
            fates[stay.name] = twice("not_eligible")
            continue
        principal = stay.codes[0]
        index = is_mental(principal, index=True) or (HARM in stay.codes if year >= 2025 else principal == HARM)
        if not index and stay.name not in ends_of_episodes:
            fates[stay.name] = twice("not_eligible")
            continue
        next_stay = None
        for other in inpatient[place + 1 :]:
            if year >= 2025 and other.kind == "residential":
                continue
            if stay.left <= other.came <= stay.left + 30 * DAY:
                next_stay = other
                break
        same = next_stay is not None and (
            is_mental(next_stay.codes[0], index=False) or (HARM in next_stay.codes if year >= 2025 else next_stay.codes[0] == HARM)
        )
        if next_stay is not None and next_stay.kind == "acute" and same and (next_stay.left is None or next_stay.left.year == year):
            ends_of_episodes.add(next_stay.name)
        fates[stay.name] = _fuh_fate(person, stay, next_stay, today, same=same)
    return fates


def _fuh_fate(person: SlowPerson, stay: SlowStay, following: SlowStay | None, today: date, *, same: bool) -> tuple[str, str]:
    left = stay.left
    assert left is not None
    if left > date(left.year, 12, 1):
        return twice("not_eligible")
    if following is not None:
        if following.kind != "acute":
            return twice("excluded")
        if following.left is None:
            return twice("suspended")
        return twice("superseded" if same else "excluded")
    if stay.ended == "nonacute":
        return twice("excluded")
    fate = person_fate(person, stay, 6)
    if fate:
        return twice(fate)
    good = []
    for visit in person.visits:
        if visit.kind == "visit" and (visit.by_specialist or (left.year >= 2025 and is_mental(visit.code, index=False))):
            good.append(visit.on)
        if visit.kind == "peer" and left.year >= 2025 and (visit.by_specialist or is_mental(visit.code, index=False)):
            good.append(visit.on)
    if left.year >= 2025:
        good += residential_days(person, today)
    return days_of(stay, today, 1, good)


def residential_days(person: SlowPerson, today: date) -> list[date]:
    """Give each day of residential treatment so far."""
    days = []
    for stay in person.stays:
        if stay.kind == "residential":
            day = stay.came
            while day <= min(stay.left or today, today):
                days.append(day)
                day += DAY
    return days


def after_emergency(person: SlowPerson, today: date, measure: str) -> dict[str, tuple[str, str]]:
    """Give the fate of each emergency visit in FUM or FUA: exclusions first, then one in 31 days, in the order of time."""
    fates: dict[str, tuple[str, str]] = {}
    kept: dict[int, date] = {}
    for stay in person.stays:
        if stay.kind != "ed" or stay.left is None:
            continue
        fate = _visit_fate(person, stay, measure)
        if fate is None and stay.left.year in kept and (stay.left - kept[stay.left.year]).days < 31:
            fate = "excluded"
        if fate is not None:
            fates[stay.name] = twice(fate)
            continue
        kept[stay.left.year] = stay.left
        good = [visit.on for visit in person.visits if _counts_after_emergency(visit, stay.left.year, measure)]
        if measure == "FUM" and stay.left.year >= 2025:
            good += residential_days(person, today)
        fates[stay.name] = days_of(stay, today, 0, good)
    return fates


def _visit_fate(person: SlowPerson, stay: SlowStay, measure: str) -> str | None:
    left, principal = stay.left, stay.codes[0]
    assert left is not None
    if measure == "FUM":
        index = is_mental(principal, index=True) or (HARM in stay.codes if left.year >= 2025 else principal == HARM)
    else:
        index = principal == SUBSTANCE or OVERDOSE in stay.codes
    if not index or left > date(left.year, 12, 1):
        return "not_eligible"
    for other in person.stays:
        skipped = measure == "FUM" and left.year >= 2025 and other.kind == "residential"
        later = person.stays.index(other) > person.stays.index(stay)
        if other.kind != "ed" and not skipped and later and stay.came <= other.came <= left + 30 * DAY:
            return "excluded"
    return person_fate(person, stay, 6 if measure == "FUM" else 13)


def _counts_after_emergency(visit: SlowVisit, year: int, measure: str) -> bool:
    mental, substance = is_mental(visit.code, index=False), visit.code in (SUBSTANCE, OVERDOSE)
    if measure == "FUM":
        if year < 2025:
            return visit.kind == "visit" and mental
        return visit.kind in ("visit", "peer") and (mental or visit.by_specialist)
    if visit.kind == "drug":
        return True
    return substance or (visit.kind == "visit" and visit.by_specialist)


def twice(fate: str) -> tuple[str, str]:
    """Say one word of both windows."""
    return fate, fate

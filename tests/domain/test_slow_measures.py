"""Two implementations of one text agree: the service's rules, and the slow ones of slow_measures, on histories drawn at random.

3,000 histories in the tests; `make histories` compares 100,000 (or HISTORIES of them). Properties that need no oracle follow.
"""

import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.course import Course
from app.domain.episode import measure_statuses
from app.domain.measure import PersonHistory
from app.domain.service import Service
from app.domain.stay import CareLevel, Disposition, Stay, StayClass
from tests.domain.follow_up_builders import EASTERN, local, make_signal, make_stay
from tests.domain.measure_builders import CATALOG, PSYCHOLOGIST
from tests.domain.slow_measures import (
    DAY,
    DEMENTIA,
    HARM,
    MENTAL,
    OTHER,
    OVERDOSE,
    SUBSTANCE,
    SlowPerson,
    SlowStay,
    SlowVisit,
    after_emergency,
    fuh,
)

HISTORIES = 3_000
LEVELS = {
    "acute": CareLevel.ACUTE,
    "ed": CareLevel.ACUTE,
    "nonacute": CareLevel.NONACUTE,
    "residential": CareLevel.PSYCHIATRIC_RESIDENTIAL,
}
ENDINGS = {"home": Disposition.HOME, "died": Disposition.DIED, "hospice": Disposition.HOSPICE, "nonacute": Disposition.NONACUTE}
CODES = (MENTAL, MENTAL, MENTAL, HARM, SUBSTANCE, SUBSTANCE, OVERDOSE, OTHER, DEMENTIA)
Fates = dict[tuple[str, str], tuple[str, str]]


def drawn(seed: int) -> tuple[SlowPerson, date]:
    """Draw a history that is likely to be difficult: dense, over the end of a year, around leap days and the change of the clocks."""
    dice = random.Random(seed)
    day = date(dice.choice((2023, 2024, 2024, 2025, 2025, 2026, 2027)), dice.choice((1, 2, 3, 10, 11, 11)), dice.randint(1, 28))
    begin = day
    stays: list[SlowStay] = []
    for number in range(dice.randint(1, 6)):
        day += timedelta(days=dice.choice((0, 1, 1, 5, 12, 29, 30, 31, 32, 45)))
        kind = dice.choices(("ed", "acute", "nonacute", "residential"), (5, 6, 1, 1))[0]
        last = number > 0 and dice.random() < 0.05
        stayed = 0 if kind == "ed" else dice.choice((1, 3, 9))
        codes = tuple(dict.fromkeys(dice.choices(CODES, k=dice.choice((1, 1, 2)))))
        ended = dice.choices(tuple(ENDINGS), (40, 1, 1, 2))[0]
        left = None if last else day + timedelta(days=stayed)
        stays.append(SlowStay(f"S{number}", kind, day, left, codes, ended))
        if left is None or ended == "died":
            break
        day = left
    visits = []
    for _ in range(dice.randint(0, 4)):
        near = dice.choice(stays)
        on = (near.left or near.came) + timedelta(days=dice.choice((-1, 0, 1, 3, 7, 8, 29, 30, 31)))
        code = dice.choice((MENTAL, SUBSTANCE, OTHER, DEMENTIA))
        visits.append(SlowVisit(on, code, dice.random() < 0.3, dice.choices(("visit", "peer", "drug"), (6, 1, 1))[0]))
    born = date(begin.year - dice.choice((5, 6, 12, 13, 40, 70)), *dice.choice(((begin.month, begin.day), (1, 1), (12, 31))))
    if dice.random() < 0.05:
        born = date(2020, 2, 29)
    chance = dice.random()
    died = begin + timedelta(days=dice.randint(60, 500)) if chance < 0.06 else None
    hospice = begin + timedelta(days=dice.randint(-30, 400)) if 0.06 < chance < 0.1 else None
    covered: list[tuple[date, date]] = []
    if dice.random() < 0.3:
        middle = begin + timedelta(days=dice.randint(0, 120))
        gap = dice.choice((1, 1, 2))
        covered = [(begin - 400 * DAY, middle), (middle + gap * DAY, begin + 800 * DAY)]
    today = dice.choice((day + timedelta(days=dice.randint(0, 45)), date(2031, 1, 1)))
    return SlowPerson(born, died, hospice, covered, stays, visits), max(today, *(one.left or one.came for one in stays))


def history(person: SlowPerson, zone: ZoneInfo = EASTERN) -> PersonHistory:
    """Say it in the words of the service."""
    stays = []
    for number, one in enumerate(person.stays):
        ed = one.kind == "ed"
        begun = f"{one.came} {6 + number:02}:00"
        # A stay ends before the next one of the same day begins.
        ended = None if one.left is None else f"{one.left} {6 + number:02}:{30 if ed or one.left == one.came else 20}"
        stay = make_stay(
            one.name,
            admitted=begun,
            discharged=ended,
            stay_class=StayClass.EMERGENCY if ed else StayClass.INPATIENT,
            disposition=ENDINGS[one.ended],
            care_level=LEVELS[one.kind],
            zone=zone,
        )
        stays.append(replace(stay, signal=make_signal(one.codes, on=one.left or one.came)))
    services = [
        Service(
            id=f"V{number}",
            on=one.on,
            visit_codes={"visit": ("90834",), "peer": ("H0038",), "drug": ()}[one.kind],
            diagnoses=() if one.kind == "drug" else (one.code,),
            taxonomies=(PSYCHOLOGIST,) if one.by_specialist and one.kind != "drug" else (),
            place_of_service="11",
            medication_dispensed=one.kind == "drug",
        )
        for number, one in enumerate(person.visits)
    ]
    coverage = tuple((first, last + DAY) for first, last in person.covered) or None
    return PersonHistory(
        birth_on=person.born, died_on=person.died, hospice_on=person.hospice, coverage=coverage, stays=Course(stays), services=services
    )


def fates(known: PersonHistory, today: date) -> Fates:
    """Ask the service about every stay."""
    found: Fates = {}
    for stay in known.stays:
        now = local(f"{today} 23:00", stay.zone)  # type: ignore[arg-type]
        for one in measure_statuses(stay, known, CATALOG, now):
            found[stay.id, one.measure] = (one.status_7.value, one.status_30.value)
    return found


def slow_fates(person: SlowPerson, today: date) -> Fates:
    """Ask the oracle."""
    found = {(name, "FUH"): fate for name, fate in fuh(person, today).items()}
    for measure in ("FUM", "FUA"):
        found |= {(name, measure): fate for name, fate in after_emergency(person, today, measure).items()}
    return found


def compare(seeds: Sequence[int]) -> Counter[str]:
    """Compare both; count what was met with."""
    met: Counter[str] = Counter()
    for seed in seeds:
        person, today = drawn(seed)
        quick = fates(history(person), today)
        for key, fate in slow_fates(person, today).items():
            assert quick[key] == fate, f"history {seed}, {key}, as of {today}: {quick[key]} and {fate} of {person}"
            met[f"{key[1]} {fate[1]}"] += 1
    return met


def test_the_oracle_agrees_and_meets_every_status() -> None:
    met = compare(range(HISTORIES))
    for measure, statuses in (
        ("FUH", ("met", "not_met", "pending", "excluded", "superseded", "suspended", "not_eligible")),
        ("FUM", ("met", "not_met", "pending", "excluded", "not_eligible")),
        ("FUA", ("met", "not_met", "pending", "excluded", "not_eligible")),
    ):
        for status in statuses:
            assert met[f"{measure} {status}"] > 10, (measure, status, met)


@pytest.mark.parametrize("seed", range(1_000_000, 1_000_150))
def test_neither_order_nor_repetition_nor_zone_changes_a_status(seed: int) -> None:
    person, today = drawn(seed)
    known = history(person)
    plain = fates(known, today)
    dice = random.Random(seed)
    stays = Course(_shuffled([*known.stays, *known.stays], dice))
    shuffled = replace(known, stays=stays, services=_shuffled([*known.services, *known.services], dice))
    assert fates(shuffled, today) == plain
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/London", "America/Phoenix"):
        assert fates(history(person, ZoneInfo(zone)), today) == plain, zone


def _shuffled(items: list[Any], dice: random.Random) -> list[Any]:
    return dice.sample(items, len(items))


@pytest.mark.parametrize(
    ("day", "hour"), [("2025-03-09", "02:30"), ("2025-11-02", "01:30"), ("2024-02-29", "23:59"), ("2025-03-08", "23:59")]
)
def test_windows_are_of_days_also_where_the_clocks_change_and_in_leap_years(day: str, hour: str) -> None:
    stay = make_stay(admitted="2024-02-01", discharged=f"{day} {hour}")
    left = date.fromisoformat(day)
    for offset, seven, thirty in (
        (0, False, False),
        (1, True, True),
        (7, True, True),
        (8, False, True),
        (30, False, True),
        (31, False, False),
    ):
        on = left + timedelta(days=offset)
        visit = Service(id="v", on=on, visit_codes=("90834",), diagnoses=(MENTAL,), taxonomies=(PSYCHOLOGIST,), place_of_service="11")
        known = PersonHistory(birth_on=date(1980, 1, 1), stays=Course((stay,)), services=(visit,))
        status = next(one for one in measure_statuses(stay, known, CATALOG, local("2031-01-01")) if one.measure == "FUH")
        assert (status.met_7_on is not None, status.met_30_on is not None) == (seven, thirty), offset


def test_a_chain_of_any_length_counts_once() -> None:
    stays: list[Stay] = []
    day = date(2025, 1, 2)
    for number in range(9):
        left = day + timedelta(days=3)
        stays.append(make_stay(f"S{number}", admitted=str(day), discharged=str(left)))
        day = left + timedelta(days=30)
    known = PersonHistory(birth_on=date(1980, 1, 1), stays=Course(stays))
    found = fates(known, date(2031, 1, 1))
    assert [found[stay.id, "FUH"][1] for stay in stays] == ["superseded"] * 8 + ["not_met"]


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    counted = compare(range(wanted))
    print(f"{wanted:,} histories, {counted.total():,} statuses, all alike: {dict(sorted(counted.items()))}")

"""The course of a person's stays finds by search what looking at every stay finds, wherever the places are and however stays overlap."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain import course, episode
from app.domain.course import Course
from app.domain.episode import measure_statuses
from app.domain.follow_up import FollowUpFacts, evaluate
from app.domain.measure import PersonHistory
from app.domain.stay import CareLevel, Stay, StayClass, is_return
from app.standards.calendars import holiday_calendar
from app.standards.measure_rules import measure_catalog
from tests.domain.follow_up_builders import make_stay

ZONES = [ZoneInfo(name) for name in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York", "Asia/Kathmandu", "UTC")]
LEVELS = list(CareLevel)
DAYS = 60
CATALOG = measure_catalog()


def a_person(dice: random.Random) -> list[Stay]:
    """Many stays in two months, at the same hours on purpose: some in house, some cancelled, some of which only the end is known."""
    stays = []
    for number in range(40):
        begun = datetime(2025, 3, 1, tzinfo=UTC) + timedelta(days=dice.randrange(DAYS), hours=dice.choice((0, 3, 12, 23)))
        ended = dice.choice((None, begun, begun + timedelta(hours=3), begun + timedelta(days=dice.randrange(20))))
        stays.append(
            Stay(
                id=f"S{number}",
                stay_class=dice.choice((StayClass.INPATIENT, StayClass.INPATIENT, StayClass.EMERGENCY, StayClass.OBSERVATION)),
                zone=dice.choice(ZONES),
                admitted_at=dice.choice((begun, begun, begun, None)),
                discharged_at=ended,
                cancelled=dice.random() < 0.1,
                care_level=dice.choice(LEVELS),
            )
        )
    return stays


def returns(stays: Sequence[Stay], stay: Stay, days: int, but: frozenset[CareLevel]) -> Stay | None:
    """Look at every stay."""
    back = (one for one in stays if one.care_level not in but and is_return(stay, one, days))
    return min(back, key=lambda one: one.order, default=None)


@pytest.mark.parametrize("seed", range(40))
def test_search_finds_what_looking_at_all_finds(seed: int) -> None:
    dice = random.Random(seed)
    stays = a_person(dice)
    known = Course(dice.sample([*stays, *stays], 2 * len(stays)))
    but = frozenset(dice.sample(LEVELS, dice.randrange(3)))
    days = dice.choice((1, 30))
    found = 0
    for stay in stays:
        back = known.first_return(stay, days, but)
        assert back == returns(stays, stay, days, but)
        found += back is not None
        followed = [one for one in stays if one.is_admission and returns(stays, one, days, but) == stay]
        assert known.last_followed_by(stay, days, but) == max(followed, key=lambda one: one.order, default=None)
    assert found
    assert known.admissions == sorted((one for one in stays if one.is_admission), key=lambda one: one.order)
    first_on = date(2025, 3, 1) + timedelta(days=dice.randrange(DAYS))
    last_on = first_on + timedelta(days=dice.randrange(9))
    within = [one for one in stays if one.admitted_on is not None and first_on <= one.admitted_on <= last_on]
    assert list(known.begun_within(first_on, last_on)) == sorted(within, key=lambda one: one.order)
    levels = frozenset(dice.sample(LEVELS, 2))
    to = sorted((one for one in stays if one.is_admission and one.care_level in levels), key=lambda one: one.order)
    assert list(known.admissions_to(levels)) == to


@pytest.mark.parametrize("stay_class", [StayClass.INPATIENT, StayClass.EMERGENCY])
def test_people_with_hundreds_of_stays_cost_as_much_for_each_as_others(stay_class: StayClass, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: how often two stays are compared, and how often a visit is asked whether it would count."""
    asked = Counter[str]()

    def counted(module: ModuleType, name: str) -> None:
        plain = getattr(module, name)

        def counting(*arguments: Any) -> Any:
            asked[name] += 1
            return plain(*arguments)

        monkeypatch.setattr(module, name, counting)

    counted(course, "is_return")
    counted(episode, "_eligible")
    first_on, now = date(2025, 1, 1), datetime(2026, 6, 1, tzinfo=UTC)
    each = []
    for number in (40, 320):
        days = [(str(first_on + timedelta(days=day)), str(first_on + timedelta(days=day + 1))) for day in range(number)]
        codes = (("F32.2",), ("I10",), ("F80.9",))
        stays = [
            make_stay(f"S{day}", admitted=admitted, discharged=ended, stay_class=stay_class, codes=codes[day % 3])
            for day, (admitted, ended) in enumerate(days)
        ]
        known = PersonHistory(birth_on=date(1980, 1, 1), stays=Course(stays))
        asked.clear()
        for stay in stays:
            measure_statuses(stay, known, CATALOG, now)
            evaluate(FollowUpFacts(stay=stay, stays=known.stays), (), (), holiday_calendar, now)
        each.append(asked.total() / number)
    assert 0 < each[1] < 2 * each[0]

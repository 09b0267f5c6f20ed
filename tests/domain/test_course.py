"""The course of a person's stays finds by search what looking at every stay finds, wherever the places are and however stays overlap."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.course import Course
from app.domain.stay import CareLevel, Stay, StayClass, is_return

ZONES = [ZoneInfo(name) for name in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York", "Asia/Kathmandu", "UTC")]
LEVELS = list(CareLevel)
DAYS = 60


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
    course = Course(dice.sample([*stays, *stays], 2 * len(stays)))
    but = frozenset(dice.sample(LEVELS, dice.randrange(3)))
    days = dice.choice((1, 30))
    found = 0
    for stay in stays:
        back = course.first_return(stay, days, but)
        assert back == returns(stays, stay, days, but)
        found += back is not None
        followed = [one for one in stays if one.is_admission and returns(stays, one, days, but) == stay]
        assert course.last_followed_by(stay, days, but) == max(followed, key=lambda one: one.order, default=None)
        before = sorted((one for one in stays if one.is_admission and one.order < stay.order), key=lambda one: one.order)
        assert list(course.admissions_before(stay)) == before
    assert found
    first_on = date(2025, 3, 1) + timedelta(days=dice.randrange(DAYS))
    last_on = first_on + timedelta(days=dice.randrange(9))
    within = [one for one in stays if one.admitted_on is not None and first_on <= one.admitted_on <= last_on]
    assert list(course.begun_within(first_on, last_on)) == sorted(within, key=lambda one: one.order)
    levels = frozenset(dice.sample(LEVELS, 2))
    to = sorted((one for one in stays if one.is_admission and one.care_level in levels), key=lambda one: one.order)
    assert list(course.admissions_to(levels)) == to

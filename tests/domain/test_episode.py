"""Windows, chains of readmissions and repeated visits against slow readings of the rules that share no code with them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.measure import MeasureState
from app.domain.service import Service
from app.domain.stay import CareLevel, Stay, StayClass
from tests.domain.follow_up_builders import local, make_signal, make_stay, make_visit
from tests.domain.measure_builders import fuh, statuses, visit

M = MeasureState
MET, NOT, PENDING, EXCLUDED, SUPERSEDED, SUSPENDED = M.MET, M.NOT_MET, M.PENDING, M.EXCLUDED, M.SUPERSEDED, M.SUSPENDED


# --- Oracles: the rules read again, day by day and stay by stay, without the code under test. --------------------------------------


def slow_window(anchor: date, first_day: int, days: int, services: Sequence[date]) -> date | None:
    """Walk the calendar day by day."""
    for offset in range(first_day, days + 1):
        day = date.fromordinal(anchor.toordinal() + offset)
        if day in services:
            return day
    return None


DAY = st.dates(date(2025, 1, 1), date(2025, 12, 1))


@given(DAY, st.lists(st.integers(-3, 40), max_size=5), st.integers(0, 60))
def test_windows_against_walking_the_calendar(anchor: date, offsets: list[int], today: int) -> None:
    days = [anchor + timedelta(days=offset) for offset in offsets]
    services = [visit(day.isoformat()) for day in days]
    now = anchor + timedelta(days=today)
    for stay, measure, first_day in [
        (make_stay(admitted=anchor.isoformat(), discharged=f"{anchor} 20:00"), "FUH", 1),
        (make_visit("E", anchor.isoformat()), "FUM", 0),
    ]:
        found = statuses(stay, services=services, now=now.isoformat())[measure]
        for window, status, met_on in [(7, found.status_7, found.met_7_on), (30, found.status_30, found.met_30_on)]:
            expected = slow_window(anchor, first_day, window, days)
            assert met_on == expected
            assert status is (MET if expected else PENDING if today <= window else NOT)
        assert found.final is (today > 30)
        if found.met_7_on:
            assert found.met_30_on == found.met_7_on, "the 30 days contain the 7"


def slow_fuh(stays: Sequence[Stay]) -> dict[str, MeasureState]:
    """The readmission loop of the reference, run forward from every index discharge; what no loop touches is no event."""
    mental = {stay.id: stay.signal.principal != frozenset() for stay in stays}
    order = sorted(stays, key=lambda stay: stay.order)
    verdict: dict[str, MeasureState] = {}
    for start in order:
        if start.care_level is not CareLevel.ACUTE or not mental[start.id] or start.discharged_on is None:
            continue
        current = start
        while True:
            later = [
                stay
                for stay in order[order.index(current) + 1 :]
                if stay.care_level is not CareLevel.PSYCHIATRIC_RESIDENTIAL
                and stay.admitted_on is not None
                and current.discharged_on is not None
                and 0 <= (stay.admitted_on - current.discharged_on).days <= 30
            ]
            if not later:
                verdict.setdefault(current.id, NOT)
                break
            following = later[0]
            if following.care_level is not CareLevel.ACUTE or (not mental[following.id] and following.discharged_on is not None):
                verdict[current.id] = EXCLUDED
                break
            if following.discharged_on is None:
                verdict[current.id] = SUSPENDED
                break
            verdict[current.id] = SUPERSEDED
            current = following
    return verdict


@st.composite
def histories(draw: st.DrawFn) -> list[Stay]:
    """One to six stays of a year that do not overlap, some on each other's heels."""
    stays = []
    day = date(2025, 1, 2)
    for number in range(draw(st.integers(1, 6))):
        admitted = day + timedelta(days=draw(st.sampled_from([0, 0, 1, 5, 29, 30, 31, 32, 60])))
        discharged = admitted + timedelta(days=draw(st.integers(0, 9)))
        if discharged > date(2025, 12, 1):
            break
        stays.append(
            make_stay(
                f"S{number}",
                admitted=f"{admitted} {8 + number:02d}:00",
                discharged=f"{discharged} {8 + number:02d}:30",
                codes=draw(st.sampled_from([["F32.2"], ["F32.2"], ["F20.9"], ["J18.9"]])),
                care_level=draw(st.sampled_from([CareLevel.ACUTE] * 6 + [CareLevel.NONACUTE, CareLevel.PSYCHIATRIC_RESIDENTIAL])),
            )
        )
        day = discharged
    if stays and draw(st.integers(0, 4)) == 0:
        stays[-1] = replace(stays[-1], discharged_at=None)
    return stays


@settings(max_examples=200)
@given(histories(), st.randoms())
def test_chains_of_readmissions_against_the_loop_run_forward(stays: list[Stay], shuffled: object) -> None:
    expected = slow_fuh(stays)
    mixed = stays * 2
    shuffled.shuffle(mixed)  # type: ignore[attr-defined]  # a Random drawn by Hypothesis
    # Residential days are services from 2025: here they would meet the measure, which is another rule's test.
    plain = [stay for stay in mixed if stay.care_level is not CareLevel.PSYCHIATRIC_RESIDENTIAL]
    for stay in stays:
        if stay.discharged_on is None:
            continue
        found = fuh(stay, *plain)
        assert found.status is expected.get(stay.id, M.NOT_ELIGIBLE), (stay.id, found.reasons)


def slow_31_days(days: Sequence[date]) -> set[date]:
    """Keep by going through the year with a counter."""
    kept: set[date] = set()
    quiet_until = date(2025, 1, 1)
    for day in sorted(set(days)):
        if day >= quiet_until:
            kept.add(day)
            quiet_until = day + timedelta(days=31)
    return kept


@settings(max_examples=100)
@given(st.lists(DAY, min_size=1, max_size=8, unique=True), st.randoms())
def test_one_visit_in_31_days_against_a_counter(days: list[date], shuffled: object) -> None:
    visits = [make_visit(day.isoformat(), day.isoformat()) for day in days]
    shuffled.shuffle(visits)  # type: ignore[attr-defined]  # a Random drawn by Hypothesis
    kept = slow_31_days(days)
    for one in visits:
        found = statuses(one, *visits)["FUM"]
        assert (found.reason != "repeated_visit") is (one.discharged_on in kept)


CODES = st.sampled_from([["F32.2"], ["J18.9"], [], ["F03.90"], ["F10.20"]])


@settings(max_examples=150)
@given(
    st.lists(
        st.builds(
            lambda stay_id, start, length, codes, use, cls, level, cancelled: replace(
                make_stay(stay_id, admitted=start.isoformat(), discharged=None, stay_class=cls, care_level=level, cancelled=cancelled),
                discharged_at=None if length is None else local(start.isoformat()) + timedelta(hours=length),
                signal=make_signal(codes, use=use),
            ),
            st.sampled_from("ABCDEFG"), DAY, st.none() | st.integers(0, 500), CODES, st.sampled_from("FWA"),
            st.sampled_from(StayClass), st.sampled_from(CareLevel), st.booleans(),
        ),
        min_size=1, max_size=6, unique_by=lambda stay: stay.id,
    ),
    st.lists(st.builds(lambda day: visit(day.isoformat()), DAY), max_size=4),
    DAY,
)  # fmt: skip
def test_every_status_is_whole_and_coherent(stays: list[Stay], services: list[Service], now: date) -> None:
    for stay in stays:
        for found in statuses(stay, *stays, services=services, now=now.isoformat()).values():
            assert found.status is found.status_30
            assert found.reasons[0].startswith(f"{found.reason}: ")
            assert (found.status is M.VOID) is (found.anchor_on is None)
            if found.status is MET:
                assert found.met_30_on is not None
            if found.status_7 is MET:
                assert found.status_30 is MET
            if found.reason in {"readmitted", "readmitted_for_other_cause", "nonacute_admission", "repeated_visit"}:
                assert found.superseded_by in {other.id for other in stays} - {stay.id}
            assert (found.superseded_by is not None) <= (f"rests_on: stay {found.superseded_by}" in found.reasons)

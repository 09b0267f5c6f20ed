"""FUH, FUM and FUA: the worked cases of the domain reference as tables, by their numbers."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.behavioral import BehavioralKind
from app.domain.course import Course
from app.domain.episode import covers, measure_statuses
from app.domain.measure import MeasureState, PersonHistory
from app.domain.service import Service, service_of
from app.domain.stay import CareLevel, Disposition, Stay, StayClass
from tests.domain.follow_up_builders import EASTERN, make_contact, make_stay, make_visit
from tests.domain.measure_builders import BORN, CATALOG, PSYCHOLOGIST, A, back, fuh, statuses, visit

M = MeasureState
MET, NOT, PENDING, EXCLUDED, SUPERSEDED, SUSPENDED = M.MET, M.NOT_MET, M.PENDING, M.EXCLUDED, M.SUPERSEDED, M.SUSPENDED


@pytest.mark.parametrize(
    ("case", "days", "seven", "thirty"),
    [
        ("F1", ["2025-03-17"], MET, MET),
        ("F2", ["2025-03-18"], NOT, MET),
        ("F3", ["2025-03-10"], NOT, NOT),
        ("F4", ["2025-04-09"], NOT, MET),
        ("F5", ["2025-04-10"], NOT, NOT),
        ("day 1", ["2025-03-11"], MET, MET),
        ("before the discharge", ["2025-03-09"], NOT, NOT),
        ("two visits, the earlier told", ["2025-03-20", "2025-03-12"], MET, MET),
    ],
)
def test_windows_of_a_discharge(case: str, days: list[str], seven: MeasureState, thirty: MeasureState) -> None:
    found = fuh(A, services=[visit(day) for day in days])
    assert (found.status_7, found.status_30, found.status, found.final) == (seven, thirty, thirty, True), case
    assert (found.anchor_on, found.due_7_on, found.due_30_on) == (date(2025, 3, 10), date(2025, 3, 17), date(2025, 4, 9))
    assert (found.period, found.rule_version) == ("2025", "FUH-MY2025")
    in_time = sorted(day for day in days if "2025-03-10" < day <= "2025-04-09")
    assert found.met_30_on == (date.fromisoformat(in_time[0]) if in_time else None)
    assert found.met_7_on == (found.met_30_on if seven is MET else None)


def test_a_visit_on_day_zero_is_not_forgotten_but_explained() -> None:
    """F3 told to the coordinator."""
    assert any(reason.startswith("day_zero_excluded: 1") for reason in fuh(A, services=[visit("2025-03-10")]).reasons)


B_AFTER = make_stay("B", admitted="2025-03-15", discharged="2025-03-20", codes=["F31.9"])


def test_f6_a_readmission_moves_the_event_and_the_visit_before_it_stays_behind() -> None:
    services = [visit("2025-03-12")]
    first, second = fuh(A, B_AFTER, services=services), fuh(B_AFTER, A, services=services)
    assert (first.status, first.superseded_by, first.met_7_on, first.final) == (SUPERSEDED, "B", None, True)
    assert (second.anchor_on, second.status_7, second.status_30) == (date(2025, 3, 20), NOT, NOT)


def test_f7_a_chain_ends_at_its_last_discharge() -> None:
    third = make_stay("C", admitted="2025-04-18", discharged="2025-04-25")
    found = {stay.id: fuh(stay, *({A, B_AFTER, third} - {stay}), services=[visit("2025-04-28")]) for stay in (A, B_AFTER, third)}
    assert [found[name].status for name in "ABC"] == [SUPERSEDED, SUPERSEDED, MET]
    assert [found[name].superseded_by for name in "ABC"] == ["B", "C", None]


def test_f8_an_admission_on_day_31_makes_two_events() -> None:
    other = make_stay("B", admitted="2025-04-10", discharged="2025-04-15")
    assert (fuh(A, other).status, fuh(other, A).status) == (NOT, NOT)
    day_30 = make_stay("B", admitted="2025-04-09", discharged="2025-04-15")
    assert fuh(A, day_30).status is SUPERSEDED


def test_f9_a_direct_transfer_on_the_same_day_counts_once() -> None:
    sent = make_stay("A", admitted="2025-05-01", discharged="2025-05-04", disposition=Disposition.TRANSFER)
    received = make_stay("B", admitted="2025-05-04", discharged="2025-05-18")
    services = [visit("2025-05-23")]
    assert (fuh(sent, received, services=services).status, fuh(received, sent, services=services).status_7) == (SUPERSEDED, MET)
    waiting = fuh(sent, now="2025-05-05")
    assert (waiting.status, waiting.reason, waiting.final) == (SUSPENDED, "transfer_awaited", False)
    assert fuh(sent, now="2025-05-06").status is PENDING, "nobody received them: the clock is their own discharge's"


def test_a_transfer_registered_before_its_discharge_is_still_one() -> None:
    sent = make_stay("A", admitted="2025-05-01", discharged="2025-05-04 00:20")
    received = make_stay("B", admitted="2025-05-03 23:50", discharged="2025-05-18")
    assert (fuh(sent, received).status, fuh(received, sent).status) == (SUPERSEDED, NOT)


NO_SERVICE = "no_service_in_30_days"
NO_EVENT = M.NOT_ELIGIBLE


@pytest.mark.parametrize(
    ("case", "stay", "others", "facts", "status", "reason"),
    [
        ("F11 to a nursing home, seen", A, [back("2025-03-10 13:00", care_level=CareLevel.NONACUTE)], {}, EXCLUDED, "nonacute_admission"),
        ("F11 by code", replace(A, disposition=Disposition.NONACUTE), [], {}, EXCLUDED, "nonacute_disposition"),
        ("F14 died in the stay", replace(A, disposition=Disposition.DIED), [], {}, EXCLUDED, "died_in_stay"),
        ("F15 died later in the year", A, [], {"died": "2025-11-02"}, EXCLUDED, "death_in_period"),
        ("died the year after", A, [], {"died": "2026-01-02"}, NOT, NO_SERVICE),
        ("F16 to hospice", replace(A, disposition=Disposition.HOSPICE), [], {"hospice": "2025-03-10"}, EXCLUDED, "hospice"),
        ("hospice later in the year", A, [], {"hospice": "2025-09-01"}, EXCLUDED, "hospice"),
        ("hospice the year after", A, [], {"hospice": "2026-01-01"}, NOT, NO_SERVICE),
        ("F22 on 1 December", make_stay(admitted="2025-11-20", discharged="2025-12-01"), [], {}, NOT, NO_SERVICE),
        ("F23 on 2 December", make_stay(admitted="2025-11-20", discharged="2025-12-02"), [], {}, NO_EVENT, "out_of_period"),
        ("F25 coverage ends on day 21", A, [], {"coverage": ((date(2025, 1, 1), date(2025, 4, 1)),)}, NO_EVENT, "enrolment_gap"),
        ("covered through day 30", A, [], {"coverage": ((date(2025, 1, 1), date(2025, 4, 10)),)}, NOT, NO_SERVICE),
        ("F33 against advice stays in", replace(A, disposition=Disposition.AGAINST_ADVICE), [], {}, NOT, NO_SERVICE),
        ("readmitted for something else", A, [back(discharged="2025-03-22", codes=["J18.9"])], {}, EXCLUDED, "readmitted_for_other_cause"),
        ("readmitted, self-harm second", A, [back(discharged="2025-03-22", codes=["J18.9", "T43.592A"])], {}, SUPERSEDED, "readmitted"),
        ("readmitted, in house", A, [back()], {}, SUSPENDED, "readmitted"),
        ("readmitted, undiagnosed", A, [back(discharged="2025-03-22", codes=[])], {}, SUSPENDED, "readmitted"),
        ("readmission cancelled", A, [back(cancelled=True)], {}, NOT, NO_SERVICE),
        ("observation is no readmission", A, [back(discharged="2025-03-22", stay_class=StayClass.OBSERVATION)], {}, NOT, NO_SERVICE),
        ("a medical stay", make_stay(codes=["J18.9", "F32.2"]), [], {}, NO_EVENT, "no_index_diagnosis"),
        ("no diagnosis at all", make_stay(codes=[]), [], {}, NO_EVENT, "no_index_diagnosis"),
        ("an admitting diagnosis only", make_stay(use="A"), [], {}, M.INDETERMINATE, "no_final_diagnosis"),
        ("an admitting diagnosis, and died", make_stay(use="A", disposition=Disposition.DIED), [], {}, EXCLUDED, "died_in_stay"),
        ("a nonacute stay itself", make_stay(care_level=CareLevel.NONACUTE), [], {}, NO_EVENT, "not_acute"),
        ("no birth date", A, [], {"born": None}, M.INDETERMINATE, "birth_date_unknown"),
        ("the visit cancelled", replace(A, cancelled=True), [], {}, M.VOID, "stay_cancelled"),
    ],
)  # fmt: skip
def test_who_is_in_the_denominator(
    case: str, stay: Stay, others: list[Stay], facts: dict[str, object], status: MeasureState, reason: str
) -> None:
    found = fuh(stay, *others, **facts)
    assert (found.status, found.reason) == (status, reason), case
    assert found.reasons[0].startswith(f"{reason}: ")
    undecided = {SUSPENDED, M.INDETERMINATE, M.VOID}
    assert found.final is (status not in undecided), "years later; but what is not decided is never final"
    decides = reason in {"nonacute_admission", "readmitted", "readmitted_for_other_cause"}
    assert ([one for one in found.reasons if one.startswith("rests_on")] == ["rests_on: stay B"]) is decides, "another stay is named"
    assert (found.superseded_by == "B") is decides


@pytest.mark.parametrize(("case", "discharged", "status"), [("F17", "2025-11-19", M.NOT_ELIGIBLE), ("F18", "2025-11-20", NOT)])
def test_age_is_taken_on_the_day_of_the_discharge(case: str, discharged: str, status: MeasureState) -> None:
    stay = make_stay(admitted="2025-11-15", discharged=discharged)
    assert fuh(stay, born=date(2019, 11, 20)).status is status, case


def test_f20_a_leap_day_counts_like_any_other() -> None:
    stay = make_stay(admitted="2028-02-20", discharged="2028-02-29")
    found = fuh(stay, services=[visit("2028-03-07")])
    assert (found.status_7, found.due_7_on, found.due_30_on) == (MET, date(2028, 3, 7), date(2028, 3, 30))
    assert (found.period, found.rule_version) == ("2028", "FUH-MY2026"), "later years follow the last rules known"


def test_f28_a_coordinators_call_closes_no_measure_and_is_told_why() -> None:
    call = service_of(make_contact("2025-03-11"), EASTERN)
    assert call is not None
    found = fuh(A, services=[call])
    assert (found.status_7, found.status_30) == (NOT, NOT)
    assert any(reason.startswith("not_qualifying: 1") for reason in found.reasons)


def test_f29_peer_support_counts_from_2025() -> None:
    assert fuh(A, services=[visit("2025-03-12", "H0038")]).status_7 is MET
    before = make_stay(admitted="2024-03-01", discharged="2024-03-10")
    assert fuh(before, services=[visit("2024-03-12", "H0038", provider=PSYCHOLOGIST)]).status_7 is NOT


def test_f30_and_f31_a_primary_care_visit_for_mental_health_counts_from_2025() -> None:
    in_2024 = make_stay(admitted="2024-03-01", discharged="2024-03-10")
    assert fuh(A, services=[visit("2025-03-12", "99213")]).status_7 is MET
    assert fuh(in_2024, services=[visit("2024-03-12", "99213")]).status_7 is NOT
    assert fuh(in_2024, services=[visit("2024-03-12", "99213", provider=PSYCHOLOGIST)]).rule_version == "FUH-MY2024"
    assert fuh(in_2024, services=[visit("2024-03-12", "99213", provider=PSYCHOLOGIST)]).status_7 is MET


def test_f34_a_discharge_cancelled_and_made_anew_takes_only_what_came_after() -> None:
    again = make_stay(admitted="2025-11-01", discharged="2025-11-12", discharge_cancelled="2025-11-10")
    found = fuh(again, services=[visit("2025-11-11")])
    assert (found.anchor_on, found.status_7) == (date(2025, 11, 12), NOT)
    back = make_stay(admitted="2025-11-01", discharged=None, discharge_cancelled="2025-11-10")
    assert (fuh(back).status, fuh(back).reason, fuh(back).anchor_on) == (M.VOID, "discharge_cancelled", None)
    assert statuses(make_stay(discharged=None)) == {}, "in house there is nothing to measure"


def test_e2_an_emergency_visit_that_becomes_an_admission_counts_as_the_discharge() -> None:
    emergency = make_stay("E", admitted="2025-04-01 22:10", discharged="2025-04-02 03:00", stay_class=StayClass.EMERGENCY)
    inpatient = make_stay("I", admitted="2025-04-02 03:00", discharged="2025-04-08")
    services = [visit("2025-04-10")]
    assert statuses(emergency, inpatient, services=services)["FUM"].status is EXCLUDED
    assert fuh(inpatient, emergency, services=services).status_7 is MET
    backdated = replace(inpatient, admitted_at=emergency.admitted_at)
    assert statuses(emergency, backdated)["FUM"].status is EXCLUDED, "admitted as of the arrival"


def test_e3_a_visit_on_the_day_of_the_emergency_visit_counts() -> None:
    found = statuses(make_visit("E", "2025-04-01"), services=[visit("2025-04-01")])["FUM"]
    assert (found.status_7, found.met_7_on, found.due_7_on) == (MET, date(2025, 4, 1), date(2025, 4, 8))


def test_e4_one_visit_in_31_days_counts() -> None:
    days = ["2025-03-01", "2025-03-20", "2025-04-01", "2025-05-01", "2025-05-02"]
    visits = [make_visit(day, day) for day in days]
    kept = [statuses(one, *visits)["FUM"] for one in visits]
    assert [one.reason == "repeated_visit" for one in kept] == [False, True, False, True, False]
    assert [one.status for one in kept] == [NOT, EXCLUDED, NOT, EXCLUDED, NOT]
    assert [one.superseded_by for one in kept] == [None, days[0], None, days[2], None], "the visit that counts is named"


def test_visits_of_another_year_or_not_over_yet_take_nobodys_place() -> None:
    visits = [
        make_visit("old", "2024-12-20"),
        make_visit("new", "2025-01-05"),
        replace(make_visit("now", "2025-01-02"), discharged_at=None),
    ]
    assert statuses(visits[1], *visits)["FUM"].reason == "no_service_in_30_days"


def test_a_visit_that_is_excluded_takes_nobodys_place() -> None:
    """Exclusions first, then the 31 days: the admission after the first visit leaves the place to the second."""
    first, second = make_visit("1", "2025-03-01"), make_visit("2", "2025-04-05")
    third = make_visit("3", "2025-04-20")
    admission = make_stay("I", admitted="2025-03-02", discharged="2025-03-03", codes=["J18.9"])
    found = [statuses(one, first, second, third, admission)["FUM"].reason for one in (first, second, third)]
    assert found == ["admitted", "no_service_in_30_days", "repeated_visit"]
    assert "rests_on: stay I" in statuses(first, first, second, third, admission)["FUM"].reasons
    alone = [statuses(one, first, second, third)["FUM"].reason for one in (first, second, third)]
    assert alone == ["no_service_in_30_days", "no_service_in_30_days", "repeated_visit"]


def test_e6_an_overdose_with_depression_counts_in_both() -> None:
    found = statuses(make_visit("E", "2025-04-01", codes=["F33.2", "T40.1X1A"]))
    assert (found["FUM"].status, found["FUA"].status) == (NOT, NOT)
    intentional = statuses(make_visit("E", "2025-04-01", codes=["J18.9", "T40.1X2A"]))
    assert (intentional["FUM"].status, intentional["FUA"].status) == (NOT, M.NOT_ELIGIBLE)


def test_e9_remission_is_no_event() -> None:
    assert statuses(make_visit("E", "2025-04-01", codes=["F11.21"]))["FUA"].status is M.NOT_ELIGIBLE
    assert statuses(make_visit("E", "2025-04-01", codes=["F11.20"]))["FUA"].status is NOT


def test_e10_medication_dispensed_meets_fua() -> None:
    dispensed = Service(id="d", on=date(2025, 4, 4), medication_dispensed=True)
    found = statuses(make_visit("E", "2025-04-01", codes=["F11.20"]), services=[dispensed])
    assert (found["FUA"].status_7, found["FUA"].met_7_on) == (MET, date(2025, 4, 4))
    assert found["FUM"].status is M.NOT_ELIGIBLE


def test_an_observation_stay_does_not_exclude_a_visit_but_an_admission_in_30_days_does() -> None:
    emergency = make_visit("E", "2025-04-01")
    for day, stay_class, status in [
        ("2025-05-01", StayClass.INPATIENT, EXCLUDED),
        ("2025-05-02", StayClass.INPATIENT, NOT),
        ("2025-04-05", StayClass.OBSERVATION, NOT),
    ]:
        other = make_stay("I", admitted=day, discharged=None, stay_class=stay_class, codes=["J18.9"])
        assert statuses(emergency, other)["FUM"].status is status, day


def test_t1_the_anchor_is_the_local_day_of_the_facility() -> None:
    stay = make_stay(admitted="2026-11-10", discharged="2026-11-20 23:45")
    assert (fuh(stay).anchor_on, fuh(stay).due_7_on) == (date(2026, 11, 20), date(2026, 11, 27))


def test_t2_not_that_of_the_reader() -> None:
    eastern = make_stay(admitted="2026-11-10", discharged="2026-11-21 00:30")
    assert fuh(eastern).anchor_on == date(2026, 11, 21)
    chicago = replace(eastern, zone=ZoneInfo("America/Chicago"))
    assert fuh(chicago).anchor_on == date(2026, 11, 20)


def test_p1_a_young_discharge_is_pending_and_not_final() -> None:
    stay = make_stay(admitted="2026-11-10", discharged="2026-11-18")
    found = fuh(stay, now="2026-11-22")
    assert (found.status, found.status_7, found.final, found.reason) == (PENDING, PENDING, False, "awaiting_service")
    assert (found.due_7_on, found.due_30_on) == (date(2026, 11, 25), date(2026, 12, 18))
    assert any(reason.startswith("enrolment_unknown") for reason in found.reasons)
    week_over = fuh(stay, now="2026-11-26")
    assert (week_over.status_7, week_over.status_30, week_over.status) == (NOT, PENDING, PENDING)
    assert [fuh(stay, now=day).final for day in ("2026-12-18", "2026-12-19")] == [False, True]


@pytest.mark.parametrize("year", ["2024", "2025", "2026"])
def test_self_harm_in_a_later_position_is_an_event_from_2025(year: str) -> None:
    stay = make_stay(admitted=f"{year}-03-01", discharged=f"{year}-03-10", codes=["J18.9", "T43.592A"])
    assert fuh(stay).status is (M.NOT_ELIGIBLE if year == "2024" else NOT)
    principal = make_stay(admitted=f"{year}-03-01", discharged=f"{year}-03-10", codes=["T43.592A"])
    assert fuh(principal).status is NOT


def test_a_readmission_to_a_psychiatric_unit_is_taken_for_one_until_its_diagnosis_comes() -> None:
    undiagnosed = back(discharged="2025-03-22", codes=[])
    on_the_unit = replace(undiagnosed, signal=replace(undiagnosed.signal, kind=BehavioralKind.MENTAL_HEALTH))
    assert (fuh(A, undiagnosed).status, fuh(A, on_the_unit).status) == (SUSPENDED, SUPERSEDED)


def test_psychiatric_residential_treatment_changed_sides_in_2025() -> None:
    found = {}
    for year in ("2024", "2025"):
        stay = make_stay("A", admitted=f"{year}-03-01", discharged=f"{year}-03-10")
        care = make_stay("R", admitted=f"{year}-03-10 15:00", discharged=f"{year}-04-20", care_level=CareLevel.PSYCHIATRIC_RESIDENTIAL)
        found[year] = fuh(stay, care)
    assert (found["2024"].status, found["2025"].status) == (EXCLUDED, MET)
    over = make_stay("R", admitted="2025-01-02", discharged="2025-02-02", care_level=CareLevel.PSYCHIATRIC_RESIDENTIAL)
    assert fuh(A, over).status is NOT
    assert found["2025"].met_7_on == date(2025, 3, 11), "day 0 does not count, the first night after it does"


def test_a_readmission_for_a_disorder_that_is_no_index_ends_the_episode() -> None:
    """Dementia makes no event of its own, but it is where an episode that began with depression ends."""
    dementia = make_stay("B", admitted="2025-03-15", discharged="2025-03-20", codes=["F03.90"])
    assert fuh(dementia).status is M.NOT_ELIGIBLE
    assert (fuh(A, dementia).status, fuh(dementia, A).status) == (SUPERSEDED, NOT)
    again = make_stay("C", admitted="2025-04-01", discharged="2025-04-05", codes=["F03.90"])
    assert [fuh(stay, A, dementia, again).status for stay in (A, dementia, again)] == [SUPERSEDED, SUPERSEDED, NOT]
    ended = make_stay("A", admitted="2025-01-02", discharged="2025-01-05")
    for between in (make_stay("P", admitted="2025-01-10", discharged="2025-01-12", codes=["J18.9"]), back("2025-06-01")):
        assert fuh(dementia, ended, between).status is M.NOT_ELIGIBLE, "that episode ended before, or otherwise"
    year_before = make_stay("Z", admitted="2024-12-01", discharged="2024-12-28")
    january = make_stay("B", admitted="2025-01-05", discharged="2025-01-10", codes=["F03.90"])
    assert fuh(january, year_before).status is M.NOT_ELIGIBLE


def test_a_visit_after_which_a_readmission_came_is_excluded_for_each_of_the_chain() -> None:
    nonacute = make_stay("C", admitted="2025-03-22", discharged=None, care_level=CareLevel.NONACUTE)
    assert (fuh(A, B_AFTER, nonacute).status, fuh(B_AFTER, A, nonacute).status) == (SUPERSEDED, EXCLUDED)
    late = make_stay("B", admitted="2025-11-30", discharged="2025-12-05")
    before = make_stay("A", admitted="2025-11-01", discharged="2025-11-20")
    assert (fuh(before, late).status, fuh(late, before).status) == (SUPERSEDED, M.NOT_ELIGIBLE)


def test_while_the_diagnosis_is_open_the_days_are_told_all_the_same() -> None:
    found = fuh(make_stay(use="W"), services=[visit("2025-03-12")])
    assert (found.status, found.met_7_on, found.due_7_on) == (M.INDETERMINATE, date(2025, 3, 12), date(2025, 3, 17))
    unit = make_stay(codes=[])
    psychiatric = replace(unit, signal=replace(unit.signal, kind=BehavioralKind.MENTAL_HEALTH))
    assert fuh(psychiatric).status is M.INDETERMINATE
    assert statuses(make_visit("E", "2025-04-01", use="W"))["FUA"].status is M.NOT_ELIGIBLE


@pytest.mark.parametrize(
    ("spans", "whole"),
    [
        (((date(2025, 1, 1), None),), True),
        (((date(2025, 3, 10), date(2025, 4, 10)),), True),
        (((date(2025, 3, 11), None),), False),
        (((date(2025, 1, 1), date(2025, 4, 9)),), False),
        (((date(2025, 3, 20), None), (date(2025, 1, 1), date(2025, 3, 20))), True),
        (((date(2025, 3, 21), None), (date(2025, 1, 1), date(2025, 3, 20))), False),
        (((date(2025, 1, 1), date(2025, 12, 31)), (date(2025, 2, 1), date(2025, 3, 1))), True),
        ((), False),
    ],
)
def test_coverage_has_no_gap(spans: tuple[tuple[date, date | None], ...], whole: bool) -> None:
    assert covers(spans, date(2025, 3, 10), date(2025, 4, 9)) is whole


def test_now_is_read_in_the_facilitys_zone() -> None:
    stay = make_stay(admitted="2026-11-10", discharged="2026-11-18")
    last_minute = datetime(2026, 12, 18, 23, 59, tzinfo=EASTERN)
    history = PersonHistory(birth_on=BORN, stays=Course((stay,)))
    found = [measure_statuses(stay, history, CATALOG, last_minute + timedelta(minutes=step))[0] for step in (0, 1)]
    assert [(one.status, one.final) for one in found] == [(PENDING, False), (NOT, True)]

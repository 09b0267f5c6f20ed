"""TRC, observed readmission and emergency revisits, as tables (domain 1.6, 1.7 and section 6)."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from app.domain.contact import ContactOutcome, ContactRole, ContactTopic, ContactType, ContactWith
from app.domain.course import Course
from app.domain.episode import measure_statuses
from app.domain.measure import Evidence, MeasureState, MeasureStatus, PersonHistory, Receipt
from app.domain.service import Service, service_of
from app.domain.stay import CareLevel, Disposition, Stay, StayClass
from tests.domain.follow_up_builders import EASTERN, local, make_contact, make_stay, make_visit
from tests.domain.measure_builders import BORN, CATALOG, LATER, statuses, visit

M = MeasureState
MET, NOT, PENDING, EXCLUDED, SUPERSEDED, SUSPENDED = M.MET, M.NOT_MET, M.PENDING, M.EXCLUDED, M.SUPERSEDED, M.SUSPENDED
A = make_stay("A", admitted="2025-06-01", discharged="2025-06-10", codes=["I50.9"])
"""Heart failure: of no other measure. Day 30 is 10 July."""


def trc(stay: Stay, *others: Stay, receipts: Any = (), now: str = LATER) -> dict[str, MeasureStatus]:
    history = PersonHistory(birth_on=BORN, stays=Course((stay, *others)), receipts=receipts)
    return {one.measure.removeprefix("TRC-"): one for one in measure_statuses(stay, history, CATALOG, local(now))}


def received(what: Evidence, on: str, stay: str = "A") -> Receipt:
    return Receipt(stay_id=stay, what=what, on=date.fromisoformat(on), by="notification:n1")


@pytest.mark.parametrize(
    ("indicator", "what", "day", "status"),
    [
        ("NIA", Evidence.ADMISSION_NOTICE, "2025-05-31", NOT),
        ("NIA", Evidence.ADMISSION_NOTICE, "2025-06-01", MET),
        ("NIA", Evidence.ADMISSION_NOTICE, "2025-06-03", MET),
        ("NIA", Evidence.ADMISSION_NOTICE, "2025-06-04", NOT),
        ("NIA", Evidence.DISCHARGE_INFORMATION, "2025-06-01", NOT),
        ("RDI", Evidence.DISCHARGE_INFORMATION, "2025-06-09", NOT),
        ("RDI", Evidence.DISCHARGE_INFORMATION, "2025-06-10", MET),
        ("RDI", Evidence.DISCHARGE_INFORMATION, "2025-06-12", MET),
        ("RDI", Evidence.DISCHARGE_INFORMATION, "2025-06-13", NOT),
    ],
)
def test_three_days_from_the_admission_and_from_the_discharge(indicator: str, what: Evidence, day: str, status: MeasureState) -> None:
    found = trc(A, receipts=[received(what, day)])[indicator]
    assert (found.status, found.status_7, found.final, found.rule_version) == (status, status, True, f"TRC-{indicator}-MY2025")
    assert any(one == f"rests_on: notification n1 on {day}" for one in found.reasons) is (status is MET)


def test_of_a_readmission_the_first_admission_and_the_last_discharge_count() -> None:
    second = make_stay("B", admitted="2025-06-20", discharged="2025-06-25", codes=["J18.9"])
    receipts = [received(Evidence.ADMISSION_NOTICE, "2025-06-02"), received(Evidence.ADMISSION_NOTICE, "2025-06-21", "B")]
    first, last = trc(A, second, receipts=receipts), trc(second, A, receipts=receipts)
    assert {first[name].status for name in ("NIA", "RDI", "PED", "MRP")} == {SUPERSEDED}
    assert (last["NIA"].status, last["NIA"].due_7_on, last["NIA"].anchor_on) == (MET, date(2025, 6, 3), date(2025, 6, 25))
    assert trc(second, A, receipts=receipts[1:])["NIA"].status is NOT


@pytest.mark.parametrize(
    ("case", "service", "engaged", "reconciled"),
    [
        ("on the day of the discharge", Service(id="m", on=date(2025, 6, 10), medication_reconciled=True), NOT, MET),
        ("day 30", Service(id="m", on=date(2025, 7, 10), medication_reconciled=True), NOT, MET),
        ("day 31", Service(id="m", on=date(2025, 7, 11), medication_reconciled=True), NOT, NOT),
        ("by its code", visit("2025-06-12", "1111F"), NOT, MET),
        ("a transitional-care visit", visit("2025-06-12", "99495"), MET, MET),
        ("a visit on the day of the discharge", visit("2025-06-10", "99214"), NOT, NOT),
        ("a visit on day 1", visit("2025-06-11", "99214"), MET, NOT),
        ("a telephone visit on day 30", visit("2025-07-10", "98967"), MET, NOT),
        ("a visit in the emergency department", visit("2025-06-12", "99214", place="23"), NOT, NOT),
    ],
)
def test_engagement_and_reconciliation(case: str, service: Service, engaged: MeasureState, reconciled: MeasureState) -> None:
    found = statuses(A, services=[service])
    assert (found["TRC-PED"].status, found["TRC-MRP"].status) == (engaged, reconciled), case


def test_who_may_reconcile_and_with_whom() -> None:
    reconciling = {"topics": [ContactTopic.MED_REC], "type": ContactType.COLLATERAL_PHARMACY, "with_whom": ContactWith.PROVIDER}
    nurse = service_of(make_contact("2025-06-12", role=ContactRole.RN, **reconciling), EASTERN)
    assert nurse is not None
    assert (nurse.medication_reconciled, nurse.live_visit) == (True, False)
    assert service_of(make_contact("2025-06-12", role=ContactRole.COORDINATOR, **reconciling), EASTERN) is None
    assert service_of(make_contact("2025-06-12", role=ContactRole.RN, voided=True, **reconciling), EASTERN) is None
    missed = make_contact("2025-06-12", role=ContactRole.RN, outcome=ContactOutcome.NO_ANSWER)
    assert service_of(missed, EASTERN) is None


@pytest.mark.parametrize(
    ("role", "reconciled"),
    [(role, MET) for role in (ContactRole.RN, ContactRole.PRESCRIBER, ContactRole.PHARMACIST, None)]
    + [(role, NOT) for role in (ContactRole.COORDINATOR, ContactRole.CHW, ContactRole.PEER, ContactRole.CLINICIAN)],
)
@pytest.mark.parametrize("code", ["1111F", "99483", "99495", "99496"])
def test_a_code_of_reconciliation_counts_by_who_gave_it(code: str, role: ContactRole | None, reconciled: MeasureState) -> None:
    """As a reconciliation without a code does; as a visit it counts whoever made it."""
    given = service_of(make_contact("2025-06-12", role=role, visit_codes=[code]), EASTERN)
    assert given is not None
    found = statuses(A, services=[given])
    assert (found["TRC-MRP"].status, found["TRC-PED"].status) == (reconciled, NOT if code == "1111F" else MET)


@pytest.mark.parametrize(
    ("case", "stay", "facts", "status", "reason"),
    [
        ("nonacute care counts", replace(A, care_level=CareLevel.NONACUTE), {}, NOT, "no_service_in_window"),
        ("observation does not", replace(A, stay_class=StayClass.OBSERVATION), {}, None, ""),
        ("17 years old", A, {"born": date(2007, 6, 11)}, M.NOT_ELIGIBLE, "too_young"),
        ("18 that day", A, {"born": date(2007, 6, 10)}, NOT, "no_service_in_window"),
        ("to a nursing home by its code", replace(A, disposition=Disposition.NONACUTE), {}, EXCLUDED, "nonacute_disposition"),
        ("died in the year", A, {"died": "2025-12-30"}, EXCLUDED, "death_in_period"),
        ("hospice", A, {"hospice": "2025-03-01"}, EXCLUDED, "hospice"),
        ("2 December", make_stay(admitted="2025-11-20", discharged="2025-12-02"), {}, M.NOT_ELIGIBLE, "out_of_period"),
        ("window open", A, {"now": "2025-06-11"}, PENDING, "awaiting_service"),
    ],
)
def test_who_is_in_the_denominator(case: str, stay: Stay, facts: dict[str, Any], status: MeasureState | None, reason: str) -> None:
    found = statuses(stay, **facts).get("TRC-MRP")
    assert (found and found.status, found.reason if found else "") == (status, reason), case


def readmission(stay: Stay, *others: Stay, **facts: Any) -> MeasureStatus:
    return statuses(stay, *others, **facts)["READMISSION"]


def again(admitted: str, discharged: str | None = "2025-08-30", **facts: Any) -> Stay:
    return make_stay("B", admitted=admitted, discharged=discharged, **{"codes": ["J18.9"], **facts})


@pytest.mark.parametrize(
    ("case", "other", "seven", "thirty"),
    [
        ("day 2", again("2025-06-12"), MET, MET),
        ("day 7", again("2025-06-17"), MET, MET),
        ("day 8", again("2025-06-18"), NOT, MET),
        ("day 30, still in house", again("2025-07-10", None), NOT, MET),
        ("day 31", again("2025-07-11"), NOT, NOT),
        ("observation", again("2025-06-20", stay_class=StayClass.OBSERVATION), NOT, MET),
        ("nonacute", again("2025-06-20", care_level=CareLevel.NONACUTE), NOT, NOT),
        ("cancelled", again("2025-06-20", cancelled=True), NOT, NOT),
        ("planned", replace(again("2025-06-20"), planned=True), NOT, NOT),
        ("chemotherapy", again("2025-06-20", codes=["Z51.11"]), NOT, NOT),
        ("a birth", again("2025-06-20", codes=["O80"]), NOT, NOT),
        ("on the day of the discharge: a transfer", again("2025-06-10 15:00"), SUPERSEDED, SUPERSEDED),
        ("the day after: a transfer", again("2025-06-11"), SUPERSEDED, SUPERSEDED),
        ("a transfer still in house", again("2025-06-10 15:00", None), SUSPENDED, SUSPENDED),
    ],
)
def test_a_readmission_for_any_cause(case: str, other: Stay, seven: MeasureState, thirty: MeasureState) -> None:
    found = readmission(A, other)
    assert (found.status_7, found.status_30) == (seven, thirty), case


@pytest.mark.parametrize(
    ("case", "stay", "facts", "status", "reason"),
    [
        (
            "same-day stay",
            make_stay(admitted="2025-06-10 01:00", discharged="2025-06-10 20:00", codes=["I50.9"]),
            {},
            EXCLUDED,
            "same_day_stay",
        ),
        ("died in the stay", replace(A, disposition=Disposition.DIED), {}, EXCLUDED, "died_in_stay"),
        ("died later", A, {"died": "2025-09-01"}, NOT, "no_return_in_30_days"),
        ("for a birth", make_stay(codes=["O80"]), {}, M.NOT_ELIGIBLE, "pregnancy"),
        ("observation", replace(A, stay_class=StayClass.OBSERVATION), {}, NOT, "no_return_in_30_days"),
        ("nonacute", replace(A, care_level=CareLevel.NONACUTE), {}, M.NOT_ELIGIBLE, "not_acute"),
        ("2 December", make_stay(admitted="2025-11-20", discharged="2025-12-02"), {}, M.NOT_ELIGIBLE, "out_of_period"),
    ],
)
def test_which_stays_are_looked_at_for_readmissions(
    case: str, stay: Stay, facts: dict[str, Any], status: MeasureState, reason: str
) -> None:
    found = readmission(stay, **facts)
    assert (found.status, found.reason) == (status, reason), case


def revisit(stay: Stay, *others: Stay) -> MeasureStatus:
    return statuses(stay, *others)["ED-REVISIT"]


def test_a_return_to_an_emergency_department() -> None:
    first = make_visit("1", "2025-06-01", codes=["R07.9"])
    evening = make_stay("2", admitted="2025-06-01 20:00", discharged="2025-06-01 22:00", stay_class=StayClass.EMERGENCY)
    for other, seven, thirty in [
        (evening, MET, MET),
        (make_visit("2", "2025-06-08"), MET, MET),
        (make_visit("2", "2025-06-09"), NOT, MET),
        (make_visit("2", "2025-07-01"), NOT, MET),
        (make_visit("2", "2025-07-02"), NOT, NOT),
        (make_stay("2", admitted="2025-06-20", discharged="2025-06-25"), NOT, NOT),
        (replace(make_stay("2", admitted="2025-06-20", discharged="2025-06-25"), through_emergency=True), NOT, MET),
    ]:
        found = revisit(first, other)
        assert (found.status_7, found.status_30) == (seven, thirty), other.admitted_at
    moved = replace(first, disposition=Disposition.TRANSFER)
    assert (revisit(moved, evening).status, revisit(first, make_visit("0", "2025-05-20")).status) == (SUPERSEDED, NOT)
    assert revisit(first, make_stay("2", admitted="2025-06-01 18:00", discharged=None)).reason == "admitted"
    assert revisit(replace(first, disposition=Disposition.DIED)).reason == "died_in_stay"

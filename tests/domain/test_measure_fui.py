"""FUI: follow-up after high-intensity care for substance use, as tables (domain 1.5 and section 6)."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from app.domain.measure import MeasureState, MeasureStatus
from app.domain.service import Service
from app.domain.stay import CareLevel, Disposition, Stay
from tests.domain.follow_up_builders import make_stay
from tests.domain.measure_builders import PSYCHOLOGIST, statuses, visit

M = MeasureState
MET, NOT, EXCLUDED, SUPERSEDED, SUSPENDED = M.MET, M.NOT_MET, M.EXCLUDED, M.SUPERSEDED, M.SUSPENDED
ALCOHOL, OPIOID, DEPRESSION = "F10.20", "F11.20", "F32.2"
DETOX, RESIDENTIAL = CareLevel.WITHDRAWAL_MANAGEMENT, CareLevel.SUBSTANCE_USE_RESIDENTIAL


def care(name: str, admitted: str, discharged: str | None, *, code: str = ALCOHOL, **facts: Any) -> Stay:
    return make_stay(name, admitted=admitted, discharged=discharged, codes=[code], **facts)


def fui(stay: Stay, *others: Stay, **facts: Any) -> MeasureStatus:
    return statuses(stay, *others, **facts)["FUI"]


def treatment(on: str, code: str = "H0005", diagnosis: str = ALCOHOL, *more: str) -> Service:
    return visit(on, code, diagnoses=(diagnosis, *more))


A = care("A", "2025-06-01", "2025-06-10")
"""Day 7 is 17 June, day 30 is 10 July."""


@pytest.mark.parametrize(
    ("case", "services", "seven", "thirty"),
    [
        ("on the day of the discharge", [treatment("2025-06-10")], NOT, NOT),
        ("day 1", [treatment("2025-06-11")], MET, MET),
        ("day 7", [treatment("2025-06-17")], MET, MET),
        ("day 8", [treatment("2025-06-18")], NOT, MET),
        ("day 30", [treatment("2025-07-10")], NOT, MET),
        ("day 31", [treatment("2025-07-11")], NOT, NOT),
        ("for something else", [treatment("2025-06-12", "90834", DEPRESSION)], NOT, NOT),
        ("second diagnosis in 2025", [treatment("2025-06-12", "90834", DEPRESSION, ALCOHOL)], NOT, NOT),
        ("peer support in 2025", [treatment("2025-06-12", "H0038")], NOT, NOT),
        ("withdrawal management is no follow-up", [treatment("2025-06-12", "H0010")], NOT, NOT),
        ("medication", [Service(id="m", on=date(2025, 6, 13), medication_dispensed=True)], MET, MET),
        ("weekly opioid treatment", [treatment("2025-06-14", "G2067", OPIOID)], MET, MET),
        ("an uncoded visit needs who gave it", [Service(id="v", on=date(2025, 6, 12), live_visit=True, diagnoses=(ALCOHOL,))], NOT, NOT),
        (
            "an uncoded visit to a psychologist",
            [Service(id="v", on=date(2025, 6, 12), live_visit=True, diagnoses=(ALCOHOL,), taxonomies=(PSYCHOLOGIST,))],
            MET,
            MET,
        ),
    ],
)
def test_windows_and_services(case: str, services: list[Service], seven: MeasureState, thirty: MeasureState) -> None:
    found = fui(A, services=services)
    assert (found.status_7, found.status_30) == (seven, thirty), case
    assert (found.anchor_on, found.due_7_on, found.due_30_on) == (date(2025, 6, 10), date(2025, 6, 17), date(2025, 7, 10))
    assert found.rule_version == "FUI-MY2025"


@pytest.mark.parametrize(("service", "status"), [(("90834", DEPRESSION, ALCOHOL), MET), (("H0038", ALCOHOL), MET), (("H0010",), NOT)])
def test_from_2026_on_any_position_and_peer_support_count(service: tuple[str, ...], status: MeasureState) -> None:
    stay = care("A", "2026-06-01", "2026-06-10")
    found = fui(stay, services=[treatment("2026-06-12", *service)])
    assert (found.status, found.rule_version) == (status, "FUI-MY2026")


def test_detoxification_that_goes_on_in_residential_treatment_counts_from_the_end_of_that() -> None:
    """The worked case of domain section 6."""
    detox = care("A", "2025-05-28", "2025-06-01", care_level=DETOX, disposition=Disposition.TRANSFER)
    residential = care("B", "2025-06-02", "2025-06-20", care_level=RESIDENTIAL)
    services = [treatment("2025-06-27")]
    first, second = fui(detox, residential, services=services), fui(residential, detox, services=services)
    assert (first.status, first.superseded_by) == (SUPERSEDED, "B")
    assert (second.anchor_on, second.status_7, second.met_7_on) == (date(2025, 6, 20), MET, date(2025, 6, 27))


@pytest.mark.parametrize(
    ("case", "others", "status", "reason"),
    [
        ("transferred for alcohol, in house", [care("B", "2025-06-11", None)], SUSPENDED, "readmitted"),
        ("transferred for something else", [care("B", "2025-06-11", "2025-06-15", code="J18.9")], EXCLUDED, "readmitted_for_other_cause"),
        ("transferred to nonacute care", [care("B", "2025-06-11", None, care_level=CareLevel.NONACUTE)], EXCLUDED, "nonacute_admission"),
        ("admitted later for something else", [care("B", "2025-06-13", "2025-06-15", code="J18.9")], NOT, "no_service_in_30_days"),
        ("admitted later for alcohol", [care("B", "2025-06-13", "2025-06-15")], MET, "service_in_7_days"),
        ("residential treatment later", [care("B", "2025-06-20", None, care_level=RESIDENTIAL)], MET, "service_in_30_days"),
        ("detoxification later", [care("B", "2025-06-13", "2025-06-15", care_level=DETOX)], NOT, "no_service_in_30_days"),
        ("an emergency for something else before", [care("B", "2025-05-01", "2025-05-02", code="J18.9")], NOT, "no_service_in_30_days"),
    ],
)
def test_what_follows_a_discharge(case: str, others: Sequence[Stay], status: MeasureState, reason: str) -> None:
    found = fui(A, *others)
    assert (found.status, found.reason) == (status, reason), case


def test_one_episode_in_31_days_counts() -> None:
    again = care("B", "2025-06-20", "2025-06-25")
    later = care("C", "2025-07-05", "2025-07-11")
    stays = {one.id: one for one in (A, again, later)}
    found = {name: fui(one, *(other for other in stays.values() if other is not one)) for name, one in stays.items()}
    assert [found[name].reason for name in "ABC"] == ["service_in_30_days", "repeated_visit", "no_service_in_30_days"]
    assert found["B"].status is EXCLUDED


@pytest.mark.parametrize(
    ("stay", "born", "reason"),
    [
        (A, date(2012, 6, 11), "too_young"),
        (A, date(2012, 6, 10), "no_service_in_30_days"),
        (care("A", "2025-06-01", "2025-06-10", code=DEPRESSION), None, "no_index_diagnosis"),
        (care("A", "2025-06-01", "2025-06-10", code="F10.21"), None, "no_index_diagnosis"),
        (care("A", "2025-06-01", "2025-06-10", care_level=CareLevel.NONACUTE), None, "not_acute"),
        (care("A", "2025-11-20", "2025-12-02"), None, "out_of_period"),
    ],
)
def test_who_is_counted(stay: Stay, born: date | None, reason: str) -> None:
    assert fui(stay, **({"born": born} if born else {})).reason == reason

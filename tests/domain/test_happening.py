"""Which events of a stay somebody may be told of: the "notify" column of standards C.6, DV-7, and what is news."""

from collections.abc import Sequence
from itertools import permutations

import pytest

from app.domain.adt_event import AdtEvent, DiagnosisUse, EncounterClass
from app.domain.happening import Happening, happenings
from tests.domain.event_builders import EMERGENCY, INPATIENT, at, diagnosis, event, seen


def told(*messages: AdtEvent, behavioral_kind: str = "none") -> list[Happening]:
    return happenings(seen(*messages), behavioral_kind=behavioral_kind)


def short(*messages: AdtEvent) -> list[tuple[str, str, float, str]]:
    return [
        (one.kind.value, one.type.value, (one.occurred_at - at(0)).total_seconds() / 3600, one.encounter_class.value)
        for one in told(*messages)
    ]


ADMITTED = event("A01", 0, of_class=INPATIENT)
REGISTERED = event("A04", 0, of_class=EMERGENCY)
DISCHARGED = event("A03", 10, of_class=INPATIENT, disposition="01")
ADMISSION = ("admitted", "encounter.admitted", 0, "inpatient")
VISIT = ("admitted", "encounter.admitted", 0, "emergency")
END = ("discharged", "encounter.discharged", 10, "inpatient")

TABLE: list[tuple[str, Sequence[AdtEvent], Sequence[tuple[str, str, float, str]]]] = [
    ("A01", [ADMITTED], [ADMISSION]),
    ("A04 of class E", [REGISTERED], [VISIT]),
    ("A05 is nobody's news yet", [event("A05", 0, of_class=EncounterClass.PREADMIT)], []),
    ("A02 inside the house is nobody's news (DV-7)", [ADMITTED, event("A02", 3, of_class=INPATIENT, unit="MED")], [ADMISSION]),
    (
        "A02 from the emergency department into the house is a transfer (DV-7)",
        [REGISTERED, event("A02", 3, of_class=INPATIENT)],
        [VISIT, ("converted", "encounter.transferred", 3, "inpatient")],
    ),
    (
        "A06 is one too",
        [REGISTERED, event("A06", 3)],
        [VISIT, ("converted", "encounter.transferred", 3, "inpatient")],
    ),
    (
        "A01 after an emergency visit is an admission",
        [REGISTERED, event("A01", 3, of_class=INPATIENT)],
        [VISIT, ("converted", "encounter.admitted", 3, "inpatient")],
    ),
    ("A03", [ADMITTED, DISCHARGED], [ADMISSION, END]),
    ("A03 without its A01", [DISCHARGED], [END]),
    ("A08 alone", [event("A08", 3, of_class=INPATIENT)], []),
    ("A08 with PV1-45", [ADMITTED, event("A08", 12, of_class=INPATIENT, discharged=at(10))], [ADMISSION, END]),
    ("A11 leaves nothing", [ADMITTED, event("A11", 3)], []),
    ("A11 after a visit leaves the visit", [REGISTERED, event("A01", 3, of_class=INPATIENT), event("A11", 4)], [VISIT]),
    ("A12 leaves no transfer", [REGISTERED, event("A02", 3, of_class=INPATIENT), event("A12", 4, of_class=EMERGENCY)], [VISIT]),
    ("A13 leaves no discharge", [ADMITTED, DISCHARGED, event("A13", 11)], [ADMISSION]),
    (
        "death by disposition",
        [ADMITTED, event("A03", 10, of_class=INPATIENT, disposition="20")],
        [ADMISSION, END, ("died", "person.died", 10, "inpatient")],
    ),
    (
        "death by PID-30",
        [ADMITTED, event("A08", 8, of_class=INPATIENT, deceased=True)],
        [ADMISSION, ("died", "person.died", 8, "inpatient")],
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_what_there_is_to_tell(row: tuple[str, Sequence[AdtEvent], Sequence[tuple[str, str, float, str]]]) -> None:
    _, messages, expected = row
    for order in permutations(messages):
        assert short(*order) == expected


def news_of_discharge(*messages: AdtEvent, behavioral_kind: str = "none") -> object:
    (one,) = (item for item in told(*messages, behavioral_kind=behavioral_kind) if item.kind == "discharged")
    return one.news


def test_a_final_diagnosis_is_news_of_the_discharge_and_an_admitting_one_beside_it_is_not() -> None:
    """C.6, A08: update only if class, diagnosis or disposition changed."""
    final = event("A08", 12, diagnoses=[diagnosis("F32.2", DiagnosisUse.FINAL)])
    before = news_of_discharge(ADMITTED, DISCHARGED)
    assert news_of_discharge(ADMITTED, DISCHARGED, final) != before
    admitting = event("A08", 13, diagnoses=[diagnosis("I10", DiagnosisUse.ADMITTING)])
    assert news_of_discharge(ADMITTED, DISCHARGED, final, admitting) == news_of_discharge(ADMITTED, DISCHARGED, final)


def test_a_changed_disposition_is_news_and_a_changed_bed_is_not() -> None:
    before = news_of_discharge(ADMITTED, DISCHARGED)
    assert news_of_discharge(ADMITTED, DISCHARGED, event("A08", 12, disposition="65")) != before
    assert news_of_discharge(ADMITTED, DISCHARGED, event("A08", 12, unit="MED")) == before


def test_that_a_stay_turned_behavioral_is_news() -> None:
    assert news_of_discharge(ADMITTED, DISCHARGED, behavioral_kind="mental_health") != news_of_discharge(ADMITTED, DISCHARGED)


def test_diagnoses_are_told_with_the_discharge_and_not_before() -> None:
    coded = event("A08", 2, diagnoses=[diagnosis("F32.2", DiagnosisUse.WORKING)])
    assert [one.news for one in told(ADMITTED)] == [one.news for one in told(ADMITTED, coded)]

"""What qualifies as a follow-up service, by measure and year, and which contacts are services at all."""

from dataclasses import replace

import pytest

from app.domain.contact import ContactOutcome, ContactRole, ContactType, ContactWith
from app.domain.course import Course
from app.domain.episode import measure_statuses
from app.domain.measure import MeasureCatalog, MeasureState, PersonHistory
from app.domain.service import Service, service_of
from tests.domain.follow_up_builders import EASTERN, local, make_contact, make_stay, make_visit
from tests.domain.measure_builders import BORN, CATALOG, PSYCHOLOGIST, A, fuh, statuses, visit

M = MeasureState
MET, NOT, PENDING, EXCLUDED, SUPERSEDED, SUSPENDED = M.MET, M.NOT_MET, M.PENDING, M.EXCLUDED, M.SUPERSEDED, M.SUSPENDED


QUALIFYING = [
    # measure year, what, service, FUH counts, FUM counts, FUA counts
    ("2025", "psychotherapy for depression", visit("2025-04-02"), True, True, False),
    ("2025", "the same by a psychologist", visit("2025-04-02", provider=PSYCHOLOGIST), True, True, True),
    ("2025", "a psychologist, no diagnosis", visit("2025-04-02", diagnoses=(), provider=PSYCHOLOGIST), True, True, True),
    ("2025", "secondary depression", visit("2025-04-02", "99213", diagnoses=("I10", "F32.2")), True, True, False),
    ("2025", "alcohol", visit("2025-04-02", "99213", diagnoses=("F10.20",)), False, False, True),
    ("2025", "in remission", visit("2025-04-02", "99213", diagnoses=("F10.21",)), False, False, False),
    ("2025", "blood pressure", visit("2025-04-02", "99213", diagnoses=("I10",)), False, False, False),
    ("2025", "an unknown code", visit("2025-04-02", "ZZZZZ"), False, False, False),
    ("2025", "case management", visit("2025-04-02", "T1016"), False, False, False),
    ("2025", "in the emergency room", visit("2025-04-02", "99213", place="23"), False, False, False),
    ("2025", "inpatient psychotherapy", visit("2025-04-02", place="21"), False, False, False),
    ("2025", "a community center, nothing said", visit("2025-04-02", "99213", diagnoses=(), place="53"), True, True, False),
    ("2025", "electroconvulsive therapy", visit("2025-04-02", "90870", diagnoses=()), True, True, False),
    ("2025", "collaborative care", visit("2025-04-02", "99492", diagnoses=()), True, True, False),
    ("2025", "intensive outpatient, nothing said", visit("2025-04-02", "S9480", diagnoses=()), True, False, False),
    ("2025", "peer support without a diagnosis", visit("2025-04-02", "H0038", diagnoses=()), False, False, False),
    ("2025", "peer support for alcohol", visit("2025-04-02", "H0038", diagnoses=("F10.20",)), False, False, True),
    ("2025", "a screening", visit("2025-04-02", "G0396", diagnoses=()), False, False, True),
    ("2025", "methadone", visit("2025-04-02", "H0020", diagnoses=()), False, False, True),
    ("2025", "withdrawal management", visit("2025-04-02", "H0010", diagnoses=("F10.20",)), False, False, False),
    ("2025", "a call, code with modifier", visit("2025-04-02", "98966-95"), True, True, False),
    ("2025", "a call by a code deleted in 2025", visit("2025-04-02", "99441"), False, False, False),
    ("2024", "the same call in 2024, by a psychologist", visit("2024-04-02", "99441", provider=PSYCHOLOGIST), True, True, True),
    ("2024", "secondary depression in 2024", visit("2024-04-02", "99213", diagnoses=("I10", "F32.2")), False, False, False),
    ("2024", "self-harm with depression in 2024", visit("2024-04-02", "99213", diagnoses=("X71.0XXD", "F32.2")), False, True, False),
    ("2024", "collaborative care in 2024", visit("2024-04-02", "99492", diagnoses=()), True, False, False),
]  # fmt: skip


@pytest.mark.parametrize(("year", "what", "service", "in_fuh", "in_fum", "in_fua"), QUALIFYING, ids=[row[1] for row in QUALIFYING])
def test_what_qualifies(year: str, what: str, service: Service, in_fuh: bool, in_fum: bool, in_fua: bool) -> None:
    discharge = make_stay(admitted=f"{year}-03-20", discharged=f"{year}-04-01 14:00")
    emergency = make_visit("E", f"{year}-04-01", codes=["F32.2", "T40.1X1A"])
    found = {**statuses(discharge, services=[service]), **statuses(emergency, services=[service])}
    assert [found[name].status is MET for name in ("FUH", "FUM", "FUA")] == [in_fuh, in_fum, in_fua], what


@pytest.mark.parametrize(
    ("contact", "counts"),
    [
        (make_contact("2025-03-12", visit_codes=["99213"], diagnoses=["F32.2"], type=ContactType.IN_PERSON_OFFICE), True),
        (make_contact("2025-03-12", visit_codes=["98966"], diagnoses=["F32.2"]), True),
        (make_contact("2025-03-12", diagnoses=["F32.2"]), False),
        (make_contact("2025-03-12", diagnoses=["F32.2"], taxonomies=[PSYCHOLOGIST]), True),
        (make_contact("2025-03-12", taxonomies=[PSYCHOLOGIST]), False),
        (make_contact("2025-03-12", visit_codes=["T1016"], diagnoses=["F32.2"], taxonomies=[PSYCHOLOGIST]), False),
        (make_contact("2025-03-12", diagnoses=["F32.2"], taxonomies=["171M00000X"]), False),
        (make_contact("2025-03-12", diagnoses=["F32.2"], taxonomies=[PSYCHOLOGIST], type=ContactType.IN_PERSON_HOSPITAL), False),
        (make_contact("2025-03-12", visit_codes=["99213"], diagnoses=["F32.2"], outcome=ContactOutcome.NO_SHOW), False),
        (make_contact("2025-03-12", visit_codes=["99213"], diagnoses=["F32.2"], with_whom=ContactWith.CAREGIVER), False),
        (make_contact("2025-03-12", visit_codes=["99213"], diagnoses=["F32.2"], type=ContactType.LETTER), False),
        (make_contact("2025-03-12", visit_codes=["99213"], diagnoses=["F32.2"], voided=True), False),
        (make_contact("2025-03-12", visit_codes=["98970"], diagnoses=["F32.2"], type=ContactType.PORTAL), False),
        (make_contact("2025-03-12", role=ContactRole.CLINICIAN), False),
        (make_contact("2025-03-10 23:00", visit_codes=["99213"], diagnoses=["F32.2"]), False),
    ],
)
def test_which_contacts_are_services_for_fuh(contact: object, counts: bool) -> None:
    service = service_of(contact, EASTERN)  # type: ignore[arg-type]  # a Contact of the table
    assert (fuh(A, services=[service] if service else []).status_7 is MET) is counts


def test_an_e_visit_counts_after_an_emergency_visit() -> None:
    service = service_of(make_contact("2025-04-02", visit_codes=["98970"], diagnoses=["F32.2"], type=ContactType.PORTAL), EASTERN)
    assert service is not None
    assert statuses(make_visit("E", "2025-04-01"), services=[service])["FUM"].status_7 is MET


def test_a_fourteen_day_claim_can_be_read_as_thirty_days_only() -> None:
    claim = visit("2025-03-12", "99495")
    assert fuh(A, services=[claim]).status_7 is MET
    rules = CATALOG.rules_for("FUH", 2025)
    services = tuple(replace(rule, long_window_only=rule.name.startswith("transitional_care_moderate")) for rule in rules.services)
    narrowed = MeasureCatalog([replace(rules, services=services)], CATALOG.reader)
    found = measure_statuses(A, PersonHistory(birth_on=BORN, stays=Course((A,)), services=(claim,)), narrowed, local("2025-12-31"))[0]
    assert (found.status_7, found.status_30, found.met_7_on, found.met_30_on) == (NOT, MET, None, claim.on)

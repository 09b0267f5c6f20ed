"""Diagnosis groups: known codes as a table, the traps of the code structure, and the properties of reading what senders write."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.diagnosis import CODE_LENGTH_MAX, BehavioralHealthClass, DiagnosisGroup, DiagnosisRules, ValueSet
from app.standards.diagnosis_rules import diagnosis_rules

RULES = diagnosis_rules()
IN_2024, IN_2025 = date(2024, 12, 31), date(2025, 1, 1)
G = DiagnosisGroup

TABLE = [
    ("F32.2", "mental_illness mh_dx", "depression"),
    ("F20.9", "mental_illness mh_dx", "schizophrenia"),
    ("F41.1", "mental_illness mh_dx", "anxiety, an index diagnosis"),
    ("F03.90", "mh_dx", "dementia: a disorder, not an index one"),
    ("F70", "", "intellectual disability is no mental illness here"),
    ("F17.210", "", "tobacco"),
    ("F10.20", "sud_index sud_any sud_treated", "alcohol dependence"),
    ("F11.21", "sud_any", "in remission: not an index diagnosis (E9)"),
    ("F10.11", "sud_any", "abuse in remission"),
    ("F19.91", "sud_any", "use in remission"),
    ("F10.929", "sud_any sud_treated", "use without abuse or dependence"),
    ("F55.0", "sud_any sud_treated", "abuse of non-addictive substances"),
    ("R78.0", "sud_any", "alcohol in blood"),
    ("Z71.41", "sud_any", "counselling"),
    ("Z71.42", "", "counselling of the family"),
    ("X71.0XXA", "self_harm", "drowning, intentional"),
    ("T14.91XA", "self_harm", "suicide attempt"),
    ("T71.162A", "self_harm", "asphyxiation, intent character 2"),
    ("T71.161A", "", "asphyxiation, accidental"),
    ("T40.1X1A", "overdose", "heroin, unintentional"),
    ("T40.1X4D", "overdose", "undetermined, subsequent"),
    ("T40.1X2A", "self_harm", "heroin, intentional: never overdose"),
    ("T36.92XA", "self_harm", "the intent is the fifth character where the sixth is X"),
    ("T36.91XA", "overdose", "the same for accidents"),
    ("T40.1X5A", "", "adverse effect"),
    ("T50.901A", "overdose", "unspecified drug"),
    ("T51.0X1A", "", "alcohol as a toxic effect is no drug overdose"),
    ("T51.0X2A", "self_harm", "but intentional it is self-harm"),
    ("J18.9", "", "pneumonia"),
    ("I10", "", "hypertension, whose code looks like a code system"),
    ("", "", "nothing"),
    ("NOT A CODE", "", "text"),
    ("F32.2 severe depression", "", "text after a code"),
    ("296.20", "", "ICD-9"),
    ("E950.0", "", "ICD-9 self-harm"),
]


@pytest.mark.parametrize(("code", "groups", "why"), TABLE, ids=[row[2] for row in TABLE])
def test_known_codes(code: str, groups: str, why: str) -> None:
    assert RULES.groups_of(code, IN_2025) == {G(name) for name in groups.split()}, why


def test_suicidal_ideation_is_an_index_diagnosis_from_2025() -> None:
    assert RULES.groups_of("R45.851", IN_2024) == {G.SUICIDAL_IDEATION}
    assert RULES.groups_of("R45.851", IN_2025) == {G.MENTAL_ILLNESS, G.SUICIDAL_IDEATION}
    assert RULES.groups_of("R45.89", IN_2025) == frozenset()


@given(st.sampled_from([row[0] for row in TABLE[:27]]), st.sampled_from(["", " "]), st.booleans(), st.booleans())
def test_dots_case_and_space_do_not_matter(code: str, pad: str, dotted: bool, lower: bool) -> None:
    sent = code if dotted else code.replace(".", "")
    sent = f"{pad}{sent.lower() if lower else sent}{pad}"
    assert RULES.groups_of(sent, IN_2025) == RULES.groups_of(code, IN_2025)


@given(st.text(max_size=40), st.dates())
def test_no_text_is_ever_refused(code: str, on: date) -> None:
    groups = RULES.groups_of(code, on)
    assert groups == frozenset() or len(code) <= CODE_LENGTH_MAX


@pytest.mark.parametrize("name", ["I10", "ICD10", "ICD-10-CM", "icd10cm", "10", "", None, "I10C", "http://hl7.org/fhir/sid/icd-10-cm"])
def test_names_that_mean_icd_10_cm(name: str | None) -> None:
    assert RULES.reads(name)


@pytest.mark.parametrize("name", ["I9", "I9C", "ICD9", "SCT", "SNOMED", "I10P", "DSM5", "L"])
def test_other_code_systems_are_not_read(name: str) -> None:
    assert not RULES.reads(name)


def test_a_class_names_the_first_diagnosis_that_says_so() -> None:
    found = RULES.classify(["J18.9", "F33.2", "F32.2", "T40.1X1A", "F11.20"], IN_2025)
    assert found.groups == {G.MENTAL_ILLNESS, G.MH_DX, G.OVERDOSE, G.SUD_INDEX, G.SUD_ANY, G.SUD_TREATED}
    assert (found.mental_illness, found.mh_dx, found.overdose, found.sud_index, found.sud_any, found.self_harm) == (True,) * 5 + (False,)
    assert "mental_illness: diagnosis 2" in found.reasons
    assert "overdose: diagnosis 4" in found.reasons
    assert not any("F33" in reason or "T40" in reason for reason in found.reasons), "a reason names a position, never a code"


def test_nothing_says_nothing() -> None:
    assert RULES.classify([], IN_2025) == BehavioralHealthClass()
    assert RULES.classify(["", "ZZZ"], IN_2025).reasons == ()


def test_sets_hold_from_their_first_day_until_the_day_before_their_last() -> None:
    rules = DiagnosisRules(
        [
            ValueSet(group=G.MH_DX, version="1", pattern="^F20", effective_from=date(2020, 1, 1), effective_to=date(2021, 1, 1)),
            ValueSet(group=G.MH_DX, version="2", pattern="^F21", effective_from=date(2021, 1, 1)),
        ],
        ["I10"],
    )
    said = {
        day: (bool(rules.groups_of("F20.0", day)), bool(rules.groups_of("F21", day)))
        for day in map(date, (2019, 2020, 2021), (12, 12, 1), (31, 31, 1))
    }
    assert list(said.values()) == [(False, False), (True, False), (False, True)]


def test_a_set_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="ends before it starts"):
        ValueSet(group=G.MH_DX, version="1", pattern="^F", effective_from=date(2021, 1, 1), effective_to=date(2021, 1, 1))


@given(st.lists(st.sampled_from([row[0] for row in TABLE]), max_size=8), st.randoms())
def test_the_order_of_diagnoses_changes_positions_not_groups(codes: list[str], shuffled: object) -> None:
    again = sorted(codes, key=lambda _: shuffled.random())  # type: ignore[attr-defined]  # a Random drawn by Hypothesis
    assert RULES.classify(again, IN_2025).groups == RULES.classify(codes, IN_2025).groups

"""The value sets against every leaf code of ICD-10-CM: counts, and self-harm, overdose and remission against the official descriptions.

When a new release adds a code on which a pattern and its description disagree, this fails. The data come with a development package.
"""

import re
import warnings
from datetime import date
from importlib import import_module

import pytest

from app.domain.diagnosis import DiagnosisGroup, normalized_code
from app.standards.diagnosis_rules import diagnosis_rules, load_value_sets
from app.standards.toml_table import read_toml, shipped

LEAF_CODES = 74_731
"""Distinct ones: the package lists 74,736, for five codes (B20, F99, P84, R99, Z66) are a block of their own and stand twice."""
ON = date(2026, 4, 1)
pytestmark = pytest.mark.xdist_group("icd-10-cm")
SUBSTANCES = re.compile(r"^F1[0-689]")


Groups = dict[DiagnosisGroup, set[str]]


@pytest.fixture(scope="module")
def release() -> dict[str, str]:
    """Every leaf code, undotted, with its official description. Seconds to load, so once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the package reads its own files in an old way
        icd = import_module("simple_icd_10_cm")
    return {code: icd.get_description(code) for code in icd.get_all_codes(with_dots=False) if icd.is_leaf(code)}


@pytest.fixture(scope="module")
def groups(release: dict[str, str]) -> Groups:
    """The codes of each group."""
    rules = diagnosis_rules()
    found: Groups = {group: set() for group in DiagnosisGroup}
    for code in release:
        for group in rules.groups_of(code, ON):
            found[group].add(code)
    return found


def test_the_release_is_the_one_the_sets_were_checked_against(release: dict[str, str]) -> None:
    assert len(release) == LEAF_CODES


def test_every_set_has_as_many_codes_as_its_file_says(release: dict[str, str]) -> None:
    for file in shipped("value_sets").iterdir():
        table = read_toml(file)
        for period in table.tables("period"):
            pattern = re.compile(period.text("pattern"))
            assert sum(pattern.match(code) is not None for code in release) == period.integer("leaf_codes"), file.name


@pytest.mark.parametrize(
    ("group", "count"),
    [
        (DiagnosisGroup.SELF_HARM, 1_098),
        (DiagnosisGroup.OVERDOSE, 1_068),
        (DiagnosisGroup.SUD_INDEX, 273),
        (DiagnosisGroup.SUD_ANY, 447),
        (DiagnosisGroup.MENTAL_ILLNESS, 233),
        (DiagnosisGroup.MH_DX, 333),
    ],
)
def test_counts_of_the_reference(groups: Groups, group: DiagnosisGroup, count: int) -> None:
    assert len(groups[group]) == count


def test_self_harm_is_what_the_descriptions_call_self_harm(release: dict[str, str], groups: Groups) -> None:
    named = {code for code, text in release.items() if re.search(r"intentional self-harm|suicide attempt", text, re.IGNORECASE)}
    named |= {code for code in release if re.match(r"X(7[1-9]|8[0-3])", code)}
    # Family history and personal history of self-harm tell of another time or another person.
    named = {code for code in named if not code.startswith("Z")}
    assert groups[DiagnosisGroup.SELF_HARM] == named
    initial = {code for code in named if code.endswith("A")}
    assert len(initial) == 366


def test_overdose_is_poisoning_by_drugs_accidental_or_undetermined(release: dict[str, str], groups: Groups) -> None:
    named = {
        code
        for code, text in release.items()
        if re.match(r"T(3[6-9]|4\d|50)", code)
        and re.search(r"poisoning", text, re.IGNORECASE)
        and re.search(r"accidental|undetermined", text, re.IGNORECASE)
    }
    assert groups[DiagnosisGroup.OVERDOSE] == named
    assert len({code for code in named if code.endswith("A")}) == 356
    assert not named & groups[DiagnosisGroup.SELF_HARM]


def test_remission_is_no_index_and_is_treated_by_nothing_but_stays_sensitive(release: dict[str, str], groups: Groups) -> None:
    remission = {code for code, text in release.items() if SUBSTANCES.match(code) and "in remission" in text.lower()}
    assert len(remission) == 27
    assert not remission & groups[DiagnosisGroup.SUD_INDEX]
    assert not remission & groups[DiagnosisGroup.SUD_TREATED]
    assert remission <= groups[DiagnosisGroup.SUD_ANY]
    abuse = {code for code, text in release.items() if SUBSTANCES.match(code) and re.search(r"\b(abuse|dependence)\b", text, re.IGNORECASE)}
    assert groups[DiagnosisGroup.SUD_INDEX] == abuse - remission


def test_groups_that_must_not_mix(groups: Groups) -> None:
    sud = groups[DiagnosisGroup.SUD_ANY]
    assert groups[DiagnosisGroup.SUD_INDEX] <= groups[DiagnosisGroup.SUD_TREATED] <= sud
    assert not sud & groups[DiagnosisGroup.MENTAL_ILLNESS]
    assert not sud & (groups[DiagnosisGroup.MH_DX] - {"F550", "F551", "F552", "F553", "F554", "F558"})
    before = date(2024, 12, 31)
    rules = diagnosis_rules()
    ideas = {code for code in groups[DiagnosisGroup.MENTAL_ILLNESS] if DiagnosisGroup.MENTAL_ILLNESS not in rules.groups_of(code, before)}
    assert ideas == {"R45851"}


def test_every_leaf_code_is_read_and_dots_do_not_matter(release: dict[str, str]) -> None:
    rules = diagnosis_rules()
    for code in list(release)[::97]:
        dotted = f"{code[:3]}.{code[3:]}" if len(code) > 3 else code
        assert normalized_code(dotted) == code
        assert rules.groups_of(dotted.lower(), ON) == rules.groups_of(code, ON)


def test_value_sets_say_their_source() -> None:
    assert {one.group for one in load_value_sets(shipped("value_sets"))} == set(DiagnosisGroup)
    for file in shipped("value_sets").iterdir():
        table = read_toml(file)
        assert table.text("source")
        assert table.text("licence")

"""What is read out of a record to be compared: written forms fall together, stand-ins fall away, nothing a source writes breaks it."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.adt_event import Identifier
from app.domain.blocking import FORMS_MAX, blocking_keys
from app.domain.comparison import Unshared, compare
from app.domain.features import Features, features
from app.domain.name_comparison import edits, sound
from app.standards.matching_rules import vocabulary, weights


def read(*identifiers: Identifier, **facts: Any) -> Features:
    return features(facts, identifiers, vocabulary())


@pytest.mark.parametrize(
    ("facts", "attribute", "value"),
    [
        ({"last_name": "O'Brien"}, "last", "OBRIEN"),
        ({"last_name": "Smith, Jr."}, "last", "SMITH"),
        ({"last_name": "Smith Jr."}, "suffix", "JR"),
        ({"first_name": "Robert III"}, "suffix", "III"),
        ({"suffix": "Senior"}, "suffix", "SR"),
        ({"last_name": "García López"}, "last", "GARCIALOPEZ"),
        ({"last_name": "García López"}, "last_parts", frozenset({"GARCIA", "LOPEZ"})),
        ({"last_name": "Quillmere", "former_last_name": ["Tarnbrook", "Pinewick"]}, "last_parts", frozenset({"TARNBROOK", "PINEWICK"})),
        ({"last_name": "UNKNOWN"}, "last", ""),
        ({"first_name": "John", "last_name": "Doe"}, "last", ""),
        ({"first_name": "Johanna", "last_name": "Doe"}, "last", "DOE"),
        ({"first_name": "TEST"}, "first", ""),
        ({"first_name": "Bill"}, "forms", frozenset({"WILLIAM"})),
        ({"first_name": "Mary Ann"}, "first", "MARYANN"),
        ({"first_name": "Baby Boy"}, "is_newborn", True),
        ({"first_name": "BABYGIRL"}, "is_newborn", True),
        ({"first_name": "NB"}, "is_newborn", True),
        ({"first_name": "Twin A"}, "is_newborn", True),
        ({"first_name": "Twin A"}, "birth_order", "A"),
        ({"first_name": "Babygirl B"}, "birth_order", "B"),
        ({"first_name": "Babette"}, "is_newborn", False),
        ({"first_name": "Newborn"}, "first", ""),
        ({"birth_order": "2"}, "birth_order", "B"),
        ({"birth_date": "1976-04-25"}, "birth_date", date(1976, 4, 25)),
        ({"birth_date": "1900-01-01"}, "birth_date", None),
        ({"birth_date": "1901-01-01"}, "birth_date", None),
        ({"birth_date": "soon"}, "birth_date", None),
        ({"sex": "female"}, "sex", "F"),
        ({"sex": "U"}, "sex", ""),
        ({"zip": "04101-1234"}, "zip5", "04101"),
        ({"zip": "00000"}, "zip5", ""),
        ({"address": "12 North Main Street, Apt. 4"}, "address", "12 N MAIN ST 4"),
        ({"address": "12 N MAIN ST #4"}, "address", "12 N MAIN ST 4"),
        ({"address": "General Delivery"}, "address", ""),
        ({"phone": "+1 (207) 555-2368 x12"}, "phones", frozenset({"2075552368"})),
        ({"phone": "2075552368", "phone2": "207.555.9911"}, "phones", frozenset({"2075552368", "2075559911"})),
        ({"phone": "000-000-0000"}, "phones", frozenset()),
        ({"phone": "207-999-9999"}, "phones", frozenset()),
        ({"phone": "555-2368"}, "phones", frozenset()),
        ({"ssn": "219-05-6781"}, "ssn4", "6781"),
        ({"ssn": "123-45-6789"}, "ssn4", ""),
        ({"ssn": "999-99-9999"}, "ssn4", ""),
        ({"ssn": "000-12-3456"}, "ssn4", ""),
        ({"ssn4": "0000"}, "ssn4", ""),
    ],
)
def test_what_is_read(facts: dict[str, Any], attribute: str, value: object) -> None:
    assert getattr(read(**facts), attribute) == value


def test_identifiers_that_name_nobody_are_left_out() -> None:
    real = Identifier("GENERAL", "MR", "1700042")
    found = read(
        real,
        Identifier("GENERAL", "AN", "ACCOUNT1"),
        Identifier("GENERAL", "MR", "999999999"),
        Identifier("GENERAL", "MR", "0000"),
        Identifier("SSA", "SS", "219056781"),
    )
    assert found.identifiers == {("GENERAL", "MR", "1700042")}
    assert found.ssn4 == "6781"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ROBERT", "R163"),
        ("RUPERT", "R163"),
        ("RUBIN", "R150"),
        ("ASHCRAFT", "A261"),
        ("TYMCZAK", "T522"),
        ("PFISTER", "P236"),
        ("LEE", "L000"),
    ],
)
def test_soundex_is_that_of_the_national_archives(name: str, code: str) -> None:
    assert sound(name) == code


def plain_edits(left: str, right: str) -> int:
    """The textbook's optimal string alignment."""
    table = {(row, -1): row + 1 for row in range(-1, len(left))} | {(-1, column): column + 1 for column in range(-1, len(right))}
    for row, mine in enumerate(left):
        for column, theirs in enumerate(right):
            best = min(table[row - 1, column] + 1, table[row, column - 1] + 1, table[row - 1, column - 1] + (mine != theirs))
            if row and column and mine == right[column - 1] and left[row - 1] == theirs:
                best = min(best, table[row - 2, column - 2] + 1)
            table[row, column] = best
    return table[len(left) - 1, len(right) - 1]


@given(st.text("ABC", max_size=9), st.text("ABC", max_size=9), st.sampled_from([1, 2]))
def test_edits_are_counted_up_to_a_bound(left: str, right: str, most: int) -> None:
    assert edits(left, right, most) == min(plain_edits(left, right), most + 1)


NAMES = st.sampled_from(
    ["Anna", "Ann", "Bill", "William", "Garcia-Lopez", "Smith", "Smith Jr", "Smyth", "BABYBOY", "UNKNOWN", "A", "", "Ruth", "Peña"]
)
DATES = st.sampled_from(["1976-04-05", "1976-05-04", "1976-04-06", "1996-04-05", "2001-12-31", "1900-01-01", "x", ""])
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "first_name": NAMES,
        "middle_name": NAMES,
        "last_name": NAMES,
        "former_last_name": NAMES,
        "birth_date": DATES,
        "sex": st.sampled_from(["M", "F", "U"]),
        "address": st.sampled_from(["1 Elm St", "1 Elm Street", "1 Elk St", "9 Oak Rd", "Homeless"]),
        "city": st.sampled_from(["Portland", "Exampleport"]),
        "zip": st.sampled_from(["04101", "04999", "00000"]),
        "phone": st.sampled_from(["2075552368", "2075552369", "2075559911", "0000000000"]),
        "ssn4": st.sampled_from(["1181", "1182", "6781", "0000"]),
        "suffix": st.sampled_from(["Jr", "Sr"]),
        "deceased": st.booleans(),
        "died_at": st.sampled_from(["2026-01-02T10:00:00+00:00", "2026-03-02"]),
    },
)
NUMBERS = st.lists(
    st.builds(Identifier, st.sampled_from(["GENERAL", ""]), st.sampled_from(["MR", "MA", ""]), st.sampled_from(["17", "92"])), max_size=2
)


@given(FACTS, NUMBERS, FACTS, NUMBERS)
def test_it_does_not_matter_who_is_named_first(
    left: dict[str, Any], mine: list[Identifier], right: dict[str, Any], theirs: list[Identifier]
) -> None:
    first, second = read(*mine, **left), read(*theirs, **right)
    assert compare(first, second, weights(), Unshared()) == compare(second, first, weights(), Unshared())


@given(FACTS, FACTS, st.sampled_from(["birth_date", "sex", "ssn4", "phone", "suffix"]))
def test_agreeing_in_one_more_field_never_speaks_against_a_match(left: dict[str, Any], right: dict[str, Any], field: str) -> None:
    said = left | {field: {"birth_date": "1976-04-05", "sex": "F", "ssn4": "1181", "phone": "2075552368", "suffix": "Jr"}[field]}
    apart = compare(read(**said), read(**right), weights(), Unshared())
    agreed = compare(read(**said), read(**right | {field: said[field]}), weights(), Unshared())
    assert agreed.weight >= apart.weight - 1e-9


@given(FACTS, NUMBERS)
def test_a_record_is_itself_as_far_as_it_says_anything(facts: dict[str, Any], numbers: list[Identifier]) -> None:
    one = read(*numbers, **facts)
    found = compare(one, one, weights(), Unshared())
    assert {ground.outcome.value for ground in found.grounds if ground.field != "guard"} <= {"exact", "missing", "part"}


@given(
    st.dictionaries(
        st.sampled_from(["first_name", "last_name", "birth_date", "phone", "ssn", "zip", "address", "sex", "suffix"]), st.text(max_size=30)
    )
)
def test_whatever_a_source_writes_gives_features_and_keys(facts: dict[str, str]) -> None:
    found = read(**facts)
    keys = blocking_keys(found)
    assert keys == blocking_keys(read(**facts))
    assert len(keys) <= 30 * FORMS_MAX

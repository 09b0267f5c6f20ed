"""What two records of one person, and of two people, come to: the level, the outcome of each field, and what holds them back."""

from dataclasses import replace
from typing import Any

import pytest

from app.domain.adt_event import Identifier
from app.domain.blocking import blocking_keys
from app.domain.comparison import SHARED_BY, Level, Unshared, compare
from app.standards.matching_rules import weights
from tests.domain.record_builders import Holders, compared, guards_of, outcome_of, record


@pytest.mark.parametrize(
    ("changes", "field", "outcome"),
    [
        ({}, "first_name", "exact"),
        ({"last_name": "TESTERMAN"}, "last_name", "exact"),
        ({"last_name": "Testermann"}, "last_name", "typo"),
        ({"last_name": "Tesetrman"}, "last_name", "typo"),
        ({"last_name": "Testerman-Garcia"}, "last_name", "part"),
        ({"last_name": "Quillmere", "former_last_name": "Testerman"}, "last_name", "part"),
        ({"last_name": "Annabel", "first_name": "Testerman"}, "last_name", "swapped"),
        ({"last_name": "Annabel", "first_name": "Testerman"}, "first_name", "swapped"),
        ({"last_name": "Quillmere"}, "last_name", "different"),
        ({"first_name": "A"}, "first_name", "part"),
        ({"first_name": "Ruth"}, "first_name", "swapped"),
        ({"first_name": "Zenobia"}, "first_name", "different"),
        ({"first_name": "UNKNOWN"}, "first_name", "missing"),
        ({"middle_name": "R."}, "middle_name", "part"),
        ({"birth_date": "1976-04-26"}, "birth_date", "typo"),
        ({"birth_date": "1967-04-25"}, "birth_date", "typo"),
        ({"birth_date": "1976-11-25"}, "birth_date", "part"),
        ({"birth_date": "1980-11-02"}, "birth_date", "different"),
        ({"birth_date": "1900-01-01"}, "birth_date", "missing"),
        ({"sex": "M"}, "sex", "different"),
        ({"sex": "U"}, "sex", "missing"),
        ({"address": "12 N SAMPLE ST #4"}, "address", "exact"),
        ({"address": "12 N Sampel St 4"}, "address", "typo"),
        ({"address": "700 Elsewhere Rd"}, "address", "part"),
        ({"zip": "04999"}, "address", "different"),
        ({"address": "Homeless", "zip": None}, "address", "missing"),
        ({"phone": "1-207-555-2368"}, "phone", "exact"),
        ({"phone": "207-555-2386"}, "phone", "typo"),
        ({"phone": "999-999-9999"}, "phone", "missing"),
        ({"phone": "000-000-0000"}, "phone", "missing"),
        ({"ssn4": "6718"}, "ssn4", "typo"),
        ({"ssn": "123-45-6789", "ssn4": None}, "ssn4", "missing"),
        ({"ssn": "999-99-9999", "ssn4": None}, "ssn4", "missing"),
        ({"ssn": "219-05-6781", "ssn4": None}, "ssn4", "exact"),
    ],
)
def test_each_field_has_its_levels(changes: dict[str, Any], field: str, outcome: str) -> None:
    found = compared(record(), record(**changes))
    assert outcome_of(found, field) == outcome


def test_the_day_and_month_may_be_exchanged() -> None:
    found = compared(record(birth_date="1976-04-05"), record(birth_date="1976-05-04"))
    assert outcome_of(found, "birth_date") == "swapped"
    assert found.level is Level.CERTAIN


def test_a_nickname_is_a_form_of_the_name_but_two_names_of_one_nickname_are_not_one() -> None:
    assert outcome_of(compared(record(first_name="William"), record(first_name="Bill")), "first_name") == "nickname"
    assert outcome_of(compared(record(first_name="Paco"), record(first_name="Francisco")), "first_name") == "nickname"
    assert outcome_of(compared(record(first_name="Alberto"), record(first_name="Roberto")), "first_name") == "similar"


def test_somebody_who_moved_married_and_goes_by_a_nickname_is_found_by_a_number() -> None:
    before = record(first_name="Elizabeth")
    after = record(first_name="Liz", last_name="Quillmere", address="9 Other Ln", zip="04999", phone="2075559911")
    assert blocking_keys(before) & blocking_keys(after)
    assert compared(before, after).level is not Level.NO


def test_a_common_name_says_less_than_a_rare_one() -> None:
    assert weights().of_last_name("SMITH") < weights().of_last_name("TESTERMAN")
    assert weights().of_first_name("JAMES") < weights().of_first_name("ANNABEL")


BARE = ("middle_name", "ssn4", "address", "city", "zip", "phone")


@pytest.mark.parametrize(
    ("left", "right", "guard"),
    [
        ({"without": ("ssn4",)}, {"first_name": "Annabet", "middle_name": "R", "without": ("ssn4",)}, "twins"),
        ({"without": ("ssn4",)}, {"first_name": "Ruth", "middle_name": "Olive", "without": ("ssn4",)}, "twins"),
        ({"birth_order": "1"}, {"birth_order": "2"}, "twins"),
        ({"suffix": "Sr."}, {"suffix": "Jr."}, "generations"),
        ({"last_name": "Testerman Sr"}, {"last_name": "Testerman III"}, "generations"),
        ({"without": ("ssn4",)}, {"birth_date": "1996-04-25"}, "generations"),
        ({}, {"birth_date": "1997-03-24"}, "generations"),
        ({}, {"first_name": "BABYGIRL"}, "newborn"),
        ({}, {"first_name": "Baby Girl A"}, "newborn"),
        ({}, {"ssn4": "1180"}, "ssn_conflict"),
        ({"died_at": "2026-01-02T10:00:00+00:00"}, {"died_at": "2026-03-02T10:00:00+00:00"}, "death"),
        ({"deceased": True}, {"deceased": False}, "death"),
        ({"without": ("birth_date", "ssn4")}, {"without": ("birth_date", "ssn4")}, "thin"),
    ],
)
def test_guards_hold_back_whatever_the_weight(left: dict[str, Any], right: dict[str, Any], guard: str) -> None:
    found = compared(record(**left), record(**right))
    assert guard in guards_of(found)
    assert found.level is Level.POSSIBLE


BARE_TWINS = {"without": ("ssn4", "middle_name"), "last_name": "Quillmere"}


@pytest.mark.parametrize(
    ("left", "right", "level"),
    [
        # A slip of the keys is nobody's name: exchanged neighbours, a doubled letter, a digit, anything inside a long name.
        ("Jebediah", "Jebedaih", Level.CERTAIN),
        ("Annabel", "Anabel", Level.CERTAIN),
        ("Anna", "Ana", Level.POSSIBLE),
        ("Zebulon", "Zebul0n", Level.CERTAIN),
        ("Featherly", "Featerly", Level.CERTAIN),
        # Twins have names that are alike at one end, and names that are both in use.
        ("Jayden", "Hayden", Level.POSSIBLE),
        ("Jaylen", "Jayden", Level.POSSIBLE),
        ("Marietta", "Mariette", Level.POSSIBLE),
        ("Brain", "Brian", Level.CERTAIN),
        ("Maira", "Maria", Level.CERTAIN),
    ],
)
def test_a_slip_in_a_first_name_is_told_from_a_twin(left: str, right: str, level: Level) -> None:
    assert compared(record(**BARE_TWINS, first_name=left), record(**BARE_TWINS, first_name=right)).level is level


def test_two_names_that_are_both_common_are_no_slip_and_neither_is_one_of_a_boy_and_a_girl() -> None:
    known = replace(weights(), first_names={**weights().first_names, "MARIA": 0.004, "MAIRA": 0.0001})
    maria, maira = (record(**BARE_TWINS, first_name=name) for name in ("Maria", "Maira"))
    assert guards_of(compare(maria, maira, known, Unshared())) == {"twins"}
    for other in ({"first_name": "Zebul0n"}, {"first_name": "Zebolon"}):
        named = {**BARE_TWINS, "without": ("ssn4",)}
        his, hers = record(**named, first_name="Zebulon", sex="M"), record(**{**named, **other}, sex="F")
        assert guards_of(compared(his, hers)) == {"twins"}, "the middle name of a family says nothing of a brother and a sister"


def test_first_and_middle_name_that_are_exchanged_whole_are_one_persons() -> None:
    without = {"without": ("ssn4",)}
    assert compared(record(**without), record(**without, first_name="Ruth", middle_name="Annabel")).level is Level.CERTAIN
    assert guards_of(compared(record(**without), record(**without, first_name="Ruth", middle_name="Olive"))) == {"twins"}


def test_one_digit_of_an_ssn_does_not_outweigh_both_names_and_the_birth_date_and_two_do() -> None:
    assert compared(record(), record(ssn4="6731")).level is Level.CERTAIN
    assert guards_of(compared(record(), record(ssn4="6739"))) == {"ssn_conflict"}
    assert "ssn_conflict" in guards_of(compared(record(), record(ssn4="6731", birth_date="1976-04-26"))), "a second doubt"
    assert "ssn_conflict" in guards_of(compared(record(), record(ssn4="6731", first_name="Annabelle")))
    assert "ssn_conflict" in guards_of(compared(record(), record(ssn4="6731", sex="M")))


def test_two_numbers_of_one_authority_go_before_a_person() -> None:
    found = compared(record(Identifier("GENERAL", "MR", "17")), record(Identifier("GENERAL", "MR", "92")))
    assert guards_of(found) == {"identifier_conflict"}
    assert compared(record(Identifier("GENERAL", "MR", "17")), record(Identifier("OTHER", "MR", "92"))).level is Level.CERTAIN


def test_twins_with_different_names_are_two_people() -> None:
    assert compared(record(without=("ssn4",)), record(first_name="Zenobia", middle_name="Olive", without=("ssn4",))).level is Level.NO


def test_a_mother_and_her_named_newborn_are_two_people() -> None:
    assert compared(record(), record(first_name="Zenobia", birth_date="2026-01-05", without=("ssn4",))).level is Level.NO


def test_shared_phones_and_addresses_lose_weight_and_never_decide() -> None:
    thin = {"without": ("middle_name", "ssn4"), "first_name": "James", "last_name": "Smith"}
    alone = compared(record(**thin), record(**thin))
    assert alone.level is Level.CERTAIN
    shelter = compared(record(**thin), record(**thin), Holders(phone=SHARED_BY + 1, address=SHARED_BY + 1))
    assert outcome_of(shelter, "phone") == outcome_of(shelter, "address") == "shared"
    assert shelter.level is not Level.CERTAIN
    some = compared(record(**thin), record(**thin), Holders(phone=9, address=9))
    assert shelter.weight < some.weight < alone.weight


def test_a_placeholder_gives_no_key() -> None:
    nobody = record(first_name="John", last_name="Doe", birth_date="1900-01-01", phone="000", ssn4="9999", address="Unknown")
    assert blocking_keys(nobody) == frozenset()


def test_keys_are_the_same_in_every_process() -> None:
    keys = blocking_keys(record(without=("ssn4", "zip", "phone", "address", "middle_name")))
    assert keys == blocking_keys(record(last_name="TESTERMAN", without=("ssn4", "zip", "phone", "address", "middle_name")))
    assert all(-(2**63) <= key < 2**63 for key in keys)

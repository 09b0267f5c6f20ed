"""Which records are one person: a partition of a set, so its order cannot matter; and the guards against joining two people."""

from dataclasses import replace
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.adt_event import Identifier
from app.domain.latest import known
from app.domain.matching import BLOCK_LIMIT, divide, partition
from app.domain.person import PatientRecord
from app.domain.shared_identifier import ANY_AUTHORITY, SHARED_IDENTIFIER_LIMIT, match_keys
from app.domain.tie import TieKind, pair_of
from tests.domain.event_builders import record

ANN = {"first": "Ann", "last": "Alder", "born": "1980-01-02", "sex": "F"}
BEN = {"first": "Ben", "last": "Birch", "born": "1975-06-07", "sex": "M"}
MEDICAID = Identifier("MAINECARE", "MA", "MC1")


def mrn(hospital: str, number: str) -> Identifier:
    return Identifier(hospital, "MR", number)


def people(*records: PatientRecord) -> set[frozenset[int]]:
    return {frozenset(one.int for one in group.records) for group in partition(records)}


def apart(*numbers: int) -> set[frozenset[int]]:
    return {frozenset({number}) for number in numbers}


def together(*numbers: int) -> set[frozenset[int]]:
    return {frozenset(numbers)}


def test_an_identifier_that_two_records_share_makes_them_one_person() -> None:
    assert people(record(1, mrn("A", "1"), MEDICAID, **ANN), record(2, mrn("B", "7"), MEDICAID, last="Alder-Oak")) == together(1, 2)


def test_one_number_of_two_authorities_is_two_numbers() -> None:
    """HL7-6: never the bare id."""
    assert people(record(1, mrn("A", "1")), record(2, mrn("B", "1"))) == apart(1, 2)


def test_one_number_of_two_types_is_two_numbers_but_a_type_may_be_missing() -> None:
    assert people(record(1, Identifier("A", "MR", "1")), record(2, Identifier("A", "PI", "1"))) == apart(1, 2)
    assert people(record(1, Identifier("A", "MR", "1")), record(2, Identifier("A", "", "1"))) == together(1, 2)


def test_numbers_that_name_no_person_join_nobody() -> None:
    account = Identifier("A", "AN", "77")
    assert people(record(1, mrn("A", "1"), account), record(2, mrn("A", "2"), account)) == apart(1, 2)
    assert match_keys([account, Identifier("A", "MR", "")]) == set()


def test_a_roster_names_a_medicaid_number_without_its_authority() -> None:
    rostered = record(2, Identifier(ANY_AUTHORITY, "MA", "MC1"), source="home")
    assert people(record(1, mrn("A", "1"), MEDICAID), rostered) == together(1, 2)


def test_two_states_may_give_the_same_medicaid_number() -> None:
    copies = [Identifier(ANY_AUTHORITY, "MA", "MC1")]
    one = record(1, mrn("A", "1"), Identifier("MAINECARE", "MA", "MC1"), *copies, **ANN)
    other = record(2, mrn("B", "1"), Identifier("MASSHEALTH", "MA", "MC1"), *copies, **BEN)
    assert people(one, other) == apart(1, 2)
    assert people(one, replace(other, said=one.said)) == apart(1, 2)


def test_a_newborn_under_the_mothers_number_is_not_the_mother() -> None:
    mother = record(1, mrn("A", "1"), MEDICAID, **ANN)
    newborn = record(2, mrn("A", "2"), MEDICAID, first="Baby Boy", last="Alder", born="2026-03-01", sex="M")
    assert people(mother, newborn) == apart(1, 2)


def test_a_record_that_says_too_little_does_not_join_mother_and_newborn() -> None:
    mother = record(1, mrn("A", "1"), MEDICAID, **ANN)
    mothers_other = record(4, mrn("B", "9"), MEDICAID, **ANN)
    newborn = record(2, mrn("A", "2"), MEDICAID, first="Baby Boy", last="Alder", born="2026-03-01", sex="M")
    silent = record(3, mrn("B", "8"), MEDICAID)
    assert people(mother, newborn, silent) == apart(1, 2, 3)
    assert people(mother, mothers_other, newborn, silent) == together(1, 4) | apart(2, 3)
    assert people(mother, silent) == together(1, 3)


def test_a_corrected_birth_date_alone_contradicts_nobody() -> None:
    assert people(record(1, MEDICAID, **ANN), record(2, MEDICAID, **{**ANN, "born": "1980-01-20"})) == together(1, 2)


def test_exact_demographics_join_where_no_authority_gives_two_ids() -> None:
    assert people(record(1, mrn("A", "1"), **ANN), record(2, mrn("B", "7"), **{**ANN, "last": "ALDER"})) == together(1, 2)
    assert people(record(1, mrn("A", "1"), **ANN), record(2, mrn("A", "2"), **ANN)) == apart(1, 2)


@pytest.mark.parametrize("missing", sorted(ANN))
def test_demographics_count_only_when_all_four_are_there(missing: str) -> None:
    some = {name: value for name, value in ANN.items() if name != missing}
    assert people(record(1, mrn("A", "1"), **some), record(2, mrn("B", "7"), **some)) == apart(1, 2)


def test_a_junior_and_a_senior_who_are_written_alike_are_two_whatever_a_third_leaves_out() -> None:
    one, other, third = (
        record(place, mrn("ABC"[place - 1], "1"), **ANN, suffix=said) for place, said in ((1, "Jr."), (2, "Senior"), (3, None))
    )
    assert people(one, other) == apart(1, 2)
    assert people(one, other, third) == apart(1, 2, 3), "there is no telling which of the two is meant"
    for said in ("JR", "MD", None):
        assert people(one, record(2, mrn("B", "1"), **ANN, suffix=said)) == together(1, 2)


def test_a_block_of_twins_joins_nobody() -> None:
    """Two candidates of one hospital: there is no telling which one the third is."""
    twins = [record(1, mrn("A", "1"), **ANN), record(2, mrn("A", "2"), **ANN)]
    assert people(*twins, record(3, mrn("B", "7"), **ANN)) == apart(1, 2, 3)


def test_twins_who_turn_out_to_be_one_are_joined_with_the_third() -> None:
    survivor = record(1, mrn("A", "1"), **ANN)
    merged = record(2, mrn("A", "2"), retired_into=1, **ANN)
    assert people(survivor, merged, record(3, mrn("B", "7"), **ANN)) == together(1, 2, 3)


def test_two_blocks_that_would_together_join_two_ids_are_both_dropped() -> None:
    shared = record(2, mrn("B", "7"), Identifier("EMPI", "PI", "E1"), **ANN)
    renamed = record(3, mrn("C", "8"), Identifier("EMPI", "PI", "E1"), **BEN)
    first, second = record(1, mrn("A", "1"), **ANN), record(4, mrn("A", "2"), **BEN)
    # The shared identifier makes 2 and 3 one; by name they would draw 1 and 4 together, whom hospital A tells apart.
    joined = replace(renamed, said={}, demographic_key=None)
    assert people(first, shared, joined, second) == apart(4) | together(1, 2, 3)
    named = replace(joined, demographic_key=renamed.demographic_key)
    assert people(first, shared, named, second) == apart(1, 4) | together(2, 3)


def test_two_medicaid_numbers_are_two_people_whoever_gave_them() -> None:
    one = record(1, mrn("A", "1"), Identifier("MAINECARE", "MA", "MC1"), **ANN)
    other = record(2, mrn("B", "7"), Identifier(ANY_AUTHORITY, "MA", "MC2"), **ANN)
    assert people(one, other) == apart(1, 2)


def test_more_records_than_a_person_has_are_a_placeholder() -> None:
    block = [record(number, mrn(f"H{number}", "1"), **ANN) for number in range(1, BLOCK_LIMIT + 2)]
    assert people(*block[:-1]) == together(*range(1, BLOCK_LIMIT + 1))
    assert people(*block) == apart(*range(1, BLOCK_LIMIT + 2))


def test_an_identifier_on_more_records_than_a_person_has_is_none() -> None:
    payee = Identifier("PAYEE", "PI", "9999")
    holders = [record(number, mrn("A", str(number)), payee) for number in range(1, SHARED_IDENTIFIER_LIMIT + 2)]
    assert people(*holders[:-1]) == together(*range(1, SHARED_IDENTIFIER_LIMIT + 1))
    assert people(*holders) == apart(*range(1, SHARED_IDENTIFIER_LIMIT + 2))


def test_the_copy_without_authority_does_not_halve_the_limit() -> None:
    copies = [Identifier("MAINECARE", "MA", "9"), Identifier(ANY_AUTHORITY, "MA", "9")]
    holders = [record(number, mrn(f"H{number}", "1"), *copies) for number in range(1, SHARED_IDENTIFIER_LIMIT + 1)]
    assert len(people(*holders)) == 1


def test_a_merge_of_the_hospital_joins_whatever_else_is_said_and_chains() -> None:
    other_name = {**BEN, "first": "Ann"}
    chain = [
        record(1, mrn("A", "1"), **ANN),
        record(2, mrn("A", "2"), retired_into=1, **other_name),
        record(3, mrn("A", "3"), retired_into=2),
    ]
    assert people(*chain) == together(1, 2, 3)
    assert people(replace(chain[0], retired_into=UUID(int=3)), *chain[1:]) == together(1, 2, 3)


def test_a_merge_into_a_record_that_is_not_here_is_not_guessed() -> None:
    assert people(record(1, mrn("A", "1"), retired_into=99)) == apart(1)


def test_every_ground_is_given() -> None:
    (group,) = partition([record(1, mrn("A", "1"), MEDICAID, **ANN), record(2, mrn("B", "7"), MEDICAID), record(3, mrn("C", "8"), **ANN)])
    assert group.reasons == (
        "exact name, birth date and sex; no authority gives two ids",
        "same identifier of MAINECARE",
        "same identifier of Medicaid",
    )


def test_a_third_with_the_numbers_of_both_does_not_hide_that_two_are_told_apart() -> None:
    """Three states' Medicaid numbers: in whichever order they came, exact demographics join nobody."""
    first = Identifier("MAINECARE", "MA", "1")
    both = Identifier("NHMEDICAID", "MA", "1"), Identifier("NHMEDICAID", "MA", "2")
    second = Identifier("VTMEDICAID", "MA", "2")
    for one, two, three in permutations(([first], both, [second])):
        assert people(record(1, *one, **ANN), record(2, *two, **ANN), record(3, *three, **ANN)) == apart(1, 2, 3)


NAMES = st.sampled_from([ANN, BEN, {**ANN, "first": "Anna"}, {"last": "Alder"}, {}])
IDENTIFIERS = st.lists(
    st.builds(
        Identifier,
        st.sampled_from(["A", "B", "MAINECARE", ANY_AUTHORITY]),
        st.sampled_from(["MR", "MA", ""]),
        st.sampled_from(["1", "2", "3"]),
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def neighbourhoods(draw: st.DrawFn) -> list[PatientRecord]:
    size = draw(st.integers(1, 7))
    merged = st.one_of(st.none(), st.none(), st.integers(1, size))
    return [record(number, *draw(IDENTIFIERS), retired_into=draw(merged), **draw(NAMES)) for number in range(1, size + 1)]


@settings(max_examples=300, deadline=None)
@given(neighbourhoods(), st.data())
def test_any_order_of_the_records_gives_the_same_people(records: list[PatientRecord], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(records))
    assert people(*records) == people(*shuffled)


@settings(max_examples=300, deadline=None)
@given(neighbourhoods(), st.data())
def test_ids_name_the_same_people_whatever_ids_the_records_were_given(records: list[PatientRecord], data: st.DataObject) -> None:
    """Ids come from arrival: which records are one person must not hang on them."""
    numbers = [one.id.int for one in records]
    renamed = dict(zip(numbers, data.draw(st.permutations(numbers)), strict=True))
    others = [
        replace(
            one,
            id=UUID(int=renamed[one.id.int]),
            retired_into=UUID(int=renamed[one.retired_into.int]) if one.retired_into else None,
        )
        for one in records
    ]
    assert {frozenset(renamed[number] for number in group) for group in people(*records)} == people(*others)


@given(neighbourhoods())
def test_every_record_is_in_exactly_one_group(records: list[PatientRecord]) -> None:
    groups = partition(records)
    assert sorted(one for group in groups for one in group.records) == sorted(one.id for one in records)


@given(neighbourhoods())
def test_merges_of_a_hospital_are_always_followed(records: list[PatientRecord]) -> None:
    person = {one: group for group in partition(records) for one in group.records}
    held = {question.pair for question in divide(records).questions if question.kind is TieKind.MERGE}
    merges = [(one.id, one.retired_into) for one in records if one.retired_into in person and one.retired_into]
    assert all(person[loser] == person[winner] for loser, winner in merges if pair_of(loser, winner) not in held)


@given(neighbourhoods())
def test_a_merge_is_held_only_where_it_closes_a_circle_and_doubted_only_where_two_are_plainly_two(records: list[PatientRecord]) -> None:
    by_id = {one.id: one for one in records}

    def after(record: UUID) -> set[UUID]:
        """Every record that this one was merged into, by way of others too."""
        found: set[UUID] = set()
        at = by_id[record].retired_into
        while at in by_id and at not in found:
            found.add(at)
            at = by_id[at].retired_into
        return found

    for question in divide(records).questions:
        left, right = question.pair
        if question.kind is TieKind.MERGE:
            assert right in after(left)
            assert left in after(right)
        if question.kind is TieKind.DISAGREEMENT:
            one, other = (known(by_id[record].said) for record in question.pair)
            assert one["birth_date"] != other["birth_date"]
            assert one["first_name"] != other["first_name"]


@pytest.mark.parametrize(
    "number",
    [
        Identifier("SSA", "SS", "999-99-9999"),
        Identifier("SSA", "SS", "999999999"),
        Identifier("SSA", "SS", "123-45-6789"),
        Identifier("SSA", "SS", "078051120"),
        Identifier("", "MA", "000000000"),
        Identifier("A", "PI", "UNKNOWN"),
        Identifier("A", "PI", "0"),
    ],
)
def test_a_number_that_stands_in_for_one_joins_nobody_and_tells_nobody_apart(number: Identifier) -> None:
    zeb = {"first": "Ann", "last": "Quill", "born": "1950-12-31", "sex": "F"}
    assert people(record(1, mrn("H", "1"), number, **ANN), record(2, mrn("I", "1"), number, **zeb)) == apart(1, 2)
    real = Identifier(number.authority, number.type, "219459876")
    assert people(record(1, mrn("H", "1"), number, **ANN), record(2, mrn("I", "1"), real, **ANN)) == together(1, 2)
    assert people(record(1, mrn("H", "1"), real, **ANN), record(2, mrn("I", "1"), real, **zeb)) == together(1, 2)


def test_namesakes_whose_social_security_numbers_end_otherwise_are_not_one_by_their_name() -> None:
    of_a, of_b, silent = (record(n, mrn(h, "1"), ssn4=end, **ANN) for n, h, end in ((1, "A", "6781"), (2, "B", "4410"), (3, "C", None)))
    assert people(of_a, of_b) == apart(1, 2)
    assert people(of_a, silent) == together(1, 3)
    assert people(of_a, of_b, silent) == apart(1, 2, 3), "there is no telling whose the third is"
    stand_in = replace(of_b, said={"k": {**known(of_b.said), "ssn4": "9999"}})
    assert people(of_a, stand_in) == together(1, 2)

"""Numbers that are retired into others or given to other patients (C.6, ADT-5): the latest word counts, and a circle ends somewhere."""

from itertools import permutations
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.stay_name import Names, StayKey, StayName

HOUSE = UUID(int=1)


def key(number: str) -> StayKey:
    return HOUSE, "HOSPA", number


def names(*said: tuple[str, str, str]) -> Names:
    """(number, sort key, into)."""
    known: dict[StayKey, StayName] = {}
    for number, sort_key, into in said:
        known[key(number)] = known.get(key(number), StayName(key(number))).retired(sort_key, key(into))
    return Names(known)


def test_a_number_nothing_was_said_of_stands_for_itself() -> None:
    assert names().root(key("V1")) == key("V1")
    assert names().members(key("V1")) == {key("V1")}
    assert not names().is_said_of(key("V1"))
    assert names().owner([key("V1")]) is None


def test_a_chain_ends_in_its_last_number_in_any_order() -> None:
    for said in permutations([("A", "1", "B"), ("B", "2", "C"), ("X", "3", "C")]):
        found = names(*said)
        assert {found.root(key(number)) for number in "ABCX"} == {key("C")}
        assert found.members(key("A")) == {key(number) for number in "ABCX"}


def test_a_later_word_replaces_an_earlier_one_in_any_order() -> None:
    for said in permutations([("A", "1", "B"), ("A", "2", "C")]):
        assert names(*said).root(key("A")) == key("C")
        assert names(*said).members(key("B")) == {key("B")}


def test_in_a_circle_the_oldest_word_does_not_count() -> None:
    for said in permutations([("A", "2", "B"), ("B", "1", "A")]):
        assert names(*said).root(key("A")) == key("B")
        assert names(*said).root(key("B")) == key("B")
    for said in permutations([("A", "1", "B"), ("B", "2", "C"), ("C", "3", "A"), ("D", "4", "A")]):
        assert {names(*said).root(key(number)) for number in "ABCD"} == {key("A")}


def test_a_number_retired_into_itself_stands() -> None:
    assert names(("A", "1", "A")).root(key("A")) == key("A")


@pytest.mark.parametrize(
    ("said", "ends_as"),
    [
        ("V is now W", {"W": "VW"}),
        ("V is now W, V is now X", {"X": "VX", "W": "W"}),
        ("V is now W, W is now V", {"V": "VW"}),
        # A change of number takes no merge back, of whichever of the two it is, nor does the change back.
        ("V into W, V is now X", {"W": "VWX"}),
        ("V into W, V is now X, X is now V", {"W": "VWX"}),
        ("V into W, W is now X", {"X": "VWX"}),
        ("V into W, W is now X, X is now W", {"W": "VWX"}),
        # Whatever is said of either number is said of the stay, and the latest counts.
        ("V into W, V is now X, X into Y", {"Y": "VXY", "W": "W"}),
        ("V into W, V is now X, W into X", {"X": "VWX"}),
        # Who retires the new number into the old one says which number stands.
        ("V is now W, W into V", {"V": "VW"}),
        ("U into V, V is now W, W into V, V into X", {"X": "UVWX"}),
    ],
)
def test_another_number_is_the_same_stay(said: str, ends_as: dict[str, str]) -> None:
    statements = [(sort_key, *words.split()) for sort_key, words in enumerate(said.split(", "))]
    for order in permutations(statements):
        known: dict[StayKey, StayName] = {}
        for sort_key, number, *verb, other in order:
            name = known.get(key(str(number)), StayName(key(str(number))))
            tell = name.renamed if verb == ["is", "now"] else name.retired
            known[name.key] = tell(str(sort_key), key(str(other)))
        found = Names(known)
        stays = {found.root(number): found.members(number) for one in ends_as.values() for number in map(key, one)}
        assert stays == {key(root): {key(number) for number in numbers} for root, numbers in ends_as.items()}


@given(st.dictionaries(st.sampled_from("ABCDE"), st.sampled_from("ABCDE")), st.sampled_from("ABCDE"), st.randoms())
def test_another_number_for_a_while_changes_no_stay(merges: dict[str, str], changing: str, chance: Random) -> None:
    """Whenever that was, before the merges or after or between."""
    instants = chance.sample("abcdefg", len(merges) + 2)
    there, back = sorted(instants[:2])
    merged = [(number, instant, into) for (number, into), instant in zip(merges.items(), instants[2:], strict=True)]
    before = names(*merged)
    known = {key(number): StayName(key(number)).retired(instant, key(into)) for number, instant, into in merged}
    known[key(changing)] = known.get(key(changing), StayName(key(changing))).renamed(there, key("X"))
    known[key("X")] = StayName(key("X")).renamed(back, key(changing))
    after = Names(known)
    assert after.root(key("X")) == after.root(key(changing))
    for number in map(key, "ABCDE"):
        assert (after.root(number), after.members(number) - {key("X")}) == (before.root(number), before.members(number))


def test_whoever_was_given_any_of_the_numbers_last_has_the_stay() -> None:
    one, other = UUID(int=7), UUID(int=8)
    known = {
        key("V"): StayName(key("V")).given("1", one).retired("3", key("W")),
        key("W"): StayName(key("W")).given("2", other),
    }
    assert Names(known).owner([key("V")]) == ("2", other)
    assert Names(known).owner([key("X")]) is None

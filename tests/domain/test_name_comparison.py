"""What is quick about comparing names gives the same as the plain definitions, which stand here."""

import re

from hypothesis import given
from hypothesis import strategies as st

from app.domain.comparison import Unshared, agreements, compare
from app.domain.comparison_weights import Field, Outcome
from app.domain.features import SUFFIXES, features
from app.domain.name_comparison import edits
from app.domain.person import normalised
from app.standards.matching_rules import vocabulary, weights

letters = st.text(alphabet="ABC", max_size=9)
written = st.text(alphabet=st.sampled_from("abcdeIJR '`.-,/\t0123éØßñ²x"), max_size=14)


def table_of_edits(left: str, right: str) -> int:
    """Optimal string alignment by its recurrence (Damerau, CACM 7 (1964) 171-176), cell by cell."""
    rows = [[max(row, column) if not row or not column else 0 for column in range(len(right) + 1)] for row in range(len(left) + 1)]
    for row in range(1, len(left) + 1):
        for column in range(1, len(right) + 1):
            is_other = left[row - 1] != right[column - 1]
            best = min(rows[row - 1][column] + 1, rows[row][column - 1] + 1, rows[row - 1][column - 1] + is_other)
            if row > 1 and column > 1 and left[row - 1] == right[column - 2] and left[row - 2] == right[column - 1]:
                best = min(best, rows[row - 2][column - 2] + 1)
            rows[row][column] = best
    return rows[-1][-1]


@given(letters, letters)
def test_edits_are_those_of_the_table(left: str, right: str) -> None:
    apart = table_of_edits(left, right)
    assert edits(left, right, 2) == min(apart, 3)
    assert edits(left, right, 1) == min(apart, 2)


@given(st.text(alphabet="ABCD", min_size=1, max_size=8), st.data())
def test_so_are_those_of_texts_that_are_nearly_the_same(text: str, data: st.DataObject) -> None:
    other = text
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(other)))
        kind = data.draw(st.sampled_from(("add", "take", "change", "exchange")))
        letter = data.draw(st.sampled_from("ABCD"))
        if kind == "add":
            other = other[:at] + letter + other[at:]
        elif kind == "take":
            other = other[:at] + other[at + 1 :]
        elif kind == "change":
            other = other[:at] + letter + other[at + 1 :]
        else:
            other = other[:at] + other[at : at + 2][::-1] + other[at + 2 :]
    assert edits(text, other) == edits(other, text) == min(table_of_edits(text, other), 3)


def plain_words(text: str) -> list[str]:
    """Letter by letter: what is no letter parts words, but for an apostrophe or a dot in a plain text."""
    plain = text.upper() if text.isascii() else "".join(normalised(letter) or " " for letter in text)
    words = [word for word in re.split("[^0-9A-Z]+", re.sub("['`.]", "", plain)) if word]
    return words[:-1] if len(words) > 1 and words[-1] in SUFFIXES else words


@given(written, written)
def test_names_are_split_as_ever(last: str, middle: str) -> None:
    found = features({"last_name": f"Q{last}", "middle_name": f"Q{middle}"}, (), vocabulary())
    assert found.last == "".join(plain_words(f"Q{last}"))
    assert found.middle == "".join(plain_words(f"Q{middle}"))


@given(st.sampled_from(("SMITH", "RIVERA", "TARNBROOK", "O'BRIEN")), st.sampled_from(("JAMES", "MARIA", "ZELEVIN")))
def test_a_name_in_common_weighs_by_how_common_it_is(last: str, first: str) -> None:
    said = features({"first_name": first, "last_name": last}, (), vocabulary())
    found = compare(said, said, weights(), Unshared())
    alone = {ground.field: ground for ground in agreements(said, said, weights())}
    weighed = {ground.field: ground for ground in found.grounds}
    assert weighed[Field.LAST_NAME].weight == weights().of_last_name(said.last)
    assert weighed[Field.FIRST_NAME].weight == weights().of_first_name(said.first)
    assert {of: (one.outcome, one.text) for of, one in weighed.items() if of in alone} == {
        of: (one.outcome, one.text) for of, one in alone.items()
    }
    assert weighed[Field.LAST_NAME].outcome is Outcome.EXACT

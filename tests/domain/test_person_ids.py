"""Which id a person bears: of whoever are together the same, whatever came between."""

from collections.abc import Iterator, Sequence
from itertools import count
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.domain.matching import Group
from app.domain.person_ids import bear

Parts = Sequence[Sequence[int]]


class Ledger:
    """Divides records again and again and keeps what is stored of them."""

    def __init__(self) -> None:
        self.people: dict[UUID, UUID] = {}
        self.founded: dict[UUID, UUID] = {}
        self._fresh: Iterator[UUID] = (UUID(int=number) for number in count(1000))

    def divide(self, *parts: Sequence[int]) -> dict[int, int]:
        groups = [Group(tuple(UUID(int=one) for one in part), ()) for part in parts]
        borne = bear(groups, self.people, self.founded, self._fresh)
        assert not self.founded.keys() & borne.founded.keys()
        self.people = borne.people
        self.founded |= borne.founded
        return {record.int: person.int for record, person in borne.people.items()}


def test_a_person_keeps_its_id_when_others_join_it_and_the_older_of_two_stays() -> None:
    ledger = Ledger()
    assert ledger.divide([1], [2]) == {1: 1000, 2: 1001}
    assert ledger.divide([1], [2, 3]) == {1: 1000, 2: 1001, 3: 1001}
    assert ledger.divide([1, 2, 3]) == {1: 1000, 2: 1000, 3: 1000}


def test_who_parts_is_again_who_they_were_and_who_never_was_somebody_alone_is_somebody_new() -> None:
    ledger = Ledger()
    ledger.divide([1], [2])
    ledger.divide([1, 2, 3])
    assert ledger.divide([1], [2], [3]) == {1: 1000, 2: 1001, 3: 1002}
    assert ledger.divide([2, 3], [1]) == {1: 1000, 2: 1001, 3: 1001}


def test_a_record_that_joins_a_known_person_takes_nothing_over_although_it_is_older() -> None:
    """Its worker waited for the lock of the other's."""
    ledger = Ledger()
    ledger.divide([7])
    assert ledger.divide([5, 7]) == {5: 1000, 7: 1000}


def test_people_stored_before_anybody_was_known_to_have_founded_them_keep_their_ids() -> None:
    ledger = Ledger()
    ledger.people = dict.fromkeys((UUID(int=1), UUID(int=2)), UUID(int=500))
    assert ledger.divide([1], [2]) == {1: 500, 2: 1000}
    assert ledger.divide([1, 2]) == {1: 500, 2: 500}


@st.composite
def divisions(draw: st.DrawFn) -> Parts:
    parts: dict[int, list[int]] = {}
    for record in range(1, 6):
        parts.setdefault(draw(st.integers(0, 3)), []).append(record)
    return list(parts.values())


@given(st.lists(divisions(), min_size=1, max_size=6), st.lists(divisions(), max_size=8))
def test_the_same_division_bears_the_same_ids_whatever_came_between(before: list[Parts], between: list[Parts]) -> None:
    ledger = Ledger()
    for parts in before:
        then = ledger.divide(*parts)
    for parts in between:
        ledger.divide(*parts)
    now = ledger.divide(*before[-1])
    assert now == then
    assert len(set(now.values())) == len(before[-1]), "no two groups share a person"

"""What somebody types who looks for a message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pytest

from app.domain.message_search import MessageQuery, NameAndBirthDate, read_query
from app.domain.person import demographic_key

ANN = NameAndBirthDate("Alder", "Ann", date(1980, 1, 2))


@pytest.mark.parametrize(
    "typed",
    [
        "Alder, Ann 1980-01-02",
        " Alder,Ann  1980-01-02 ",
        "Ann Alder 1980-01-02",
        "Alder^Ann 19800102",
        "Ann Alder 01/02/1980",
        "Ann Alder, 1/2/1980",
    ],
)
def test_a_name_with_a_birth_date_is_somebody(typed: str) -> None:
    assert read_query(typed).somebody == ANN


def test_names_of_several_words() -> None:
    assert read_query("van der Sample, Anna Maria 1980-01-02").somebody == NameAndBirthDate("van der Sample", "Anna Maria", ANN.birth_date)
    assert read_query("Anna Maria Sample 1980-01-02").somebody == NameAndBirthDate("Sample", "Anna Maria", ANN.birth_date)


@pytest.mark.parametrize(
    "typed", ["M1", "MSG00001", "19800102", "12345 19800102", "Ann Alder", "Alder 1980-01-02", "Ann Alder 1980-13-45", "A-1 B 99/99/1980"]
)
def test_the_rest_is_a_number(typed: str) -> None:
    assert read_query(f" {typed} ") == MessageQuery(typed)


def test_nobody_types_a_sex() -> None:
    """Exact demographics are stored under a key that has the sex in it."""
    stored = {
        demographic_key({"first_name": "ANN", "last_name": "alder", "birth_date": "1980-01-02", "sex": sex}) for sex in ("F", "M", "O")
    }
    assert stored <= set(ANN.demographic_keys())
    assert NameAndBirthDate("Unknown", "Baby", date(1980, 1, 2)).demographic_keys() == ()


@dataclass(frozen=True)
class Fields:
    said: Mapping[tuple[str, int, int], Sequence[str]]
    trigger: str = "A01"

    def values(self, segment: str, field: int, component: int = 1) -> Sequence[str]:
        return self.said.get((segment, field, component), [])


@pytest.mark.parametrize(
    ("place", "typed", "found"),
    [
        (("PID", 3, 1), "M1", True),
        (("PV1", 19, 1), "M1", True),
        (("MSH", 10, 1), "M1", True),
        (("PID", 18, 1), "M1", True),
        (("MRG", 1, 1), "M1", True),
        (("PID", 3, 1), "M", False),
        (("PID", 3, 4), "M1", False),
        (("OBX", 5, 1), "M1", False),
    ],
)
def test_a_number_is_looked_for_where_it_belongs(place: tuple[str, int, int], typed: str, found: bool) -> None:
    assert read_query(typed).found_in(Fields({place: ["other", "M1"]})) is found


@pytest.mark.parametrize(
    ("last", "first", "born", "found"),
    [
        ("ALDER", "ann", "19800102", True),
        ("Alder", "Ann", "198001021530-0500", True),
        ("Alder", "Ann", "19800103", False),
        ("Alder", "Anna", "19800102", False),
        ("Elder", "Ann", "19800102", False),
    ],
)
def test_somebody_is_looked_for_by_name_and_birth_date(last: str, first: str, born: str, found: bool) -> None:
    fields = Fields({("PID", 5, 1): [last], ("PID", 5, 2): [first], ("PID", 7, 1): [born]})
    assert read_query("Alder, Ann 1980-01-02").found_in(fields) is found
    assert read_query("Alder, Ann 1980-01-02").found_in(Fields({})) is False

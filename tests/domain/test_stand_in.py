"""Names that are none are no ground for exact demographics either: two mothers' sons of one day are two people."""

import pytest

from app.domain.person import demographic_key

BORN = {"birth_date": "2026-02-01", "sex": "M"}


@pytest.mark.parametrize(
    "first",
    [
        "Baby Boy", "BABYBOY", "Baby Boy A", "BABYBOY1", "Baby", "BB", "B/B", "BG", "NB Boy", "Boy", "Girl", "Male", "Newborn Male",
        "INFANT", "Infant Girl", "Twin A", "Triplet 2", "Neonate", "BB Jane", "Unknown", "Unk.", "XXX", "Test", "Refused",
    ],
)  # fmt: skip
def test_two_with_such_a_first_name_are_not_one_by_it(first: str) -> None:
    assert demographic_key({**BORN, "first_name": first, "last_name": "Quillmere"}) is None


@pytest.mark.parametrize("name", [("John", "Doe"), ("JANE", "DOE"), ("Male", "Unidentified"), ("Zebulon", "Unknown"), ("NOT", "GIVEN")])
def test_nobody_in_particular_is_nobody(name: tuple[str, str]) -> None:
    assert demographic_key({**BORN, "first_name": name[0], "last_name": name[1]}) is None


@pytest.mark.parametrize("first", ["Boyd", "Malek", "Twinkle", "Nbeki", "Babylonia", "Girlie", "Infanta", "Bgita", "Bbrown", "Malena"])
def test_a_name_that_only_begins_so_is_a_name(first: str) -> None:
    assert demographic_key({**BORN, "first_name": first, "last_name": "Quillmere"}) is not None

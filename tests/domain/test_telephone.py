"""Numbers as people write them, and the one form in which they can be compared and dialled."""

import pytest

from app.domain.telephone import Owner, Telephone, TelephoneKind, TelephoneUse, dialled, has_number, telephone_json, telephone_of


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("2075550101", "+12075550101"),
        ("(207) 555-0101", "+12075550101"),
        ("1-207-555-0101", "+12075550101"),
        ("+1 207 555 0101", "+12075550101"),
        ("207.555.0101 x12", "+12075550101"),
        ("(207)555-0101EXT 12", "+12075550101"),
        ("+44 1234 567890", "+441234567890"),
        ("555-0101", None),
        ("9999999999", None),
        ("0000000000", None),
        ("1234567890", None),
        ("none", None),
        ("", None),
        ("+4", None),
        ("²⁰⁷⁵⁵⁵⁰¹⁰¹", None),
    ],
)
def test_a_number_has_one_form(written: str, form: str | None) -> None:
    assert dialled(written) == form


@pytest.mark.parametrize(
    ("written", "is_one"), [("555-0101", True), ("(207) 555-0101 ext. 4", True), ("call mother", False), ("12", False), ("1" * 16, False)]
)
def test_what_could_be_a_number(written: str, *, is_one: bool) -> None:
    assert has_number(written) is is_one


def test_an_address_is_compared_without_case_and_extensions_tell_numbers_apart() -> None:
    assert Telephone("A@B.example.org", kind=TelephoneKind.EMAIL).normalised == "a@b.example.org"
    assert Telephone("2075550101").same_as == Telephone("(207) 555-0101").same_as
    assert Telephone("2075550101").same_as != Telephone("2075550101", extension="2").same_as


@pytest.mark.parametrize(
    "telephone",
    [
        Telephone("1"),
        Telephone("1", "2", TelephoneKind.FAX, TelephoneUse.WORK, "ORN", "mornings", Owner.PERSON, "Zztest Beta"),
        Telephone("1", owner=Owner.UNKNOWN),
    ],
)
def test_what_is_stored_is_read_again(telephone: Telephone) -> None:
    assert telephone_of(telephone_json(telephone)) == telephone

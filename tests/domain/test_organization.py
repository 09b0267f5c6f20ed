"""NPIs: the check digit of 45 CFR 162.406, against the published example and a slow reading of Luhn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.organization import is_valid_npi


def _slow_luhn(digits: str) -> bool:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (position % 2 + 1)
        total += sum(int(part) for part in str(doubled))
    return total % 10 == 0


@given(st.text("0123456789", min_size=10, max_size=10))
def test_it_is_luhn_over_the_card_issuer_prefix(text: str) -> None:
    assert is_valid_npi(text) is _slow_luhn("80840" + text)


@given(st.text("0123456789", min_size=9, max_size=9))
def test_exactly_one_check_digit_fits(beginning: str) -> None:
    assert sum(is_valid_npi(beginning + digit) for digit in "0123456789") == 1


@pytest.mark.parametrize(
    ("text", "valid"), [("1234567893", True), ("1234567890", False), ("123456789", False), ("١٢٣٤٥٦٧٨٩٣", False), ("", False)]
)
def test_known_ones(text: str, valid: bool) -> None:
    assert is_valid_npi(text) is valid

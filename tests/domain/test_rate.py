"""Rates: what a line of each kind comes to, and the numbers of a rate."""

import pytest

from app.domain.measure import MeasureState
from app.domain.rate import Kind, Rate, rate_of_one

KINDS = {
    ("met", "met"): Rate(denominator=1, numerator_7=1, numerator_30=1, lines=1),
    ("not_met", "met"): Rate(denominator=1, numerator_30=1, lines=1),
    ("not_met", "pending"): Rate(denominator=1, pending_30=1, lines=1),
    ("pending", "pending"): Rate(denominator=1, pending_7=1, pending_30=1, lines=1),
    ("not_met", "not_met"): Rate(denominator=1, lines=1),
    ("excluded", "excluded"): Rate(excluded={"why": 1}, lines=1),
    ("superseded", "superseded"): Rate(superseded=1, lines=1),
    ("suspended", "suspended"): Rate(undecided={"suspended": 1}, lines=1),
    ("indeterminate", "indeterminate"): Rate(undecided={"indeterminate": 1}, lines=1),
}


@pytest.mark.parametrize("statuses", KINDS, ids=" ".join)
def test_a_line_comes_to(statuses: tuple[str, str]) -> None:
    assert rate_of_one(Kind(*statuses, "why")) == KINDS[statuses]


def test_every_status_is_counted_somewhere() -> None:
    """But those without a line that stands."""
    assert {status_30 for _, status_30 in KINDS} == set(MeasureState) - {MeasureState.VOID, MeasureState.NOT_ELIGIBLE}


def test_a_line_without_a_final_diagnosis_says_so() -> None:
    assert rate_of_one(Kind("met", "met", "why", provisional=True)).provisional == 1


def test_a_rate_is_a_percentage_to_one_decimal() -> None:
    rate = Rate(denominator=8, numerator_7=3, numerator_30=5, excluded={"hospice": 4, "died_in_stay": 1}, undecided={"suspended": 3})
    assert (rate.rate_7, rate.rate_30, rate.initial_population) == (37.5, 62.5, 16)


@pytest.mark.parametrize(
    ("part", "whole", "percent"), [(1, 16, 6.3), (5, 16, 31.3), (3, 2000, 0.2), (1, 3, 33.3), (2, 3, 66.7), (9, 9, 100.0)]
)
def test_a_half_is_rounded_up(part: int, whole: int, percent: float) -> None:
    """As CMS's reporting application does, into which these numbers go."""
    rate = Rate(denominator=whole, numerator_7=part, numerator_30=part)
    assert (rate.rate_7, rate.rate_30) == (percent, percent)


def test_no_events_make_no_rate() -> None:
    assert (Rate().rate_7, Rate().rate_30, Rate().initial_population) == (None, None, 0)

"""Rates: what holds of every table of counts (CMS Core Set reporting: the relations that its own app checks)."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.measure import MeasureState
from app.domain.rate import Counted, rates_of

M = MeasureState
_POSSIBLE = [
    (M.MET, M.MET), (M.NOT_MET, M.MET), (M.NOT_MET, M.NOT_MET), (M.PENDING, M.PENDING), (M.NOT_MET, M.PENDING),
    *[(one, one) for one in (M.EXCLUDED, M.SUPERSEDED, M.SUSPENDED, M.INDETERMINATE)],
]  # fmt: skip
"""What can stand in the two windows at once."""
_COUNTED = st.builds(
    lambda group, status, reason, lines: Counted((group,), status[0].value, status[1].value, reason, lines),
    st.sampled_from(["2026-01", "2026-02", None]),
    st.sampled_from(_POSSIBLE),
    st.sampled_from(["a", "b"]),
    st.integers(1, 50),
)


def test_a_table_is_added_up_by_status() -> None:
    total, groups = rates_of(
        [
            Counted(("x",), "met", "met", "service_in_7_days", 3),
            Counted(("x",), "not_met", "met", "service_in_30_days", 2),
            Counted(("y",), "not_met", "pending", "no_service_in_7_days", 1),
            Counted(("y",), "not_met", "not_met", "no_service_in_30_days", 2),
            Counted(("y",), "excluded", "excluded", "hospice", 4),
            Counted(("y",), "excluded", "excluded", "died_in_stay", 1),
            Counted(("y",), "superseded", "superseded", "readmitted", 5),
            Counted(("y",), "suspended", "suspended", "readmitted", 1),
            Counted(("y",), "indeterminate", "indeterminate", "no_final_diagnosis", 2),
        ]
    )
    assert (total.denominator, total.numerator_7, total.numerator_30, total.pending_7, total.pending_30) == (8, 3, 5, 0, 1)
    assert (total.rate_7, total.rate_30) == (37.5, 62.5)
    assert (total.excluded, total.undecided, total.superseded) == (
        {"hospice": 4, "died_in_stay": 1},
        {"suspended": 1, "indeterminate": 2},
        5,
    )
    assert total.initial_population == 16
    assert [(key, one.rate_7) for key, one in groups.items()] == [(("x",), 60.0), (("y",), 0.0)]


def test_no_events_make_no_rate() -> None:
    total, groups = rates_of([])
    assert (total.rate_7, total.rate_30, total.initial_population, groups) == (None, None, 0, {})


@given(st.lists(_COUNTED, max_size=30))
def test_what_holds_of_every_rate(counted: list[Counted]) -> None:
    total, groups = rates_of(counted)
    for rate in (total, *groups.values()):
        assert 0 <= rate.numerator_7 <= rate.numerator_30 <= rate.denominator
        assert rate.pending_7 <= rate.pending_30 <= rate.denominator - rate.numerator_30
        assert (rate.rate_30 is None) == (rate.denominator == 0)
    for name in ("denominator", "numerator_7", "numerator_30", "initial_population", "superseded"):
        assert sum(getattr(rate, name) for rate in groups.values()) == getattr(total, name)
    assert total.initial_population + total.superseded == sum(one.lines for one in counted)
    assert list(groups) == sorted(groups, key=lambda key: (key[0] is None, str(key[0]))), "what is unknown comes last"


@given(st.lists(_COUNTED, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_the_counts_does_not_matter(counted: list[Counted], chance: object) -> None:
    shuffled = sorted(counted, key=lambda _: chance.random())  # type: ignore[attr-defined]
    assert rates_of(shuffled) == rates_of(counted)

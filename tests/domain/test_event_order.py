"""The one order of events: when they happened, a cancel after what it cancels, and never when they arrived."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.domain.event_order import recorded_instant, sort_key
from app.domain.trigger import Trigger
from tests.domain.event_builders import at, event

HOURS = st.floats(min_value=-24 * 365 * 100, max_value=24 * 365 * 100, allow_nan=False)


def keys(*events: object) -> list[str]:
    return [sort_key(one) for one in events]  # type: ignore[arg-type]


@given(HOURS, HOURS)
def test_what_happened_first_comes_first(one: float, two: float) -> None:
    left, right = event("A08", one), event("A08", two)
    if left.occurred_at != right.occurred_at:
        assert (sort_key(left) < sort_key(right)) == (left.occurred_at < right.occurred_at)


@given(HOURS, HOURS, HOURS)
def test_the_recording_time_can_be_read_back(occurred: float, recorded: float, sent: float) -> None:
    one = event("A03", occurred, recorded=recorded, sent=sent)
    assert recorded_instant(sort_key(one)) == one.recorded_at


def test_ties_are_broken_by_cancel_then_recording_then_sending_then_place_in_life_then_content() -> None:
    in_order = [
        event("A05", 1),
        event("A04", 1),
        event("A01", 1),
        event("A06", 1),
        event("A02", 1),
        event("A08", 1),
        event("A03", 1),
        event("A08", 1, recorded=1, sent=2),
        event("A01", 1, recorded=2),
        event("A11", 1, recorded=0.5),
        event("A12", 1, recorded=0.6),
        event("A13", 1, recorded=0.7),
        event("A05", 1.001),
    ]
    assert all(before < after for before, after in pairwise(keys(*in_order)))


def test_two_messages_that_differ_in_nothing_but_their_bytes_have_an_order() -> None:
    one, two = event("A08", 1, copy=1), event("A08", 1, copy=2)
    assert sort_key(one) != sort_key(two)
    assert sort_key(one) == sort_key(replace(one, control_id="another"))


def test_keys_have_one_length_so_that_texts_compare_like_instants() -> None:
    times = [-24 * 365 * 300, -1, 0, 0.0000001, 24 * 365 * 200]
    assert {len(sort_key(event(trigger, hours))) for trigger in ("A01", "A11", Trigger.REPORTED) for hours in times} == {65}
    assert at(0).year == 2026

"""Going live without an alert storm: what is told of a stay of which a part was heard while the feed told nobody."""

import random
from typing import Any

import pytest

from app.domain.adt_event import AdtEvent
from app.domain.encounter import EncounterState, apply, joined
from app.domain.event_order import sort_key
from app.domain.feed import FeedMode
from app.domain.going_live import all_past, joined_parts, mode_now, parts_after, past_of
from app.domain.happening import Kind
from tests.domain.event_builders import at, event


def stay_of(*heard: tuple[str, AdtEvent]) -> dict[str, Any]:
    """Fold as room 5 does, with the strongest mode of the messages so far."""
    order = ("live", "shadow", "backfill")
    stored, was = EncounterState().to_json(), None
    for mode, one in heard:
        parts = parts_after(stored, was, one, sort_key(one), mode)
        stored = {**apply(EncounterState.from_json(stored), one).to_json(), **parts}
        was = mode if was is None else min(was, mode, key=order.index)
    return stored


ADMIT, DISCHARGE = event("A01", 0), event("A03", 96)


@pytest.mark.parametrize("mode", ["live", "shadow", "backfill"])
def test_a_stay_of_one_kind_keeps_one_fold_and_has_no_past(mode: str) -> None:
    stored = stay_of((mode, ADMIT), (mode, DISCHARGE))
    assert stored.keys() == EncounterState().to_json().keys()
    assert past_of(stored) == frozenset()


def test_what_was_heard_quietly_is_past_and_what_is_heard_live_is_news() -> None:
    assert {kind for kind, _ in past_of(stay_of(("shadow", ADMIT), ("live", DISCHARGE)))} == {Kind.ADMITTED}
    assert {kind for kind, _ in past_of(stay_of(("backfill", ADMIT), ("backfill", DISCHARGE), ("live", event("A08", 120))))} == {
        Kind.ADMITTED,
        Kind.DISCHARGED,
    }


def test_an_event_that_a_live_message_says_itself_stays_told_when_history_is_loaded_over_it() -> None:
    again = event("A03", 96, copy=1)
    assert past_of(stay_of(("live", ADMIT), ("live", DISCHARGE), ("backfill", again))) == frozenset()


def test_a_corrected_discharge_is_news_also_when_the_first_was_heard_quietly() -> None:
    stored = stay_of(("shadow", ADMIT), ("shadow", DISCHARGE), ("live", event("A13", 97)), ("live", event("A03", 120)))
    assert (Kind.DISCHARGED, at(120).isoformat()) not in past_of(stored)


def test_the_order_in_which_messages_are_worked_on_changes_nothing() -> None:
    heard = [
        ("shadow", ADMIT),
        ("shadow", event("A02", 5)),
        ("shadow", event("A08", 6)),
        ("live", event("A13", 100)),
        ("live", DISCHARGE),
        ("live", event("A03", 110)),
    ]
    chance = random.Random(5)
    expected = past_of(stay_of(*heard))
    assert {kind for kind, _ in expected} == {Kind.ADMITTED}
    for _ in range(60):
        chance.shuffle(heard)
        assert past_of(stay_of(*heard)) == expected


def test_who_is_in_the_house_when_the_feed_goes_live_has_all_that_was_heard_as_the_past() -> None:
    quiet = stay_of(("shadow", ADMIT))
    taken_over = all_past(quiet)
    assert {kind for kind, _ in past_of(taken_over)} == {Kind.ADMITTED}
    parts = parts_after(taken_over, "live", DISCHARGE, sort_key(DISCHARGE), "live")
    assert {kind for kind, _ in past_of({**taken_over, **parts})} == {Kind.ADMITTED}


def joined_stay(*numbers: tuple[dict[str, Any], str]) -> dict[str, Any]:
    """Join the stays of several numbers as room 5 does."""
    whole = EncounterState()
    for stored, _ in numbers:
        whole = joined(whole, EncounterState.from_json(stored))
    return {**whole.to_json(), **joined_parts(numbers)}


def test_a_stay_of_two_numbers_has_the_past_that_it_would_have_under_one() -> None:
    heard = [
        ("shadow", ADMIT),
        ("shadow", event("A02", 5)),
        ("shadow", DISCHARGE),
        ("live", event("A13", 100)),
        ("live", event("A03", 110)),
    ]
    expected = past_of(stay_of(*heard))
    chance = random.Random(5)
    for _ in range(60):
        first = chance.sample(heard, chance.randint(0, len(heard)))
        under = first, [one for one in heard if one not in first]
        numbers = [(stay_of(*part), "live" if any(mode == "live" for mode, _ in part) else "shadow") for part in under]
        assert past_of(joined_stay(*numbers)) == expected
        assert joined_stay(*numbers) == joined_stay(*reversed(numbers))


def test_a_stay_of_several_numbers_that_are_of_one_kind_keeps_one_fold() -> None:
    quiet, live = stay_of(("shadow", ADMIT)), stay_of(("live", ADMIT))
    assert joined_parts([(quiet, "shadow"), (stay_of(("backfill", DISCHARGE)), "backfill")]) == {}
    assert joined_parts([(live, "live"), (stay_of(("live", DISCHARGE)), "live")]) == {}
    # Nobody has spoken under a number that was only named.
    assert joined_parts([(quiet, "shadow"), (EncounterState().to_json(), "live")]) == {}


def test_what_was_heard_in_shadow_is_history_once_the_feed_is_live() -> None:
    assert mode_now("shadow", FeedMode.LIVE) == "backfill"
    assert [mode_now(mode, FeedMode.LIVE) for mode in ("live", "backfill", "test", "reported")] == ["live", "backfill", "test", "reported"]
    assert mode_now("shadow", FeedMode.SHADOW) == "shadow"
    assert mode_now("shadow", None) == "shadow"

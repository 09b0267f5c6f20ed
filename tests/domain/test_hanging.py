"""Stays that nobody ended: presumed, taken back by any later event, and given their real end by a real discharge, in any order."""

from datetime import timedelta
from itertools import permutations

import pytest

from app.domain.adt_event import AdtEvent, EncounterClass, Identifier
from app.domain.encounter import EncounterState, EncounterStatus, apply, view
from app.domain.event_order import occurred_instant, recorded_instant, sort_key, sorts_before
from app.domain.hanging import Patience, presumption
from app.domain.happening import happenings
from tests.domain.event_builders import EMERGENCY, at, event, fold

ADMITTED = event("A01", 0, of_class=EMERGENCY)
UPDATED = event("A08", 2)
NOW = at(200)


def _presumed(*events: AdtEvent) -> AdtEvent:
    return presumption(fold(list(events)).last_key, Identifier("HOSPA", "VN", "V1"), b"\x01" * 16, NOW)


def test_the_presumption_ends_the_stay_and_says_that_it_is_one() -> None:
    stay = view(fold([ADMITTED, UPDATED, _presumed(ADMITTED, UPDATED)]))
    assert (stay.status, stay.presumed_ended) == (EncounterStatus.FINISHED, True)
    assert (stay.discharged_at, stay.disposition, stay.inferred_discharge) == (None, None, False)


def test_it_is_news_to_nobody() -> None:
    before, after = (view(fold(events)) for events in ([ADMITTED, UPDATED], [ADMITTED, UPDATED, _presumed(ADMITTED, UPDATED)]))
    assert happenings(before, behavioral_kind="none") == happenings(after, behavioral_kind="none")


@pytest.mark.parametrize("discharge", [event("A03", 1), event("A03", 2, recorded=190), event("A03", 250)])
def test_a_real_discharge_gives_the_real_end_whenever_it_comes(discharge: AdtEvent) -> None:
    presumed = _presumed(ADMITTED, UPDATED)
    for order in permutations([ADMITTED, UPDATED, presumed, discharge]):
        stay = view(fold(list(order)))
        assert (stay.status, stay.presumed_ended) == (EncounterStatus.FINISHED, False)
        assert stay.discharged_at == discharge.occurred_at


def test_whatever_happened_since_takes_it_back_in_any_order() -> None:
    presumed, sign_of_life = _presumed(ADMITTED, UPDATED), event("A02", 5)
    states = {repr(view(fold(list(order)))) for order in permutations([ADMITTED, UPDATED, presumed, sign_of_life])}
    assert len(states) == 1
    stay = view(fold([ADMITTED, UPDATED, presumed, sign_of_life]))
    assert (stay.status, stay.presumed_ended) == (EncounterStatus.IN_PROGRESS, False)


def test_what_happened_before_is_no_sign_of_life() -> None:
    stay = view(fold([ADMITTED, UPDATED, _presumed(ADMITTED, UPDATED), event("A08", 1)]))
    assert stay.presumed_ended


def test_a_cancelled_admission_stays_cancelled() -> None:
    cancelled = [ADMITTED, event("A11", 3)]
    stay = view(fold([*cancelled, _presumed(*cancelled)]))
    assert (stay.status, stay.presumed_ended) == (EncounterStatus.CANCELLED, False)


def test_it_can_be_presumed_again_after_it_was_taken_back() -> None:
    first, sign_of_life = _presumed(ADMITTED), event("A08", 50)
    state = fold([ADMITTED, first, sign_of_life])
    again = presumption(state.last_key, Identifier("HOSPA", "VN", "V1"), b"\x02" * 16, at(400))
    assert view(apply(state, again)).presumed_ended


def test_the_stored_form_keeps_it() -> None:
    state = fold([ADMITTED, _presumed(ADMITTED)])
    assert view(EncounterState.from_json(state.to_json())).presumed_ended


def test_patience_is_by_class_and_may_be_endless() -> None:
    limits = Patience(timedelta(hours=72), timedelta(days=30)).by_class()
    assert limits["emergency"] == timedelta(hours=72)
    assert limits["inpatient"] == limits["unknown"] == timedelta(days=30)
    assert not {EncounterClass.PREADMIT.value, EncounterClass.RECURRING.value} & set(limits)
    assert Patience(None, None).by_class() == {}


def test_a_key_knows_its_times() -> None:
    late = event("A08", 3, recorded=9)
    key = sort_key(late)
    assert (occurred_instant(key), recorded_instant(key)) == (at(3), at(9))
    assert sorts_before(at(3)) < key < sorts_before(at(3) + timedelta(microseconds=1))

"""What leaves, plans, tracking and changes of participants do to a stay (C.6, ADT-1); A01-A08 and A11-A13 are in test_encounter."""

from dataclasses import replace
from typing import Any

import pytest

from app.domain.adt_event import AdtEvent, Identifier, Practitioner
from app.domain.encounter import EncounterStatus, EncounterView, joined
from app.domain.happening import Kind, happenings
from app.domain.trigger import CANCELS, Trigger
from tests.domain.event_builders import EMERGENCY, INPATIENT, at, diagnosis, event, fold, seen

ARRIVED, ADMITTED, LEFT = event("A04", 0, of_class=EMERGENCY), event("A01", 0, of_class=INPATIENT), event("A03", 9, disposition="01")


def told(stay: EncounterView) -> list[Kind]:
    return [happening.kind for happening in happenings(stay, behavioral_kind="none")]


def expecting(one: AdtEvent, hours: float) -> AdtEvent:
    assert one.visit is not None
    return replace(one, visit=replace(one.visit, expected_discharge_at=at(hours)))


# A21, A22, A52, A53


def test_a_leave_of_absence_is_no_discharge_whatever_pv1_45_says() -> None:
    out = seen(ADMITTED, event("A21", 3, discharged=at(3)))
    assert (out.status, out.discharged_at, out.on_leave_since) == (EncounterStatus.IN_PROGRESS, None, at(3))
    assert told(out) == told(seen(ADMITTED))


@pytest.mark.parametrize(
    ("later", "on_leave"),
    [
        ([], True),
        ([event("A22", 5)], False),
        ([event("A52", 4)], False),
        ([event("A22", 5), event("A53", 6)], True),
        ([event("A22", 5), event("A21", 7)], True),
        ([event("A22", 5), event("A21", 7), event("A52", 8)], False),
        ([event("A21", 3, copy=1), event("A52", 4)], False),
        ([LEFT], False),
        ([LEFT, event("A13", 10)], True),
    ],
)
def test_who_is_on_leave(later: list[AdtEvent], on_leave: bool) -> None:
    stay = seen(ADMITTED, event("A21", 3), *later)
    assert (stay.on_leave_since is not None) is on_leave
    assert seen(*reversed([ADMITTED, event("A21", 3), *later])) == stay


def test_who_does_not_come_back_from_a_leave_is_discharged_by_an_a03_only() -> None:
    stay = seen(ADMITTED, event("A21", 3), LEFT)
    assert (stay.status, stay.discharged_at, stay.on_leave_since) == (EncounterStatus.FINISHED, at(9), None)


# A14, A27, A38


def test_a_pending_admission_is_a_plan_and_tells_nobody() -> None:
    stay = seen(event("A14", 0, of_class=INPATIENT))
    assert (stay.status, told(stay)) == (EncounterStatus.PLANNED, [])
    assert seen(event("A14", 0, of_class=INPATIENT), event("A27", 1, of_class=INPATIENT)).status is EncounterStatus.CANCELLED


def test_a_pending_admission_says_nothing_of_the_emergency_visit_that_lasts() -> None:
    stay = seen(ARRIVED, event("A14", 1, of_class=INPATIENT, unit="MED"))
    assert (stay.status, stay.encounter_class, stay.facts.get("unit")) == (EncounterStatus.IN_PROGRESS, EMERGENCY, None)
    assert told(stay) == [Kind.ADMITTED]
    stay = seen(ARRIVED, event("A14", 1, of_class=INPATIENT), event("A27", 2, of_class=INPATIENT))
    assert (stay.status, stay.encounter_class) == (EncounterStatus.IN_PROGRESS, EMERGENCY)


def test_each_cancel_strikes_its_own_kind() -> None:
    planned, pending = event("A05", -5), event("A14", -3, of_class=INPATIENT)
    assert seen(planned, ADMITTED, event("A38", 1)).status is EncounterStatus.IN_PROGRESS
    assert seen(planned, event("A38", -4)).status is EncounterStatus.CANCELLED
    assert seen(planned, pending, event("A38", -2)).status is EncounterStatus.PLANNED
    assert seen(ARRIVED, event("A14", 1, of_class=INPATIENT), event("A11", 2)).status is EncounterStatus.PLANNED
    assert seen(pending, ADMITTED, event("A11", 2)).status is EncounterStatus.PLANNED


# A15, A16, A25, A26


def test_a_pending_discharge_is_expected_and_ends_nothing() -> None:
    stay = seen(ADMITTED, expecting(event("A16", 3, discharged=at(8), disposition="20"), 9))
    assert (stay.status, stay.discharge_pending_since, stay.expected_discharge_at) == (EncounterStatus.IN_PROGRESS, at(3), at(9))
    assert told(stay) == [Kind.ADMITTED]
    assert seen(ADMITTED, event("A16", 3), event("A25", 4)).discharge_pending_since is None
    gone = seen(ADMITTED, event("A16", 3, disposition="20"), event("A03", 9))
    assert (gone.discharge_pending_since, gone.disposition) == (None, None)


def test_a_pending_transfer_is_expected_until_it_comes_or_is_taken_back() -> None:
    assert seen(ADMITTED, event("A15", 3)).transfer_pending_since == at(3)
    assert seen(ADMITTED, event("A15", 3), event("A26", 4)).transfer_pending_since is None
    assert seen(ADMITTED, event("A15", 3), event("A02", 4)).transfer_pending_since is None


# A09, A10, A32, A33


@pytest.mark.parametrize("trigger", ["A09", "A10", "A32", "A33"])
def test_tracking_is_a_position_and_no_transfer(trigger: str) -> None:
    admitted = event("A01", 0, of_class=INPATIENT, unit="PSY")
    stay = seen(admitted, event(trigger, 1, of_class=EMERGENCY, unit="XRAY", discharged=at(1)))
    assert (stay.facts["unit"], stay.facts["position"]) == ("PSY", ["XRAY", "", "", ""])
    assert replace(stay, facts={}) == replace(seen(admitted), facts={})


# A54, A55, A61, A62, A17


@pytest.mark.parametrize("trigger", ["A54", "A55", "A61", "A62"])
def test_participants_change_and_nothing_else(trigger: str) -> None:
    changed = event(trigger, 1, of_class=INPATIENT)
    assert changed.visit is not None
    changed = replace(changed, visit=replace(changed.visit, attending=Practitioner("ZZ1", "ZZOAK", "OLIVE")))
    stay = seen(ADMITTED, changed)
    assert stay.facts["attending"] == ["ZZ1", "ZZOAK", "OLIVE", ""]
    assert replace(stay, facts={}) == replace(seen(ADMITTED), facts={})


def test_a_swap_changes_the_place() -> None:
    stay = seen(event("A01", 0, of_class=INPATIENT, unit="MED"), event("A17", 1, of_class=INPATIENT, unit="PSY"))
    assert (stay.facts["unit"], told(stay)) == ("PSY", [Kind.ADMITTED])


# ADT-1


@pytest.mark.parametrize("trigger", ["A08", "A02", "A54", "A61"])
def test_pv1_45_of_an_update_is_an_inferred_discharge(trigger: str) -> None:
    stay = seen(ADMITTED, event(trigger, 9, discharged=at(8)))
    assert (stay.status, stay.discharged_at, stay.inferred_discharge) == (EncounterStatus.FINISHED, at(8), True)


@pytest.mark.parametrize(("begins", "ends", "is_finished"), [(-3, -1, True), (-3, 5, False), (-1, -3, False), (None, -1, False)])
def test_an_admission_that_states_its_own_end_is_over(begins: float | None, ends: float, is_finished: bool) -> None:
    stay = seen(event("A04", 0, of_class=EMERGENCY, admitted=None if begins is None else at(begins), discharged=at(ends)))
    assert (stay.status is EncounterStatus.FINISHED) is is_finished
    assert stay.inferred_discharge is is_finished


# The join of two numbers


def test_the_join_of_two_folds_is_the_fold_of_both() -> None:
    one: list[AdtEvent] = [ADMITTED, event("A08", 2, diagnoses=[diagnosis("F32.2"), diagnosis("I10")]), event("A21", 3, deceased=False)]
    other = [event("A08", 4, diagnoses=[diagnosis("F10.20")]), LEFT, event("A13", 10), event("A08", 1, unit="PSY")]
    both = fold([*one, *other])
    assert joined(fold(one), fold(other)) == both
    assert joined(fold(other), fold(one)) == both
    assert joined(fold(one), fold(one)) == fold(one)


def test_every_cancel_is_known_as_one() -> None:
    """A cancel comes after what it cancels within one instant; the odd one out would strike what follows it."""
    assert {one.value for one in CANCELS} == {
        "A11", "A12", "A13", "A25", "A26", "A27", "A32", "A33", "A37", "A38", "A52", "A53", "A55", "A62", "T11"
    }  # fmt: skip
    assert Trigger.LEAVE not in CANCELS


def account(number: str, hours: float) -> AdtEvent:
    one = event("A08", hours)
    assert one.visit is not None
    return replace(one, visit=replace(one.visit, account=Identifier("HOSPA", "AN", number)))


def test_the_account_of_a_stay_is_the_one_stated_last() -> None:
    facts: dict[str, Any] = seen(account("A2", 5), account("A1", 3)).facts
    assert facts["account"] == ["HOSPA", "A2"]

"""Domain section 5, row by row: what each kind of event does to a follow-up, from the events through the fold to the evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import pytest

from app.domain.adt_event import AdtEvent
from app.domain.clock import ClockState as Clocks
from app.domain.course import Course
from app.domain.follow_up import FollowUpFacts, FollowUpFlag, FollowUpState, FollowUpView, evaluate
from app.domain.stay import Stay
from app.domain.stay_in_hand import StayInHand, stay_for_rules
from app.standards.calendars import holiday_calendar
from app.standards.program_catalog import program_catalog
from app.wiring import rulebook
from tests.domain.event_builders import EMERGENCY, INPATIENT, PREADMIT, at, event, seen
from tests.domain.follow_up_builders import make_signal

BHH = program_catalog().program("mainecare_bhh", date(2026, 3, 2))
RULES = rulebook()
I, O, S = FollowUpState.INPATIENT, FollowUpState.OPEN, FollowUpState.SUSPENDED  # noqa: E741 - the states, by their letters
C, P, V = FollowUpState.CLOSED, FollowUpState.SUPERSEDED, FollowUpState.VOID
ARRIVED, ADMITTED = event("A04", 0, of_class=EMERGENCY), event("A01", 0, of_class=INPATIENT)
"""Monday, 2 March 2026, ten in the morning in Maine."""
BACK = event("A01", 20, of_class=INPATIENT)


def left(disposition: str, hours: float = 9) -> AdtEvent:
    """A03 with a discharge code."""
    return event("A03", hours, discharged=at(hours), disposition=disposition)


def stay(number: int, events: Sequence[AdtEvent]) -> Stay:
    """The stay of these events, in the words of the rules."""
    view, id_ = seen(*events), UUID(int=number)
    in_hand = StayInHand(
        id=id_, person_id=id_, record_id=id_, visit_number="V", mode="live", source="adt", view=view,
        signal=make_signal(), facility=None, reporter_zone="America/New_York",
    )  # fmt: skip
    return stay_for_rules(in_hand, RULES)


@dataclass(frozen=True, slots=True)
class Row:
    """What was sent, of this stay and of the person's others, and what that leaves at an hour."""

    name: str
    events: tuple[AdtEvent, ...]
    state: FollowUpState
    reason: str
    clocks: Clocks | None = None
    """Of every clock; None: there is none yet."""
    anchor: float | None = None
    others: tuple[tuple[AdtEvent, ...], ...] = ()
    hour: float = 10
    flag: FollowUpFlag | None = None


def look(row: Row, events: Sequence[AdtEvent]) -> FollowUpView:
    """Evaluate the stay at the row's hour."""
    assert BHH is not None
    mine, others = stay(1, events), [stay(number, one) for number, one in enumerate(row.others, start=2)]
    facts = FollowUpFacts(stay=mine, stays=Course((mine, *others)), died_at=seen(*events).deceased_at)
    return evaluate(facts, [BHH], [], holiday_calendar, at(row.hour))


COMMUNITY, TRANSFERS = ("01", "06", "07", "21", "81", "86"), ("02", "05", "43", "65", "66", "70", "82", "85", "93")
NONACUTE, HOSPICE, DEATHS = ("03", "61", "62", "63", "64"), ("50", "51"), ("20", "40", "41", "42")
LOST, RETURNED = FollowUpFlag.LOST_IN_TRANSFER, FollowUpFlag.READMITTED
NEXT, MOVED = (event("A01", 12, of_class=INPATIENT),), (ADMITTED, left("65"))
TABLE = (
    Row("A04 in an emergency department", (ARRIVED,), I, "in_house"),
    Row("A06 makes the visit an inpatient stay", (ARRIVED, event("A06", 3, of_class=INPATIENT)), I, "in_house"),
    Row("A01 under another number after the visit", (ARRIVED, left("09")), P, "admitted_after_emergency", Clocks.VOID, 9, (NEXT,), 13),
    Row("A02", (ADMITTED, event("A02", 4, unit="PSY")), I, "in_house"),
    Row("A03 of an emergency visit", (ARRIVED, left("01")), O, "discharged", Clocks.PENDING, 9),
    *(
        Row(
            f"A03 to {code}",
            (ADMITTED, left(code)),
            O,
            "discharged",
            Clocks.PENDING,
            9,
            flag=FollowUpFlag.AGAINST_ADVICE if code == "07" else None,
        )
        for code in COMMUNITY
    ),
    *(Row(f"A03 to {code}: awaited", (ADMITTED, left(code)), S, "transfer", Clocks.SUSPENDED, 9) for code in TRANSFERS),
    *(
        Row(f"A03 to {code}: lost", (ADMITTED, left(code)), O, "lost_in_transfer", Clocks.PENDING, 9, hour=34, flag=LOST)
        for code in TRANSFERS
    ),
    Row("A03 to 65: arrived", MOVED, P, "transferred", Clocks.VOID, 9, (NEXT,), 13),
    *(Row(f"A03 to {code}", (ADMITTED, left(code)), S, "nonacute", Clocks.SUSPENDED, 9, hour=900) for code in NONACUTE),
    Row("A03 of the nonacute stay", (*NEXT, left("01", 200)), O, "discharged", Clocks.PENDING, 200, ((ADMITTED, left("03")),), 201),
    *(Row(f"A03 to {code}", (ADMITTED, left(code)), C, "hospice", Clocks.VOID, 9) for code in HOSPICE),
    *(Row(f"A03 to {code}", (ADMITTED, left(code)), C, "died", Clocks.VOID, 9) for code in DEATHS),
    Row("PID-30", (ADMITTED, left("01"), event("A08", 12, deceased=True)), C, "died", Clocks.VOID, 9, hour=13),
    Row("A13", (ADMITTED, left("01"), event("A13", 10)), I, "discharge_cancelled", Clocks.VOID),
    Row("A13 and a new A03", (ADMITTED, left("01"), event("A13", 10), left("01", 20)), O, "discharged", Clocks.PENDING, 20, hour=21),
    Row("A11", (ADMITTED, event("A11", 1)), V, "stay_cancelled"),
    Row("A11 restores the visit", (ARRIVED, left("01")), O, "discharged", Clocks.PENDING, 9, ((*NEXT, event("A11", 13)),), 14),
    Row("A12", (ADMITTED, event("A02", 4, unit="PSY"), event("A12", 5)), I, "in_house"),
    Row("A38", (event("A05", 0, of_class=PREADMIT), event("A38", 1)), V, "stay_cancelled"),
    Row("A27", (event("A14", 0, of_class=PREADMIT), event("A27", 1)), V, "stay_cancelled"),
    Row("A08 with another disposition", (ADMITTED, left("01"), event("A08", 12, disposition="50")), C, "hospice", Clocks.VOID, 9, hour=13),
    Row("A40: the other record's stays count", (ADMITTED, left("01")), P, "readmitted", Clocks.VOID, 9, ((BACK,),), 21, RETURNED),
    # Standards C.6, and not the void of section 5: senders purge old visits with an A23, so a person has to look first.
    Row("A23", (ADMITTED, left("01"), event("A23", 12)), O, "discharged", Clocks.PENDING, 9, hour=13),
    Row("A03 again", (ADMITTED, left("01"), left("01")), O, "discharged", Clocks.PENDING, 9),
    Row("a later A03", (ADMITTED, left("01"), left("01", 12)), O, "discharged", Clocks.PENDING, 12, hour=13),
    Row("an A13 older than the A03", (ADMITTED, event("A13", 8), left("01")), O, "discharged", Clocks.PENDING, 9),
    Row("A01 within thirty days", (ADMITTED, left("01")), P, "readmitted", Clocks.VOID, 9, ((BACK,),), 21, RETURNED),
)


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
def test_every_row_of_the_state_machine(row: Row) -> None:
    found = look(row, row.events)
    assert (found.state, found.reasons[0].partition(":")[0]) == (row.state, row.reason)
    assert found.anchor_at == (None if row.anchor is None else at(row.anchor))
    assert {clock.state for clock in found.clocks} == (set() if row.clocks is None else {row.clocks})
    assert found.flags == (() if row.flag is None else (row.flag,))
    assert look(row, row.events[::-1]) == found, "whatever comes first"

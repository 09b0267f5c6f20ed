"""A person in a facility or in custody: program clocks wait until the review or something new, and have the time left that they had."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.clock import ClockState
from app.domain.contact import Contact, ContactOutcome, ContactType
from app.domain.contact_entry import read_contact
from app.domain.escalation import steps
from app.domain.follow_up import FollowUpState, FollowUpView
from app.domain.stay import Disposition, StayClass
from tests.domain.follow_up_builders import local, make_contact, make_stay, make_visit
from tests.domain.test_follow_up import BHH, STAY, look, program, states

C, S = ClockState, FollowUpState
TOLD = make_contact("2026-11-19 10:00", contact_id="j", outcome=ContactOutcome.INCARCERATED)
JAIL = replace(TOLD, review_on=date(2026, 12, 1), place="County")
"""Thursday, the day after the discharge; the review is on Tuesday 1 December."""


def due(view: FollowUpView) -> dict[str, str]:
    return {clock.id.rpartition(".")[2]: clock.due_at.isoformat() for clock in view.clocks}


def test_clocks_wait_until_the_review_and_have_the_time_left_that_they_had() -> None:
    away = look(now="2026-11-20", contacts=[JAIL])
    assert (away.state, set(states(away).values())) == (S.SUSPENDED, {C.SUSPENDED})
    assert away.reasons[0].startswith("incarcerated:")
    assert "County" not in str(away.reasons)
    assert away.next_change_at == local("2026-12-01 00:00")
    back = look(now="2026-12-01 00:00", contacts=[JAIL])
    assert (back.state, set(states(back).values())) == (S.OPEN, {C.PENDING})
    assert due(back) == {
        "contact_2bd": local("2026-12-02 23:59:59").isoformat(),
        "medication_review": local("2026-12-02 23:59:59").isoformat(),
        "follow_up_7d": local("2026-12-07 23:59:59").isoformat(),
        "follow_up_30d": local("2026-12-30 23:59:59").isoformat(),
    }


def test_shares_of_the_time_are_of_the_time_in_which_a_clock_runs() -> None:
    week = next(one for one in look(now="2026-12-01 00:00", contacts=[JAIL]).windows if one.definition.id.endswith("7d"))
    ran_before, ran_after = local("2026-11-19 10:00") - week.anchor_at, week.due_at - local("2026-12-01 00:00")
    half, fifths, over = (step.at for step in steps(week))
    assert half == local("2026-12-01 00:00") + (ran_before + ran_after) / 2 - ran_before
    assert fifths == local("2026-12-01 00:00") + (ran_before + ran_after) * 0.8 - ran_before
    assert over == week.ends_at
    waited = replace(STAY, disposition=Disposition.TRANSFER, transfer_wait=timedelta(hours=72))
    (contact, *_) = look(waited, now="2026-11-22").windows
    half, *_ = (step.at for step in steps(contact))
    assert half == local("2026-11-21") + (contact.due_at - local("2026-11-21")) / 2, "while a place was waited for nothing ran"


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 90)), max_size=4),
    st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True).map(sorted),
)
def test_steps_come_in_order_within_the_time_and_while_the_clock_runs(pauses: list[tuple[int, int]], shares: list[int]) -> None:
    (plain, *_) = look().windows
    at = [(plain.anchor_at + timedelta(hours=start), plain.anchor_at + timedelta(hours=start + length)) for start, length in pauses]
    found = replace(plain, definition=replace(plain.definition, escalate_at_percent=tuple(shares)), paused=tuple(at))
    instants = [step.at for step in steps(found)]
    assert instants == sorted(instants)
    assert all(found.anchor_at <= one <= found.ends_at for one in instants)
    assert not any(start < one < end for one in instants if one < found.due_at for start, end in at)


def test_a_contact_that_reaches_the_person_ends_it_and_counts() -> None:
    reached = make_contact("2026-11-23 09:00", contact_id="r")
    seen = look(now="2026-11-23 10:00", contacts=[JAIL, reached])
    assert (seen.state, states(seen)["contact_2bd"], seen.resumed_at) == (S.OPEN, C.MET, None)
    assert due(seen)["follow_up_7d"] == local("2026-11-29 23:59:59").isoformat()


def test_who_died_by_what_a_contact_says_is_looked_for_no_more_until_it_is_looked_at() -> None:
    """Nobody is called, and nothing is closed for good: it may have been somebody else, or be taken back."""
    died = replace(JAIL, outcome=ContactOutcome.DECEASED, place=None, review_on=None)
    seen = look(now="2026-11-20", contacts=[died])
    assert (seen.state, set(states(seen).values())) == (S.SUSPENDED, {C.SUSPENDED})
    assert seen.reasons[0] == (
        "deceased: a contact says so; clocks wait until 2026-12-03, or until something is heard. Answer deceased, and a person looks at it"
    )
    assert seen.next_change_at == local("2026-12-03 00:00")
    back = look(now="2026-12-03 00:00", contacts=[died])
    assert (back.state, back.resumed_at) == (S.OPEN, local("2026-12-03 00:00"))
    alive = make_contact("2026-11-20 09:00", contact_id="r")
    assert look(now="2026-11-20 10:00", contacts=[died, alive]).state is S.OPEN
    taken_back = replace(died, voided_at=local("2026-11-20 10:00"))
    assert look(now="2026-11-21", contacts=[taken_back]) == look(now="2026-11-21")


@pytest.mark.parametrize("outcome", [ContactOutcome.IN_FACILITY, ContactOutcome.INCARCERATED])
def test_a_visit_at_the_bedside_says_that_they_are_not_back(outcome: ContactOutcome) -> None:
    visit = make_contact("2026-11-23 09:00", contact_id="v", type=ContactType.IN_PERSON_HOSPITAL)
    seen = look(now="2026-11-23 10:00", contacts=[replace(JAIL, outcome=outcome), visit])
    assert (seen.state, states(seen)["follow_up_30d"]) == (S.SUSPENDED, C.SUSPENDED)
    assert due(seen) == due(look(now="2026-11-23 10:00", contacts=[replace(JAIL, outcome=outcome)]))


@pytest.mark.parametrize(
    ("review", "expected"),
    [
        (date(2026, 11, 21), "2026-11-23"),
        (date(2026, 11, 22), "2026-11-23"),
        (date(2026, 11, 24), "2026-11-24"),
        (date(2026, 11, 26), "2026-11-27"),
    ],
)
def test_what_is_left_of_the_last_business_day_is_left_of_the_next_one(review: date, expected: str) -> None:
    """Found in custody on the Friday on which it is due; back on a weekend, a Tuesday, on Thanksgiving."""
    found = replace(TOLD, occurred_at=local("2026-11-20 10:00"), review_on=review)
    assert due(look(now="2026-11-20 12:00", contacts=[found]))["contact_2bd"] == local(f"{expected} 23:59:59").isoformat()


def test_the_review_of_who_is_in_nonacute_care_comes_although_the_clocks_wait_for_more() -> None:
    gone = make_stay(admitted="2026-11-10", discharged="2026-11-18", disposition=Disposition.NONACUTE)
    found = replace(JAIL, outcome=ContactOutcome.IN_FACILITY)
    waits = look(gone, "2026-11-20", contacts=[found])
    assert [one.partition(":")[0] for one in waits.reasons] == ["nonacute", "in_facility"]
    assert (waits.next_change_at, waits.resumed_at) == (local("2026-12-01 00:00"), None)
    asked = look(gone, "2026-12-01 00:00", contacts=[found])
    assert (asked.state, [one.partition(":")[0] for one in asked.reasons]) == (S.SUSPENDED, ["nonacute"])
    assert (asked.next_change_at, asked.resumed_at) == (None, local("2026-12-01 00:00"))


def test_a_visit_to_an_emergency_department_is_a_new_event() -> None:
    seen = look(now="2026-11-24", contacts=[JAIL], stays=[STAY, make_visit("E", "2026-11-23")])
    assert (seen.state, states(seen)["follow_up_7d"]) == (S.OPEN, C.PENDING)
    assert seen.resumed_at is not None, "no contact of the team ended it"


@pytest.mark.parametrize("day", ["2026-11-23", "2026-11-27"])
def test_what_is_planned_or_seen_in_a_clinic_says_nothing_of_where_they_are(day: str) -> None:
    """The home is not told of it either."""
    other = replace(make_visit("E", day), stay_class=StayClass.OTHER)
    assert look(now="2026-11-24", contacts=[JAIL], stays=[STAY, other]) == look(now="2026-11-24", contacts=[JAIL])


def test_to_be_let_out_of_where_they_were_is_a_new_event() -> None:
    """The visit began before anybody learned of it: that it ends is what is heard."""
    heard = replace(TOLD, outcome=ContactOutcome.IN_FACILITY, occurred_at=local("2026-11-19 11:00"))
    assert look(now="2026-11-19 13:00", contacts=[heard], stays=[STAY, make_visit("E", "2026-11-19")]).state is S.SUSPENDED
    seen = look(now="2026-11-19 15:00", contacts=[heard], stays=[STAY, make_visit("E", "2026-11-19")])
    assert (seen.state, states(seen)["contact_2bd"]) == (S.OPEN, C.PENDING)
    assert due(seen)["contact_2bd"] == local("2026-11-20 23:59:59").isoformat()


@pytest.mark.parametrize("said_at", ["2026-11-19T21:00:00-05:00", "2026-11-20T02:00:00Z"])
def test_in_the_evening_tomorrow_is_a_day_after_the_contact(said_at: str) -> None:
    """In UTC it is tomorrow already."""
    said = {"occurred_at": said_at, "type": "phone", "outcome": "incarcerated", "review_on": "2026-11-20"}
    entry, problems = read_contact(said, now=local("2026-11-20 10:00"))
    assert (entry is not None, problems) == (True, ())
    told = replace(TOLD, occurred_at=local("2026-11-19 21:00"), review_on=date(2026, 11, 20))
    assert look(now="2026-11-19 23:00", contacts=[told]).next_change_at == local("2026-11-20 00:00")


def test_what_was_over_before_stays_over_and_a_voided_one_stops_nothing() -> None:
    late = replace(JAIL, occurred_at=local("2026-11-23 10:00"))
    assert states(look(now="2026-11-24", contacts=[late]))["contact_2bd"] is C.OVERDUE
    assert look(now="2026-11-20", contacts=[replace(JAIL, voided_at=local("2026-11-19 11:00"))]).state is S.OPEN


def test_what_had_not_begun_to_run_has_its_whole_time_afterwards_and_no_more() -> None:
    """A transfer on Wednesday to a place that is waited for three days; on Thursday they are found to be in custody until Tuesday week."""
    gone = replace(
        make_stay(admitted="2026-11-10", discharged="2026-11-18", disposition=Disposition.TRANSFER), transfer_wait=timedelta(days=3)
    )
    seen = look(gone, "2026-12-01 08:00", contacts=[JAIL])
    assert due(seen)["contact_2bd"] == local("2026-12-03 23:59:59").isoformat(), "two business days after Tuesday"
    assert due(seen)["follow_up_7d"] == local("2026-12-08 23:59:59").isoformat()
    found = replace(JAIL, review_on=date(2026, 11, 20))
    over = due(look(gone, "2026-11-23", contacts=[found]))
    assert over == due(look(gone, "2026-11-23")), "it was over before they began"


def test_without_a_review_date_it_is_asked_again_after_two_weeks() -> None:
    seen = look(now="2026-11-20", contacts=[replace(JAIL, review_on=None)])
    assert seen.next_change_at == local("2026-12-03 00:00")


def test_a_discharge_to_custody_starts_clocks_that_run_there() -> None:
    stay = make_stay(admitted="2026-11-10", discharged="2026-11-18", disposition=Disposition.CUSTODY)
    seen = look(stay, "2026-11-20", contacts=[JAIL], programs=[BHH, program("custody")])
    own, joined = ("contact_2bd", "medication_review", "follow_up_7d", "follow_up_30d"), ("handoff_2bd", "release_plan_7d")
    assert states(seen) == dict.fromkeys(own, C.SUSPENDED) | dict.fromkeys(joined, C.PENDING)
    handed = make_contact("2026-11-20 09:00", contact_id="h", type=ContactType.COLLATERAL_JAIL, live_two_way=True)
    assert states(look(stay, "2026-11-20", contacts=[JAIL, handed], programs=[program("custody")]))["handoff_2bd"] is C.MET


@given(st.permutations([JAIL, make_contact("2026-11-23 09:00", contact_id="r"), make_contact("2026-11-24 09:00", contact_id="n")]))
def test_the_order_in_which_contacts_come_changes_nothing(contacts: Sequence[Contact]) -> None:
    assert look(now="2026-11-25", contacts=contacts) == look(now="2026-11-25", contacts=[*contacts[::-1], contacts[0]])


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"outcome": "reached", "review_on": "2026-12-01"}, "/review_on"),
        ({"outcome": "reached", "place": "County"}, "/place"),
        ({"outcome": "incarcerated", "review_on": "2026-11-19"}, "/review_on"),
        ({"outcome": "in_facility", "review_on": "2028-01-01"}, "/review_on"),
    ],
)
def test_a_place_and_its_review_belong_to_who_is_away(said: dict[str, str], pointer: str) -> None:
    at = local("2026-11-19 10:00")
    entry, problems = read_contact({"occurred_at": at.isoformat(), "type": "phone", **said}, now=at)
    assert entry is None
    assert [problem.pointer for problem in problems] == [pointer]

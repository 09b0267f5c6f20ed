"""One clock: which contacts count, what state that leaves, and that order, repetition and voiding behave."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendar import ClockUnit
from app.domain.clock import (
    OVERDUE_FOR,
    ClockState,
    ClockWindow,
    clock_window,
    counts_toward,
    evaluate_clock,
    idle_clock,
    next_change_at,
    stopped_clock,
)
from app.domain.contact import Contact, ContactDirection, ContactOutcome, ContactRole, ContactTopic, ContactType, ContactWith
from app.domain.escalation import steps
from app.domain.stay import StayClass
from app.standards.calendars import holiday_calendar
from app.standards.program_catalog import program_catalog
from tests.domain.follow_up_builders import EASTERN, local, make_contact

DEFINITIONS = {clock.id: clock for program in program_catalog().programs for clock in program.clocks}
DISCHARGED = "2026-11-25 14:00"
"""The Wednesday before Thanksgiving: two business days end on Monday 30 November."""


def window(clock_id: str, discharged: str = DISCHARGED, stay_class: StayClass = StayClass.INPATIENT) -> ClockWindow:
    definition = DEFINITIONS[clock_id]
    holidays = holiday_calendar(definition.holiday_calendar or "US")
    return clock_window(definition, local(discharged), EASTERN, stay_class, holidays)


BHH = "mainecare_bhh.contact_2bd"
MEDICATION = "mainecare_bhh.medication_review"
WEEK = "mainecare_bhh.follow_up_7d"
TCM = "tcm.contact_2bd"
VISIT = "tcm.visit_7d"
T, O, W = ContactType, ContactOutcome, ContactWith  # noqa: E741 - outcome
REASONS = [
    # clock, contact, satisfies, attempt, the first reason's code
    (BHH, make_contact("2026-11-25 15:00"), True, True, "counts"),
    (BHH, make_contact("2026-11-25 14:00"), True, True, "counts"),
    (BHH, make_contact("2026-11-30 23:59"), True, True, "counts"),
    (BHH, make_contact("2026-11-25 13:59"), False, False, "before_anchor"),
    (BHH, make_contact("2026-12-01 00:00"), False, False, "late"),
    (BHH, make_contact("2026-11-26", outcome=O.NO_ANSWER), False, True, "outcome_not_counted"),
    (BHH, make_contact("2026-11-26", outcome=O.DECLINED), False, True, "outcome_not_counted"),
    (BHH, make_contact("2026-11-26", outcome=O.DECEASED), False, False, "outcome_not_counted"),
    (BHH, make_contact("2026-11-26", type=T.VOICEMAIL, outcome=O.LEFT_MESSAGE), False, False, "type_not_counted"),
    (BHH, make_contact("2026-11-26", type=T.TEXT), False, True, "not_live_two_way"),
    (BHH, make_contact("2026-11-26", type=T.TEXT, live_two_way=True), True, True, "counts"),
    (BHH, make_contact("2026-11-26", live_two_way=False), False, True, "not_live_two_way"),
    (BHH, make_contact("2026-11-26", outcome=O.REACHED_CAREGIVER, with_whom=W.CAREGIVER), True, True, "counts"),
    (BHH, make_contact("2026-11-26", with_whom=W.PROVIDER), False, False, "with_not_counted"),
    (BHH, make_contact("2026-11-26", type=T.COLLATERAL_FAMILY, with_whom=W.OTHER), False, False, "type_not_counted"),
    (BHH, make_contact("2026-11-26", direction=ContactDirection.INBOUND), True, False, "counts"),
    (BHH, make_contact("2026-11-26", voided=True), False, False, "voided"),
    (MEDICATION, make_contact("2026-11-26", role=ContactRole.RN, topics=[ContactTopic.MED_REC]), True, False, "counts"),
    (MEDICATION, make_contact("2026-11-26", role=ContactRole.RN), False, False, "topic_missing"),
    (MEDICATION, make_contact("2026-11-26", topics=[ContactTopic.MED_REC]), False, False, "role_not_counted"),
    (MEDICATION, make_contact("2026-11-26", role=None, topics=[ContactTopic.MED_REC]), False, False, "role_not_counted"),
    (WEEK, make_contact("2026-11-25 18:00"), False, False, "day_zero"),
    (WEEK, make_contact("2026-11-26 00:05"), True, True, "counts"),
    (WEEK, make_contact("2026-12-02 23:59"), True, True, "counts"),
    (WEEK, make_contact("2026-12-03 00:00"), False, False, "late"),
    (TCM, make_contact("2026-11-26", type=T.VOICEMAIL, outcome=O.LEFT_MESSAGE), False, True, "type_not_counted"),
    (TCM, make_contact("2026-11-26", type=T.LETTER, outcome=O.LEFT_MESSAGE), False, False, "type_not_counted"),
    (VISIT, make_contact("2026-11-27", role=ContactRole.PRESCRIBER), False, False, "type_not_counted"),
    (VISIT, make_contact("2026-11-27", type=T.VIDEO, outcome=O.ATTENDED, role=ContactRole.PRESCRIBER), True, True, "counts"),
    (VISIT, make_contact("2026-11-27", type=T.VIDEO, outcome=O.NO_SHOW, role=ContactRole.PRESCRIBER), False, True, "outcome_not_counted"),
    (VISIT, make_contact("2026-11-25 15:00", type=T.VIDEO, role=ContactRole.PRESCRIBER), True, True, "counts"),
]  # fmt: skip


@pytest.mark.parametrize(("clock_id", "contact", "satisfies", "attempt", "reason"), REASONS)
def test_what_a_contact_is_to_a_clock(clock_id: str, contact: Contact, satisfies: bool, attempt: bool, reason: str) -> None:
    counts = counts_toward(contact, window(clock_id))
    assert (counts.satisfies, counts.attempt) == (satisfies, attempt), counts.reasons
    assert counts.reasons[0].partition(":")[0] == reason


def test_the_day_of_an_emergency_visit_counts_for_the_week() -> None:
    contact = make_contact("2026-11-25 18:00")
    assert counts_toward(contact, window(WEEK, stay_class=StayClass.EMERGENCY)).satisfies


def test_the_last_second_is_in_time() -> None:
    due = window(BHH)
    assert due.due_at == local("2026-11-30 23:59:59")
    assert counts_toward(make_contact(due.due_at + timedelta(milliseconds=999)), due).satisfies
    assert not counts_toward(make_contact(due.ends_at), due).satisfies


def call(at: str, contact_id: str = "c1", outcome: ContactOutcome = O.NO_ANSWER) -> Contact:
    return make_contact(at, contact_id=contact_id, outcome=outcome)


TWICE = [call("2026-11-26"), call("2026-11-27", "c2")]
STATES = [
    # clock, contacts, now, state, satisfied by, the reason's code
    (BHH, [], "2026-11-25 14:00", ClockState.PENDING, None, "awaiting_contact"),
    (BHH, [], "2026-11-30 23:59:59", ClockState.PENDING, None, "awaiting_contact"),
    (BHH, [], "2026-12-01 00:00", ClockState.OVERDUE, None, "past_due"),
    (BHH, [], "2026-12-30 12:00", ClockState.OVERDUE, None, "past_due"),
    (BHH, [], "2026-12-31 12:00", ClockState.MISSED, None, "never_done"),
    (BHH, [call("2026-11-27", outcome=O.REACHED)], "2026-11-28", ClockState.MET, "c1", "met_by_contact"),
    (BHH, [call("2026-12-01", outcome=O.REACHED)], "2026-12-02", ClockState.MISSED, None, "done_late"),
    (BHH, [call("2026-11-24", outcome=O.REACHED)], "2026-12-02", ClockState.OVERDUE, None, "past_due"),
    (BHH, [call("2026-11-26"), call("2026-11-27", "c2")], "2026-12-02", ClockState.OVERDUE, None, "past_due"),
    (TCM, [call("2026-11-26")], "2026-12-02", ClockState.OVERDUE, None, "past_due"),
    (TCM, [*TWICE, call("2026-11-28", "c3")], "2026-11-29", ClockState.MET, "c2", "met_by_attempts"),
    (TCM, TWICE, "2026-11-28", ClockState.MET, "c2", "met_by_attempts"),
    (TCM, [call("2026-11-26"), call("2026-11-26", "c2")], "2026-12-02", ClockState.OVERDUE, None, "past_due"),
    (TCM, [call("2026-11-26"), call("2026-12-02", "c2")], "2026-12-03", ClockState.OVERDUE, None, "past_due"),
    (TCM, [call("2026-11-24"), call("2026-11-26", "c2")], "2026-12-02", ClockState.OVERDUE, None, "past_due"),
    (TCM, [*TWICE, call("2026-11-30", "c3", O.REACHED)], "2026-12-02", ClockState.MET, "c3", "met_by_contact"),
]  # fmt: skip


@pytest.mark.parametrize(("clock_id", "contacts", "now", "state", "satisfied_by", "reason"), STATES)
def test_states(clock_id: str, contacts: Sequence[Contact], now: str, state: ClockState, satisfied_by: str | None, reason: str) -> None:
    clock = evaluate_clock(window(clock_id), contacts, local(now))
    assert (clock.id, clock.state, clock.satisfied_by) == (clock_id, state, satisfied_by)
    assert clock.reasons[0].partition(":")[0] == reason
    assert clock.due_at == window(clock_id).due_at


def test_the_earliest_contact_that_counts_is_the_one_that_satisfied() -> None:
    contacts = [call("2026-11-28", "late", O.REACHED), call("2026-11-26", "early", O.REACHED), call("2026-11-27", "middle", O.REACHED)]
    clock = evaluate_clock(window(BHH), contacts, local("2026-11-29"))
    assert (clock.satisfied_by, clock.met_at) == ("early", local("2026-11-26"))


@pytest.mark.parametrize(
    ("contacts", "stopped", "state", "reasons"),
    [
        ([], "2026-11-27", ClockState.VOID, ["gone"]),
        ([], "2026-12-02", ClockState.MISSED, ["past_due", "gone"]),
        ([call("2026-11-26", outcome=O.REACHED)], "2026-11-27", ClockState.MET, ["met_by_contact"]),
        ([call("2026-12-01", outcome=O.REACHED)], "2026-12-02", ClockState.MISSED, ["done_late", "gone"]),
    ],
)
def test_a_stopped_clock_keeps_what_was_decided_before(
    contacts: list[Contact], stopped: str, state: ClockState, reasons: list[str]
) -> None:
    clock = stopped_clock(window(BHH), contacts, local(stopped), "gone: for good", ClockState.VOID)
    assert (clock.state, [reason.partition(":")[0] for reason in clock.reasons]) == (state, reasons)


def test_escalations_are_shares_of_the_time_to_the_due_instant() -> None:
    found = [(step.percent, step.at) for step in steps(window(BHH))]
    length = window(BHH).due_at - window(BHH).anchor_at
    assert found == [
        (50, window(BHH).anchor_at + length / 2), (80, window(BHH).anchor_at + length * 0.8), (100, window(BHH).ends_at),
    ]  # fmt: skip


def test_a_timer_knows_when_to_look_again() -> None:
    due = window(BHH)
    pending = evaluate_clock(due, [], local("2026-11-26"))
    assert next_change_at(due, pending) == local("2026-12-01 00:00")
    overdue = evaluate_clock(due, [], local("2026-12-01 00:00"))
    assert overdue.state is ClockState.OVERDUE
    assert next_change_at(due, overdue) == due.ends_at + OVERDUE_FOR
    assert next_change_at(due, idle_clock(due, ClockState.SUSPENDED, "waiting")) is None


INSTANTS = st.datetimes(datetime(2026, 11, 24), datetime(2026, 12, 10)).map(lambda at: at.replace(tzinfo=EASTERN))  # noqa: DTZ001
CONTACTS = st.lists(
    st.builds(
        make_contact,
        INSTANTS,
        contact_id=st.sampled_from("abcdefgh"),
        type=st.sampled_from(ContactType),
        outcome=st.sampled_from(ContactOutcome),
        direction=st.sampled_from(ContactDirection),
        voided=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda contact: contact.id,
)
CLOCKS = st.sampled_from(sorted(DEFINITIONS))


@given(CLOCKS, CONTACTS, st.randoms(), INSTANTS)
def test_order_and_repetition_of_contacts_do_not_matter(clock_id: str, contacts: list[Contact], shuffled: object, now: datetime) -> None:
    again = contacts * 2
    shuffled.shuffle(again)  # type: ignore[attr-defined]  # a Random drawn by Hypothesis
    assert evaluate_clock(window(clock_id), again, now) == evaluate_clock(window(clock_id), contacts, now)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abcdef")), min_size=2, max_size=6, unique_by=lambda row: row[1]), st.randoms()
)
def test_the_second_attempt_is_the_second_in_time_however_they_arrive(tries: list[tuple[int, str]], shuffled: object) -> None:
    contacts = [call(f"2026-11-2{6 + day // 2} {9 + day:02d}:00", contact_id) for day, contact_id in tries]
    expected = evaluate_clock(window(TCM), sorted(contacts, key=lambda one: (one.occurred_at, one.id)), local("2026-12-01"))
    shuffled.shuffle(contacts)  # type: ignore[attr-defined]  # a Random drawn by Hypothesis
    found = evaluate_clock(window(TCM), contacts, local("2026-12-01"))
    assert found == expected
    distinct = sorted({contact.occurred_at for contact in contacts})
    assert found.met_at == (distinct[1] if len(distinct) > 1 else None)


@given(CLOCKS, CONTACTS, INSTANTS)
def test_a_voided_contact_is_as_if_it_had_never_been(clock_id: str, contacts: list[Contact], now: datetime) -> None:
    standing = [contact for contact in contacts if contact.voided_at is None]
    assert evaluate_clock(window(clock_id), contacts, now) == evaluate_clock(window(clock_id), standing, now)


@given(CLOCKS, CONTACTS, st.lists(INSTANTS, min_size=2, max_size=2))
def test_time_alone_only_moves_a_clock_forward(clock_id: str, contacts: list[Contact], instants: list[datetime]) -> None:
    order = [ClockState.PENDING, ClockState.OVERDUE, ClockState.MISSED]
    first, second = (evaluate_clock(window(clock_id), contacts, now).state for now in sorted(instants))
    if ClockState.MET in (first, second):
        assert first is second is ClockState.MET
    else:
        assert order.index(first) <= order.index(second)


@given(CLOCKS, CONTACTS, INSTANTS)
def test_met_exactly_when_somebody_counting_by_hand_says_so(clock_id: str, contacts: list[Contact], now: datetime) -> None:
    """The oracle: the definition read again, field by field, without the code under test."""
    due = window(clock_id)
    asked = due.definition.satisfied_by

    def usable(contact: Contact) -> bool:
        same_day = contact.occurred_at.astimezone(EASTERN).date() == due.anchor_at.astimezone(EASTERN).date()
        skips_day_zero = same_day and StayClass.INPATIENT not in due.definition.day_zero_counts_for
        return contact.voided_at is None and due.anchor_at <= contact.occurred_at < due.due_at + timedelta(seconds=1) and not skips_day_zero

    def fits(contact: Contact) -> bool:
        return (
            usable(contact)
            and (not asked.types or contact.type in asked.types)
            and (not asked.with_whom or contact.with_whom in asked.with_whom)
            and (not asked.roles or contact.role in asked.roles)
            and contact.outcome in asked.outcomes
            and (not asked.live_two_way or contact.is_live)
            and not asked.topics
            and not asked.topics_across
        )

    tried = {
        contact.occurred_at
        for contact in contacts
        if usable(contact)
        and contact.direction == "outbound"
        and contact.type in asked.attempt_types
        and contact.outcome not in ("in_facility", "incarcerated", "deceased")
    }
    met = len({one.occurred_at for one in contacts if fits(one)}) >= asked.contacts_min or (
        asked.attempts_min > 0 and len(tried) >= asked.attempts_min
    )
    assert (evaluate_clock(due, contacts, now).state is ClockState.MET) is met


SEEN = make_contact("2026-11-30 10:00", contact_id="v", type=T.IN_PERSON_OFFICE, outcome=O.ATTENDED, role=ContactRole.PRESCRIBER)


def reconciled(at: str, *, voided: bool = False) -> Contact:
    return make_contact(at, contact_id="m", role=ContactRole.RN, topics=[ContactTopic.MED_REC], voided=voided)


@pytest.mark.parametrize(
    ("reconciliation", "met"),
    [
        (None, False),
        (reconciled("2026-11-27 09:00"), True),
        (reconciled("2026-11-30 23:00"), True),
        (reconciled("2026-12-01 00:00"), False),
        (reconciled("2026-11-25 13:59"), False),
        (reconciled("2026-11-27 09:00", voided=True), False),
    ],
)
def test_a_visit_counts_once_the_medication_was_reconciled_by_its_day(reconciliation: Contact | None, met: bool) -> None:
    """CPT 99495 and 99496: no later than the date of the face-to-face visit."""
    contacts = [SEEN, *([reconciliation] if reconciliation else [])]
    for now, unmet in (("2026-12-01 12:00", ClockState.PENDING), ("2026-12-04 12:00", ClockState.OVERDUE)):
        clock = evaluate_clock(window(VISIT), contacts, local(now))
        assert clock.state is (ClockState.MET if met else unmet)
        assert (clock.satisfied_by == "v") is met
        assert ("topic_missing_by_day" in [reason.partition(":")[0] for reason in clock.reasons]) is not met
    together = replace(SEEN, content=reconciled("2026-11-30 10:00").content)
    assert evaluate_clock(window(VISIT), [together], local("2026-12-01")).state is ClockState.MET


SAFETY = "suicide_safety.contact_24h"
SCREENER, PLAN = ContactTopic.C_SSRS_LEVEL, ContactTopic.SAFETY_PLAN


def safety(at: str, contact_id: str, *topics: ContactTopic, **said: Any) -> Contact:
    return make_contact(f"2026-11-{at}", contact_id=contact_id, topics=topics, **said)


@pytest.mark.parametrize(
    ("contacts", "state", "satisfied_by", "reasons"),
    [
        ([safety("25 16:00", "a", SCREENER, PLAN)], "met", "a", ["met_by_contact"]),
        ([safety("25 16:00", "a", SCREENER), safety("26 10:00", "b", PLAN)], "met", "b", ["met_by_contact"]),
        ([safety("25 16:00", "a", PLAN), safety("26 10:00", "b", SCREENER), safety("26 11:00", "c", PLAN)], "met", "b", ["met_by_contact"]),
        ([safety("25 16:00", "a", SCREENER), safety("25 16:00", "b", PLAN)], "met", "b", ["met_by_contact"]),
        ([safety("25 16:00", "a", SCREENER), safety("25 17:00", "b")], "overdue", None, ["past_due", "topic_missing_yet"]),
        ([safety("25 16:00", "a", SCREENER), safety("26 14:01", "b", PLAN)], "missed", None, ["done_late"]),
        ([safety("26 14:01", "a", SCREENER)], "overdue", None, ["past_due", "topic_missing_yet"]),
        ([safety("25 16:00", "a", SCREENER), safety("26 10:00", "b", PLAN, voided=True)], "overdue", None,
         ["past_due", "topic_missing_yet"]),
        ([safety("25 13:00", "a", SCREENER), safety("26 10:00", "b", PLAN)], "overdue", None, ["past_due", "topic_missing_yet"]),
        # What is done with somebody else, or without being in touch, is not done with the person.
        ([safety("25 16:00", "a", SCREENER, with_whom=W.CAREGIVER), safety("26 10:00", "b", PLAN)], "overdue", None,
         ["past_due", "topic_missing_yet"]),
        ([safety("25 16:00", "a")], "overdue", None, ["past_due"]),
    ],
)  # fmt: skip
def test_the_screener_and_the_safety_plan_may_be_two_contacts(
    contacts: list[Contact], state: str, satisfied_by: str | None, reasons: list[str]
) -> None:
    clock = evaluate_clock(window(SAFETY), contacts, local("2026-11-27"))
    assert (clock.state, clock.satisfied_by) == (state, satisfied_by)
    assert [reason.partition(":")[0] for reason in clock.reasons] == reasons


def test_a_contact_says_what_it_did_not_do_of_what_several_may_do() -> None:
    counts = {one.id: counts_toward(one, window(SAFETY)) for one in (safety("25 16:00", "none"), safety("25 16:00", "half", PLAN))}
    assert [counts["none"].satisfies, counts["half"].satisfies] == [False, True]
    assert counts["none"].reasons == ("topic_missing: c_ssrs_level was not done", "topic_missing: safety_plan was not done")
    pending = evaluate_clock(window(SAFETY), [safety("25 16:00", "half", PLAN)], local("2026-11-26 12:00"))
    assert (pending.state, pending.reasons[1]) == (
        ClockState.PENDING, "topic_missing_yet: c_ssrs_level was not done, in this contact or in another one",
    )  # fmt: skip


TOPICS = st.lists(st.sampled_from([SCREENER, PLAN, ContactTopic.MED_REC]), max_size=2, unique=True)
AROUND_THE_DAY = st.integers(-2, 27).map(lambda hours: local(DISCHARGED) + timedelta(hours=hours))
SAFETY_CONTACTS = st.lists(
    st.builds(
        make_contact, AROUND_THE_DAY, contact_id=st.sampled_from("abcdefgh"), topics=TOPICS, voided=st.booleans(),
        outcome=st.sampled_from([O.REACHED, O.NO_ANSWER]),
    ),
    max_size=6, unique_by=lambda contact: contact.id,
)  # fmt: skip


@given(SAFETY_CONTACTS, st.randoms())
def test_both_by_the_due_time_in_whatever_contacts_and_order_is_met_by_the_one_that_completes_it(
    contacts: list[Contact], shuffled: object
) -> None:
    due = window(SAFETY)
    usable = [one for one in contacts if one.voided_at is None and one.outcome is O.REACHED and due.anchor_at <= one.occurred_at]
    done = [min(((one.occurred_at, one.id) for one in usable if one.did(topic)), default=None) for topic in (SCREENER, PLAN)]
    last = max(done) if None not in done else None  # type: ignore[type-var]  # none is None here
    shuffled.shuffle(contacts)  # type: ignore[attr-defined]  # a Random drawn by Hypothesis
    for at in (due.due_at - timedelta(hours=1), due.due_at + timedelta(days=2)):
        clock = evaluate_clock(due, contacts, at)
        in_time = last is not None and last[0] <= due.due_at
        assert (clock.state is ClockState.MET) is in_time
        assert (clock.met_at, clock.satisfied_by) == (last if in_time else (None, None))
    assert (clock.state is ClockState.MISSED) is (last is not None and not in_time), "done, but too late"


@given(CONTACTS)
def test_hours_count_elapsed_time(contacts: list[Contact]) -> None:
    due = window("mo_cmhc_hch.contact_72h")
    assert due.definition.unit is ClockUnit.HOURS
    assert due.due_at - due.anchor_at == timedelta(hours=72)
    moved = replace(due, anchor_at=due.anchor_at + timedelta(hours=1))
    assert sum(counts_toward(one, moved).satisfies for one in contacts) <= sum(counts_toward(one, due).satisfies for one in contacts)

"""A follow-up as a function of what happened: dispositions, cancels, readmissions, deaths, closings; any order, same answer."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.clock import ClockState
from app.domain.contact import Contact, ContactOutcome, ContactRole, ContactTopic, ContactType
from app.domain.course import Course
from app.domain.follow_up import FollowUpFacts, FollowUpFlag, FollowUpState, FollowUpView, contact_effects, evaluate
from app.domain.program import ProgramDefinition
from app.domain.stay import CareLevel, Disposition, Stay, StayClass
from app.standards.calendars import holiday_calendar
from app.standards.program_catalog import program_catalog
from tests.domain.follow_up_builders import EASTERN, local, make_contact, make_stay, make_visit

CATALOG = program_catalog()
S, C, D = FollowUpState, ClockState, Disposition


def program(program_id: str) -> ProgramDefinition:
    found = CATALOG.program(program_id, date(2026, 11, 20))
    assert found is not None
    return found


BHH = program("mainecare_bhh")
CONTACT, MEDICATION, WEEK, MONTH = (
    f"mainecare_bhh.{name}" for name in ("contact_2bd", "medication_review", "follow_up_7d", "follow_up_30d")
)
STAY = make_stay(admitted="2026-11-10", discharged="2026-11-18")
"""Wednesday noon to a follow-up due on Friday the 20th, the 25th and 18 December."""


def look(
    stay: Stay = STAY,
    now: str | datetime = "2026-11-19",
    *,
    contacts: Sequence[Contact] = (),
    stays: Sequence[Stay] = (),
    died: str | None = None,
    closed: str | None = None,
    told: str | None = None,
    programs: Sequence[ProgramDefinition] = (BHH,),
    calendar: str = "",
) -> FollowUpView:
    facts = FollowUpFacts(
        stay=stay,
        stays=Course(stays),
        died_at=local(died) if died else None,
        closed_at=local(closed) if closed else None,
        closed_reason="completed" if closed else "",
        notified_at=local(told) if told else None,
        home_calendar=calendar,
    )
    return evaluate(facts, programs, contacts, holiday_calendar, local(now) if isinstance(now, str) else now)


def states(view: FollowUpView) -> dict[str, ClockState]:
    return {clock.id.rpartition(".")[2]: clock.state for clock in view.clocks}


def test_a_discharge_opens_with_all_clocks_running() -> None:
    view = look()
    assert (view.state, view.anchor_on, view.superseded_by, view.flags) == (S.OPEN, date(2026, 11, 18), None, ())
    assert {clock.id: clock.due_at for clock in view.clocks} == {
        CONTACT: local("2026-11-20 23:59:59"),
        MEDICATION: local("2026-11-20 23:59:59"),
        WEEK: local("2026-11-25 23:59:59"),
        MONTH: local("2026-12-18 23:59:59"),
    }
    assert set(states(view).values()) == {C.PENDING}
    assert view.next_change_at == local("2026-11-21 00:00")


@pytest.mark.parametrize(
    ("disposition", "now", "state", "clocks", "flags", "reason"),
    [
        (D.HOME, "2026-11-19", S.OPEN, C.PENDING, (), "discharged"),
        (D.UNKNOWN, "2026-11-19", S.OPEN, C.PENDING, (), "discharged"),
        (D.AGAINST_ADVICE, "2026-11-19", S.OPEN, C.PENDING, (FollowUpFlag.AGAINST_ADVICE,), "discharged"),
        (D.TRANSFER, "2026-11-19 11:59", S.SUSPENDED, C.SUSPENDED, (), "transfer"),
        (D.TRANSFER, "2026-11-19 12:00", S.OPEN, C.PENDING, (FollowUpFlag.LOST_IN_TRANSFER,), "lost_in_transfer"),
        (D.ADMITTED_HERE, "2026-11-18 20:00", S.SUSPENDED, C.SUSPENDED, (), "transfer"),
        (D.NONACUTE, "2026-11-19", S.SUSPENDED, C.SUSPENDED, (), "nonacute"),
        (D.NONACUTE, "2027-01-19", S.SUSPENDED, C.SUSPENDED, (), "nonacute"),
        (D.HOSPICE, "2026-11-19", S.CLOSED, C.VOID, (), "hospice"),
        (D.DIED, "2026-11-19", S.CLOSED, C.VOID, (), "died"),
    ],
)
def test_where_the_stay_ended_to(
    disposition: Disposition, now: str, state: FollowUpState, clocks: ClockState, flags: tuple[FollowUpFlag, ...], reason: str
) -> None:
    view = look(replace(STAY, disposition=disposition), now)
    assert (view.state, set(states(view).values()), view.flags) == (state, {clocks}, flags)
    assert view.reasons[0].partition(":")[0] == reason


def test_clocks_lost_in_transfer_run_from_the_discharge() -> None:
    lost = look(replace(STAY, disposition=D.TRANSFER), "2026-11-19 12:00")
    assert [clock.due_at for clock in lost.clocks] == [clock.due_at for clock in look().clocks]
    waiting = look(replace(STAY, disposition=D.TRANSFER), "2026-11-18 13:00")
    assert waiting.next_change_at == local("2026-11-19 12:00")


def test_an_emergency_patient_sent_back_to_a_nursing_home_is_followed() -> None:
    view = look(make_visit("A", "2026-11-18", disposition=D.NONACUTE))
    assert view.state is S.OPEN


def test_a_follow_up_in_house_runs_no_clock() -> None:
    view = look(replace(STAY, discharged_at=None), "2026-11-12", contacts=[make_contact("2026-11-11")])
    assert (view.state, view.clocks, view.anchor_on, view.next_change_at) == (S.INPATIENT, (), None, None)


def test_a_cancelled_discharge_goes_back_in_house_and_a_new_one_anchors_anew() -> None:
    """F34: discharge on the 10th, cancelled, discharge on the 12th; a visit on the 11th earns nothing."""
    visit = make_contact("2026-11-11", type=ContactType.IN_PERSON_HOME)
    first = make_stay(admitted="2026-11-01", discharged="2026-11-10")
    assert states(look(first, "2026-11-11 13:00", contacts=[visit]))["contact_2bd"] is C.MET
    cancelled = make_stay(admitted="2026-11-01", discharged=None, discharge_cancelled="2026-11-10")
    back = look(cancelled, "2026-11-11 13:00", contacts=[visit])
    assert (back.state, set(states(back).values()), back.anchor_on) == (S.INPATIENT, {C.VOID}, None)
    assert [clock.due_at for clock in back.clocks] == [clock.due_at for clock in look(first, "2026-11-11").clocks]
    again = look(
        make_stay(admitted="2026-11-01", discharged="2026-11-12", discharge_cancelled="2026-11-10"), "2026-11-12 13:00", contacts=[visit]
    )
    assert (again.state, again.anchor_on, set(states(again).values())) == (S.OPEN, date(2026, 11, 12), {C.PENDING})
    effect = contact_effects(visit, again)[0]
    assert (effect.satisfies, effect.reasons[0].partition(":")[0]) == (False, "before_anchor")


def test_a_cancelled_admission_voids_everything() -> None:
    view = look(replace(STAY, cancelled=True), contacts=[make_contact("2026-11-19 09:00")])
    assert (view.state, set(states(view).values()), view.anchor_on) == (S.VOID, {C.VOID}, None)


READMITTED = make_stay("B", admitted="2026-11-24", discharged=None)


def test_a_readmission_supersedes_and_stops_the_clocks() -> None:
    view = look(now="2026-11-26", stays=[STAY, READMITTED], contacts=[make_contact("2026-11-19")])
    assert (view.state, view.superseded_by, view.flags) == (S.SUPERSEDED, "B", (FollowUpFlag.READMITTED,))
    assert states(view) == {"contact_2bd": C.MET, "medication_review": C.MISSED, "follow_up_7d": C.MET, "follow_up_30d": C.MET}
    assert view.next_change_at is None


def test_a_call_to_somebody_back_in_hospital_satisfies_nothing() -> None:
    back = make_stay("B", admitted="2026-11-19 10:00", discharged=None)
    bedside = make_contact("2026-11-19 15:00", type=ContactType.IN_PERSON_HOSPITAL)
    assert set(states(look(now="2026-11-20", stays=[back], contacts=[bedside])).values()) == {C.VOID}


def test_what_was_done_while_a_transfer_is_awaited_stays_done() -> None:
    moving = replace(STAY, disposition=D.TRANSFER)
    found = states(look(moving, "2026-11-18 15:00", contacts=[make_contact("2026-11-18 14:00")]))
    assert found == {"contact_2bd": C.MET, "medication_review": C.SUSPENDED, "follow_up_7d": C.SUSPENDED, "follow_up_30d": C.SUSPENDED}


@pytest.mark.parametrize(
    ("other", "superseded"),
    [
        (make_stay("B", admitted="2026-11-18 13:00", discharged=None), True),
        (make_stay("B", admitted="2026-12-18", discharged=None), True),
        (make_stay("B", admitted="2026-12-19", discharged=None), False),
        (make_stay("B", admitted="2026-11-24", discharged="2026-11-25"), True),
        (make_stay("B", admitted="2026-11-24", discharged=None, cancelled=True), False),
        (make_stay("B", admitted="2026-11-24", discharged=None, stay_class=StayClass.OBSERVATION), False),
        (make_stay("B", admitted="2026-11-24", discharged=None, stay_class=StayClass.OTHER), False),
        (make_visit("B", "2026-11-24"), False),
        (make_stay("B", admitted="2026-11-24", discharged=None, care_level=CareLevel.NONACUTE), True),
        (make_stay("B", admitted="2026-11-24", discharged=None, care_level=CareLevel.PSYCHIATRIC_RESIDENTIAL), False),
        (make_stay("B", admitted="2026-11-18 11:40", discharged="2026-11-22"), True),
        (make_stay("B", admitted="2026-11-17 23:30", discharged="2026-11-22"), True),
        (make_stay("B", admitted="2026-11-17 20:00", discharged="2026-11-18 08:00"), False),
        (make_stay("B", admitted="2026-11-12", discharged="2026-11-14"), False),
        (make_stay("B", admitted="2026-11-12", discharged=None), False),
        (make_stay("B", admitted="2026-10-01", discharged="2026-10-05"), False),
    ],
)
def test_which_stays_are_readmissions(other: Stay, superseded: bool) -> None:
    view = look(now="2026-12-20", stays=[other])
    assert (view.state is S.SUPERSEDED) is superseded


def test_a_readmission_that_is_cancelled_restores_everything() -> None:
    before = look(now="2026-11-26", contacts=[make_contact("2026-11-19")])
    assert look(now="2026-11-26", contacts=[make_contact("2026-11-19")], stays=[replace(READMITTED, cancelled=True)]) == before


def test_nobody_knows_of_a_readmission_before_it_happens() -> None:
    assert look(now="2026-11-23", stays=[READMITTED]).state is S.OPEN


def test_of_two_stays_each_on_the_others_heels_only_the_earlier_is_superseded() -> None:
    one = make_stay("A", admitted="2026-11-18 08:00", discharged="2026-11-18 09:00")
    twin = replace(one, id="B")
    found = {stay.id: look(stay, stays=[one, twin]).state for stay in (one, twin)}
    assert found == {"A": S.SUPERSEDED, "B": S.OPEN}


def test_an_emergency_visit_that_ends_in_an_admission_hands_over() -> None:
    visit = make_visit("A", "2026-11-18")
    admitted = make_stay("B", admitted="2026-11-18 14:00", discharged=None)
    boarded = make_stay("B", admitted="2026-11-18 12:00", discharged=None)
    for other in (admitted, boarded):
        view = look(visit, stays=[other])
        assert (view.state, view.superseded_by, view.reasons[0].partition(":")[0]) == (S.SUPERSEDED, "B", "admitted_after_emergency")


@pytest.mark.parametrize(
    ("disposition", "admitted", "reason", "flags"),
    [
        (D.TRANSFER, "2026-11-18 14:00", "transferred", ()),
        (D.NONACUTE, "2026-11-18 14:00", "transferred", ()),
        (D.TRANSFER, "2026-11-18 11:50", "transferred", ()),
        (D.TRANSFER, "2026-11-20 14:00", "readmitted", (FollowUpFlag.READMITTED,)),
        (D.HOME, "2026-11-18 14:00", "readmitted", (FollowUpFlag.READMITTED,)),
    ],
)
def test_a_transfer_that_arrives_is_no_readmission(
    disposition: Disposition, admitted: str, reason: str, flags: tuple[FollowUpFlag, ...]
) -> None:
    received = make_stay("B", admitted=admitted, discharged=None)
    view = look(replace(STAY, disposition=disposition), "2026-11-21", stays=[received])
    assert (view.state, view.superseded_by, view.reasons[0].partition(":")[0], view.flags) == (S.SUPERSEDED, "B", reason, flags)


def test_death_closes_and_keeps_what_was_done() -> None:
    view = look(now="2026-11-24", died="2026-11-23", contacts=[make_contact("2026-11-19", contact_id="call")])
    assert view.state is S.CLOSED
    assert states(view) == {"contact_2bd": C.MET, "medication_review": C.MISSED, "follow_up_7d": C.MET, "follow_up_30d": C.MET}
    assert look(now="2026-11-24", died="2026-11-19").clocks[0].state is C.VOID


def test_closing_by_the_home_hides_no_unmet_clock() -> None:
    view = look(now="2026-11-20 12:00", closed="2026-11-20 10:00", contacts=[make_contact("2026-11-19")])
    assert (view.state, view.reasons) == (S.CLOSED, ("closed_by_home: completed",))
    assert states(view) == {"contact_2bd": C.MET, "medication_review": C.MISSED, "follow_up_7d": C.MET, "follow_up_30d": C.MET}


def test_a_contact_after_the_closing_still_counts() -> None:
    review = make_contact("2026-11-20 15:00", role=ContactRole.RN, topics=[ContactTopic.MED_REC])
    assert states(look(now="2026-11-21", closed="2026-11-20 10:00", contacts=[review]))["medication_review"] is C.MET


def test_a_closing_before_the_discharge_that_stands_closes_nothing() -> None:
    assert look(closed="2026-11-15").state is S.OPEN


@pytest.mark.parametrize(
    ("closed", "readmitted", "died", "state"),
    [
        ("2026-11-20", "2026-11-24", None, S.CLOSED),
        ("2026-11-26", "2026-11-24", None, S.SUPERSEDED),
        (None, "2026-11-24", "2026-11-26", S.SUPERSEDED),
        (None, "2026-11-24", "2026-11-20", S.CLOSED),
    ],
)
def test_what_came_first_ended_it(closed: str | None, readmitted: str, died: str | None, state: FollowUpState) -> None:
    back = make_stay("B", admitted=readmitted, discharged=None)
    assert look(now="2026-11-28", closed=closed, died=died, stays=[back]).state is state


def test_a_program_whose_trigger_does_not_fit_adds_no_clock() -> None:
    visit = make_visit("A", "2026-11-18")
    assert look(visit, programs=[program("tcm")]).clocks == ()
    both = look(programs=[BHH, program("tcm")])
    assert [clock.id.partition(".")[0] for clock in both.clocks] == ["mainecare_bhh"] * 4 + ["tcm"] * 3


@pytest.mark.parametrize(
    ("program_id", "calendar", "due"),
    [
        ("health_home", "US", "2026-04-21"),
        ("health_home", "US-ME", "2026-04-22"),
        ("health_home", "CA-ON", "2026-04-21"),
        ("mainecare_bhh", "US", "2026-04-22"),
        ("mainecare_bhh", "US-NY", "2026-04-22"),
        ("masshealth_bhcp", "US-MA", "2026-04-22"),
    ],
)
def test_a_program_of_the_whole_country_keeps_the_holidays_of_the_homes_state(program_id: str, calendar: str, due: str) -> None:
    """Monday, 20 April 2026 is Patriots' Day in Maine and Massachusetts; MassHealth's three business days count holidays, too."""
    stay = make_stay(admitted="2026-04-10", discharged="2026-04-17")
    assert look(stay, "2026-04-18", programs=[program(program_id)], calendar=calendar).clocks[0].due_at == local(f"{due} 23:59:59")


def test_a_clock_from_the_notification_starts_when_the_home_was_told() -> None:
    york = [program("ny_health_home")]
    assert look(programs=york).clocks[0].due_at == local("2026-11-20 12:00")
    assert look(programs=york, told="2026-11-19 09:00").clocks[0].due_at == local("2026-11-21 09:00")
    assert look(programs=york, told="2026-11-17 09:00").clocks[0].due_at == local("2026-11-20 12:00"), "told before the discharge"


def test_the_facilitys_zone_decides_the_day() -> None:
    """T1 for clocks: 23:45 in the East anchors on the 20th although UTC has the 21st."""
    view = look(make_stay(admitted="2026-11-10", discharged="2026-11-20 23:45"), "2026-11-21")
    assert view.anchor_on == date(2026, 11, 20)
    assert view.clocks[2].due_at == local("2026-11-27 23:59:59")


def test_the_answer_says_what_a_contact_did() -> None:
    contact = make_contact("2026-11-19")
    effects = {effect.clock_id: effect for effect in contact_effects(contact, look(contacts=[contact]))}
    assert [effects[clock].satisfies for clock in (CONTACT, MEDICATION, WEEK, MONTH)] == [True, False, True, True]
    assert effects[MEDICATION].reasons[0].startswith("role_not_counted")
    message = make_contact("2026-11-19", outcome=ContactOutcome.LEFT_MESSAGE)
    effects = {effect.clock_id: effect for effect in contact_effects(message, look(contacts=[message]))}
    assert (effects[CONTACT].satisfies, effects[CONTACT].attempt) == (False, True)
    suspended = contact_effects(contact, look(replace(STAY, disposition=D.NONACUTE)))[0]
    assert (suspended.satisfies, suspended.clock_state, suspended.reasons[0].partition(":")[0]) == (False, C.SUSPENDED, "nonacute")


def test_the_attempt_with_which_enough_were_made_satisfies() -> None:
    tried = [make_contact(f"2026-11-19 {hour}:00", contact_id=f"t{hour}", outcome=ContactOutcome.NO_ANSWER) for hour in (10, 13, 16)]
    seen = look(now="2026-11-19 17:00", contacts=tried, programs=[program("tcm")])
    first, second, third = (next(one for one in contact_effects(each, seen) if one.clock_id == "tcm.contact_2bd") for each in tried)
    assert (first.satisfies, second.satisfies, third.satisfies) == (False, True, False)
    assert second.reasons == ("met_by_attempts: 2 separate attempts were made in time",)


def test_a_contact_told_twice_voided_and_not_is_voided() -> None:
    contact = make_contact("2026-11-19")
    voided = make_contact("2026-11-19", voided=True)
    for told in ([contact, voided], [voided, contact]):
        assert look(contacts=told) == look(contacts=[voided]) == look()


DAYS = st.integers(-5, 45).map(lambda day: local("2026-11-18 13:00") + timedelta(days=day))
CONTACTS = st.lists(
    st.builds(
        make_contact,
        DAYS,
        contact_id=st.sampled_from("abcdef"),
        type=st.sampled_from([ContactType.PHONE, ContactType.VIDEO, ContactType.VOICEMAIL]),
        outcome=st.sampled_from([ContactOutcome.REACHED, ContactOutcome.NO_ANSWER, ContactOutcome.ATTENDED]),
        role=st.sampled_from([ContactRole.RN, ContactRole.COORDINATOR]),
        topics=st.sampled_from([(), (ContactTopic.MED_REC,)]),
        voided=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda contact: contact.id,
)
STAYS = st.lists(
    st.builds(
        lambda stay_id, start, length, cancelled, care_level, stay_class: replace(
            make_stay(stay_id),
            admitted_at=start,
            discharged_at=None if length is None else start + timedelta(hours=length),
            cancelled=cancelled,
            care_level=care_level,
            stay_class=stay_class,
        ),
        st.sampled_from("BCDE"),
        DAYS,
        st.none() | st.integers(1, 200),
        st.booleans(),
        st.sampled_from(CareLevel),
        st.sampled_from([StayClass.INPATIENT, StayClass.EMERGENCY, StayClass.OBSERVATION]),
    ),
    max_size=4,
    unique_by=lambda stay: stay.id,
)


@settings(max_examples=150)
@given(CONTACTS, STAYS, st.sampled_from(Disposition), DAYS, st.randoms(), st.none() | st.just("2026-11-22"))
def test_order_and_repetition_of_what_happened_do_not_matter(
    contacts: list[Contact], stays: list[Stay], disposition: Disposition, now: datetime, shuffled: object, closed: str | None
) -> None:
    stay = replace(STAY, disposition=disposition)
    once = look(stay, now, contacts=contacts, stays=stays, closed=closed)
    again_contacts, again_stays = contacts * 2, [*stays, stay, *stays]
    shuffled.shuffle(again_contacts)  # type: ignore[attr-defined]  # a Random drawn by Hypothesis
    shuffled.shuffle(again_stays)  # type: ignore[attr-defined]  # as above
    assert look(stay, now, contacts=again_contacts, stays=again_stays, closed=closed) == once


@settings(max_examples=150)
@given(CONTACTS, STAYS, st.sampled_from(Disposition), DAYS)
def test_voiding_every_contact_restores_what_was_before_them(
    contacts: list[Contact], stays: list[Stay], disposition: Disposition, now: datetime
) -> None:
    stay = replace(STAY, disposition=disposition)
    voided = [replace(contact, voided_at=contact.recorded_at) for contact in contacts]
    assert look(stay, now, contacts=voided, stays=stays) == look(stay, now, stays=stays)


@settings(max_examples=150)
@given(CONTACTS, STAYS, st.sampled_from(Disposition), DAYS, st.none() | st.just("2026-11-22"))
def test_nothing_changes_before_the_next_change(
    contacts: list[Contact], stays: list[Stay], disposition: Disposition, now: datetime, closed: str | None
) -> None:
    """What the timer relies on: with the same facts known, the view stays as it is until the instant it names."""
    stay = replace(STAY, disposition=disposition)
    known_stays = [one for one in stays if one.admitted_at is not None and one.admitted_at <= now]
    closed = closed if closed and local(closed) <= now else None
    view = look(stay, now, contacts=contacts, stays=known_stays, closed=closed)
    horizon = view.next_change_at or now + timedelta(days=400)
    just_before = horizon - timedelta(microseconds=1)
    if just_before > now >= (stay.discharged_at or now):
        later = look(stay, just_before, contacts=contacts, stays=known_stays, closed=closed)
        assert (later.state, states(later), later.next_change_at) == (view.state, states(view), view.next_change_at)
    if view.next_change_at is not None:
        changed = look(stay, view.next_change_at, contacts=contacts, stays=known_stays, closed=closed)
        assert (changed.state, states(changed)) != (view.state, states(view))


def test_every_zone_gives_the_local_anchor() -> None:
    assert look().anchor_on == STAY.discharged_on == local("2026-11-18").astimezone(EASTERN).date()

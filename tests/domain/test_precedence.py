"""Which claim counts first, who leads a program, and when a claim is late (domain section 3.4): tables, and any order of the claims."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.attribution import Attribution, Learned, Role
from app.domain.precedence import Heard, Lateness, Precedence, PrecedenceError, lateness, leads
from app.standards.attribution_rules import precedence
from tests.domain.follow_up_builders import EASTERN

ORDER = precedence()
A, B, C = (UUID(int=number) for number in (1, 2, 3))
STRONGEST_FIRST = ("member_choice", "state_roster", "plan_assignment", "pcp_panel", "claims_plurality", "named_in_message")


def claim(
    organization: UUID, *, basis: str | None = None, role: str = Role.HEALTH_HOME, since: date = date(2026, 1, 1), number: int = 9
) -> Attribution:
    return Attribution(UUID(int=number), organization, UUID(int=100), "BHH", role, since, basis=basis)


def test_the_shipped_order_is_that_of_the_field() -> None:
    assert tuple(ground.basis for ground in ORDER.grounds) == STRONGEST_FIRST
    assert [ORDER.rank(claim(A, basis=basis)) for basis in STRONGEST_FIRST] == list(range(len(STRONGEST_FIRST)))


@pytest.mark.parametrize(
    ("said", "role", "basis"),
    [
        (None, Role.HEALTH_HOME, "state_roster"),
        (None, Role.BEHAVIORAL_HEALTH_HOME, "state_roster"),
        (None, Role.PLAN, "plan_assignment"),
        (None, Role.PCP, "pcp_panel"),
        ("Member-Choice", Role.PCP, "member_choice"),
        ("claims", Role.HEALTH_HOME, "claims_plurality"),
        ("LOYALTY", Role.HEALTH_HOME, "claims_plurality"),
        ("a word nobody knows", Role.PLAN, "plan_assignment"),
        ("named_in_message", Role.PCP, "named_in_message"),
    ],
)
def test_a_claim_rests_on_what_its_roster_says_or_on_its_role(said: str | None, role: Role, basis: str) -> None:
    assert ORDER.basis_of(claim(A, basis=said, role=role)).basis == basis


@pytest.mark.parametrize(
    ("first", "second", "lead", "why"),
    [
        (claim(A, basis="claims"), claim(B), B, "counts before"),
        (claim(B, basis="member_choice"), claim(A), B, "counts before"),
        (claim(A), claim(B, since=date(2026, 2, 1)), B, "the later counts"),
        (claim(A, since=date(2026, 3, 1)), claim(B, since=date(2026, 2, 1)), A, "the later counts"),
        (claim(B), claim(A), A, "the operator is asked"),
    ],
)
def test_one_home_leads_a_program(first: Attribution, second: Attribution, lead: UUID, why: str) -> None:
    found = leads([(first, ("bhh",)), (second, ("bhh",))], ORDER)
    assert found["bhh"].lead.organization_id == lead
    (other,) = found["bhh"].others
    assert why in found["bhh"].why_not(other, ORDER)


def test_homes_of_two_programs_both_lead() -> None:
    found = leads([(claim(A), ("bhh",)), (claim(B), ("tcm",))], ORDER)
    assert {program: led.lead.organization_id for program, led in found.items()} == {"bhh": A, "tcm": B}
    assert not any(led.others for led in found.values())


bases = st.sampled_from([None, *STRONGEST_FIRST])
claims_drawn = st.lists(
    st.builds(
        lambda organization, basis, since, number: (claim(organization, basis=basis, since=since, number=number), ("bhh", "tcm")),
        st.sampled_from([A, B, C]),
        bases,
        st.dates(date(2026, 1, 1), date(2026, 1, 4)),
        st.integers(1, 1000),
    ),
    min_size=1,
    max_size=6,
)


@given(claims_drawn, st.randoms(use_true_random=False))
def test_who_leads_does_not_depend_on_the_order_of_the_claims_or_on_their_ids(
    claims: list[tuple[Attribution, tuple[str, ...]]], chance: object
) -> None:
    shuffled = [(replace(one, id=UUID(int=2000 + at)), programs) for at, (one, programs) in enumerate(claims)]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]

    def told(found: object) -> list[tuple[str, UUID, list[UUID]]]:
        return [(name, led.lead.organization_id, [one.organization_id for one in led.others]) for name, led in found.items()]  # type: ignore[attr-defined]

    assert told(leads(claims, ORDER)) == told(leads(shuffled, ORDER))
    for led in leads(claims, ORDER).values():
        assert all(ORDER.order(led.lead) <= ORDER.order(one) for one in led.others)


OCCURRED = datetime(2026, 3, 6, 19, 25, tzinfo=UTC)
HEARD = OCCURRED + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("known_since", "expected"),
    [
        (None, Lateness.IN_TIME),
        (OCCURRED - timedelta(days=400), Lateness.IN_TIME),
        # After the event, before we heard of it: the message was late, and not the claim.
        (OCCURRED + timedelta(minutes=2), Lateness.IN_TIME),
        (HEARD, Lateness.IN_TIME),
        (HEARD + timedelta(minutes=1), Lateness.CATCH_UP),
        # By the calendar of the hospital: the evening of the thirtieth day, and after its midnight.
        (datetime(2026, 4, 6, 3, 59, tzinfo=UTC), Lateness.CATCH_UP),
        (datetime(2026, 4, 6, 4, 1, tzinfo=UTC), Lateness.TOO_LATE),
    ],
)
def test_a_claim_is_late_when_it_becomes_known_after_the_event_was_heard(known_since: datetime | None, expected: Lateness) -> None:
    found, reason = lateness(known_since, Heard(OCCURRED, HEARD, OCCURRED), EASTERN, ORDER)
    assert found is expected
    assert bool(reason) is (expected is not Lateness.IN_TIME)


def test_a_message_of_last_spring_is_no_late_claim() -> None:
    """Age alone withholds nothing: the claim was known long after the discharge, and before anybody told us of that."""
    heard = OCCURRED + timedelta(days=200)
    assert lateness(OCCURRED + timedelta(days=100), Heard(OCCURRED, heard, OCCURRED), EASTERN, ORDER)[0] is Lateness.IN_TIME


def test_nothing_about_a_stay_that_lasts_is_too_late() -> None:
    found, _ = lateness(OCCURRED + timedelta(days=90), Heard(OCCURRED, HEARD, None), EASTERN, ORDER)
    assert found is Lateness.CATCH_UP


def test_a_claim_that_is_only_said_anew_is_known_since_the_first_time() -> None:
    day, later = OCCURRED - timedelta(days=30), OCCURRED + timedelta(days=60)
    said_anew = replace(
        claim(A),
        learned=(
            Learned(later, date(2026, 1, 1), None),
            Learned(day, date(2026, 1, 1), None),
            Learned(day, date(2025, 1, 1), date(2025, 2, 1)),
        ),
    )
    assert said_anew.known_since(date(2026, 3, 6), later) == day
    assert said_anew.known_since(date(2025, 6, 1), later) is None


def test_an_order_without_a_ground_for_every_role_is_refused() -> None:
    with pytest.raises(PrecedenceError, match="no ground has the roles"):
        Precedence(version="x", grounds=(replace(ORDER.grounds[-1], roles=frozenset({Role.PLAN})),))
    with pytest.raises(PrecedenceError, match="the last ground"):
        Precedence(version="x", grounds=tuple(reversed(ORDER.grounds)))


def test_a_claim_that_was_taken_back_before_the_event_and_said_again_after_it_is_new() -> None:
    first, gone, event, again = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 5))
    spans = date(2026, 1, 1), None
    back = replace(claim(A), learned=(Learned(first, *spans, gone), Learned(again, *spans)))
    assert back.known_since(date(2026, 3, 1), event) == again
    # Where it was said when the event was heard, its coming back is no news: it was taken back by mistake.
    mistaken = replace(claim(A), learned=(Learned(first, *spans, event + timedelta(days=1)), Learned(again, *spans)))
    assert mistaken.known_since(date(2026, 3, 1), event) == first

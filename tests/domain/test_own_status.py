"""Whose own status is protected, and who may know whose patient somebody is."""

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from app.domain.consent import Category, Consent, ConsentKind, Purpose, RecipientClass
from app.domain.directory import Directory
from app.domain.organization import FacilityType, Organization, OrganizationKind, Part2Status
from app.domain.origin_registry import PlaceKind, Registration
from app.domain.own_status import Asking, hidden_from
from app.domain.privacy import Recipient
from app.domain.viewer import OPERATOR, Viewer
from app.standards.privacy_rules import privacy_law

NOW = datetime(2026, 3, 6, 20, tzinfo=UTC)
HOME, PLAN, OTHER = (UUID(int=number) for number in (1, 2, 3))
LAW = privacy_law()
PLAIN = Organization(HOME, "Home", OrganizationKind.HEALTH_HOME, NOW)
OPIOID = replace(PLAIN, program_roles=("opioid_health_home",))
AGENCY = replace(PLAIN, kind=OrganizationKind.BEHAVIORAL_HEALTH_HOME)
MAINE = Registration(UUID(int=9), HOME, PlaceKind.HOUSE, "", date(2020, 1, 1), None, Part2Status.NOT_PROGRAM, None, None, "us-me", NOW)
ENDED = replace(MAINE, part2_status=Part2Status.PROGRAM, privacy_pack=None, effective_to=date(2021, 1, 1))
TPO = Consent(
    UUID(int=8), ConsentKind.TPO, frozenset({Category.ALL}), frozenset(Purpose), date(2026, 1, 1),
    recipient_classes=frozenset({RecipientClass.HEALTH_PLANS}),
)  # fmt: skip
AS_PLAN, AS_HOME = Recipient(OrganizationKind.PLAN, PLAN), Recipient(OrganizationKind.HEALTH_HOME, OTHER)


@pytest.mark.parametrize(
    ("home", "registered", "consents", "plan_knows", "home_knows"),
    [
        (PLAIN, (), (), True, True),
        (AGENCY, (), (), True, True),
        (replace(PLAIN, part2_status=Part2Status.PROGRAM), (), (), False, False),
        (replace(PLAIN, part2_status=Part2Status.SUD_ONLY), (), (TPO,), True, False),
        (replace(PLAIN, part2_status=Part2Status.PROGRAM), (), (replace(TPO, discloser_id=HOME),), True, False),
        (replace(PLAIN, part2_status=Part2Status.PROGRAM), (), (replace(TPO, discloser_id=OTHER),), False, False),
        (replace(PLAIN, part2_status=Part2Status.PROGRAM), (), (replace(TPO, expires_on=date(2026, 3, 5)),), False, False),
        # Nobody has said that it is a program: what it does says enough to ask first.
        (OPIOID, (), (), False, False),
        (replace(OPIOID, part2_status=Part2Status.NOT_PROGRAM), (), (), True, True),
        (replace(PLAIN, facility_type=FacilityType.WITHDRAWAL_MANAGEMENT), (), (), False, False),
        # A community mental health agency, where a state's pack asks for an opt-in; a primary care home in the same state has none.
        (AGENCY, (MAINE,), (), False, False),
        (AGENCY, (MAINE,), (TPO,), True, False),
        (PLAIN, (MAINE,), (), True, True),
        # What it was names whoever was its patient then.
        (PLAIN, (ENDED,), (), False, False),
        # Who opted out of the exchange is named by no protected home either.
        (OPIOID, (), (TPO, replace(TPO, kind=ConsentKind.REFUSAL, recipient_classes=frozenset())), False, False),
    ],
)
def test_who_may_know_of_a_home(
    home: Organization, registered: tuple[Registration, ...], consents: tuple[Consent, ...], plan_knows: bool, home_knows: bool
) -> None:
    directory = Directory.of([home], [], {}, registrations=registered)
    asking = Asking(directory, LAW, NOW)
    assert asking.may_name(HOME, AS_PLAN, consents) is plan_knows
    assert asking.may_name(HOME, AS_HOME, consents) is home_knows
    # Itself always, and nobody is no secret.
    assert asking.may_name(HOME, Recipient(home.kind, HOME), consents)
    assert asking.may_name(None, AS_PLAN, consents)
    if not (plan_knows and home_knows):
        assert HOME in directory.reserved


def test_everybody_is_asked_about_but_the_operator_and_the_home_itself() -> None:
    directory = Directory.of([OPIOID, PLAIN, replace(OPIOID, id=OTHER)], [], {})
    directory = Directory.of([OPIOID, replace(OPIOID, id=OTHER)], [], {})
    assert hidden_from(OPERATOR, directory) == frozenset()
    assert hidden_from(Viewer(organization_id=HOME, scopes=frozenset()), directory) == {OTHER}

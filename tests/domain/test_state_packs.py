"""The packs of states as they are shipped: who signs for a minor, and what is told of HIV."""

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from app.domain.consent import Category, Consent, ConsentKind, Purpose, RecipientClass
from app.domain.consent_form import ConsentForm, Signature, Signer, Statement, faults, last_day
from app.domain.organization import OrganizationKind, Part2Status
from app.domain.privacy import Origin, Recipient, Tier, may_be_told
from app.standards.privacy_rules import privacy_law

LAW = privacy_law()
TODAY = date(2026, 3, 6)
NOW = datetime(2026, 3, 6, 20, 0, tzinfo=UTC)
HOME = Recipient(OrganizationKind.BEHAVIORAL_HEALTH_HOME, UUID(int=7))
PAPER = ConsentForm(
    kind=ConsentKind.NAMED,
    signed_on=TODAY,
    categories=frozenset({Category.ALL}),
    purposes=frozenset({Purpose.TREATMENT}),
    scope="my stays",
    discloser_id=UUID(int=3),
    recipients=(UUID(int=7),),
    signature=Signature.WRITTEN,
    expires_on=date(2030, 1, 1),
    statements=frozenset({Statement.RIGHT_TO_REVOKE}),
)
OBJECTS_NOT = PAPER.statements | {Statement.NO_OBJECTION}


@pytest.mark.parametrize(
    ("pack", "born", "signer", "statements", "field"),
    [
        # Illinois: from twelve the patient signs; a parent only while the patient does not object.
        ("us-il", date(2014, 3, 6), Signer.PATIENT, PAPER.statements, None),
        ("us-il", date(2014, 3, 7), Signer.PATIENT, PAPER.statements, "signed_by"),
        ("us-il", date(2014, 3, 7), Signer.PARENT, PAPER.statements, None),
        ("us-il", date(2014, 3, 6), Signer.PARENT, PAPER.statements, "statements"),
        ("us-il", date(2014, 3, 6), Signer.PARENT, OBJECTS_NOT, None),
        ("us-il", date(2008, 3, 7), Signer.GUARDIAN, PAPER.statements, "statements"),
        ("us-il", date(2008, 3, 6), Signer.PARENT, OBJECTS_NOT, "signed_by"),
        # Maine: from eighteen.
        ("us-me", date(2008, 3, 7), Signer.PATIENT, PAPER.statements, "signed_by"),
        ("us-me", date(2008, 3, 6), Signer.PATIENT, PAPER.statements, None),
        ("us-me", date(2008, 3, 7), Signer.PARENT, PAPER.statements, None),
        ("us-me", date(2008, 3, 6), Signer.PARENT, PAPER.statements, "signed_by"),
    ],
)
def test_who_signs_for_a_minor_is_the_states(
    pack: str, born: date, signer: Signer, statements: frozenset[Statement], field: str | None
) -> None:
    form = replace(PAPER, signed_by=signer, statements=statements)
    assert [name for name, _ in faults(form, TODAY, born, LAW.packs[pack].minors, LAW)] == ([field] if field else [])


def test_what_a_parent_signed_ends_when_the_patient_comes_of_age() -> None:
    by_parent = replace(PAPER, signed_by=Signer.PARENT)
    for pack in ("us-il", "us-me"):
        minors = LAW.packs[pack].minors
        assert last_day(by_parent, date(2009, 5, 1), minors) == date(2027, 4, 30)
        assert last_day(by_parent, date(2015, 5, 1), minors) == PAPER.expires_on
        assert last_day(PAPER, date(2009, 5, 1), minors) == PAPER.expires_on


def stay(*codes: str, consents: tuple[Consent, ...] = ()) -> Origin:
    """Give a stay at a general hospital in Maine."""
    return Origin(
        Part2Status.NOT_PROGRAM,
        substance_use_signal=False,
        mental_health_signal=False,
        codes=codes,
        pack=LAW.packs["us-me"],
        law=LAW,
        consents=consents,
        day=TODAY,
        now=NOW,
    )


@pytest.mark.parametrize("code", ["B20", "Z21", "O98711", "R75"])
def test_hiv_is_told_after_an_opt_in_and_hidden_before_without_showing_that_something_is(code: str) -> None:
    plain = may_be_told(stay("I10"), HOME)
    hidden = may_be_told(stay("I10", code), HOME)
    assert (plain.tier, hidden.tier, hidden.conceals, hidden.labels) == (Tier.FULL, Tier.MINIMAL, True, ("N",))
    opted_in = Consent(
        id=UUID(int=1),
        kind=ConsentKind.TPO,
        categories=frozenset({Category.HIV}),
        purposes=frozenset({Purpose.TREATMENT}),
        signed_on=TODAY,
        recipient_classes=frozenset({RecipientClass.TREATING_PROVIDERS}),
    )
    told = may_be_told(stay("I10", code, consents=(opted_in,)), HOME)
    assert (told.tier, "HIV" in told.labels, told.rules) == (Tier.FULL, True, ("us-me.hiv",))
    # An opt-in for something else, for somebody else or for another use is none.
    for other in (
        replace(opted_in, categories=frozenset({Category.MENTAL_HEALTH})),
        replace(opted_in, recipient_classes=frozenset({RecipientClass.HEALTH_PLANS})),
        replace(opted_in, purposes=frozenset({Purpose.PAYMENT})),
    ):
        assert may_be_told(stay("I10", code, consents=(other,)), HOME).conceals


@pytest.mark.parametrize("code", ["B209X", "Z20", "R7", "O98"])
def test_what_is_no_hiv_code_of_the_rule_is_none(code: str) -> None:
    is_hiv = code.startswith("B20")
    assert may_be_told(stay(code), HOME).conceals is is_hiv

"""May they be told: the whole table of origin, consent, recipient, purpose and state pack against an independent reading of the law."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest

from app.domain.consent import Category, Consent, ConsentKind, Purpose, RecipientClass
from app.domain.organization import OrganizationKind, Part2Status
from app.domain.privacy import Decision, Origin, Recipient, Tier, may_be_told, security_labels, travelling
from app.standards.privacy_rules import privacy_law
from tests.domain.privacy_reference import Paper, Question, expected

LAW = privacy_law()
ME, THERE, ELSEWHERE = UUID(int=1), UUID(int=2), UUID(int=3)
TODAY = date(2026, 6, 1)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)

PAPERS = (
    None,
    Paper("tpo", classes=("treating_providers",)),
    Paper("tpo", classes=("treating_providers", "health_plans")),
    Paper("tpo", about=("substance_use",), uses=("treatment",), classes=("treating_providers", "health_plans", "program_helpers")),
    Paper("tpo", about=("mental_health",), uses=("payment", "operations"), classes=("treating_providers", "health_plans")),
    Paper("named", names_me=True),
    Paper("named", names_me=True, last_day=TODAY),
    Paper("named", names_me=True, last_day=TODAY - timedelta(days=1)),
    Paper("named", names_me=True, about=("mental_health",), uses=("viewing",), last_day=date(2026, 12, 1)),
    Paper("named", names_me=True, by_other_place=True, last_day=date(2026, 12, 1)),
    Paper("named", names_me=True, signed=date(2025, 5, 31), last_day=date(2026, 12, 1)),
    Paper("named", names_me=True, signed=date(2026, 6, 2)),
    Paper("named", classes=("health_plans",), last_day=date(2026, 12, 1)),
    Paper("intermediary", about=("all",)),
    Paper("refusal", uses=()),
    Paper("refusal", uses=(), classes=("health_plans",)),
    Paper("refusal", uses=(), about=("mental_health",)),
    Paper("refusal", uses=("payment",), names_me=True),
    Paper("emergency", names_me=True),
    Paper("emergency", names_me=True, over=True),
    Paper("break_glass", names_me=True),
)


def consent_of(paper: Paper) -> Consent:
    """Write the paper in the words of the domain."""
    ends_at = None
    if paper.kind in ("emergency", "break_glass"):
        ends_at = NOW if paper.over else NOW + timedelta(minutes=1)
    return Consent(
        id=UUID(int=9),
        kind=ConsentKind(paper.kind),
        categories=frozenset(map(Category, paper.about)),
        purposes=frozenset(map(Purpose, paper.uses)),
        signed_on=paper.signed,
        discloser_id=ELSEWHERE if paper.by_other_place else THERE,
        recipients=frozenset({ME}) if paper.names_me else frozenset(),
        recipient_classes=frozenset(map(RecipientClass, paper.classes)),
        expires_on=paper.last_day,
        ends_at=ends_at,
        scope="the whole record",
    )


def decided(question: Question) -> Decision:
    """Ask the rule."""
    origin = Origin(
        Part2Status(question.status),
        question.sud,
        question.mental,
        question.unit,
        facility_id=THERE,
        mental_health_licensed=question.licensed,
        pack=LAW.packs[question.pack] if question.pack else None,
        law=LAW,
        consents=(consent_of(question.paper),) if question.paper else (),
        day=TODAY,
        now=NOW,
    )
    return may_be_told(origin, Recipient(OrganizationKind(question.who), ME), Purpose(question.use) if question.use else None)


@pytest.mark.parametrize("pack", [None, "us-me", "us-il"])
@pytest.mark.parametrize("who", [kind.value for kind in OrganizationKind])
def test_every_origin_consent_recipient_purpose_and_pack(pack: str | None, who: str) -> None:
    seen: Counter[str] = Counter()
    flags = (False, True)
    for status, unit, sud, mental, licensed, use, paper in product(
        [status.value for status in Part2Status], flags, flags, flags, flags, (None, "viewing"), PAPERS
    ):
        question = Question(status, unit, sud, mental, licensed, who, use, pack, paper)
        decision = decided(question)
        assert (decision.tier.value, frozenset(decision.labels)) == expected(question), question
        seen[decision.tier.value] += 1
        # What is protected carries notice and scope; nothing else does, and nothing that is hidden carries a word of it.
        labelled = "42CFRPart2" in decision.labels
        assert bool(decision.notices) is labelled, question
        assert decision.scope == "the whole record" if labelled else True
        assert bool(decision.consents) or not labelled
        assert decision.reasons
        assert decision.basis
        if decision.tier is Tier.SUPPRESS or decision.conceals:
            assert not decision.notices
            assert decision.scope is None
    assert {"full" if who in ("hospital", "health_home", "behavioral_health_home") else "minimal", "suppress"} <= seen.keys()


R_CASES = {
    "R1": (Question("not_program", False, True, False, False, "behavioral_health_home", None, None, None), "full", "full", {"R", "SUD"}),
    "R2": (Question("sud_only", False, True, False, False, "behavioral_health_home", None, None, None), "suppress", "suppress", set()),
    "R3": (
        Question("sud_only", False, True, False, False, "behavioral_health_home", None, None, PAPERS[2]),
        "full",
        "full",
        {"R", "SUD", "42CFRPart2"},
    ),
    "R12": (
        Question("sud_only", False, True, False, False, "plan", None, None, PAPERS[2]),
        "minimal",
        "full",
        {"R", "SUD", "42CFRPart2"},
    ),
    "R8": (
        Question("program", False, True, False, False, "hospital", None, None, Paper("emergency", names_me=True)),
        "full",
        "full",
        {"R", "SUD", "42CFRPart2"},
    ),
    "R9": (Question("not_program", False, False, True, True, "behavioral_health_home", None, "us-me", None), "suppress", "suppress", set()),
    "R10": (
        Question("not_program", False, False, True, True, "behavioral_health_home", None, "us-me", PAPERS[1]),
        "full",
        "full",
        {"R", "PSY"},
    ),
}


@pytest.mark.parametrize("case", R_CASES)
def test_the_routing_cases(case: str) -> None:
    """Domain section 6. A plan's full is cut to its status afterwards (45 CFR 164.502(b)): what the source permits is said apart."""
    question, told, permitted, labels = R_CASES[case]
    decision = decided(question)
    assert (decision.tier, decision.source_permits, set(decision.labels)) == (told, permitted, labels)
    assert expected(question)[0] == told
    part2 = "42CFRPart2" in labels
    assert [notice["code"] for notice in travelling(decision)["notices"]] == (["42CFR2.32(a)(1)"] if part2 else [])
    assert (travelling(decision)["consent_scope"] is not None) is part2 or case == "R10"


def test_labels_are_fhir_codings_and_part_2_carries_its_duties() -> None:
    said = security_labels(("R", "SUD", "42CFRPart2"))
    assert [one["code"] for one in said] == ["R", "SUD", "42CFRPart2", "NORDSCLCD", "PERSISTLABEL"]
    assert {one["system"].rpartition("/")[2] for one in said} == {"v3-Confidentiality", "v3-ActCode"}


def test_a_consent_that_reaches_nobody_in_particular_reaches_a_class() -> None:
    """Rates speak of nobody: a paper that names one organization does not open them for all of its kind."""
    origin = Origin(Part2Status.PROGRAM, True, False, law=LAW, day=TODAY, now=NOW)
    by_name, by_class = (consent_of(one) for one in (Paper("named", names_me=True), Paper("tpo", classes=("treating_providers",))))
    for paper, told in ((by_name, Tier.SUPPRESS), (by_class, Tier.FULL)):
        signed = Origin(
            origin.part2_status, True, False, facility_id=THERE, law=LAW, consents=(paper,), day=TODAY, now=NOW
        )  # fmt: skip
        assert may_be_told(signed, Recipient(OrganizationKind.HEALTH_HOME)).tier is told

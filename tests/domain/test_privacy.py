"""May they be told: every status of a source, with and without a substance-use signal, for every kind of recipient."""

from itertools import product

import pytest

from app.domain.organization import OrganizationKind, Part2Status
from app.domain.privacy import PROVIDER_KINDS, Origin, Recipient, Tier, may_be_told

EVERY = [(*one, kind) for one in product(Part2Status, (False, True), (False, True)) for kind in OrganizationKind]


@pytest.mark.parametrize(("status", "substance", "mental", "kind"), EVERY)
def test_the_source_decides_before_the_diagnosis_and_the_recipient(
    status: Part2Status, substance: bool, mental: bool, kind: OrganizationKind
) -> None:
    """Domain section 4.1, routing decision, while no consent is on file; domain rule 6."""
    decision = may_be_told(Origin(status, substance, mental), Recipient(kind))
    assert decision.reasons
    if status in (Part2Status.PROGRAM, Part2Status.SUD_ONLY):
        assert (decision.tier, decision.labels) == (Tier.SUPPRESS, ())
    elif status is Part2Status.UNKNOWN and substance:
        assert (decision.tier, decision.labels) == (Tier.HOLD, ())
    elif kind not in PROVIDER_KINDS:
        # The label itself would disclose.
        assert (decision.tier, decision.labels) == (Tier.MINIMAL, ("N",))
    else:
        expected = ("R" if substance or mental else "N", *(["SUD"] if substance else []), *(["PSY"] if mental else []))
        assert (decision.tier, decision.labels) == (Tier.FULL, expected)
    assert decision.tier.tells is (decision.tier not in (Tier.SUPPRESS, Tier.HOLD))


def test_plans_agencies_and_exchanges_are_no_providers() -> None:
    assert {OrganizationKind.HEALTH_HOME, OrganizationKind.BEHAVIORAL_HEALTH_HOME, OrganizationKind.HOSPITAL} == PROVIDER_KINDS

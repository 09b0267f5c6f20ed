"""Which law lists a disclosure (42 CFR 2.24, 45 CFR 164.528), and for what purpose each kind of organization is told."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.accounting import listed
from app.domain.audit import PURPOSES, Purpose
from app.domain.organization import OrganizationKind, Part2Status

NOW = datetime(2026, 3, 6, tzinfo=UTC)
THREE_YEARS_AGO = NOW - timedelta(days=3 * 365)


def test_every_kind_of_organization_has_its_purpose() -> None:
    assert set(PURPOSES) == set(OrganizationKind)
    assert PURPOSES[OrganizationKind.PLAN] is Purpose.PAYMENT


@pytest.mark.parametrize("origin", [None, *Part2Status])
def test_what_a_part_2_program_disclosed_is_on_the_list_of_three_years(origin: Part2Status | None) -> None:
    is_program = origin in (Part2Status.PROGRAM, Part2Status.SUD_ONLY)
    new = listed(OrganizationKind.HEALTH_HOME, origin, NOW, THREE_YEARS_AGO)
    old = listed(OrganizationKind.HEALTH_HOME, origin, THREE_YEARS_AGO - timedelta(days=1), THREE_YEARS_AGO)
    assert (new.is_part2, new.in_part2_list) == (is_program, is_program)
    assert (old.is_part2, old.in_part2_list) == (is_program, False)


def test_treatment_payment_and_operations_are_not_accounted_for_and_the_reason_is_said() -> None:
    for kind in OrganizationKind:
        found = listed(kind, None, NOW, THREE_YEARS_AGO)
        assert not found.in_accounting
        assert found.why_not is not None
        assert "164.528(a)(1)(i)" in found.why_not
        assert "164.506" in found.basis

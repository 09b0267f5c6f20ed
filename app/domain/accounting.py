"""The accounting of disclosures: which law asks for a disclosure to be listed, and why another does not. Pure.

42 CFR 2.24: an intermediary lists, for three years back, to whom it disclosed records of a Part 2 program: entity, date, description.
45 CFR 164.528: a covered entity accounts for six years, but not for treatment, payment and health care operations (164.528(a)(1)(i)),
which is all that recipients of this exchange are told for. Whoever asks is shown everything with its basis, and which list it is on.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.domain.audit import PURPOSES, Purpose
from app.domain.organization import OrganizationKind, Part2Status

_TPO: Final = {
    Purpose.TREATMENT: "treatment: 45 CFR 164.506(c)(1), (2)",
    Purpose.PAYMENT: "payment: 45 CFR 164.506(c)(1), (3)",
    Purpose.OPERATIONS: "health care operations: 45 CFR 164.506(c)(4)",
}

_NOT_LISTED: Final = "it was for treatment, payment or health care operations: 45 CFR 164.528(a)(1)(i)"


@dataclass(frozen=True, slots=True)
class Listed:
    """Where a disclosure is listed."""

    purpose: Purpose
    basis: str
    is_part2: bool
    in_part2_list: bool
    in_accounting: bool
    why_not: str | None
    """Why 45 CFR 164.528 does not list it."""


def listed(recipient: OrganizationKind, origin: Part2Status | None, at: datetime, part2_since: datetime) -> Listed:
    """Say where a disclosure to such a recipient, of records of such an origin, is listed."""
    purpose = PURPOSES[recipient]
    is_part2 = origin in (Part2Status.PROGRAM, Part2Status.SUD_ONLY)
    return Listed(purpose, _TPO[purpose], is_part2, is_part2 and at >= part2_since, in_accounting=False, why_not=_NOT_LISTED)

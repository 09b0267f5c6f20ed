"""May they be told, and how much: one pure decision per (event, recipient, purpose), with its reasons.

Called when queueing, at every send and at every read (DESIGN section 4). It knows the origin's 42 CFR Part 2 status and whether
the stay carries a substance-use signal; consent will widen it. Part 2 status comes from the source, never from the diagnosis
(domain rule 6). Not here: recipients' own wishes (`preference`), or how a tier is rendered (`notification`).
"""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.organization import OrganizationKind, Part2Status

RULE_VERSION = "privacy/2026-11"


class Tier(StrEnum):
    """How much may be told."""

    FULL = "full"
    MINIMAL = "minimal"
    """Person, hospital, event and date: no diagnosis, unit, service, practitioner or reason."""
    ID_ONLY = "id_only"
    """That something is there to be read by those who may."""
    SUPPRESS = "suppress"
    """Nothing at all, not even a number in the sequence."""
    HOLD = "hold"
    """Nothing until a person has looked."""

    @property
    def tells(self) -> bool:
        """Whether anything may leave."""
        return self in (Tier.FULL, Tier.MINIMAL, Tier.ID_ONLY)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the records come from, as the registry knows it."""

    part2_status: Part2Status
    substance_use_signal: bool
    mental_health_signal: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """The tier, the labels that travel with what is told, and the reasons with their sources."""

    tier: Tier
    reasons: tuple[str, ...]
    labels: tuple[str, ...] = ()


PROVIDER_KINDS = frozenset({OrganizationKind.HEALTH_HOME, OrganizationKind.BEHAVIORAL_HEALTH_HOME, OrganizationKind.HOSPITAL})


def may_be_told(origin: Origin, recipient: OrganizationKind) -> Decision:
    """Decide for an event of this origin and a recipient of this kind; the purpose follows from the kind.

    Providers are told for treatment (45 CFR 164.506(c)(1), no minimum necessary); plans and agencies for payment and
    operations, with the minimum necessary (45 CFR 164.502(b)).
    """
    if origin.part2_status in (Part2Status.PROGRAM, Part2Status.SUD_ONLY):
        return Decision(Tier.SUPPRESS, ("42 CFR 2.12, 2.13(c): the source is a Part 2 program and no consent is on file",))
    if origin.part2_status is Part2Status.UNKNOWN and origin.substance_use_signal:
        return Decision(
            Tier.HOLD, ("the source's Part 2 status is unknown and the stay carries a substance-use signal: a person must decide",)
        )
    labels = ["R"] if origin.substance_use_signal or origin.mental_health_signal else ["N"]
    if recipient not in PROVIDER_KINDS:
        return Decision(Tier.MINIMAL, ("45 CFR 164.502(b): minimum necessary for payment and operations",), ("N",))
    if origin.substance_use_signal:
        labels.append("SUD")
    if origin.mental_health_signal:
        labels.append("PSY")
    return Decision(Tier.FULL, ("45 CFR 164.506(c): treatment and care coordination",), tuple(labels))

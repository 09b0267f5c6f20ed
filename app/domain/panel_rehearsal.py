"""What a state pack would do to a panel: of how many members its owner would be told nothing of which stays, and why. Pure.

Asked of what the members have signed, not of stays that happened, so it can be asked before anything is registered or anybody is
discharged. Each rule of the pack stands for a stay that it concerns; beside them the federal rules ask for a stay at a Part 2 program.
Not here: the decision itself (privacy), or the stays of one facility (actions/rehearse_privacy).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from app.domain.consent import Category, Consent, Purpose, consent_of
from app.domain.organization import FacilityType, Organization, Part2Status
from app.domain.privacy import PROTECTED, PROVIDER_KINDS, Decision, Origin, may_be_told, recipient_of
from app.domain.privacy_law import Default, PrivacyLaw, StatePack, StateRule

PART2_PROGRAM: Final = "42CFRPart2"
"""The stay at a Part 2 program, which no pack has to name."""


@dataclass(frozen=True, slots=True)
class SignedAlike:
    """Members who have signed just the same."""

    members: int
    in_force: tuple[Consent, ...]
    waiting: tuple[Consent, ...]
    """Asserted by the panel's owner, and not reviewed yet."""


@dataclass(slots=True)
class RehearsedStay:
    """What would become of the members' stays of one sort."""

    rule: str
    """The id of the rule that concerns it."""
    source: str
    is_verified: bool
    told: int = 0
    """Of so many members, fully or as status."""
    minimal: int = 0
    """Of so many only that they were in the hospital, because nobody has agreed to more."""
    silent: int = 0
    silent_until_reviewed: int = 0
    """Of the silent, those whose paper would let it be told as soon as a person of the exchange accepts it."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why, by members."""


@dataclass(frozen=True, slots=True)
class PanelRehearsal:
    """What would become of a panel."""

    members: int
    silent: int
    """Of so many, of at least one of these stays nothing."""
    stays: Sequence[RehearsedStay]


def rehearse_panel(
    owner: Organization, signed: Iterable[SignedAlike], pack: StatePack | None, law: PrivacyLaw, *, day: date, now: datetime,
    facility_id: UUID | None = None,
) -> PanelRehearsal:  # fmt: skip
    """Decide for every sort of stay and every sort of paper. `facility_id`: as at this house, which some papers name."""
    recipient = recipient_of(owner)
    purposes = {Purpose.TREATMENT} if owner.kind in PROVIDER_KINDS else {Purpose.PAYMENT, Purpose.OPERATIONS}
    asked = [
        (RehearsedStay(rule.id, rule.source, rule.verified), _origin_of(rule))
        for rule in (pack.rules if pack is not None else ())
        if rule.default is Default.OPT_IN and rule.holds_on(day) and not rule.purposes.isdisjoint(purposes)
    ]
    program = Origin(Part2Status.PROGRAM, substance_use_signal=True, mental_health_signal=False)
    asked.append((RehearsedStay(PART2_PROGRAM, "42 CFR 2.12, 2.13(c)", is_verified=False), program))
    asked = [(stay, replace(one, facility_id=facility_id, pack=pack, law=law, day=day, now=now)) for stay, one in asked]
    members = silent = 0
    for alike in signed:
        members += alike.members
        is_silent = False
        for stay, origin in asked:

            def decide(papers: tuple[Consent, ...], origin: Origin = origin) -> Decision:
                return may_be_told(replace(origin, consents=papers), recipient)

            decision = decide(alike.in_force)
            if decision.tier.tells:
                stay.minimal += alike.members * decision.conceals
                stay.told += alike.members * (not decision.conceals)
                continue
            is_silent = True
            stay.silent += alike.members
            stay.reasons[decision.reasons[0].removeprefix(PROTECTED)] += alike.members
            if alike.waiting and decide((*alike.in_force, *alike.waiting)).tier.tells:
                stay.silent_until_reviewed += alike.members
        silent += alike.members * is_silent
    return PanelRehearsal(members, silent, [stay for stay, _ in asked])


def _origin_of(rule: StateRule) -> Origin:
    """Give a stay that the rule concerns, at a place that federal law does not single out."""
    return Origin(
        Part2Status.NOT_PROGRAM,
        substance_use_signal=rule.category is Category.SUBSTANCE_USE,
        mental_health_signal=rule.category is Category.MENTAL_HEALTH,
        facility_type=min(rule.facility_types, default=FacilityType.UNKNOWN),
        mental_health_licensed=rule.licensed,
        codes=rule.diagnoses[:1],
    )


def read_alike(papers: Sequence[Mapping[str, Any]], members: int) -> SignedAlike:
    """Read what the store gives of members who have signed the same."""
    read = [(one["state"], consent_of(one)) for one in papers]
    return SignedAlike(
        members,
        tuple(paper for state, paper in read if state == "active"),
        tuple(paper for state, paper in read if state != "active"),
    )

"""Why them, and why not them: everybody who claims, or is named, for a stay, and whoever is asked about, each with the reasons.

Two answers side by side: what the rules say now, and the ledger of what was decided when. So what was never looked at again (a claim
that became known long after the stay) is answered too. Read only. Not here: deciding (attribute gives `desired`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from app.domain.answer import Answer, denied_of
from app.domain.attribution import Attribution
from app.domain.directory import Directory
from app.domain.feed import FeedMode
from app.domain.interpreted import KEPT_APART
from app.domain.measure_history import birth_on
from app.domain.named_provider import named_providers
from app.domain.notification import Desired
from app.domain.organization import Organization
from app.domain.responsible_home import responsible_homes
from app.domain.rulebook import Rulebook
from app.domain.stay_in_hand import StayInHand, stay_for_rules
from app.store import attribution_reads, people
from app.store.attribution_reads import StoredClaim
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class Candidate:
    """One organization that could have been told, or was asked about."""

    organization: Organization
    is_told: bool
    """The rules tell it something of the stay now."""
    why: tuple[str, ...]
    desired: Sequence[Desired]
    ledger: Sequence[Mapping[str, Any]]
    claims: Sequence[StoredClaim]
    follow_up: Mapping[str, Any] | None


async def explain_attribution(  # the stay, what is known of it, and what is asked
    raw: Raw,
    stay: StayInHand,
    claimed: Sequence[Attribution],
    desired: Sequence[Desired],
    answered: Mapping[tuple[UUID, UUID], Answer],
    directory: Directory,
    rulebook: Rulebook,
    *,
    only: UUID | None,
) -> list[Candidate]:
    """Give every candidate of a stay, or the one that is asked about, claimed or not. Four statements."""
    ledger = await attribution_reads.ledger_of(raw, stay.id)
    stored = await attribution_reads.claims_on(raw, stay.person_id)
    follow_ups = await attribution_reads.follow_ups_of(raw, stay.id)
    named = {claim.organization_id: claim for claim in named_providers(stay, directory, rulebook.precedence)}
    records = await people.describe(raw, [stay.person_id])
    rules = stay_for_rules(stay, rulebook, birth_on(records.get(stay.person_id, ())))
    known = [one.recipient_id for one in desired] + [line["recipient_id"] for line in ledger] + [claim.organization_id for claim in stored]
    wanted = [only] if only is not None else sorted({*known, *named})
    day = rules.discharged_on or rules.admitted_on
    denied = denied_of(stay.id, day, answered)
    why_not = responsible_homes(stay, rules, claimed, directory, rulebook, denied=denied).why_not
    candidates = []
    for organization_id in wanted:
        organization = directory.organizations.get(organization_id)
        if organization is None:
            continue
        mine = [one for one in desired if one.recipient_id == organization_id]
        claims = [claim for claim in stored if claim.organization_id == organization_id]
        why = _why(mine, claims, day, is_named=organization_id in named, is_test=stay.mode == FeedMode.TEST)
        candidates.append(
            Candidate(
                organization,
                is_told=any(one.tells for one in mine),
                why=(*why, *((why_not[organization_id],) if organization_id in why_not else ())),
                desired=mine,
                ledger=[line for line in ledger if line["recipient_id"] == organization_id],
                claims=claims,
                follow_up=follow_ups.get(organization_id),
            )
        )
    return candidates


def _why(desired: Sequence[Desired], claims: Sequence[StoredClaim], day: date | None, *, is_named: bool, is_test: bool) -> tuple[str, ...]:
    """Say in one or a few sentences why the organization is told, or why it is not."""
    if is_test:
        return (f"test: {KEPT_APART.text}",)
    if desired:
        return tuple(dict.fromkeys(reason for one in desired for reason in one.reasons))
    standing = [claim for claim in claims if claim.retracted_at is None]
    if day is None:
        return ("no_event: nothing of the stay stands that anybody could be told of",)
    if standing:
        spans = ", ".join(sorted({f"{claim.effective_from} to {claim.effective_to or 'open'}" for claim in standing}))
        return (f"not_on_the_day: its claims ({spans}) do not hold on {day}",)
    if claims:
        return ("retracted: its owner no longer upholds the claim",)
    if is_named:
        return (f"not_on_the_day: the practitioner whom the message names does not work there on {day}",)
    return ("no_claim: no panel of this organization names the person, and no message names a practitioner of it",)

"""Room 6: for every event of a stay, who is responsible on its day, whether they may be told and wish to be.

Pure but for one read: the claims on the people of the batch. The result is what *should* stand with each recipient; what has
been told already is room 7's business.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from app.domain.attribution import Attribution, responsible_on
from app.domain.directory import Directory
from app.domain.happening import Happening, Kind, happenings
from app.domain.notification import Desired, Withheld, digest_of
from app.domain.panel_standing import EXPIRED_WORDS
from app.domain.preference import Question, wished
from app.domain.privacy import Tier, may_be_told
from app.domain.program import ProgramCatalog
from app.domain.stay_in_hand import StayInHand
from app.store import claims
from app.store.raw import Raw


async def claims_on(raw: Raw, stays: Sequence[StayInHand]) -> dict[UUID, list[Attribution]]:
    """Load who claims the people of these stays. One statement."""
    return await claims.of_people(raw, {stay.person_id for stay in stays})


def attribute(stay: StayInHand, claimed: Sequence[Attribution], directory: Directory, programs_known: ProgramCatalog) -> list[Desired]:
    """Give what should stand with every organization that claims the person on the day of each event of the stay."""
    desired: list[Desired] = []
    events = happenings(stay.view, behavioral_kind=stay.signal.kind, has_summary=stay.has_summary)
    # A death is told beside the discharge and has no news of its own: a diagnosis that is coded late is still news of the discharge.
    lasting = [event for event in events if event.kind is not Kind.DIED]
    for happening in events:
        is_latest = happening is events[-1] or happening in lasting[-1:]
        for organization_id, grounds in responsible_on(claimed, stay.day_of(happening.occurred_at)).items():
            if organization_id in directory.organizations:
                desired.append(_desired(stay, happening, organization_id, grounds, directory, programs_known, is_latest=is_latest))
    return desired


def _desired(
    stay: StayInHand,
    happening: Happening,
    recipient_id: UUID,
    grounds: Sequence[Attribution],
    directory: Directory,
    programs_known: ProgramCatalog,
    *,
    is_latest: bool,
) -> Desired:
    recipient = directory.organizations[recipient_id]
    decision = may_be_told(stay.origin, recipient.kind)
    facility_id = stay.facility.id if stay.facility else None
    programs = frozenset(name.upper() for ground in grounds for name in (ground.program, *programs_known.ids_named(ground.program)))
    rules: Sequence[Mapping[str, object]] = directory.preferences.get(recipient_id, ())
    wish = wished(rules, Question(happening.words, happening.encounter_class, programs, facility_id, recipient_id))
    outcome: str = decision.tier
    remark = f"; {EXPIRED_WORDS}" if recipient_id in directory.expired_panels else ""
    reasons = (*decision.reasons, wish.reason, f"claimed as {grounds[0].role} for {grounds[0].program}{remark}")
    if decision.tier.tells and not wish.wanted:
        outcome, reasons = Withheld.PREFERENCE, (wish.reason,)
    elif decision.tier.tells and stay.mode != "live":
        outcome, reasons = Withheld.NOT_LIVE, (f"{stay.mode} messages are told to nobody",)
    elif decision.tier.tells and stay.is_past(happening.kind, happening.occurred_at):
        outcome, reasons = Withheld.NOT_LIVE, ("it was heard before the feed went live",)
    return Desired(
        recipient_id=recipient_id,
        kind=happening.kind,
        type=happening.type,
        occurred_at=happening.occurred_at,
        decision=outcome,
        reasons=reasons,
        attribution_id=grounds[0].id,
        digest=_digest(stay, happening, outcome),
        is_latest=is_latest,
        encounter_class=happening.encounter_class.value,
    )


def _digest(stay: StayInHand, happening: Happening, decision: str) -> bytes:
    """Hash what the recipient sees: first what the event is, then what is told with it. What a tier hides is no news to them."""
    event: dict[str, object] = {
        "tier": decision,
        "at": happening.occurred_at,
        "person": stay.person_id.hex,
        "facility": stay.facility.id.hex if stay.facility else stay.facility_text,
    }
    if decision == Tier.FULL:
        event["class"] = happening.encounter_class
    return digest_of(event) + digest_of(happening.news if decision == Tier.FULL else {})

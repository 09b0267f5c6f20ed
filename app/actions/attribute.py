"""Room 6: for every event of a stay, who is responsible on its day, whether they may be told and wish to be.

Pure but for one read: the claims on the people of the batch. The result is what *should* stand with each recipient; what has
been told already is room 7's business.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from uuid import UUID

from app.domain.answer import Answer, AnswerKind
from app.domain.attribution import HOME_ROLES, Attribution, responsible_on
from app.domain.directory import Directory
from app.domain.happening import Happening, Kind, happenings
from app.domain.named_provider import named_providers
from app.domain.notification import Desired, Withheld, digest_of
from app.domain.own_status import may_name
from app.domain.panel_standing import EXPIRED_WORDS
from app.domain.precedence import Lateness, Led
from app.domain.preference import Question, wished
from app.domain.privacy import Tier, may_be_told, recipient_of
from app.domain.responsible_home import lateness_of, led_on
from app.domain.rulebook import Rulebook
from app.domain.stay_in_hand import StayInHand
from app.domain.telling import claimed_as
from app.store import claims
from app.store.raw import Raw


async def claims_on(raw: Raw, stays: Sequence[StayInHand]) -> dict[UUID, list[Attribution]]:
    """Load who claims the people of these stays. One statement."""
    return await claims.of_people(raw, {stay.person_id for stay in stays})


def attribute(
    stay: StayInHand,
    claimed: Sequence[Attribution],
    directory: Directory,
    rulebook: Rulebook,
    answers: Mapping[tuple[UUID, UUID], Answer] = MappingProxyType({}),
) -> list[Desired]:
    """Give what should stand with every organization that claims the person, or is named, on the day of each event of the stay.

    `answers`: what recipients answered; who said that it is not theirs, and was found right, is told no more.
    """
    desired: list[Desired] = []
    events = happenings(stay.view, behavioral_kind=stay.signal.kind, has_summary=stay.has_summary)
    # A death is told beside the discharge and has no news of its own: a diagnosis that is coded late is still news of the discharge.
    lasting = [event for event in events if event.kind is not Kind.DIED]
    grounds_known = [*claimed, *named_providers(stay, directory, rulebook.precedence)]
    if not grounds_known:
        return desired
    for happening in events:
        is_latest = happening is events[-1] or happening in lasting[-1:]
        day = stay.day_of(happening.occurred_at)
        responsible = responsible_on(grounds_known, day)
        led = led_on(day, [ground for grounds in responsible.values() for ground in grounds], directory, rulebook)
        for organization_id, grounds in responsible.items():
            if organization_id in directory.organizations:
                ordered = sorted(grounds, key=rulebook.precedence.order)
                answer = answers.get((stay.id, organization_id))
                denial = answer.kind if answer is not None and answer.denies(day) else None
                standing = _Standing(ordered[0], *_leads(stay, organization_id, ordered, led, directory), day, denial)
                desired.append(_desired(stay, happening, ordered, standing, directory, rulebook, is_latest=is_latest))
    return desired


@dataclass(frozen=True, slots=True)
class _Standing:
    """As what a recipient stands to the person on the day of an event."""

    ground: Attribution
    lead: bool | None
    led_by: UUID | None
    day: date
    denial: AnswerKind | None = None


def _leads(
    stay: StayInHand, organization_id: UUID, grounds: Sequence[Attribution], led: Mapping[str, Led], directory: Directory
) -> tuple[bool | None, UUID | None]:
    """Tell whether a home leads one of its programs, and who does where it does not.

    None for who is no home, and where only a home leads that it may not know of.
    """
    if all(ground.role not in HOME_ROLES for ground in grounds):
        return None, None
    mine = [one for one in led.values() if organization_id in {claim.organization_id for claim in (one.lead, *one.others)}]
    reader = directory.organizations[organization_id]
    mine = [one for one in mine if may_name(one.lead.organization_id, reader, stay, directory)]
    if not mine:
        return None, None
    leads = any(one.lead.organization_id == organization_id for one in mine)
    return leads, None if leads else mine[0].lead.organization_id


def _desired(
    stay: StayInHand,
    happening: Happening,
    grounds: Sequence[Attribution],
    standing: _Standing,
    directory: Directory,
    rulebook: Rulebook,
    *,
    is_latest: bool,
) -> Desired:
    ground = standing.ground
    recipient_id = ground.organization_id
    recipient = directory.organizations[recipient_id]
    decision = may_be_told(stay.origin, recipient_of(recipient))
    facility_id = stay.facility.id if stay.facility else None
    programs = frozenset(name.upper() for one in grounds for name in (one.program, *rulebook.programs.ids_named(one.program)))
    rules: Sequence[Mapping[str, object]] = directory.preferences.get(recipient_id, ())
    wish = wished(rules, Question(happening.words, happening.encounter_class, programs, facility_id, recipient_id))
    late, late_reason = lateness_of(ground, stay, happening.kind, standing.day, rulebook)
    outcome: str = decision.tier
    why = rulebook.precedence.basis_of(ground)
    remark = f"; {EXPIRED_WORDS}" if recipient_id in directory.expired_panels else ""
    told_as = f"{claimed_as(ground, why, standing.lead)}{remark}"
    reasons = (*decision.reasons, wish.reason, *((late_reason,) if late_reason else ()), told_as)
    if decision.lacks_agreement:
        outcome = Withheld.AGREEMENT
    elif decision.tier.tells and not wish.wanted:
        outcome, reasons = Withheld.PREFERENCE, (wish.reason,)
    elif decision.tier.tells and stay.mode != "live":
        outcome, reasons = Withheld.NOT_LIVE, (f"{stay.mode} messages are told to nobody",)
    elif decision.tier.tells and stay.is_past(happening.kind, happening.occurred_at):
        outcome, reasons = Withheld.NOT_LIVE, ("it was heard before the feed went live",)
    elif decision.tier.tells and standing.denial is not None:
        outcome, reasons = Withheld.ANSWERED, (f"answered: {standing.denial.value}, found right",)
    elif decision.tier.tells and late is Lateness.TOO_LATE:
        outcome, reasons = Withheld.LATE, (late_reason,)
    return Desired(
        recipient_id=recipient_id,
        kind=happening.kind,
        type=happening.type,
        occurred_at=happening.occurred_at,
        decision=outcome,
        reasons=reasons,
        attribution_id=ground.id,
        digest=_digest(stay, happening, outcome, standing.lead),
        is_latest=is_latest,
        encounter_class=happening.encounter_class.value,
        ground=ground,
        lead=standing.lead,
        led_by=standing.led_by,
        catch_up=late is Lateness.CATCH_UP,
    )


def _digest(stay: StayInHand, happening: Happening, decision: str, lead: bool | None) -> bytes:  # noqa: FBT001 - one private reader
    """Hash what the recipient sees: first what the event is, then what is told with it. What a tier hides is no news to them."""
    event: dict[str, object] = {
        "tier": decision,
        "at": happening.occurred_at,
        "person": stay.person_id.hex,
        "facility": stay.facility.id.hex if stay.facility else stay.facility_text,
    }
    if lead is False:
        # Who leads is news: whoever does not follows nobody up.
        event["lead"] = False
    if decision == Tier.FULL:
        event["class"] = happening.encounter_class
    return digest_of(event) + digest_of(happening.news if decision == Tier.FULL else {})

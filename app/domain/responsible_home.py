"""The homes that follow a stay up: responsible on its day, leading a program, allowed to be told, and not too late. Pure.

A home that claims a person beside a stronger one is told of the stay and follows nobody up: one home leads each program (precedence).
Not here: what a follow-up asks for (program, follow_up), or the follow-ups that are stored (keep_follow_ups).
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.domain.attribution import HOME_ROLES, Attribution, Role, is_claimed_by, responsible_on
from app.domain.directory import Directory
from app.domain.happening import Kind
from app.domain.organization import COVERING_KINDS, Organization
from app.domain.own_status import may_name
from app.domain.precedence import Heard, Lateness, Led, lateness, leads
from app.domain.privacy import Recipient, may_be_told
from app.domain.program import ProgramCatalog, ProgramDefinition, normalized_program
from app.domain.rulebook import Rulebook
from app.domain.stay import Stay, StayClass
from app.domain.stay_in_hand import StayInHand

NOT_FOLLOWED_UP = "not_followed_up: the stay is not, or no longer, one that opens a follow-up"
OPENING_CLASSES = frozenset({StayClass.INPATIENT, StayClass.OBSERVATION})
"""An admission of these opens a follow-up before the discharge; an emergency visit opens one when it ends."""


@dataclass(frozen=True, slots=True)
class Home:
    """A responsible home on the day of a stay, and the programs under which it follows the person up."""

    home_id: UUID | None
    programs: tuple[ProgramDefinition, ...]
    claim: Attribution | None
    is_former: bool = False
    """It has a follow-up of the stay, and is not responsible any more. Nobody is former too, once there is a home."""
    reason: str = ""
    """Why a former home is one, where that is more than that its claim is gone."""

    def qualifies(self, rules: Stay) -> bool:
        """Tell whether a stay that stands asks for a follow-up: whichever of its messages came first, the answer is the same."""
        if rules.discharged_at is None:
            return rules.stay_class in OPENING_CLASSES
        if rules.stay_class is StayClass.OTHER:
            return False
        return self.home_id is None or any(program.clocks_for(rules) for program in self.programs)

    def program_ids(self, rules: Stay) -> list[str]:
        """Give the ids of its programs, those that join last, and only where they start something."""
        own = sorted(program.id for program in self.programs if not program.joins)
        return own + sorted(program.id for program in self.programs if program.joins and program.clocks_for(rules))


@dataclass(frozen=True, slots=True)
class Responsible:
    """The homes of one stay, who else claims to be one, and why they are not."""

    homes: list[Home]
    led: Mapping[str, Led]
    why_not: Mapping[UUID, str]
    """Home -> why it has no follow-up although it claims the person."""


def programs_of(claim: Attribution, organization: Organization, day: date, catalog: ProgramCatalog) -> dict[str, ProgramDefinition]:
    """Give the programs that a claim is for, each by what two homes have to share to be in each other's way.

    The default program stands for every name that nobody knows: two unknown names are two programs.
    """
    choice = catalog.choose(claim.program, day, organization_kind=organization.kind, organization_roles=organization.program_roles)
    unknown = f"{catalog.default_id}:{normalized_program(claim.program)}"
    return {unknown if program.id == catalog.default_id else program.id: program for program in choice.programs}


def led_on(day: date, claims: Iterable[Attribution], directory: Directory, rulebook: Rulebook) -> dict[str, Led]:
    """Give who leads each program of a person, of claims that hold on the day."""
    wanted = []
    for claim in claims:
        organization = directory.organizations.get(claim.organization_id)
        if organization is not None and claim.role in HOME_ROLES:
            wanted.append((claim, tuple(programs_of(claim, organization, day, rulebook.programs))))
    return leads(wanted, rulebook.precedence)


def lateness_of(claim: Attribution, stay: StayInHand, kind: Kind, day: date, rulebook: Rulebook) -> tuple[Lateness, str]:
    """Judge when a claim became known, seen from an event of the stay."""
    at = stay.view.discharged_at if kind is Kind.DISCHARGED else None
    occurred_at = at or stay.view.admitted_at or stay.view.discharged_at
    if occurred_at is None:
        return Lateness.IN_TIME, ""
    heard = Heard(occurred_at, stay.heard.get(kind), stay.view.discharged_at)
    return lateness(claim.known_since(day, heard.known_at), heard, stay.zone, rulebook.precedence)


def responsible_homes(
    stay: StayInHand,
    rules: Stay,
    claimed: Sequence[Attribution],
    directory: Directory,
    rulebook: Rulebook,
    *,
    denied: AbstractSet[UUID] = frozenset(),
) -> Responsible:
    """Give the homes responsible on the day the stay ended, or began while it lasts; none but a plan gives the follow-up without a home.

    `denied`: homes that answered that the person is not theirs, and were found right.
    """
    day = rules.discharged_on or rules.admitted_on
    if day is None:
        return Responsible([], {}, {})
    event = Kind.DISCHARGED if rules.discharged_on else Kind.ADMITTED
    by_organization = {one: grounds for one, grounds in responsible_on(claimed, day).items() if one in directory.organizations}
    as_home: dict[UUID, list[Attribution]] = {}
    origin = stay.origin
    why_not: dict[UUID, str] = {}
    for organization_id, grounds in by_organization.items():
        # Without an agreement a home is told nothing; responsible it is, and its clocks run.
        if not may_be_told(origin, Recipient(directory.organizations[organization_id].kind, organization_id)).tier.tells:
            continue
        for ground in sorted((one for one in grounds if one.role in HOME_ROLES), key=rulebook.precedence.order):
            late, reason = lateness_of(ground, stay, event, day, rulebook)
            if organization_id in denied:
                why_not[organization_id] = "answered: the home said that this person is not theirs, and was found right"
            elif late is Lateness.TOO_LATE:
                why_not[organization_id] = reason
            else:
                as_home.setdefault(organization_id, []).append(ground)
    led = led_on(day, (claim for claims in as_home.values() for claim in claims), directory, rulebook)
    homes: list[Home] = []
    for organization_id, grounds in as_home.items():
        home = _leading(organization_id, grounds, day, led, directory, rulebook)
        if home is not None:
            homes.append(home)
        elif (lost := _lost(grounds[0], stay, day, led, directory, rulebook)) is not None:
            why_not[organization_id] = lost
    covered = any(
        directory.organizations[one].kind in COVERING_KINDS or any(ground.role == Role.PLAN for ground in grounds)
        for one, grounds in by_organization.items()
    )
    homes, covered = _with_reporter(homes, stay, day, claimed, directory, rulebook, covered=covered)
    # A home of which a payer may have to know nothing is to the payer no home at all: the payer reads the follow-up of nobody.
    if covered and all(home.home_id in directory.reserved for home in homes):
        homes.append(Home(None, (), None))
    return Responsible(homes, led, why_not)


def _with_reporter(
    homes: list[Home],
    stay: StayInHand,
    day: date,
    claimed: Sequence[Attribution],
    directory: Directory,
    rulebook: Rulebook,
    *,
    covered: bool,
) -> tuple[list[Home], bool]:
    """Add who reported the stay: they follow it up, on their panel or not; a plan runs no clocks of its own."""
    reporter = directory.organizations.get(stay.reported_by) if stay.reported_by else None
    if reporter is None:
        return homes, covered
    if not is_claimed_by(reporter.id, claimed, day):
        # What somebody reports of a person whom they do not claim is nobody else's news.
        homes, covered = [], False
    if all(home.home_id != reporter.id for home in homes):
        choice = rulebook.programs.choose("", day, organization_kind=reporter.kind, organization_roles=reporter.program_roles)
        if choice.programs:
            joined = rulebook.programs.joined(day, reporter.kind, reporter.program_roles)
            homes = [*homes, Home(reporter.id, (*choice.programs, *joined), None)]
    return homes, covered


def _leading(
    organization_id: UUID, grounds: Sequence[Attribution], day: date, led: Mapping[str, Led], directory: Directory, rulebook: Rulebook
) -> Home | None:
    """Give the home with the programs that it leads; None where it leads none."""
    organization = directory.organizations[organization_id]
    programs: dict[str, ProgramDefinition] = {}
    for ground in grounds:
        for key, program in programs_of(ground, organization, day, rulebook.programs).items():
            if led[key].lead.organization_id == organization_id:
                programs[program.id] = program
    if not programs:
        return None
    joined = rulebook.programs.joined(day, organization.kind, organization.program_roles)
    return Home(organization_id, (*programs.values(), *(one for one in joined if one.id not in programs)), grounds[0])


def _lost(claim: Attribution, stay: StayInHand, day: date, led: Mapping[str, Led], directory: Directory, rulebook: Rulebook) -> str | None:
    """Say how a home lost the program of its claim; None where the claim is for no program that runs clocks.

    The home reads it: that another claims the person is said where it may know of that one.
    """
    home = directory.organizations[claim.organization_id]
    lost_to = [led[key] for key in programs_of(claim, home, day, rulebook.programs)]
    known = (one.why_not(claim, rulebook.precedence) for one in lost_to if may_name(one.lead.organization_id, home, stay, directory))
    return next(known, NOT_FOLLOWED_UP if lost_to else None)


def with_former(responsible: Responsible, holders: Iterable[UUID | None]) -> list[Home]:
    """Add the homes that have a follow-up of this stay and are no longer responsible: it is kept, and says so."""
    present = {home.home_id for home in responsible.homes}
    former = [
        Home(home_id, (), None, is_former=True, reason=responsible.why_not.get(home_id, "") if home_id else "")
        for home_id in holders
        if home_id not in present
    ]
    return [*responsible.homes, *former]

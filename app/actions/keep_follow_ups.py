"""Room 7, the follow-ups: open, move and close what discharges ask of homes, as a function of stays, claims and contacts.

Called by the pipeline for stays that changed, and by timers and contacts for follow-ups that did. A qualifying discharge opens one
follow-up per responsible home; a covered member without a home gets one with no home, so that measures count it; an inpatient
admission opens it in state `inpatient`. Everything is evaluated anew from what is stored, so corrections need no special case.
Not here: recording contacts, and what a clock asks for (programs are data).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.domain.attribution import HOME_ROLES, Attribution, Role, responsible_on
from app.domain.clock import Clock, ClockState
from app.domain.directory import Directory
from app.domain.encounter import EncounterStatus
from app.domain.event_order import recorded_instant
from app.domain.follow_up import FollowUpFacts, FollowUpState, FollowUpView, evaluate
from app.domain.happening import DEATH_DISPOSITIONS, Kind, NotificationType
from app.domain.latest import key_of, known
from app.domain.measure_ledger import Measured
from app.domain.organization import COVERING_KINDS
from app.domain.person import ADT_SOURCE, PatientRecord
from app.domain.privacy import may_be_told
from app.domain.program import ProgramDefinition
from app.domain.public_id import Kind as IdKind
from app.domain.public_id import public_id
from app.domain.rulebook import Rulebook
from app.domain.stay import Stay, StayClass
from app.domain.stay_in_hand import StayInHand, stay_for_rules
from app.domain.telling import attribution_content, encounter_content, person_content
from app.ports import Ids
from app.store import encounters, follow_ups, people
from app.store.encounters import EncounterRow
from app.store.follow_ups import FollowUpRow
from app.store.notifications import NotificationRow
from app.store.raw import Raw

OPENING_CLASSES = frozenset({StayClass.INPATIENT, StayClass.OBSERVATION})
"""An admission of these opens a follow-up before the discharge; an emergency visit opens one when it ends."""

TOLD_MODES = frozenset({"live", "reported"})


@dataclass(slots=True)
class Kept:
    """What became of the follow-ups: their ids for the notifications of the same batch, and the notices of clocks gone overdue."""

    ids: dict[tuple[UUID, UUID | None], UUID] = field(default_factory=dict)
    notices: list[NotificationRow] = field(default_factory=list)
    views: dict[UUID, FollowUpView] = field(default_factory=dict)
    """Follow-up -> its evaluation, for whoever must say what a contact did."""
    people: dict[UUID, Measured] = field(default_factory=dict)
    """What was read of the people who are claimed, or were, for the measures of the same batch."""


@dataclass(frozen=True, slots=True)
class _Home:
    """A responsible home on the day of a stay, and the programs under which it follows the person up."""

    home_id: UUID | None
    programs: tuple[ProgramDefinition, ...]
    claim: Attribution | None
    is_former: bool = False
    """It has a follow-up of the stay, and is not responsible any more. Nobody is former too, once there is a home."""


async def keep_follow_ups(  # the stays, whose they are, the registry, the rules, and what is injected
    raw: Raw,
    changed: Sequence[StayInHand],
    claimed: Mapping[UUID, Sequence[Attribution]],
    directory: Directory,
    rulebook: Rulebook,
    *,
    read: Callable[[EncounterRow], StayInHand],
    telling: AbstractSet[tuple[UUID, UUID]] = frozenset(),
    ids: Ids,
    now: datetime,
) -> Kept:
    """Bring the follow-ups of the people of these stays in line. The changed stays are saved already; `read` reads a stored one.

    `telling` are the (stay, home) that are told of a discharge in the same transaction, unless they were before.
    """
    kept = Kept()
    stored = await follow_ups.of_people(raw, {stay.person_id for stay in changed})
    # Nobody claims most people a hospital sees: they cost no more than this look.
    persons = sorted({stay.person_id for stay in changed if claimed.get(stay.person_id)} | {row.person_id for row in stored})
    history = await _history(raw, persons, {stay.id: stay for stay in changed}, read)
    by_person: dict[UUID, list[FollowUpRow]] = {}
    for row in stored:
        by_person.setdefault(row.person_id, []).append(row)
    told = await _told(raw, stored)
    records = await people.describe(raw, persons) if persons else {}
    touched: list[FollowUpRow] = []
    overdue: list[tuple[FollowUpRow, StayInHand, Clock, Attribution | None]] = []
    for person_id in persons:
        stays, claims = history.get(person_id, ()), claimed.get(person_id, ())
        rules = {stay.id: stay_for_rules(stay, rulebook) for stay in stays if stay.mode in ("live", "reported", "backfill")}
        heard = [one for one in records.get(person_id, ()) if _may_be_heard(one, directory)]
        rows = {(row.encounter_id, row.home_id): row for row in by_person.get(person_id, ())}
        contacts = [contact for row in rows.values() for contact in row.contacts]
        kept.people[person_id] = Measured(stays=stays, contacts=contacts, records=records.get(person_id, ()), claims=claims)
        for stay in stays:
            if stay.id not in rules or stay.mode not in TOLD_MODES:
                continue
            homes = _homes(stay, rules[stay.id], claims, directory, rulebook)
            for home in _with_former(homes, rows, stay.id):
                found = rows.get((stay.id, home.home_id)) or _opened(stay, rules[stay.id], home, ids, now)
                if found is None:
                    continue
                row = found
                kept.ids[(stay.id, home.home_id)] = row.id
                # A stay that the home may not be told of must not show in its follow-ups either (42 CFR 2.13(c)).
                may_show = [other for other in stays if other.id in rules and _may_know(home, other, claims, directory)]
                facts = FollowUpFacts(
                    stay=rules[stay.id],
                    stays=tuple(rules[other.id] for other in may_show),
                    died_at=_died_at(may_show, heard),
                    closed_at=row.closed_at,
                    closed_reason=row.close_reason or "",
                    notified_at=_notified_at((stay.id, home.home_id), told, telling, now) if home.home_id else None,
                )
                seen = evaluate(facts, home.programs, row.contacts, rulebook.calendars, now)
                if home.is_former:
                    seen = _no_longer_claimed(seen, home)
                elif not rules[stay.id].cancelled and not _qualifies(rules[stay.id], home):
                    why = "not_followed_up: the stay is not, or no longer, one that opens a follow-up"
                    seen = replace(seen, state=FollowUpState.VOID, reasons=(why,), next_change_at=None)
                kept.views[row.id] = seen
                went_overdue = _store_view(row, seen, home, now)
                if went_overdue is not None:
                    touched.append(row)
                    overdue.extend((row, stay, clock, home.claim) for clock in went_overdue)
    await _save(raw, touched, ids, now)
    if overdue:
        kept.notices = await _notices(raw, overdue, directory, ids, now)
    return kept


async def _save(raw: Raw, touched: Sequence[FollowUpRow], ids: Ids, now: datetime) -> None:
    await follow_ups.save(raw, touched)
    opened = [row for row in touched if row.version == 1 and row.home_id is not None]
    if opened:
        await follow_ups.give_to_first_owners(raw, opened, [ids.new() for _ in opened], now)


async def _history(
    raw: Raw, persons: Sequence[UUID], changed: Mapping[UUID, StayInHand], read: Callable[[EncounterRow], StayInHand]
) -> dict[UUID, list[StayInHand]]:
    stays: dict[UUID, list[StayInHand]] = {}
    for row in await encounters.of_people(raw, persons) if persons else []:
        # A report that was confirmed is told by the ADT stay it became part of.
        if row.folded_into is None:
            stays.setdefault(row.person_id, []).append(changed.get(row.id) or read(row))
    return stays


def _notified_at(
    key: tuple[UUID, UUID], told: Mapping[tuple[UUID, UUID], datetime], telling: AbstractSet[tuple[UUID, UUID]], now: datetime
) -> datetime | None:
    return told.get(key) or (now if key in telling else None)


async def _told(raw: Raw, rows: Iterable[FollowUpRow]) -> dict[tuple[UUID, UUID], datetime]:
    keys = [(row.encounter_id, row.home_id) for row in rows if row.home_id is not None]
    return await follow_ups.first_told(raw, keys) if keys else {}


def _is_claimed_by(organization_id: UUID, claimed: Iterable[Attribution], day: date) -> bool:
    return any(claim.organization_id == organization_id and claim.holds_on(day) for claim in claimed)


def _may_know(home: _Home, stay: StayInHand, claimed: Iterable[Attribution], directory: Directory) -> bool:
    begun_at = stay.view.admitted_at or stay.view.discharged_at
    if stay.reported_by not in (None, home.home_id) and begun_at is not None:
        ended_at = stay.view.discharged_at or begun_at
        if not any(_is_claimed_by(stay.reported_by, claimed, stay.day_of(at)) for at in (begun_at, ended_at)):
            return False
    organization = directory.organizations.get(home.home_id) if home.home_id else None
    return organization is None or may_be_told(stay.origin, organization.kind).tier.tells


def _may_be_heard(record: PatientRecord, directory: Directory) -> bool:
    """Tell whether what the record says may show in follow-ups: hospitals' do, Part 2 programs' do not (42 CFR 2.13(c))."""
    return record.source == ADT_SOURCE and record.own.authority.upper() not in directory.part2_authorities


def _died_at(stays: Sequence[StayInHand], records: Sequence[PatientRecord]) -> datetime | None:
    """Give when the person died, as any of the stays or a message about the person alone (A31) tells it.

    A stay repeats what its messages said of the patient: where the hospital's record says otherwise by now, it was taken back.
    """
    alive = {record.id for record in records if key_of(record.said, "deceased") and known(record.said).get("deceased") is not True}
    deaths = [stay.view.deceased_at for stay in stays if stay.view.deceased_at is not None and stay.record_id not in alive]
    deaths += [
        stay.view.discharged_at for stay in stays if stay.view.disposition in DEATH_DISPOSITIONS and stay.view.discharged_at is not None
    ]
    for record in records:
        facts = known(record.said)
        if facts.get("deceased") is True:
            on_record = facts.get("died_at")
            deaths.append(datetime.fromisoformat(on_record) if on_record else recorded_instant(key_of(record.said, "deceased")))
    return min(deaths, default=None)


def _homes(stay: StayInHand, rules: Stay, claimed: Sequence[Attribution], directory: Directory, rulebook: Rulebook) -> list[_Home]:
    """Give the homes responsible on the day the stay ended, or began while it lasts; none but a plan gives the follow-up without a home."""
    day = rules.discharged_on or rules.admitted_on
    if day is None:
        return []
    homes: list[_Home] = []
    covered = False
    for organization_id, grounds in responsible_on(claimed, day).items():
        organization = directory.organizations.get(organization_id)
        if organization is None:
            continue
        as_home = [ground for ground in grounds if ground.role in HOME_ROLES]
        covered = covered or organization.kind in COVERING_KINDS or any(ground.role == Role.PLAN for ground in grounds)
        if not as_home:
            continue
        programs: dict[str, ProgramDefinition] = {}
        for ground in as_home:
            choice = rulebook.programs.choose(
                ground.program, day, organization_kind=organization.kind, organization_roles=organization.program_roles
            )
            programs.update({program.id: program for program in choice.programs})
        if programs and may_be_told(stay.origin, organization.kind).tier.tells:
            homes.append(_Home(organization_id, tuple(programs.values()), as_home[0]))
    reporter = directory.organizations.get(stay.reported_by) if stay.reported_by else None
    if reporter is not None and not _is_claimed_by(reporter.id, claimed, day):
        # What somebody reports of a person whom they do not claim is nobody else's news.
        homes, covered = [], False
    if reporter is not None and all(home.home_id != reporter.id for home in homes):
        # Who reports a stay follows it up, on its panel or not; a plan runs no clocks of its own.
        choice = rulebook.programs.choose("", day, organization_kind=reporter.kind, organization_roles=reporter.program_roles)
        if choice.programs:
            homes.append(_Home(reporter.id, choice.programs, None))
    if not homes and covered:
        homes.append(_Home(None, (), None))
    return homes


def _with_former(homes: list[_Home], rows: Mapping[tuple[UUID, UUID | None], FollowUpRow], stay_id: UUID) -> list[_Home]:
    """Add the homes that have a follow-up of this stay and are no longer responsible: it is kept, and says so."""
    present = {home.home_id for home in homes}
    former = [_Home(home_id, (), None, is_former=True) for (stay, home_id) in rows if stay == stay_id and home_id not in present]
    return [*homes, *former]


def _opened(stay: StayInHand, rules: Stay, home: _Home, ids: Ids, now: datetime) -> FollowUpRow | None:
    """Open a follow-up if the stay qualifies: an admission in the house, or a discharge that fits a program's trigger."""
    # An update alone opens no stay (standards C.6, A08), and so no follow-up.
    is_begun = rules.admitted_at is not None and stay.view.status is not EncounterStatus.UNKNOWN
    # A discharge from before the feed went live was followed up by whoever told of it then.
    is_past = rules.discharged_at is not None and stay.is_past(Kind.DISCHARGED, rules.discharged_at)
    if is_past or rules.cancelled or not _qualifies(rules, home) or (rules.discharged_at is None and not is_begun):
        return None
    return FollowUpRow(
        id=ids.new(),
        encounter_id=stay.id,
        home_id=home.home_id,
        person_id=stay.person_id,
        programs=[],
        state="",
        state_reasons=[],
        anchor_at=None,
        anchor_on=None,
        opened_at=now,
        closed_at=None,
        close_reason=None,
        assignee=home.claim.coordinator if home.claim else None,
        clocks=[],
        next_due_at=None,
        next_change_at=None,
        updated_at=now,
        version=0,
    )


def _qualifies(rules: Stay, home: _Home) -> bool:
    """Tell whether a stay that stands asks for a follow-up: whichever of its messages came first, the answer is the same."""
    if rules.discharged_at is None:
        return rules.stay_class in OPENING_CLASSES
    if rules.stay_class is StayClass.OTHER:
        return False
    return home.home_id is None or any(program.clocks_for(rules) for program in home.programs)


def _no_longer_claimed(seen: FollowUpView, home: _Home) -> FollowUpView:
    """Void what rests on a claim that its owner no longer upholds, or on a person who was somebody else."""
    why = "the home no longer claims this person" if home.home_id else "a home is responsible by now, or nobody covers this person,"
    return FollowUpView(
        state=FollowUpState.VOID,
        reasons=(f"not_attributed: {why} on the day of the stay",),
        anchor_at=seen.anchor_at,
        anchor_on=seen.anchor_on,
    )


def _store_view(row: FollowUpRow, seen: FollowUpView, home: _Home, now: datetime) -> list[Clock] | None:
    """Put the evaluation into the row; None when nothing changed, else the clocks that have just gone overdue."""
    clocks = [clock_json(clock) for clock in seen.clocks]
    programs = sorted(program.id for program in home.programs) or row.programs
    after = (seen.state.value, list(seen.reasons), clocks, seen.anchor_at, programs, seen.next_change_at, row.person_id)
    before = (row.state, row.state_reasons, row.clocks, row.anchor_at, row.programs, row.next_change_at, row.person_id)
    if after == before and row.version:
        return None
    were = {clock["id"]: clock["state"] for clock in row.clocks}
    row.state, row.state_reasons, row.clocks = seen.state.value, list(seen.reasons), clocks
    row.anchor_at, row.anchor_on, row.programs = seen.anchor_at, seen.anchor_on, programs
    row.next_due_at = min((clock.due_at for clock in seen.clocks if clock.state in (ClockState.PENDING, ClockState.OVERDUE)), default=None)
    row.next_change_at = seen.next_change_at
    row.updated_at = now
    row.version += 1
    return [
        clock
        for clock in seen.clocks
        if clock.state is ClockState.OVERDUE and were.get(clock.id) == ClockState.PENDING and home.home_id is not None
    ]


def clock_json(clock: Clock) -> dict[str, Any]:
    """Give a clock as the API shows it."""
    return {
        "id": clock.id,
        "due_at": clock.due_at.isoformat(),
        "state": clock.state.value,
        "satisfied_by": public_id(IdKind.CONTACT, UUID(clock.satisfied_by)) if clock.satisfied_by else None,
        "met_at": clock.met_at.isoformat() if clock.met_at else None,
        "reasons": list(clock.reasons),
        "priority": clock.priority,
    }


async def _notices(
    raw: Raw,
    overdue: Sequence[tuple[FollowUpRow, StayInHand, Clock, Attribution | None]],
    directory: Directory,
    ids: Ids,
    now: datetime,
) -> list[NotificationRow]:
    """Tell each home once of a clock that passed its due time. The right to know is asked again: it may have ended meanwhile."""
    records = await people.describe(raw, {stay.person_id for _, stay, _, _ in overdue})
    notices = []
    for row, stay, clock, claim in overdue:
        home = directory.organizations.get(row.home_id) if row.home_id else None
        decision = may_be_told(stay.origin, home.kind) if home else None
        if home is None or decision is None or not decision.tier.tells or stay.mode not in TOLD_MODES:
            continue
        notice_id, event_id = ids.new(), ids.new()
        payload = {
            "id": public_id(IdKind.NOTIFICATION, notice_id),
            "event_id": public_id(IdKind.EVENT, event_id),
            "type": NotificationType.FOLLOW_UP_OVERDUE.value,
            "event": "overdue",
            "version": 1,
            "supersedes": None,
            "tier": decision.tier.value,
            "occurred_at": clock.due_at.isoformat(),
            "created_at": now.isoformat(),
            "person": person_content(stay.person_id, records.get(stay.person_id, ()), home.id, decision.tier, directory),
            "encounter": encounter_content(stay, decision.tier),
            "attribution": attribution_content(claim),
            "follow_up_id": public_id(IdKind.FOLLOW_UP, row.id),
            "clock": clock_json(clock),
            "reason": f"the clock {clock.id} passed its due time without what it asks for",
            "notices": [],
        }
        notices.append(
            NotificationRow(
                notice_id, home.id, event_id, NotificationType.FOLLOW_UP_OVERDUE.value, 1, None, decision.tier.value,
                stay.person_id, stay.id, row.id, clock.due_at, None, payload,
            )
        )  # fmt: skip
    return notices

"""Room 7, the follow-ups: open, move and close what discharges ask of homes, as a function of stays, claims and contacts.

Called by the pipeline for stays that changed, and by timers and contacts for follow-ups that did. A qualifying discharge opens one
follow-up per responsible home; a covered member without a home gets one with no home, so that measures count it; an inpatient
admission opens it in state `inpatient`. Everything is evaluated anew from what is stored, so corrections need no special case.
Not here: recording contacts, and what a clock asks for (programs are data).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from app.domain.answer import Answer, answered, denied_of
from app.domain.attribution import Attribution
from app.domain.course import Course
from app.domain.death import Death, DeathDoubt, death_of, without_doubted
from app.domain.directory import Directory
from app.domain.encounter import EncounterStatus
from app.domain.escalation import RUNNING, Snooze, next_step_at, stored_clocks
from app.domain.follow_up import FollowUpFacts, FollowUpState, FollowUpView, evaluate
from app.domain.follow_up_history import turned
from app.domain.handing_over import next_end_at
from app.domain.happening import Kind
from app.domain.lateness import Times, heard_later, late_by
from app.domain.measure_history import birth_on
from app.domain.measure_ledger import Measured
from app.domain.person import ADT_SOURCE, PatientRecord
from app.domain.precedence import Led
from app.domain.responsible_home import NOT_FOLLOWED_UP, Home, Responsible, responsible_homes, with_former
from app.domain.rulebook import Rulebook
from app.domain.seeing import is_of_reporter_alone, may_know
from app.domain.stay import Stay
from app.domain.stay_in_hand import StayInHand, stay_for_rules
from app.domain.telling import wishes
from app.ports import Ids
from app.store import encounters, follow_ups, people
from app.store.encounters import EncounterRow
from app.store.follow_ups import FollowUpRow, LookedAt
from app.store.raw import Raw

TOLD_MODES = frozenset({"live", "reported"})
_RULED = frozenset({*TOLD_MODES, "backfill"})


@dataclass(slots=True)
class Kept:
    """What became of the follow-ups: their ids for the notifications of the same batch, and what was looked at."""

    ids: dict[tuple[UUID, UUID | None], UUID] = field(default_factory=dict)
    views: dict[UUID, FollowUpView] = field(default_factory=dict)
    """Follow-up -> its evaluation, for whoever must say what a contact did."""
    people: dict[UUID, Measured] = field(default_factory=dict)
    """What was read of the people who are claimed, or were, for the measures of the same batch."""
    standing: list[LookedAt] = field(default_factory=list)
    """The follow-ups that were looked at, for whoever moves them and tells of them."""
    conflicts: list[tuple[StayInHand, Led]] = field(default_factory=list)
    """Stays on whose day several homes claim one program of the person."""
    doubts: dict[UUID, DeathDoubt] = field(default_factory=dict)
    """People who are said to have died and were admitted later."""


async def keep_follow_ups(  # the stays, whose they are, the registry, the rules, and what is injected
    raw: Raw,
    changed: Sequence[StayInHand],
    claimed: Mapping[UUID, Sequence[Attribution]],
    directory: Directory,
    rulebook: Rulebook,
    *,
    read: Callable[[EncounterRow], StayInHand],
    telling: AbstractSet[tuple[UUID, UUID]] = frozenset(),
    answers: Mapping[tuple[UUID, UUID], Answer] = MappingProxyType({}),
    ids: Ids,
    now: datetime,
) -> Kept:
    """Bring the follow-ups of the people of these stays in line. The changed stays are saved already; `read` reads a stored one.

    `telling` are the (stay, home) that are told of a discharge in the same transaction, unless they were before; `answers` what
    recipients answered.
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
    heard_of = {person_id: [one for one in records.get(person_id, ()) if _may_be_heard(one, directory)] for person_id in persons}
    kept.doubts = {one: doubt for one in persons if (doubt := _doubt(one, history.get(one, ()), records.get(one, ()), directory))}
    for person_id in persons:
        stays, claims = history.get(person_id, ()), claimed.get(person_id, ())
        born = birth_on(records.get(person_id, ()))
        rules = {stay.id: stay_for_rules(stay, rulebook, born) for stay in stays if stay.mode in _RULED}
        # A follow-up is found by the home of the discharge, whoever has it by now.
        rows = {(row.encounter_id, row.first_home_id or row.home_id): row for row in by_person.get(person_id, ())}
        denied = {one: denied_of(one, stay.discharged_on or stay.admitted_on, answers) for one, stay in rules.items()}
        shown = _Shown(stays, rules, heard_of[person_id], claims, directory)
        kept.people[person_id] = _measured(stays, rows.values(), records.get(person_id, ()), claims, denied)
        for stay in stays:
            if stay.id not in rules or stay.mode not in TOLD_MODES:
                continue
            responsible = responsible_homes(stay, rules[stay.id], claims, directory, rulebook, denied=denied[stay.id])
            kept.conflicts += [(stay, led) for led in responsible.led.values() if led.others]
            mine = {home_id: row for (stay_id, home_id), row in rows.items() if stay_id == stay.id}
            for responsible_home in with_former(responsible, _holders(responsible, mine)):
                found = _row_of(responsible_home.home_id, mine)
                found = found or _opened(stay, shown.to(responsible_home.home_id).rules_of(stay), responsible_home, ids, now)
                if found is None:
                    continue
                row, home = found, _acting(responsible_home, found, claims)
                told_as = shown.to(home.home_id)
                as_told = told_as.rules_of(stay)
                kept.ids[(stay.id, responsible_home.home_id)] = kept.ids[(stay.id, row.home_id)] = row.id
                facts = replace(
                    told_as.facts_of(as_told),
                    closed_at=row.closed_at,
                    closed_reason=row.close_reason or "",
                    notified_at=_notified_at((stay.id, first_id), told, telling, now) if (first_id := responsible_home.home_id) else None,
                    home_calendar=directory.organizations[home.home_id].holiday_calendar if home.home_id else "",
                )
                row.told_at = facts.notified_at
                seen = evaluate(facts, home.programs, row.contacts, rulebook.calendars, now)
                seen = kept.views[row.id] = _with_its_home(seen, home, as_told, answers, next_end_at(home, claims, stay.zone, now))
                looked = _looked_at(row, stay, home, seen, stays)
                kept.standing.append(looked)
                if _store_view(looked, home, as_told, directory, now, of_reporter_alone=is_of_reporter_alone(stay, claims)):
                    touched.append(row)
    await _save(raw, touched, ids, now)
    await follow_ups.log(raw, [(ids.new(), one.row.id, one.turn) for one in kept.standing if one.turn is not None], now)
    return kept


def _looked_at(row: FollowUpRow, stay: StayInHand, home: Home, seen: FollowUpView, stays: Iterable[StayInHand]) -> LookedAt:
    looked = LookedAt(row, stay, home.claim, seen, row.state, row.state_reasons, row.clocks)
    looked.by_history = any(str(one.id) == seen.superseded_by and one.mode not in TOLD_MODES for one in stays)
    # A closing by hand was stored with its time as the last change.
    by_hand = row.closed_at is not None and row.closed_at == row.updated_at
    looked.turn = turned(seen, row.state, home_id=row.home_id, by_hand=by_hand)
    return looked


async def _save(raw: Raw, touched: Sequence[FollowUpRow], ids: Ids, now: datetime) -> None:
    await follow_ups.save(raw, touched)
    opened = [row for row in touched if row.version == 1 and row.home_id is not None]
    if opened:
        await follow_ups.give_to_first_owners(raw, opened, [ids.new() for _ in opened], now)


def _measured(
    stays: Sequence[StayInHand],
    rows: Collection[FollowUpRow],
    records: Sequence[PatientRecord],
    claims: Sequence[Attribution],
    denied: Mapping[UUID, AbstractSet[UUID]],
) -> Measured:
    contacts = [(row.encounter_id, contact) for row in rows for contact in row.contacts]
    return Measured(stays=stays, contacts=contacts, records=records, claims=claims, denied=denied)


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
    keys = [(row.encounter_id, home_id) for row in rows if (home_id := row.first_home_id or row.home_id) is not None]
    return await follow_ups.first_told(raw, keys) if keys else {}


@dataclass(frozen=True, slots=True)
class _Told:
    """What one home may know of a person."""

    rules: Mapping[UUID, Stay]
    death: Death
    course: Course
    died_beside_stays: bool
    """No stay tells of the death, so its follow-ups do."""

    def facts_of(self, as_told: Stay) -> FollowUpFacts:
        """Give the facts of a stay, in the words of the rules, that are the same for all of the home's follow-ups."""
        doubted_on = min(self.death.doubted, default=None)
        return FollowUpFacts(
            stay=as_told, stays=self.course, died_at=self.death.at, died_beside_stays=self.died_beside_stays, doubted_on=doubted_on
        )

    def rules_of(self, stay: StayInHand) -> Stay:
        """Give the stay in the words of the rules: while a death is doubtful, nobody knows where it ended to."""
        return without_doubted(self.rules[stay.id], self.death.doubted.keys())


@dataclass(slots=True)
class _Shown:
    """What may show of a person in a home's follow-ups: the same for all of them, so gathered once for each home."""

    stays: Sequence[StayInHand]
    rules: Mapping[UUID, Stay]
    heard: Sequence[PatientRecord]
    claims: Collection[Attribution]
    directory: Directory
    _by_home: dict[UUID | None, _Told] = field(default_factory=dict)

    def to(self, home_id: UUID | None) -> _Told:
        """Give it for one home. A death after which they were admitted, as far as the home may know, ends nothing until it is decided."""
        if home_id not in self._by_home:
            organization = self.directory.organizations.get(home_id) if home_id else None
            kind = organization.kind if organization else None
            # A stay that the home may not be told of must not show in its follow-ups either (42 CFR 2.13(c)).
            known = [one for one in self.stays if one.id in self.rules and may_know(home_id, kind, one, self.claims)]
            death = death_of(known, self.heard)
            course = Course(without_doubted(self.rules[one.id], death.doubted.keys()) for one in known)
            by_record_alone = death.at is not None and death_of(known, ()).at is None
            self._by_home[home_id] = _Told(self.rules, death, course, by_record_alone)
        return self._by_home[home_id]


def _doubt(person_id: UUID, stays: Sequence[StayInHand], records: Sequence[PatientRecord], directory: Directory) -> DeathDoubt | None:
    said = [one for one in records if _may_be_asked(one, directory)]
    return death_of((one for one in stays if one.mode in _RULED), said).doubt(person_id)


def _may_be_asked(record: PatientRecord, directory: Directory) -> bool:
    """Tell whether what the record says of a death may be asked about: not what a Part 2 program says (42 CFR 2.13(c))."""
    return record.own.authority.upper() not in directory.part2_authorities


def _may_be_heard(record: PatientRecord, directory: Directory) -> bool:
    """Tell whether what the record says may show in follow-ups: hospitals' do, rosters' deaths are for measures alone."""
    return record.source == ADT_SOURCE and _may_be_asked(record, directory)


def _opened(stay: StayInHand, rules: Stay, home: Home, ids: Ids, now: datetime) -> FollowUpRow | None:
    """Open a follow-up if the stay qualifies: an admission in the house, or a discharge that fits a program's trigger."""
    # An update alone opens no stay (standards C.6, A08), and so no follow-up.
    is_begun = rules.admitted_at is not None and stay.view.status is not EncounterStatus.UNKNOWN
    # A discharge from before the feed went live was followed up by whoever told of it then.
    is_past = rules.discharged_at is not None and stay.is_past(Kind.DISCHARGED, rules.discharged_at)
    if is_past or rules.cancelled or not home.qualifies(rules) or (rules.discharged_at is None and not is_begun):
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


def _row_of(home_id: UUID | None, rows: Mapping[UUID | None, FollowUpRow]) -> FollowUpRow | None:
    """Find a home's follow-up of a stay: the one that was its own from the first, or the one that came to it."""
    return rows.get(home_id) or next((row for row in rows.values() if row.home_id == home_id), None)


def _holders(responsible: Responsible, rows: Mapping[UUID | None, FollowUpRow]) -> list[UUID | None]:
    """Give the homes of the stored follow-ups, without those whose follow-up belongs by right to whom it came."""
    homes = {home.home_id for home in responsible.homes}
    return [home_id for home_id, row in rows.items() if row.home_id == home_id or row.home_id not in homes]


def _acting(home: Home, row: FollowUpRow, claims: Sequence[Attribution]) -> Home:
    """Give the home as the one that has the follow-up by now: what may be shown is shown to it, on its own claim."""
    if row.home_id == home.home_id:
        return home
    return replace(home, home_id=row.home_id, claim=next((one for one in claims if one.organization_id == row.home_id), None))


def _with_its_home(
    seen: FollowUpView, home: Home, rules: Stay, answers: Mapping[tuple[UUID, UUID], Answer], claim_ends_at: datetime | None
) -> FollowUpView:
    """Say what the home makes of an evaluation: whether it is responsible, and what it answered."""
    if home.is_former:
        return _no_longer_claimed(seen, home)
    if not rules.cancelled and not home.qualifies(rules):
        return replace(seen, state=FollowUpState.VOID, reasons=(NOT_FOLLOWED_UP,), next_change_at=None)
    if home.home_id is None:
        return seen
    seen = answered(seen, answers.get((UUID(rules.id), home.home_id)))
    if claim_ends_at is None or seen.state not in (FollowUpState.OPEN, FollowUpState.SUSPENDED):
        return seen
    # When the home's claim ends, another may have to take the follow-up over.
    return replace(seen, next_change_at=min(at for at in (seen.next_change_at, claim_ends_at) if at is not None))


def _no_longer_claimed(seen: FollowUpView, home: Home) -> FollowUpView:
    """Void what rests on a claim that its owner no longer upholds, or on a person who was somebody else."""
    why = "the home no longer claims this person" if home.home_id else "a home is responsible by now, or nobody covers this person,"
    return FollowUpView(
        state=FollowUpState.VOID,
        reasons=(home.reason or f"not_attributed: {why} on the day of the stay",),
        anchor_at=seen.anchor_at,
        anchor_on=seen.anchor_on,
    )


def _store_view(looked: LookedAt, home: Home, rules: Stay, directory: Directory, now: datetime, *, of_reporter_alone: bool) -> bool:
    """Put the evaluation into the row; False when nothing changed."""
    row, seen = looked.row, looked.seen
    times = _times(looked, home, directory, now)
    by_facts = {clock.id for program in home.programs if program.is_started_by_facts for clock in program.clocks}
    is_told_late = times is not None and times.was_claimed_when_received
    stored = stored_clocks(seen, row.clocks, now, _snooze(row), by_facts, is_told_late=is_told_late)
    heard = _heard_later(looked, by_facts, times, now) if times else {}
    windows = {window.definition.id: window for window in seen.windows}
    late = {
        clock.id: by.value
        for clock in seen.clocks
        if times and (by := late_by(windows[clock.id], clock, times.of_clock(heard.get(clock.id)))) is not None
    }
    clocks = [clock.document() | kept | {"late_by": late.get(clock.id)} for clock, kept, _ in stored]
    row.late_by = sorted(set(late.values()))
    looked.fresh = [(shown, fresh) for shown, (_, _, fresh) in zip(clocks, stored, strict=True) if fresh]
    # What is told of a clock is without it; where a clock is shown, its times say it.
    clocks = [clock | {"heard_at": at.isoformat()} if (at := heard.get(clock["id"])) else clock for clock in clocks]
    programs = home.program_ids(rules) or row.programs
    changes = (seen.next_change_at, next_step_at(seen, stored, now, _snooze(row)) if row.home_id else None, row.hand_over_at)
    change_at = min((at for at in changes if at is not None), default=None)
    after = (seen.state.value, list(seen.reasons), clocks, seen.anchor_at, programs, change_at, row.person_id, of_reporter_alone)
    before = (
        row.state, row.state_reasons, row.clocks, row.anchor_at, row.programs, row.next_change_at, row.person_id, row.of_reporter_alone,
    )  # fmt: skip
    if after == before and row.version:
        return False
    row.state, row.state_reasons, row.clocks = seen.state.value, list(seen.reasons), clocks
    row.anchor_at, row.anchor_on, row.programs = seen.anchor_at, seen.anchor_on, programs
    row.next_due_at = min((clock.due_at for clock in seen.clocks if clock.state in RUNNING), default=None)
    row.next_change_at, row.of_reporter_alone = change_at, of_reporter_alone
    row.updated_at = now
    row.version += 1
    return True


def _snooze(row: FollowUpRow) -> Snooze | None:
    if row.snoozed_until is None or row.snooze is None:
        return None
    return Snooze(datetime.fromisoformat(row.snooze["at"]), row.snoozed_until)


def _times(looked: LookedAt, home: Home, directory: Directory, now: datetime) -> Times | None:
    """Note when the discharge that stands came here, and give its times; another discharge is looked at anew, a corrected one is not."""
    row, stay, anchor_at = looked.row, looked.stay, looked.seen.anchor_at
    if anchor_at is None:
        row.received_at = row.told_at = row.first_opened_at = None
        return None
    if row.anchor_at is None or row.received_at is None:
        row.received_at = min(stay.heard.get(Kind.DISCHARGED) or now, stay.received_at or now)
        row.first_opened_at = None
    elif row.anchor_at != anchor_at and row.received_at < anchor_at:
        # What came before it happened is not it: the one before was cancelled in the same moment.
        row.received_at, row.first_opened_at = stay.received_at or now, None
    claim, day = looked.claim, looked.seen.anchor_on
    claimed_at = claim.known_since(day, row.received_at) if claim is not None and day is not None else None
    programs = [program.id for program in home.programs] + ([claim.program] if claim else [])
    knows_itself = (
        row.told_at is None
        and row.home_id is not None
        and (stay.reported_by == row.home_id or not wishes(row.home_id, "discharged", stay, programs, directory))
    )
    return Times(anchor_at, row.received_at, row.told_at, claimed_at, knows_itself=knows_itself)


def _heard_later(looked: LookedAt, by_facts: AbstractSet[str], times: Times, now: datetime) -> Mapping[str, datetime]:
    """Give the clocks that something heard later than the discharge started, or moved: a message, or what it came to."""
    row, at = looked.row, looked.stay.received_at or now
    if not row.clocks and (looked.stay.received_at is None or not times.was_claimed_when_received):
        # The roster began it.
        return {}
    found = heard_later(looked.seen, row.clocks, row.anchor_at, by_facts, at)
    return {one: heard_at for one, heard_at in found.items() if times.received_at is None or heard_at > times.received_at}

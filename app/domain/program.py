"""A program: which discharges start its clocks, and what each clock asks of the team by when. Programs are data; this is their shape.

Definitions are effective-dated and explain what they chose. Not here: the shipped programs (``app.standards.programs``), what has been
done (``clock``), who is on a panel (``attribution``).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from app.domain.behavioral import BehavioralKind
from app.domain.calendar import ClockUnit
from app.domain.contact import ContactOutcome, ContactRole, ContactTopic, ContactType, ContactWith
from app.domain.diagnosis import DiagnosisGroup
from app.domain.stay import Disposition, Stay, StayClass

NOT_WORD: Final = re.compile(r"[^0-9a-z]+")
SEPARATORS: Final = re.compile(r"[;,|/+]")
PERCENT: Final = 100
AGE_MAX: Final = 200
"""No upper bound."""
COUNT_MAX: Final = 9_999
"""Of any unit: nobody waits for longer, and the due time is still a date."""
ESCALATED_TO: Final = ((1, ("assignee",)), (80, ("assignee", "supervisor")), (PERCENT, ("assignee", "supervisor", "manager")))
"""Domain section 7: a clock at 50 % is the coordinator's, at 80 % the supervisor's, its breach the manager's too."""


class ProgramError(ValueError):
    """A definition contradicts itself. The message names the definition and what would be right."""


class EscalationPart(StrEnum):
    """Whom a step is for, within the home."""

    ASSIGNEE = "assignee"
    SUPERVISOR = "supervisor"
    MANAGER = "manager"
    ON_CALL = "on_call"
    """Who is there at any hour, for what cannot wait."""


class ClockAnchor(StrEnum):
    """The instant a clock counts from."""

    DISCHARGE = "discharge"
    NOTIFICATION = "notification"
    """When the home was told; until that is known, the discharge, so that a clock runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Satisfaction:
    """What satisfies a clock. An empty set asks nothing of its field."""

    types: frozenset[ContactType] = frozenset()
    with_whom: frozenset[ContactWith] = frozenset()
    roles: frozenset[ContactRole] = frozenset()
    outcomes: frozenset[ContactOutcome] = frozenset()
    topics: frozenset[ContactTopic] = frozenset()
    """All of these must have been done."""
    topics_by_day: frozenset[ContactTopic] = frozenset()
    """All of these must have been done by the day of the contact, in it or in another one after the discharge."""
    topics_across: frozenset[ContactTopic] = frozenset()
    """All of these must have been done in time, in one contact or in several, in any order, each contact as asked for."""
    live_two_way: bool = False
    contacts_min: int = 1
    """So many separate contacts in time, each as asked for."""
    attempts_min: int = 0
    """This many separate attempts in time satisfy it too; 0 where only reaching the person will do."""
    attempt_types: frozenset[ContactType] = frozenset()

    def __post_init__(self) -> None:
        if self.contacts_min < 1:
            message = "contacts_min must be at least 1"
            raise ProgramError(message)
        if self.attempt_types and not self.attempts_min:
            message = "attempt_types count for nothing without attempts_min"
            raise ProgramError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDefinition:
    """One clock of a program. Its id is the public one, the same in every follow-up."""

    id: str
    title: str
    unit: ClockUnit
    count: int
    satisfied_by: Satisfaction
    classes: frozenset[StayClass] = frozenset()
    """The stays that start it, where it is not all of the program's."""
    age_min: int = 0
    age_max: int = AGE_MAX
    """Ages on the day of the discharge that start it, both included. An age that nobody knows starts it: nobody goes unseen for that."""
    anchor: ClockAnchor = ClockAnchor.DISCHARGE
    day_zero_counts_for: frozenset[StayClass] = frozenset(StayClass)
    """The stays after which a contact on the anchor's own day counts; a contact before the anchor never does."""
    holiday_calendar: str = ""
    """The id of a calendar; only business days need one. That of a whole country gives way to the home's own, of a part of it."""
    escalate_at_percent: tuple[int, ...] = ()
    """Ascending shares of the time to the due instant at which somebody is to be told; 100 is the breach itself."""
    escalate_to: tuple[tuple[int, tuple[str, ...]], ...] = ()
    """From which share on which people of the home are to be told, ascending; the program's. Empty: `ESCALATED_TO`."""
    priority: int = 100
    """Lower is more urgent, for sorting a worklist."""

    def starts_after(self, stay: Stay) -> bool:
        """Whether a stay that fits the program's trigger starts this clock."""
        age = stay.age
        return (not self.classes or stay.stay_class in self.classes) and (age is None or self.age_min <= age <= self.age_max)

    def calendar_of(self, home_calendar: str) -> str:
        """Give the id of the calendar by which it counts for a home: a program of the whole country keeps the holidays of its state."""
        return home_calendar if home_calendar.startswith(f"{self.holiday_calendar}-") else self.holiday_calendar

    def told_at(self, percent: int) -> tuple[str, ...]:
        """Give which people of the home are told at a share of the time."""
        wanted: tuple[str, ...] = ()
        for share, people in self.escalate_to or ESCALATED_TO:
            wanted = people if share <= percent else wanted
        return wanted

    def __post_init__(self) -> None:
        if self.age_min > self.age_max:
            message = f"clock {self.id}: age_min must not be above age_max"
            raise ProgramError(message)
        if not 1 <= self.count <= COUNT_MAX:
            message = f"clock {self.id}: count must be at least 1 and at most {COUNT_MAX}"
            raise ProgramError(message)
        if self.unit is ClockUnit.BUSINESS_DAYS and not self.holiday_calendar:
            message = f"clock {self.id}: business days need a holiday_calendar"
            raise ProgramError(message)
        if list(self.escalate_at_percent) != sorted(set(self.escalate_at_percent)) or not all(
            0 < percent <= PERCENT for percent in self.escalate_at_percent
        ):
            message = f"clock {self.id}: escalate_at_percent must ascend between 1 and 100"
            raise ProgramError(message)
        for percent in (*self.escalate_at_percent, PERCENT):
            if not self.told_at(percent):
                message = f"clock {self.id}: nobody is told at {percent} %; let the first escalate begin at_percent = 1"
                raise ProgramError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerFilter:
    """The stays whose discharge starts a program. An empty set asks nothing of its field."""

    classes: frozenset[StayClass]
    behavioral: frozenset[BehavioralKind] = frozenset()
    """MENTAL_HEALTH and SUBSTANCE_USE; a stay that is both fits either."""
    dispositions: frozenset[Disposition] = frozenset()
    diagnoses: frozenset[DiagnosisGroup] = frozenset()
    """Any of these, in any position."""

    def misfits(self, stay: Stay) -> tuple[str, ...]:
        """Say why a stay does not fit; nothing when it does."""
        reasons = []
        if stay.stay_class not in self.classes:
            reasons.append(f"class_not_in_program: {stay.stay_class} stays start nothing here")
        if self.behavioral and not self.behavioral & stay.signal.kind.parts:
            reasons.append("kind_not_in_program: not a behavioral-health stay of the kind this program follows")
        if self.dispositions and stay.disposition not in self.dispositions:
            reasons.append(f"disposition_not_in_program: a discharge to {stay.disposition} starts nothing here")
        if self.diagnoses and not self.diagnoses & stay.signal.any_position:
            reasons.append("diagnosis_not_in_program: none of the diagnoses that this program follows")
        return tuple(reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramDefinition:
    """One version of a program."""

    id: str
    title: str
    version: str
    basis: str
    """Where its numbers come from and how sure they are."""
    trigger: TriggerFilter
    clocks: tuple[ClockDefinition, ...]
    organization_kinds: frozenset[str]
    """Kinds of organizations that follow people up under it."""
    organization_roles: frozenset[str] = frozenset()
    """Program roles that make an organization of another kind do so too."""
    joins: bool = False
    """It follows whom its trigger fits, beside whatever program the panel names."""
    runs_while: frozenset[ContactOutcome] = frozenset()
    """What stops no clock of this program: that the person is `in_facility`, or `incarcerated`."""
    effective_from: date | None = None
    effective_to: date | None = None
    """Exclusive."""

    def __post_init__(self) -> None:
        for clock in self.clocks:
            if not clock.id.startswith(f"{self.id}."):
                message = f"clock {clock.id}: its id must begin with {self.id}."
                raise ProgramError(message)
            if clock.classes and clock.classes.isdisjoint(self.trigger.classes):
                message = f"clock {clock.id}: no stay starts it; its classes are none of the trigger's"
                raise ProgramError(message)
        if self.effective_from is not None and self.effective_to is not None and self.effective_from >= self.effective_to:
            message = f"program {self.id}: version {self.version} ends before it starts; effective_to is the first day it no longer holds"
            raise ProgramError(message)

    def in_force(self, on: date) -> bool:
        """Whether this version holds on a date."""
        return (self.effective_from is None or self.effective_from <= on) and (self.effective_to is None or on < self.effective_to)

    def is_for(self, organization_kind: str, organization_roles: Iterable[str] = ()) -> bool:
        """Whether an organization of this kind, or with one of these roles, follows people up under this program."""
        return organization_kind in self.organization_kinds or not self.organization_roles.isdisjoint(organization_roles)

    @property
    def is_started_by_facts(self) -> bool:
        """Whether diagnoses or the way a stay ended decide that it starts, which may be heard long after the discharge."""
        return self.joins or bool(self.trigger.behavioral or self.trigger.diagnoses or self.trigger.dispositions)

    def clocks_for(self, stay: Stay) -> tuple[ClockDefinition, ...]:
        """Give the clocks that this stay's discharge starts; none when it does not fit the trigger."""
        if self.trigger.misfits(stay):
            return ()
        return tuple(clock for clock in self.clocks if clock.starts_after(stay))


@dataclass(frozen=True, slots=True)
class ProgramChoice:
    """The programs under which an organization follows one person up, and why these."""

    programs: tuple[ProgramDefinition, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramCatalog:
    """All programs of a deployment, the names that panels use for them, and the one for names nobody knows."""

    programs: tuple[ProgramDefinition, ...]
    aliases: Mapping[str, str]
    """Normalized name as it may stand in a panel -> program id. Ids are their own aliases."""
    default_id: str

    def __post_init__(self) -> None:
        owners: dict[str, str] = {}
        for program in self.programs:
            for clock in program.clocks:
                if owners.setdefault(clock.id, program.id) != program.id:
                    message = f"clock {clock.id} is defined by {owners[clock.id]} and by {program.id}; clock ids are unique"
                    raise ProgramError(message)
        ids = {program.id for program in self.programs}
        for name in {*self.aliases.values(), self.default_id} - ids:
            message = f"program {name} is named by an alias or as the default, but not defined"
            raise ProgramError(message)

    def id_of(self, name: str) -> str:
        """Give the id of the program that a panel calls so; a name that nobody knows stays as it is."""
        return self.aliases.get(normalized_program(name), name)

    def program(self, program_id: str, on: date) -> ProgramDefinition | None:
        """Give the version of a program in force on a date."""
        return next((one for one in self.programs if one.id == program_id and one.in_force(on)), None)

    def knows(self, named: str) -> bool:
        """Tell whether every name in what a panel row calls its program is one we know."""
        names = _names(named, self.aliases)
        return bool(names) and all(name in self.aliases for name in names)

    def ids_named(self, named: str) -> frozenset[str]:
        """Give the ids of the known programs that a panel row names."""
        return frozenset(self.aliases[name] for name in _names(named, self.aliases) if name in self.aliases)

    def joined(self, on: date, organization_kind: str, organization_roles: Iterable[str] = ()) -> tuple[ProgramDefinition, ...]:
        """Give the programs that join whatever else an organization follows people up under."""
        roles = frozenset(organization_roles)
        return tuple(one for one in self.programs if one.joins and one.in_force(on) and one.is_for(organization_kind, roles))

    def choose(self, named: str, on: date, *, organization_kind: str, organization_roles: Iterable[str] = ()) -> ProgramChoice:
        """Choose the programs for what a panel row calls its program: one name, or several separated by ; , / | or +.

        A name that nobody knows, or a program not in force that day, becomes the default program: a clock always runs. An
        organization that follows nobody up (a plan, a hospital, an exchange) gets none.
        """
        roles = frozenset(organization_roles)
        wanted: dict[str, ProgramDefinition] = {}
        reasons: list[str] = []
        for name in _names(named, self.aliases) or [""]:
            known = self.aliases.get(name)
            program = None if known is None else self.program(known, on)
            if program is None:
                program = self.program(self.default_id, on)
                reasons.append(
                    "program_unknown: the panel's program is not one we know" if known is None else f"program_not_in_force: {known}"
                )
            if program is None or not program.is_for(organization_kind, roles):
                reasons.append(f"no_follow_up_of_its_own: an organization of kind {organization_kind} runs no clocks here")
            else:
                wanted[program.id] = program
                reasons.append(f"program_chosen: {program.id} {program.version}")
        return ProgramChoice(tuple(wanted.values()), tuple(dict.fromkeys(reasons)))


def normalized_program(name: str) -> str:
    """Give a program name without case, spaces and punctuation."""
    return NOT_WORD.sub("", name.casefold())


def _names(named: str, aliases: Mapping[str, str]) -> list[str]:
    """Split a panel's program text into normalized names, unless the whole of it is one."""
    whole = normalized_program(named)
    if whole in aliases:
        return [whole]
    return [name for name in (normalized_program(part) for part in SEPARATORS.split(named)) if name]

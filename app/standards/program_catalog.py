"""The programs as data: reads one file a program version, and builds the catalog. Not here: what a clock means (``app.domain.clock``)."""

from functools import cache
from importlib.resources.abc import Traversable
from itertools import combinations
from typing import Final

from app.domain.behavioral import BehavioralKind
from app.domain.calendar import ClockUnit
from app.domain.contact import ContactOutcome, ContactRole, ContactTopic, ContactType, ContactWith
from app.domain.diagnosis import DiagnosisGroup
from app.domain.organization import OrganizationKind
from app.domain.program import (
    AGE_MAX,
    PERCENT,
    ClockAnchor,
    ClockDefinition,
    EscalationPart,
    ProgramCatalog,
    ProgramDefinition,
    Satisfaction,
    TriggerFilter,
    normalized_program,
)
from app.domain.stay import Disposition, StayClass
from app.standards.calendars import holiday_calendar
from app.standards.toml_table import StandardsError, TomlTable, build, no_repetition, read_folder, shipped

DEFAULT_PROGRAM: Final = "default"


@cache
def program_catalog() -> ProgramCatalog:
    """Give the shipped programs."""
    return load_programs(shipped("programs"))


def load_programs(folder: Traversable) -> ProgramCatalog:
    """Build the catalog from a folder: several files may be versions of one program, in periods that do not overlap."""
    aliases: dict[str, str] = {}
    programs = []
    for table in read_folder(folder):
        program = _program(table)
        programs.append(program)
        for name in (program.id, *table.texts("aliases")):
            if aliases.setdefault(normalized_program(name), program.id) != program.id:
                table.fail("aliases", f"has {name!r}, which names {aliases[normalized_program(name)]} already")
        table.finish()
    _check_periods(programs)
    return build(folder.name, lambda: ProgramCatalog(programs=tuple(programs), aliases=aliases, default_id=DEFAULT_PROGRAM))


def calendar_ids(catalog: ProgramCatalog) -> tuple[str, ...]:
    """Give the holiday calendars that the programs use."""
    return tuple(sorted({clock.holiday_calendar for program in catalog.programs for clock in program.clocks if clock.holiday_calendar}))


def _check_periods(programs: list[ProgramDefinition]) -> None:
    """Refuse two versions of one program on one day."""
    for one, other in combinations(programs, 2):
        if one.id == other.id and _starts_before_end(one, other) and _starts_before_end(other, one):
            message = f"program {one.id}: versions {one.version} and {other.version} are in force at once; end one where the other begins"
            raise StandardsError(message)


def _starts_before_end(one: ProgramDefinition, other: ProgramDefinition) -> bool:
    return one.effective_from is None or other.effective_to is None or one.effective_from < other.effective_to


def _program(table: TomlTable) -> ProgramDefinition:
    told = _escalation(table)
    clocks = tuple(_clock(one, told) for one in table.tables("clock"))
    if not clocks:
        table.fail("clock", "is missing: a program needs at least one")
    no_repetition(table.place, "clock", [clock.id for clock in clocks])
    trigger = table.table("trigger")
    found = build(
        table.place,
        lambda: ProgramDefinition(
            id=table.text("id"),
            title=table.text("title"),
            version=table.text("version"),
            basis=table.text("basis"),
            trigger=TriggerFilter(
                classes=trigger.codes("classes", StayClass, required=True),
                behavioral=trigger.codes("behavioral", BehavioralKind),
                dispositions=trigger.codes("dispositions", Disposition),
                diagnoses=trigger.codes("diagnoses", DiagnosisGroup),
            ),
            clocks=clocks,
            organization_kinds=table.codes("organization_kinds", OrganizationKind, required=True),
            organization_roles=frozenset(table.texts("organization_roles")),
            joins=table.boolean("joins"),
            runs_while=table.codes("runs_while", ContactOutcome),
            effective_from=table.day("effective_from"),
            effective_to=table.day("effective_to"),
        ),
    )
    trigger.finish()
    return found


def _escalation(table: TomlTable) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Read from which share of a clock's time on which people of the home are told; none: as our policy has it."""
    told = []
    for one in table.tables("escalate"):
        parts = one.codes("to", EscalationPart, required=True)
        told.append((one.integer("at_percent"), tuple(part.value for part in EscalationPart if part in parts)))
        one.finish()
    if [percent for percent, _ in told] != sorted({percent for percent, _ in told}):
        table.fail("escalate", "must be in ascending order of at_percent, each once")
    if any(not 1 <= percent <= PERCENT for percent, _ in told):
        table.fail("escalate", "must have at_percent between 1 and 100")
    return tuple(told)


def _clock(table: TomlTable, told: tuple[tuple[int, tuple[str, ...]], ...]) -> ClockDefinition:
    satisfied_by = _satisfaction(table.table("satisfied_by"))
    calendar = table.text("holiday_calendar", default="")
    if calendar:
        try:
            holiday_calendar(calendar)
        except StandardsError as wrong:
            table.fail("holiday_calendar", f"is {calendar!r}: {wrong}")
    found = build(
        table,
        lambda: ClockDefinition(
            id=table.text("id"),
            title=table.text("title"),
            unit=table.code("unit", ClockUnit),
            count=table.integer("count"),
            satisfied_by=satisfied_by,
            classes=table.codes("classes", StayClass),
            age_min=table.integer("age_min", default=0),
            age_max=table.integer("age_max", default=AGE_MAX),
            anchor=table.code("anchor", ClockAnchor, default=ClockAnchor.DISCHARGE),
            day_zero_counts_for=table.codes("day_zero_counts_for", StayClass) if table.has("day_zero_counts_for") else frozenset(StayClass),
            holiday_calendar=calendar,
            escalate_at_percent=table.integers("escalate_at_percent"),
            escalate_to=told,
            priority=table.integer("priority", default=100),
        ),
    )
    table.finish()
    return found


def _satisfaction(table: TomlTable) -> Satisfaction:
    found = build(
        table,
        lambda: Satisfaction(
            types=table.codes("types", ContactType),
            with_whom=table.codes("with", ContactWith),
            roles=table.codes("roles", ContactRole),
            outcomes=table.codes("outcomes", ContactOutcome, required=True),
            topics=table.codes("topics", ContactTopic),
            topics_by_day=table.codes("topics_by_day", ContactTopic),
            topics_across=table.codes("topics_across", ContactTopic),
            live_two_way=table.boolean("live_two_way"),
            contacts_min=table.integer("contacts_min", default=1),
            attempts_min=table.integer("attempts_min", default=0),
            attempt_types=table.codes("attempt_types", ContactType),
        ),
    )
    table.finish()
    return found

"""The programs for readers, written from what was loaded: `python -m app.standards.program_page` prints the page, `… schema` the schema.

A test holds the committed page and schema to it; `handoff program page` prints that of a deployment's own. Not here: reading the files.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from app.domain.behavioral import BehavioralKind
from app.domain.calendar import ClockUnit
from app.domain.contact import ContactOutcome, ContactRole, ContactTopic, ContactType, ContactWith
from app.domain.diagnosis import DiagnosisGroup
from app.domain.organization import OrganizationKind
from app.domain.program import (
    AGE_MAX,
    COUNT_MAX,
    ClockAnchor,
    ClockDefinition,
    EscalationPart,
    ProgramCatalog,
    ProgramDefinition,
    normalized_program,
)
from app.domain.stay import Disposition, StayClass
from app.standards.calendars import CALENDAR_ID, NO_CALENDAR
from app.standards.program_catalog import program_catalog

__all__ = ["page", "schema"]
_SHIPPED: Final = "Written from `programs/*.toml` by `python -m app.standards.program_page`: change those, not this."
_OWN: Final = "Written from `{}` by `handoff program page`: change those files, not this."
_HEAD: Final = """# Programs

{}
A clock counts from the discharge unless it says otherwise; the day of the anchor is day 0. At a share of its time the people named beside
it are told, once each. A panel names a program by its id or by any of the names given, in any case and punctuation.
"""


def page(catalog: ProgramCatalog, own: Path | None = None) -> str:
    """Give the page of these programs. `own`: the folder of the deployment's own definitions, where it has one."""
    written_from = _SHIPPED if own is None else _OWN.format(own / "programs" if (own / "programs").is_dir() else "programs/*.toml")
    programs = sorted(catalog.programs, key=lambda one: (one.id, one.version))
    names: dict[str, list[str]] = {}
    for name, program_id in catalog.aliases.items():
        if name != normalized_program(program_id):
            names.setdefault(program_id, []).append(name)
    return "\n".join([_HEAD.format(written_from), *(_program(one, sorted(names.get(one.id, ()))) for one in programs)])


def _program(program: ProgramDefinition, names: Sequence[str]) -> str:
    trigger = program.trigger
    parts = [
        f"classes {_listed(trigger.classes)}",
        *([f"kind {_listed(trigger.behavioral)}"] if trigger.behavioral else []),
        *([f"discharged to {_listed(trigger.dispositions)}"] if trigger.dispositions else []),
        *([f"any diagnosis of {_listed(trigger.diagnoses)}"] if trigger.diagnoses else []),
    ]
    since = f" from {program.effective_from}" if program.effective_from else ""
    until = f" until {program.effective_to}" if program.effective_to else ""
    lines = [
        f"## {program.title} (`{program.id}`, version {program.version}{since}{until})",
        "",
        program.basis,
        "",
        f"Starts after: {'; '.join(parts)}.{' Joins whatever program the panel names.' if program.joins else ''}"
        + (f" Goes on while the person is {_listed(program.runs_while)}." if program.runs_while else ""),
        "",
        f"Followed up by: {', '.join(sorted(program.organization_kinds))}{_with_roles(program)}.",
        *([f"Named in panels also: {', '.join(names)}."] if names else []),
        "",
        "| clock | due | satisfied by | told at |",
        "|---|---|---|---|",
        *(_clock(one) for one in program.clocks),
        "",
    ]
    return "\n".join(lines)


def _clock(clock: ClockDefinition) -> str:
    due = f"{clock.count} {clock.unit.value.replace('_', ' ')}{f' ({clock.holiday_calendar})' if clock.holiday_calendar else ''}"
    anchored = "" if clock.anchor is ClockAnchor.DISCHARGE else f" after the {clock.anchor}"
    only = f"; after {_listed(clock.classes)} only" if clock.classes else ""
    only += f"; ages {clock.age_min} to {clock.age_max}" if (clock.age_min, clock.age_max) != (0, AGE_MAX) else ""
    asked = clock.satisfied_by
    said = [
        *([f"{asked.contacts_min} contacts"] if asked.contacts_min > 1 else []),
        *([_listed(asked.types)] if asked.types else ["any contact"]),
        *([f"with {_listed(asked.with_whom)}"] if asked.with_whom else []),
        *([f"by {_listed(asked.roles)}"] if asked.roles else []),
        f"outcome {_listed(asked.outcomes)}",
        *(["live both ways"] if asked.live_two_way else []),
        *([f"having done {_listed(asked.topics)}"] if asked.topics else []),
        *([f"{_listed(asked.topics_by_day)} done by its day"] if asked.topics_by_day else []),
        *([f"having done {_listed(asked.topics_across)} in one or in several"] if asked.topics_across else []),
        *([f"or {asked.attempts_min} attempts ({_listed(asked.attempt_types or asked.types)})"] if asked.attempts_min else []),
        *([f"not on day 0 after {_listed(late)}"] if (late := _after_day_zero(clock)) else []),
    ]
    told = "; ".join(f"{percent} %: {', '.join(clock.told_at(percent))}" for percent in clock.escalate_at_percent) or "the breach"
    return f"| {clock.title} (`{clock.id}`) | {due}{anchored}{only} | {', '.join(said)} | {told} |"


def _with_roles(program: ProgramDefinition) -> str:
    return f"; of other kinds with a role of {', '.join(sorted(program.organization_roles))}" if program.organization_roles else ""


def _after_day_zero(clock: ClockDefinition) -> frozenset[StayClass]:
    """Give the stays after which a contact of the anchor's own day does not count."""
    return frozenset(StayClass) - clock.day_zero_counts_for


def _listed(codes: Iterable[StrEnum]) -> str:
    return ", ".join(sorted(code.value for code in codes))


def schema() -> dict[str, Any]:
    """Give the JSON schema of a program file, for editors; the loader asks for more (periods, uniqueness, calendars)."""
    text, count = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}
    positive = {"type": "integer", "minimum": 1}
    satisfied: dict[str, Any] = {
        "types": _codes(ContactType), "with": _codes(ContactWith), "roles": _codes(ContactRole),
        "outcomes": _some(ContactOutcome), "topics": _codes(ContactTopic), "topics_by_day": _codes(ContactTopic),
        "topics_across": _codes(ContactTopic), "live_two_way": {"type": "boolean"}, "contacts_min": positive, "attempts_min": count,
        "attempt_types": _codes(ContactType),
    }  # fmt: skip
    clock: dict[str, Any] = {
        "id": text, "title": text, "unit": {"enum": [one.value for one in ClockUnit]}, "count": {**positive, "maximum": COUNT_MAX},
        "satisfied_by": _table(satisfied, ["outcomes"]), "classes": _codes(StayClass),
        "age_min": count, "age_max": count, "anchor": {"enum": [one.value for one in ClockAnchor]},
        "day_zero_counts_for": _codes(StayClass),
        "holiday_calendar": {"type": "string", "pattern": f"^(?:{CALENDAR_ID.pattern}|{NO_CALENDAR})$"},
        "escalate_at_percent": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 100}}, "priority": count,
    }  # fmt: skip
    trigger: dict[str, Any] = {
        "classes": _some(StayClass), "behavioral": _codes(BehavioralKind), "dispositions": _codes(Disposition),
        "diagnoses": _codes(DiagnosisGroup),
    }  # fmt: skip
    escalate = _table({"at_percent": {"type": "integer", "minimum": 1, "maximum": 100}, "to": _some(EscalationPart)}, ["at_percent", "to"])
    day = {"type": "string", "format": "date"}
    whole: dict[str, Any] = {
        "id": text, "title": text, "version": text, "basis": text, "aliases": _texts(), "organization_kinds": _some(OrganizationKind),
        "organization_roles": _texts(), "joins": {"type": "boolean"}, "runs_while": _codes(ContactOutcome), "effective_from": day,
        "effective_to": day, "trigger": _table(trigger, ["classes"]), "escalate": {"type": "array", "items": escalate},
        "clock": {"type": "array", "minItems": 1, "items": _table(clock, ["id", "title", "unit", "count", "satisfied_by"])},
    }  # fmt: skip
    required = ["id", "title", "version", "basis", "organization_kinds", "trigger", "clock"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A program of Warm Handoff", **_table(whole, required)}


def _codes(codes: type[StrEnum]) -> dict[str, Any]:
    return {"type": "array", "items": {"enum": [one.value for one in codes]}, "uniqueItems": True}


def _some(codes: type[StrEnum]) -> dict[str, Any]:
    return {**_codes(codes), "minItems": 1}


def _texts() -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True}


def _table(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n" if sys.argv[1:] == ["schema"] else page(program_catalog()))

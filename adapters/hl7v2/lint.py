"""Advice about one message for the person who builds its interface: every problem, and what the standard says besides.

Three sources in one list: what decides acceptance and what was doubtful in reading (`reader`), the fields against the
dictionary of the message's version, and the order of its segments against the structure of its event. Advice never
repeats a value, and never decides anything. For `handoff lint` and `$validate`, off the hot path.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from adapters.hl7v2.dictionary import UNBOUNDED, Part, Slot, known_version, place_name, segment_fields, structure, table_values
from adapters.hl7v2.encodings import tokenize
from adapters.hl7v2.er7 import Er7Message, Segment
from adapters.hl7v2.escapes import unescape
from adapters.hl7v2.reader import Hl7v2Reader
from adapters.hl7v2.reading import NULL
from adapters.hl7v2.timestamps import TimestampFault, parse_timestamp
from app.domain.feed import Feed
from app.domain.inbound import Header, Problem, ProblemCode, Severity

FINDINGS_MAX: Final = 200
"""More advice than this helps nobody; the rest is left out."""
NEUTRAL_FEED: Final = Feed(UUID(int=0), UUID(int=0), "", "", "UTC", "UNKNOWN")
"""For a message whose feed is not known: no maps, times without offset are UTC."""

_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+")
_TIME_OF_DAY = re.compile(r"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:[0-5][0-9](?:\.[0-9]{1,4})?)?)?(?:[+-][0-9]{4})?")
_TIMES = frozenset({"DT", "DTM", "TS"})
_MISPLACED_MAX: Final = 5
_OPEN_TABLES = frozenset({"0354", "0359"})
"""MSH-9.3, which is never trusted, and a table whose last entry means "and higher"."""
_SUGGESTED_TABLES = frozenset({"0001", "0004"})
"""User-defined tables whose suggestions are read here; those of others only make noise."""
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of advice, with its place for a machine and in words."""

    severity: Severity
    code: ProblemCode
    location: str
    """Segment^sequence^field^repetition^component, as far as it is known."""
    name: str
    """The place in the words of the standard, as in "PID-3.4 patient identifier list, assigning authority"."""
    text: str


def lint(body: bytes, feed: Feed = NEUTRAL_FEED) -> tuple[Finding, ...]:
    """Give every problem and piece of advice, worst first. Nothing is raised, whatever the bytes are."""
    reader = Hl7v2Reader()
    header = reader.header(body)
    message = tokenize(body, feed.profile.charset)
    version = known_version(header.version)
    problems = list(_read(reader, body, header, feed))
    if isinstance(message, Er7Message):
        seen = {(_field_of(problem.location), problem.code) for problem in problems}
        advice = (*_field_advice(message, version), *_structure_advice(message, header, version))
        problems += [problem for problem in advice if (_field_of(problem.location), problem.code) not in seen]
    order = list(Severity)
    problems.sort(key=lambda problem: order.index(problem.severity))
    return tuple(
        Finding(problem.severity, problem.code, problem.location, place_name(version, problem.location), problem.text)
        for problem in islice(problems, FINDINGS_MAX)
    )


def _field_of(location: str) -> str:
    """Give the field of a place: what the reader said of it is not said again of its first component."""
    return "^".join(location.split("^")[:3])


def _read(reader: Hl7v2Reader, body: bytes, header: Header, feed: Feed) -> tuple[Problem, ...]:
    """Doubts of a full reading where the event is one that is read, else only those of the header."""
    if reader.is_supported(header.trigger):
        return reader.notes(body, feed)
    return tuple(reader.problems(body, header, feed))


# Fields against the dictionary.


def _advise(severity: Severity, code: ProblemCode, location: str, text: str) -> Problem:
    return Problem(code, severity, location, text)


def _field_advice(message: Er7Message, version: str) -> Iterator[Problem]:
    for segment in message.segments():
        if segment.name.startswith("Z"):
            continue
        fields = segment_fields(version, segment.name)
        if fields is None:
            text = f"Not a segment of version {version}; it is left out. Local segments begin with Z."
            yield _advise(Severity.INFORMATION, ProblemCode.SEGMENT_SEQUENCE, f"{segment.name}^{segment.sequence}", text)
            continue
        first = 3 if segment.name == "MSH" else 1
        for number, part in enumerate(fields[first - 1 :], first):
            yield from _one_field(message, segment, number, part, version)
        if any(raw for raw in segment.fields[len(fields) + 1 :]):
            text = f"Version {version} has {len(fields)} fields in {segment.name}; the rest is left out."
            yield _advise(Severity.INFORMATION, ProblemCode.DATA_TYPE, segment.location(len(fields) + 1), text)


def _one_field(message: Er7Message, segment: Segment, number: int, part: Part, version: str) -> Iterator[Problem]:
    raw = segment.raw(number)
    if not raw:
        if part.low > 0:
            yield _advise(Severity.WARNING, ProblemCode.REQUIRED_FIELD_MISSING, segment.location(number), f"Required in version {version}.")
        return
    if raw == NULL:
        return
    repetitions = segment.repetitions(number)
    if part.high != UNBOUNDED and len(repetitions) > max(part.high, 1):
        text = f"May repeat {part.high} times in version {version}." if part.high > 1 else f"May not repeat in version {version}."
        yield _advise(Severity.WARNING, ProblemCode.DATA_TYPE, segment.location(number, part.high + 1), text)
    for at, repetition in enumerate(repetitions, 1):
        components = repetition.split(message.delimiters.component)
        if not part.parts:
            yield from _value(message, part, components[0], segment.location(number, at), version)
            continue
        if any(components[len(part.parts) :]):
            text = f"The data type {part.data_type} has {len(part.parts)} components in version {version}; the rest is left out."
            yield _advise(Severity.INFORMATION, ProblemCode.DATA_TYPE, segment.location(number, at, len(part.parts) + 1), text)
        for place, (one, component) in enumerate(zip(part.parts, components, strict=False), 1):
            yield from _value(message, one, component, segment.location(number, at, place), version)


def _value(message: Er7Message, part: Part, raw: str, location: str, version: str) -> Iterator[Problem]:
    """Check a value against its table and its data type."""
    raw = raw.split(message.delimiters.subcomponent, 1)[0]
    if not raw or raw == NULL:
        return
    text = unescape(raw, message.delimiters, message.decoded.codec).strip()
    if part.table is not None and part.data_type in {"ID", "IS"}:
        is_own = part.data_type == "ID"
        values = table_values(version, part.table) if is_own or part.table in _SUGGESTED_TABLES else frozenset()
        if values and text not in values and part.table not in _OPEN_TABLES:
            severity = Severity.WARNING if is_own else Severity.INFORMATION
            yield _advise(severity, ProblemCode.TABLE_VALUE, location, f"Not in table {part.table} of version {version}.")
    if part.data_type in _TIMES:
        time = parse_timestamp(text, _UTC)
        if isinstance(time, TimestampFault):
            yield _advise(Severity.WARNING, ProblemCode.DATA_TYPE, location, time.text)
    elif (part.data_type == "NM" and not _NUMBER.fullmatch(text)) or (part.data_type == "SI" and not (text.isascii() and text.isdigit())):
        yield _advise(Severity.WARNING, ProblemCode.DATA_TYPE, location, f"Expected a number (data type {part.data_type}).")
    elif part.data_type == "TM" and not _TIME_OF_DAY.fullmatch(text):
        yield _advise(Severity.WARNING, ProblemCode.DATA_TYPE, location, "Expected a time of day as HHMM[SS].")


# Segments against the structure.


@dataclass(slots=True)
class _Walk:
    """The walk of the segment names through a structure."""

    names: list[str]
    missing: list[str] = field(default_factory=list)

    def through(self, slots: tuple[Slot, ...], at: int) -> int:
        """Place as many names as the slots take, in order, and give where it stopped."""
        for slot in slots:
            count = 0
            while at < len(self.names) and (slot.high == UNBOUNDED or count < slot.high) and self.names[at] in _firsts(slot):
                after = self.through(slot.slots, at) if slot.is_group else at + 1
                if after == at:
                    break
                at, count = after, count + 1
            if count < slot.low:
                self.missing.append(slot.name)
        return at


def _firsts(slot: Slot) -> frozenset[str]:
    """Give the segments that a slot may begin with."""
    if not slot.is_group:
        return frozenset({slot.name})
    found: frozenset[str] = frozenset()
    for one in slot.slots:
        found |= _firsts(one)
        if one.low > 0:
            break
    return found


def _all_segments(slots: tuple[Slot, ...]) -> frozenset[str]:
    return frozenset().union(*(_all_segments(slot.slots) if slot.is_group else {slot.name} for slot in slots))


def _structure_advice(message: Er7Message, header: Header, version: str) -> Iterator[Problem]:
    """Say which segments the structure of the event has no place for, and which it misses."""
    found = structure(version, header.trigger) if header.message_code == "ADT" else None
    if found is None:
        return
    name, slots = found
    known = _all_segments(slots)
    placed: list[Segment] = []
    for segment in message.segments():
        if segment.name in known:
            placed.append(segment)
        elif not segment.name.startswith("Z") and segment_fields(version, segment.name) is not None:
            text = f"Not part of {name} in version {version}; it is left out."
            yield _advise(Severity.INFORMATION, ProblemCode.SEGMENT_SEQUENCE, f"{segment.name}^{segment.sequence}", text)
    walk = _Walk([])
    for _ in range(_MISPLACED_MAX):
        walk = _Walk([segment.name for segment in placed])
        stopped = walk.through(slots, 0)
        if stopped == len(placed):
            break
        misplaced = placed.pop(stopped)
        text = f"Stands where {name} of version {version} has no place for it, or repeats too often; it is read all the same."
        yield _advise(Severity.INFORMATION, ProblemCode.SEGMENT_SEQUENCE, f"{misplaced.name}^{misplaced.sequence}", text)
    for missing in dict.fromkeys(walk.missing):
        if "_" not in missing:
            yield _advise(Severity.WARNING, ProblemCode.SEGMENT_SEQUENCE, f"{missing}^1", f"Required in {name} of version {version}.")

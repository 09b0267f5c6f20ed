"""Splits one ER7 message (HL7 2.5.1 chapter 2) into segments, fields, repetitions, components: linear, lossless, lazy.

A message is decoded once and cut into lines once; a segment is split only when somebody reads it. Everything is split
before anything is unescaped (HL7-3), and what was split joins to the same bytes again. The limits are checked for the
whole message at once, cheaply, so that no later step has to. Not here: what a field means (`reader`), escapes
(`escapes`), character sets (`charset`), envelopes around messages (`batch`, `framing`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final

from adapters.hl7v2.charset import Decoded, declared_charset, decode
from app.domain.inbound import Problem, ProblemCode, Severity

MESSAGE_BYTES_MAX: Final = 1_048_576
SEGMENTS_MAX: Final = 500
"""Beside OBX."""
OBSERVATIONS_MAX: Final = 5_000
"""OBX: a document that comes as text has one a line."""
FIELDS_MAX: Final = 500
REPETITIONS_MAX: Final = 200
COMPONENTS_MAX: Final = 100
"""Also the limit of subcomponents in a component."""
LINES_MAX: Final = 4 * SEGMENTS_MAX
"""Lines beside OBX, blank and stray ones included."""

ABSENT: Final = "\udfff"
"""Stands for a delimiter that MSH-2 does not declare: a lone surrogate, which no decoded text can contain."""

_LEADING = b"\xef\xbb\xbf\x0b\x1c\x00 \t\r\n"
_TRAILING = b"\x0b\x1c\x00 \t\r\n"
_SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_LINE_ENDS = re.compile(r"(\r\n|\r|\n)")
_HEADERS = frozenset({"MSH", "FHS", "BHS"})
_ENCODING_CHARACTERS_MAX = 5


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The delimiters of one message, from MSH-1 and MSH-2 (HL7-2). Those not declared are `ABSENT`."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    truncation: str
    encoding_characters: str
    """MSH-2 as sent, for echoing."""


STANDARD: Final = Delimiters("|", "^", "~", "\\", "&", ABSENT, "^~\\&")


def read_delimiters(line: str) -> Delimiters | Problem:
    """Read MSH-1 and MSH-2 from the first line of a message (or of an FHS or BHS header)."""
    end = line.find(line[3:4], 4) if len(line) > 4 else -1  # noqa: PLR2004 -- "MSH" and MSH-1 are four characters
    head = line if end < 0 else line[:end]
    # Nearly every message of a feed begins with the same nine characters.
    return _delimiters(head) if len(head) <= 4 + _ENCODING_CHARACTERS_MAX + 1 else _encoding_characters_unusable(head[:3])


@lru_cache(maxsize=256)
def _delimiters(head: str) -> Delimiters | Problem:
    name, separator, declared = head[:3], head[3:4], head[4:]
    if not _is_delimiter(separator):
        return _unusable(f"{name}^1^1", "The character after the segment name must be a field separator, usually |.")
    characters = declared
    if characters == "^~\\\\&":
        # The backslash doubled by a program that escaped it once too often; read as the four standard characters.
        characters = "^~\\&"
    if characters == "^~&":
        # The backslash lost in a string literal: no escape character then, and & still separates subcomponents.
        characters = "^~" + ABSENT + "&"
    used = [character for character in characters if character != ABSENT]
    if (
        not all(map(_is_delimiter, used))
        or len({*used, separator}) != len(used) + 1
        or not 1 <= len(characters) <= _ENCODING_CHARACTERS_MAX
    ):
        return _encoding_characters_unusable(name)
    component, repetition, escape, subcomponent, truncation = list(characters + ABSENT * 4)[:5]
    return Delimiters(separator, component, repetition, escape, subcomponent, truncation, declared)


def _is_delimiter(character: str) -> bool:
    """Printable ASCII punctuation: anything else is text, white space or damage."""
    return len(character) == 1 and "!" <= character <= "~" and not character.isalnum()


def _encoding_characters_unusable(name: str) -> Problem:
    return _unusable(f"{name}^1^2", "The encoding characters must be one to five different punctuation characters, usually ^~\\&.")


def _unusable(location: str, text: str) -> Problem:
    return Problem(ProblemCode.DATA_TYPE, Severity.ERROR, location, text)


class Segment:
    """One segment, split into fields. Field numbers are those of the standard, MSH included; what is missing reads as ""."""

    __slots__ = ("delimiters", "fields", "line", "name", "sequence")

    def __init__(self, line: str, sequence: int, delimiters: Delimiters) -> None:
        """Split the line; `sequence` counts the segments of this name in the message, from 1."""
        self.line = line
        self.name = line[:3]
        self.sequence = sequence
        self.delimiters = delimiters
        self.fields = line.split(delimiters.field)
        if self.name in _HEADERS:
            self.fields.insert(1, delimiters.field)

    def raw(self, number: int) -> str:
        """Give the whole field as sent."""
        return self.fields[number] if number < len(self.fields) else ""

    def first(self, number: int) -> str:
        """Give the first repetition of the field as sent."""
        text = self.fields[number] if number < len(self.fields) else ""
        separator = self.delimiters.repetition
        return text.split(separator, 1)[0] if separator in text else text

    def repetitions(self, number: int) -> list[str]:
        """Give the repetitions of the field as sent; none for an absent field."""
        text = self.raw(number)
        return text.split(self.delimiters.repetition) if text else []

    def components(self, number: int) -> list[str]:
        """Give the components of the first repetition as sent."""
        return self.first(number).split(self.delimiters.component)

    def component(self, number: int, component: int) -> str:
        """Give one component (from 1) of the first repetition as sent."""
        parts = self.first(number).split(self.delimiters.component, component)
        return parts[component - 1] if component <= len(parts) else ""

    def location(self, field: int, repetition: int | None = None, component: int | None = None) -> str:
        """Name a place as ERR-2 does: segment^sequence^field^repetition^component."""
        parts = [self.name, self.sequence, field]
        if repetition is not None:
            parts.append(repetition)
            if component is not None:
                parts.append(component)
        return "^".join(map(str, parts))


class Er7Message:
    """One decoded message, cut into lines; made by `tokenize` only."""

    __slots__ = ("_index", "decoded", "delimiters", "lines", "prefix", "suffix", "text")

    def __init__(self, decoded: Decoded, delimiters: Delimiters, prefix: bytes, suffix: bytes) -> None:
        """Cut the text into lines and note which names start them."""
        self.decoded = decoded
        self.text = decoded.text
        self.delimiters = delimiters
        self.prefix = prefix
        self.suffix = suffix
        # A NUL is never text, and no database text can hold one; `text` keeps it, so that nothing is lost in joining.
        self.lines = lines = cut_lines(decoded.text.replace("\x00", "") if "\x00" in decoded.text else decoded.text)
        # By the first four characters: name and separator, or a bare name. One slice and one look-up a line.
        index: dict[str, list[int]] = {}
        for number, line in enumerate(lines):
            start = line[:4]
            if start in index:
                index[start].append(number)
            else:
                index[start] = [number]
        self._index = index

    def _numbers(self, name: str) -> list[int]:
        numbers = self._index.get(name + self.delimiters.field, [])
        bare = self._index.get(name)
        return sorted(numbers + bare) if bare else numbers

    def count(self, name: str) -> int:
        """Count the segments of a name."""
        return len(self._numbers(name))

    def first(self, name: str) -> Segment | None:
        """Give the first segment of a name."""
        numbers = self._numbers(name)
        return Segment(self.lines[numbers[0]], 1, self.delimiters) if numbers else None

    def all(self, name: str) -> list[Segment]:
        """Give every segment of a name, in order."""
        lines, delimiters = self.lines, self.delimiters
        return [Segment(lines[number], sequence, delimiters) for sequence, number in enumerate(self._numbers(name), 1)]

    def segments(self) -> Iterator[Segment]:
        """Give every segment in order; lines that are no segment are left out."""
        seen: dict[str, int] = {}
        for line in self.lines:
            if is_segment(line, self.delimiters):
                name = line[:3]
                seen[name] = seen.get(name, 0) + 1
                yield Segment(line, seen[name], self.delimiters)

    def stray_lines(self) -> int:
        """Count the lines that are neither blank nor a segment, such as text after a line feed inside a field."""
        return sum(1 for line in self.lines if line.strip() and not is_segment(line, self.delimiters))

    def encode(self) -> bytes:
        """Give the bytes again, joined from the deepest parts upwards. The test of losslessness; the raw bytes are what is kept."""
        pieces = _LINE_ENDS.split(self.text)
        joined = [_rejoin(piece, self.delimiters) if position % 2 == 0 else piece for position, piece in enumerate(pieces)]
        return self.prefix + "".join(joined).encode(self.decoded.codec) + self.suffix


Subcomponents = list[str]
FieldTree = list[list[Subcomponents]]
"""Repetitions of components of subcomponents, all as sent."""


def field_tree(raw: str, delimiters: Delimiters) -> FieldTree:
    """Split one field as deep as it goes."""
    return [
        [component.split(delimiters.subcomponent) for component in repetition.split(delimiters.component)]
        for repetition in raw.split(delimiters.repetition)
    ]


def join_field(tree: FieldTree, delimiters: Delimiters) -> str:
    """Undo `field_tree`."""
    return delimiters.repetition.join(
        delimiters.component.join(delimiters.subcomponent.join(component) for component in repetition) for repetition in tree
    )


def is_segment(line: str, delimiters: Delimiters) -> bool:
    """Tell whether a line begins like a segment: three capitals or digits, then the field separator or nothing."""
    return (line[3:4] == delimiters.field or len(line) == 3) and _SEGMENT_NAME.fullmatch(line, 0, 3) is not None  # noqa: PLR2004 -- a segment name has three characters


def tokenize(body: bytes, default_charset: str | None = None) -> Er7Message | Problem:
    """Cut one message into lines, or say why that cannot be done and where. Nothing is raised, whatever the bytes are.

    A byte order mark, MLLP bytes and white space around the message are tolerated (and kept for `encode`).
    """
    if len(body) > MESSAGE_BYTES_MAX:
        return _too_much("MSH", f"The message is larger than {MESSAGE_BYTES_MAX} bytes.", ProblemCode.DATA_TYPE)
    core = body if body[:3] == b"MSH" else body.lstrip(_LEADING)
    prefix = body[: len(body) - len(core)]
    core = core.rstrip(_TRAILING)
    suffix = body[len(prefix) + len(core) :]
    header = first_line(core)
    if header is None:
        return no_header(body)
    delimiters = read_delimiters(header)
    if isinstance(delimiters, Problem):
        return delimiters
    decoded = decode(core, declared_charset(header, delimiters.field), default_charset)
    if isinstance(decoded, Problem):
        return decoded
    return cut(decoded, delimiters, prefix, suffix)


def cut(decoded: Decoded, delimiters: Delimiters, prefix: bytes = b"", suffix: bytes = b"") -> Er7Message | Problem:
    """Cut decoded text into lines, or say which limit it is beyond."""
    message = Er7Message(decoded, delimiters, prefix, suffix)
    return _overflow(message) or message


def first_line(core: bytes) -> str | None:
    """Give the MSH line read as Latin-1 (HL7-4), or None when the bytes do not begin with MSH."""
    if core[:3] != b"MSH":
        return None
    end = core.find(b"\r")
    line = core if end < 0 else core[:end]
    return line.split(b"\n", 1)[0].decode("latin-1")


def strip_envelope(body: bytes) -> bytes:
    """Take away what may stand before a message: byte order mark, MLLP start, white space."""
    return body if body[:3] == b"MSH" else body.lstrip(_LEADING)


def no_header(body: bytes) -> Problem:
    """Say why bytes that do not begin with MSH are no message, as far as can be told."""
    if b"\x00" in body[:16]:
        text = "The message is not in a byte-oriented character set; UTF-16 and UTF-32 are not allowed in HL7v2. Send UTF-8."
    elif body.lstrip(_LEADING)[:3] in {b"FHS", b"BHS"}:
        text = "This is a batch, not a message; send it to the batch endpoint, or its messages one by one."
    else:
        text = "The message does not begin with an MSH segment."
    return Problem(ProblemCode.SEGMENT_SEQUENCE, Severity.ERROR, "MSH^1", text)


def cut_lines(text: str) -> list[str]:
    """Cut at CR, LF or CRLF (HL7-2); blank lines stay, they are no segments."""
    if "\n" not in text:
        return text.split("\r")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")


def _rejoin(line: str, delimiters: Delimiters) -> str:
    if not is_segment(line, delimiters):
        return line
    segment = Segment(line, 1, delimiters)
    start = 0
    head = ""
    if segment.name in _HEADERS:
        # MSH-1 is the separator itself and MSH-2 is never split.
        head, start = delimiters.field.join([segment.name, segment.raw(2)]), 3
    fields = [join_field(field_tree(raw, delimiters), delimiters) for raw in segment.fields[start:]]
    return delimiters.field.join([head, *fields] if start else fields)


def _too_much(location: str, text: str, code: ProblemCode) -> Problem:
    return Problem(code, Severity.ERROR, location, text)


def _overflow(message: Er7Message) -> Problem | None:
    """Find the first place beyond a limit. Cheap for the messages that are within all of them."""
    lines, delimiters = message.lines, message.delimiters
    if len(lines) > SEGMENTS_MAX:
        observations = message.count("OBX")
        if observations > OBSERVATIONS_MAX:
            location = f"OBX^{OBSERVATIONS_MAX + 1}"
            return _too_much(location, f"The message has more than {OBSERVATIONS_MAX} OBX segments.", ProblemCode.SEGMENT_SEQUENCE)
        others = (segment for segment in message.segments() if segment.name != "OBX")
        beyond = next(islice(others, SEGMENTS_MAX, None), None)
        if beyond is not None:
            location = f"{beyond.name}^{beyond.sequence}"
            return _too_much(location, f"The message has more than {SEGMENTS_MAX} segments beside OBX.", ProblemCode.SEGMENT_SEQUENCE)
        if len(lines) - observations > LINES_MAX:
            return _too_much("MSH^1", "The message has too many lines that are no segments.", ProblemCode.SEGMENT_SEQUENCE)
    # A line shorter than the lowest limit cannot break any; that clears most lines by their length alone.
    for line in lines:
        if len(line) >= COMPONENTS_MAX and (
            line.count(delimiters.component) >= COMPONENTS_MAX
            or line.count(delimiters.subcomponent) >= COMPONENTS_MAX
            or (len(line) >= REPETITIONS_MAX and line.count(delimiters.repetition) >= REPETITIONS_MAX)
            or (len(line) >= FIELDS_MAX and line.count(delimiters.field) >= FIELDS_MAX)
        ):
            return next(filter(None, map(_segment_overflow, message.segments())), None)
    return None


def _segment_overflow(segment: Segment) -> Problem | None:
    delimiters = segment.delimiters
    if len(segment.fields) - 1 > FIELDS_MAX:
        return _too_much(segment.location(FIELDS_MAX + 1), f"The segment has more than {FIELDS_MAX} fields.", ProblemCode.DATA_TYPE)
    for number, raw in enumerate(segment.fields):
        if number <= 2 and segment.name in _HEADERS:  # noqa: PLR2004 -- MSH-1 and MSH-2 are the delimiters themselves
            continue
        repetitions = raw.split(delimiters.repetition)
        if len(repetitions) > REPETITIONS_MAX:
            location = segment.location(number, REPETITIONS_MAX + 1)
            return _too_much(location, f"The field has more than {REPETITIONS_MAX} repetitions.", ProblemCode.DATA_TYPE)
        for position, repetition in enumerate(repetitions, 1):
            components = repetition.split(delimiters.component)
            if len(components) > COMPONENTS_MAX:
                location = segment.location(number, position, COMPONENTS_MAX + 1)
                return _too_much(location, f"The field has more than {COMPONENTS_MAX} components.", ProblemCode.DATA_TYPE)
            for place, component in enumerate(components, 1):
                if component.count(delimiters.subcomponent) >= COMPONENTS_MAX:
                    location = segment.location(number, position, place)
                    return _too_much(location, f"The component has more than {COMPONENTS_MAX} subcomponents.", ProblemCode.DATA_TYPE)
    return None

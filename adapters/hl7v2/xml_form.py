"""HL7 v2 in XML (HL7 "XML Encoding Rules for Version 2 Messages", v2.xml) to the ER7 text that says the same.

Segment, field, component and subcomponent are found by the number in the name of an element (`PID.3`, `CX.4`, `HD.1`); groups only hold
segments. The text of an element is plain, `<escape V=".br"/>` is an escape sequence. Nothing is fetched and nothing expanded: a document
type is refused, so there are no entities; depth and number of elements are bounded while it is read. What ER7 has no place for is refused,
never dropped. Not here: what a message means (`reader`), and writing XML (`xml_writer`).
"""

import re
from dataclasses import dataclass, field, replace
from typing import Final
from xml.parsers import expat

from adapters.hl7v2.charset import Decoded, decode
from adapters.hl7v2.er7 import (
    ABSENT,
    COMPONENTS_MAX,
    FIELDS_MAX,
    MESSAGE_BYTES_MAX,
    OBSERVATIONS_MAX,
    SEGMENTS_MAX,
    STANDARD,
    Delimiters,
    read_delimiters,
)
from adapters.hl7v2.escapes import escape
from app.domain.inbound import Problem, ProblemCode, Severity

NAMESPACE: Final = "urn:hl7-org:v2xml"
DEPTH_MAX: Final = 16
"""Groups nest four deep, and below a segment stand field, component, subcomponent and the one part of that."""
ELEMENTS_MAX: Final = 50_000
"""Our policy: a report of 5,000 OBX has fewer, and reading so many takes a tenth of a second."""
_SEPARATOR: Final = " "
_ROOT: Final = re.compile(r"[A-Z][A-Z0-9]{2}(_[A-Z0-9]{3,4})?")
_SEGMENT: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_GROUP: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\.[A-Za-z][A-Za-z0-9_]*")
_PART: Final = re.compile(r"([A-Za-z][A-Za-z0-9_]*)\.([0-9]{1,4})")
_DECLARED: Final = re.compile(rb"""<\?xml\s[^>]{0,100}?encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]{0,40})["']""")
_FIRST_ELEMENT: Final = re.compile(rb"<(?:[A-Za-z_][A-Za-z0-9_.-]*:)?([A-Za-z_][A-Za-z0-9_.-]*)[\s/>]")
_ESCAPE_VALUE: Final = re.compile(r"[A-Za-z0-9.+-]{1,4000}")
_BEFORE: Final = b"\xef\xbb\xbf\x0b\x1c \t\r\n"
_AFTER: Final = b"\x0b\x1c\x00 \t\r\n"
_HEADER_FIELD_MIN: Final = 3


class XmlFormError(ValueError):
    """It is no HL7 v2 in XML. The message never repeats the text; `location` is as far as it is known."""

    def __init__(self, text: str, location: str = "MSH^1") -> None:
        """Say what is wrong, and where."""
        super().__init__(text)
        self.location = location


@dataclass(slots=True)
class _Node:
    name: str
    children: list["_Node"] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    """Text between the children: plain where the index is even, an escape sequence where it is odd."""


@dataclass(frozen=True, slots=True)
class Er7Text:
    """The ER7 text of a message in XML, and how its bytes were read."""

    decoded: Decoded
    delimiters: Delimiters


def is_xml(body: bytes) -> bool:
    """Tell whether bytes are XML and not ER7, by their first character: HL7 v2 is told apart so on every wire."""
    return body[:1] == b"<" or body.lstrip(_BEFORE)[:1] == b"<"


def is_v2_xml(body: bytes) -> bool:
    """Tell whether XML is HL7 v2 and not FHIR, by the name of its root: ADT_A01 and not Bundle."""
    first = _FIRST_ELEMENT.search(body[:4096])
    return is_xml(body) and first is not None and _ROOT.fullmatch(first[1].decode("ascii")) is not None


def read_xml(body: bytes, default_charset: str | None = None) -> Er7Text | Problem:
    """Give the ER7 text of one message, or say why that cannot be done and where. Nothing is raised, whatever the bytes are.

    MSH-18 is not looked at: XML says by itself how it is written (HOH-1), and is UTF-8 where it says nothing.
    """
    if len(body) > MESSAGE_BYTES_MAX:
        return _problem(f"The message is larger than {MESSAGE_BYTES_MAX} bytes.", "MSH", ProblemCode.DATA_TYPE)
    core = body.lstrip(_BEFORE).rstrip(_AFTER)
    if b"\x00" in core:
        return _problem("UTF-16 and UTF-32 are not allowed in HL7v2; send UTF-8.", "MSH^1", ProblemCode.DATA_TYPE)
    said = _DECLARED.match(core)
    decoded = decode(core, said[1].decode("ascii") if said else "UTF-8", default_charset)
    if isinstance(decoded, Problem):
        return decoded
    try:
        root = _tree(decoded.text)
        segments = _segments(root)
        delimiters = _delimiters(segments[0])
        text = "\r".join(_line(segment, delimiters) for segment in _numbered(segments))
    except XmlFormError as refused:
        return _problem(str(refused), refused.location, ProblemCode.SEGMENT_SEQUENCE)
    if len(text) > MESSAGE_BYTES_MAX:
        return _problem(f"The message is larger than {MESSAGE_BYTES_MAX} characters in ER7.", "MSH", ProblemCode.DATA_TYPE)
    return Er7Text(replace(decoded, text=text), delimiters)


def _problem(text: str, location: str, code: ProblemCode) -> Problem:
    return Problem(code, Severity.ERROR, location, text)


class _Builder:
    """Builds the tree as the parser goes, within the limits."""

    def __init__(self) -> None:
        self.top = _Node("")
        self._open = [self.top]
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > ELEMENTS_MAX:
            msg = f"The message has more than {ELEMENTS_MAX} elements."
            raise XmlFormError(msg)
        if len(self._open) > DEPTH_MAX:
            msg = f"Elements are nested deeper than {DEPTH_MAX}."
            raise XmlFormError(msg)
        namespace, _, local = name.rpartition(_SEPARATOR)
        if namespace not in {"", NAMESPACE}:
            msg = f"An element is not in the namespace of HL7 v2 ({NAMESPACE})."
            raise XmlFormError(msg)
        node, above = _Node(local), self._open[-1]
        if local == "escape":
            value = attributes.get("V", "")
            if _ESCAPE_VALUE.fullmatch(value) is None:
                msg = "An escape element needs its sequence as V, such as .br or X0D."
                raise XmlFormError(msg)
            above.pieces.extend([""] * (1 - len(above.pieces) % 2))
            above.pieces.append(value)
        else:
            above.children.append(node)
        self._open.append(node)

    def end(self, _: str) -> None:
        node = self._open.pop()
        if node.name == "escape" and (node.children or node.pieces):
            msg = "An escape element is empty; its sequence is the attribute V."
            raise XmlFormError(msg)

    def take(self, text: str) -> None:
        pieces = self._open[-1].pieces
        if len(pieces) % 2:
            pieces[-1] += text
        else:
            pieces.append(text)

    def refuse(self, *_: object) -> None:
        msg = "A document type or a processing instruction is not allowed."
        raise XmlFormError(msg)


def _tree(text: str) -> _Node:
    # The declaration was followed already, and what is parsed is UTF-8 whatever it says.
    parser, builder = expat.ParserCreate("utf-8", _SEPARATOR), _Builder()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.take
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.ProcessingInstructionHandler = builder.refuse
    try:
        parser.Parse(text.encode(), True)  # noqa: FBT003 - the library's own signature
    except expat.ExpatError as error:
        msg = f"The XML is broken: {expat.ErrorString(error.code)} at line {error.lineno}, column {error.offset}."
        raise XmlFormError(msg) from None
    return builder.top.children[0]


def _segments(root: _Node) -> list[_Node]:
    """Give the segments in order; groups are opened, however deep they nest."""
    if _ROOT.fullmatch(root.name) is None:
        msg = "The root is no message structure of HL7 v2, such as ADT_A01."
        raise XmlFormError(msg)
    found: list[_Node] = []
    ahead = [root]
    while ahead:
        node = ahead.pop()
        if node is not root and _SEGMENT.fullmatch(node.name):
            found.append(node)
        elif node is root or _GROUP.fullmatch(node.name):
            _refuse_text(node, "MSH^1")
            ahead.extend(reversed(node.children))
        else:
            msg = "An element is neither a segment nor a group of segments."
            raise XmlFormError(msg)
    if not found or found[0].name != "MSH":
        msg = "The first segment has to be MSH."
        raise XmlFormError(msg)
    if len(found) > SEGMENTS_MAX + OBSERVATIONS_MAX:
        msg = f"The message has more than {SEGMENTS_MAX} segments beside OBX."
        raise XmlFormError(msg)
    return found


def _delimiters(header: _Node) -> Delimiters:
    """Give the delimiters that MSH.1 and MSH.2 name, where they are all five; the values need none of them, being plain text."""
    first, second = ("".join(child.pieces).strip() for child in (_child(header, "MSH.1"), _child(header, "MSH.2")))
    declared = read_delimiters(f"MSH{first}{second}{first}") if len(first) == 1 else STANDARD
    if isinstance(declared, Problem) or ABSENT in {declared.component, declared.repetition, declared.escape, declared.subcomponent}:
        return STANDARD
    return declared


def _child(node: _Node, name: str) -> _Node:
    return next((child for child in node.children if child.name == name), _Node(name))


@dataclass(frozen=True, slots=True)
class _Numbered:
    node: _Node
    location: str
    is_header: bool


def _numbered(segments: list[_Node]) -> list[_Numbered]:
    seen: dict[str, int] = {}
    found = []
    for node in segments:
        seen[node.name] = seen.get(node.name, 0) + 1
        found.append(_Numbered(node, f"{node.name}^{seen[node.name]}", node.name == "MSH"))
    return found


def _line(segment: _Numbered, delimiters: Delimiters) -> str:
    node = segment.node
    _refuse_text(node, segment.location)
    fields: dict[int, list[str]] = {}
    for child in node.children:
        number = _number(child, node.name, FIELDS_MAX, segment.location)
        if segment.is_header and number < _HEADER_FIELD_MIN:
            continue
        fields.setdefault(number, []).append(_composite(child, 0, f"{segment.location}^{number}", delimiters))
    first = _HEADER_FIELD_MIN if segment.is_header else 1
    written = [delimiters.repetition.join(fields.get(number, ())) for number in range(first, max(fields, default=0) + 1)]
    head = ["MSH", delimiters.encoding_characters] if segment.is_header else [node.name]
    return delimiters.field.join([*head, *written])


def _number(node: _Node, of: str | None, highest: int, location: str) -> int:
    found = _PART.fullmatch(node.name)
    if found is None or (of is not None and found[1] != of) or not 1 <= int(found[2]) <= highest:
        msg = "An element does not belong to the segment it stands in." if of else "An element is no part of a data type, such as CX.1."
        raise XmlFormError(msg, location)
    return int(found[2])


def _composite(node: _Node, depth: int, location: str, delimiters: Delimiters) -> str:
    """Write a field (depth 0), component (1) or subcomponent (2)."""
    if not node.children:
        return _value(node, delimiters)
    _refuse_text(node, location)
    parts: dict[int, str] = {}
    for child in node.children:
        number = _number(child, None, COMPONENTS_MAX, location)
        if number in parts:
            msg = "A component repeats; only fields may."
            raise XmlFormError(msg, location)
        parts[number] = _composite(child, depth + 1, location, delimiters)
    if depth >= 2:  # noqa: PLR2004 - a subcomponent: a data type of one part, such as TS.1 in DR.1, is that part
        if any(text for number, text in parts.items() if number > 1):
            msg = "A subcomponent has parts of its own; ER7 has no place for them."
            raise XmlFormError(msg, location)
        return parts.get(1, "")
    separator = delimiters.subcomponent if depth else delimiters.component
    return separator.join(parts.get(number, "") for number in range(1, max(parts) + 1))


def _value(node: _Node, delimiters: Delimiters) -> str:
    """Write the text of an element, as plain text in ER7; what a pretty printer put around it, line ends and all, is layout."""
    pieces = list(node.pieces)
    if pieces:
        pieces[0] = _without_layout(pieces[0], at_start=True)
    if len(pieces) % 2:
        pieces[-1] = _without_layout(pieces[-1], at_start=False)
    mark = delimiters.escape
    return "".join(escape(piece, delimiters) if index % 2 == 0 else f"{mark}{piece}{mark}" for index, piece in enumerate(pieces))


def _without_layout(text: str, *, at_start: bool) -> str:
    bare = text.lstrip(" \t\n") if at_start else text.rstrip(" \t\n")
    taken = text[: len(text) - len(bare)] if at_start else text[len(bare) :]
    return bare if "\n" in taken else text


def _refuse_text(node: _Node, location: str) -> None:
    if len(node.pieces) > 1 or (node.pieces and node.pieces[0].strip()):
        msg = "Text stands beside the parts of an element; a value has an element of its own."
        raise XmlFormError(msg, location)

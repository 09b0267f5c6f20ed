"""Writes the XML twin of an ER7 message (v2.xml), for tests: independent of the reader, names of types from the standard's dictionary."""

import re
from typing import Final
from xml.sax.saxutils import escape as marked_up

from adapters.hl7v2.dictionary import Part, known_version, segment_fields
from adapters.hl7v2.er7 import Delimiters, Er7Message, Segment, field_tree

NAMESPACE: Final = "urn:hl7-org:v2xml"
_LITERAL: Final = {"F": "field", "S": "component", "T": "subcomponent", "R": "repetition", "E": "escape"}
_SEQUENCE: Final = re.compile(
    r"X(?:[0-9A-Fa-f]{2})+|C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4,6}|Z[0-9A-Za-z]*|\.br|\.(?:sp|in|ti|sk|ce|fi|nf)[+-]?[0-9]*|[HN]"
)
_NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NAMED: Final = {"utf-8": "UTF-8", "ascii": "US-ASCII", "cp1252": "windows-1252", "iso8859-1": "ISO-8859-1"}


def can_be_xml(message: Er7Message) -> bool:
    """Tell whether every character of the message is one of XML."""
    return _NOT_IN_XML.search(message.text) is None


def xml_twin(message: Er7Message, *, layout: str = "") -> bytes:
    """Write the message, in its own character set where XML commonly has it. `layout` stands between elements, as of a pretty printer."""
    header = message.first("MSH")
    assert header is not None
    version = known_version(header.component(12, 1))
    kind = "_".join(part for part in header.components(9)[:2] if part) or "ADT_A01"
    root = kind if re.fullmatch(r"[A-Z][A-Z0-9]{2}_[A-Z0-9]{3}", kind) else "ADT_A01"
    segments = list(message.segments())
    inside = layout.join(_segment(one, version) for one in segments[:1])
    # Whatever the structure is: a group holds segments and says nothing.
    grouped = layout.join(_segment(one, version) for one in segments[1:])
    group = f"<{root}.PATIENT>{layout}{grouped}{layout}</{root}.PATIENT>" if grouped else ""
    codec = message.decoded.codec if message.decoded.codec in _NAMED else "utf-8"
    text = f'<?xml version="1.0" encoding="{_NAMED[codec]}"?>\n<{root} xmlns="{NAMESPACE}">{layout}{inside}{layout}{group}{layout}</{root}>'
    return text.encode(codec, "xmlcharrefreplace")


def _segment(segment: Segment, version: str) -> str:
    parts = segment_fields(version, segment.name) or ()
    written = []
    for number in range(1, len(segment.fields)):
        name = f"{segment.name}.{number}"
        if segment.name == "MSH" and number <= 2:
            written.append(f"<{name}>{marked_up(segment.raw(number))}</{name}>")
            continue
        part = parts[number - 1] if number <= len(parts) else None
        if not segment.raw(number):
            continue
        written += [
            f"<{name}>{_field(one, part, segment.delimiters)}</{name}>" for one in field_tree(segment.raw(number), segment.delimiters)
        ]
    return f"<{segment.name}>{''.join(written)}</{segment.name}>"


def _field(components: list[list[str]], part: Part | None, delimiters: Delimiters) -> str:
    kind = (part.data_type if part is not None and re.fullmatch(r"[A-Z_]+", part.data_type) else "") or "CM"
    if len(components) == 1 and len(components[0]) == 1 and not (part is not None and part.parts):
        return _text(components[0][0], delimiters)
    written = ""
    for number, component in enumerate(components, 1):
        inner = part.parts[number - 1].data_type if part is not None and number <= len(part.parts) else "CM"
        if component == [""] and number < len(components):
            continue
        if len(component) == 1:
            value = _text(component[0], delimiters)
        else:
            value = "".join(f"<{inner}.{place}>{_text(one, delimiters)}</{inner}.{place}>" for place, one in enumerate(component, 1))
        written += f"<{kind}.{number}>{value}</{kind}.{number}>"
    return written


def _text(raw: str, delimiters: Delimiters) -> str:
    """Text as XML has it: the delimiters are themselves, other escape sequences are elements, what is none is text."""
    mark, pieces, position = delimiters.escape, "", 0
    while (start := raw.find(mark, position)) >= 0:
        end = raw.find(mark, start + 1)
        inside = raw[start + 1 : end] if end > 0 else ""
        pieces += marked_up(raw[position:start])
        if inside in _LITERAL:
            pieces += marked_up(str(getattr(delimiters, _LITERAL[inside])))
        elif end > 0 and _SEQUENCE.fullmatch(inside):
            pieces += f'<escape V="{inside}"/>'
        else:
            pieces += marked_up(mark)
            position = start + 1
            continue
        position = end + 1
    return pieces + marked_up(raw[position:])

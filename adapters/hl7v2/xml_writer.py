"""Writes an acknowledgement as HL7 v2 in XML (v2.xml), from the ER7 that says the same: who sends XML is answered in XML (HOH-1).

Only MSH, MSA and ERR are written, so their few data types stand here and no dictionary is loaded at the door. Not here: what an
acknowledgement says (`ack`), and reading XML (`xml_form`).
"""

import re
from typing import Final

from adapters.hl7v2.er7 import Er7Message, Segment
from adapters.hl7v2.escapes import unescape
from adapters.hl7v2.xml_form import NAMESPACE

_TYPES: Final = {
    ("MSH", 3): "HD",
    ("MSH", 4): "HD",
    ("MSH", 5): "HD",
    ("MSH", 6): "HD",
    ("MSH", 7): "TS",
    ("MSH", 9): "MSG",
    ("MSH", 11): "PT",
    ("MSH", 12): "VID",
    ("ERR", 2): "ERL",
    ("ERR", 3): "CWE",
}
"""Fields of the three segments that have components (HL7 2.5.1 chapter 2.15)."""
_UNTYPED: Final = "ST"
"""For components in a field that has none: they are echoed, as they came."""
_OLD_NAMES: Final = (((2, 5), ("MSH", 9), "CM_MSG"), ((2, 3, 1), ("MSH", 12), ""))
"""Before the version the field had this data type; before 2.3.1 MSH-12 was an ID."""
_DTM_SINCE: Final = (2, 6)
_FIELDS_OF_MSH: Final = 3
_VERSION: Final = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,3})?")
_NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MARKUP: Final = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("\r"): "&#13;"}


def write_xml(message: Er7Message) -> bytes:
    """Write the acknowledgement in UTF-8."""
    header = message.first("MSH")
    types = _types(header.component(12, 1) if header is not None else "")
    inside = "".join(_segment(segment, types, message.decoded.codec) for segment in message.segments())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ACK xmlns="{NAMESPACE}">{inside}</ACK>\n'.encode()


def _types(version: str) -> dict[tuple[str, int], str]:
    found = _VERSION.match(version)
    number = tuple(int(part) for part in found[0].split(".")) if found else ()
    types = _TYPES | {place: name for before, place, name in _OLD_NAMES if number and number < before}
    if number >= _DTM_SINCE:
        types["MSH", 7] = ""
    return types


def _segment(segment: Segment, types: dict[tuple[str, int], str], codec: str) -> str:
    name, delimiters = segment.name, segment.delimiters
    written = []
    if name == "MSH":
        written = [f"<MSH.1>{_text(delimiters.field)}</MSH.1>", f"<MSH.2>{_text(segment.raw(2))}</MSH.2>"]
    for number in range(_FIELDS_OF_MSH if name == "MSH" else 1, len(segment.fields)):
        kind = types.get((name, number), "")
        for repetition in segment.repetitions(number):
            components = repetition.split(delimiters.component)
            if not kind and len(components) == 1:
                value = _plain(repetition, segment, codec)
            else:
                value = "".join(
                    f"<{kind or _UNTYPED}.{place}>{_plain(one, segment, codec)}</{kind or _UNTYPED}.{place}>"
                    for place, one in enumerate(components, 1)
                    if one
                )
            written.append(f"<{name}.{number}>{value}</{name}.{number}>")
    return f"<{name}>{''.join(written)}</{name}>"


def _plain(raw: str, segment: Segment, codec: str) -> str:
    """Write the text of a component; subcomponents, which only an echoed field may have, as parts of it."""
    parts = raw.split(segment.delimiters.subcomponent)
    if len(parts) == 1:
        return _text(unescape(raw, segment.delimiters, codec))
    return "".join(
        f"<{_UNTYPED}.{place}>{_text(unescape(one, segment.delimiters, codec))}</{_UNTYPED}.{place}>"
        for place, one in enumerate(parts, 1)
        if one
    )


def _text(text: str) -> str:
    return _NOT_IN_XML.sub(" ", text).translate(_MARKUP)

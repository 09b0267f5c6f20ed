"""FHIR in XML to the same document that its JSON form gives (FHIR R4, 2.6.1), for the one reader of both (DV-12).

Nothing is fetched and nothing is expanded: a document type is refused, so there are no entities. Depth and number of elements are bounded
while it is read. Not here: what the document means, and whether it is well formed as FHIR (`structure`, `models`).
"""

import math
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat

from adapters.fhir.elements import ANY_RESOURCE, Element, elements
from adapters.fhir.resource_types import READ
from adapters.fhir.values import Json

NAMESPACE: Final = "http://hl7.org/fhir"
_XHTML: Final = "http://www.w3.org/1999/xhtml"
_SCHEMA_HINT: Final = "http://www.w3.org/2001/XMLSchema-instance"
"""Where a schema lies (xsi:schemaLocation) is in most published examples, and is nothing that is read here."""
_DIV: Final = f'<div xmlns="{_XHTML}">As in the original.</div>'
"""Stands for a narrative, which is kept in the original and read by nobody."""
DEPTH_MAX: Final = 64
ELEMENTS_MAX: Final = 15_000
_INTEGER: Final = re.compile(r"-?[0-9]{1,100}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?([eE][+-]?[0-9]{1,3})?")
_SEPARATOR: Final = " "
_OF_ELEMENTS: Final = frozenset({"id"})
_OF_EXTENSIONS: Final = frozenset({"id", "url"})
_OF_UNREAD: Final = frozenset({"id", "url", "value"})
"""Everything else is an element in FHIR's XML: a reader that took an attribute for it would read what others do not."""


class XmlFormError(ValueError):
    """It is no FHIR in XML. The message never repeats the text."""


@dataclass(slots=True)
class _Node:
    name: str
    attributes: dict[str, str]
    children: list["_Node"] = field(default_factory=list)
    is_narrative: bool = False


def read_xml(body: bytes) -> Json:
    """Read the one resource of a body."""
    root = _tree(body)
    return _resource(root)


def _tree(body: bytes) -> _Node:
    # FHIR is UTF-8; what an XML declaration says besides is not followed, and what expat would guess from zero bytes neither.
    if b"\0" in body:
        msg = "the body is not UTF-8"
        raise XmlFormError(msg)
    parser = expat.ParserCreate("utf-8", _SEPARATOR)
    top = _Node("", {})
    open_nodes = [top]
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > ELEMENTS_MAX:
            msg = f"there are more than {ELEMENTS_MAX} elements"
            raise XmlFormError(msg)
        if len(open_nodes) > DEPTH_MAX:
            msg = f"elements are nested deeper than {DEPTH_MAX}"
            raise XmlFormError(msg)
        namespace, _, local = name.rpartition(_SEPARATOR)
        if namespace == _XHTML and len(open_nodes) > 1 and (local == "div" or open_nodes[-1].is_narrative):
            node = _Node(local, {}, is_narrative=True)
        elif namespace == NAMESPACE:
            node = _Node(local, {key: said for key, said in attributes.items() if key.rpartition(_SEPARATOR)[0] != _SCHEMA_HINT})
        else:
            msg = "an element is not in the namespace of FHIR, and no narrative (a div in that of XHTML)"
            raise XmlFormError(msg)
        open_nodes[-1].children.append(node)
        open_nodes.append(node)

    def end(_: str) -> None:
        open_nodes.pop()

    def refuse_document_type(*_: object) -> None:
        msg = "a document type is not allowed"
        raise XmlFormError(msg)

    def refuse_text(text: str) -> None:
        if text.strip() and not open_nodes[-1].is_narrative:
            msg = "an element of FHIR has text; values are attributes"
            raise XmlFormError(msg)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = refuse_text
    parser.StartDoctypeDeclHandler = refuse_document_type
    parser.ProcessingInstructionHandler = refuse_document_type
    try:
        parser.Parse(body, True)  # noqa: FBT003 - the library's own signature
    except expat.ExpatError as error:
        msg = f"{expat.ErrorString(error.code)} at line {error.lineno}, column {error.offset}"
        raise XmlFormError(msg) from None
    return top.children[0]


def _resource(node: _Node) -> Json:
    shape = elements(node.name) if node.name in READ or node.name == "Bundle" else None
    members = _members(node, shape, frozenset())
    if "resourceType" in members:
        msg = "there is an element with the name resourceType; in XML it is the name of the resource's own element"
        raise XmlFormError(msg)
    return {"resourceType": node.name, **members}


def _members(node: _Node, shape: Mapping[str, Element] | None, attributes: AbstractSet[str]) -> Json:
    """Give the members of an object. Without a shape (nobody reads it) what repeats is a list, and every value a text."""
    if not node.attributes.keys() <= attributes:
        msg = "there is an attribute where FHIR has an element, or nothing"
        raise XmlFormError(msg)
    found: Json = dict(node.attributes)
    for child in node.children:
        name = child.name
        if child.is_narrative:
            found[name] = _DIV
        elif shape is None:
            _put(found, name, _plain(child), is_list=name in found)
        elif name not in shape:
            # A member that no model knows is refused by it, whatever it holds.
            found[name] = _plain(child)
        elif shape[name].is_primitive:
            _put_primitive(found, child, shape[name])
        else:
            _put(found, name, _object(child, shape[name].kind), is_list=shape[name].is_list, once=True)
    return found


def _object(node: _Node, kind: str) -> Json:
    if kind != ANY_RESOURCE:
        return _members(node, elements(kind), _OF_EXTENSIONS if kind == "Extension" else _OF_ELEMENTS)
    if len(node.children) != 1:
        msg = "where a resource is to be, there is none or more than one"
        raise XmlFormError(msg)
    return _resource(node.children[0])


def _plain(node: _Node) -> Any:  # noqa: ANN401 - any JSON value
    if "value" in node.attributes and not node.children:
        return node.attributes["value"]
    if len(node.children) == 1 and node.children[0].name[:1].isupper():
        return _resource(node.children[0])
    return _members(node, None, _OF_UNREAD)


def _put(found: Json, name: str, value: Any, *, is_list: bool, once: bool = False) -> None:  # noqa: ANN401 - any JSON value
    if not is_list:
        if once and name in found:
            msg = "an element repeats that may not"
            raise XmlFormError(msg)
        found[name] = value
    elif isinstance(found.get(name), list):
        found[name].append(value)
    else:
        found[name] = [found[name], value] if name in found else [value]


def _put_primitive(found: Json, node: _Node, element: Element) -> None:
    """Put a value, and what stands beside it (id, extensions) under the name with an underscore, in step where it repeats."""
    value = _value(node.attributes.get("value"), element.kind)
    more = _Node(node.name, {name: said for name, said in node.attributes.items() if name != "value"}, node.children)
    beside = _members(more, elements("FHIRPrimitiveExtension"), _OF_ELEMENTS)
    if not element.is_list:
        if node.name in found or f"_{node.name}" in found:
            msg = "an element repeats that may not"
            raise XmlFormError(msg)
        if value is not None:
            found[node.name] = value
        if beside:
            found[f"_{node.name}"] = beside
        return
    values = found.setdefault(node.name, [])
    if beside and f"_{node.name}" not in found:
        found[f"_{node.name}"] = [None] * len(values)
    values.append(value)
    if f"_{node.name}" in found:
        found[f"_{node.name}"].append(beside or None)


def _value(said: str | None, kind: str) -> Any:  # noqa: ANN401 - any JSON value
    """Give a value as JSON has it; what is none of its kind stays a text, which the models refuse."""
    if said is None:
        return None
    if kind == "boolean":
        return {"true": True, "false": False}.get(said, said)
    if kind == "integer":
        return int(said) if _INTEGER.fullmatch(said) else said
    if kind == "decimal" and _DECIMAL.fullmatch(said):
        return float(said) if math.isfinite(float(said)) else said
    return said

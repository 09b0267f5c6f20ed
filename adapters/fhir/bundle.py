"""Bytes to a message bundle whose entries can be found by reference; nothing of it is trusted yet.

JSON is read by the strict reader that the wiring hands in (duplicate keys, NaN, depth, size); on top of that come the limits of this
format, so that no input costs much, and every `resourceType` is a text that R4 knows. Not here: what has to be there (`structure`).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from adapters.fhir.elements import known_path
from adapters.fhir.resource_types import R4
from adapters.fhir.values import Json, member, objects, text
from adapters.fhir.xml_form import read_xml
from app.domain.inbound import Problem, ProblemCode, Severity

VALUES_MAX = 15_000
"""Our policy: some 200 whole entries, where a notification has ten. At about 10 microseconds a value this bounds a message at 0.15 s."""
RESOURCE = "resource"
_BEFORE_XML = b" \t\r\n\xef\xbb\xbf"
_ELEMENT = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}")

ReadJson = Callable[[bytes], Any]
"""Reads strict JSON; raises ValueError with a sentence that never repeats the text."""


def error(code: ProblemCode, location: str, sentence: str) -> Problem:
    """Give a problem that stops the message."""
    return Problem(code, Severity.ERROR, location, sentence)


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource of the bundle and where it stands."""

    index: int
    full_url: str
    resource: Json

    @property
    def type(self) -> str:
        """Its resourceType."""
        return text(self.resource.get("resourceType"))

    @property
    def path(self) -> str:
        """Its place, as FHIRPath from the bundle on."""
        return f"Bundle.entry[{self.index}].resource"


@dataclass(frozen=True, slots=True)
class MessageBundle:
    """A bundle that can be looked at. `faults` are what the limits and the resource types object to."""

    document: Json
    entries: tuple[Entry, ...] = ()
    faults: tuple[Problem, ...] = ()
    by_reference: dict[str, Entry] = field(default_factory=dict)
    _contained: dict[int, dict[str, Json]] = field(default_factory=dict)
    """Resource that contains others -> these by their ids; built when it is first asked, so that many references cost one look."""
    _unreached: list[frozenset[int]] = field(default_factory=list)
    """The one answer of `unreached`, once somebody has asked."""

    @property
    def header(self) -> Entry | None:
        """The MessageHeader, where it has to be: first."""
        first = self.entries[0] if self.entries else None
        return first if first is not None and first.index == 0 and first.type == "MessageHeader" else None

    def of_type(self, name: str) -> list[Entry]:
        """Give the entries of a type, in order."""
        return [entry for entry in self.entries if entry.type == name]

    @property
    def unreached(self) -> frozenset[int]:
        """The entries to which no references lead from the header and its focus, in either direction (DV-6)."""
        if not self._unreached:
            self._unreached.append(frozenset(_apart(self)))
        return self._unreached[0]

    def find(self, reference: object, within: Json | None = None) -> Entry | None:
        """Follow a Reference to an entry of this bundle or to a resource contained in the one that refers."""
        said = text(member(reference, "reference"))
        if said.startswith("#"):
            found = self._held(within).get(said[1:])
            return Entry(-1, said, found) if found is not None else None
        return self.by_reference.get(said.partition("/_history/")[0]) if said else None

    def _held(self, within: Json | None) -> dict[str, Json]:
        # Its identity names it: the document lives as long as the bundle.
        held = self._contained.get(id(within))
        if held is None:
            held = self._contained[id(within)] = {}
            for one in objects(member(within, "contained")):
                held.setdefault(text(one.get("id")), one)
        return held


def read_bundle(body: bytes, read_json: ReadJson) -> MessageBundle | Problem:
    """Cut the message, or say why it is none at all (answered 400)."""
    is_xml = body.lstrip(_BEFORE_XML).startswith(b"<")
    try:
        document = read_xml(body.strip()) if is_xml else read_json(body)
    except ValueError as refused:
        return error(ProblemCode.DATA_TYPE, "Bundle", f"The body was not read as {'XML' if is_xml else 'JSON'}: {refused}.")
    if not isinstance(document, dict) or document.get("resourceType") != "Bundle":
        return error(ProblemCode.SEGMENT_SEQUENCE, "Bundle", "Send one JSON object whose resourceType is Bundle, or one in XML.")
    entries = tuple(_entries(document))
    return MessageBundle(document, entries, _faults(document), _index(entries))


def _entries(document: Json) -> Iterator[Entry]:
    listed = document.get("entry")
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        resource = member(item, RESOURCE)
        if isinstance(resource, dict):
            yield Entry(index, text(member(item, "fullUrl")), resource)


def _apart(bundle: MessageBundle) -> set[int]:
    """Walk from the header along every reference, forwards and backwards; give the entries that were never come by."""
    beside: dict[int, set[int]] = {entry.index: set() for entry in bundle.entries}
    for entry in bundle.entries:
        ahead: list[Any] = [entry.resource]
        while ahead:
            value = ahead.pop()
            if isinstance(value, list):
                ahead.extend(value)
            elif isinstance(value, dict):
                found = bundle.find(value) if "reference" in value else None
                if found is not None:
                    beside[entry.index].add(found.index)
                    beside[found.index].add(entry.index)
                ahead.extend(item for item in value.values() if isinstance(item, dict | list))
    left, at = set(beside), [bundle.header.index] if bundle.header is not None else []
    while at:
        index = at.pop()
        if index in left:
            left.remove(index)
            at.extend(beside[index])
    return left


def _index(entries: tuple[Entry, ...]) -> dict[str, Entry]:
    """Find entries by fullUrl, and also by Type/id and urn:uuid:id, which senders write beside other fullUrls."""
    found: dict[str, Entry] = {}
    for entry in entries:
        number = text(entry.resource.get("id"))
        for name in (entry.full_url, f"{entry.type}/{number}" if number else "", f"urn:uuid:{number}" if number else ""):
            if name:
                found.setdefault(name, entry)
    return found


def _faults(document: Json) -> tuple[Problem, ...]:
    """Look at every value once, without recursion: how many, none empty, and every resource of a type that is known."""
    count = 0
    level: list[tuple[Any, str]] = [(document, "Bundle")]
    while level:
        below: list[tuple[Any, str]] = []
        for value, path in level:
            count += 1
            if isinstance(value, dict):
                fault = _resource_fault(value, path)
                if fault is not None:
                    return (fault,)
                below.extend((item, _step(path, name)) for name, item in value.items() if isinstance(item, dict | list))
                count += len(value)
            elif isinstance(value, list):
                if not value:
                    return (error(ProblemCode.DATA_TYPE, known_path(path), "An array is empty; leave the element out."),)
                below.extend((item, f"{path}[{index}]") for index, item in enumerate(value) if isinstance(item, dict | list))
                count += len(value)
            if count > VALUES_MAX:
                return (
                    error(ProblemCode.DATA_TYPE, "Bundle", f"There are more than {VALUES_MAX} values; send one notification a message."),
                )
        level = below
    return ()


def _step(path: str, name: str) -> str:
    # What has no name of an element ends the place here; what might be one is looked up when the place is told (`known_path`).
    return f"{path}.{name}" if _ELEMENT.fullmatch(name) else path


def _resource_fault(value: Json, path: str) -> Problem | None:
    if not value:
        return error(ProblemCode.DATA_TYPE, known_path(path), "An object is empty; leave the element out.")
    if "resourceType" not in value:
        return None
    kind = value["resourceType"]
    if not isinstance(kind, str) or kind not in R4:
        return error(ProblemCode.TABLE_VALUE, f"{known_path(path)}.resourceType", "Expected the name of one resource type of FHIR R4.")
    return None

"""Writes FHIR resources in XML (FHIR R4, 2.6.1), for twins of JSON messages."""

from typing import Any
from xml.sax.saxutils import quoteattr

from tests.support.bundles import Json


def in_xml(resource: Json) -> bytes:
    """Write one resource as a document."""
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + _resource(resource, ' xmlns="http://hl7.org/fhir"')).encode()


def _resource(resource: Json, more: str = "") -> str:
    kind = resource["resourceType"]
    # The id of a resource is an element; that of any other element is an attribute.
    inside = "".join(_element(name, value, resource.get(f"_{name}")) for name, value in _named(resource))
    return f"<{kind}{more}>{inside}</{kind}>"


def _named(held: Json) -> list[tuple[str, Any]]:
    found = [(name, value) for name, value in held.items() if name != "resourceType" and not name.startswith("_")]
    return found + [(name[1:], None) for name in held if name.startswith("_") and name[1:] not in held]


def _element(name: str, value: Any, beside: Any = None) -> str:
    if isinstance(value, list) or isinstance(beside, list):
        values = value if isinstance(value, list) else [None] * len(beside)
        besides = beside if isinstance(beside, list) else [None] * len(values)
        return "".join(_element(name, one, other) for one, other in zip(values, besides, strict=True))
    if name == "div":
        return str(value)
    if isinstance(value, dict):
        return f"<{name}>{_resource(value)}</{name}>" if "resourceType" in value else _complex(name, value, "")
    said = "" if value is None else f" value={quoteattr(str(value).lower() if isinstance(value, bool) else str(value))}"
    return _complex(name, beside or {}, said)


def _complex(name: str, held: Json, more: str) -> str:
    written = [key for key in ("id", "url") if isinstance(held.get(key), str) and _is_attribute(name, key)]
    attributes = "".join(f" {key}={quoteattr(held[key])}" for key in written)
    inside = "".join(_element(key, one, held.get(f"_{key}")) for key, one in _named(held) if key not in written)
    return f"<{name}{attributes}{more}>{inside}</{name}>"


def _is_attribute(name: str, key: str) -> bool:
    return key == "id" or name in ("extension", "modifierExtension")

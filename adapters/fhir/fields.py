"""Finds in a notification what people know of it, under the names of its HL7 v2 fields, also where it cannot be interpreted.

Implements `FieldReader`, for finding a message by what it says. Not here: what an element means (`reader`).
"""

from collections.abc import Sequence

from adapters.fhir.bundle import MessageBundle, ReadJson, read_bundle
from adapters.fhir.structure import event_of
from adapters.fhir.values import member, objects, text, texts


class FhirFields:
    """The fields of one message, of whatever Patient and Encounter it holds."""

    __slots__ = ("_bundle",)

    def __init__(self, bundle: MessageBundle) -> None:
        """Look for nothing yet."""
        self._bundle = bundle

    @property
    def trigger(self) -> str:
        """The code of the event."""
        return event_of(self._bundle)[1]

    def values(self, segment: str, field: int, component: int = 1) -> Sequence[str]:
        """Give what stands for the field; nothing for the fields by which nobody looks for a message."""
        match segment, field, component:
            case "MSH", 10, 1:
                return [text(self._bundle.document.get("id"))]
            case "PID", 3, 1:
                return self._identifiers("Patient")
            case "PID", 5, 1:
                return [text(name.get("family")) for name in self._names()]
            case "PID", 5, 2:
                return [given for name in self._names() for given in texts(name.get("given"))]
            case "PID", 7, 1:
                return [text(entry.resource.get("birthDate")).replace("-", "") for entry in self._bundle.of_type("Patient")]
            case "PV1", 19, 1:
                return self._identifiers("Encounter")
        return []

    def _identifiers(self, kind: str) -> list[str]:
        said = (one for entry in self._bundle.of_type(kind) for one in objects(entry.resource.get("identifier")))
        return [text(member(one, "value")) for one in said]

    def _names(self) -> list[dict[str, object]]:
        return [name for entry in self._bundle.of_type("Patient") for name in objects(entry.resource.get("name"))]


class FhirFieldReader:
    """Reads fields of notification messages."""

    def __init__(self, read_json: ReadJson) -> None:
        """Take what reads JSON strictly."""
        self._read_json = read_json

    def fields(self, body: bytes, charset: str | None = None) -> FhirFields | None:  # noqa: ARG002 - FHIR is UTF-8, whatever a profile says
        """Give the fields, or None for what is no Bundle."""
        bundle = read_bundle(body, self._read_json)
        return FhirFields(bundle) if isinstance(bundle, MessageBundle) else None

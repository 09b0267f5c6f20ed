"""Finds single fields in a message, for the completeness of a feed and for finding a message by what it says. Implements `FieldReader`.

It reads what is there, also in a message that cannot be interpreted. Not here: what a field means (`reader`).
"""

from adapters.hl7v2.encodings import tokenize
from adapters.hl7v2.er7 import Er7Message, Segment
from adapters.hl7v2.escapes import unescape
from adapters.hl7v2.reading import NULL


class Er7Fields:
    """The fields of one message. A segment is split once, when somebody asks for it."""

    __slots__ = ("_message", "_segments")

    def __init__(self, message: Er7Message) -> None:
        """Split nothing yet."""
        self._message = message
        self._segments: dict[str, Segment | None] = {}

    @property
    def trigger(self) -> str:
        """MSH-9.2, else EVN-1."""
        return next((found[0] for found in (self.values("MSH", 9, 2), self.values("EVN", 1)) if found and found[0]), "")

    def values(self, segment: str, field: int, component: int = 1) -> list[str]:
        """Give the component of each repetition of the field in the first such segment; what is erased or not sent is empty."""
        if segment not in self._segments:
            self._segments[segment] = self._message.first(segment)
        found = self._segments[segment]
        if found is None:
            return []
        return [self._text(repetition, component) for repetition in found.repetitions(field)]

    def _text(self, repetition: str, component: int) -> str:
        delimiters = self._message.delimiters
        parts = repetition.split(delimiters.component, component)
        raw = parts[component - 1].split(delimiters.subcomponent, 1)[0] if component <= len(parts) else ""
        if raw == NULL:
            return ""
        return unescape(raw, delimiters, self._message.decoded.codec).strip() if delimiters.escape in raw else raw.strip()


class Er7FieldReader:
    """Reads fields of HL7 v2 messages."""

    def fields(self, body: bytes, charset: str | None = None) -> Er7Fields | None:
        """Give the fields, or None for what is no HL7 v2 message."""
        message = tokenize(body, charset)
        return Er7Fields(message) if isinstance(message, Er7Message) else None

"""A place in an HL7 v2 message as interface specifications write it: segment, field, and perhaps component and subcomponent.

Not here: cutting messages (adapters/hl7v2).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_SHAPE: Final = re.compile(r"([A-Z][A-Z0-9]{2})-([1-9][0-9]{0,2})(?:\.([1-9][0-9]?)(?:\.([1-9][0-9]?))?)?")


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """`PV1-3.4` is segment PV1, field 3, component 4. A component of None is the whole field."""

    segment: str
    field: int
    component: int | None = None
    subcomponent: int = 1

    @property
    def is_local(self) -> bool:
        """Whether the segment is the sender's own (HL7 2.5.1, 2.11: names that begin with Z)."""
        return self.segment.startswith("Z")


@lru_cache(maxsize=1024)
def field_place(text: str) -> FieldPlace:
    """Read a place; ValueError where it is none."""
    found = _SHAPE.fullmatch(text.strip().upper())
    if found is None:
        msg = "is no place in a message, such as PV1-19 or ZPV-3.1"
        raise ValueError(msg)
    segment, number, component, subcomponent = found.groups()
    return FieldPlace(segment, int(number), int(component) if component else None, int(subcomponent or 1))

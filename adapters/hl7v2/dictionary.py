"""The HL7 standard as a dictionary: names, cardinalities and tables of every version, from hl7apy's reference data.

Only hl7apy's data is used, never its parser, which drops segments and takes milliseconds. Its modules are large, so they
are loaded when first asked for and never on the hot path. Not here: what follows from a finding (`lint`).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from hl7apy import SUPPORTED_LIBRARIES, load_library

UNBOUNDED: Final = -1
_NEAREST: Final = {"2.3.2": "2.3.1", "2.5.2": "2.5.1", "2.7.1": "2.7", "2.9": "2.8.2", "2.9.1": "2.8.2"}
"""Versions that hl7apy has no library for, and the one that differs least."""
_FALLBACK: Final = "2.5.1"

_STRUCTURES: Final = {
    **dict.fromkeys(("A01", "A04", "A08", "A13"), "ADT_A01"),
    **dict.fromkeys(("A05", "A14", "A28", "A31"), "ADT_A05"),
    **dict.fromkeys(("A06", "A07"), "ADT_A06"),
    **dict.fromkeys(("A09", "A10", "A11"), "ADT_A09"),
    **dict.fromkeys(("A21", "A22", "A23", "A25", "A26", "A27", "A29", "A32", "A33"), "ADT_A21"),
    **dict.fromkeys(("A34", "A35", "A36", "A46", "A47", "A48", "A49"), "ADT_A30"),
    **dict.fromkeys(("A40", "A41", "A42"), "ADT_A39"),
    "A44": "ADT_A43",
    "A51": "ADT_A50",
    "A53": "ADT_A52",
    "A55": "ADT_A52",
    "A62": "ADT_A61",
}
"""HL7 2.5.1 table 0354 for the events that share a structure; standards C.6."""


@dataclass(frozen=True, slots=True)
class Part:
    """A field, or a component of one, as the standard defines it."""

    name: str
    """Long name in plain words, as in "patient identifier list"."""
    data_type: str
    table: str | None
    """Four digits, as in "0001"."""
    low: int
    high: int
    """Cardinality; `UNBOUNDED` where it may repeat for ever."""
    parts: tuple["Part", ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a message structure: a segment, or a group of slots."""

    name: str
    low: int
    high: int
    slots: tuple["Slot", ...] = ()

    @property
    def is_group(self) -> bool:
        """True for a group."""
        return bool(self.slots)


def known_version(version: str) -> str:
    """Give the version whose dictionary is used for a version as sent."""
    version = _NEAREST.get(version, version)
    return version if version in SUPPORTED_LIBRARIES else _FALLBACK


@lru_cache(maxsize=4_096)
def segment_fields(version: str, segment: str) -> tuple[Part, ...] | None:
    """Give the fields of a segment in order, or None where the version does not know it."""
    try:
        reference = load_library(known_version(version)).SEGMENTS[segment]
        return tuple(_part(child) for child in reference[1])
    except Exception:  # noqa: BLE001 -- its data has holes of several kinds, and advice must not fail for one
        return None


@lru_cache(maxsize=256)
def table_values(version: str, table: str) -> frozenset[str]:
    """Give the values of a table; empty where there is none, or none are known (user-defined tables, older versions)."""
    try:
        return frozenset(load_library(known_version(version)).TABLES[f"HL7{table}"][1])
    except Exception:  # noqa: BLE001 -- as above; versions before 2.5 have no tables at all
        return frozenset()


@lru_cache(maxsize=256)
def structure(version: str, trigger: str) -> tuple[str, tuple[Slot, ...]] | None:
    """Give the name and slots of the message structure of an ADT event, or None where the version has none."""
    try:
        messages = load_library(known_version(version)).MESSAGES
        for name in (f"ADT_{trigger}", _STRUCTURES.get(trigger, "")):
            if name in messages:
                return name, tuple(_slot(child) for child in messages[name][1])
    except Exception:  # noqa: BLE001 -- as above
        return None
    return None


def place_name(version: str, location: str) -> str:
    """Name a place in plain words: "PID^1^3^1^4" is "PID-3.4 patient identifier list, assigning authority"."""
    parts = location.split("^")
    segment, numbers = parts[0], [int(part) for part in parts[1:] if part.isascii() and part.isdigit()]
    if len(numbers) < 2:  # noqa: PLR2004 -- sequence and field
        return segment
    fields = segment_fields(version, segment) or ()
    label, words = f"{segment}-{numbers[1]}", ""
    if 0 < numbers[1] <= len(fields):
        field = fields[numbers[1] - 1]
        words = field.name
        if len(numbers) > 3:  # noqa: PLR2004 -- repetition and component
            label += f".{numbers[3]}"
            if 0 < numbers[3] <= len(field.parts):
                words += f", {field.parts[numbers[3] - 1].name}"
    elif len(numbers) > 3:  # noqa: PLR2004 -- as above
        label += f".{numbers[3]}"
    return f"{label} {words}".strip()


def _part(child: Any, depth: int = 0) -> Part:  # noqa: ANN401 -- hl7apy's nested tuples
    """Read `(name, (kind, children, data type, long name, table, length), (low, high), class)`."""
    _, reference, (low, high), _ = child
    kind, children, data_type, long_name, table = reference[:5]
    parts = tuple(_part(one, depth + 1) for one in children) if kind == "sequence" and depth == 0 else ()
    name = str(long_name or "").replace("_", " ").lower()
    return Part(name, str(data_type or ""), str(table)[3:] if table else None, int(low), int(high), parts)


def _slot(child: Any) -> Slot:  # noqa: ANN401 -- as above
    name, reference, (low, high), kind = child
    slots = tuple(_slot(one) for one in reference[1]) if kind == "GRP" else ()
    return Slot(str(name), int(low), int(high), slots)

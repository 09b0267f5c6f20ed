"""One bundle being read for one feed: the places where doubts are noted, and how FHIR identifiers become ours (HL7-6).

A doubt is a warning with its place; it never stops a message. Not here: which elements are read (`people`, `stays`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from adapters.fhir.bundle import Entry, MessageBundle
from adapters.fhir.codes import KNOWN_SYSTEMS
from adapters.fhir.values import Json, code, member, objects, text
from app.domain.adt_event import Identifier
from app.domain.feed import Feed
from app.domain.inbound import Problem, ProblemCode, Severity

_OID = "urn:oid:"
_TYPE_LENGTH_MAX = 16
OLD = "old"


@dataclass(slots=True)
class Reading:
    """The message, the feed, and the warnings gathered so far."""

    bundle: MessageBundle
    feed: Feed
    zone: ZoneInfo
    sent_at: datetime
    """Bundle.timestamp."""
    notes: list[Problem] = field(default_factory=list)
    unmapped: list[Problem] = field(default_factory=list)
    """Of the notes, those of codes that a map of the profile would mend."""

    def note(self, problem: ProblemCode, location: str, sentence: str) -> None:
        """Keep a warning."""
        self.notes.append(Problem(problem, Severity.WARNING, location, sentence))

    def note_unmapped(self, location: str, sentence: str) -> None:
        """Keep a warning of a code that a map of the profile would mend."""
        self.note(ProblemCode.TABLE_VALUE, location, sentence)
        self.unmapped.append(self.notes[-1])

    def of_patient(self, kind: str, name: str, patient: Entry) -> Iterator[Entry]:
        """Give the entries of a type whose reference leads to the patient (DV-6). Of any other, nobody knows whose they are: left out."""
        for entry in self.bundle.of_type(kind):
            if self.bundle.find(entry.resource.get(name), entry.resource) == patient:
                yield entry
            else:
                sentence = f"No reference says that the {kind} is of this patient; it was left out (DV-6)."
                self.note(ProblemCode.UNKNOWN_KEY, f"{entry.path}.{name}", sentence)

    def authority(self, system: str) -> str:
        """Name an assigning authority: by the feed's map, else the OID or URI itself, else the feed's own; upper case as in HL7 v2."""
        named = system.removeprefix(_OID)
        mapped = self.feed.profile.authority_map
        return (mapped.get(system.upper()) or mapped.get(named.upper()) or named or self.feed.assigning_authority).upper()

    def identifier(self, said: Json, kind: str = "") -> Identifier | None:
        """Read one identifier; None where it has no value or was retired. `kind` is for places that say what kind of number it is."""
        value, system = text(said.get("value")), text(said.get("system"))
        if not value or text(said.get("use")) == OLD:
            return None
        found = kind or code(said.get("type")).upper()[:_TYPE_LENGTH_MAX] or KNOWN_SYSTEMS.get(system, "")
        return Identifier(self.authority(system), found, value)

    def name_of(self, reference: object, within: Json) -> str:
        """Give the name of the organization or place behind a reference, as people read it: its own, else what the reference shows."""
        found = self.bundle.find(reference, within)
        return (text(found.resource.get("name")) if found is not None else "") or text(member(reference, "display"))


def has_type(said: Json, *kinds: str) -> bool:
    """Tell whether an identifier is of one of these types (v2 table 0203)."""
    return any(text(one.get("code")).upper() in kinds for one in objects(member(said.get("type"), "coding")))

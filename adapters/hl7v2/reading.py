"""One message being read for one feed: the places where doubts are noted, and how a field becomes a three-valued fact (ADT-3).

An absent field is no information, two double quotes erase, anything else is text with its escapes decoded. A doubt is a
warning with its place; it never stops a message. Not here: which fields are read (`acceptance`, `people`, `visits`).
"""

from functools import lru_cache
from zoneinfo import ZoneInfo

from adapters.hl7v2.er7 import Er7Message, Segment
from adapters.hl7v2.escapes import unescape
from adapters.hl7v2.timestamps import Precision, Timestamp, TimestampFault, Wall, parse_timestamp
from app.domain.feed import Feed
from app.domain.field_place import field_place
from app.domain.inbound import Problem, ProblemCode, Severity
from app.domain.known import ERASED, Erasure, Known

NULL = '""'
_WALL_TEXTS = {
    Wall.AMBIGUOUS: "The local time comes twice on the day clocks go back; the earlier was taken. Send an offset.",
    Wall.SKIPPED: "The local time does not exist on the day clocks go forward; the offset before the change was taken. Send an offset.",
}


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo | None:
    """Find an IANA zone, or None for a name that is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


class Reading:
    """The message, the feed, and the warnings gathered so far."""

    __slots__ = ("_groups", "_whose", "escape", "feed", "message", "notes", "unmapped", "zone")

    def __init__(self, message: Er7Message, feed: Feed, zone: ZoneInfo) -> None:
        """Begin without warnings."""
        self.message = message
        self.feed = feed
        self.zone = zone
        self.escape = message.delimiters.escape
        self.notes: list[Problem] = []
        self.unmapped: list[Problem] = []
        """Of the notes, those of codes that a map of the profile would mend."""
        self._groups: list[dict[str, Segment]] = []
        self._whose = 0

    def note(self, code: ProblemCode, location: str, text: str) -> None:
        """Keep a warning."""
        self.notes.append(Problem(code, Severity.WARNING, location, text))

    def note_unmapped(self, location: str, text: str) -> None:
        """Keep a warning of a code that a map of the profile would mend."""
        self.note(ProblemCode.TABLE_VALUE, location, text)
        self.unmapped.append(self.notes[-1])

    def plain(self, raw: str) -> str:
        """Give raw text of the smallest part of a field as people read it."""
        text = unescape(raw, self.message.delimiters, self.message.decoded.codec) if self.escape in raw else raw
        return text.strip()

    def known(self, raw: str) -> Known[str]:
        """Give the three-valued fact that the smallest part of a field states."""
        if not raw:
            return None
        if raw == NULL:
            return ERASED
        return (self.plain(raw) if self.escape in raw else raw.strip()) or None

    def stated(self, raw: str) -> str:
        """Give the text, or "" where the part states none or erases."""
        if raw == NULL:
            return ""
        return self.plain(raw) if self.escape in raw else raw.strip()

    def part(self, segment: Segment, field: int, component: int = 1) -> Known[str]:
        """Give one component (its first subcomponent) of the first repetition. A field that is erased as a whole erases each part."""
        fields = segment.fields
        # Most fields of most segments are empty.
        raw = segment.first(field) if field < len(fields) and fields[field] else ""
        if not raw:
            return None
        if raw == NULL:
            return ERASED
        delimiters = segment.delimiters
        if delimiters.component in raw:
            parts = raw.split(delimiters.component, component)
            if component > len(parts):
                return None
            raw = parts[component - 1]
        elif component > 1:
            return None
        return self.known(raw.split(delimiters.subcomponent, 1)[0] if delimiters.subcomponent in raw else raw)

    def about(self, pid: Segment) -> None:
        """Look for the profile's places with this patient from now on: in a message about several, between its PID and the next."""
        if not self._groups:
            self._groups = [{}]
            for segment in self.message.segments():
                if segment.name == "PID":
                    # What stands before the first of them is everybody's.
                    self._groups.append({})
                self._groups[-1].setdefault(segment.name, segment)
        self._whose = pid.sequence

    def segment(self, name: str) -> Segment | None:
        """Give the first segment of that name: of the message, or of the patient whom it is `about`."""
        if not self._whose:
            return self.message.first(name)
        return self._groups[self._whose].get(name) or self._groups[0].get(name)

    def at(self, place: str) -> Known[str]:
        """Give what stands at a place of the feed's profile, in the first segment of that name."""
        wanted = field_place(place)
        segment = self.segment(wanted.segment)
        if segment is None or wanted.subcomponent == 1:
            return None if segment is None else self.part(segment, wanted.field, wanted.component or 1)
        parts = segment.component(wanted.field, wanted.component or 1).split(segment.delimiters.subcomponent)
        return self.known(parts[wanted.subcomponent - 1]) if wanted.subcomponent <= len(parts) else None

    def fact(self, name: str, segment: Segment, field: int, component: int = 1) -> Known[str]:
        """Give a fact from the place of the sender's own that the profile names, else, or where that is silent, from the standard field."""
        own = self.feed.profile.local_reads.get(name)
        said = self.at(own) if own is not None else None
        return said if said is not None else self.part(segment, field, component)

    def text(self, segment: Segment, field: int, component: int = 1) -> str:
        """Give one component as text, "" where it is absent or erased."""
        value = self.part(segment, field, component)
        return value if isinstance(value, str) else ""

    def time(self, segment: Segment, field: int) -> Timestamp | Erasure | None:
        """Give a time. A text that is no time is noted and counts as absent; a doubtful local time is noted and taken."""
        raw = segment.first(field)
        if not raw:
            return None
        raw = raw.split(segment.delimiters.component, 1)[0].strip()
        if raw == NULL:
            return ERASED
        if not raw:
            return None
        time = parse_timestamp(raw, self.zone)
        if isinstance(time, TimestampFault):
            self.note(ProblemCode.DATA_TYPE, segment.location(field), time.text)
            return None
        if time.wall is not Wall.PLAIN:
            self.note(ProblemCode.DATA_TYPE, segment.location(field), _WALL_TEXTS[time.wall])
        return time


def sharpened(time: Timestamp, by: Timestamp | None) -> Timestamp:
    """Take the more exact time where one gives only the day and the other a time on that day.

    A midnight that was never meant would put a discharge before its own admission.
    """
    if by is not None and time.precision is Precision.DAY and by.precision >= Precision.HOUR and by.on == time.on:
        return by
    return time

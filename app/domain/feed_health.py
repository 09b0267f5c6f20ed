"""How a feed is doing, and the scorecard that its hospital can be sent. Figures only: nothing in here is about a patient.

Not here: how they are counted (pipeline/feed_watch), and when a silence is an alert (rhythm).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.feed import Feed
from app.domain.rhythm import Rhythm


@dataclass(frozen=True, slots=True)
class Silence:
    """An alert that is open."""

    opened_at: datetime
    last_message_at: datetime
    missing: float
    """Messages that should have come when it opened."""


@dataclass(frozen=True, slots=True)
class FieldCount:
    """How often a field of the profile was there."""

    place: str
    meaning: str
    asked: int
    valued: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted over some days."""

    messages: int = 0
    refused: int = 0
    set_aside: int = 0
    control_ids_reused: int = 0
    events: int = 0
    late: int = 0
    discharges: int = 0
    discharges_unopened: int = 0
    presumed_ended: int = 0


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """A feed and its figures."""

    feed: Feed
    since: datetime
    counted_to: datetime | None
    """Messages received before are in the counts; None: nothing was ever counted."""
    last_message_at: datetime | None
    silence: Silence | None
    silences: int
    rhythm: Rhythm | None
    counts: Counts
    stays_open: int
    fields: Sequence[FieldCount]

    @property
    def completeness(self) -> float | None:
        """The share of what was asked for that was there."""
        return rate(sum(field.valued for field in self.fields), sum(field.asked for field in self.fields))

    @property
    def error_rate(self) -> float | None:
        """The share of messages that were refused or set aside."""
        return rate(self.counts.refused + self.counts.set_aside, self.counts.messages)


def rate(part: int, whole: int) -> float | None:
    """Give a share, or None of nothing."""
    return round(part / whole, 4) if whole else None


ScorecardLine = tuple[str, str, str, str, str, str]
HEADER: ScorecardLine = ("section", "item", "meaning", "count", "of", "percent")


def scorecard(health: FeedHealth, feed_id: str) -> list[ScorecardLine]:
    """Give the lines of the scorecard, the header first. Places are those of HL7; the texts are for the people who run the sender."""
    feed, counts = health.feed, health.counts
    lines = [
        HEADER,
        ("feed", "id", "The feed here", feed_id, "", ""),
        ("feed", "MSH-3", "Sending application", feed.sending_application, "", ""),
        ("feed", "MSH-4", "Sending facility", feed.sending_facility, "", ""),
        ("feed", "since", "First instant that is counted", _instant(health.since), "", ""),
        ("feed", "counted_to", "Messages received before are counted", _instant(health.counted_to), "", ""),
        ("feed", "last_message", "When the last message came", _instant(health.last_message_at), "", ""),
        (
            "feed",
            "silences",
            "Times that the feed was silent for longer than its habit by hour of week allows",
            str(health.silences),
            "",
            "",
        ),
        _share("messages", "refused", "Answered AE or AR", counts.refused, counts.messages),
        _share("messages", "set_aside", "Accepted, and set aside because they could not be used", counts.set_aside, counts.messages),
        _share("messages", "control_id_reused", "MSH-10 was used before by another message", counts.control_ids_reused, counts.messages),
        _share("events", "late", "Received more than an hour after the event", counts.late, counts.events),
        _share("stays", "discharge_without_admission", "A03 without A01 or A04", counts.discharges_unopened, counts.discharges),
        ("stays", "without_discharge", "Stays that ended without an A03, as far as anybody can tell", str(counts.presumed_ended), "", ""),
        ("stays", "open", "Stays that are open now", str(health.stays_open), "", ""),
    ]
    lines += [_share("fields", field.place, field.meaning, field.valued, field.asked) for field in health.fields]
    return lines


def _share(section: str, item: str, meaning: str, part: int, whole: int) -> ScorecardLine:
    return section, item, meaning, str(part), str(whole), f"{100 * part / whole:.2f}" if whole else ""


def _instant(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at is not None else ""


Meanings = Sequence[tuple[str, str]]
"""(place, meaning) of the profile, in its order."""


def in_order(meanings: Meanings, found: dict[str, tuple[int, int]]) -> tuple[FieldCount, ...]:
    """Give every field of the profile, also those nobody was asked for yet."""
    return tuple(FieldCount(place, meaning, *found.get(place, (0, 0))) for place, meaning in meanings)

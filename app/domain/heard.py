"""When the service first knew of each event of a stay that stands: the second of the two times of an event (DESIGN section 2.5).

It tells a claim that became known after the event from a message that came late: only the first is a late attribution. Kept beside
the fold, because it is about us and not about the stay. Pure.
"""

from collections.abc import Mapping
from datetime import datetime

from app.domain.encounter import EncounterView
from app.domain.happening import Kind, happenings

Stored = Mapping[str, str]
"""Event -> instant in ISO form, as it is kept with the stay."""


def heard_after(before: Stored | None, seen: EncounterView, now: datetime) -> dict[str, str]:
    """Note what stands now and was not known before. What no longer stands is forgotten: told again, it is heard again."""
    known = before or {}
    return {event.kind.value: known.get(event.kind.value) or now.isoformat() for event in happenings(seen, behavioral_kind="")}


def read_heard(stored: Stored | None) -> dict[Kind, datetime]:
    """Read the stored form."""
    return {Kind(kind): datetime.fromisoformat(at) for kind, at in (stored or {}).items()}

"""What every log event has. Not here: the events (events.py)."""

from dataclasses import dataclass
from typing import ClassVar

from app.telemetry.words import Level


@dataclass(frozen=True, slots=True)
class Event:
    """What every event has: a name and a level."""

    name: ClassVar[str]
    level: ClassVar[Level] = Level.INFO

"""The table of events in this folder's README. Not here: the events (events.py, watch_events.py)."""

from dataclasses import fields

from app.telemetry import events, watch_events
from app.telemetry.event import Event


def event_classes() -> tuple[type[Event], ...]:
    """Give every event, in the order of their files."""
    # Not __subclasses__(): a slotted dataclass leaves its forerunner there until it is collected.
    defined = (item for module in (events, watch_events) for item in vars(module).values())
    return tuple(item for item in defined if isinstance(item, type) and issubclass(item, Event) and item is not Event)


def events_table_markdown() -> str:
    """Give the table; a test holds the two together."""
    lines = ["| Event | Level | Fields | Meaning |", "|---|---|---|---|"]
    for kind in sorted(event_classes(), key=lambda kind: kind.name):
        names = ", ".join(f"`{field.name}`" for field in fields(kind))
        meaning = " ".join((kind.__doc__ or "").split())
        lines.append(f"| `{kind.name}` | {kind.level.value} | {names} | {meaning} |")
    return "\n".join(lines) + "\n"

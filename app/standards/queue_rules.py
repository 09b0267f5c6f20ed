"""The queues of people's work as data: owner, its time zone, service time, weekend cover. Not here: what waits in them (store/queues)."""

from datetime import timedelta
from functools import cache
from importlib.resources.abc import Traversable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.domain.queue import QueueDefinition
from app.standards.toml_table import TomlTable, no_repetition, read_toml, shipped


@cache
def queue_definitions() -> tuple[QueueDefinition, ...]:
    """Give the shipped queues."""
    return load_queues(shipped("queues", "queues.toml"))


def load_queues(file: Traversable) -> tuple[QueueDefinition, ...]:
    """Read the queues, in the order of the file."""
    table = read_toml(file)
    for name in ("source", "licence", "version"):
        table.text(name)
    queues = tuple(_queue(one) for one in table.tables("queue"))
    table.finish()
    no_repetition(table.place, "queue", [queue.id for queue in queues])
    return queues


def _queue(table: TomlTable) -> QueueDefinition:
    hours = table.integer("service_hours")
    if not hours:
        table.fail("service_hours", "must be at least one hour")
    found = QueueDefinition(
        table.text("id"),
        table.text("title"),
        table.text("owner"),
        timedelta(hours=hours),
        weekend_cover=table.boolean("weekend_cover"),
        zone=_zone(table),
    )
    table.finish()
    return found


def _zone(table: TomlTable) -> ZoneInfo:
    try:
        return ZoneInfo(table.text("time_zone"))
    except (ValueError, ZoneInfoNotFoundError):
        table.fail("time_zone", "must be a time zone of the IANA database, like America/New_York")

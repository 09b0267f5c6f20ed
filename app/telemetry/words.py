"""The closed vocabularies of log events: how much one matters, and which part, loop or door it is about."""

from enum import StrEnum


class Level(StrEnum):
    """How much an event matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    """Somebody should look when it repeats."""
    ERROR = "error"
    """Somebody should look."""


class Part(StrEnum):
    """The parts of a process tree."""

    SUPERVISOR = "supervisor"
    HTTP = "http"
    MLLP = "mllp"
    WORK = "work"


class Loop(StrEnum):
    """The loops of a worker process."""

    PIPELINE = "pipeline"
    RECONSIDER = "reconsider"
    MATCH = "match"
    TIMERS = "timers"
    DELIVERIES = "deliveries"
    FEEDS = "feeds"


class DoorName(StrEnum):
    """By which wire a message came."""

    MLLP = "mllp"
    HTTP = "http"
    FHIR = "fhir"
    FILE = "file"

"""A message together with its meaning and the feed it came by: what rooms 4-7 pass along; or what it waits for."""

from dataclasses import dataclass
from uuid import UUID

from app.domain.adt_event import AdtEvent
from app.domain.feed import Feed, FeedMode, UnmappedFacility
from app.domain.inbound import Problem, ProblemCode, Severity

OF_ANOTHER_PERSON = Problem(
    ProblemCode.DUPLICATE_KEY,
    Severity.ERROR,
    "PID^1^3",
    "The number is that of somebody else by name, birth date and sex, or of a newborn's mother: perhaps it was used again. Ask the sender."
    " If it is a correction of the same person, replay the message; else it is to be sent again with the right number.",
)
"""A message that was set aside for this and is taken up again is one that a person has looked at."""

NAMED_BY_NO_NUMBER = Problem(
    ProblemCode.REQUIRED_FIELD_MISSING,
    Severity.ERROR,
    "PID^1^3",
    "What is written as the number of a patient, or of what is merged, moved or linked, stands in for none (UNKNOWN, 999-99-9999), and"
    " no number of a stay tells them from others so named. Ask the sender to send it again with the right number.",
)

KEPT_APART = Problem(
    ProblemCode.ACCEPTED,
    Severity.INFORMATION,
    "",
    "Read as a test: by MSH-11, by the mode of the feed, or by a name that only test patients carry (Test Patient, Testpatient, Zztest, or"
    " one of the profile's test_patient_last_names). It meets no person, stay or panel, and nobody is told of it.",
)
"""Said before a message counts; afterwards the mode of its stay says it."""


@dataclass(frozen=True, slots=True)
class Interpreted:
    """A message with its meaning."""

    message_id: UUID
    feed: Feed
    event: AdtEvent
    is_test: bool
    """A training message or a test patient: processed under names of its own, told to nobody."""
    mode: FeedMode = FeedMode.LIVE
    """In which the message was received; its feed may have moved on since."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message of an aggregator that cannot be interpreted before somebody says which organization a facility's code stands for."""

    unmapped: UnmappedFacility
    problem: Problem

"""The inbound message: verbatim bytes, the answer that was given, and what became of them.

Two tracks that are never mixed: the *answer* (what the sender was told, decided in room 2 and never changed) and the
*outcome* (what the pipeline made of it, decided in rooms 3-7). Not here: how bytes are read (adapters) or stored (store).
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Door(StrEnum):
    """By which wire the bytes came."""

    MLLP = "mllp"
    HTTP = "http"
    FILE = "file"
    FHIR = "fhir"


class Format(StrEnum):
    """In which format the bytes are written, whatever wire they came by: it decides which reader reads them, also at a replay."""

    ER7 = "er7"
    """HL7 v2, with its delimiters or in XML: the first character tells which."""
    FHIR = "fhir"
    """A FHIR R4 message bundle, in JSON or XML."""


class AckCode(StrEnum):
    """HL7 2.5.1 table 0008. For a format with other words it is what they mean: accepted, content error, rejected."""

    AA = "AA"
    AE = "AE"
    AR = "AR"
    CA = "CA"
    CE = "CE"
    CR = "CR"


class Severity(StrEnum):
    """HL7 2.5.1 table 0516, error severity."""

    ERROR = "E"
    WARNING = "W"
    INFORMATION = "I"


class ProblemCode(StrEnum):
    """HL7 2.5.1 table 0357, message error condition codes."""

    ACCEPTED = "0"
    SEGMENT_SEQUENCE = "100"
    REQUIRED_FIELD_MISSING = "101"
    DATA_TYPE = "102"
    TABLE_VALUE = "103"
    UNSUPPORTED_MESSAGE_TYPE = "200"
    UNSUPPORTED_EVENT = "201"
    UNSUPPORTED_PROCESSING_ID = "202"
    UNSUPPORTED_VERSION = "203"
    UNKNOWN_KEY = "204"
    DUPLICATE_KEY = "205"
    LOCKED = "206"
    INTERNAL = "207"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a message, and where.

    `location` is `SEG^sequence^field^repetition^component` (ERR-2), as far as it is known; `text` is plain words that say
    what was expected and what to do, and never repeats a value of the message.
    """

    code: ProblemCode
    severity: Severity
    location: str
    text: str


class Acceptance(StrEnum):
    """What room 2 decides about a readable message, before it is committed."""

    ACCEPT = "accept"
    """It will be interpreted."""
    ERROR = "error"
    """Content problem: stored, answered AE/CE, set aside (ACK-4)."""
    REJECT = "reject"
    """Unsupported type, processing id or version, or no feed: stored, answered AR/CR (ACK-4)."""


@dataclass(frozen=True, slots=True)
class Header:
    """MSH as far as receipt needs it. Every text is as sent; where there is no usable MSH, `fault` says why and the rest is empty.

    Other formats fill in what they have under the same names; their README has the table.
    """

    fault: Problem | None = None
    field_separator: str = "|"
    encoding_characters: str = "^~\\&"
    sending_application: str = ""
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    message_code: str = ""
    trigger: str = ""
    """MSH-9.2, else EVN-1. MSH-9.3 is never trusted."""
    control_id: str = ""
    processing_id: str = ""
    version: str = ""
    accept_ack: str = ""
    """MSH-15, HL7 table 0155."""
    application_ack: str = ""
    """MSH-16, HL7 table 0155."""
    charset: str = ""
    """MSH-18 as sent."""
    lane_key: str = ""
    """The patient record number that decides the lane: first repetition of PID-3 as sent, or empty."""
    other_senders: tuple[tuple[str, str], ...] = ()
    """Further (application, facility) by which a feed may know this sender, the most exact first."""

    @property
    def readable(self) -> bool:
        """Tell whether there is a usable MSH."""
        return self.fault is None


@dataclass(frozen=True, slots=True)
class Envelope:
    """Bytes as a door hands them in. `feed_name` is the feed that the door itself was told (`?feed=`), if any."""

    body: bytes
    door: Door
    received_at: datetime
    peer: str | None = None
    feed_name: str | None = None
    organization_id: UUID | None = None
    """The organization of the key that was used; None on MLLP, where only MSH-3/MSH-4 name the source."""
    format: Format = Format.ER7
    certificate: str | None = None
    """SHA-256 (hexadecimal) of the TLS client certificate of the connection, where one was shown."""
    as_history: bool = False
    """It is loaded as history (a census, last year's messages), whatever the mode of its feed: told to nobody."""


class Outcome(StrEnum):
    """What the pipeline made of a message."""

    PROCESSED = "processed"
    """It changed or confirmed an encounter or a person."""
    IGNORED = "ignored"
    """Stored and understood, but not of a kind that changes anything here (answered AA)."""
    SET_ASIDE = "set_aside"
    """A person must look at it; the feed keeps flowing. It can be replayed."""
    REJECTED = "rejected"
    """It was answered with a negative acknowledgement and never entered the pipeline."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told: the codes, the problems behind them, and the id under which the bytes are kept."""

    code: AckCode
    problems: tuple[Problem, ...] = field(default_factory=tuple)
    message_id: UUID | None = None
    duplicate: bool = False

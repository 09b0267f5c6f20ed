"""What decides whether a message is taken (ACK-4, C.6): the few fields without which it cannot be interpreted.

Everything of severity E found here stops the message, and nothing else does: what passes here can be read (`reader`).
Unsupported type, event, processing id or version is a reject; a missing or wrong field is an error; the rest is a
warning. Not here: which acknowledgement follows (`ack`), whether the sender is known (actions/receive).
"""

import re
from dataclasses import dataclass, replace

from adapters.hl7v2.charset import CharsetChoice, codec_of
from adapters.hl7v2.codes import TRIGGER_SHAPE, VERSIONS
from adapters.hl7v2.documents import DOCUMENT_TYPES, head_of
from adapters.hl7v2.er7 import Er7Message, Segment
from adapters.hl7v2.people import identifiers, local_identifiers, patient_identifiers
from adapters.hl7v2.reading import Reading, sharpened
from adapters.hl7v2.subjects import OF_SEVERAL, Subject, subjects_of
from adapters.hl7v2.timestamps import Timestamp
from app.domain.adt_event import ProcessingId
from app.domain.inbound import Header, Problem, ProblemCode, Severity
from app.domain.trigger import DOCUMENT_TRIGGERS, OURS, Trigger

SUPPORTED = frozenset(trigger.value for trigger in Trigger if trigger not in OURS)
"""The triggers that change something here; every other is stored, answered AA and marked ignored (ACK-4)."""

_EVENTS = {"ADT": SUPPORTED - DOCUMENT_TRIGGERS, **DOCUMENT_TYPES}
"""Message type (MSH-9.1) -> the events of it that are read."""
_WITHOUT_STAY = frozenset({Trigger.UPDATE, Trigger.ADD_PERSON, Trigger.UPDATE_PERSON})
_PROCESSING_IDS = frozenset(processing_id.value for processing_id in ProcessingId)
_TRIGGER = re.compile(TRIGGER_SHAPE)


@dataclass(frozen=True, slots=True)
class EventTimes:
    """When it happened, was recorded, was sent (ADT-4)."""

    occurred: Timestamp
    recorded: Timestamp
    sent: Timestamp


@dataclass(frozen=True, slots=True)
class Essentials:
    """What a message that can be interpreted has."""

    trigger: str
    processing_id: ProcessingId
    times: EventTimes
    subjects: tuple[Subject, ...]
    """Whom it is about: one patient, or several."""
    held: Problem | None = None
    """Why a person has to look before anything changes."""


def _error(code: ProblemCode, location: str, text: str) -> Problem:
    return Problem(code, Severity.ERROR, location, text)


def header_problems(message: Er7Message, header: Header) -> list[Problem]:
    """Check MSH: type, event, processing id, version, control id."""
    found: list[Problem] = []
    if _is_run(message):
        text = "There is a second MSH: send one message in one frame, or several to the batch endpoint."
        return [_error(ProblemCode.SEGMENT_SEQUENCE, "MSH^2", text)]
    events = _EVENTS.get(header.message_code)
    if events is None:
        text = "Only ADT, MDM and ORU messages are taken here; send other types elsewhere."
        return [_error(ProblemCode.UNSUPPORTED_MESSAGE_TYPE, "MSH^1^9^1^1", text)]
    if header.trigger in SUPPORTED and header.trigger not in events:
        found.append(_error(ProblemCode.UNSUPPORTED_EVENT, "MSH^1^9^1^2", "This is no event of the message type in MSH-9.1."))
    elif not header.trigger:
        found.append(_error(ProblemCode.REQUIRED_FIELD_MISSING, "MSH^1^9^1^2", "The trigger event is missing, in MSH-9.2 and in EVN-1."))
    elif _TRIGGER.fullmatch(header.trigger) is None:
        found.append(_error(ProblemCode.UNSUPPORTED_EVENT, "MSH^1^9^1^2", "This is not a trigger event of table 0003, such as A03."))
    if header.processing_id and header.processing_id not in _PROCESSING_IDS:
        found.append(_error(ProblemCode.UNSUPPORTED_PROCESSING_ID, "MSH^1^11", "Expected P, T or D (table 0103)."))
    if header.version and header.version not in VERSIONS:
        text = "Expected a version of table 0104, from 2.1 to 2.9.1."
        if len(message.lines) == 1:
            text = "The message is one line: its segments' ends were lost on the way. Curl keeps them with --data-binary."
        found.append(_error(ProblemCode.UNSUPPORTED_VERSION, "MSH^1^12", text))
    if not header.control_id.strip():
        text = "The message control id is missing; without it no acknowledgement can name the message."
        found.append(_error(ProblemCode.REQUIRED_FIELD_MISSING, "MSH^1^10", text))
    return found


_BEFORE_MSH = " \t\ufeff\x0b\x1c"


def _is_run(message: Er7Message) -> bool:
    """Tell whether there is a second MSH, also behind blanks, MLLP bytes or a byte order mark: it would be lost behind a yes."""
    mark = "MSH" + message.delimiters.field
    return message.text.count(mark) > 1 and sum(line.lstrip(_BEFORE_MSH).startswith(mark) for line in message.lines) > 1


def header_warnings(message: Er7Message, header: Header) -> list[Problem]:
    """Note what is doubtful about MSH and the character set, and was decided nevertheless."""
    found: list[Problem] = []

    def warn(code: ProblemCode, location: str, text: str) -> None:
        found.append(Problem(code, Severity.WARNING, location, text))

    if not header.processing_id:
        warn(ProblemCode.REQUIRED_FIELD_MISSING, "MSH^1^11", "The processing id is missing; read as P, production.")
    if not header.version:
        warn(ProblemCode.REQUIRED_FIELD_MISSING, "MSH^1^12", "The version is missing; read as 2.5.1.")
    decoded = message.decoded
    if decoded.declared and codec_of(decoded.declared) is None:
        warn(ProblemCode.TABLE_VALUE, "MSH^1^18", f"Not a character set of table 0211; read as {decoded.codec}.")
    elif decoded.choice is CharsetChoice.CORRECTED:
        text = f"The bytes are not in the declared character set; read as {decoded.codec}."
        warn(ProblemCode.DATA_TYPE, "MSH^1^18", text)
    elif decoded.choice is CharsetChoice.GUESSED and decoded.codec != "ascii":
        warn(ProblemCode.REQUIRED_FIELD_MISSING, "MSH^1^18", f"No character set is declared; read as {decoded.codec}.")
    return found


def essentials(reading: Reading, header: Header, *, is_check: bool = False) -> Essentials | list[Problem]:
    """Find what a supported event needs, or say all of what is missing. A mere check looks no further than the first good time."""
    trigger = header.trigger
    times = first_time(reading) if is_check else event_times(reading)
    held: Problem | None = None
    if trigger in OF_SEVERAL:
        several = subjects_of(reading, trigger)
        subjects, found, held = several.found, list(several.problems), several.held
    else:
        subjects, found = _one_patient(reading, trigger)
    if times is None:
        text = "The time of the event is missing or no time, in EVN-6, EVN-2 and MSH-7: expected YYYYMMDDHHMMSS with an optional offset."
        found.append(_error(ProblemCode.REQUIRED_FIELD_MISSING, "EVN^1^2", text))
    if found or times is None:
        return found
    return Essentials(trigger, ProcessingId(header.processing_id or "P"), times, subjects, held)


def _one_patient(reading: Reading, trigger: str) -> tuple[tuple[Subject, ...], list[Problem]]:
    message = reading.message
    found: list[Problem] = []
    if trigger in DOCUMENT_TRIGGERS:
        return _with_documents(reading, trigger)
    pid = message.first("PID")
    ids = (*patient_identifiers(reading, pid), *local_identifiers(reading)) if pid is not None else ()
    if pid is None:
        found.append(_error(ProblemCode.SEGMENT_SEQUENCE, "PID^1", "The PID segment is missing."))
    elif not ids:
        found.append(_error(ProblemCode.REQUIRED_FIELD_MISSING, "PID^1^3", _NOBODY))
    pv1 = message.first("PV1") if trigger == Trigger.UPDATE or trigger not in _WITHOUT_STAY else None
    if pv1 is None and trigger not in _WITHOUT_STAY:
        found.append(_error(ProblemCode.SEGMENT_SEQUENCE, "PV1^1", "The PV1 segment is missing; without it the stay is not known."))
    return ((Subject(pid, ids, pv1=pv1),) if pid is not None and not found else ()), found


_NOBODY = "PID-3 needs an identifier of the person; account and visit numbers do not name one."


def _with_documents(reading: Reading, trigger: str) -> tuple[tuple[Subject, ...], list[Problem]]:
    """Find the patients of an MDM or ORU, each with the PV1 that follows; an ORU may have the results of several."""
    found: list[Problem] = []
    subjects: list[Subject] = []
    for segment in reading.message.segments():
        if segment.name == "PID":
            if subjects or reading.message.count("PID") > 1:
                reading.about(segment)
            ids = (*patient_identifiers(reading, segment), *local_identifiers(reading))
            if not ids:
                found.append(_error(ProblemCode.REQUIRED_FIELD_MISSING, segment.location(3), _NOBODY))
            subjects.append(Subject(segment, ids))
        elif segment.name == "PV1" and subjects and subjects[-1].pv1 is None:
            subjects[-1] = replace(subjects[-1], pv1=segment)
    if not subjects:
        found.append(_error(ProblemCode.SEGMENT_SEQUENCE, "PID^1", "The PID segment is missing."))
    head = head_of(trigger)
    if reading.message.first(head) is None:
        text = f"The {head} segment is missing; it says which document or result this is about."
        found.append(_error(ProblemCode.SEGMENT_SEQUENCE, f"{head}^1", text))
    return tuple(subjects), found


def event_times(reading: Reading) -> EventTimes | None:
    """EVN-6, else EVN-2, else MSH-7; a text that is no time is noted and counts as absent. None when none of them is a time."""
    msh, evn = reading.message.first("MSH"), reading.message.first("EVN")
    sent = _time(reading, msh, 7)
    recorded, occurred = _time(reading, evn, 2), _time(reading, evn, 6)
    known = recorded or sent or occurred
    if known is None:
        return None
    recorded, sent = recorded or known, sent or known
    recorded = sharpened(recorded, sent)
    return EventTimes(sharpened(occurred, recorded) if occurred else recorded, recorded, sent)


def first_time(reading: Reading) -> EventTimes | None:
    """Find any time of the event: enough to know that `event_times` will find them all."""
    for name, field in (("EVN", 2), ("MSH", 7), ("EVN", 6)):
        time = _time(reading, reading.message.first(name), field)
        if time is not None:
            return EventTimes(time, time, time)
    return None


def _time(reading: Reading, segment: Segment | None, field: int) -> Timestamp | None:
    time = reading.time(segment, field) if segment is not None else None
    return time if isinstance(time, Timestamp) else None


def doubts(reading: Reading, header: Header) -> None:
    """Note what contradicts itself in a message that is otherwise taken."""
    message = reading.message
    strays = message.stray_lines()
    if strays:
        text = f"{strays} lines are no segments and were left out; a line end inside a field is \\.br\\."
        reading.note(ProblemCode.SEGMENT_SEQUENCE, "MSH^1", text)
    evn = message.first("EVN")
    if evn is not None and (said := reading.text(evn, 1).upper()) and said != header.trigger:
        reading.note(ProblemCode.TABLE_VALUE, evn.location(1), "EVN-1 and MSH-9.2 name different events; MSH-9.2 was taken.")
    pid = message.first("PID")
    if pid is not None and not identifiers(reading, pid, 3):
        reading.note(ProblemCode.REQUIRED_FIELD_MISSING, pid.location(3), "PID-3 is empty; the number in PID-2 was taken.")
    if header.trigger not in OF_SEVERAL | {Trigger.RESULT} and message.count("PID") > 1:
        reading.note(ProblemCode.SEGMENT_SEQUENCE, "PID^2", "There is more than one PID; the first was taken.")

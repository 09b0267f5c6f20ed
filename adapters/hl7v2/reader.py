"""The port `AdtReader`: HL7 v2 bytes, ER7 or XML, to the meaning of an ADT message. Pure, and nothing is raised whatever the bytes are.

`header` is the quick look of room 2, `problems` decides acceptance there, `read` interprets in room 3; what `problems`
passes, `read` can read. The field table is in README.md. Not here: how fields are cut (`er7`), what is demanded
(`acceptance`), and which encounter or person it is (domain).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from adapters.hl7v2.acceptance import SUPPORTED, Essentials, doubts, essentials, header_problems, header_warnings
from adapters.hl7v2.documents import Group, content_of, documents_of, groups, head_of, note_undecodable
from adapters.hl7v2.encodings import as_er7, tokenize
from adapters.hl7v2.er7 import Delimiters, Er7Message, first_line, no_header, read_delimiters, strip_envelope
from adapters.hl7v2.facilities import facility_codes, location_of
from adapters.hl7v2.people import identifiers, person_facts
from adapters.hl7v2.reading import Reading, zone_of
from adapters.hl7v2.subjects import OF_SEVERAL, Subject
from adapters.hl7v2.visits import diagnoses, visit_facts, visit_named
from app.domain.adt_event import AdtEvent, VisitFacts
from app.domain.feed import Feed
from app.domain.inbound import Header, Problem, ProblemCode, Severity
from app.domain.trigger import DOCUMENT_TRIGGERS, Trigger

_MSH_FIELDS = 19
_LATIN_1 = "latin-1"
_NO_VISIT_NUMBER: Final = (
    "No number of the visit is where the feed's profile looks for it (by default PV1-19, PV1-50, PID-18); "
    "without one, two stays of a patient on one day cannot be told apart, and no document finds its stay."
)


class Hl7v2Reader:
    """Reads HL7 v2.1 to v2.9.1 in ER7 and in XML."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._latest: tuple[bytes, Header] | None = None
        """The header that was read last: whoever asks for it goes on to read that message."""

    def header(self, body: bytes) -> Header:
        """Read MSH, EVN-1 where MSH-9.2 is empty, and the patient record number, without splitting the rest."""
        if self._latest is not None and self._latest[0] is body:
            return self._latest[1]
        header = self._header(body)
        self._latest = body, header
        return header

    def _header(self, body: bytes) -> Header:
        core = strip_envelope(body)
        line = first_line(core)
        if line is None:
            as_sent = as_er7(body)
            if isinstance(as_sent, Problem):
                return Header(as_sent)
            core, line = as_sent, first_line(as_sent)
        if line is None:
            return Header(no_header(body))
        delimiters = read_delimiters(line)
        if isinstance(delimiters, Problem):
            return Header(delimiters)
        if not line.isascii():
            # Only names differ from ASCII here, so the delimiters stand where they stood.
            line = _text(line.encode(_LATIN_1))
        fields = ["MSH", delimiters.field, *line.split(delimiters.field)[1:_MSH_FIELDS]]
        fields += [""] * (_MSH_FIELDS - len(fields))
        component = delimiters.component
        kind = [*fields[9].split(component, 2), "", ""]
        trigger = kind[1].strip().upper() or _peek(core, "EVN", 1, delimiters).split(component, 1)[0].strip().upper()
        return Header(
            field_separator=delimiters.field,
            encoding_characters=delimiters.encoding_characters,
            sending_application=fields[3].strip(),
            sending_facility=fields[4].strip(),
            receiving_application=fields[5].strip(),
            receiving_facility=fields[6].strip(),
            message_code=kind[0].strip().upper(),
            trigger=trigger,
            control_id=fields[10],
            processing_id=fields[11].split(component, 1)[0].strip().upper(),
            version=fields[12].split(component, 1)[0].strip(),
            accept_ack=fields[15].strip().upper(),
            application_ack=fields[16].strip().upper(),
            charset=fields[18].strip(),
            lane_key=_lane_key(core, delimiters),
        )

    def is_supported(self, trigger: str) -> bool:
        """Tell whether the trigger changes anything here (ACK-4)."""
        return trigger in SUPPORTED

    def problems(self, body: bytes, header: Header, feed: Feed) -> Sequence[Problem]:
        """Check what decides acceptance, and give what is doubtful about the header and those fields as warnings."""
        message = tokenize(body, feed.profile.charset)
        if isinstance(message, Problem):
            return (message,)
        found = header_problems(message, header)
        warnings = header_warnings(message, header)
        if not found and header.trigger in SUPPORTED:
            reading = _begin(message, feed)
            if isinstance(reading, Problem):
                return (reading,)
            needed = essentials(reading, header, is_check=True)
            if header.trigger in DOCUMENT_TRIGGERS:
                note_undecodable(reading)
            warnings += reading.notes
            if not isinstance(needed, Essentials):
                found = needed
        return (*found, *warnings)

    def facilities(self, body: bytes, feed: Feed) -> Mapping[str, tuple[str, ...]]:
        """Give, by place, the spellings of the code of the facility that the message comes from, where the feed's profile looks for it."""
        message = tokenize(body, feed.profile.charset)
        reading = _begin(message, feed) if not isinstance(message, Problem) else message
        return {} if isinstance(reading, Problem) else facility_codes(reading)

    def facility_location(self, body: bytes, place: str) -> str:  # noqa: ARG002 -- the port's
        """Give where a place of the profile is in a message."""
        return location_of(place)

    def read(self, body: bytes, feed: Feed) -> AdtEvent | Sequence[Problem]:
        """Interpret the whole message, or give every problem that stands in the way. Ask `is_supported` first."""
        event, found = self._interpret(body, feed, with_doubts=False)
        # What is held for a person has no error.
        return event if event is not None else [problem for problem in found if problem.severity is Severity.ERROR] or found

    def notes(self, body: bytes, feed: Feed) -> tuple[Problem, ...]:
        """Give every problem and every doubt of a full reading, for validation and for the quality of a source."""
        return tuple(self._interpret(body, feed, with_doubts=True)[1])

    def content(self, body: bytes, feed: Feed, place: str) -> bytes | None:
        """Give the bytes of a document at a place that a pointer of this message named."""
        message = tokenize(body, feed.profile.charset)
        reading = _begin(message, feed) if not isinstance(message, Problem) else message
        return None if isinstance(reading, Problem) else content_of(reading, self.header(body).trigger, place)

    def _interpret(self, body: bytes, feed: Feed, *, with_doubts: bool) -> tuple[AdtEvent | None, list[Problem]]:
        message = tokenize(body, feed.profile.charset)
        if isinstance(message, Problem):
            return None, [message]
        header = self.header(body)
        found = header_problems(message, header)
        if found:
            return None, [*found, *header_warnings(message, header)]
        reading = _begin(message, feed)
        if isinstance(reading, Problem):
            return None, [reading]
        if with_doubts:
            reading.notes += header_warnings(message, header)
        needed = essentials(reading, header)
        if not isinstance(needed, Essentials):
            return None, [*needed, *reading.notes]
        if with_doubts:
            doubts(reading, header)
        if needed.held is not None:
            return None, [needed.held, *(reading.notes if with_doubts else ())]
        digest = hashlib.sha256(body).digest()
        is_of_document = needed.trigger in DOCUMENT_TRIGGERS
        # Cut once: a message about a hundred patients has the lines of all of them.
        papers = tuple(groups(reading.message, head_of(needed.trigger))) if is_of_document else ()
        first, *others = (
            self._event(reading, header, needed, subject, papers, digest, part) for part, subject in enumerate(needed.subjects)
        )
        if with_doubts and first.visit is not None and first.visit.visit_number is None:
            reading.note(ProblemCode.REQUIRED_FIELD_MISSING, "PV1^1^19", _NO_VISIT_NUMBER)
        if others or reading.unmapped:
            first = replace(first, others=tuple(others), unmapped=tuple(reading.unmapped))
        return first, reading.notes

    def _event(  # one patient of a message, and what is known of the message as a whole
        self, reading: Reading, header: Header, needed: Essentials, subject: Subject, papers: Sequence[Group], digest: bytes, part: int
    ) -> AdtEvent:
        pv1, trigger = subject.pv1, needed.trigger
        is_of_document = trigger in DOCUMENT_TRIGGERS
        if trigger in OF_SEVERAL or (is_of_document and len(needed.subjects) > 1):
            reading.about(subject.pid)
        says_diagnoses = pv1 is not None and trigger != Trigger.SWAP and not is_of_document
        facts, erased = diagnoses(reading) if says_diagnoses else ((), frozenset())
        person = person_facts(reading, subject.pid)
        visit = None
        if pv1 is not None and not is_of_document:
            visit = visit_facts(reading, pv1, trigger, needed.times.occurred, subject.pid)
        if subject.moved_visit is not None:
            # A move says whose the visit is, and nothing else about it.
            visit = VisitFacts(visit_number=subject.moved_visit)
        if is_of_document:
            # It names the stay, and states nothing about it; nor does a laboratory know who has died.
            visit, person = visit_named(reading, pv1, subject.pid), replace(person, died_at=None, deceased=None)
        return AdtEvent(
            trigger=trigger,
            occurred_at=needed.times.occurred.at,
            recorded_at=needed.times.recorded.at,
            sent_at=needed.times.sent.at,
            # Each event of a message has a last word of its own in a tie.
            content_hash=hashlib.sha256(digest + bytes([part % 256, part // 256])).digest() if part else digest,
            control_id=header.control_id,
            processing_id=needed.processing_id,
            identifiers=subject.identifiers,
            person=person,
            prior_identifiers=subject.prior_identifiers,
            renames=subject.renames,
            moved_account=subject.moved_account,
            other_patient=subject.other_patient,
            mothers=identifiers(reading, subject.pid, 21) if subject.pid.raw(21) else (),
            parent=subject.parent,
            visit=visit,
            diagnoses=facts,
            diagnoses_erased=erased,
            documents=documents_of(reading, trigger, part + 1, papers) if is_of_document else (),
            sending_facility=header.sending_facility,
        )


def _begin(message: Er7Message, feed: Feed) -> Reading | Problem:
    zone = zone_of(feed.time_zone)
    if zone is None:
        return Problem(
            ProblemCode.INTERNAL, Severity.ERROR, "", "The feed's time zone is no IANA zone; the operator has to correct the feed."
        )
    return Reading(message, feed, zone)


def _text(data: bytes) -> str:
    """Bytes of a header whose character set is not known yet: UTF-8 where they are, else Latin-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode(_LATIN_1)


def _peek(core: bytes, name: str, field: int, delimiters: Delimiters) -> str:
    """Give one raw field of the first segment of a name, without splitting the message."""
    mark = (name + delimiters.field).encode("ascii")
    starts = [start for end in (b"\r", b"\n") if (start := core.find(end + mark)) >= 0]
    if not starts:
        return ""
    start = min(starts) + 1
    # Fields up to PID-3 lie within the first kilobyte; more is no identifier.
    head = core[start : start + 1024].split(b"\r", 1)[0].split(b"\n", 1)[0]
    fields = head.split(delimiters.field.encode("ascii"), field + 1)
    return _text(fields[field]) if len(fields) > field else ""


def _lane_key(core: bytes, delimiters: Delimiters) -> str:
    for field in (3, 2):
        raw = _peek(core, "PID", field, delimiters).split(delimiters.repetition, 1)[0].strip()
        if raw and raw != '""':
            return raw
    return ""

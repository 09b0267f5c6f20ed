"""TXA, OBR and OBX as pointers to documents (HL7 2.5.1 chapters 7 and 9), and the bytes behind such a pointer. Pure; doubts are warnings.

Each TXA of an MDM and each OBR of an ORU is one document with the OBX that follow it. Not here: whose they are (`people`), what becomes
of them (domain/document).
"""

import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.hl7v2.er7 import Er7Message, Segment
from adapters.hl7v2.people import authority
from adapters.hl7v2.reading import NULL, Reading
from adapters.hl7v2.timestamps import Timestamp
from app.domain.adt_event import Identifier
from app.domain.document import (
    BYTES_TYPE,
    LOINC_SHAPE,
    TEXT_TYPE,
    WORDS_MAX,
    Availability,
    Completion,
    ContentPlace,
    DocumentPointer,
    link_of,
)
from app.domain.inbound import ProblemCode
from app.domain.trigger import DOCUMENT_TRIGGERS, Trigger

DOCUMENT_TYPES: Final = {"MDM": frozenset(DOCUMENT_TRIGGERS - {Trigger.RESULT}), "ORU": frozenset({Trigger.RESULT})}
"""Message type -> the events of it that are read."""

_COMPLETIONS: Final = {
    "DI": Completion.DICTATED,
    "DO": Completion.DOCUMENTED,
    "IP": Completion.IN_PROGRESS,
    "IN": Completion.INCOMPLETE,
    "PA": Completion.PRE_AUTHENTICATED,
    "AU": Completion.AUTHENTICATED,
    "LA": Completion.LEGALLY_AUTHENTICATED,
}
"""HL7 2.5.1 table 0271."""
_RESULTS: Final = {
    "F": Completion.FINAL,
    "P": Completion.PRELIMINARY,
    "R": Completion.PRELIMINARY,
    "A": Completion.PRELIMINARY,
    "C": Completion.AMENDED,
    "I": Completion.IN_PROGRESS,
    "S": Completion.IN_PROGRESS,
    "O": Completion.IN_PROGRESS,
}
"""HL7 2.5.1 table 0123 (OBR-25), as far as it says how far a result is."""
_AVAILABILITY: Final = {"AV": Availability.AVAILABLE, "OB": Availability.OBSOLETE, "UN": Availability.UNAVAILABLE}
"""HL7 2.5.1 table 0273."""
_DELETED: Final = "CA"
_NO_RESULT: Final = "X"
_TAKEN_BACK: Final = frozenset({"D", "W", "X"})
"""HL7 2.5.1 table 0085 (OBX-11): deleted, wrong (another patient's), cannot be obtained."""
_USUAL: Final = "U"
"""HL7 2.5.1 table 0272: usual control. Every other code of it, and of whatever a sender writes there, restricts."""
_LOINC_SYSTEMS: Final = frozenset({"LN", "LOINC", "2.16.840.1.113883.6.1"})
_SUGGESTED_TYPES: Final = {"DS": "18842-5"}
"""HL7 2.5.1 table 0270 (TXA-2), as far as it decides something here: the discharge summary."""

_TEXTS: Final = frozenset({"TX", "FT"})
_MEDIA_TYPES: Final = {
    "PDF": "application/pdf",
    "RTF": "application/rtf",
    "HTML": "text/html; charset=utf-8",
    "XML": "application/xml",
    "X-HL7-CDA-LEVEL-ONE": "application/xml",
    "JPEG": "image/jpeg",
    "TIFF": "image/tiff",
    "GIF": "image/gif",
    "PNG": "image/png",
    "DICOM": "application/dicom",
    "PLAIN": TEXT_TYPE,
    "TEXT": TEXT_TYPE,
    "BASIC": TEXT_TYPE,
}
"""HL7 2.5.1 table 0291 (ED-3). Another subtype is bytes."""
_ORIGINALS: Final = frozenset(
    {
        Trigger.DOCUMENT,
        Trigger.DOCUMENT_CONTENT,
        Trigger.DOCUMENT_EDIT,
        Trigger.DOCUMENT_EDIT_CONTENT,
        Trigger.DOCUMENT_REPLACEMENT,
        Trigger.DOCUMENT_REPLACEMENT_CONTENT,
    }
)
"""They say that the document stands; a change of its status or an addendum alone does not bring a cancelled one back."""
_REPLACING: Final = frozenset({Trigger.DOCUMENT_REPLACEMENT, Trigger.DOCUMENT_REPLACEMENT_CONTENT})


@dataclass(slots=True)
class Group:
    """One document in a message: the segment that heads it, and its OBX. `patient` counts the PID before it."""

    head: Segment
    patient: int
    observations: list[Segment] = field(default_factory=list)


def groups(message: Er7Message, head: str) -> Iterator[Group]:
    """Cut the message into documents. What a specimen or the patient is observed to be (OBX after SPM or PID) belongs to none."""
    current: Group | None = None
    patient = 0
    is_open = False
    for segment in message.segments():
        if segment.name == "PID":
            patient += 1
            is_open = False
        elif segment.name == head:
            if current is not None:
                yield current
            current, is_open = Group(segment, patient), True
        elif segment.name == "SPM":
            is_open = False
        elif segment.name == "OBX" and current is not None and is_open:
            current.observations.append(segment)
    if current is not None:
        yield current


def head_of(trigger: str) -> str:
    """Name the segment that heads a document."""
    return "OBR" if trigger == Trigger.RESULT else "TXA"


def documents_of(reading: Reading, trigger: str, patient: int, found: Sequence[Group]) -> tuple[DocumentPointer, ...]:
    """Read the documents of one patient of the message (the PID of that number; all where there is one); `found` are those of all."""
    only = reading.message.count("PID") <= 1
    return tuple(
        _result(reading, group, position) if trigger == Trigger.RESULT else _document(reading, group, trigger, position)
        for position, group in enumerate(found, 1)
        if only or group.patient == patient
    )


def _document(reading: Reading, group: Group, trigger: str, position: int) -> DocumentPointer:
    """Read a TXA with its OBX (MDM)."""
    txa = group.head
    availability = reading.text(txa, 19).upper()
    confidentiality = [reading.stated(raw.split(txa.delimiters.component, 1)[0]).upper() for raw in txa.repetitions(18)]
    code, words, system, loinc = _type(reading, txa, 2)
    at = reading.time(txa, 4) or reading.time(txa, 6)
    content, link = _content(reading, group)
    parent = _entity(reading, txa, 13)
    is_cancel = trigger == Trigger.DOCUMENT_CANCEL or availability == _DELETED
    return DocumentPointer(
        position=position,
        number=_entity(reading, txa, 12),
        parent=parent,
        replaces_parent=parent is not None and trigger in _REPLACING,
        type_code=code,
        type_system=system,
        type_text=words,
        loinc=loinc,
        title=reading.text(txa, 25)[:WORDS_MAX] or None,
        at=at.at if isinstance(at, Timestamp) else None,
        completion=_COMPLETIONS.get(reading.text(txa, 17).upper()),
        availability=_AVAILABILITY.get(availability),
        is_restricted=any(one != _USUAL for one in confidentiality if one) if any(confidentiality) else None,
        is_retracted=True if is_cancel else False if trigger in _ORIGINALS else None,
        link=link,
        content=content,
    )


def _result(reading: Reading, group: Group, position: int) -> DocumentPointer:
    """Read an OBR with its OBX (ORU)."""
    obr = group.head
    code, words, system, loinc = _type(reading, obr, 4)
    at = reading.time(obr, 22) or reading.time(obr, 7)
    content, link = _content(reading, group)
    status = reading.text(obr, 25).upper()
    states = {reading.text(one, 11).upper() for one in group.observations}
    number = _entity(reading, obr, 3) or _entity(reading, obr, 2)
    if number is not None and (code or words):
        # One order is reported in parts, each under a code of its own.
        number = Identifier(number.authority, "", f"{number.value}/{code or words}")
    return DocumentPointer(
        position=position,
        number=number,
        type_code=code,
        type_system=system,
        type_text=words,
        loinc=loinc,
        at=at.at if isinstance(at, Timestamp) else None,
        completion=_RESULTS.get(status),
        is_retracted=status == _NO_RESULT or (bool(states) and states <= _TAKEN_BACK),
        link=link,
        content=content,
    )


def _type(reading: Reading, segment: Segment, number: int) -> tuple[str | None, str | None, str | None, str | None]:
    """Read (code, text, system, LOINC): of two codings the LOINC one decides; the profile's map of the code as sent goes before."""
    parts = [reading.stated(part)[:WORDS_MAX] for part in segment.components(number)] + [""] * 6
    code, words, system = parts[0], parts[1], parts[2]
    loinc = reading.feed.profile.document_map.get(code.upper())
    if loinc is None:
        coded = ((parts[at], parts[at + 2].upper()) for at in (0, 3))
        loinc = next((one for one, of in coded if of in _LOINC_SYSTEMS and LOINC_SHAPE.fullmatch(one)), None)
    if loinc is None and segment.name == "TXA":
        loinc = _SUGGESTED_TYPES.get(code.upper()) or (code if LOINC_SHAPE.fullmatch(code) and not system else None)
    return code or None, words or None, system or None, loinc


def _entity(reading: Reading, segment: Segment, number: int) -> Identifier | None:
    """Read an EI: the number, and who gave it (its namespace, else its universal id, else the feed's authority)."""
    raw = segment.first(number)
    if not raw or raw == NULL:
        return None
    parts = [*raw.split(segment.delimiters.component), "", ""]
    value = reading.stated(parts[0].split(segment.delimiters.subcomponent, 1)[0])
    if not value:
        return None
    if len(value) > WORDS_MAX:
        reading.note(ProblemCode.DATA_TYPE, segment.location(number), f"Longer than {WORDS_MAX} characters; it was left out.")
        return None
    named = reading.message.delimiters.subcomponent.join(part for part in parts[1:3] if part)
    return Identifier(authority(reading, named)[:WORDS_MAX], "", value)


def _content(reading: Reading, group: Group) -> tuple[ContentPlace | None, str | None]:
    """Find the bytes (an ED before text) and the link of a document."""
    content: ContentPlace | None = None
    link: str | None = None
    for obx in group.observations:
        kind = reading.text(obx, 2).upper()
        if kind == "ED" and obx.component(5, 5) and (content is None or content.media_type == TEXT_TYPE):
            if _decoded(reading, obx) is None:
                reading.note(ProblemCode.DATA_TYPE, obx.location(5, 1, 5), _UNDECODABLE)
            else:
                content = ContentPlace(f"OBX^{obx.sequence}", _media_type(reading, obx))
        elif kind in _TEXTS and content is None and obx.raw(5) not in {"", NULL}:
            content = ContentPlace(f"OBX^{obx.sequence}", TEXT_TYPE)
        elif kind == "RP" and link is None:
            link = link_of(reading.text(obx, 5))
    return content, link


_UNDECODABLE: Final = "The data is not encoded as ED-4 says; it was left out."


def note_undecodable(reading: Reading) -> None:
    """Note the bytes that nobody will be able to read, when the message comes: its sender and `/v1/inbound` hear of it then."""
    for obx in reading.message.all("OBX"):
        if reading.text(obx, 2).upper() == "ED" and obx.component(5, 5) and _decoded(reading, obx) is None:
            reading.note(ProblemCode.DATA_TYPE, obx.location(5, 1, 5), _UNDECODABLE)


def _media_type(reading: Reading, obx: Segment) -> str:
    kind, subtype = (reading.stated(obx.component(5, part)).upper() for part in (2, 3))
    named = (subtype or kind).rpartition("/")[2]
    return _MEDIA_TYPES.get(named, TEXT_TYPE if kind in {"TEXT", "TX", "FT"} and not subtype else BYTES_TYPE)


def _decoded(reading: Reading, obx: Segment) -> bytes | None:
    """Decode ED-5 as ED-4 says (table 0299); None where it is not so encoded."""
    encoding = reading.stated(obx.component(5, 4)).upper()
    text = reading.plain(obx.component(5, 5))
    if encoding in {"BASE64", "HEX"}:
        packed = "".join(text.split())
        try:
            return binascii.a2b_base64(packed, strict_mode=True) if encoding == "BASE64" else binascii.a2b_hex(packed)
        except (binascii.Error, ValueError):
            return None
    return text.encode()


def content_of(reading: Reading, trigger: str, place: str) -> bytes | None:
    """Give the bytes at a place that a pointer named; None where there are none."""
    for group in groups(reading.message, head_of(trigger)):
        for at, obx in enumerate(group.observations):
            if f"OBX^{obx.sequence}" == place:
                if reading.text(obx, 2).upper() == "ED":
                    return _decoded(reading, obx)
                texts = [one for one in group.observations[at:] if reading.text(one, 2).upper() in _TEXTS]
                return "\n".join(line for one in texts for line in _lines(reading, one)).encode()
    return None


def _lines(reading: Reading, obx: Segment) -> list[str]:
    """Give the lines of a TX or FT: each repetition is one, and components are text there."""
    return [reading.plain(raw) for raw in obx.repetitions(5)]

"""DocumentReference as a pointer to a document, and the bytes of its attachment (FHIR R4 DocumentReference, Attachment). Pure.

The rules are those of TXA and OBX in HL7 v2, so that both formats of one message give the same pointer. Not here: what becomes of it
(domain/document), what has to be there (`structure`).
"""

import base64
import binascii
import re
from collections.abc import Iterator

from adapters.fhir.bundle import Entry, MessageBundle
from adapters.fhir.codes import COMPLETIONS, CONFIDENTIALITY, LOINC, UNRESTRICTED
from adapters.fhir.reading import Reading
from adapters.fhir.stays import visit_number
from adapters.fhir.times import read_instant
from adapters.fhir.values import Json, coding, member, objects, text
from app.domain.adt_event import Identifier, VisitFacts
from app.domain.document import LOINC_SHAPE, WORDS_MAX, Availability, ContentPlace, DocumentPointer, link_of, served_type
from app.domain.inbound import ProblemCode
from app.domain.trigger import Trigger

_ATTACHMENT = re.compile(r"Bundle\.entry\[([0-9]{1,6})\]\.resource(?:\.content\[([0-9]{1,6})\]\.attachment)?")
_IN_ERROR = "entered-in-error"


def documents_of(reading: Reading, patient: Entry, encounter: Entry | None, trigger: Trigger) -> tuple[DocumentPointer, ...]:
    """Read every DocumentReference about the patient; with a stay, those that are of no other stay.

    One without a subject is of whom the message is about, if the focus leads to it; a subject that is not this patient is another one.
    """
    found: list[DocumentPointer] = []
    for position, entry in enumerate(reading.bundle.of_type("DocumentReference"), 1):
        subject = entry.resource.get("subject")
        is_loose = entry.index in reading.bundle.unreached
        if is_loose or (subject is not None and reading.bundle.find(subject, entry.resource) != patient):
            sentence = "No reference says that the document is of this patient; it was left out (DV-6)."
            reading.note(ProblemCode.UNKNOWN_KEY, f"{entry.path}.subject", sentence)
        elif encounter is not None and not _is_of(reading, entry, encounter):
            reading.note(ProblemCode.TABLE_VALUE, f"{entry.path}.context", "The document is of another stay; it was left out.")
        else:
            found.append(_document(reading, entry, trigger, position))
    return tuple(found)


def visit_of_documents(reading: Reading, patient: Entry) -> VisitFacts:
    """Read the stay that the documents name: by the Encounter in the bundle, else by the number that the reference gives."""
    for entry in reading.bundle.of_type("DocumentReference"):
        for reference in objects(member(entry.resource, "context", "encounter")):
            encounter = reading.bundle.find(reference, entry.resource)
            if encounter is not None and encounter.type == "Encounter":
                return VisitFacts(visit_number=visit_number(reading, encounter, patient))
            named = member(reference, "identifier")
            number = reading.identifier(named, "VN") if isinstance(named, dict) else None
            if number is not None:
                return VisitFacts(visit_number=number)
    return VisitFacts()


def _is_of(reading: Reading, entry: Entry, encounter: Entry) -> bool:
    named = [reading.bundle.find(one, entry.resource) for one in objects(member(entry.resource, "context", "encounter"))]
    known = [one for one in named if one is not None and one.type == "Encounter"]
    return not known or encounter in known


def _document(reading: Reading, entry: Entry, trigger: Trigger, position: int) -> DocumentPointer:
    resource = entry.resource
    status, completion = text(resource.get("status")), text(resource.get("docStatus"))
    kind = coding(resource.get("type"))
    code = text(kind.get("code"))[:WORDS_MAX]
    labels = [one for label in objects(resource.get("securityLabel")) for one in objects(label.get("coding"))]
    content, link, title = _content(reading, entry)
    replaces, parent = _parent(reading, entry)
    is_over = _IN_ERROR in (status, completion) or trigger is Trigger.DOCUMENT_CANCEL
    return DocumentPointer(
        position=position,
        number=_number(reading, resource),
        parent=parent,
        replaces_parent=replaces,
        type_code=code or None,
        type_system=text(kind.get("system"))[:WORDS_MAX] or None,
        type_text=(text(kind.get("display")) or text(member(resource, "type", "text")))[:WORDS_MAX] or None,
        loinc=_loinc(reading, resource, code),
        title=(title or text(resource.get("description")))[:WORDS_MAX] or None,
        at=read_instant(resource.get("date")),
        completion=COMPLETIONS.get(completion),
        availability=Availability.OBSOLETE if status == "superseded" else Availability.AVAILABLE if status == "current" else None,
        is_restricted=any(not _is_usual(one) for one in labels) if labels else None,
        is_retracted=is_over,
        link=link,
        content=content,
    )


def _loinc(reading: Reading, resource: Json, code: str) -> str | None:
    mapped = reading.feed.profile.document_map.get(code.upper())
    codes = (text(one.get("code")) for one in objects(member(resource, "type", "coding")) if text(one.get("system")) == LOINC)
    return mapped or next((one for one in codes if LOINC_SHAPE.fullmatch(one)), None)


def _is_usual(label: Json) -> bool:
    return text(label.get("system")) == CONFIDENTIALITY and text(label.get("code")) in UNRESTRICTED


def _number(reading: Reading, resource: Json) -> Identifier | None:
    """Read the masterIdentifier, else the first identifier; v2-to-FHIR puts TXA-12 into either."""
    for said in (resource.get("masterIdentifier"), *objects(resource.get("identifier"))):
        number = reading.identifier(said) if isinstance(said, dict) else None
        if number is not None:
            return Identifier(number.authority, "", number.value)
    return None


def _parent(reading: Reading, entry: Entry) -> tuple[bool, Identifier | None]:
    """Read what it replaces, else what it belongs to: a DocumentReference of the bundle, or the identifier that the reference gives."""
    said = sorted(objects(entry.resource.get("relatesTo")), key=lambda one: text(one.get("code")) != "replaces")
    for one in said:
        target = one.get("target")
        found = reading.bundle.find(target, entry.resource)
        named = member(target, "identifier")
        number = _number(reading, found.resource) if found is not None else reading.identifier(named) if isinstance(named, dict) else None
        if number is not None:
            return text(one.get("code")) == "replaces", Identifier(number.authority, "", number.value)
    return False, None


def _attachments(entry: Entry) -> Iterator[tuple[str, Json]]:
    for index, one in enumerate(objects(entry.resource.get("content"))):
        attachment = one.get("attachment")
        if isinstance(attachment, dict):
            yield f"{entry.path}.content[{index}].attachment", attachment


def _content(reading: Reading, entry: Entry) -> tuple[ContentPlace | None, str | None, str]:
    """Find the bytes (in the attachment, or in a Binary of the bundle), the link and the title."""
    content: ContentPlace | None = None
    link: str | None = None
    title = ""
    for path, attachment in _attachments(entry):
        title = title or text(attachment.get("title"))
        url = text(attachment.get("url"))
        binary = reading.bundle.find({"reference": url}, entry.resource) if url else None
        if content is None and text(attachment.get("data")):
            content = _place(reading, path, attachment, text(attachment.get("data")))
        elif content is None and binary is not None and binary.type == "Binary":
            content = _place(reading, binary.path, binary.resource, text(binary.resource.get("data")))
        elif link is None and binary is None:
            link = link_of(url)
    return content, link, title


def _place(reading: Reading, path: str, said: Json, data: str) -> ContentPlace | None:
    if _decoded(data) is None:
        reading.note(ProblemCode.DATA_TYPE, f"{path}.data", "The data is not base64; it was left out.")
        return None
    return ContentPlace(path, served_type(text(said.get("contentType"))))


def _decoded(data: str) -> bytes | None:
    try:
        return base64.b64decode("".join(data.split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def content_of(bundle: MessageBundle, place: str) -> bytes | None:
    """Give the bytes at a place that a pointer named; None where there are none."""
    match = _ATTACHMENT.fullmatch(place)
    entry = next((one for one in bundle.entries if match is not None and one.index == int(match[1])), None)
    if match is None or entry is None:
        return None
    held = entry.resource if match[2] is None else dict(_attachments(entry)).get(place)
    return _decoded(text(held.get("data"))) if held is not None else None

"""Documents as pointers: that there is a discharge summary or a result, of what kind and when, and where its bytes are.

A message (MDM, ORU, a FHIR DocumentReference) says something about documents; what a document is, is the fold of what was said of its
number, the latest event winning field by field (`latest`), so that any order of arrival ends in the same pointer. A document says
nothing about the state of a stay: it opens, moves and closes nothing. It is joined to the stay by the number that the message gives,
whenever either arrives, and only if both are of one person.

Restricted documents: HL7 2.5.1 table 0272 (TXA-18) and the HL7 v3 confidentiality codes (R, V) say that access is limited beyond the
usual. Nothing in a message says to whom, so our policy fails closed: the pointer is shown to the hospital whose document it is and to
the operator, and to nobody else; every other code than "usual" counts as restricted. That covers the psychotherapy notes (45 CFR
164.508(a)(2)) and the sensitive notes that hospitals mark so. What a Part 2 program sends is withheld with the stay (privacy).
Not here: the bytes (they are in the message), and who may read (privacy, present_documents).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from app.domain.adt_event import Identifier
from app.domain.latest import Said, known, learn

DISCHARGE_SUMMARIES: Final = frozenset({"18842-5", "11490-0", "28655-9", "29761-4", "34745-0", "34105-7", "34106-5", "59258-4", "59259-2"})
"""LOINC codes of discharge summaries: the value set of C-CDA R2.1 (DischargeSummaryDocumentTypeCode) as far as hospitals use it."""

LOINC_SHAPE: Final = re.compile(r"[0-9]{1,5}-[0-9]")

TEXT_TYPE: Final = "text/plain; charset=utf-8"
BYTES_TYPE: Final = "application/octet-stream"
SERVED_TYPES: Final = frozenset(
    {
        "application/pdf", "application/rtf", "application/xml", "application/dicom", "text/html; charset=utf-8", TEXT_TYPE,
        "image/jpeg", "image/png", "image/tiff", "image/gif", BYTES_TYPE,
    }
)  # fmt: skip
"""As what the bytes of a document are given. Whatever a sender calls its attachment otherwise is bytes."""


def served_type(said: str) -> str:
    """Give the media type under which content that a sender calls so is given."""
    plain = said.partition(";")[0].strip().lower()
    return next((one for one in SERVED_TYPES if one.partition(";")[0] == plain), BYTES_TYPE)


LINK_PREFIXES: Final = ("http://", "https://", "urn:")
"""What is a link for people. Everything else that a message has in its place (a number in an archive, a path) leads nowhere from here, and
a script never may."""
LINK_LENGTH_MAX: Final = 2_000
WORDS_MAX: Final = 250
"""Characters of a title, a code, a number: more is no name."""

DocumentKey = tuple[UUID, str, str]
"""(facility, authority, number)."""


class Completion(StrEnum):
    """How far a document is: HL7 2.5.1 table 0271 (TXA-17), table 0123 (OBR-25), FHIR composition-status."""

    DICTATED = "dictated"
    DOCUMENTED = "documented"
    IN_PROGRESS = "in_progress"
    INCOMPLETE = "incomplete"
    PRE_AUTHENTICATED = "pre_authenticated"
    AUTHENTICATED = "authenticated"
    LEGALLY_AUTHENTICATED = "legally_authenticated"
    PRELIMINARY = "preliminary"
    FINAL = "final"
    AMENDED = "amended"


class Availability(StrEnum):
    """Whether a document is for patient care: HL7 2.5.1 table 0273 (TXA-19). A deleted one (CA) is retracted."""

    AVAILABLE = "available"
    OBSOLETE = "obsolete"
    UNAVAILABLE = "unavailable"


class DocumentStatus(StrEnum):
    """What a pointer is worth now."""

    CURRENT = "current"
    REPLACED = "replaced"
    """Another document stands in its place; the bytes are still there."""
    OBSOLETE = "obsolete"
    UNAVAILABLE = "unavailable"
    """Not for patient care (table 0273): the pointer is seen, the bytes are not given."""
    CANCELLED = "cancelled"
    """Taken back (T11, deleted, entered in error): the pointer says so, the bytes are not given."""


READABLE: Final = frozenset({DocumentStatus.CURRENT, DocumentStatus.REPLACED, DocumentStatus.OBSOLETE})
"""Whose bytes are given."""


@dataclass(frozen=True, slots=True)
class ContentPlace:
    """Where in its message the content stands, and what it is. It is not copied: the message is kept verbatim."""

    place: str
    """`OBX^3` (text goes on in the OBX after it), or the FHIRPath of an attachment."""
    media_type: str


@dataclass(frozen=True, slots=True)
class DocumentPointer:
    """What one message says about one document. None: it says nothing of that."""

    position: int
    """Which document of its message, from 1."""
    number: Identifier | None = None
    """TXA-12, OBR-3, masterIdentifier. Without one no later message can speak of it."""
    parent: Identifier | None = None
    """TXA-13, relatesTo: what it replaces or is appended to."""
    replaces_parent: bool = False
    type_code: str | None = None
    type_system: str | None = None
    type_text: str | None = None
    loinc: str | None = None
    """Where the type is a LOINC code, or the feed's profile maps it to one."""
    title: str | None = None
    at: datetime | None = None
    completion: Completion | None = None
    availability: Availability | None = None
    is_restricted: bool | None = None
    is_retracted: bool | None = None
    link: str | None = None
    content: ContentPlace | None = None


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document as it stands."""

    status: DocumentStatus
    type_code: str | None
    type_system: str | None
    type_text: str | None
    loinc: str | None
    title: str | None
    at: datetime | None
    completion: str | None
    is_restricted: bool
    link: str | None
    content_message: UUID | None
    content: ContentPlace | None
    record_id: UUID
    visit: tuple[str, str] | None
    """(authority, number) of the stay, as the ADT would give it."""
    replaced_by: tuple[str, str] | None
    parent: tuple[str, str] | None

    @property
    def is_summary(self) -> bool:
        """Whether it is a discharge summary."""
        return self.loinc in DISCHARGE_SUMMARIES

    @property
    def is_received_summary(self) -> bool:
        """Whether it is a discharge summary that there is to read, and that everybody may know of.

        A T01 (HL7 2.5.1, 9.6.1: notification without content) only announces one: nobody has received what nobody can read.
        """
        return self.is_summary and not self.is_restricted and (self.has_content or self.has_link)

    @property
    def has_content(self) -> bool:
        """Whether its bytes are given to those who may read them."""
        return self.content is not None and self.status in READABLE

    @property
    def has_link(self) -> bool:
        """Whether its link is given."""
        return self.link is not None and self.status in READABLE


def link_of(said: str) -> str | None:
    """Give what a message has as a link, if it is one."""
    return said if said.lower().startswith(LINK_PREFIXES) and len(said) <= LINK_LENGTH_MAX else None


def document_key(facility_id: UUID, number: Identifier) -> DocumentKey:
    """Name a document of a facility."""
    return facility_id, number.authority, number.value


def own_key(facility_id: UUID, pointer: DocumentPointer, content_hash: bytes) -> DocumentKey:
    """Name the document that a message speaks of; one without a number is named by the message itself, which alone speaks of it."""
    if pointer.number is not None:
        return document_key(facility_id, pointer.number)
    return facility_id, "", f"{content_hash[:16].hex()}.{pointer.position}"


def heard(said: Said, sort_key: str, pointer: DocumentPointer, *, message_id: UUID, record_id: UUID, visit: tuple[str, str] | None) -> Said:
    """Learn what a message says of a document."""
    content = pointer.content
    facts: dict[str, Any] = {
        "type": [pointer.type_code, pointer.type_system, pointer.type_text, pointer.loinc]
        if pointer.type_code or pointer.type_text
        else None,
        "title": pointer.title,
        "at": pointer.at.isoformat() if pointer.at else None,
        "completion": pointer.completion,
        "availability": pointer.availability,
        "restricted": pointer.is_restricted,
        "retracted": pointer.is_retracted,
        "link": pointer.link,
        "content": [str(message_id), content.place, content.media_type] if content else None,
        "parent": [pointer.parent.authority, pointer.parent.value] if pointer.parent else None,
        "record": str(record_id),
        "visit": list(visit) if visit else None,
    }
    return learn(said, sort_key, {name: value for name, value in facts.items() if value is not None})


def replaced(said: Said, sort_key: str, by: DocumentKey) -> Said:
    """Learn that another document stands in its place."""
    return learn(said, sort_key, {"replaced_by": [by[1], by[2]]})


def view(said: Said) -> DocumentView | None:
    """Read off what a document is; None while all that was said is that it was replaced."""
    facts = known(said)
    if "record" not in facts:
        return None
    code, system, text, loinc = facts.get("type") or (None, None, None, None)
    content = facts.get("content")
    return DocumentView(
        status=_status(facts),
        type_code=code,
        type_system=system,
        type_text=text,
        loinc=loinc,
        title=facts.get("title"),
        at=datetime.fromisoformat(facts["at"]) if "at" in facts else None,
        completion=facts.get("completion"),
        is_restricted=bool(facts.get("restricted")),
        link=facts.get("link"),
        content_message=UUID(content[0]) if content else None,
        content=ContentPlace(content[1], content[2]) if content else None,
        record_id=UUID(facts["record"]),
        visit=_pair(facts.get("visit")),
        replaced_by=_pair(facts.get("replaced_by")),
        parent=_pair(facts.get("parent")),
    )


def _pair(said: list[str] | None) -> tuple[str, str] | None:
    return (said[0], said[1]) if said else None


def _status(facts: Mapping[str, Any]) -> DocumentStatus:
    if facts.get("retracted"):
        return DocumentStatus.CANCELLED
    if facts.get("availability") == Availability.UNAVAILABLE:
        return DocumentStatus.UNAVAILABLE
    if facts.get("replaced_by"):
        return DocumentStatus.REPLACED
    return DocumentStatus.OBSOLETE if facts.get("availability") == Availability.OBSOLETE else DocumentStatus.CURRENT

"""A document of a stay as those who may see the whole stay read it. Not here: who they are (seeing), what it is (document)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.document import DocumentKey, DocumentStatus, DocumentView
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.domain.summary_fact import SummaryFact, SummaryStep, Via

SHOWN_MAX = 200
"""Our policy: of a stay with more documents the discharge summaries and then the newest are listed; `documents_total` says how many are."""
SHOWN_IN_LISTS_MAX = 20
"""The same in follow-ups, of which a page may hold a thousand."""


@dataclass(frozen=True, slots=True)
class FiledDocument:
    """A document with its id."""

    id: UUID
    key: DocumentKey
    view: DocumentView
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Filed:
    """The documents of a stay that are listed, and how many there are."""

    documents: Sequence[FiledDocument] = ()
    total: int = 0

    @property
    def facts(self) -> list[SummaryFact]:
        """Each discharge summary that stands was received when it came."""
        return [
            SummaryFact(one.id, SummaryStep.RECEIVED, one.received_at, one.received_at, Via.EXCHANGE, document_id=one.id)
            for one in self.documents
            if is_summary(one)
        ]


def is_summary(filed: FiledDocument) -> bool:
    """Tell whether a discharge summary was received by it."""
    return filed.view.is_received_summary


def documents_content(filed: Filed) -> list[dict[str, Any]]:
    """Give the pointers, the newest first. A document whose replacement was taken back stands again."""
    by_name = {one.key: one for one in filed.documents}
    return [_content(one, by_name) for one in sorted(filed.documents, key=_newest_first, reverse=True)]


def _newest_first(filed: FiledDocument) -> tuple[datetime, UUID]:
    return filed.view.at or filed.received_at, filed.id


def _content(filed: FiledDocument, by_name: Mapping[DocumentKey, FiledDocument]) -> dict[str, Any]:
    seen = filed.view
    by = by_name.get((filed.key[0], *seen.replaced_by)) if seen.replaced_by else None
    status = seen.status
    if status is DocumentStatus.REPLACED and by is not None and by.view.status is DocumentStatus.CANCELLED:
        status, by = DocumentStatus.CURRENT, None
    return {
        "id": public_id(Kind.DOCUMENT, filed.id),
        "type": {"code": seen.type_code, "system": seen.type_system, "text": seen.type_text, "loinc": seen.loinc},
        "is_discharge_summary": seen.is_summary,
        "title": seen.title,
        "at": seen.at.isoformat() if seen.at else None,
        "received_at": filed.received_at.isoformat(),
        "status": status.value,
        "completion": seen.completion,
        "restricted": seen.is_restricted,
        "has_content": seen.has_content,
        "content_type": seen.content.media_type if seen.content and seen.has_content else None,
        "link": seen.link if seen.has_link else None,
        "replaced_by": public_id_or_none(Kind.DOCUMENT, by.id if by else None),
    }

"""Pointers to documents as they are shown."""

from typing import Annotated

from pydantic import Field

from app.api.schemas.common import Document, DocumentIdText, Instant
from app.domain.document import Completion, DocumentStatus


class DocumentTypeDocument(Document):
    """What kind of document it is, as sent, and its LOINC code where that is known."""

    code: str | None
    system: str | None
    text: str | None
    loinc: Annotated[str | None, Field(examples=["18842-5"])]


class PointerDocument(Document):
    """A document that the hospital told of. Its bytes are at `/v1/documents/{id}/content` where `has_content`."""

    id: DocumentIdText
    type: DocumentTypeDocument
    is_discharge_summary: bool
    title: str | None
    at: Annotated[Instant | None, Field(description="when it was made, as the hospital says")]
    received_at: Annotated[Instant, Field(description="when the first message about it came")]
    status: Annotated[DocumentStatus, Field(description="cancelled: taken back; unavailable: not for patient care; neither has bytes")]
    completion: Completion | None
    restricted: Annotated[bool, Field(description="only the hospital and the operator see it")]
    has_content: bool
    content_type: Annotated[str | None, Field(examples=["application/pdf"])]
    link: str | None
    replaced_by: DocumentIdText | None

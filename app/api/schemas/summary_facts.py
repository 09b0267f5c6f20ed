"""What a home says of a discharge summary, and how it is shown."""

from typing import Annotated

from pydantic import Field

from app.api.schemas.common import (
    Document,
    DocumentIdText,
    Instant,
    InstantIn,
    LongText,
    Request,
    ShortText,
    SummaryFactIdText,
)
from app.domain.summary_fact import SummaryStep, Via


class NewSummaryFact(Request):
    """That the discharge summary was requested, received or reviewed. Never changed: a mistake is voided and said again."""

    fact: SummaryStep
    at: InstantIn
    via: Annotated[Via, Field(description="By which way", examples=["fax"])] = Via.OTHER
    note: LongText | None = None
    author: Annotated[ShortText | None, Field(description="The person who did it; the key is remembered anyway.")] = None


class SummaryFactDocument(Document):
    """A fact as recorded, or as a document of the hospital brings it: then `document_id` says which."""

    id: SummaryFactIdText | None
    fact: SummaryStep
    at: Instant
    recorded_at: Instant
    via: Via
    author: str
    note: str | None
    document_id: DocumentIdText | None
    voided_at: Instant | None


class SummaryDocument(Document):
    """The discharge summary on its way; each time is that of the first fact that was not taken back."""

    requested_at: Instant | None
    received_at: Instant | None
    reviewed_at: Instant | None
    facts: list[SummaryFactDocument]

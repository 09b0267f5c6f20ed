"""Documents that found no stay, as the API and the commands show them."""

from typing import Annotated, Any

from pydantic import Field

from app.api.schemas.common import Document, Instant, Listing, OrganizationIdText
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.store.unfiled_documents import UnfiledDocument


class UnfiledDocumentDocument(Document):
    """A document that nobody sees with a stay."""

    id: Annotated[str, Field(examples=["doc_0199a4c07c5d7e0fb1d2c3a4e5f60718"])]
    facility_id: OrganizationIdText
    message_id: Annotated[str | None, Field(description="The message that has its bytes: GET /v1/inbound/{id}")]
    received_at: Instant
    type_code: Annotated[str | None, Field(examples=["18842-5"])]
    reason: Annotated[
        str, Field(description="no_number: it names no stay; no_stay: its person has none of that number, or several share it")
    ]


UnfiledDocumentPage = Listing[UnfiledDocumentDocument]


def unfiled_json(one: UnfiledDocument) -> dict[str, Any]:
    """Give one as the API shows it."""
    return {
        "id": public_id(Kind.DOCUMENT, one.id),
        "facility_id": public_id(Kind.ORGANIZATION, one.facility_id),
        "message_id": public_id_or_none(Kind.MESSAGE, one.message_id),
        "received_at": one.received_at,
        "type_code": one.type_code,
        "reason": one.reason,
    }

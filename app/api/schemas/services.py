"""Uploads of encounter and pharmacy files as they are shown."""

from typing import Annotated

from pydantic import Field

from app.api.schemas.common import Document, Instant, OrganizationIdText, RowErrorDocument, UploadIdText


class ServiceUploadDocument(Document):
    """What became of a file of services."""

    id: UploadIdText
    organization_id: OrganizationIdText
    dry_run: bool
    uploaded_at: Instant
    file_name: str
    file_hash: Annotated[str, Field(description="SHA-256 of the file", pattern="^[0-9a-f]{64}$")]
    rows: int
    added: Annotated[int, Field(description="Lines, replacements and reversals that were not known")]
    unchanged: Annotated[int, Field(description="Known from a file before")]
    repeated: Annotated[int, Field(description="Said twice in this file")]
    rejected: int
    unknown_columns: list[str]
    errors: Annotated[list[RowErrorDocument], Field(description="The first thousand: row, column, code, and what to do")]

"""Panels, uploads and their refused rows as they are shown."""

from typing import Annotated, Any

from pydantic import Field

from app.api.schemas.common import (
    AttributionIdText,
    Day,
    Document,
    Instant,
    Listing,
    OrganizationIdText,
    PersonIdText,
    RowErrorDocument,
    UploadIdText,
)
from app.api.schemas.panel_consents import PanelRehearsalDocument
from app.domain.panel import PanelMember, error_document
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.store.panels import PastUpload


class _UploadCounts(Document):
    id: UploadIdText
    organization_id: OrganizationIdText
    mode: Annotated[str, Field(description="replace: the file is the whole panel; delta: only what is new")]
    dry_run: bool
    uploaded_at: Instant
    file_name: str
    file_hash: Annotated[str, Field(description="SHA-256 of the file", pattern="^[0-9a-f]{64}$")]
    rows: int
    accepted: int
    rejected: int
    repeated: Annotated[int, Field(description="Rows that another row of the file repeats or overrides")]
    added: int
    changed: int
    unchanged: int
    removed: int
    kept: Annotated[int, Field(description="Claims that only a refused row speaks of: left as they are")]
    in_force: Annotated[int, Field(description="Claims before the upload that were not over")]
    needs_force: Annotated[bool, Field(description="So many claims would end that the real run needs force=true")]
    unknown_columns: list[str]
    warnings: list[RowErrorDocument]


class ForeseenDocument(Document):
    """Whose the rows that add or change a claim would be."""

    rows: Annotated[int, Field(description="Looked at; of a very long file the first 10,000 whose record is not known by its number")]
    certain: Annotated[int, Field(description="Of somebody who is known")]
    possible: Annotated[int, Field(description="Perhaps of somebody who is known: somebody new until a person has looked")]
    new: int
    refused: Annotated[int, Field(description="They give the number of a known row to somebody else")]


class UploadDocument(_UploadCounts):
    """What became of an upload."""

    people: Annotated[ForeseenDocument | None, Field(description="Of a dry run; null: it was none")] = None
    silence: Annotated[
        PanelRehearsalDocument | None,
        Field(description="Of a dry run: of how many whom the file names the owner would be told nothing, and why; null: it was none"),
    ] = None

    errors: Annotated[list[RowErrorDocument], Field(description="The first thousand; all refused rows are in rejected.csv")]


class PastUploadDocument(_UploadCounts):
    """An upload as it was recorded."""


UploadPage = Listing[PastUploadDocument]


class MemberClaimDocument(Document):
    """One claim of a panel on a person."""

    id: AttributionIdText
    organization_id: OrganizationIdText
    person_id: PersonIdText
    program: str
    role: str
    effective_from: Day
    effective_to: Annotated[Day | None, Field(description="exclusive; null: open")]
    coordinator: str | None
    plan_id: str | None
    cells: Annotated[dict[str, str], Field(description="The row as its owner sent it")]
    upload_id: UploadIdText | None
    asserted_at: Annotated[Instant, Field(description="When we learned it")]
    retracted_at: Annotated[Instant | None, Field(description="When we learned that it no longer is")]


MemberClaimPage = Listing[MemberClaimDocument]


def member_claim_json(found: PanelMember) -> dict[str, Any]:
    """Show a claim."""
    return {
        "id": public_id(Kind.ATTRIBUTION, found.id),
        "organization_id": public_id(Kind.ORGANIZATION, found.organization_id),
        "person_id": public_id(Kind.PERSON, found.person_id),
        "program": found.program,
        "role": found.role,
        "effective_from": found.effective_from,
        "effective_to": found.effective_to,
        "coordinator": found.coordinator,
        "plan_id": found.plan_id,
        "cells": found.cells,
        "upload_id": public_id_or_none(Kind.UPLOAD, found.upload_id),
        "asserted_at": found.asserted_at,
        "retracted_at": found.retracted_at,
    }


def past_upload_json(found: PastUpload) -> dict[str, Any]:
    """Show an upload of the past."""
    return {
        "id": public_id(Kind.UPLOAD, found.id),
        "organization_id": public_id(Kind.ORGANIZATION, found.organization_id),
        "mode": found.mode,
        "dry_run": found.dry_run,
        "uploaded_at": found.uploaded_at,
        "file_name": found.file_name,
        "file_hash": found.file_hash.hex(),
        **found.summary,
    }


def row_errors_json(errors: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a sequence of RowError
    """Show what is wrong with a file as a whole."""
    return [error_document(error) for error in errors]

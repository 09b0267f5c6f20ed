"""Reading panels: the members of a day as known at an instant, whom an identifier names, and past uploads with their refused rows.

Every read narrows to what the viewer may see, and row-level security does it again. Operators are leakproof ones only (DESIGN 2.10).
Not here: loading (panel_stage), the claims the pipeline reads (claims).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, true
from sqlalchemy.sql.selectable import FromClause

from app.domain.adt_event import Identifier
from app.domain.panel import PanelMember
from app.domain.person import NO_AUTHORITY
from app.domain.roster import RowError, RowErrorCode
from app.domain.viewer import Viewer
from app.store.connection import Connection
from app.store.tables.organizations import organization_grant
from app.store.tables.panels import panel_member, panel_upload, panel_upload_rejection
from app.store.tables.people import patient_record, record_identifier


@dataclass(frozen=True, slots=True)
class PastUpload:
    """An upload as it was recorded."""

    id: UUID
    organization_id: UUID
    mode: str
    dry_run: bool
    file_name: str
    file_hash: bytes
    header: list[str]
    uploaded_at: datetime
    summary: dict[str, Any]
    """Counts, unknown columns and warnings (`UploadResult.summary`)."""


@dataclass(frozen=True, slots=True)
class PastRefusal:
    """A refused row."""

    row: int
    cells: list[str]
    """As sent."""
    errors: tuple[RowError, ...]


_MEMBER_COLUMNS = (
    panel_member.c.id,
    panel_member.c.organization_id,
    panel_member.c.person_id,
    panel_member.c.program,
    panel_member.c.role,
    panel_member.c.effective_from,
    panel_member.c.effective_to,
    panel_member.c.coordinator,
    panel_member.c.plan_id,
    panel_member.c.row,
    panel_member.c.upload_id,
    panel_member.c.asserted_at,
    panel_member.c.retracted_at,
)

_UPLOAD_COLUMNS = (
    panel_upload.c.id,
    panel_upload.c.organization_id,
    panel_upload.c.mode,
    panel_upload.c.dry_run,
    panel_upload.c.file_name,
    panel_upload.c.file_hash,
    panel_upload.c.header,
    panel_upload.c.uploaded_at,
    panel_upload.c.summary,
)


def _visible(viewer: Viewer, table: FromClause) -> ColumnElement[bool]:
    if viewer.is_operator:
        return true()
    granted = exists().where(
        organization_grant.c.organization_id == table.c.organization_id, organization_grant.c.grantee_id == viewer.organization_id
    )
    return or_(table.c.organization_id == viewer.organization_id, granted)


def _known(known_at: datetime | None) -> ColumnElement[bool]:
    if known_at is None:
        return panel_member.c.retracted_at.is_(None)
    still = or_(panel_member.c.retracted_at.is_(None), panel_member.c.retracted_at > known_at)
    return and_(panel_member.c.asserted_at <= known_at, still)


def _holds_on(day: date) -> ColumnElement[bool]:
    return and_(panel_member.c.effective_from <= day, or_(panel_member.c.effective_to.is_(None), panel_member.c.effective_to > day))


def members_statement(
    viewer: Viewer, organization_id: UUID, *, as_of: date, known_at: datetime | None, after: UUID | None, limit: int
) -> Select[Any]:
    """Build the statement of `members`; apart, so that its plan can be tested."""
    statement = (
        select(*_MEMBER_COLUMNS)
        .where(panel_member.c.organization_id == organization_id, _visible(viewer, panel_member), _known(known_at), _holds_on(as_of))
        .order_by(panel_member.c.id)
        .limit(limit)
    )
    return statement if after is None else statement.where(panel_member.c.id > after)


async def members(
    connection: Connection,
    viewer: Viewer,
    organization_id: UUID,
    *,
    as_of: date,
    known_at: datetime | None = None,
    after: UUID | None = None,
    limit: int = 100,
) -> list[PanelMember]:
    """Give a page of the claims that hold on a day.

    As known now (ix_panel_member_current) or at an instant (ix_panel_member_organization).
    """
    statement = members_statement(viewer, organization_id, as_of=as_of, known_at=known_at, after=after, limit=limit)
    return [_member(row) for row in await connection.execute(statement)]


def find_members_statement(viewer: Viewer, organization_id: UUID, identifier: Identifier, *, as_of: date | None, limit: int) -> Select[Any]:
    """Build the statement of `find_members`; apart, so that its plan can be tested."""
    authority = identifier.authority.strip().upper()
    named = (
        select(patient_record.c.person_id)
        .join_from(record_identifier, patient_record, patient_record.c.id == record_identifier.c.record_id)
        .where(
            record_identifier.c.authority.in_([authority] if authority else [NO_AUTHORITY, str(organization_id).upper()]),
            record_identifier.c.value == identifier.value.strip(),
        )
    )
    if identifier.type:
        named = named.where(record_identifier.c.type == identifier.type)
    statement = (
        select(*_MEMBER_COLUMNS)
        .where(
            panel_member.c.person_id.in_(named),
            panel_member.c.organization_id == organization_id,
            _visible(viewer, panel_member),
            _known(None),
        )
        .order_by(panel_member.c.person_id, panel_member.c.id)
        .limit(limit)
    )
    return statement if as_of is None else statement.where(_holds_on(as_of))


async def find_members(
    connection: Connection, viewer: Viewer, organization_id: UUID, identifier: Identifier, *, as_of: date | None = None, limit: int = 1000
) -> list[PanelMember]:
    """Give the claims of this panel on everybody for whom any source gave the identifier, a person's together.

    Without `as_of` also claims that are over or yet to begin. The authority is compared in upper case, the type only where given;
    without an authority: a number that a roster gave without its system (primary key of record_identifier, then ix_panel_member_person).
    """
    statement = find_members_statement(viewer, organization_id, identifier, as_of=as_of, limit=limit)
    return [_member(row) for row in await connection.execute(statement)]


async def uploads(
    connection: Connection, viewer: Viewer, organization_id: UUID, *, before: UUID | None = None, limit: int = 100
) -> list[PastUpload]:
    """Give a page of the uploads for a panel, dry runs included, newest first (ix_panel_upload_organization)."""
    statement = (
        select(*_UPLOAD_COLUMNS)
        .where(panel_upload.c.organization_id == organization_id, _visible(viewer, panel_upload))
        .order_by(panel_upload.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(panel_upload.c.id < before)
    return [_upload(row) for row in await connection.execute(statement)]


async def find_upload(connection: Connection, viewer: Viewer, upload_id: UUID) -> PastUpload | None:
    """Give one upload."""
    statement = select(*_UPLOAD_COLUMNS).where(panel_upload.c.id == upload_id, _visible(viewer, panel_upload))
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _upload(row)


async def refusals(
    connection: Connection, viewer: Viewer, upload_id: UUID, *, after_row: int = 0, limit: int = 1000
) -> Sequence[PastRefusal]:
    """Give a page of an upload's refused rows in the order of the file (primary key)."""
    statement = (
        select(panel_upload_rejection.c.row, panel_upload_rejection.c.cells, panel_upload_rejection.c.errors)
        .join_from(panel_upload_rejection, panel_upload, panel_upload.c.id == panel_upload_rejection.c.upload_id)
        .where(panel_upload_rejection.c.upload_id == upload_id, panel_upload_rejection.c.row > after_row, _visible(viewer, panel_upload))
        .order_by(panel_upload_rejection.c.row)
        .limit(limit)
    )
    return [PastRefusal(row.row, row.cells, _errors(row.row, row.errors)) for row in await connection.execute(statement)]


def _member(row: Any) -> PanelMember:  # noqa: ANN401 - a row of _MEMBER_COLUMNS
    return PanelMember(*row)


def _upload(row: Any) -> PastUpload:  # noqa: ANN401 - a row of _UPLOAD_COLUMNS
    return PastUpload(*row)


def _errors(row: int, stored: list[dict[str, str]]) -> tuple[RowError, ...]:
    return tuple(RowError(row, error["column"], RowErrorCode(error["code"]), error["message"]) for error in stored)

"""Reading the audit: an organization's own lines, newest first, or everybody's who looked at a person.

Read as the work role with the viewer spelled out, not under the policy: an array operator is not leakproof, so under a policy the index
on people would be lost (DESIGN 2.10). Every statement below says whose lines are seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.domain.audit import AuditDoor, AuditKind, AuditLine, AuditOutcome, Purpose
from app.domain.viewer import Viewer
from app.store.raw import Raw

_COLUMNS: Final = """a.id, a.recorded_at, a.kind, a.action, a.door, a.organization_id, a.whose_id, a.key_id, a.purpose, a.people, a.targets,
a.query_hash, a.outcome, a.trace_id"""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which lines; None: any."""

    kind: str | None = None
    action: str | None = None
    outcome: str | None = None
    organization_id: UUID | None = None
    key_id: UUID | None = None
    people: Sequence[UUID] | None = None
    """Any of these: a person and whom became it."""
    since: datetime | None = None
    until: datetime | None = None
    id: UUID | None = None


async def read_lines(raw: Raw, viewer: Viewer, wanted: AuditFilter, *, before: UUID | None, limit: int) -> list[AuditLine]:
    """Give a page, newest first (ix_audit_event_organization; of a person ix_audit_event_people; pk_audit_event for the operator)."""
    if not viewer.is_operator and viewer.organization_id is None:
        return []
    values: list[Any] = []

    def value(given: Any) -> str:  # noqa: ANN401 - whatever a column holds
        values.append(given)
        return f"${len(values)}"

    where = []
    if not viewer.is_operator:
        own = value(viewer.organization_id)
        where.append(f"(a.organization_id = {own} or a.whose_id = {own})")
    for column in ("kind", "action", "outcome", "organization_id", "key_id", "id"):
        given = getattr(wanted, column)
        if given is not None:
            where.append(f"a.{column} = {value(given)}")
    if wanted.people is not None:
        where.append(f"a.people && {value(list(wanted.people))}::uuid[]")
    if wanted.since is not None:
        where.append(f"a.recorded_at >= {value(wanted.since)}")
    if wanted.until is not None:
        where.append(f"a.recorded_at < {value(wanted.until)}")
    if before is not None:
        where.append(f"a.id < {value(before)}")
    said = " and ".join(where) or "true"
    rows = await raw.fetch(f"select {_COLUMNS} from audit_event a where {said} order by a.id desc limit {value(limit)}", *values)
    return [
        AuditLine(
            id=row["id"],
            recorded_at=row["recorded_at"],
            kind=AuditKind(row["kind"]),
            action=row["action"],
            door=AuditDoor(row["door"]),
            organization_id=row["organization_id"],
            whose_id=row["whose_id"],
            key_id=row["key_id"],
            purpose=Purpose(row["purpose"]),
            people=tuple(row["people"]),
            targets=tuple(row["targets"]),
            query_hash=row["query_hash"],
            outcome=AuditOutcome(row["outcome"]),
            trace_id=row["trace_id"],
        )
        for row in rows
    ]

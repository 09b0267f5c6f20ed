"""Writing the audit: one line for what one request or command saw or did, in the transaction in which it did.

A request, or a command, opens a sheet for the task that serves it; whoever shows people or changes rights notes it there (`saw`,
`altered`); the unit of work writes what was noted with its commit, one statement however many people a page shows. So a read that
rolls back leaves nothing, and a read that is committed leaves its line. The sheet travels with the task, because a request opens
several transactions, some of them as the exchange, and every one is the caller's doing. Without a sheet (the pipeline, delivery)
nothing is noted: what recipients are told and sent is in the ledger already. Not here: which operation is what (api/audited).
"""

from collections.abc import Callable, Iterable
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.audit import PURPOSES, AuditDoor, AuditKind, AuditOutcome, Purpose
from app.domain.public_id import Kind, public_id
from app.store.raw import Raw


@dataclass(slots=True)
class Sheet:
    """What one request or command has to say about itself, and what it has noted and not yet written."""

    kind: AuditKind
    action: str
    door: AuditDoor
    organization_id: UUID | None
    key_id: UUID | None
    trace_id: str
    now: Callable[[], datetime]
    new_id: Callable[[], UUID]
    query: Callable[[], bytes | None] = lambda: None
    """Gives the keyed hash of what is asked; called when a line is written, for the body may not have come before."""
    targets: tuple[str, ...] = ()
    people: set[UUID] = field(default_factory=set)
    is_noted: bool = False
    lines: int = 0
    """How many were written."""


_sheet: ContextVar[Sheet | None] = ContextVar("audit_sheet", default=None)


def open_sheet(sheet: Sheet | None) -> Token[Sheet | None]:
    """Note for this task from now on, or for nobody."""
    return _sheet.set(sheet)


def close_sheet(token: Token[Sheet | None]) -> None:
    """Note as before."""
    _sheet.reset(token)


def sheet_now() -> Sheet | None:
    """Give the sheet of the task."""
    return _sheet.get()


def saw(people: Iterable[UUID], *targets: str) -> None:
    """Note that these people are shown; nobody is noted as nobody."""
    sheet = _sheet.get()
    if sheet is None:
        return
    found = set(people)
    if found or targets:
        sheet.people |= found
        sheet.targets += targets
        sheet.is_noted = True


def altered(kind: Kind, id_: UUID) -> None:
    """Note that this is changed: a right, a key, a feed, an answer about who is one person."""
    sheet = _sheet.get()
    if sheet is not None:
        sheet.targets += (public_id(kind, id_),)
        sheet.is_noted = True


_PURPOSE: Final = " ".join(f"when '{kind.value}' then '{purpose.value}'" for kind, purpose in PURPOSES.items())
_INSERT: Final = f"""
insert into audit_event (id, recorded_at, kind, action, door, organization_id, whose_id, key_id, purpose, people, targets, query_hash,
                         outcome, trace_id)
values ($1, $2, $3, $4, $5, $6, nullif(current_setting('handoff.viewer', true), '')::uuid, $7,
        coalesce((select case o.kind {_PURPOSE} end from organization o where o.id = $6), '{Purpose.OPERATIONS.value}'),
        $8, $9, $10, $11, $12)
"""


async def write_line(raw: Raw, sheet: Sheet, outcome: AuditOutcome = AuditOutcome.SUCCESS) -> None:
    """Write what was noted, and begin anew."""
    people, sheet.people, sheet.is_noted = sorted(sheet.people), set(), False
    targets = list(dict.fromkeys(sheet.targets))
    await raw.execute(
        _INSERT,
        sheet.new_id(),
        sheet.now(),
        sheet.kind.value,
        sheet.action,
        sheet.door.value,
        sheet.organization_id,
        sheet.key_id,
        people,
        targets,
        sheet.query(),
        outcome.value,
        sheet.trace_id,
    )
    sheet.lines += 1


async def write_noted(raw: Raw) -> None:
    """Write what the task has noted, if anything; called by the unit of work before its commit."""
    sheet = _sheet.get()
    if sheet is not None and sheet.is_noted:
        await write_line(raw, sheet)

"""Contacts and the hands a follow-up goes through: written as the viewer, so that row-level security asks too. Never deleted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class FollowUpOwner:
    """Whose a follow-up is, and which stay it belongs to."""

    id: UUID
    encounter_id: UUID
    home_id: UUID | None
    assignee: str | None
    closed_at: datetime | None
    anchor_at: datetime | None
    """The discharge that stands."""
    snoozed_until: datetime | None
    state: str

    @property
    def is_closed(self) -> bool:
        """Whether the home has closed what the discharge that stands asks for. A closing before it closed an earlier one."""
        return self.closed_at is not None and self.anchor_at is not None and self.closed_at >= self.anchor_at


async def follow_up_of(raw: Raw, follow_up_id: UUID) -> FollowUpOwner | None:
    """Find a follow-up that the viewer may see, and lock it against another change."""
    row = await raw.fetchrow(
        "select id, encounter_id, home_id, assignee, closed_at, anchor_at, snoozed_until, state from follow_up where id = $1 for update",
        follow_up_id,
    )
    return FollowUpOwner(*row.values()) if row is not None else None


async def is_granted(raw: Raw, organization_id: UUID, grantee_id: UUID | None) -> bool:
    """Tell whether an organization granted its rows to another."""
    found = await raw.fetchval(
        "select true from organization_grant where organization_id = $1 and grantee_id = $2", organization_id, grantee_id
    )
    return bool(found)


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A contact to be stored. `fields` is what the caller said, in the words of the API."""

    id: UUID
    follow_up_id: UUID
    organization_id: UUID
    occurred_at: datetime
    recorded_at: datetime
    author: Mapping[str, Any]
    source: str
    source_id: str | None
    fields: Mapping[str, Any]
    corrected_of: UUID | None


async def insert_contact(raw: Raw, contact: ContactRow) -> None:
    """Store a contact."""
    await raw.execute(
        "insert into contact (id, follow_up_id, organization_id, occurred_at, recorded_at, author, source, source_id, fields, corrected_of)"
        " values ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9::json, $10)",
        contact.id,
        contact.follow_up_id,
        contact.organization_id,
        contact.occurred_at,
        contact.recorded_at,
        orjson.dumps(dict(contact.author)).decode(),
        contact.source,
        contact.source_id,
        orjson.dumps(dict(contact.fields)).decode(),
        contact.corrected_of,
    )


@dataclass(frozen=True, slots=True)
class ContactOwner:
    """Where a contact belongs, and whether it was taken back."""

    id: UUID
    follow_up_id: UUID
    voided_at: datetime | None


async def contact_of(raw: Raw, contact_id: UUID) -> ContactOwner | None:
    """Find a contact that the viewer may see."""
    row = await raw.fetchrow("select id, follow_up_id, voided_at from contact where id = $1", contact_id)
    return ContactOwner(*row.values()) if row is not None else None


async def void_contact(raw: Raw, contact_id: UUID, reason: str, by: Mapping[str, Any], now: datetime) -> bool:
    """Take a contact back; False when it was taken back before."""
    done = await raw.fetchval(
        "update contact set voided_at = $2, void_reason = $3, voided_by = $4::jsonb where id = $1 and voided_at is null returning true",
        contact_id,
        now,
        reason,
        orjson.dumps(dict(by)).decode(),
    )
    return bool(done)


async def hand_over(raw: Raw, follow_up: FollowUpOwner, staff: str | None, link_id: UUID, now: datetime) -> None:
    """Give a follow-up to a member of staff; the chain of owners keeps who had it until when."""
    await raw.execute("update follow_up_owner set ends_at = $2 where follow_up_id = $1 and ends_at is null", follow_up.id, now)
    await raw.execute(
        "insert into follow_up_owner (id, follow_up_id, organization_id, staff, starts_at) values ($1, $2, $3, $4, $5)",
        link_id,
        follow_up.id,
        follow_up.home_id,
        staff,
        now,
    )
    await raw.execute(
        "update follow_up set assignee = $2, updated_at = $3, version = version + 1, xid = default where id = $1", follow_up.id, staff, now
    )


async def pending_until(raw: Raw, follow_up_id: UUID) -> tuple[str, datetime] | None:
    """Give the pending clock of a follow-up that is due first."""
    row = await raw.fetchrow(
        "select c ->> 'id' as id, (c ->> 'due_at')::timestamptz as due_at from follow_up f, json_array_elements(f.clocks) as c "
        "where f.id = $1 and c ->> 'state' = 'pending' order by 2 limit 1",
        follow_up_id,
    )
    return (row["id"], row["due_at"]) if row is not None else None


async def snooze(raw: Raw, follow_up_id: UUID, until: datetime | None, said: Mapping[str, Any] | None, now: datetime) -> None:
    """Let a follow-up rest until then, or wake it."""
    await raw.execute(
        "update follow_up set snoozed_until = $2, snooze = $3::jsonb, updated_at = $4, version = version + 1, xid = default where id = $1",
        follow_up_id,
        until,
        orjson.dumps(dict(said)).decode() if said is not None else None,
        now,
    )


async def log(raw: Raw, log_id: UUID, follow_up_id: UUID, said: Mapping[str, Any], now: datetime) -> None:
    """Add a line to what was done with a follow-up."""
    await raw.execute(
        "insert into follow_up_log (id, follow_up_id, at, said) values ($1, $2, $3, $4::jsonb)",
        log_id,
        follow_up_id,
        now,
        orjson.dumps(dict(said)).decode(),
    )


async def close(raw: Raw, follow_up_id: UUID, reason: str, now: datetime) -> None:
    """Remember that the home closed a follow-up; what that makes of its state is evaluated with everything else."""
    await raw.execute(
        "update follow_up set closed_at = $2, close_reason = $3, updated_at = $2, version = version + 1, xid = default where id = $1",
        follow_up_id,
        now,
        reason,
    )

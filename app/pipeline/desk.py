"""A coordinator's work on follow-ups, stored as the viewer and evaluated at once, so that the answer says what it came to.

Two commits: what was done is stored first, together with the request to look at the stay again; then the stay is looked at. If the
second fails, a worker does it a moment later, and nothing that was recorded is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.actions.follow_up_work import Author, assign, close, record_contact, void_contact
from app.domain.contact import Contact, ContactEntry
from app.domain.follow_up import ContactEffect, contact_effects
from app.domain.viewer import Viewer
from app.pipeline.rooms import OpenTransaction, Rooms
from app.ports import Waker
from app.store import encounters
from app.store.directory import RegistryReader
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class ContactRequest:
    """A contact as the API was told of it."""

    entry: ContactEntry
    said: Mapping[str, Any]
    author: Author
    source: str = "api"
    source_id: str | None = None
    corrected_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """One per process that has the HTTP door."""

    rooms: Rooms
    work: OpenTransaction
    """As the `work` role: evaluation looks at all of a person's stays."""
    registry: RegistryReader
    waker: Waker

    async def record(self, raw: Raw, viewer: Viewer, follow_up_id: UUID, request: ContactRequest, contact_id: UUID) -> UUID:
        """Store a contact in the caller's transaction; give the stay to `evaluate` after its commit."""
        return await record_contact(
            raw,
            viewer,
            follow_up_id,
            request.entry,
            request.said,
            contact_id=contact_id,
            author=request.author,
            source=request.source,
            source_id=request.source_id,
            corrected_of=request.corrected_of,
            now=self.rooms.clock.now(),
        )

    async def void(self, raw: Raw, viewer: Viewer, contact_id: UUID, reason: str, author: Author) -> tuple[UUID, UUID]:
        """Take a contact back in the caller's transaction; give (follow-up, stay)."""
        follow_up = await void_contact(raw, viewer, contact_id, reason, author=author, now=self.rooms.clock.now())
        return follow_up.id, follow_up.encounter_id

    async def assign(self, raw: Raw, viewer: Viewer, follow_up_id: UUID, staff: str | None) -> None:
        """Assign in the caller's transaction."""
        await assign(raw, viewer, follow_up_id, staff, link_id=self.rooms.ids.new(), now=self.rooms.clock.now())

    async def close(self, raw: Raw, viewer: Viewer, follow_up_id: UUID, reason: str) -> UUID:
        """Close in the caller's transaction; give the stay to `evaluate`."""
        return (await close(raw, viewer, follow_up_id, reason, now=self.rooms.clock.now())).encounter_id

    async def evaluate(self, stay_id: UUID, contact: Contact | None = None) -> tuple[ContactEffect, ...]:
        """Look at the stay again now; give what the contact did to each clock of its follow-up."""
        async with self.work() as raw:
            asked = await encounters.asking_for(raw, stay_id)
            looked = await self.rooms.reconsider(raw, [stay_id], await self.registry.current(raw))
            await encounters.reconsidered(raw, asked)
        for recipient in looked.worked.recipients:
            self.waker.wake(f"notification:{recipient}")
        seen = looked.follow_ups.get(UUID(contact.follow_up_id)) if contact is not None else None
        return contact_effects(contact, seen) if contact is not None and seen is not None else ()

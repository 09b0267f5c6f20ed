"""Looks at a stay again right after a coordinator's work on its follow-up was stored, so that the answer says what it came to.

Two commits: what was done is stored first, together with the request to look at the stay again; then the stay is looked at. If the
second fails, a worker does it a moment later, and nothing that was recorded is lost. Not here: the first (actions/follow_up_work).
"""

from dataclasses import dataclass
from uuid import UUID

from app.domain.contact import Contact
from app.domain.follow_up import ContactEffect, contact_effects
from app.pipeline.rooms import OpenTransaction, Rooms
from app.ports import Waker
from app.store import encounters
from app.store.directory import RegistryReader


@dataclass(frozen=True, slots=True)
class Desk:
    """One per process that has the HTTP door."""

    rooms: Rooms
    work: OpenTransaction
    """As the `work` role: evaluation looks at all of a person's stays."""
    registry: RegistryReader
    waker: Waker

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

"""What a coordinator does with a follow-up: record a contact or a fact, take one back, assign, close. As the viewer, in a transaction.

Every change asks that the stay be looked at again; the caller does so at once and answers with what it came to. Only the home of a
follow-up (or whom it granted its rows) works on it: a plan that covers the person sees its status and changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.domain.contact import ContactEntry
from app.domain.follow_up import FollowUpState
from app.domain.follow_up_history import CLOSED
from app.domain.summary_fact import SummaryFact
from app.domain.viewer import Viewer
from app.store import contacts, encounters, summary_facts
from app.store.contacts import ContactRow, FollowUpOwner
from app.store.raw import Raw

_GOING_ON: Final = (FollowUpState.OPEN, FollowUpState.SUSPENDED)


class NoSuchFollowUpError(Exception):
    """There is no such follow-up for this viewer: it does not exist, or it is not theirs."""


class NoSuchContactError(Exception):
    """There is no such contact, or fact, for this viewer."""


class NothingToCorrectError(Exception):
    """What a contact is to replace is no voided contact of the same follow-up."""


class SnoozedPastDueError(Exception):
    """A snooze would outlast a clock that is pending."""

    def __init__(self, clock_id: str, due_at: datetime) -> None:
        super().__init__(clock_id)
        self.clock_id = clock_id
        self.due_at = due_at


@dataclass(frozen=True, slots=True)
class Author:
    """Who did it: the key that spoke, and the person it named."""

    key_id: UUID | None
    name: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        return {"key_id": str(self.key_id) if self.key_id else None, "name": self.name}


async def _own(raw: Raw, viewer: Viewer, follow_up_id: UUID) -> FollowUpOwner:
    found = await contacts.follow_up_of(raw, follow_up_id)
    if found is None:
        raise NoSuchFollowUpError
    if viewer.is_operator or (found.home_id is not None and found.home_id == viewer.organization_id):
        return found
    if found.home_id is not None and await contacts.is_granted(raw, found.home_id, viewer.organization_id):
        return found
    raise NoSuchFollowUpError


async def record_contact(  # what a contact is made of
    raw: Raw,
    viewer: Viewer,
    follow_up_id: UUID,
    entry: ContactEntry,
    said: Mapping[str, Any],
    *,
    contact_id: UUID,
    author: Author,
    source: str,
    source_id: str | None,
    corrected_of: UUID | None,
    now: datetime,
) -> UUID:
    """Store a contact; give the stay to look at again."""
    follow_up = await _own(raw, viewer, follow_up_id)
    organization_id = viewer.organization_id or follow_up.home_id
    if organization_id is None:
        raise NoSuchFollowUpError
    if corrected_of is not None:
        before = await contacts.contact_of(raw, corrected_of)
        if before is None or before.follow_up_id != follow_up_id or before.voided_at is None:
            raise NothingToCorrectError
    await contacts.insert_contact(
        raw,
        ContactRow(
            contact_id, follow_up_id, organization_id, entry.occurred_at, now, author.to_json(), source, source_id, said, corrected_of
        ),
    )
    await encounters.reconsider(raw, [follow_up.encounter_id], now, "contact")
    return follow_up.encounter_id


async def void_contact(raw: Raw, viewer: Viewer, contact_id: UUID, reason: str, *, author: Author, now: datetime) -> FollowUpOwner:
    """Take a contact back, once; give the follow-up to look at again. Doing it twice changes nothing."""
    found = await contacts.contact_of(raw, contact_id)
    if found is None:
        raise NoSuchContactError
    follow_up = await _own(raw, viewer, found.follow_up_id)
    if await contacts.void_contact(raw, contact_id, reason, author.to_json(), now):
        await encounters.reconsider(raw, [follow_up.encounter_id], now, "contact")
    return follow_up


async def record_summary_fact(raw: Raw, viewer: Viewer, follow_up_id: UUID, fact: SummaryFact, *, author: Author, now: datetime) -> None:
    """Store that a discharge summary was requested, received or reviewed. No clock looks at it."""
    follow_up = await _own(raw, viewer, follow_up_id)
    organization_id = viewer.organization_id or follow_up.home_id
    if organization_id is None:
        raise NoSuchFollowUpError
    await summary_facts.insert_fact(raw, fact, follow_up_id=follow_up_id, organization_id=organization_id, author=author.to_json(), now=now)


async def void_summary_fact(raw: Raw, viewer: Viewer, fact_id: UUID, reason: str, *, author: Author, now: datetime) -> FollowUpOwner:
    """Take a fact back, once; give its follow-up. Doing it twice changes nothing."""
    found = await summary_facts.fact_of(raw, fact_id)
    if found is None:
        raise NoSuchContactError
    follow_up = await _own(raw, viewer, found.follow_up_id)
    if await summary_facts.void_fact(raw, fact_id, reason, author.to_json(), now):
        await summary_facts.touch(raw, follow_up.id, now)
    return follow_up


async def assign(
    raw: Raw,
    viewer: Viewer,
    follow_up_id: UUID,
    staff: str | None,
    *,
    author: Author,
    reason: str | None,
    link_id: UUID,
    log_id: UUID,
    now: datetime,
) -> FollowUpOwner:
    """Give a follow-up to a member of staff, or to nobody. To whom has it already changes nothing."""
    follow_up = await _own(raw, viewer, follow_up_id)
    if follow_up.assignee != staff:
        await contacts.hand_over(raw, follow_up, staff, link_id, now)
        said = {"what": "assigned", "by": author.name, "from": follow_up.assignee, "to": staff, "reason": reason}
        await contacts.log(raw, log_id, follow_up_id, said | author.to_json(), now)
    return follow_up


async def snooze(
    raw: Raw, viewer: Viewer, follow_up_id: UUID, until: datetime, reason: str, *, author: Author, log_id: UUID, now: datetime
) -> FollowUpOwner:
    """Let a follow-up rest until then: its warnings are mute. Never past the due time of a clock that is still pending."""
    follow_up = await _own(raw, viewer, follow_up_id)
    first = await contacts.pending_until(raw, follow_up_id)
    if first is not None and until > first[1] > now:
        raise SnoozedPastDueError(*first)
    shown = {"reason": reason, "by": author.name, "at": now.isoformat()}
    await contacts.snooze(raw, follow_up_id, until, shown, now)
    before = follow_up.snoozed_until if follow_up.snoozed_until is not None and follow_up.snoozed_until > now else None
    said = {"what": "snoozed", "by": author.name, "from": before.isoformat() if before else None, "to": until.isoformat()}
    await contacts.log(raw, log_id, follow_up_id, {**said, "reason": reason} | author.to_json(), now)
    await encounters.reconsider(raw, [follow_up.encounter_id], now, "contact")
    return follow_up


async def wake(raw: Raw, viewer: Viewer, follow_up_id: UUID, *, author: Author, log_id: UUID, now: datetime) -> FollowUpOwner:
    """End a snooze; one that is over, or never was, changes nothing."""
    follow_up = await _own(raw, viewer, follow_up_id)
    if follow_up.snoozed_until is not None and follow_up.snoozed_until > now:
        await contacts.snooze(raw, follow_up_id, None, None, now)
        said = {"what": "woken", "by": author.name, "from": follow_up.snoozed_until.isoformat(), "to": None, "reason": None}
        await contacts.log(raw, log_id, follow_up_id, said | author.to_json(), now)
        await encounters.reconsider(raw, [follow_up.encounter_id], now, "contact")
    return follow_up


async def close(raw: Raw, viewer: Viewer, follow_up_id: UUID, reason: str, *, author: Author, log_id: UUID, now: datetime) -> FollowUpOwner:
    """Close a follow-up, once for the discharge that stands: a second closing leaves the first one's time and reason."""
    follow_up = await _own(raw, viewer, follow_up_id)
    if not follow_up.is_closed:
        await contacts.close(raw, follow_up_id, reason, now)
        if follow_up.anchor_at is not None:
            to = FollowUpState.CLOSED.value if follow_up.state in _GOING_ON else follow_up.state
            said = {"what": CLOSED, "by": author.name, "from": follow_up.state, "to": to, "reason": reason}
            await contacts.log(raw, log_id, follow_up_id, said | author.to_json(), now)
        await encounters.reconsider(raw, [follow_up.encounter_id], now, "contact")
    return follow_up

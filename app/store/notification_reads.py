"""Reading the outbox: a recipient's notifications in sequence order, why one was told, and who has acknowledged what.

A page is one statement however long the outbox is (uq_notification_sequence). `payload` comes as it was stored; what may be shown of it
now is decided by the caller (actions/present_notifications).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from asyncpg import Record

from app.domain.privacy import PROTECTED
from app.domain.telling import ANOTHER_LEADS
from app.domain.viewer import Viewer
from app.store.ended_rights import HAS_PARTED, NEVER_THEIRS
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class StoredNotification:
    """One numbered notification."""

    id: UUID
    recipient_id: UUID
    sequence: int
    type: str
    tier: str
    encounter_id: UUID
    created_at: datetime
    cause_id: UUID | None
    payload: Mapping[str, Any] = field(repr=False)
    """What the recipient reads, without `sequence`."""
    never_theirs: bool = False
    """The claim was taken back for the day of the event: it may be read no more."""
    acting_id: UUID | None = None
    """The other organization whose work or claim it tells of."""
    has_parted: bool = False
    """A record has left whom it was told of: what it says of a person may be of two."""


_COLUMNS = f"""n.id, n.recipient_id, n.sequence, n.type, n.tier, n.encounter_id, n.created_at, n.cause_id, n.payload,
n.acting_id, {NEVER_THEIRS} as never_theirs, {HAS_PARTED} as has_parted"""


def _stored(row: Record) -> StoredNotification:
    values = dict(row)
    payload = values["payload"]
    return StoredNotification(**{**values, "payload": orjson.loads(payload) if isinstance(payload, str) else payload})


def _may_read(viewer: Viewer, recipient_id: UUID, granted: bool) -> bool:  # noqa: FBT001 - one private reader
    return viewer.is_operator or viewer.organization_id == recipient_id or granted


async def may_read_outbox(raw: Raw, viewer: Viewer, recipient_id: UUID) -> bool:
    """Tell whether the viewer may read a recipient's outbox: its own, one that was granted to it, or any as the operator."""
    if _may_read(viewer, recipient_id, granted=False):
        return True
    granted = await raw.fetchval(
        "select exists (select 1 from organization_grant where organization_id = $1 and grantee_id = $2)",
        recipient_id,
        viewer.organization_id,
    )
    return bool(granted)


async def read_outbox(raw: Raw, viewer: Viewer, recipient_id: UUID, *, after: int, limit: int) -> list[StoredNotification]:
    """Give the notifications after a sequence number. The caller asked `may_read_outbox`; row-level security asks again."""
    if not viewer.is_operator and viewer.organization_id is None:
        return []
    rows = await raw.fetch(
        f"select {_COLUMNS} from notification n where n.recipient_id = $1 and n.sequence > $2 order by n.sequence limit $3",
        recipient_id,
        after,
        limit,
    )
    return [_stored(row) for row in rows]


async def last_sequences(raw: Raw, recipients: Sequence[UUID]) -> dict[UUID, int]:
    """Give the highest number of each recipient (pk_recipient_sequence). Numbers are no patient data; nobody is shown them unasked."""
    rows = await raw.fetch(
        "select recipient_id, last_sequence from recipient_sequence where recipient_id = any($1::uuid[])", list(recipients)
    )
    return {row["recipient_id"]: row["last_sequence"] for row in rows}


async def find_notification(raw: Raw, viewer: Viewer, notification_id: UUID) -> StoredNotification | None:
    """Give one that the viewer may see (pk_notification, row-level security)."""
    row = await raw.fetchrow(f"select {_COLUMNS} from notification n where n.id = $1", notification_id)
    if row is None:
        return None
    found = _stored(row)
    return found if await may_read_outbox(raw, viewer, found.recipient_id) else None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """That a recipient has taken note."""

    notification_id: UUID
    acknowledged_at: datetime
    is_new: bool


async def acknowledge(raw: Raw, viewer: Viewer, found: StoredNotification, now: datetime) -> Acknowledgement:
    """Take note, once: the first time stands (pk_notification_acknowledgement)."""
    inserted = await raw.fetchval(
        "insert into notification_acknowledgement (notification_id, recipient_id, acknowledged_at, key_id) values ($1, $2, $3, $4) "
        "on conflict do nothing returning acknowledged_at",
        found.id,
        found.recipient_id,
        now,
        viewer.key_id,
    )
    if inserted is not None:
        # Whoever takes note of a notice of a follow-up has looked at it (domain/lateness).
        await raw.execute(
            "update follow_up f set first_opened_at = $2 from notification n where n.id = $1 and f.id = n.follow_up_id "
            "and f.home_id = n.recipient_id and f.first_opened_at is null and f.anchor_at <= n.created_at",
            found.id,
            now,
        )
        return Acknowledgement(found.id, inserted, is_new=True)
    first = await raw.fetchval("select acknowledged_at from notification_acknowledgement where notification_id = $1", found.id)
    return Acknowledgement(found.id, first, is_new=False)


@dataclass(frozen=True, slots=True)
class Why:
    """Everything that was decided about one event of a stay and one recipient. Rows are mappings of columns."""

    telling: Mapping[str, Any] | None
    """What stands now; None for notices that no event of a stay caused (a clock that passed)."""
    ledger: Sequence[Mapping[str, Any]]
    """Every change of the decision, oldest first."""
    versions: Sequence[Mapping[str, Any]]
    """Every version that was numbered, oldest first."""
    attribution: Mapping[str, Any] | None
    """The claim on which the recipient is told."""
    cause: Mapping[str, Any] | None
    """The message that led to this version."""
    acknowledged_at: datetime | None


async def find_follow_up_of(raw: Raw, found: StoredNotification) -> tuple[UUID, UUID | None]:
    """Give whom the stay of a notification is about, and the recipient's follow-up of it, if it has one (uq_follow_up_home)."""
    row = await raw.fetchrow(
        "select coalesce(e.person_id, n.person_id) as person_id, f.id from notification n left join encounter e on e.id = n.encounter_id "
        "left join follow_up f on f.encounter_id = n.encounter_id and f.home_id = n.recipient_id where n.id = $1",
        found.id,
    )
    return row["person_id"], row["id"]


NO_REASONS = Why(None, (), (), None, None, None)
"""For a recipient of what was withdrawn: the reason itself may be protected (42 CFR 2.13(c))."""

_WITHHELD = frozenset({"suppress", "hold"})

_TELLING = """
select t.kind, t.event_id, t.decision, t.reasons, t.version, t.effective, t.attribution_id, t.decided_at
from telling t where t.encounter_id = $1 and t.recipient_id = $2 and t.event_id = $3
"""

_LEDGER = """
select d.id, d.kind, d.decision, d.reasons, d.notification_id, d.cause_id, d.decided_at
from disclosure d where d.encounter_id = $1 and d.recipient_id = $2 and d.kind = $3 order by d.id
"""

_VERSIONS = """
select n.id, n.sequence, n.type, n.version, n.supersedes, n.tier, n.created_at
from notification n where n.encounter_id = $1 and n.recipient_id = $2 and n.event_id = $3 order by n.version
"""

_ATTRIBUTION = """
select m.id, m.organization_id, m.program, m.role, m.effective_from, m.effective_to, m.coordinator, m.asserted_at,
       m.retracted_at, m.upload_id
from panel_member m where m.id = $1
"""

_CAUSE = """
select m.id, m.feed_id, m.organization_id, m.received_at, m.trigger, m.control_id from inbound_message m where m.id = $1
"""


async def why_notified(raw: Raw, viewer: Viewer, found: StoredNotification, *, shows_lead: bool = True) -> Why:
    """Gather the chain of reasons behind one notification that the viewer may see. Six statements, whatever its history.

    The message itself is its sender's: a recipient sees its id in the ledger, the operator the rest. Lines of the ledger that withheld
    something are the operator's alone, for their reason may be what is protected; so is, unless `shows_lead`, that another home leads.
    """
    event_id = UUID(str(found.payload["event_id"]).rpartition("_")[2])
    telling = await raw.fetchrow(_TELLING, found.encounter_id, found.recipient_id, event_id)
    ledger = await raw.fetch(_LEDGER, found.encounter_id, found.recipient_id, telling["kind"]) if telling is not None else []
    versions = await raw.fetch(_VERSIONS, found.encounter_id, found.recipient_id, event_id)
    attribution = None
    if telling is not None and telling["attribution_id"] is not None:
        attribution = await raw.fetchrow(_ATTRIBUTION, telling["attribution_id"])
    cause = await raw.fetchrow(_CAUSE, found.cause_id) if found.cause_id is not None and viewer.is_operator else None
    acknowledged_at = await raw.fetchval("select acknowledged_at from notification_acknowledgement where notification_id = $1", found.id)
    return Why(
        telling=None if telling is None else _reasoned(telling, viewer, shows_lead=shows_lead),
        ledger=[_reasoned(row, viewer, shows_lead=shows_lead) for row in ledger if viewer.is_operator or row["decision"] not in _WITHHELD],
        versions=[dict(row) for row in versions],
        attribution=None if attribution is None else dict(attribution),
        cause=None if cause is None else dict(cause),
        acknowledged_at=acknowledged_at,
    )


def _reasoned(row: Record, viewer: Viewer, *, shows_lead: bool) -> dict[str, Any]:
    """Give a row with its reasons; those that tell what is protected are the operator's."""
    stored = row["reasons"]
    reasons = orjson.loads(stored) if isinstance(stored, str) else stored
    if viewer.is_operator:
        return {**row, "reasons": reasons}
    told = [one for one in reasons if not one.startswith(PROTECTED)]
    return {**row, "reasons": told if shows_lead else [one.replace(ANOTHER_LEADS, "") for one in told]}

"""What was told: the statements of room 7. Every statement takes a whole batch; numbers are given last, under the recipient's lock."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from app.domain.happening import Kind
from app.domain.notification import Told
from app.store.raw import Raw


async def told_of(raw: Raw, stays: Iterable[UUID]) -> dict[UUID, list[Told]]:
    """Give what every recipient was told last about these stays."""
    rows = await raw.fetch(
        "select encounter_id, recipient_id, kind, event_id, decision, notification_id, version, effective, digest, decided_at "
        "from telling where encounter_id = any($1::uuid[])",
        list(stays),
    )
    told: dict[UUID, list[Told]] = defaultdict(list)
    for row in rows:
        told[row["encounter_id"]].append(
            Told(
                row["recipient_id"],
                Kind(row["kind"]),
                row["event_id"],
                row["decision"],
                row["notification_id"],
                row["version"],
                row["effective"],
                row["digest"],
                row["decided_at"],
            )
        )
    return told


@dataclass(slots=True)
class NotificationRow:
    """One notification to be numbered and stored. `payload` is what the recipient reads, without `sequence`."""

    id: UUID
    recipient_id: UUID
    event_id: UUID
    type: str
    version: int
    supersedes: UUID | None
    tier: str
    person_id: UUID
    encounter_id: UUID
    follow_up_id: UUID | None
    occurred_at: datetime
    cause_id: UUID | None
    payload: dict[str, Any]
    acting_id: UUID | None = None
    """The other organization whose work or claim it tells of: whether the recipient may know of that is asked at every read and send."""


@dataclass(frozen=True, slots=True)
class TellingRow:
    """The present state of one (stay, recipient, event), and the line it adds to the ledger."""

    encounter_id: UUID
    recipient_id: UUID
    kind: str
    event_id: UUID
    decision: str
    reasons: Sequence[str]
    notification_id: UUID | None
    version: int
    effective: bool
    digest: bytes
    attribution_id: UUID | None
    ledger_id: UUID
    person_id: UUID
    cause_id: UUID | None


_SAVE_TELLINGS = """
with decided as (
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::uuid[], $8::int[], $9::bool[],
                         $10::bytea[], $11::uuid[], $12::uuid[], $13::uuid[], $14::uuid[])
        as d(encounter_id, recipient_id, kind, event_id, decision, reasons, notification_id, version, effective, digest,
             attribution_id, ledger_id, person_id, cause_id)
), ledger as (
    insert into disclosure (id, encounter_id, person_id, recipient_id, kind, decision, reasons, attribution_id, notification_id,
                            cause_id, decided_at)
    select ledger_id, encounter_id, person_id, recipient_id, kind, decision, reasons::jsonb, attribution_id, notification_id,
           cause_id, $15
    from decided
)
insert into telling (encounter_id, recipient_id, kind, event_id, decision, reasons, notification_id, version, effective, digest,
                     attribution_id, decided_at)
select encounter_id, recipient_id, kind, event_id, decision, reasons::jsonb, notification_id, version, effective, digest,
       attribution_id, $15
from decided
on conflict (encounter_id, recipient_id, kind) do update set decision = excluded.decision, reasons = excluded.reasons,
    notification_id = excluded.notification_id, version = excluded.version, effective = excluded.effective, digest = excluded.digest,
    attribution_id = excluded.attribution_id, decided_at = excluded.decided_at
"""


async def save_tellings(raw: Raw, rows: Sequence[TellingRow], now: datetime) -> None:
    """Store what stands with each recipient, and add every change to the ledger."""
    if not rows:
        return
    columns = zip(
        *(
            (
                row.encounter_id,
                row.recipient_id,
                row.kind,
                row.event_id,
                row.decision,
                orjson.dumps(list(row.reasons)).decode(),
                row.notification_id,
                row.version,
                row.effective,
                row.digest,
                row.attribution_id,
                row.ledger_id,
                row.person_id,
                row.cause_id,
            )
            for row in rows
        ),
        strict=True,
    )
    await raw.execute(_SAVE_TELLINGS, *(list(column) for column in columns), now)


_FIRST_NUMBER = """
insert into recipient_sequence (recipient_id, last_sequence) select id, 0 from unnest($1::uuid[]) as id order by id on conflict do nothing
"""

_TAKE_NUMBERS = """
with locked as (
    select s.recipient_id from recipient_sequence s where s.recipient_id = any($1::uuid[]) order by s.recipient_id for update
), wanted as (
    select * from unnest($1::uuid[], $2::bigint[]) as w(recipient_id, numbers)
)
update recipient_sequence s set last_sequence = s.last_sequence + w.numbers
from wanted w join locked l on l.recipient_id = w.recipient_id
where s.recipient_id = w.recipient_id
returning s.recipient_id, s.last_sequence - w.numbers as before
"""

_INSERT = """
insert into notification (id, recipient_id, sequence, event_id, type, version, supersedes, tier, person_id, encounter_id, follow_up_id,
                          occurred_at, created_at, cause_id, payload, acting_id)
select id, recipient_id, sequence, event_id, type, version, supersedes, tier, person_id, encounter_id, follow_up_id,
       occurred_at, $14, cause_id, payload::json, acting_id
from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::int[], $7::uuid[], $8::text[], $9::uuid[], $10::uuid[],
            $11::uuid[], $12::timestamptz[], $13::text[], $15::uuid[], $16::uuid[])
    as n(id, recipient_id, sequence, event_id, type, version, supersedes, tier, person_id, encounter_id, follow_up_id, occurred_at,
         payload, cause_id, acting_id)
"""


async def number_and_insert(raw: Raw, rows: Sequence[NotificationRow], now: datetime) -> list[UUID]:
    """Give each recipient's notifications their next numbers and store them; give the recipients that have news.

    These are the last statements before the commit: the order of numbers is the order of visibility, and there are no gaps.
    """
    if not rows:
        return []
    wanted = Counter(row.recipient_id for row in rows)
    recipients = sorted(wanted)
    numbers = [wanted[recipient] for recipient in recipients]
    before = {record["recipient_id"]: record["before"] for record in await raw.fetch(_TAKE_NUMBERS, recipients, numbers)}
    if len(before) < len(recipients):
        # Somebody's very first notification.
        fresh = [recipient for recipient in recipients if recipient not in before]
        await raw.execute(_FIRST_NUMBER, fresh)
        taken = await raw.fetch(_TAKE_NUMBERS, fresh, [wanted[recipient] for recipient in fresh])
        before.update({record["recipient_id"]: record["before"] for record in taken})
    sequences: list[int] = []
    for row in rows:
        before[row.recipient_id] += 1
        sequences.append(before[row.recipient_id])
    await raw.execute(
        _INSERT,
        [row.id for row in rows],
        [row.recipient_id for row in rows],
        sequences,
        [row.event_id for row in rows],
        [row.type for row in rows],
        [row.version for row in rows],
        [row.supersedes for row in rows],
        [row.tier for row in rows],
        [row.person_id for row in rows],
        [row.encounter_id for row in rows],
        [row.follow_up_id for row in rows],
        [row.occurred_at for row in rows],
        [orjson.dumps(row.payload).decode() for row in rows],
        now,
        [row.cause_id for row in rows],
        [row.acting_id for row in rows],
    )
    return recipients


_OWNERS_TOLD = """
select n.recipient_id, n.payload -> 'opened' ->> 'consent_id' as consent_id
from encounter e join notification n on n.encounter_id = e.id
where e.person_id = any($1::uuid[]) and n.type = 'record.opened'
"""


async def owners_told(raw: Raw, people: Iterable[UUID]) -> set[tuple[UUID, str]]:
    """Give which owners of records of these people were told of which exception, by its public id (ix_encounter_person).

    One statement, asked only where somebody broke a glass or recorded an emergency (ix_notification_encounter).
    """
    return {(row["recipient_id"], row["consent_id"]) for row in await raw.fetch(_OWNERS_TOLD, list(people))}

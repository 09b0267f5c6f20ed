"""What is told once, and what other followers were told: each a set-based statement, in the transaction that tells.

Exactly once is the primary key's to keep: after a kill, a second run or a clock computed anew, the row is there or it is not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.escalation import EscalationContact
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class Once:
    """Something that is told once. `version_at`: the due time, discharge or contact that it is about."""

    subject_id: UUID
    name: str
    step: int
    version_at: datetime
    follow_up_id: UUID
    outcome: str = "told"

    @property
    def key(self) -> tuple[UUID, str, int, datetime]:
        """What the database holds once."""
        return self.subject_id, self.name, self.step, self.version_at


async def claim(raw: Raw, wanted: Sequence[Once], now: datetime) -> set[tuple[UUID, str, int, datetime]]:
    """Note these, and give those that were not noted before (pk_timer_notice)."""
    if not wanted:
        return set()
    rows = await raw.fetch(
        "insert into timer_notice (subject_id, name, step, version_at, follow_up_id, outcome, fired_at) "
        "select subject_id, name, step, version_at, follow_up_id, outcome, $7 "
        "from unnest($1::uuid[], $2::text[], $3::int[], $4::timestamptz[], $5::uuid[], $6::text[]) "
        "as n(subject_id, name, step, version_at, follow_up_id, outcome) "
        "on conflict do nothing returning subject_id, name, step, version_at",
        [one.subject_id for one in wanted],
        [one.name for one in wanted],
        [one.step for one in wanted],
        [one.version_at for one in wanted],
        [one.follow_up_id for one in wanted],
        [one.outcome for one in wanted],
        now,
    )
    return {(row["subject_id"], row["name"], row["step"], row["version_at"]) for row in rows}


async def noted(raw: Raw, subjects: Iterable[UUID]) -> set[tuple[UUID, str]]:
    """Give what is noted of these subjects, by name (pk_timer_notice)."""
    rows = await raw.fetch("select subject_id, name from timer_notice where subject_id = any($1::uuid[])", list(subjects))
    return {(row["subject_id"], row["name"]) for row in rows}


async def contacts_of(raw: Raw, homes: Iterable[UUID]) -> dict[UUID, list[EscalationContact]]:
    """Give whom these homes name for escalations; a recipient only where the home lets it see its rows (pk_escalation_contact)."""
    rows = await raw.fetch(
        "select c.organization_id, c.part, c.name, c.phone, g.grantee_id as recipient_id from escalation_contact c "
        "left join organization_grant g on g.organization_id = c.organization_id and g.grantee_id = c.recipient_id "
        "where c.organization_id = any($1::uuid[]) order by c.organization_id, c.part",
        list(homes),
    )
    found: dict[UUID, list[EscalationContact]] = {}
    for row in rows:
        found.setdefault(row["organization_id"], []).append(EscalationContact(*row.values()))
    return found


async def followers(raw: Raw, stays: Iterable[UUID]) -> dict[UUID, set[UUID]]:
    """Give with whom the discharge of each stay stands as told (pk_telling)."""
    rows = await raw.fetch(
        "select encounter_id, recipient_id from telling where encounter_id = any($1::uuid[]) and kind = 'discharged' and effective",
        list(stays),
    )
    found: dict[UUID, set[UUID]] = {}
    for row in rows:
        found.setdefault(row["encounter_id"], set()).add(row["recipient_id"])
    return found


@dataclass(frozen=True, slots=True)
class FollowerTold:
    """What a follower was told last of a follow-up."""

    follow_up_id: UUID
    recipient_id: UUID
    kind: str
    event_id: UUID
    notification_id: UUID
    version: int
    said: str


async def told_of(raw: Raw, follow_ups: Iterable[UUID]) -> dict[tuple[UUID, UUID, str], FollowerTold]:
    """Give what followers of these follow-ups were told (pk_follow_up_telling)."""
    rows = await raw.fetch(
        "select follow_up_id, recipient_id, kind, event_id, notification_id, version, said from follow_up_telling "
        "where follow_up_id = any($1::uuid[])",
        list(follow_ups),
    )
    return {(row["follow_up_id"], row["recipient_id"], row["kind"]): FollowerTold(*row.values()) for row in rows}


async def save_told(raw: Raw, told: Sequence[FollowerTold], now: datetime) -> None:
    """Store what was told. One statement."""
    if not told:
        return
    await raw.execute(
        "insert into follow_up_telling (follow_up_id, recipient_id, kind, event_id, notification_id, version, said, told_at) "
        "select follow_up_id, recipient_id, kind, event_id, notification_id, version, said, $8 "
        "from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::int[], $7::text[]) "
        "as n(follow_up_id, recipient_id, kind, event_id, notification_id, version, said) "
        "on conflict (follow_up_id, recipient_id, kind) do update set notification_id = excluded.notification_id, "
        "version = excluded.version, said = excluded.said, told_at = excluded.told_at",
        [one.follow_up_id for one in told],
        [one.recipient_id for one in told],
        [one.kind for one in told],
        [one.event_id for one in told],
        [one.notification_id for one in told],
        [one.version for one in told],
        [one.said for one in told],
        now,
    )

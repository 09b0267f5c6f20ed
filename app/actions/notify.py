"""Room 7: bring what was told in line with what should stand, number it, and keep the ledger of who was told, who not, and why.

Not here: what should stand (attribute), or how a notification leaves (deliver).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.directory import Directory
from app.domain.late_release import Late, LateCause, Release
from app.domain.notification import Change, Desired, Told, Withheld, reconcile
from app.domain.privacy import Tier
from app.domain.public_id import Kind as IdKind
from app.domain.public_id import public_id, public_id_or_none
from app.domain.sources import Sources
from app.domain.stay_in_hand import StayInHand
from app.domain.telling import LATE_NOTICE, attribution_content, encounter_content, person_content
from app.ports import Ids
from app.store import notifications, people
from app.store.encounter_reads import ReadStay
from app.store.notifications import NotificationRow, TellingRow
from app.store.raw import Raw
from app.store.sources import know_sources

FollowUpIds = Mapping[tuple[UUID, UUID | None], UUID]
"""(stay, home) -> the follow-up that a notification points at."""


async def notify(
    raw: Raw,
    desired: Sequence[tuple[StayInHand, Sequence[Desired]]],
    follow_ups: FollowUpIds,
    directory: Directory,
    *,
    read_stay: ReadStay,
    ids: Ids,
    now: datetime,
) -> list[NotificationRow]:
    """Compare, per stay, what should stand with what was told; store tellings and ledger; give what is to be numbered."""
    told = await notifications.told_of(raw, [stay.id for stay, _ in desired])
    changes = [(stay, change) for stay, wanted in desired for change in reconcile(wanted, told.get(stay.id, ()), frozenset(stay.heard))]
    if not changes:
        return []
    telling_people = {stay.person_id for stay, change in changes if change.type is not None}
    records = await people.describe(raw, telling_people) if telling_people else {}
    told_of = [(stay.person_id, stay.record_id) for stay, _ in changes]
    sources = await know_sources(raw, records, told_of, directory=directory, read_stay=read_stay)
    last = {(stay_id, item.recipient_id, item.kind): item for stay_id, items in told.items() for item in items}
    rows: list[NotificationRow] = []
    tellings: list[TellingRow] = []
    for stay, planned in changes:
        before = last.get((stay.id, planned.recipient_id, planned.kind))
        late = _late(stay, planned, before, now)
        change = replace(planned, reasons=(late.reason, *planned.reasons)) if late else planned
        event_id = change.event_id or ids.new()
        row = None
        if change.type is not None:
            row = _row(stay, change, event_id, sources, follow_ups, directory, late, ids.new(), now)
            rows.append(row)
        tellings.append(_telling(stay, change, event_id, row, before, ids.new()))
    await notifications.save_tellings(raw, tellings, now)
    return rows


def _late(stay: StayInHand, change: Change, last: Told | None, now: datetime) -> Late | None:
    """Say how late a recipient is told of what had waited for a person; a retraction, and what it was told before, are not late."""
    if change.type is None or change.desired is None:
        return None
    if last is not None and last.decision == Tier.HOLD:
        return Release(LateCause.REVIEW, last.decided_at).late(None, now)
    if last is not None and last.decision == Withheld.AGREEMENT:
        return Release(LateCause.AGREEMENT, last.decided_at).late(None, now)
    if stay.release is None or (stay.release.since is None and last is not None):
        return None
    return stay.release.late(stay.heard.get(change.kind), now)


def _row(  # everything a notification is made of
    stay: StayInHand,
    change: Change,
    event_id: UUID,
    sources: Sources,
    follow_ups: FollowUpIds,
    directory: Directory,
    late: Late | None,
    notification_id: UUID,
    now: datetime,
) -> NotificationRow:
    assert change.type is not None  # noqa: S101 - the caller has looked
    # A retraction tells no more than that the event is withdrawn: the person may be somebody else's patient by now.
    told = change.desired
    tier = change.decision if told else Tier.ID_ONLY
    occurred_at = told.occurred_at if told else now
    follow_up_id = follow_ups.get((stay.id, change.recipient_id))
    encounter = encounter_content(stay, tier)
    if told and "class" in encounter:
        encounter["class"] = told.encounter_class
    payload: dict[str, Any] = {
        "id": public_id(IdKind.NOTIFICATION, notification_id),
        "event_id": public_id(IdKind.EVENT, event_id),
        "type": change.type.value,
        "event": change.kind.value,
        "version": change.version,
        "supersedes": public_id_or_none(IdKind.NOTIFICATION, change.supersedes),
        "tier": tier,
        "occurred_at": occurred_at.isoformat(),
        "created_at": now.isoformat(),
        "person": person_content(stay.person_id, sources.told(stay.person_id, change.recipient_id), change.recipient_id, tier, directory),
        "encounter": encounter,
        "attribution": attribution_content(told.ground, told.lead) if told else None,
        "follow_up_id": public_id_or_none(IdKind.FOLLOW_UP, follow_up_id),
        "reason": change.reasons[-1],
        "catch_up": told is not None and told.catch_up,
        "late": late.document() if late else None,
        "notices": [*([LATE_NOTICE] if told is not None and told.catch_up else []), *([late.notice()] if late else [])],
    }
    return NotificationRow(
        id=notification_id,
        recipient_id=change.recipient_id,
        event_id=event_id,
        type=change.type.value,
        version=change.version,
        supersedes=change.supersedes,
        tier=tier,
        person_id=stay.person_id,
        encounter_id=stay.id,
        follow_up_id=follow_up_id,
        occurred_at=occurred_at,
        cause_id=stay.cause_id,
        payload=payload,
        acting_id=told.led_by if told else None,
    )


def _telling(
    stay: StayInHand, change: Change, event_id: UUID, row: NotificationRow | None, last: Told | None, ledger_id: UUID
) -> TellingRow:
    kept = last.notification_id if last else None
    return TellingRow(
        encounter_id=stay.id,
        recipient_id=change.recipient_id,
        kind=change.kind.value,
        event_id=event_id,
        decision=change.decision,
        reasons=change.reasons,
        notification_id=row.id if row else kept,
        version=change.version,
        effective=change.effective,
        digest=change.desired.digest if change.desired else b"",
        attribution_id=change.desired.attribution_id if change.desired else None,
        ledger_id=ledger_id,
        person_id=stay.person_id,
        cause_id=stay.cause_id,
    )

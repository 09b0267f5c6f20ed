"""Room 7, what is told of follow-ups: steps of clocks, alerts, that somebody was reached, that one is closed. Each once, with its reason.

Called after `notify`, with what `keep_follow_ups` looked at: who follows a stay is who is told of its discharge by now. The right to
know is asked anew for every recipient. Not here: which steps are passed (domain/escalation), what is news (domain/follow_up_news).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.directory import Directory
from app.domain.escalation import EscalationContact, Step
from app.domain.follow_up_news import (
    READMITTED,
    REOPENED,
    SAFETY,
    Alert,
    alerts,
    news,
    safety_alerts,
    step_sentence,
)
from app.domain.happening import NotificationType
from app.domain.organization import Organization
from app.domain.own_status import may_name
from app.domain.privacy import Tier, may_be_told, recipient_of
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.domain.sources import Sources
from app.domain.telling import attribution_content, encounter_content, person_content, wishes
from app.ports import Ids
from app.store import people, timer_notices
from app.store.encounter_reads import ReadStay
from app.store.follow_ups import LookedAt
from app.store.notifications import NotificationRow
from app.store.raw import Raw
from app.store.sources import know_sources
from app.store.timer_notices import FollowerTold, Once

_TOLD_MODES = frozenset({"live", "reported"})


@dataclass(frozen=True, slots=True)
class _Notice:
    """One thing to be told to one organization."""

    looked: LookedAt
    recipient_id: UUID
    type: NotificationType
    event: str
    occurred_at: datetime
    reason: str
    more: Mapping[str, Any]
    version: int = 1
    event_id: UUID | None = None
    supersedes: UUID | None = None
    told: str | None = None
    """What is kept of it, of what followers are told."""


async def tell_follow_ups(
    raw: Raw, looked: Sequence[LookedAt], directory: Directory, *, read_stay: ReadStay, ids: Ids, now: datetime
) -> list[NotificationRow]:
    """Give what is to be told of these follow-ups; what was told before is not told again."""
    mine = [one for one in looked if one.row.home_id is not None and one.stay.mode in _TOLD_MODES]
    notices = [*await _steps(raw, mine, now), *await _alerts(raw, mine, now), *await _news(raw, mine, directory)]
    if not notices:
        return []
    records = await people.describe(raw, {one.looked.stay.person_id for one in notices})
    told_of = [(one.looked.stay.person_id, one.looked.stay.record_id) for one in notices]
    sources = await know_sources(raw, records, told_of, directory=directory, read_stay=read_stay)
    rows: list[NotificationRow] = []
    kept: list[FollowerTold] = []
    for notice in notices:
        recipient = directory.organizations.get(notice.recipient_id)
        tier = may_be_told(notice.looked.stay.origin, recipient_of(recipient)).tier if recipient else None
        if recipient is None or tier is None or not tier.tells:
            continue
        # That a home has done something tells that the person is with it.
        if not may_name(notice.looked.row.home_id, recipient, notice.looked.stay, directory):
            continue
        row = _row(notice, recipient, tier, sources, directory, ids, now)
        rows.append(row)
        if notice.told is not None:
            told = FollowerTold(notice.looked.row.id, recipient.id, notice.event, row.event_id, row.id, notice.version, notice.told)
            kept.append(told)
    await timer_notices.save_told(raw, kept, now)
    return rows


async def _steps(raw: Raw, looked: Sequence[LookedAt], now: datetime) -> list[_Notice]:
    """Tell of the last step that each clock has passed; those before it in the same moment are overtaken."""
    wanted: list[Once] = []
    last: list[tuple[LookedAt, dict[str, Any], Step, Once]] = []
    for one in looked:
        for clock, steps in one.fresh:
            due_at = datetime.fromisoformat(clock["due_at"])
            listed = [Once(one.row.id, clock["id"], step.percent, due_at, one.row.id, "overtaken") for step in steps[:-1]]
            newest = Once(one.row.id, clock["id"], steps[-1].percent, due_at, one.row.id)
            wanted += [*listed, newest]
            last.append((one, clock, steps[-1], newest))
    if not wanted:
        return []
    claimed = await timer_notices.claim(raw, wanted, now)
    told = [(one, clock, step) for one, clock, step, once in last if once.key in claimed]
    contacts = await timer_notices.contacts_of(raw, {one.row.home_id for one, _, _ in told if one.row.home_id}) if told else {}
    notices: list[_Notice] = []
    for one, clock, step in told:
        is_over = step.level == "breach"
        kind = NotificationType.FOLLOW_UP_OVERDUE if is_over else NotificationType.FOLLOW_UP_DUE
        at = datetime.fromisoformat(clock["due_at"]) if is_over else step.at
        notices += _to_home(
            one, step.to, contacts, kind, "overdue" if is_over else "due", at, step_sentence(clock, step), step.level.value, step.percent,
            {"clock": clock},
        )  # fmt: skip
    return notices


def _to_home(
    one: LookedAt,
    parts: Sequence[str],
    contacts: Mapping[UUID, Sequence[EscalationContact]],
    kind: NotificationType,
    event: str,
    at: datetime,
    reason: str,
    level: str,
    percent: int | None,
    more: Mapping[str, Any],
) -> list[_Notice]:
    """Tell the home, naming its people, and the organizations that it named for these parts."""
    home_id = one.row.home_id
    assert home_id is not None  # noqa: S101 - the caller has looked
    named = [contact for contact in contacts.get(home_id, ()) if contact.part in parts]
    to: list[dict[str, Any]] = [{"part": "assignee", "name": one.row.assignee, "phone": None}] if "assignee" in parts else []
    to += [contact.document() for contact in named]
    to += [{"part": part, "name": None, "phone": None} for part in parts if part not in {item["part"] for item in to}]
    said = {**more, "escalation": {"level": level, "percent": percent, "to": to}}
    recipients = dict.fromkeys([home_id, *(contact.recipient_id for contact in named if contact.recipient_id)])
    return [_Notice(one, recipient, kind, event, at, reason, said) for recipient in recipients]


async def _alerts(raw: Raw, looked: Sequence[LookedAt], now: datetime) -> list[_Notice]:
    """Tell the home once of what became of its follow-up without it, and of what a contact says of danger."""
    listed = [(one, alert) for one in looked if not one.by_history for alert in alerts(one.seen, one.reasons_before)]
    found = [(one, alert, Once(one.row.id, alert.name, 0, alert.version_at, one.row.id)) for one, alert in listed]
    found = [*await _again(raw, found, now), *await _safety(raw, looked)]
    if not found:
        return []
    claimed = await timer_notices.claim(raw, [once for _, _, once in found], now)
    told = [(one, alert) for one, alert, once in found if once.key in claimed]
    contacts = await timer_notices.contacts_of(raw, {one.row.home_id for one, _ in told if one.row.home_id}) if told else {}
    notices: list[_Notice] = []
    for one, alert in told:
        notices += _to_home(
            one, alert.to, contacts, alert.type, alert.name, alert.at or now, alert.reason, alert.level.value, None, alert.content
        )
    return notices


async def _again(raw: Raw, found: Sequence[tuple[LookedAt, Alert, Once]], now: datetime) -> list[tuple[LookedAt, Alert, Once]]:
    """Tell each time that a follow-up is going on again; after that a readmission is news again, too."""
    if not any(alert.name in (READMITTED, REOPENED) for _, alert, _ in found):
        return list(found)
    noted = await timer_notices.noted(raw, {one.row.id for one, _, _ in found})
    return [
        (one, alert, replace(once, version_at=now))
        if alert.name == REOPENED or (alert.name == READMITTED and (one.row.id, REOPENED) in noted)
        else (one, alert, once)
        for one, alert, once in found
    ]


async def _safety(raw: Raw, looked: Sequence[LookedAt]) -> list[tuple[LookedAt, Alert, Once]]:
    """Give what contacts say of danger and is not told yet. It is a contact's, so a follow-up that moves tells nothing again."""
    said = [(one, contact, alert) for one in looked for contact, alert in safety_alerts(one.row.contacts)]
    if not said:
        return []
    told = await timer_notices.noted(raw, {UUID(contact.id) for _, contact, _ in said})
    new = [
        (one, alert, UUID(contact.id))
        for one, contact, alert in said
        if (UUID(contact.id), alert.name) not in told and (alert.name == SAFETY or (UUID(contact.id), SAFETY) in told)
    ]
    return [(one, alert, Once(subject, alert.name, 0, alert.version_at, one.row.id)) for one, alert, subject in new]


async def _news(raw: Raw, looked: Sequence[LookedAt], directory: Directory) -> list[_Notice]:
    """Tell whoever else follows the stay that its home reached the person, and that the follow-up is closed; and what is taken back."""
    changed = [(one, item) for one in looked for item in news(one.seen, one.state_before, one.clocks_before, one.reasons_before)]
    if not changed:
        return []
    followers = await timer_notices.followers(raw, {one.stay.id for one, _ in changed})
    told = await timer_notices.told_of(raw, {one.row.id for one, _ in changed})
    notices: list[_Notice] = []
    for one, item in changed:
        others = set(followers.get(one.stay.id, ())) - {one.row.home_id}
        wanting = {other for other in others if wishes(other, item.kind, one.stay, one.row.programs, directory)}
        wanting |= {one.row.home_id} if item.to_home and one.row.home_id else set()
        before = {key[1] for key, was in told.items() if key[0] == one.row.id and key[2] == item.kind and was.said}
        for recipient in sorted(wanting | before):
            said = item.said if recipient in wanting else ""
            last = told.get((one.row.id, recipient, item.kind))
            if said == (last.said if last else ""):
                continue
            kind = item.type if last is None else NotificationType.FOLLOW_UP_UPDATED
            notices.append(
                _Notice(
                    one, recipient, kind, item.kind, item.at or one.row.updated_at, item.reason if said else item.taken_back, item.content,
                    version=last.version + 1 if last else 1, event_id=last.event_id if last else None,
                    supersedes=last.notification_id if last else None, told=said,
                )
            )  # fmt: skip
    return notices


def _row(
    notice: _Notice,
    recipient: Organization,
    tier: Tier,
    sources: Sources,
    directory: Directory,
    ids: Ids,
    now: datetime,
) -> NotificationRow:
    stay, row = notice.looked.stay, notice.looked.row
    is_home = recipient.id == row.home_id
    notice_id, event_id = ids.new(), notice.event_id or ids.new()
    payload = {
        "id": public_id(Kind.NOTIFICATION, notice_id),
        "event_id": public_id(Kind.EVENT, event_id),
        "type": notice.type.value,
        "event": notice.event,
        "version": notice.version,
        "supersedes": public_id_or_none(Kind.NOTIFICATION, notice.supersedes),
        "tier": tier.value,
        "occurred_at": notice.occurred_at.isoformat(),
        "created_at": now.isoformat(),
        "person": person_content(stay.person_id, sources.told(stay.person_id, recipient.id), recipient.id, tier, directory),
        "encounter": encounter_content(stay, tier),
        "attribution": attribution_content(notice.looked.claim) if is_home else None,
        "follow_up_id": public_id(Kind.FOLLOW_UP, row.id),
        "reason": notice.reason,
        "notices": notice.more.get("notices", []),
        **{name: value for name, value in notice.more.items() if name != "notices"},
    }
    return NotificationRow(
        notice_id, recipient.id, event_id, notice.type.value, notice.version, notice.supersedes, tier.value,
        stay.person_id, stay.id, row.id, notice.occurred_at, None, payload, None if is_home else row.home_id,
    )  # fmt: skip

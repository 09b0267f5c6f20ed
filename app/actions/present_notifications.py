"""What a recipient may read now of what it was told then: may they still be told, and how much, asked again at every read.

What tells of another organization (that a home did something, that it leads, offers or takes over) asks too whether the recipient may
know of that one now.

A notification whose right to be told ended after it was numbered stays as `{sequence, id, type: notification.withdrawn}`, so the
sequence has no gap and says no more. Where a record has left the person since, or the stay went to another, the person is given as
known now: what was told of two people as one, next of kin too, is read of the one alone. Not here: reading the outbox, or the rule
itself (domain/privacy).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.domain import contact_sheet
from app.domain.directory import Directory
from app.domain.happening import NotificationType
from app.domain.own_status import may_name
from app.domain.privacy import NOTHING, Decision, Tier, may_be_told, recipient_of, travelling
from app.domain.public_id import Kind, public_id
from app.domain.stay_in_hand import StayInHand
from app.domain.telling import person_content, without_lead
from app.domain.viewer import Viewer
from app.store import people
from app.store.audit import saw
from app.store.encounter_reads import ReadStay, rows_behind
from app.store.encounters import EncounterRow
from app.store.ended_rights import not_to_be_sent
from app.store.notification_reads import StoredNotification
from app.store.raw import Raw

_MINIMAL_ENCOUNTER: Final = ("id", "facility", "admitted_at", "discharged_at")
_MINIMAL_FACILITY: Final = ("id", "name")
"""Its call-back number and addresses may be a unit's, and give away what the unit is for."""
_BREADTH: Final = {Tier.FULL: 2, Tier.MINIMAL: 1, Tier.ID_ONLY: 0}


async def present_notifications(
    raw: Raw,
    viewer: Viewer,
    rows: Sequence[StoredNotification],
    *,
    directory: Directory,
    read_stay: ReadStay,
    sent_at: datetime | None = None,
) -> list[dict[str, Any]]:
    """Give each notification as it may be read now, or as it may leave at `sent_at`. A statement or two for all of them."""
    stays = await rows_behind(raw, viewer, {row.encounter_id for row in rows}) if rows else {}
    ended = {row.id for row in rows if row.never_theirs and not viewer.is_operator}
    if sent_at is not None and rows:
        ended = await not_to_be_sent(raw, [row.id for row in rows], sent_at)
    shown_people = await _people_now(raw, [row for row in rows if row.id not in ended], stays, directory)
    decisions: dict[tuple[UUID, UUID], Decision] = {}
    in_hand: dict[UUID, StayInHand] = {}
    shown: list[dict[str, Any]] = []
    seen: set[UUID] = set()
    for row in rows:
        if row.id in ended:
            shown.append(withdrawn(row))
            continue
        recipient = directory.organizations.get(row.recipient_id)
        stay = stays.get(row.encounter_id)
        if recipient is None or stay is None:
            # A stay that is no longer theirs to see: what was told is gone, but that it was taken back may be read. It holds ids only.
            shown.append(present(row, Decision(Tier.ID_ONLY, ()) if row.type == NotificationType.CANCELLED else NOTHING))
            continue
        key = (row.encounter_id, recipient.id)
        if key not in decisions:
            in_hand[stay.id] = read_stay(stay, directory)
            decisions[key] = may_be_told(in_hand[stay.id].origin, recipient_of(recipient))
        content = replace(row, payload={**row.payload, "person": shown_people[row.id]}) if row.id in shown_people else row
        if not may_name(row.acting_id, recipient, in_hand[stay.id], directory):
            if not _tells_of_stay(row):
                shown.append(withdrawn(row))
                continue
            content = replace(content, payload=without_lead(content.payload))
        shown.append(present(content, decisions[key]))
        if decisions[key].tier.tells:
            seen.add(stay.person_id)
    saw(seen)
    return shown


def _tells_of_stay(row: StoredNotification) -> bool:
    """Tell whether it is the hospital's news, in which another organization is no more than a remark."""
    return not row.type.startswith("follow_up.")


async def _people_now(
    raw: Raw, rows: Sequence[StoredNotification], stays: Mapping[UUID, EncounterRow], directory: Directory
) -> dict[UUID, dict[str, Any]]:
    """Give, by notification, the person of the stay as known now, where the person it was told of is not whole any more."""
    whose = {
        row.id: stay.person_id
        for row in rows
        if row.tier != Tier.ID_ONLY
        and (stay := stays.get(row.encounter_id)) is not None
        and (row.has_parted or row.payload["person"]["id"] != public_id(Kind.PERSON, stay.person_id))
    }
    records = await people.describe(raw, set(whose.values())) if whose else {}
    return {
        row.id: person_content(whose[row.id], records.get(whose[row.id], ()), row.recipient_id, row.tier, directory)
        for row in rows
        if row.id in whose
    }


def present(row: StoredNotification, decision: Decision) -> dict[str, Any]:
    """Give one notification under a decision: as it was told, or with less, or withdrawn; never with more than was told.

    Labels, notices and the scope of the consent are those of now. Where less was told than may be now, none of them belong to it.
    """
    tier = decision.tier
    if not tier.tells:
        return withdrawn(row)
    told = Tier(row.tier)
    said = travelling(decision if _BREADTH[tier] <= _BREADTH[told] else Decision(told, (), ("N",)))
    content = {**row.payload, **said, "notices": [*row.payload["notices"], *said["notices"]], "sequence": row.sequence}
    if _BREADTH[tier] >= _BREADTH[told]:
        return content
    person, encounter = row.payload["person"], row.payload["encounter"]
    if tier is Tier.ID_ONLY:
        person, encounter = {"id": person["id"]}, {"id": encounter["id"]}
    else:
        person = {name: value for name, value in person.items() if name not in contact_sheet.FIELDS}
        encounter = {name: encounter[name] for name in _MINIMAL_ENCOUNTER if name in encounter}
        encounter["facility"] = {name: value for name, value in encounter["facility"].items() if name in _MINIMAL_FACILITY}
    return {**content, "tier": tier.value, "person": person, "encounter": encounter}


def withdrawn(row: StoredNotification) -> dict[str, Any]:
    """Give the place of a notification that may no longer be read."""
    return {
        "sequence": row.sequence,
        "id": public_id(Kind.NOTIFICATION, row.id),
        "type": NotificationType.WITHDRAWN.value,
    }

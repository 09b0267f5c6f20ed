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
from app.domain.seeing import ITS_OWN
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
from app.store.sources import know_sources

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
    shown_people = await _people_now(raw, [row for row in rows if row.id not in ended], stays, directory, read_stay)
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
        decision = ITS_OWN if _is_of_owner(row, stay) else decisions[key]
        shown.append(present(content, decision))
        if decision.tier.tells:
            seen.add(stay.person_id)
    saw(seen)
    return shown


def _is_of_owner(row: StoredNotification, stay: EncounterRow) -> bool:
    """Tell whether it tells an owner of its own records that they were opened."""
    return row.type == NotificationType.RECORD_OPENED and row.recipient_id in (stay.facility_id, stay.reported_by)


def _tells_of_stay(row: StoredNotification) -> bool:
    """Tell whether it is the hospital's news, in which another organization is no more than a remark."""
    return not row.type.startswith("follow_up.")


async def _people_now(
    raw: Raw, rows: Sequence[StoredNotification], stays: Mapping[UUID, EncounterRow], directory: Directory, read_stay: ReadStay
) -> dict[UUID, dict[str, Any]]:
    """Give, by notification, the person of the stay as known now, where what was told of the person may not be read as it was.

    The person it was told of is not whole any more, or a hospital that spoke in it is not to be known of by now.
    """
    # An owner reads the words of its own records, which are its own whoever the person is by now.
    told = {
        row.id: stays[row.encounter_id]
        for row in rows
        if row.tier != Tier.ID_ONLY and row.encounter_id in stays and not _is_of_owner(row, stays[row.encounter_id])
    }
    parted = {row.id for row in rows if row.id in told and _is_parted(row, told[row.id].person_id)}
    asked = {
        row.id: told[row.id].person_id
        for row in rows
        if row.id in parted or (row.id in told and _names_another(row, told[row.id], directory))
    }
    records = await people.describe(raw, set(asked.values())) if asked else {}
    told_of = [(stay.person_id, stay.record_id) for id_, stay in told.items() if id_ in asked]
    sources = await know_sources(raw, records, told_of, directory=directory, read_stay=read_stay)
    return {
        row.id: person_content(asked[row.id], sources.told(asked[row.id], row.recipient_id), row.recipient_id, row.tier, directory)
        for row in rows
        if row.id in parted or (row.id in asked and sources.hides(asked[row.id], row.recipient_id))
    }


def _is_parted(row: StoredNotification, person_id: UUID) -> bool:
    return row.has_parted or row.payload["person"]["id"] != public_id(Kind.PERSON, person_id)


def _names_another(row: StoredNotification, stay: EncounterRow, directory: Directory) -> bool:
    """Tell whether a number of another house than the stay's stands in it: whether that may be known is asked again."""
    whose = (directory.houses.get(str(one["system"]).upper()) for one in row.payload["person"].get("identifiers") or ())
    return any(houses is not None and stay.facility_id not in houses for houses in whose)


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

"""Tell the owners of records that an emergency or a broken glass has opened them: numbered and sent like any other notification.

Called as the operator, in the transaction that records the exception, last of all; and in room 7, for stays that come while one is open.
Not here: who is an owner (domain/opened_record), or what the recipients of the exception are told (notify).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.consent import ConsentKind
from app.domain.directory import Directory
from app.domain.happening import NotificationType
from app.domain.opened_record import Opened, exceptions_of, opened_by, sentence
from app.domain.person import PatientRecord
from app.domain.privacy import Tier
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.domain.stay_in_hand import StayInHand
from app.domain.telling import encounter_content, person_content
from app.ports import Ids
from app.store import consent_records, encounters, notifications, people
from app.store.consent_records import ConsentRow
from app.store.encounter_reads import ReadStay
from app.store.notifications import NotificationRow
from app.store.raw import Raw


async def tell_owners(
    raw: Raw, exception: ConsentRow, *, directory: Directory, read_stay: ReadStay, ids: Ids, now: datetime
) -> Sequence[UUID]:
    """Give every owner whose records it opens a numbered notice, and these owners back. Nobody can wish not to have it."""
    rows = [row for row in await encounters.of_people(raw, [exception.person_id]) if row.folded_into is None]
    signed = next((one for row in rows for one in row.consents if one.id == exception.id), None)
    if signed is None:
        return ()
    opened = opened_by(signed, exception.recorded_by, (read_stay(row, directory) for row in rows), directory.organizations)
    if not opened:
        return ()
    records = (await people.describe(raw, [exception.person_id])).get(exception.person_id, ())
    return await notifications.number_and_insert(raw, [_row(one, exception, records, directory, ids, now) for one in opened], now)


async def tell_owners_of(raw: Raw, stays: Sequence[StayInHand], directory: Directory, *, ids: Ids, now: datetime) -> list[NotificationRow]:
    """Give what is to be numbered for the owners of these stays who were not told yet of an exception that opens one.

    Nothing is asked where no exception is on file of these people; else three statements.
    """
    exceptions = exceptions_of(stays)
    if not exceptions:
        return []
    whose = {one.id: [stay for stay in stays if one in stay.consents] for one in exceptions}
    recorded = await consent_records.by_ids(raw, list(whose))
    people_ids = {row.person_id for row in recorded.values()} | {stay.person_id for stay in stays if stay.consents}
    told = await notifications.owners_told(raw, people_ids)
    opened = [
        (recorded[exception.id], one)
        for exception in exceptions
        if exception.id in recorded
        for one in opened_by(exception, recorded[exception.id].recorded_by, whose[exception.id], directory.organizations)
        if (one.owner_id, public_id(Kind.CONSENT, exception.id)) not in told
    ]
    records = await people.describe(raw, {one.stays[0].person_id for _, one in opened}) if opened else {}
    return [_row(one, exception, records.get(one.stays[0].person_id, ()), directory, ids, now) for exception, one in opened]


def _row(
    opened: Opened, exception: ConsentRow, records: Sequence[PatientRecord], directory: Directory, ids: Ids, now: datetime
) -> NotificationRow:
    newest = opened.stays[0]
    # The person in the owner's own words and under its own number: what others say of them is not what it is told of.
    behind = {stay.record_id for stay in opened.stays}
    own = [record for record in records if record.id in behind]
    notice_id, event_id = ids.new(), ids.new()
    payload: dict[str, Any] = {
        "id": public_id(Kind.NOTIFICATION, notice_id),
        "event_id": public_id(Kind.EVENT, event_id),
        "type": NotificationType.RECORD_OPENED.value,
        "event": exception.kind,
        "version": 1,
        "supersedes": None,
        "tier": Tier.MINIMAL.value,
        "occurred_at": exception.asserted_at.isoformat(),
        "created_at": now.isoformat(),
        "person": person_content(newest.person_id, own, opened.owner_id, Tier.MINIMAL, directory),
        "encounter": encounter_content(newest, Tier.MINIMAL),
        "attribution": None,
        "follow_up_id": None,
        "reason": sentence(ConsentKind(exception.kind)),
        "notices": [],
        "opened": _opened(opened, exception, directory),
    }
    return NotificationRow(
        notice_id, opened.owner_id, event_id, NotificationType.RECORD_OPENED.value, 1, None, Tier.MINIMAL.value, newest.person_id,
        newest.id, None, exception.asserted_at, None, payload,
    )  # fmt: skip


def _opened(opened: Opened, exception: ConsentRow, directory: Directory) -> dict[str, Any]:
    """Say by whom, for whom and until when; why is read where the consent is, by who may read that."""
    return {
        "consent_id": public_id(Kind.CONSENT, exception.id),
        "kind": exception.kind,
        "by": _named(exception.recorded_by, directory),
        "recipients": [_named(one, directory) for one in exception.recipients],
        "opened_at": exception.asserted_at.isoformat(),
        "ends_at": exception.ends_at.isoformat() if exception.ends_at else None,
        "encounters": [public_id(Kind.ENCOUNTER, stay.id) for stay in opened.stays],
    }


def _named(organization_id: UUID | None, directory: Directory) -> dict[str, str | None] | None:
    if organization_id is None:
        return None
    found = directory.organizations.get(organization_id)
    return {"id": public_id_or_none(Kind.ORGANIZATION, organization_id), "name": found.name if found else None}

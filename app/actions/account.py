"""The accounting of disclosures of a person: to whom, when, what, on which basis, and which law lists it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.accounting import listed
from app.domain.directory import Directory
from app.domain.public_id import Kind, public_id, public_id_or_none
from app.store import disclosure_reads, person_reads
from app.store.raw import Raw


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back each list goes."""

    part2_since: datetime
    accounting_since: datetime


async def account(
    raw: Raw, people: Sequence[UUID], reach: Reach, directory: Directory, *, after: UUID | None, limit: int
) -> list[tuple[UUID, UUID, dict[str, Any]]]:
    """Give (notification, person, document) for what was told of these people, oldest first; who was merged is who it is now."""
    now_ids = {found for one in people if (found := await person_reads.present_person(raw, one)) is not None}
    rows = await disclosure_reads.disclosures_of(raw, sorted(now_ids), reach.accounting_since, after=after, limit=limit)
    shown = []
    for row in rows:
        recipient = directory.organizations.get(row["recipient_id"])
        facility = directory.organizations.get(row["facility_id"]) if row["facility_id"] else None
        if recipient is None:
            continue
        origin = facility.part2_status if facility else None
        law = listed(recipient.kind, origin, row["created_at"], reach.part2_since)
        document = {
            "notification_id": public_id(Kind.NOTIFICATION, row["id"]),
            "person_id": public_id(Kind.PERSON, row["person_id"]),
            "encounter_id": public_id(Kind.ENCOUNTER, row["encounter_id"]),
            "source": {"id": public_id_or_none(Kind.ORGANIZATION, row["facility_id"]), "name": facility.name if facility else None},
            "recipient": {"id": public_id(Kind.ORGANIZATION, recipient.id), "name": recipient.name, "kind": recipient.kind},
            "disclosed_at": row["created_at"],
            "sent_at": row["sent_at"],
            "acknowledged_at": row["acknowledged_at"],
            "what": row["type"],
            "tier": row["tier"],
            "version": row["version"],
            "purpose": law.purpose,
            "basis": [law.basis, *row["reasons"]],
            "is_part2": law.is_part2,
            "in_42_cfr_2_24": law.in_part2_list,
            "in_45_cfr_164_528": law.in_accounting,
            "why_not_164_528": law.why_not,
        }
        shown.append((row["id"], row["person_id"], document))
    return shown
